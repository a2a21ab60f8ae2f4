package serve

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/generate/grammar/calls"
	"github.com/foundling-lm/foundling/text/chat"
)

// message is one of a conversation.
type message struct {
	Role    string         `json:"role"`
	Content jsontext.Value `json:"content"` // a string or a list of parts
	Name    string         `json:"name"`
	Refusal jsontext.Value `json:"refusal"` // answers of this server say null

	ToolCalls    []toolCall     `json:"tool_calls"`   // of an assistant
	ToolCallID   string         `json:"tool_call_id"` // of a tool: the call that it answers
	FunctionCall jsontext.Value `json:"function_call"`
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
var roles = []string{"system", "developer", "user", "assistant", "tool"}

// chats says whether the model knows conversations.
func (m *served) chats() bool {
	return m.Bundle.Chat && m.Bundle.NoChat == nil && m.Bundle.Tokenizer != nil
}

// ask is a conversation as ids, up to where its answer begins.
func (s *Server) ask(m *served, in []message) ([]int32, error) { return s.askTools(m, in, nil) }

// askTools is ask with functions that the answer may call.
func (s *Server) askTools(m *served, in []message, tools []chat.Tool) ([]int32, error) {
	switch {
	case len(in) == 0:
		return nil, wrong("messages", "there is none")
	case len(in) > s.o.MaxMessages:
		return nil, wrong("messages", fmt.Sprintf("%d of them, this server reads %d", len(in), s.o.MaxMessages))
	case !m.chats():
		return nil, &Error{Message: fmt.Sprintf("the model %q does not know conversations: POST /v1/completions lets it go on with text", m.Name), Param: "model", Code: "model_not_chat"}
	}
	msgs, err := conversation("messages", in, m.Bundle.Calls())
	if err != nil {
		return nil, err
	}
	ids, err := m.Bundle.AskTools(msgs, tools)
	if err != nil {
		return nil, wrong("messages", err.Error())
	}
	return ids, nil
}

// between is what stands between the words of one message that come from different places.
const between = "\n\n"

// said is a message.
func said(role, text string) message { return message{Role: role, Content: quoted(text)} }

// instruct adds words to a conversation: before and behind what its system message says,
// or as one.
func instruct(in []message, before, behind string) ([]message, error) {
	if before == "" && behind == "" || len(in) == 0 {
		return in, nil
	}
	first, rest, text := said(chat.RoleSystem, ""), in, ""
	if role := in[0].Role; role == chat.RoleSystem || role == "developer" {
		var err error
		if text, err = in[0].text("messages[0].content"); err != nil {
			return nil, err
		}
		first, rest = in[0], in[1:]
	}
	words := slices.DeleteFunc([]string{before, text, behind}, func(s string) bool { return s == "" })
	first.Content = quoted(strings.Join(words, between))
	return append([]message{first}, rest...), nil
}

// conversation is messages as templates see them; field is where they stand, calls are
// in a form.
func conversation(field string, in []message, form chat.CallForm) ([]chat.Message, error) {
	made := map[string]string{}
	msgs := make([]chat.Message, len(in))
	for i := range in {
		var err error
		if msgs[i], err = in[i].read(fmt.Sprintf("%s[%d]", field, i), &form, made); err != nil {
			return nil, err
		}
	}
	return msgs, nil
}

// read is the message as templates see it; field is its place in the request. Made is
// the names of the functions that were called before, by the ids of the calls.
func (g *message) read(field string, form *chat.CallForm, made map[string]string) (chat.Message, error) {
	if !slices.Contains(roles, g.Role) {
		return chat.Message{}, wrong(field+".role", fmt.Sprintf("%q is none of %s", g.Role, commas(roles)))
	}
	if given(g.Refusal) {
		return chat.Message{}, wrong(field+".refusal", "conversations here have none")
	}
	if given(g.FunctionCall) {
		return chat.Message{}, wrong(field+".function_call", "it is not supported: tool_calls are")
	}
	if len(g.ToolCalls) > 0 && g.Role != chat.RoleAssistant {
		return chat.Message{}, wrong(field+".tool_calls", "only an assistant calls")
	}
	text := ""
	var err error
	if len(g.ToolCalls) == 0 || given(g.Content) {
		if text, err = g.text(field + ".content"); err != nil {
			return chat.Message{}, err
		}
	}
	switch {
	case len(g.ToolCalls) > 0:
		list, err := g.calls(field+".tool_calls", made)
		return form.AssistantCalls(text, list), err
	case g.Role == chat.RoleTool:
		name, ok := made[g.ToolCallID]
		if !ok {
			return chat.Message{}, wrong(field+".tool_call_id", fmt.Sprintf("%q is no call of a message before", g.ToolCallID))
		}
		return chat.ToolResult(g.ToolCallID, name, text), nil
	case g.ToolCallID != "":
		return chat.Message{}, wrong(field+".tool_call_id", "it belongs to a message of a tool")
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

// calls are those of an assistant.
func (g *message) calls(field string, made map[string]string) (out []chat.ToolCall, err error) {
	for i, c := range g.ToolCalls {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case c.Type != "function" && c.Type != "" || c.Function == nil:
			return nil, wrong(at, "it must be a call of a function")
		case c.ID == "":
			return nil, wrong(at+".id", "it is missing")
		case !calls.Name.MatchString(c.Function.Name):
			return nil, wrong(at+".function.name", fmt.Sprintf("%.80q must be 1 to 64 letters, digits, points, - and _", c.Function.Name))
		}
		arguments := jsontext.Value(c.Function.Arguments)
		if c.Function.Arguments == "" {
			arguments = jsontext.Value("{}")
		}
		if !arguments.IsValid() || arguments.Kind() != '{' {
			return nil, wrong(at+".function.arguments", "it must be a text that is a JSON object")
		}
		made[c.ID] = c.Function.Name
		out = append(out, chat.ToolCall{ID: c.ID, Name: c.Function.Name, Arguments: string(arguments)})
	}
	return out, nil
}

// text is the content: its parts one after the other.
func (g *message) text(field string) (string, error) {
	var text string
	switch kind := g.Content.Kind(); kind {
	case '"':
		return text, part(field, g.Content, &text)
	case '[':
	default:
		return "", needed(field, "a string or a list of parts", kind)
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
