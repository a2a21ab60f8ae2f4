package serve

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/text/chat"
)

// message is one of a conversation.
type message struct {
	Role    string         `json:"role"`
	Content jsontext.Value `json:"content"` // a string or a list of parts
	Name    string         `json:"name"`
	Refusal jsontext.Value `json:"refusal"` // answers of this server say null
}

// contentPart is a part of a message. Those that are no text are known so that they can
// be refused by their name.
type contentPart struct {
	Type       string         `json:"type"`
	Text       *string        `json:"text"`
	ImageURL   jsontext.Value `json:"image_url"`
	InputAudio jsontext.Value `json:"input_audio"`
	File       jsontext.Value `json:"file"`
}

// roles are those of messages; a developer's is written as the system's.
var roles = []string{"system", "developer", "user", "assistant"}

// ask is a conversation as ids, up to where its answer begins.
func (s *Server) ask(m *served, in []message) ([]int32, error) {
	switch {
	case len(in) == 0:
		return nil, wrong("messages", "there is none")
	case len(in) > s.o.MaxMessages:
		return nil, wrong("messages", fmt.Sprintf("%d of them, this server reads %d", len(in), s.o.MaxMessages))
	case !m.Bundle.Chat || m.Bundle.NoChat != nil || m.Bundle.Tokenizer == nil:
		return nil, &Error{Message: fmt.Sprintf("the model %q does not know conversations: POST /v1/completions lets it go on with text", m.Name), Param: "model", Code: "model_not_chat"}
	}
	msgs := make([]chat.Message, len(in))
	for i := range in {
		var err error
		if msgs[i], err = in[i].read(fmt.Sprintf("messages[%d]", i)); err != nil {
			return nil, err
		}
	}
	ids, err := m.Bundle.Ask(msgs)
	if err != nil {
		return nil, wrong("messages", err.Error())
	}
	return ids, nil
}

// read is the message as templates see it; field is its place in the request.
func (g *message) read(field string) (chat.Message, error) {
	if !slices.Contains(roles, g.Role) {
		return chat.Message{}, wrong(field+".role", fmt.Sprintf("%q is none of %v", g.Role, roles))
	}
	if given(g.Refusal) {
		return chat.Message{}, wrong(field+".refusal", "conversations here have none")
	}
	text, err := g.text(field + ".content")
	if err != nil {
		return chat.Message{}, err
	}
	m := chat.Message{Role: g.Role, Content: text}
	if m.Role == "developer" {
		m.Role = chat.RoleSystem
	}
	if g.Name != "" {
		m.Object, err = json.Marshal(map[string]string{"role": m.Role, "content": text, "name": g.Name})
	}
	return m, err
}

// text is the content: its parts one after the other.
func (g *message) text(field string) (string, error) {
	var text string
	switch g.Content.Kind() {
	case '"':
		return text, part(field, g.Content, &text)
	case '[':
	default:
		return "", wrong(field, "it must be a string or a list of parts")
	}
	var parts []contentPart
	if err := part(field, g.Content, &parts); err != nil {
		return "", err
	}
	for i, p := range parts {
		at := fmt.Sprintf("%s[%d]", field, i)
		for name, value := range map[string]jsontext.Value{"image_url": p.ImageURL, "input_audio": p.InputAudio, "file": p.File} {
			if given(value) || p.Type == name {
				return "", &Error{Message: fmt.Sprintf("%s.%s: models here read text only", at, name), Param: at + "." + name, Code: "unsupported_content"}
			}
		}
		if p.Type != "text" {
			return "", wrong(at+".type", fmt.Sprintf("%q is not text", p.Type))
		}
		if p.Text == nil {
			return "", wrong(at+".text", "it is missing")
		}
		text += *p.Text
	}
	return text, nil
}
