// Package calls is the language of answers that call functions: what a model may
// write so that every call names a function that there is, with arguments that its
// schema allows.
//
// A Form says how calls are written, which is a matter of the model: between tags, as a
// list behind a marker, as a lone object. A Source is the functions and the form;
// Machine makes the states (generate/grammar/machine). Free text may stand before the
// calls or instead of them, unless a call must come.
//
// Not here: how a model is told of the functions, and reading calls out of a text
// (text/chat).
package calls

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/generate/grammar/schema"
	"github.com/foundling-lm/foundling/generate/grammar/shape"
)

// A Form is how calls are written: Begin, the calls, Finish. A call is Open, the name,
// Middle, the arguments as a JSON object, Close; Between stands between two.
type Form struct {
	Begin, Open, Middle, Close, Between, Finish string

	// Trigger is the beginning of Begin and Open by which a call is known: free text
	// goes on up to it.
	Trigger string
	// First says that calls are the whole answer or not there: only a text that begins
	// with the first byte of Trigger is one.
	First bool
	// Single says that there is one call at most.
	Single bool
}

// A Function is one that may be called.
type Function struct {
	Name       string
	Parameters []byte // JSON Schema of the arguments, an object; nil: there are none
}

// A Source is what may be called, and how.
type Source struct {
	Functions []Function
	Form      Form
	Must      bool // at least one call, and no text before it
	Single    bool // one call at most
	Lenient   bool // pass over what of a schema cannot be enforced
	// Answer is the JSON Schema of the text where there is no call; nil: any text, and
	// calls may stand behind it.
	Answer []byte
}

// Name is what functions are called: OpenAI's rule, so that no name needs an escape
// in JSON.
var Name = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// Error is what is wrong with a function.
type Error struct {
	Function int // its number; -1: the schema of the answer is wrong
	Err      error
}

func (e *Error) Error() string {
	if e.Function < 0 {
		return fmt.Sprintf("the answer: %v", e.Err)
	}
	return fmt.Sprintf("function %d: %v", e.Function, e.Err)
}

// Unwrap is what is wrong.
func (e *Error) Unwrap() error { return e.Err }

// Machine makes the language. Notes say what of the schemas has no effect.
func (s *Source) Machine() (start machine.State, notes []schema.Note, err error) {
	f := &s.Form
	switch {
	case len(s.Functions) == 0:
		return nil, nil, errors.New("there is no function to call")
	case f.Trigger == "" || !strings.HasPrefix(f.Begin+f.Open, f.Trigger):
		return nil, nil, fmt.Errorf("the form of calls begins with %q, which its trigger %q is no beginning of", f.Begin+f.Open, f.Trigger)
	case f.Middle == "" || f.Close == "":
		return nil, nil, errors.New("the form of calls has nothing around the arguments")
	}
	tail := &node{}
	behind := chain([]byte(f.Close), tail, []byte(f.Finish))
	names := &node{}
	for i := range s.Functions {
		g := &s.Functions[i]
		args, n, err := g.arguments(s.Lenient)
		if err == nil && !Name.MatchString(g.Name) {
			err = fmt.Errorf("the name %.80q must be 1 to 64 letters, digits, points, - and _", g.Name)
		}
		if err == nil && !names.add([]byte(g.Name+f.Middle), Then(args, behind)) {
			err = fmt.Errorf("the name %q is there twice", g.Name)
		}
		if err != nil {
			return nil, nil, &Error{i, err}
		}
		notes = append(notes, n...)
	}
	end := &node{accepting: true}
	if f.Finish == "" {
		tail.accepting = true
	} else {
		tail.add([]byte(f.Finish), end)
	}
	if !s.Single && !f.Single && f.Between != "" {
		if !tail.add([]byte(f.Between+f.Open), names) {
			return nil, nil, fmt.Errorf("the form of calls goes on with %q and ends with %q, which cannot be told apart", f.Between, f.Finish)
		}
	}
	open := []byte(f.Begin + f.Open)
	switch {
	case s.Must:
		return machine.Prefix(open, names), notes, nil
	case s.Answer != nil:
		answer, n, err := compiled(s.Answer, s.Lenient)
		if err == nil && answer.Next(open[0]) != nil {
			err = fmt.Errorf("a text of it may begin with %q, as a call does: they cannot be told apart", open[:1])
		}
		if err != nil {
			return nil, nil, &Error{-1, err}
		}
		return either{answer, machine.Prefix(open, names)}, append(notes, n...), nil
	case f.First:
		return first{f.Trigger[0], machine.Prefix(open[1:], names)}, notes, nil
	}
	return machine.Until([]byte(f.Trigger), machine.Prefix(open[len(f.Trigger):], names)), notes, nil
}

// arguments is the language of the JSON of a call's arguments.
func (g *Function) arguments(lenient bool) (machine.State, []schema.Note, error) {
	source, err := objectOnly(g.Parameters)
	if err != nil {
		return nil, nil, err
	}
	return compiled(source, lenient)
}

func compiled(source []byte, lenient bool) (machine.State, []schema.Note, error) {
	x, err := schema.Compile(source, schema.Options{Lenient: lenient, Written: true})
	if err != nil {
		return nil, nil, err
	}
	start, err := x.Machine(shape.Format{})
	return start, x.Notes, err
}

// objectOnly is a schema of objects: without a type it gets that.
func objectOnly(source []byte) ([]byte, error) {
	if len(bytes.TrimSpace(source)) == 0 {
		return []byte(`{"type":"object","additionalProperties":false}`), nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(source, &fields); err != nil || fields == nil {
		return nil, errors.New("the parameters are no JSON Schema, which is an object")
	}
	switch kind := string(bytes.TrimSpace(fields["type"])); kind {
	case `"object"`:
		return source, nil
	case "":
		fields["type"] = json.RawMessage(`"object"`)
		return json.Marshal(fields)
	default:
		return nil, fmt.Errorf("arguments are an object, so the type of the parameters must be %q, it is %s", "object", kind)
	}
}
