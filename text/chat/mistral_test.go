package chat

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
)

// TestMistralCommon compares with the texts that Mistral's own code writes for
// its third tokenizer, where a space is "▁" and every piece of text begins with
// one. The template is that of a later model of the same format; its input is
// brought to what Mistral's code makes of a conversation first: one system
// message, tool calls with the name first and the arguments as an object, results
// that are JSON.
func TestMistralCommon(t *testing.T) {
	tmpl := realTemplate(t, "mistralai-Mistral-Nemo-Instruct-2407.jinja")
	find := Specials([]string{"<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"})
	for _, name := range []string{"no_tools", "several_calls", "get_weather_full"} {
		t.Run(name, func(t *testing.T) {
			var sample struct {
				Messages []map[string]any
				Tools    json.RawMessage
			}
			data, err := os.ReadFile(golden.Data(t, "chat", "mistral_common", name, "sample.json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(data, &sample); err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(golden.Data(t, "chat", "mistral_common", name, "text_v3.txt"))
			if err != nil {
				t.Fatal(err)
			}
			c := Conversation{Messages: mistralMessages(t, sample.Messages), BOS: "<s>", EOS: "</s>"}
			if c.Messages[0].Role == RoleSystem { // the template writes it only before a last question
				for c.Messages[len(c.Messages)-1].Role != RoleUser {
					c.Messages = c.Messages[:len(c.Messages)-1]
				}
				want = want[:bytes.LastIndex(want, []byte("[/INST]"))+len("[/INST]")]
			}
			if string(sample.Tools) != "[]" {
				c.Tools = sample.Tools
			}
			segments, err := tmpl.Render(c, find)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, s := range Prompt(segments) {
				if s.Special {
					got.WriteString(s.Text)
				} else {
					got.WriteString("▁" + strings.NewReplacer(" ", "▁", "\n", "<0x0A>").Replace(s.Text))
				}
			}
			if got.String() != strings.TrimSuffix(string(want), "\n") {
				t.Errorf("got  %s\nwant %s", got.String(), want)
			}
		})
	}
}

func mistralMessages(t *testing.T, in []map[string]any) (out []Message) {
	t.Helper()
	for _, m := range in {
		if m["role"] == "system" && len(out) > 0 && out[0].Role == "system" {
			out[0].Content += "\n\n" + m["content"].(string)
			continue
		}
		if m["role"] == "tool" {
			if s := m["content"].(string); !json.Valid([]byte(s)) {
				m["content"] = string(object(s))
			}
		}
		calls, ok := m["tool_calls"].([]any)
		if !ok {
			delete(m, "tool_calls")
			var one Message
			if err := json.Unmarshal(object(m), &one); err != nil {
				t.Fatal(err)
			}
			out = append(out, one)
			continue
		}
		var parts []string
		for _, call := range calls {
			f := call.(map[string]any)["function"].(map[string]any)
			parts = append(parts, `{"id":`+string(object(call.(map[string]any)["id"]))+`,"function":{"name":`+string(object(f["name"]))+`,"arguments":`+f["arguments"].(string)+`}}`)
		}
		out = append(out, Message{Role: RoleAssistant, Object: json.RawMessage(`{"role":"assistant","tool_calls":[` + strings.Join(parts, ",") + `]}`)})
	}
	return out
}
