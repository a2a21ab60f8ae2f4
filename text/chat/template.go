package chat

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/foundling-lm/foundling/text/chat/jinja"
)

// Template is a chat template in Jinja. Several goroutines may use one.
type Template struct {
	Source  string
	program *jinja.Template

	once   sync.Once
	prompt string // what add_generation_prompt adds, where that can be told
}

// Parse reads a chat template, such as chat_template.jinja or the chat_template
// field of tokenizer_config.json.
func Parse(source string) (*Template, error) {
	p, err := jinja.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("chat template: %w", err)
	}
	return &Template{Source: source, program: p}, nil
}

//go:embed chat_template.jinja
var defaultSource string

// Default is the format of models raised here. It refuses the conversations that
// Validate refuses, save the empty one.
var Default = sync.OnceValue(func() *Template {
	t, err := Parse(defaultSource)
	if err != nil {
		panic(err) // the source is part of the program
	}
	return t
})

//go:embed plain_template.jinja
var plainSource string

// Plain is a format of headings, as Alpaca's (Taori et al. 2023), for models whose
// tokenizer has no special tokens but the end of a text: EOS ends an answer.
var Plain = sync.OnceValue(func() *Template {
	t, err := Parse(plainSource)
	if err != nil {
		panic(err) // the source is part of the program
	}
	return t
})

// Conversation is what a template renders.
type Conversation struct {
	Messages            []Message
	Tools               json.RawMessage // a JSON list of descriptions; nil: none
	Documents           json.RawMessage // a JSON list; nil: none
	AddGenerationPrompt bool            // end where the assistant's next answer begins
	BOS, EOS            string          // the tokenizer's special tokens of these names
	Ends                []string        // special tokens that end an answer, besides EOS
	Variables           json.RawMessage // a JSON object of further variables; nil: none
	Now                 time.Time       // for templates that name the date; zero: the clock
}

// elsewhere is the origin of texts from tools, documents and variables; messages
// have 1, 2, 3, ...
const elsewhere jinja.Origin = 1 << 30

// Text renders a conversation as one string.
func (t *Template) Text(c Conversation) (string, error) {
	text, err := t.render(c)
	return text.String(), err
}

func (t *Template) render(c Conversation) (jinja.Text, error) {
	vars := &jinja.Dict{}
	if c.Variables != nil {
		v, err := jinja.FromJSON(c.Variables, elsewhere)
		if err != nil {
			return jinja.Text{}, fmt.Errorf("chat: variables: %w", err)
		}
		d, ok := v.(*jinja.Dict)
		if !ok {
			return jinja.Text{}, errors.New("chat: the variables are no JSON object")
		}
		vars = d
	}
	messages := jinja.NewList()
	for i, m := range c.Messages {
		v, err := m.value(jinja.Origin(i + 1))
		if err != nil {
			return jinja.Text{}, fmt.Errorf("chat: messages[%d]: %w", i, err)
		}
		messages.Items = append(messages.Items, v)
	}
	vars.Set("messages", messages)
	for _, list := range []struct {
		name string
		json json.RawMessage
	}{{"tools", c.Tools}, {"documents", c.Documents}} {
		var v jinja.Value
		if list.json != nil {
			var err error
			if v, err = jinja.FromJSON(list.json, elsewhere); err != nil {
				return jinja.Text{}, fmt.Errorf("chat: %s: %w", list.name, err)
			}
		}
		vars.Set(list.name, v)
	}
	vars.Set("add_generation_prompt", c.AddGenerationPrompt)
	vars.Set("bos_token", jinja.NewText(c.BOS, 0))
	vars.Set("eos_token", jinja.NewText(c.EOS, 0))
	text, err := t.program.Render(vars, jinja.Options{Now: c.Now})
	var refused *jinja.Error
	switch {
	case errors.As(err, &refused) && refused.Raised:
		return text, fmt.Errorf("the chat template refuses the conversation: %s", refused.Message)
	case err != nil:
		return text, fmt.Errorf("chat template: %w", err)
	}
	return text, nil
}

// generationPrompt is what add_generation_prompt adds to a question, "" where
// that cannot be told.
func (t *Template) generationPrompt() string {
	t.once.Do(func() {
		c := Conversation{Messages: []Message{{Role: RoleUser, Content: "?"}}, Now: time.Unix(0, 0)}
		without, err := t.Text(c)
		if err != nil {
			return
		}
		c.AddGenerationPrompt = true
		with, err := t.Text(c)
		if rest, ok := strings.CutPrefix(with, without); ok && err == nil {
			t.prompt = rest
		}
	})
	return t.prompt
}
