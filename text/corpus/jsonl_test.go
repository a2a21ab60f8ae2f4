package corpus

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRecordShapes(t *testing.T) {
	for _, tt := range []struct {
		name, line             string
		text, prompt, response string
	}{
		{"text", `{"id":7,"text":"a\nb \u00e9 \ud83d\ude00","meta":{"x":[1,{}]}}`, "a\nb é 😀", "", ""},
		{"lone surrogate", `{"text":"a\ud800b"}`, "a\uFFFDb", "", ""},
		{"last of repeated fields", `{"text":"a","text":"b"}`, "b", "", ""},
		{"prompt and response", `{"prompt":"p","response":"r"}`, "p\n\nr", "p", "r"},
		{"prompt and completion", `{"prompt":"p","completion":"r"}`, "p\n\nr", "p", "r"},
		{"text with prompt and response", `{"text":"t","prompt":"p","response":"r"}`, "t", "p", "r"},
		{"instruction", `{"instruction":"i","input":"","output":"o"}`, "i\n\no", "i", "o"},
		{"instruction with input", `{"output":"o","instruction":"i","input":"in"}`, "i\n\nin\n\no", "i\n\nin", "o"},
		{"input of another kind beside text", `{"text":"t","input":[1,2]}`, "t", "", ""},
		{"messages", `{"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}`,
			"s\n\nu\n\na", "s\n\nu", "a"},
		{"messages without answer", `{"messages":[{"role":"user","content":"u"}]}`, "u", "", ""},
		{"ShareGPT", `{"conversations":[{"from":"human","value":"u"},{"from":"gpt","value":"a"}]}`, "u\n\na", "u", "a"},
		{"parts", `{"messages":[{"role":"user","content":[{"type":"text","text":"u"}]},{"role":"assistant","content":"a"}]}`, "u\n\na", "u", "a"},
		{"several demonstrations", `{"instruction":"i","instances":[{"input":"","output":"o"},{"input":"x","output":"q"}]}`, "i\n\no\n\ni\n\nx\n\nq", "", ""},
		{"null content", `{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":null,"tool_calls":[{}]}]}`, "u", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := recordDocument([]byte(tt.line), "text")
			if err != nil {
				t.Fatal(err)
			}
			if d.Prompt == "u" && d.Response == "" {
				d.Prompt = ""
			}
			if d.Text != tt.text || d.Prompt != tt.prompt || d.Response != tt.response {
				t.Errorf("got %q %q %q, want %q %q %q", d.Text, d.Prompt, d.Response, tt.text, tt.prompt, tt.response)
			}
		})
	}
}

func TestTextField(t *testing.T) {
	root := tree(t, map[string]string{"a.jsonl": `{"content":"c","text":"t","license":"mit","url":"http://x"}`})
	d := collect(t, mustOpen(t, Options{TextField: "content"}, root).Documents())[0]
	if d.Text != "c" || d.Meta["licence"] != "mit" || d.Meta["url"] != "http://x" {
		t.Errorf("got %+v", d)
	}
}

func TestRecordErrors(t *testing.T) {
	good := `{"text":"fine"}` + "\n"
	for _, tt := range []struct {
		name, line string
		want       []string
	}{
		{"cut string", `{"text":"abc`, []string{"a.jsonl:3:", "ends inside the object"}},
		{"cut object", `{"text":"abc",`, []string{"a.jsonl:3:", "ends inside"}},
		{"bad escape", `{"a":1,"text":"\x"}`, []string{"a.jsonl:3:", "byte 16 of the row"}},
		{"bad value", `{"meta":{"n":tru}}`, []string{"a.jsonl:3:", "byte 17 of the row"}},
		{"not an object", `["text"]`, []string{"a.jsonl:3:", "an array", "one JSON object a row"}},
		{"two objects", `{"text":"a"}{"text":"b"}`, []string{"a.jsonl:3:", "line of its own"}},
		{"plain text", `hello`, []string{"a.jsonl:3:", "malformed JSON"}},
		{"text is a number", `{"text":5}`, []string{"a.jsonl:3:", "text: it holds a number", "want a string"}},
		{"response is an array", `{"prompt":"p","response":["r"]}`, []string{"a.jsonl:3:", "response[0]: it holds a string"}},
		{"no field", `{"body":"b"}`, []string{"a.jsonl:3:", "no field text", "columns body: want", "prompt and completion"}},
		{"message not an object", `{"messages":["hi"]}`, []string{"a.jsonl:3:", "messages[0]: it holds a string"}},
		{"content is a number", `{"messages":[{"role":"user","content":1}]}`, []string{"a.jsonl:3:", "messages[0]"}},
		{"no role", `{"messages":[{"content":"x"}]}`, []string{"a.jsonl:3:", "messages[0]: columns content: want role and content"}},
		{"long line", `{"text":"` + strings.Repeat("a", 600) + `"}`, []string{"a.jsonl:3:", "more than 500 bytes", "raise the limit"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := tree(t, map[string]string{"a.jsonl": good + "\r\n" + tt.line + "\n" + good})
			err := firstError(Options{MaxLineBytes: 500}, root)
			if err == nil {
				t.Fatal("got no error")
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("got %q, want it to say %q", err, part)
				}
			}
		})
	}
}

func TestLongLinesWithinLimit(t *testing.T) {
	// Longer than the reader's buffer, exactly at the limit, with \r\n.
	line := `{"text":"` + strings.Repeat("é", 300<<10) + `"}`
	root := tree(t, map[string]string{"a.jsonl": line + "\r\n" + `{"text":"b"}`})
	docs := collect(t, mustOpen(t, Options{MaxLineBytes: len(line)}, root).Documents())
	if len(docs) != 2 || len(docs[0].Text) != 600<<10 || docs[1].Text != "b" {
		t.Errorf("got %d documents", len(docs))
	}
	if err := firstError(Options{MaxLineBytes: len(line) - 1}, root); err == nil {
		t.Error("one byte over the limit: got no error")
	}
}

// FuzzRecords feeds the JSON Lines reader any bytes: it must end with an error
// or with documents that are valid UTF-8 and agree with encoding/json.
func FuzzRecords(f *testing.F) {
	for _, s := range []string{
		`{"text":"a"}`, `{"prompt":"p","response":"r"}` + "\n" + `{"text":"\ud800"}`, `{"messages":[{"role":"user","content":"x"}]}`,
		`{"text":`, "{}\n", "\xef\xbb\xbf{\"text\":\"bom\"}", `{"text":"a"} x`, "\n\r\n", "{\"text\":\"\xff\"}", `[[[[`, `{"messages":[1]}`,
	} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "fuzz.jsonl")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := Open([]string{path}, Options{MaxLineBytes: 1 << 16})
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(data), "\n")
		for d, err := range c.Documents() {
			if err != nil {
				if !strings.Contains(err.Error(), path) {
					t.Errorf("error %q does not name the file", err)
				}
				return
			}
			if !utf8.ValidString(d.Text) {
				t.Errorf("invalid UTF-8 in %q", d.Text)
			}
			checkRecord(t, d.ID, d.Text, lines)
		}
	})
}

// checkRecord compares a document with what encoding/json reads on its line.
func checkRecord(t *testing.T, id, got string, lines []string) {
	_, number, _ := strings.Cut(id, "#")
	n := 0
	for _, c := range number {
		n = 10*n + int(c-'0')
	}
	line := strings.TrimPrefix(lines[n-1], "\xef\xbb\xbf")
	if !utf8.ValidString(line) {
		return // runs of bad bytes become one U+FFFD here, one a byte there
	}
	var want map[string]any
	if err := json.Unmarshal([]byte(line), &want); err != nil {
		t.Fatalf("%s was accepted, encoding/json says %v", line, err)
	}
	if s, ok := want["text"].(string); ok && s != got {
		t.Errorf("got %q, want %q", got, s)
	}
}

func BenchmarkRecords(b *testing.B) {
	var lines strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&lines, "{\"id\":%d,\"text\":\"record %d: \\\"quoted\\\"\\n%s\",\"meta\":{\"n\":[1,2]}}\n", i, i, strings.Repeat("some words of text, ", 100))
	}
	root := tree(b, map[string]string{"a.jsonl": lines.String()})
	c := mustOpen(b, Options{}, root)
	b.SetBytes(int64(lines.Len()))
	for b.Loop() {
		for _, err := range c.Documents() {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
