package jinja

import (
	"fmt"
	"time"
)

// Template is a template that can be rendered any number of times, by several
// goroutines at once.
type Template struct {
	source string
	body   []stmt
	marks  bool
}

// Parse reads a template. An error is an *Error.
func Parse(source string) (*Template, error) {
	if len(source) > maxSource {
		return nil, &Error{1, 1, fmt.Sprintf("the template has %d bytes, more than %d", len(source), maxSource), false}
	}
	source = normalise(source)
	tokens, err := lex(source)
	if err != nil {
		return nil, located(source, err)
	}
	p := &parser{tokens: tokens}
	body, _ := p.body(0)
	if p.err != nil {
		return nil, located(source, p.err)
	}
	return &Template{source, body, p.marks}, nil
}

// HasGeneration tells whether the template marks what the assistant writes with
// generation blocks.
func (t *Template) HasGeneration() bool { return t.marks }

// Render runs the template with these variables. The names range, dict,
// namespace, cycler, joiner, raise_exception and strftime_now are functions,
// unless a variable has the name. An error is an *Error.
func (t *Template) Render(variables *Dict, o Options) (Text, error) {
	o = o.withDefaults()
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	r := &runner{limits: o, steps: o.Steps, memory: o.Memory, out: &builder{}}
	top := &scope{vars: map[string]Value{}, up: &scope{vars: globals}}
	for i, k := range variables.keys {
		if name, ok := k.(Text); ok {
			top.vars[name.s] = variables.values[i]
		}
	}
	if _, err := r.run(t.body, top); err != nil {
		return Text{}, located(t.source, err)
	}
	return r.out.text(), nil
}
