package dataset

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/text/chat"
)

// roles gives the speakers of known files the names that templates know. Others
// keep theirs.
var roles = map[string]string{
	"human": chat.RoleUser, "prompter": chat.RoleUser, "user": chat.RoleUser,
	"gpt": chat.RoleAssistant, "chatgpt": chat.RoleAssistant, "bot": chat.RoleAssistant, "assistant": chat.RoleAssistant,
	"system":        chat.RoleSystem,
	"function_call": chat.RoleAssistant, "observation": "tool", "function_response": "tool",
}

func roleName(s string) string {
	if r, ok := roles[strings.ToLower(s)]; ok {
		return r
	}
	return s
}

// turnsOf reads a conversation: [{"role","content"}] or [{"from","value"}], or
// one such object.
func turnsOf(field string, v value) ([]Turn, error) {
	if v.Kind() == '{' {
		t, err := turnOf(field, v)
		return []Turn{t}, err
	}
	elements, err := list(field, v)
	if err != nil {
		return nil, err
	}
	turns := make([]Turn, len(elements))
	for i, e := range elements {
		if turns[i], err = turnOf(fmt.Sprintf("%s[%d]", field, i), e); err != nil {
			return nil, err
		}
	}
	return turns, nil
}

func turnOf(field string, v value) (Turn, error) {
	r, err := object(field, v)
	if err != nil {
		return Turn{}, err
	}
	if r.kind("from") != 0 && r.kind("role") == 0 {
		role, err := r.str("from")
		if err != nil || role == "" {
			return Turn{}, cmp.Or(within(field, err), noRole(field, r))
		}
		content, err := r.str("value")
		return Turn{Role: roleName(role), Content: content}, within(field, err)
	}
	role, err := r.str("role")
	if err != nil {
		return Turn{}, within(field, err)
	}
	if role == "" {
		return Turn{}, noRole(field, r)
	}
	// Columns without a value come from tables, where every row has all of them.
	var plain jsontext.Value
	for _, name := range r.names {
		if name != "role" && name != "content" && r.kind(name) == 0 {
			continue
		}
		x := r.values[name]
		if name == "role" {
			x = quoted(roleName(role))
		}
		plain = append(plain, ',')
		plain = append(append(append(plain, quoted(name)...), ':'), x...)
	}
	plain[0] = '{'
	var m Turn
	if err := json.Unmarshal(append(plain, '}'), &m); err != nil {
		return Turn{}, &fault{field, WrongType, err.Error()}
	}
	return m, nil
}

func noRole(field string, r *Row) error {
	return &fault{field, WrongColumns, fmt.Sprintf("columns %s: want role and content, or from and value", clipNames(r.described()))}
}

// within puts the field of an error inside another.
func within(field string, err error) error {
	if f, ok := err.(*fault); ok {
		return &fault{field + "." + f.field, f.reason, f.problem}
	}
	return err
}

// textOf reads a column that holds plain text or turns.
func (r *Row) textOf(name string) (Text, error) {
	switch r.kind(name) {
	case 0:
		return Text{}, nil
	case '"':
		return Text{Plain: unquote(r.values[name])}, nil
	case '[', '{':
		turns, err := turnsOf(name, r.values[name])
		return Text{Turns: turns}, err
	}
	return Text{}, wrongType(name, r.values[name], "a string or a list of turns")
}

// prompt reads the prompt: turns, or a string with what input adds; a system
// column makes a conversation of it.
func (r *Row) prompt() (Text, error) {
	name := r.first(promptColumns...)
	t, err := r.textOf(name)
	if err != nil || t.Turns != nil {
		return t, err
	}
	if name == "instruction" {
		in, err := r.str("input")
		if err != nil {
			return t, err
		}
		if in != "" {
			t.Plain += "\n\n" + in
		}
		t = Text{Turns: t.Conversation(chat.RoleUser)}
	}
	system, err := r.str(r.first("system", "system_prompt"))
	if err == nil && system != "" {
		t = Text{Turns: append([]Turn{{Role: chat.RoleSystem, Content: system}}, t.Conversation(chat.RoleUser)...)}
	}
	return t, err
}

// completion reads the answer in a column: as turns where the prompt has turns.
func (r *Row) completion(name string, prompt Text) (Text, error) {
	t, err := r.textOf(name)
	if prompt.Turns != nil && t.Plain != "" {
		t = Text{Turns: t.Conversation(chat.RoleAssistant)}
	}
	return t, err
}

// tools is the list of tools of a conversation; some files have it as a string
// of JSON.
func (r *Row) tools() (json.RawMessage, error) {
	v := r.values["tools"]
	switch r.kind("tools") {
	case 0:
		return nil, nil
	case '"':
		s := unquote(v)
		if strings.TrimSpace(s) == "" {
			return nil, nil
		}
		v = value(s)
	}
	var tools []json.RawMessage
	if err := json.Unmarshal(v, &tools); err != nil {
		return nil, &fault{"tools", WrongType, "want a list of objects, or a string with one"}
	}
	if len(tools) == 0 {
		return nil, nil
	}
	return json.RawMessage(v), nil
}
