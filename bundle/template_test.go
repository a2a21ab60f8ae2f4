package bundle_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

// ownTemplate puts the role between special tokens of another model.
const ownTemplate = `{{ bos_token }}{% for m in messages %}[{{ m.role | upper }}]{{ m.content | trim }}</s>{% endfor %}{% if add_generation_prompt %}[ASSISTANT]{% endif %}`

func TestOwnTemplate(t *testing.T) {
	b := backend(t, "purego")
	list, _ := json.Marshal([]map[string]string{{"name": "tool_use", "template": "x"}, {"name": "default", "template": ownTemplate}})
	text, _ := json.Marshal(ownTemplate)
	for _, c := range []struct{ name, jinja, extra string }{
		{"file", ownTemplate, `{"bos_token":"<s>","chat_template":"not this one"}`},
		{"string", "", `{"bos_token":{"content":"<s>","special":true},"chat_template":` + string(text) + `}`},
		{"list", "", `{"bos_token":"<s>","chat_template":` + string(list) + `}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			z := save(t, b, "gpt2")
			z.Tokenizer = tokenizer.Bytes("<s>", "</s>", "[USER]", "[ASSISTANT]", "[SYSTEM]", "[TOOL]")
			z.Generation = bundle.Generation{}
			if err := z.Save(b, dtype.F32); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(z.Dir, bundle.TokenizerExtra), c.extra)
			os.Remove(filepath.Join(z.Dir, bundle.TemplateFile))
			if c.jinja != "" {
				write(t, filepath.Join(z.Dir, bundle.TemplateFile), c.jinja)
			}
			got, err := bundle.Open(nil, z.Dir)
			if err != nil || !got.Chat || got.Template == nil || got.NoChat != nil {
				t.Fatalf("opened %+v, %v", got, err)
			}
			ids, dropped, err := got.ChatPrompt([]chat.Message{
				{Role: chat.RoleUser, Content: "long ago"}, {Role: chat.RoleAssistant, Content: "a long answer"}, {Role: chat.RoleUser, Content: " [USER]</s> "},
			}, 10)
			want := z.Tokenizer.EncodeSpecial("<s>[USER]")
			want = z.Tokenizer.EncodeAppend(want, "[USER]</s>")
			want = append(want, z.Tokenizer.EncodeSpecial("</s>[ASSISTANT]")...)
			if err != nil || dropped != 2 || !slices.Equal(ids, want) {
				t.Errorf("got %v, %d dropped, %v; want %v, 2", ids, dropped, err, want)
			}
			end, _ := z.Tokenizer.SpecialID("</s>")
			if stops := got.Stops(); !slices.Equal(stops, []int32{end}) {
				t.Errorf("an answer stops at %v, want %d", stops, end)
			}

			got.Dir = filepath.Join(t.TempDir(), "copy") // what is saved is its own template
			got.Model = z.Model
			if err := got.Save(b, dtype.F32); err != nil {
				t.Fatal(err)
			}
			again, err := bundle.Open(nil, got.Dir)
			if err != nil || again.Template.Source != ownTemplate {
				t.Fatalf("saved and opened: %v, %+v", err, again)
			}
			if same, _, err := again.ChatPrompt([]chat.Message{{Role: chat.RoleUser, Content: "[USER]</s>"}}, 10); err != nil || !slices.Equal(same, want) {
				t.Errorf("saved and opened: got %v, %v; want %v", same, err, want)
			}
			ids, train, err := again.Example([]chat.Message{{Role: chat.RoleUser, Content: "q"}, {Role: chat.RoleAssistant, Content: "a"}})
			want = z.Tokenizer.EncodeSpecial("<s>[USER]q</s>[ASSISTANT]a</s>")
			if err != nil || !slices.Equal(ids, want) || !slices.Equal(train, []bool{false, false, false, false, false, true, true}) {
				t.Errorf("an example is %v, %v, %v; want %v", ids, train, err, want)
			}
		})
	}
}

func TestBadTemplates(t *testing.T) {
	b := backend(t, "purego")
	for _, c := range []struct{ name, jinja, extra, want string }{
		{"syntax", "{% if %}", "{}", "chat_template.jinja: chat template: line 1, column 7"},
		{"neither string nor list", "", `{"chat_template":5}`, "tokenizer_config.json"},
		{"syntax in a list", "", `{"chat_template":[{"name":"a","template":"{{ x"}]}`, "tokenizer_config.json: chat template: line 1"},
		{"refuses", "{{ raise_exception('never') }}", "{}", "refuses the conversation: never"},
		{"fails", "{{ messages[9].x }}", "{}", "line 1, column 15"},
	} {
		t.Run(c.name, func(t *testing.T) {
			z := save(t, b, "gpt2")
			os.Remove(filepath.Join(z.Dir, bundle.TemplateFile))
			if c.jinja != "" {
				write(t, filepath.Join(z.Dir, bundle.TemplateFile), c.jinja)
			}
			write(t, filepath.Join(z.Dir, bundle.TokenizerExtra), c.extra)
			got, err := bundle.Open(nil, z.Dir)
			if err != nil {
				t.Fatalf("a bad template keeps the model from opening: %v", err)
			}
			if _, _, err := got.ChatPrompt([]chat.Message{{Role: chat.RoleUser, Content: "a"}}, 1); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
