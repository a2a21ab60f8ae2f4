package serve

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/grammar/calls"
	"github.com/foundling-lm/foundling/text/chat"
)

// tools are the fields of a request that say which functions the model may call.
type tools struct {
	Tools             []tool         `json:"tools"`
	ToolChoice        jsontext.Value `json:"tool_choice"` // a word or an object
	ParallelToolCalls *bool          `json:"parallel_tool_calls"`
}

// tool is a function, the only kind of tool that there is here.
type tool struct {
	Type     string         `json:"type"`
	Function *function      `json:"function"`
	Custom   jsontext.Value `json:"custom"`
}

// function is kept to in full, strict or not: a keyword of its schema that cannot be
// enforced is an error.
type function struct {
	Name        string         `json:"name"`
	Description *string        `json:"description"`
	Parameters  jsontext.Value `json:"parameters"`
	Strict      *bool          `json:"strict"`
}

// toolChoice is an object in tool_choice.
type toolChoice struct {
	Type     string        `json:"type"`
	Function *namedTool    `json:"function"`
	Allowed  *allowedTools `json:"allowed_tools"`
}

type namedTool struct {
	Name string `json:"name"`
}

type allowedTools struct {
	Mode  string        `json:"mode"`
	Tools []allowedTool `json:"tools"`
}

type allowedTool struct {
	Type     string    `json:"type"`
	Function namedTool `json:"function"`
}

// maxTools is OpenAI's limit.
const maxTools = 128

// calling is what a request says of functions, read.
type calling struct {
	tools []chat.Tool
	form  chat.CallForm
	may   *calls.Source // what may be called; nil: nothing
	parts []int         // of may.Functions: numbers in tools
}

// read checks the fields.
func (t *tools) read(m *served) (*calling, error) {
	c := &calling{form: m.Bundle.Calls()}
	if len(t.Tools) == 0 {
		for name, there := range map[string]bool{"tool_choice": given(t.ToolChoice) && string(t.ToolChoice) != `"none"` && string(t.ToolChoice) != `"auto"`, "parallel_tool_calls": t.ParallelToolCalls != nil} {
			if there {
				return nil, wrong(name, "it needs tools")
			}
		}
		return c, nil
	}
	if len(t.Tools) > maxTools {
		return nil, wrong("tools", fmt.Sprintf("%d of them, a request may have %d", len(t.Tools), maxTools))
	}
	for i := range t.Tools {
		f, err := t.Tools[i].read(fmt.Sprintf("tools[%d]", i))
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(c.tools, func(o chat.Tool) bool { return o.Name == f.Name }) {
			return nil, wrong(fmt.Sprintf("tools[%d].function.name", i), fmt.Sprintf("%q is there twice", f.Name))
		}
		c.tools = append(c.tools, f)
	}
	return c, t.choose(c)
}

func (t *tool) read(field string) (chat.Tool, error) {
	switch {
	case t.Type == "custom" || given(t.Custom):
		return chat.Tool{}, &Error{Message: field + ": custom tools are not supported: a function with one string is as good, or the fields grammar and regex", Param: field, Code: "unsupported_tool"}
	case t.Type != "function":
		return chat.Tool{}, wrong(field+".type", fmt.Sprintf("%q is not function, the kind that is supported", t.Type))
	case t.Function == nil:
		return chat.Tool{}, wrong(field+".function", "it is missing")
	}
	f := t.Function
	if !calls.Name.MatchString(f.Name) {
		return chat.Tool{}, wrong(field+".function.name", fmt.Sprintf("%.80q must be 1 to 64 letters, digits, points, - and _", f.Name))
	}
	out := chat.Tool{Name: f.Name}
	if f.Description != nil {
		out.Description = *f.Description
	}
	if given(f.Parameters) {
		out.Parameters = []byte(f.Parameters)
	}
	return out, nil
}

// choose reads tool_choice.
func (t *tools) choose(c *calling) error {
	s := &calls.Source{Form: callForm(c.form), Single: t.ParallelToolCalls != nil && !*t.ParallelToolCalls}
	names, mode := []string(nil), "auto"
	switch kind := t.ToolChoice.Kind(); kind {
	case '"':
		if err := part("tool_choice", t.ToolChoice, &mode); err != nil {
			return err
		}
	case '{':
		var x toolChoice
		if err := part("tool_choice", t.ToolChoice, &x); err != nil {
			return err
		}
		switch {
		case x.Type == "function" && x.Function != nil:
			names, mode, s.Single = []string{x.Function.Name}, "required", true
		case x.Type == "allowed_tools" && x.Allowed != nil:
			names, mode = []string{}, x.Allowed.Mode
			for _, a := range x.Allowed.Tools {
				names = append(names, a.Function.Name)
			}
		default:
			return wrong("tool_choice", fmt.Sprintf("an object of the type %q: it must be function or allowed_tools, with the member of that name", x.Type))
		}
	case 'n', 0:
	default:
		return needed("tool_choice", "a string or an object", kind)
	}
	switch mode {
	case "none":
		return nil
	case "auto":
	case "required":
		s.Must = true
	default:
		return wrong("tool_choice", fmt.Sprintf("%q is none of none, auto, required", mode))
	}
	for _, name := range names {
		if !slices.ContainsFunc(c.tools, func(f chat.Tool) bool { return f.Name == name }) {
			return wrong("tool_choice", fmt.Sprintf("no tool is named %q", name))
		}
	}
	for i, f := range c.tools {
		if names == nil || slices.Contains(names, f.Name) {
			s.Functions, c.parts = append(s.Functions, calls.Function{Name: f.Name, Parameters: f.Parameters}), append(c.parts, i)
		}
	}
	if len(s.Functions) == 0 {
		return wrong("tool_choice", "it allows no tool")
	}
	c.may = s
	return nil
}

// callForm is the form as grammars take it.
func callForm(f chat.CallForm) calls.Form {
	return calls.Form{Begin: f.Begin, Open: f.Open, Middle: f.Middle, Close: f.Close, Between: f.Between, Finish: f.Finish, Trigger: f.Trigger, First: f.First, Single: f.Single}
}

// wrong says which field is to blame for an error of the language of calls.
func (c *calling) wrong(err error) error {
	var e *calls.Error
	switch ok := errors.As(err, &e); {
	case ok && e.Function < 0:
		return wrong("response_format.json_schema.schema", e.Err.Error())
	case ok:
		return wrong(fmt.Sprintf("tools[%d].function.parameters", c.parts[e.Function]), e.Err.Error())
	}
	return wrong("tools", err.Error())
}

// toolCall is a call in a conversation.
type toolCall struct {
	ID       string        `json:"id"`
	Type     string        `json:"type"`
	Function *calledByName `json:"function"`
}

type calledByName struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"` // JSON
}

// callDelta is what an event adds to a call: where it begins its id and name, then more
// of the arguments.
type callDelta struct {
	Index    int           `json:"index"`
	ID       string        `json:"id,omitempty"`
	Type     string        `json:"type,omitempty"`
	Function functionDelta `json:"function"`
}

type functionDelta struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

// callID is a name for a call that the model's template takes.
func (c *calling) callID() string {
	if n := c.form.IDs; n > 0 {
		return nonce()[:n]
	}
	return "call_" + nonce()
}

// finishCalls is OpenAI's word for an answer that ended with calls.
const finishCalls = "tool_calls"

// within says that text is JSON where it is no call: then calls are the whole text.
func (c *calling) within(r *responseFormat) {
	if r != nil && r.Type != "text" {
		c.form.First = true
	}
}

// unstopped keeps a call whole: what is to stop a text is looked for in what lies before.
func (c *calling) unstopped(o *generate.Options) {
	switch {
	case c == nil || c.may == nil:
	case c.may.Must || c.form.First:
		o.NoStop = generate.NoStop{From: c.form.Trigger[:1], First: true}
	default:
		o.NoStop = generate.NoStop{From: c.form.Trigger}
	}
}

// answer is a text with its calls taken out. A call that time cut off is none.
func (c *calling) answer(t *text) (content string, made []toolCall, finished string) {
	if c.may == nil {
		return t.Text, nil, finish(t)
	}
	r := c.reader()
	content, list := c.form.ReadCalls(t.Text)
	r.delta(t.Text, true)
	for i, x := range list {
		if i+1 < len(list) || !r.read.Open() {
			made = append(made, toolCall{c.callID(), "function", &calledByName{x.Name, x.Arguments}})
		}
	}
	return content, made, r.finish(t)
}

// finish is OpenAI's name for why a text ended in which calls may be.
func (r *callReader) finish(t *text) string {
	switch {
	case r.read.Open():
		return "length"
	case r.read.Calls() > 0:
		return finishCalls
	}
	return finish(t)
}

// callReader tells a text with calls in events.
type callReader struct {
	c    *calling
	read *chat.CallReader
}

func (c *calling) reader() *callReader {
	return &callReader{c, c.form.NewCallReader()}
}

// delta is what a piece of text adds; last says that none follows.
func (r *callReader) delta(text string, last bool) (d delta) {
	content, list := "", []callDelta(nil)
	events := r.read.Write(text)
	if last {
		events = append(events, r.read.Close()...)
	}
	for _, e := range events {
		switch {
		case e.Call < 0:
			content += e.Content
		case e.Name != "":
			list = append(list, callDelta{e.Call, r.c.callID(), "function", functionDelta{Name: e.Name}})
		case len(list) > 0 && list[len(list)-1].Index == e.Call:
			list[len(list)-1].Function.Arguments += e.Arguments
		default:
			list = append(list, callDelta{Index: e.Call, Function: functionDelta{Arguments: e.Arguments}})
		}
	}
	if d.ToolCalls = list; content != "" {
		d.Content = &content
	}
	return d
}
