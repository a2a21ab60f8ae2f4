package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write makes a file of lines.
func write(t testing.TB, name string, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// summary is a record on one line.
func summary(r Record) string {
	turns := func(ts []Turn) string {
		var parts []string
		for _, m := range ts {
			parts = append(parts, m.Role+"="+m.Content)
		}
		return "[" + strings.Join(parts, "|") + "]"
	}
	text := func(name string, t Text) string {
		switch {
		case t.Turns != nil:
			return " " + name + turns(t.Turns)
		case t.Plain != "":
			return fmt.Sprintf(" %s%q", name, t.Plain)
		}
		return ""
	}
	s := string(r.Kind) + text("p", r.Prompt) + text("c", r.Completion) + text("+", r.Chosen) + text("-", r.Rejected)
	if r.Messages != nil {
		s += " m" + turns(r.Messages)
	}
	if r.Margin != nil {
		s += fmt.Sprintf(" margin %g", *r.Margin)
	}
	if r.Label != nil {
		s += fmt.Sprintf(" %v", *r.Label)
	}
	if r.Score != nil {
		s += fmt.Sprintf(" score %g", *r.Score)
	}
	for _, step := range r.Steps {
		s += fmt.Sprintf(" %s:%v", step.Text, step.Right)
	}
	if r.Task != "" {
		s += " task " + r.Task
	}
	if r.Tools != nil {
		s += " tools " + string(r.Tools)
	}
	return s
}

func TestShapes(t *testing.T) {
	for _, test := range []struct{ row, want string }{
		{`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`, `messages m[user=a|assistant=b]`},
		{`{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}],"system":"s"}`, `messages m[system=s|user=a|assistant=b]`},
		{`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"tools":"[{\"name\":\"f\"}]"}`, `messages m[user=a|assistant=b] tools [{"name":"f"}]`},
		{`{"messages":[{"role":"human","content":"a","name":null},{"role":"gpt","content":"b","name":null}]}`, `messages m[user=a|assistant=b]`},
		{`{"prompt":"a","completion":" b"}`, `prompt-completion p"a" c" b"`},
		{`{"prompt":"a","response":"b","category":"qa"}`, `prompt-completion p"a" c"b" task qa`},
		{`{"question":"a","answer":"b"}`, `prompt-completion p"a" c"b"`},
		{`{"prompt":[{"role":"user","content":"a"}],"completion":[{"role":"assistant","content":"b"}]}`, `prompt-completion p[user=a] c[assistant=b]`},
		{`{"system_prompt":"s","question":"a","response":"b"}`, `prompt-completion p[system=s|user=a] c[assistant=b]`},
		{`{"instruction":"i","input":"x","output":"o"}`, "prompt-completion p[user=i\n\nx] c[assistant=o]"},
		{`{"instruction":"i","input":null,"output":"o"}`, `prompt-completion p[user=i] c[assistant=o]`},
		{`{"instruction":"i","instances":[{"input":"","output":"o"},{"input":"x","output":"q"}],"is_classification":true}`,
			"prompt-completion p[user=i] c[assistant=o] task classification; prompt-completion p[user=i\n\nx] c[assistant=q] task classification"},
		{`{"text":"t"}`, `text c"t"`},
		{`{"text":"table: x\nQ: how many?\nA: SELECT 1\n"}`, `prompt-completion p"table: x\nQ: how many?\nA:" c" SELECT 1"`},
		{`{"text":"Q: one?\nA: 1\nmore"}`, `text c"Q: one?\nA: 1\nmore"`},
		{`{"prompt":"a"}`, `prompts p"a"`},
		{`{"prompt":[{"role":"user","content":"a"}]}`, `prompts p[user=a]`},
		{`{"instruction":"i","output":null}`, `prompts p[user=i]`},

		{`{"prompt":"a","chosen":"b","rejected":"c","margin":2}`, `preference p"a" +"b" -"c" margin 2`},
		{`{"prompt":"a","chosen":"b","rejected":"c","score_chosen":3,"score_rejected":1.5}`, `preference p"a" +"b" -"c" margin 1.5`},
		{`{"prompt":[{"role":"user","content":"a"}],"chosen":[{"role":"assistant","content":"b"}],"rejected":[{"role":"assistant","content":"c"}]}`,
			`preference p[user=a] +[assistant=b] -[assistant=c]`},
		{`{"chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"rejected":[{"role":"user","content":"a"},{"role":"assistant","content":"c"}]}`,
			`preference p[user=a] +[assistant=b] -[assistant=c]`},
		{`{"prompt":"a","chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"rejected":[{"role":"user","content":"a"},{"role":"assistant","content":"c"}]}`,
			`preference p[user=a] +[assistant=b] -[assistant=c]`},
		{`{"chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"d"},{"role":"assistant","content":"e"}],"rejected":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`,
			`preference p[user=a] +[assistant=b|user=d|assistant=e] -[assistant=b]`},
		{`{"chosen":"The sky is blue.","rejected":"The sky is green."}`, `preference p"The sky is" +" blue." -" green."`},
		{`{"chosen":"The cat walked","rejected":"The cat walks"}`, `preference p"The cat" +" walked" -" walks"`},
		{`{"chosen":"yes","rejected":"no"}`, `preference +"yes" -"no"`},
		{`{"chosen":"yes indeed","rejected":"yes"}`, `preference +"yes indeed" -"yes"`},
		{`{"chosen":"a  b","rejected":"a  c"}`, `preference p"a" +"  b" -"  c"`},
		{`{"chosen":"\n\nHuman: a\n\nAssistant: b","rejected":"\n\nHuman: a\n\nAssistant: c"}`, `preference p[user=a] +[assistant=b] -[assistant=c]`},
		{`{"instruction":"i","input":"","output":"o","chosen":"b","rejected":"c"}`, `preference p[user=i] +[assistant=b] -[assistant=c]`},
		{`{"instruction":"i","output_1":"b","output_2":"c","preference":2}`, `preference p[user=i] +[assistant=c] -[assistant=b]`},
		{`{"instruction":"i","output_1":"b","output_2":"c","preference":1.49}`, `preference p[user=i] +[assistant=b] -[assistant=c]`},

		{`{"prompt":"a","completion":"b","label":false}`, `unpaired p"a" c"b" false`},
		{`{"prompt":"a","completion":"b","label":1}`, `unpaired p"a" c"b" true`},
		{`{"prompt":"a","completion":"b","score":-1.5}`, `scored p"a" c"b" score -1.5`},
		{`{"prompt":"a","completions":["b","c"],"labels":[true,0]}`, `stepwise p"a" b:true c:false`},
		{`{"prompt":{"text":"a","role":"prompter","replies":[
			{"text":"b","role":"assistant","rank":1,"replies":[]},{"text":"c","role":"assistant","rank":0,"replies":[
			{"text":"d","role":"prompter","replies":[{"text":"e","role":"assistant","rank":0},{"text":"f","role":"assistant","rank":1},{"text":"gone","role":"assistant","rank":2,"deleted":true}]}]}]}}`,
			`preference p[user=a] +[assistant=c] -[assistant=b]; preference p[user=a|assistant=c|user=d] +[assistant=e] -[assistant=f]`},
	} {
		path := write(t, "x.jsonl", strings.ReplaceAll(test.row, "\n", " "))
		var got []string
		for r, err := range Read(path, Options{}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, summary(r))
			if r.Source != path+":1" {
				t.Errorf("source %s", r.Source)
			}
		}
		if s := strings.Join(got, "; "); s != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.row, s, test.want)
		}
	}
}

// Rows that cannot be used name file, line, field and remedy; the others of the
// file are read.
func TestBadRows(t *testing.T) {
	for _, test := range []struct {
		row    string
		reason Reason
		part   string
	}{
		{`{"messages":[{"role":"user","content":"a"}]}`, NoAnswer, "messages: the assistant says nothing"},
		{`{"messages":[]}`, Empty, "no turn"},
		{`{"messages":"x"}`, WrongType, "messages: it holds a string: want an array"},
		{`{"messages":[{"content":"a"}]}`, WrongColumns, "messages[0]: columns content: want role and content"},
		{`{"messages":[{"role":"user","content":3}]}`, WrongType, "messages[0]"},
		{`{"messages":[3]}`, WrongType, "messages[0]: it holds a number"},
		{`{"prompt":"a","completion":"  "}`, Empty, "completion: it is empty"},
		{`{"prompt":"a","completion":3}`, WrongType, "completion: it holds a number"},
		{`{"instruction":"a","output":""}`, Empty, "completion"},
		{`{"instruction":"a","instances":[]}`, Empty, "no instance"},
		{`{"instruction":"a","instances":[{"input":3,"output":"x"}]}`, WrongType, "instances[0].input"},
		{`{"prompt":"a","chosen":"b","rejected":"b"}`, Identical, "the same"},
		{`{"prompt":"a","chosen":"b","rejected":""}`, Empty, "rejected"},
		{`{"chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"rejected":[{"role":"user","content":"x"},{"role":"assistant","content":"b"}]}`, NoAnswer, "chosen: it begins with a turn of the role user"},
		{`{"chosen":"a b","rejected":[{"role":"assistant","content":"b"}]}`, WrongType, "want both alike"},
		{`{"chosen":"a","rejected":"b","margin":"NaN"}`, NotANumber, "margin"},
		{`{"chosen":"a","rejected":"b","score_chosen":1e308,"score_rejected":-1e308}`, NotANumber, "score_chosen"},
		{`{"chosen":"a"}`, WrongColumns, "columns chosen: want"},
		{`{"instruction":"i","output_1":"b","output_2":"c","preference":null}`, NoVerdict, "nobody decided"},
		{`{"instruction":"i","output_1":"b","output_2":"c","preference":0}`, NoVerdict, "draw"},
		{`{"instruction":"i","output_1":"b","output_2":"c","preference":3}`, WrongType, "want 1 or 2"},
		{`{"prompt":"a","completion":"b","score":1e999}`, NotANumber, "finite"},
		{`{"prompt":"a","completion":"b","score":"inf"}`, NotANumber, "finite"},
		{`{"prompt":"a","completion":"b","score":"good"}`, WrongType, "score: it holds a string: want a number"},
		{`{"prompt":"a","completions":["b","c"],"labels":[true]}`, WrongType, "1 labels for 2 completions"},
		{`{"prompt":"a","completions":["b"],"labels":["yes"]}`, WrongType, "labels[0]"},
		{`{"a":1,"b":2}`, WrongColumns, "columns a, b: want instruction, output_1"},
		{`{}`, WrongColumns, "no columns"},
		{`[1]`, Malformed, "the row is an array: want one JSON object a row"},
		{`{"prompt":"a"`, Malformed, "ends inside"},
		{`{"prompt":"a"} x`, Malformed, "text follows"},
		{`{"prompt":NaN}`, Malformed, "malformed JSON at byte 11"},
		{`{"prompt":"a","completion":"b","tools":3}`, WrongType, "tools"},
	} {
		path := write(t, "x.jsonl", "", test.row, `{"prompt":"a","completion":"b"}`)
		var good int
		var skips Skips
		for _, err := range Read(path, Options{}) {
			if err == nil {
				good++
			} else if !skips.Add(err) {
				t.Fatal(err)
			}
		}
		if good != 1 || skips.Rows != 1 || skips.Reasons[test.reason] != 1 {
			t.Errorf("%s: %d good, %v", test.row, good, skips)
		}
		if first := strings.Join(skips.First, ""); !strings.HasPrefix(first, path+":2: ") || !strings.Contains(first, test.part) {
			t.Errorf("%s: error %q, want %q in it", test.row, first, test.part)
		}
	}
}

// A file keeps to its first shape, except that demonstrations may be mixed.
func TestOneShapeAFile(t *testing.T) {
	pair, chat, preference := `{"prompt":"a","completion":"b"}`, `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`, `{"chosen":"x a","rejected":"x b"}`
	records, skips, _ := readAll(t, write(t, "x.jsonl", pair, chat, preference, pair), Options{})
	if len(records) != 3 || skips.Reasons[WrongColumns] != 1 || !strings.Contains(skips.First[0], ":3: columns chosen, rejected: want prompt and completion") {
		t.Errorf("%d records, %v", len(records), skips)
	}
	// A file of thumbs is no file of demonstrations: half of it is bad.
	records, skips, _ = readAll(t, write(t, "x.jsonl", `{"prompt":"a","completion":"b","label":false}`), Options{Kinds: Demonstrations()})
	if len(records) != 0 || !strings.Contains(strings.Join(skips.First, ""), "columns prompt, completion, label, which is unpaired (thumbs): want") {
		t.Errorf("%d records, %v", len(records), skips)
	}
	records, _, shape := readAll(t, write(t, "x.jsonl", `{"q":"a","completion":"b"}`), Options{Columns: map[string]string{"q": "prompt"}})
	if len(records) != 1 || shape != "prompt and completion" {
		t.Errorf("renamed: %v, %s", records, shape)
	}
}

func TestFileForms(t *testing.T) {
	row := `{"prompt":"a","completion":"b"}`
	for _, test := range []struct {
		name    string
		lines   []string
		sources string // lines of the records
		err     string
	}{
		{"x.jsonl", []string{"\xef\xbb\xbf" + row, "", "  ", row + "\r"}, "1 4", ""},
		{"x.json", []string{row, row}, "1 2", ""},
		{"x.json", []string{"\xef\xbb\xbf[", row + ",", "", row, "]", ""}, "2 4", ""},
		{"x.json", []string{"[" + row + ", " + row, "]"}, "1 1", ""},
		{"x.json", []string{"[]"}, "", ""},
		{"x.json", []string{"{", row + "}"}, "", "line 1 is neither"},
		{"x.json", []string{"[", row + ",", row}, "2 3", "line 3: the file ends inside the array"},
		{"x.json", []string{"[", row, row, "]"}, "2", "line 3: "},
		{"x.json", []string{"[" + row + "]", "x"}, "1", "text follows the array"},
		{"x.txt", []string{"one", "", "two"}, "1 3", ""},
	} {
		path := write(t, test.name, test.lines...)
		var lines []string
		var failed error
		for r, err := range Read(path, Options{}) {
			if failed = err; err == nil {
				lines = append(lines, strings.TrimPrefix(r.Source, path+":"))
			}
		}
		if got := strings.Join(lines, " "); got != test.sources {
			t.Errorf("%q: records of lines %s, want %s (%v)", test.lines, got, test.sources, failed)
		}
		if (failed == nil) != (test.err == "") || failed != nil && (!strings.Contains(failed.Error(), test.err) || !strings.Contains(failed.Error(), path)) {
			t.Errorf("%q: error %v, want %q", test.lines, failed, test.err)
		}
	}
	long := write(t, "x.jsonl", row, `{"prompt":"`+strings.Repeat("a", 1<<20)+`","completion":"b"}`, row)
	records, skips, _ := readAll(t, long, Options{MaxRowBytes: 1000})
	if len(records) != 2 || skips.Reasons[TooLong] != 1 || records[1].Source != long+":3" {
		t.Errorf("a long row: %d records, %v", len(records), skips)
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "none.jsonl"), t.TempDir(), write(t, "x.csv", "a,b"), write(t, "x.jsonl.gz", "not gzip")} {
		if err := firstError(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
