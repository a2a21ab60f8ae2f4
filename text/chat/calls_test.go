package chat_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/text/chat"
)

var weather = []chat.Tool{{Name: "weather", Description: "Of a <city>", Parameters: json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`)}}

// formOf is the form of a template that has a mark in it.
func formOf(t testing.TB, mark string) chat.CallForm {
	t.Helper()
	template, err := chat.Parse("{# tools " + mark + " #}")
	if err != nil {
		t.Fatal(err)
	}
	form, _ := template.Calls()
	return form
}

var marks = []string{"<tool_call>", "[TOOL_CALLS]", "<function=", `"parameters": `}

// The templates of real models write calls in the form that they are known by, and show
// functions and results.
func TestRealTemplates(t *testing.T) {
	dir := golden.Data(t, "chat", "templates")
	for name, known := range map[string]bool{
		"Qwen-Qwen2.5-7B-Instruct": true, "NousResearch-Hermes-3-Llama-3.1-8B-tool_use": true, "mistralai-Mistral-Nemo-Instruct-2407": true,
		"meta-llama-Llama-3.1-8B-Instruct": true, "meta-llama-Llama-3.3-70B-Instruct": true, "meetkai-functionary-medium-v3.1": true,
		"microsoft-Phi-3.5-mini-instruct": false, "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": false,
	} {
		source, err := os.ReadFile(filepath.Join(dir, name+".jinja"))
		if err != nil {
			t.Fatal(err)
		}
		template, err := chat.Parse(string(source))
		if err != nil {
			t.Fatal(err)
		}
		form, knows := template.Calls()
		if knows != known {
			t.Errorf("%s: known %v", name, knows)
		}
		calls := []chat.ToolCall{{ID: "call56789", Name: "weather", Arguments: `{"city": "Paris"}`}}
		if !form.Single {
			calls = append(calls, chat.ToolCall{ID: "call98765", Name: "weather", Arguments: `{"city": "Rome"}`})
		}
		msgs := []chat.Message{{Role: chat.RoleUser, Content: "Paris?"}, form.AssistantCalls("", calls)}
		for _, c := range calls {
			msgs = append(msgs, chat.ToolResult(c.ID, c.Name, "sunny"))
		}
		c := chat.Conversation{Messages: msgs, Tools: chat.MarshalTools(weather), AddGenerationPrompt: true, BOS: "<s>", EOS: "</s>"}
		if !known {
			c.Messages, c.Tools = chat.WithTools(msgs, weather), nil
		}
		text, err := template.Text(c)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		written := form.Write(calls)
		if form.IDs > 0 { // the template writes ids, which the model does not
			text = strings.NewReplacer(`, "id": "call56789"`, "", `, "id": "call98765"`, "").Replace(text)
		}
		if !strings.Contains(text, written) || !strings.Contains(text, "sunny") || !strings.Contains(text, "Of a ") {
			t.Errorf("%s: %q is not in\n%s", name, written, text)
		}
	}
}

func TestWithTools(t *testing.T) {
	form, known := chat.Default().Calls()
	if known {
		t.Fatal("the default format knows functions")
	}
	call := chat.ToolCall{ID: "1", Name: "weather", Arguments: `{"city": "<|end|>"}`}
	msgs := []chat.Message{
		{Role: chat.RoleSystem, Content: "Be brief."}, {Role: chat.RoleUser, Content: "Paris?"}, form.AssistantCalls("One moment.", []chat.ToolCall{call, call}),
		chat.ToolResult("1", "", "sunny"), chat.ToolResult("2", "weather", "rain"), {Role: chat.RoleUser, Content: "Thanks"},
	}
	got := chat.WithTools(msgs, weather)
	written := "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"<|end|>\"}}\n</tool_call>"
	want := []chat.Message{
		{Role: chat.RoleUser, Content: "Paris?"}, {Role: chat.RoleAssistant, Content: "One moment.\n" + written + "\n" + written},
		{Role: chat.RoleUser, Content: "<tool_response>\nsunny\n</tool_response>\n<tool_response>\nrain\n</tool_response>"}, {Role: chat.RoleUser, Content: "Thanks"},
	}
	if !reflect.DeepEqual(got[1:], want) {
		t.Errorf("got %+v, want %+v", got[1:], want)
	}
	if !strings.HasPrefix(got[0].Content, "Be brief.\n\n") || !strings.Contains(got[0].Content, `"Of a <city>"`) || got[0].Role != chat.RoleSystem {
		t.Errorf("the system message is %+v", got[0])
	}
	if err := chat.Validate(got); err != nil {
		t.Error(err)
	}
	segments, err := chat.Default().Render(chat.Conversation{Messages: got}, nil)
	if err != nil {
		t.Fatal(err)
	}
	specials := 0
	for _, s := range segments {
		if s.Special {
			specials++
		}
	}
	if specials != 2*len(got) { // what an argument spells is none
		t.Errorf("%d special tokens for %d messages", specials, len(got))
	}
}

// An answer is read the same in any pieces.
func TestCallReader(t *testing.T) {
	for _, mark := range marks {
		form := formOf(t, mark)
		calls := []chat.ToolCall{{Name: "a", Arguments: `{"x": "}\"{<tool_call>", "y": [1, {"z": {}}]}`}, {Name: "b-c", Arguments: `{}`}, {Name: "a", Arguments: `{"é": "\\"}`}}
		if form.Single {
			calls = calls[:1]
		}
		texts := []string{form.Write(calls), "plain <tool text [TOOL, <func {x}\n\n", " ", "", "<tool_cal"}
		if !form.First {
			texts = append(texts, "I look.\n\n"+form.Write(calls), "<"+form.Write(calls), "a <tool_call"+"\n"+form.Write(calls))
		}
		for n, text := range texts {
			wantContent, wantCalls := text, []chat.ToolCall(nil)
			if at := strings.Index(text, form.Write(calls)); at >= 0 {
				wantContent, wantCalls = strings.TrimRight(text[:at], "\n"), calls
			}
			for size := 1; size <= max(1, len(text)); size++ {
				r := form.NewCallReader()
				var events []chat.CallEvent
				for at := 0; at < len(text); {
					to := min(at+size, len(text))
					for to < len(text) && !utf8.RuneStart(text[to]) {
						to++
					}
					events = append(events, r.Write(text[at:to])...)
					at = to
				}
				open := r.Open()
				events = append(events, r.Close()...)
				content, got := "", []chat.ToolCall(nil)
				for _, e := range events {
					switch {
					case e.Call < 0:
						content += e.Content
					case e.Name != "":
						got = append(got, chat.ToolCall{Name: e.Name})
					default:
						got[e.Call].Arguments += e.Arguments
					}
				}
				if content != wantContent || !reflect.DeepEqual(got, wantCalls) || open || r.Calls() != len(wantCalls) {
					t.Fatalf("%s, text %d in pieces of %d: %q, %v, open %v, want %q, %v", mark, n, size, content, got, open, wantContent, wantCalls)
				}
			}
			if content, got := form.ReadCalls(text); content != wantContent || !reflect.DeepEqual(got, wantCalls) {
				t.Errorf("%s, text %d: %q, %v", mark, n, content, got)
			}
		}
		whole := form
		whole.First = true
		if content, got := whole.ReadCalls(`{"a": "` + form.Trigger + `"}`); mark != marks[3] && (content != `{"a": "`+form.Trigger+`"}` || got != nil) {
			t.Errorf("%s: a call within JSON: %q, %v", mark, content, got)
		}
		if r := form.NewCallReader(); len(r.Write(form.Write(calls)[:len(form.Begin+form.Open)+1])) > 1 || !r.Open() {
			t.Errorf("%s: half a call is none", mark)
		}
	}
}

// No text brings the reader down, and none is shown twice.
func FuzzCallReader(f *testing.F) {
	for i, mark := range marks {
		form := formOf(f, mark)
		f.Add(uint8(i), "hello "+form.Write([]chat.ToolCall{{Name: "a", Arguments: `{"b": 1}`}}), 3)
	}
	f.Fuzz(func(t *testing.T, which uint8, text string, size int) {
		form := formOf(t, marks[int(which)%len(marks)])
		r := form.NewCallReader()
		shown := 0
		for at, size := 0, max(1, size%64); at < len(text); at += size {
			for _, e := range r.Write(text[at:min(at+size, len(text))]) {
				shown += len(e.Content) + len(e.Name) + len(e.Arguments)
			}
		}
		for _, e := range r.Close() {
			shown += len(e.Content)
		}
		if shown > len(text) {
			t.Errorf("%d bytes of %d: %q", shown, len(text), text)
		}
	})
}

func ExampleCallForm_ReadCalls() {
	form, _ := chat.Default().Calls()
	content, calls := form.ReadCalls("Let me see.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>")
	fmt.Println(content, calls[0].Name, calls[0].Arguments)
	// Output: Let me see. weather {"city": "Paris"}
}
