package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/text/chat"
)

// tokenizerExtra is the part of tokenizer_config.json that conversations need.
type tokenizerExtra struct {
	Template namedTemplates `json:"chat_template"`
	BOS      tokenName      `json:"bos_token"`
	EOS      tokenName      `json:"eos_token"`
}

// tokenName is a token as a string or as an object with its content.
type tokenName string

func (t *tokenName) UnmarshalJSON(data []byte) error {
	var object struct {
		Content string `json:"content"`
	}
	if json.Unmarshal(data, (*string)(t)) == nil {
		return nil
	}
	err := json.Unmarshal(data, &object)
	*t = tokenName(object.Content)
	return err
}

// namedTemplates is the default among one or several chat templates.
type namedTemplates string

func (t *namedTemplates) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, (*string)(t)) == nil {
		return nil
	}
	var list []struct{ Name, Template string }
	if err := json.Unmarshal(data, &list); err != nil {
		return errors.New("chat_template is neither a string nor a list of name and template")
	}
	for i, one := range list {
		if i == 0 || one.Name == "default" {
			*t = namedTemplates(one.Template)
		}
	}
	return nil
}

// readTemplate finds the chat template: in a file of its own, or in
// tokenizer_config.json.
func (z *Bundle) readTemplate() error {
	var extra tokenizerExtra
	path := filepath.Join(z.Dir, TokenizerExtra)
	if _, err := atomicfile.ReadJSON(path, &extra); err != nil {
		z.NoChat = err
	}
	z.bos, z.eos = string(extra.BOS), string(extra.EOS)
	source := string(extra.Template)
	file := filepath.Join(z.Dir, TemplateFile)
	if data, err := os.ReadFile(file); err == nil {
		path, source = file, string(data)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	z.setTemplate(path, source)
	return nil
}

// setTemplate makes the model one that talks in the format of a template, if that
// is not empty; path names it in errors.
func (z *Bundle) setTemplate(path, source string) {
	if source == "" {
		return
	}
	t, err := chat.Parse(source)
	if err != nil {
		z.NoChat = fmt.Errorf("%s: %w", path, err)
		return
	}
	z.Chat, z.Template, z.NoChat = true, t, nil
}

func (z *Bundle) template() *chat.Template {
	if z.Template == nil {
		return chat.Default()
	}
	return z.Template
}

// Conversation is messages with what the template wants to know of the model.
func (z *Bundle) Conversation(msgs []chat.Message) chat.Conversation {
	c := chat.Conversation{Messages: msgs, BOS: z.bos, EOS: z.eos}
	name := func(id int32) string {
		if z.Tokenizer == nil {
			return ""
		}
		s, _ := z.Tokenizer.Special(id)
		return s
	}
	if c.BOS == "" && z.Generation.BOS != nil {
		c.BOS = name(*z.Generation.BOS)
	}
	for _, id := range z.Generation.EOS {
		if s := name(id); s != "" {
			c.Ends = append(c.Ends, s)
		}
	}
	if c.EOS == "" && len(c.Ends) > 0 {
		c.EOS = c.Ends[0]
	}
	return c
}

// Stops returns the ids that end an answer: those of the generation config and
// the one that the chat template writes after an answer.
func (z *Bundle) Stops() []int32 {
	stops := slices.Clone([]int32(z.Generation.EOS))
	if !z.Chat || z.Tokenizer == nil {
		return stops
	}
	c := z.Conversation([]chat.Message{{Role: chat.RoleUser, Content: "?"}, {Role: chat.RoleAssistant, Content: "!"}})
	segments, err := z.template().Render(c, z.Tokenizer.FindSpecial)
	if err != nil {
		return stops // the template says so again when it is used
	}
	for _, s := range slices.Backward(segments) {
		if !s.Train {
			continue
		}
		if id, ok := z.Tokenizer.SpecialID(s.Text); ok && s.Special && !slices.Contains(stops, id) {
			stops = append(stops, id)
		}
		break
	}
	return stops
}

// Converse makes z a model of conversations. They are written in its own chat
// template; where it has none, in the default format of text/chat, whose end
// tokens then end a text; where the tokenizer lacks the tokens of that, under
// plain headings.
func (z *Bundle) Converse() error {
	switch {
	case z.NoChat != nil:
		return fmt.Errorf("the chat format of %s cannot be used: %w", z.Dir, z.NoChat)
	case z.Tokenizer == nil:
		return fmt.Errorf("%s has no tokenizer to write conversations with: %w", z.Dir, z.NoTokens)
	case z.Template == nil && z.hasDefaultTokens():
		z.Generation.EOS = nil
		for _, name := range []string{chat.End, chat.EndOfText} {
			if id, ok := z.Tokenizer.SpecialID(name); ok {
				z.Generation.EOS = append(z.Generation.EOS, id)
			}
		}
		if id, ok := z.Tokenizer.SpecialID(chat.Pad); ok {
			z.Generation.Pad = &id
		}
		z.Chat = true
		return nil
	case z.Template == nil && z.Conversation(nil).EOS == "":
		return fmt.Errorf("%s has neither a chat template nor a token that ends a text (eos_token_id in %s): no answer could end", z.Dir, GenerationFile)
	case z.Template == nil:
		z.Template = chat.Plain()
	}
	z.Chat = true
	z.Generation.EOS = z.Stops()
	return nil
}

func (z *Bundle) hasDefaultTokens() bool {
	for _, name := range []string{chat.System, chat.User, chat.Assistant, chat.End} {
		if _, ok := z.Tokenizer.SpecialID(name); !ok {
			return false
		}
	}
	return true
}
