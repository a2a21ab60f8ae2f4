package chat

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// CallForm is how calls of functions are written within an answer: Begin, the calls,
// Finish. A call is Open, the function's name, Middle, the arguments as a JSON object,
// Close; Between stands between two calls.
type CallForm struct {
	Begin, Open, Middle, Close, Between, Finish string

	// Trigger is the beginning of Begin and Open by which a call is known.
	Trigger string
	// First says that calls are the whole answer or not there.
	First bool
	// Single says that there is one call at most.
	Single bool

	// AsText says that templates want the arguments of earlier calls as text, not as
	// an object.
	AsText bool
	// IDs is how many letters and digits the id of a call has; 0: any.
	IDs int
}

// tagged is the form of Hermes and Qwen, and that of models whose template knows none.
var tagged = CallForm{Open: "<tool_call>\n{\"name\": \"", Middle: `", "arguments": `, Close: "}\n</tool_call>", Between: "\n", Trigger: "<tool_call>"}

// callForms are those of known templates, by what these have in them.
var callForms = []struct {
	mark string
	form CallForm
}{
	{"<tool_call>", tagged},
	{"[TOOL_CALLS]", CallForm{Begin: "[TOOL_CALLS][", Open: `{"name": "`, Middle: `", "arguments": `, Close: "}", Between: ", ", Finish: "]", Trigger: "[TOOL_CALLS]", IDs: 9}},
	{"<function=", CallForm{Open: "<function=", Middle: ">", Close: "</function>", Trigger: "<function=", Single: true, AsText: true}},
	{`"parameters": `, CallForm{Open: `{"name": "`, Middle: `", "parameters": `, Close: "}", Trigger: `{"name": "`, First: true, Single: true}},
}

var namesTools = regexp.MustCompile(`\btools\b`)

// Calls is the form in which the model writes calls, as far as its template shows it.
// Known says that the template renders functions, calls and results; of others
// WithTools makes messages.
func (t *Template) Calls() (form CallForm, known bool) {
	if namesTools.MatchString(t.Source) {
		for _, f := range callForms {
			if strings.Contains(t.Source, f.mark) {
				return f.form, true
			}
		}
	}
	return tagged, false
}

// A Tool is a function that the model may call.
type Tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"` // JSON Schema of an object
}

// A ToolCall is a call that the assistant made.
type ToolCall struct {
	ID        string
	Name      string
	Arguments string // a JSON object
}

// MarshalTools is tools as templates take them (Conversation.Tools), nil for none.
func MarshalTools(tools []Tool) json.RawMessage {
	if len(tools) == 0 {
		return nil
	}
	type entry struct {
		Type     string `json:"type"`
		Function Tool   `json:"function"`
	}
	var list []entry
	for _, t := range tools {
		list = append(list, entry{"function", t})
	}
	return unescaped(list)
}

// unescaped is JSON without escapes for HTML.
func unescaped(v any) json.RawMessage {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("chat: " + err.Error()) // tools were read from JSON
	}
	return json.RawMessage(strings.TrimSuffix(b.String(), "\n"))
}

// AssistantCalls is an assistant's message with calls, for templates of the form f. The
// arguments must be JSON objects.
func (f *CallForm) AssistantCalls(content string, calls []ToolCall) Message {
	type function struct {
		Name      string `json:"name"`
		Arguments any    `json:"arguments"`
	}
	type call struct {
		ID       string   `json:"id"`
		Type     string   `json:"type"`
		Function function `json:"function"`
	}
	var list []call
	for _, c := range calls {
		var arguments any = json.RawMessage(c.Arguments)
		if f.AsText {
			arguments = c.Arguments
		}
		list = append(list, call{c.ID, "function", function{c.Name, arguments}})
	}
	object := unescaped(map[string]any{"role": RoleAssistant, "content": content, "tool_calls": list})
	return Message{Role: RoleAssistant, Content: joinCalls(content, f.Write(calls)), Object: object, calls: true}
}

// joinCalls puts an answer and its calls into one text.
func joinCalls(content, calls string) string {
	if content == "" || calls == "" {
		return content + calls
	}
	return content + "\n" + calls
}

// ToolResult is what a call gave, for templates.
func ToolResult(id, name, content string) Message {
	fields := map[string]string{"role": RoleTool, "content": content, "tool_call_id": id}
	if name != "" {
		fields["name"] = name
	}
	return Message{Role: RoleTool, Content: content, Object: unescaped(fields)}
}

// Write is calls as the model writes them.
func (f *CallForm) Write(calls []ToolCall) string {
	if len(calls) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(f.Begin)
	for i, c := range calls {
		if i > 0 {
			b.WriteString(f.Between)
		}
		b.WriteString(f.Open + c.Name + f.Middle + c.Arguments + f.Close)
	}
	b.WriteString(f.Finish)
	return b.String()
}

// UsesTools says that some message is a call or what one gave.
func UsesTools(msgs []Message) bool {
	return slices.ContainsFunc(msgs, func(m Message) bool { return m.calls || m.Role == RoleTool })
}

// WithTools makes messages of what a template has no words for: the functions go into
// the system message, calls into the assistant's text, results into the user's.
func WithTools(msgs []Message, tools []Tool) []Message {
	var out []Message
	if len(msgs) > 0 && msgs[0].Role == RoleSystem {
		out, msgs = append(out, msgs[0]), msgs[1:]
	}
	if len(tools) > 0 {
		text := describe(tools)
		if len(out) == 0 {
			out = append(out, Message{Role: RoleSystem, Content: text})
		} else {
			out[0] = Message{Role: RoleSystem, Content: out[0].Content + "\n\n" + text}
		}
	}
	results := false // the last message holds results
	for _, m := range msgs {
		switch {
		case m.Role == RoleTool:
			text := "<tool_response>\n" + m.Content + "\n</tool_response>"
			if results {
				out[len(out)-1].Content += "\n" + text
			} else {
				out = append(out, Message{Role: RoleUser, Content: text})
			}
		case m.calls:
			out = append(out, Message{Role: m.Role, Content: m.Content})
		default:
			out = append(out, m)
		}
		results = m.Role == RoleTool
	}
	return out
}

// describe tells a model of functions, and how it calls them.
func describe(tools []Tool) string {
	var b strings.Builder
	b.WriteString("These functions can be called:\n<tools>\n")
	for _, t := range tools {
		b.Write(unescaped(t))
		b.WriteByte('\n')
	}
	b.WriteString("</tools>\nA call is written as the function's name and its arguments, in tags of its own:\n")
	b.WriteString(tagged.Open + "NAME" + tagged.Middle + "ARGUMENTS" + tagged.Close)
	return b.String()
}
