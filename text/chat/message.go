package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/text/chat/jinja"
)

// Message is one turn. Content may hold any text; it is never parsed.
type Message struct {
	Role    string
	Content string

	// Object is the message as a JSON object where it is more than a role and a
	// string: content in parts, tool calls, a tool's name. A template sees it as
	// it is; Role and Content are then what the default format makes of it.
	Object json.RawMessage

	calls bool // it has calls, made by AssistantCalls
}

// UnmarshalJSON reads a message of the usual interfaces: content is a string,
// null or a list of parts, and other fields may follow.
func (m *Message) UnmarshalJSON(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return fmt.Errorf("a message is an object with role and content: %w", err)
	}
	var out Message
	if err := json.Unmarshal(fields["role"], &out.Role); err != nil && fields["role"] != nil {
		return errors.New("role is not a string")
	}
	plain := len(fields) == 2 && fields["role"] != nil
	switch content := bytes.TrimSpace(fields["content"]); {
	case content == nil || string(content) == "null":
		plain = false
	case content[0] == '"':
		if err := json.Unmarshal(content, &out.Content); err != nil {
			return err
		}
	default:
		plain = false
		var err error
		if out.Content, err = partsText(content); err != nil {
			return err
		}
	}
	if !plain {
		out.Object = bytes.Clone(data)
	}
	*m = out
	return nil
}

// partsText joins the texts of a list of parts.
func partsText(content []byte) (string, error) {
	var parts []struct {
		Text *string `json:"text"`
	}
	if err := json.Unmarshal(content, &parts); err != nil {
		return "", errors.New("content is neither a string nor a list of parts")
	}
	var b strings.Builder
	for _, p := range parts {
		if p.Text != nil {
			b.WriteString(*p.Text)
		}
	}
	return b.String(), nil
}

// MarshalJSON is the counterpart of UnmarshalJSON.
func (m Message) MarshalJSON() ([]byte, error) {
	if m.Object != nil {
		return m.Object, nil
	}
	return json.Marshal(struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}{m.Role, m.Content})
}

// knownRoles count as written by the program, since templates make special
// tokens of them: '<|' + message.role + '|>'. Any other role is content, so a
// role of a hostile file forges nothing.
var knownRoles = []string{
	RoleSystem, RoleUser, RoleAssistant, "tool", "developer", "function", "ipython", "model", "tool_results", "tool_response", "context", "document",
}

// value is the message as a template sees it; its texts come from origin.
func (m Message) value(origin jinja.Origin) (jinja.Value, error) {
	d := &jinja.Dict{}
	if m.Object == nil {
		d.Set("role", roleText(m.Role, origin))
		d.Set("content", jinja.NewText(m.Content, origin))
		return d, nil
	}
	v, err := jinja.FromJSON(m.Object, origin)
	if err != nil {
		return nil, err
	}
	d, ok := v.(*jinja.Dict)
	if !ok {
		return nil, errors.New("it is no JSON object")
	}
	if role, ok := d.Get("role"); ok {
		if t, ok := role.(jinja.Text); ok {
			d.Set("role", roleText(t.String(), origin))
		}
	}
	return d, nil
}

func roleText(role string, origin jinja.Origin) jinja.Text {
	if slices.Contains(knownRoles, role) {
		origin = 0
	}
	return jinja.NewText(role, origin)
}
