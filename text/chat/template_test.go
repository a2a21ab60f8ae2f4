package chat

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/internal/golden"
)

// conversation is a case of expected_renders.json.
type conversation struct {
	Case     string
	Messages []Message
	Tools    json.RawMessage
	Generate bool `json:"add_generation_prompt"`
}

func (c conversation) with(bos, eos string) Conversation {
	out := Conversation{
		Messages: c.Messages, Tools: c.Tools, AddGenerationPrompt: c.Generate, BOS: bos, EOS: eos,
		Now: time.Date(2026, 7, 26, 0, 0, 0, 0, time.UTC),
	}
	if string(c.Tools) == "null" {
		out.Tools = nil
	}
	return out
}

// expected is expected_renders.json.
func expected(t *testing.T) (cases []conversation, renders map[string][]struct{ Case, Output, Error string }) {
	t.Helper()
	data, err := os.ReadFile(golden.Data(t, "chat", "expected_renders.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases   []conversation
		Renders map[string][]struct{ Case, Output, Error string }
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases, file.Renders
}

func realTemplate(t testing.TB, name string) *Template {
	t.Helper()
	source, err := os.ReadFile(golden.Data(t, "chat", "templates", name))
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := Parse(string(source))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return tmpl
}

// TestRealTemplates renders every case with every template as Python does. What
// a template refuses must be refused in its words; where Python itself fails on
// the types of the input, an interpreter may do better.
func TestRealTemplates(t *testing.T) {
	cases, renders := expected(t)
	n := 0
	for name, list := range renders {
		tmpl := realTemplate(t, name)
		for _, want := range list {
			i := slices.IndexFunc(cases, func(c conversation) bool { return c.Case == want.Case })
			got, err := tmpl.Text(cases[i].with("<s>", "</s>"))
			n++
			words, refused := strings.CutPrefix(want.Error, "TemplateError: ")
			switch {
			case want.Error == "" && (err != nil || got != want.Output):
				t.Errorf("%s, %s:\ngot  %q, %v\nwant %q", name, want.Case, got, err, want.Output)
			case refused && err == nil:
				t.Errorf("%s, %s: got %q, want error %s", name, want.Case, got, want.Error)
			case refused && !strings.Contains(err.Error(), words):
				t.Errorf("%s, %s: error %v, want %s", name, want.Case, err, words)
			}
		}
	}
	if n < 60 {
		t.Errorf("only %d renders were compared", n)
	}
}

// specialLooking finds what a tokenizer of the template might have as special
// tokens.
var specialLooking = regexp.MustCompile(`<[|｜/a-zA-Z_][^<>\n ]{0,40}>|\[/?[A-Z_]+\]`)

// templates are all real ones, by name.
func templates(t *testing.T) map[string]*Template {
	t.Helper()
	out := map[string]*Template{"default": Default()}
	files, err := filepath.Glob(filepath.Join(golden.Data(t, "chat", "templates"), "*.jinja"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		out[filepath.Base(f)] = realTemplate(t, filepath.Base(f))
	}
	data, err := os.ReadFile(golden.Data(t, "chat", "ollama_templates.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		var one map[string]string
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			t.Fatal(err)
		}
		for name, source := range one {
			tmpl, err := Parse(source)
			if err != nil {
				t.Errorf("ollama_templates.jsonl, line %d, %s: %v", n, name, err)
				continue
			}
			out["ollama/"+name+"/"+string(rune('0'+n/10))+string(rune('0'+n%10))] = tmpl
		}
	}
	return out
}

// TestContentForgesNothing puts every special token of a template, and halves of
// them, in every place where others choose the text, and finds the same special
// tokens in the same order as for harmless words.
func TestContentForgesNothing(t *testing.T) {
	accepted := 0
	for name, tmpl := range templates(t) {
		specials := slices.Compact(slices.Sorted(slices.Values(append(specialLooking.FindAllString(tmpl.Source, -1), "<s>", "</s>"))))
		if name == "default" {
			specials = SpecialTokens()
		}
		find := Specials(specials)
		all := strings.Join(specials, "") + " " + strings.Join(specials, " ")
		var broken strings.Builder // "<|im_end" at an edge meets what the template writes
		for _, s := range specials {
			broken.WriteString(s[len(s)/2:] + " " + s[:len(s)/2])
		}
		for _, shape := range shapes {
			harmless, err := tmpl.Render(shape("word"), find)
			if err != nil {
				continue // this template has no place for it
			}
			accepted++
			for _, hostile := range []string{all, broken.String(), specials[0], specials[len(specials)-1]} {
				got, err := tmpl.Render(shape(hostile), find)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				if g, w := onlySpecial(got), onlySpecial(harmless); !slices.Equal(g, w) {
					t.Errorf("%s: content %.80q makes special tokens\ngot  %q\nwant %q", name, hostile, g, w)
				}
			}
		}
	}
	if accepted < 150 {
		t.Errorf("the templates accepted only %d conversations", accepted)
	}
}

func onlySpecial(segments []Segment) (out []string) {
	for _, s := range segments {
		if s.Special {
			out = append(out, s.Text)
		}
	}
	return out
}

// shapes are conversations with one text in all places.
var shapes = []func(x string) Conversation{
	func(x string) Conversation { return plainTalk(x, "user") },
	func(x string) Conversation { return plainTalk(x, "user", "assistant", "user") },
	func(x string) Conversation { return plainTalk(x, "system", "user", "assistant", "user", "assistant") },
	func(x string) Conversation {
		c := plainTalk(x, "user")
		c.AddGenerationPrompt = false
		c.Messages[0].Object = object(map[string]any{"role": "user", "content": []any{map[string]any{"type": "text", "text": x}}})
		return c
	},
	func(x string) Conversation { // a role is another's text too
		c := plainTalk(x, "user")
		c.Messages = append(c.Messages, Message{Role: x, Content: x})
		return c
	},
	func(x string) Conversation {
		c := plainTalk(x, "user")
		c.Tools = object([]any{map[string]any{"type": "function", "function": map[string]any{
			"name": x, "description": x, "parameters": map[string]any{
				"type": "object", "properties": map[string]any{x: map[string]any{"type": "string", "description": x}}, "required": []any{x}}}}})
		call := map[string]any{"id": "call12345", "type": "function", "function": map[string]any{"name": x, "arguments": map[string]any{x: x}}}
		c.Messages = append(c.Messages,
			Message{Role: RoleAssistant, Object: object(map[string]any{"role": "assistant", "content": x, "tool_calls": []any{call}})},
			Message{Role: "tool", Object: object(map[string]any{"role": "tool", "tool_call_id": "call12345", "name": x, "content": x})})
		return c
	},
	func(x string) Conversation {
		c := plainTalk(x, "user")
		c.Documents = object([]any{map[string]any{"title": x, "text": x}})
		c.Variables = object(map[string]any{"date_string": x, "custom_tools": []any{x}, "builtin_tools": []any{x}})
		return c
	},
}

func plainTalk(x string, roles ...string) Conversation {
	c := Conversation{AddGenerationPrompt: true, BOS: "<s>", EOS: "</s>", Now: time.Unix(0, 0)}
	for _, r := range roles {
		c.Messages = append(c.Messages, Message{Role: r, Content: x})
	}
	return c
}

func object(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// TestLossOfRealTemplates shows what carries loss in brackets.
func TestLossOfRealTemplates(t *testing.T) {
	talk := plainTalk("", "system", "user", "assistant", "user", "assistant")
	talk.AddGenerationPrompt = false
	for i, content := range []string{"sys", "q1", "a1", "q2", "a2"} {
		talk.Messages[i].Content = content
	}
	call := Message{Role: RoleAssistant, Object: json.RawMessage(
		`{"role":"assistant","content":"","tool_calls":[{"id":"call12345","type":"function","function":{"name":"f","arguments":{"x":1}}}]}`)}
	calls := Conversation{Messages: []Message{{Role: RoleUser, Content: "q1"}, call}, BOS: "<s>", EOS: "</s>", Now: time.Unix(0, 0)}
	for _, c := range []struct {
		template string
		talk     Conversation
		ends     string
		want     []string
	}{
		{"Qwen-Qwen2.5-7B-Instruct.jinja", talk, "<|im_end|>", []string{"a1<|im_end|>", "a2<|im_end|>"}},
		{"Qwen-Qwen2.5-7B-Instruct.jinja", talk, "", []string{"a1<|im_end|>", "a2<|im_end|>"}},
		{"Qwen-Qwen2.5-7B-Instruct.jinja", calls, "<|im_end|>",
			[]string{"<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</tool_call><|im_end|>"}},
		{"meta-llama-Llama-3.3-70B-Instruct.jinja", talk, "<|eot_id|>", []string{"a1<|eot_id|>", "a2<|eot_id|>"}},
		{"meta-llama-Llama-3.3-70B-Instruct.jinja", calls, "<|eot_id|>", []string{"{\"name\": \"f\", \"parameters\": {\"x\": 1}}<|eot_id|>"}},
		{"microsoft-Phi-3.5-mini-instruct.jinja", talk, "<|end|>", []string{"a1<|end|>", "a2<|end|>"}},
		{"mistralai-Mistral-Nemo-Instruct-2407.jinja", talk, "", []string{"a1</s>", "a2</s>"}},
		{"deepseek-ai-DeepSeek-R1-Distill-Llama-8B.jinja", talk, "<｜end▁of▁sentence｜>", []string{"a1<｜end▁of▁sentence｜>", "a2<｜end▁of▁sentence｜>"}},
		{"CohereForAI-c4ai-command-r7b-12-2024-tool_use.jinja", talk, "<|END_OF_TURN_TOKEN|>",
			[]string{"a1<|END_RESPONSE|><|END_OF_TURN_TOKEN|>", "a2<|END_RESPONSE|><|END_OF_TURN_TOKEN|>"}}, // it always writes its generation prompt, so that cannot be told
	} {
		t.Run(c.template, func(t *testing.T) {
			tmpl := realTemplate(t, c.template)
			c.talk.Ends = []string{c.ends}
			segments, err := tmpl.Render(c.talk, Specials(append(specialLooking.FindAllString(tmpl.Source, -1), "<s>", "</s>")))
			if err != nil {
				t.Fatal(err)
			}
			if got := trained(segments); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			whole, err := tmpl.Text(c.talk)
			if err != nil || Text(segments) != whole {
				t.Errorf("the segments are %q, the text %q, %v", Text(segments), whole, err)
			}
		})
	}
}

// trained joins neighbours that carry loss.
func trained(segments []Segment) (out []string) {
	open := false
	for _, s := range segments {
		switch {
		case s.Train && open:
			out[len(out)-1] += s.Text
		case s.Train:
			out = append(out, s.Text)
		}
		open = s.Train
	}
	return out
}

func TestGenerationBlocksDecideTheLoss(t *testing.T) {
	tmpl, err := Parse(`{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|end|>{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}`)
	if err != nil {
		t.Fatal(err)
	}
	segments, err := tmpl.Render(plainTalk("x<|end|>", "user", "assistant"), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Segment{
		{Text: User, Special: true}, {Text: "x<|end|>"}, {Text: End, Special: true},
		{Text: Assistant, Special: true}, {Text: "x<|end|>", Train: true}, {Text: End, Special: true, Train: true},
	}
	if !slices.Equal(segments, want) {
		t.Errorf("got  %+v\nwant %+v", segments, want)
	}
}

func TestPromptJoinsText(t *testing.T) {
	got := Prompt([]Segment{{Text: User, Special: true}, {Text: "a"}, {Text: "b", Train: true}, {Text: End, Special: true, Train: true}, {Text: "c"}})
	want := []Segment{{Text: User, Special: true}, {Text: "ab"}, {Text: End, Special: true}, {Text: "c"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestMessageJSON(t *testing.T) {
	for _, c := range []struct{ in, role, content, out string }{
		{`{"role":"user","content":"a"}`, "user", "a", `{"role":"user","content":"a"}`},
		{`{"role":"user","content":[{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"b"}]}`, "user", "ab", ""},
		{`{"role":"assistant","content":null,"tool_calls":[1.50]}`, "assistant", "", ""},
		{`{"content":"a"}`, "", "a", ""},
	} {
		var m Message
		if err := json.Unmarshal([]byte(c.in), &m); err != nil || m.Role != c.role || m.Content != c.content {
			t.Errorf("%s: got %+v, %v", c.in, m, err)
		}
		if c.out == "" {
			c.out = c.in
		}
		if out, err := json.Marshal(m); err != nil || string(out) != c.out {
			t.Errorf("%s: written as %s, %v", c.in, out, err)
		}
	}
	for _, bad := range []string{`{"role":1,"content":"a"}`, `{"role":"user","content":1}`, `[]`, `{"role":"user","content":[1]}`} {
		var m Message
		if err := json.Unmarshal([]byte(bad), &m); err == nil {
			t.Errorf("%s: got %+v, want an error", bad, m)
		}
	}
}

func TestBadConversations(t *testing.T) {
	ok := []Message{{Role: RoleUser, Content: "a"}}
	for _, c := range []struct {
		talk Conversation
		want string
	}{
		{Conversation{Messages: ok, Tools: json.RawMessage(`[1`)}, "chat: tools: "},
		{Conversation{Messages: ok, Documents: json.RawMessage(`{} {}`)}, "chat: documents: "},
		{Conversation{Messages: ok, Variables: json.RawMessage(`[]`)}, "no JSON object"},
		{Conversation{Messages: []Message{{Object: json.RawMessage(`[]`)}}}, "messages[0]"},
		{Conversation{Messages: []Message{{Role: "tool", Content: "a"}}}, "refuses the conversation: unknown role tool"},
	} {
		if _, err := Default().Text(c.talk); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	if _, err := Parse("{% if"); err == nil || !strings.Contains(err.Error(), "chat template: line 1, column ") {
		t.Errorf("error %v, want one with a place", err)
	}
}
