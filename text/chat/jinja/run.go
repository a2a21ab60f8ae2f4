package jinja

import "slices"

// runner is one rendering.
type runner struct {
	limits        Options
	steps, memory int // what is left of the limits
	depth         int
	out           *builder // where printing goes
}

// scope is the variables of a block. Assignments go to the innermost scope,
// names are looked up outwards.
type scope struct {
	vars map[string]Value
	up   *scope
}

func (s *scope) inner() *scope { return &scope{up: s} }

func (s *scope) set(name string, v Value) {
	if s.vars == nil {
		s.vars = map[string]Value{}
	}
	s.vars[name] = v
}

func (s *scope) get(name string) (Value, bool) {
	for ; s != nil; s = s.up {
		if v, ok := s.vars[name]; ok {
			return v, true
		}
	}
	return nil, false
}

// jump is how statements end.
type jump uint8

const (
	jumpNone jump = iota
	jumpBreak
	jumpContinue
)

// enter counts a level of evaluation; leave must follow.
func (r *runner) enter() error {
	if r.depth++; r.depth > r.limits.Depth {
		return failf("the evaluation is nested more than %d deep: does a macro call itself without end?", r.limits.Depth)
	}
	return r.step()
}

func (r *runner) leave() { r.depth-- }

func (r *runner) run(body []stmt, s *scope) (jump, error) {
	err := r.enter()
	defer r.leave()
	for _, st := range body {
		var how jump
		if err == nil {
			how, err = r.statement(st, s)
		}
		if err != nil || how != jumpNone {
			return how, at(st.where(), err)
		}
	}
	return jumpNone, nil
}

// captured runs a body and returns what it prints.
func (r *runner) captured(body []stmt, s *scope) (Text, error) {
	out := r.out
	r.out = &builder{}
	_, err := r.run(body, s)
	t := r.out.text()
	r.out = out
	return t, err
}

func (r *runner) print(t Text) error {
	r.out.append(t)
	if err := r.room(r.out.len()); err != nil {
		return err
	}
	return r.charge(len(t.s))
}

func (r *runner) statement(st stmt, s *scope) (jump, error) {
	switch st := st.(type) {
	case *dataStmt:
		return jumpNone, r.print(written(st.text))
	case *printStmt:
		v, err := r.eval(st.x, s)
		if err != nil {
			return jumpNone, err
		}
		t, err := r.str(v)
		if err != nil {
			return jumpNone, err
		}
		return jumpNone, r.print(t)
	case *ifStmt:
		for i, test := range st.tests {
			v, err := r.eval(test, s)
			if err != nil {
				return jumpNone, err
			}
			if truth(v) {
				return r.run(st.bodies[i], s)
			}
		}
		return r.run(st.or, s)
	case *forStmt:
		v, err := r.eval(st.list, s)
		if err != nil {
			return jumpNone, err
		}
		return jumpNone, r.forLoop(st, v, s, 0)
	case *setStmt:
		v, err := r.eval(st.x, s)
		if err != nil {
			return jumpNone, err
		}
		return jumpNone, r.assign(st.target, v, s)
	case *setBlock:
		v, err := r.block(st.body, st.filter, s)
		if err != nil {
			return jumpNone, err
		}
		return jumpNone, r.assign(st.target, v, s)
	case *macroStmt:
		s.set(st.name, r.macro(st.macro, s))
	case *callBlock:
		return jumpNone, r.callBlock(st, s)
	case *filterBlock:
		v, err := r.block(st.body, st.filter, s)
		if err != nil {
			return jumpNone, err
		}
		t, err := r.str(v)
		if err != nil {
			return jumpNone, err
		}
		return jumpNone, r.print(t)
	case *withStmt:
		in := s.inner()
		for i, x := range st.values {
			v, err := r.eval(x, s)
			if err != nil {
				return jumpNone, err
			}
			in.set(st.targets[i].(*name).name, v)
		}
		return r.run(st.body, in)
	case *generationStmt:
		t, err := r.captured(st.body, s.inner())
		if err != nil {
			return jumpNone, err
		}
		return jumpNone, r.print(t.generated())
	case *jumpStmt:
		return st.how, nil
	}
	return jumpNone, nil
}

// block is what a body prints, with filters applied to it, if any.
func (r *runner) block(body []stmt, f expr, s *scope) (Value, error) {
	t, err := r.captured(body, s.inner())
	if f == nil || err != nil {
		return t, err
	}
	in := s.inner()
	in.set(blockText, t)
	return r.eval(f, in)
}

// blockText is the name under which a filter without an operand finds the text
// of its block; no template can spell it.
const blockText = "{block}"

// loopSteps is what a turn of a loop costs besides its body: a scope.
const loopSteps = 10

func (r *runner) forLoop(st *forStmt, list Value, s *scope, depth int) error {
	items, err := r.iterate(list)
	if err != nil {
		return err
	}
	if st.filter != nil {
		var kept []Value
		for _, x := range items {
			in := s.inner()
			if err := r.assign(st.target, x, in); err != nil {
				return err
			}
			v, err := r.eval(st.filter, in)
			if err != nil {
				return err
			}
			if truth(v) {
				kept = append(kept, x)
			}
		}
		items = kept
	}
	l := &loop{items: items, depth: depth}
	if st.recursive {
		l.again = func(list Value) (Value, error) {
			out := r.out
			r.out = &builder{}
			err := r.enter()
			if err == nil {
				err = r.forLoop(st, list, s, depth+1)
			}
			r.leave()
			t := r.out.text()
			r.out = out
			return t, err
		}
	}
	for i, x := range items {
		l.index = i
		r.steps -= loopSteps
		in := s.inner()
		in.set("loop", l)
		if err := r.assign(st.target, x, in); err != nil {
			return err
		}
		how, err := r.run(st.body, in)
		if err != nil {
			return err
		}
		if how == jumpBreak {
			break
		}
	}
	if len(items) == 0 {
		_, err = r.run(st.or, s.inner())
	}
	return err
}

// assign gives a name, an attribute of a namespace or a tuple of them a value.
func (r *runner) assign(target expr, v Value, s *scope) error {
	switch target := target.(type) {
	case *name:
		s.set(target.name, v)
	case *attribute:
		x, err := r.eval(target.x, s)
		if err != nil {
			return err
		}
		n, ok := x.(*namespace)
		if !ok {
			return failf("cannot assign attribute on non-namespace object: set changes attributes of namespace() alone")
		}
		return n.dict.put(written(target.name), v)
	case *listExpr:
		items, err := r.iterate(v)
		if err != nil {
			return err
		}
		if len(items) != len(target.items) {
			return failf("%d values cannot be unpacked into %d names", len(items), len(target.items))
		}
		for i, t := range target.items {
			if err := r.assign(t, items[i], s); err != nil {
				return err
			}
		}
	}
	return nil
}

// iterate is the items of Python's iter(v).
func (r *runner) iterate(v Value) ([]Value, error) {
	switch v := v.(type) {
	case *List:
		return v.Items, r.step()
	case *Dict:
		return v.keys, r.step()
	case undefined:
		return nil, nil
	case Text:
		if err := r.chargeItems(len(v.s)); err != nil {
			return nil, err
		}
		var out []Value
		for i := 0; i < len(v.s); {
			n := runeLen(v.s[i:])
			out = append(out, v.slice(i, i+n))
			i += n
		}
		return out, nil
	}
	return nil, failf("'%s' object is not iterable", typeName(v))
}

// iterable tells whether iterate works.
func iterable(v Value) bool {
	switch v.(type) {
	case *List, *Dict, undefined, Text:
		return true
	}
	return false
}

// macro makes a function of a macro; names are looked up where it was defined.
func (r *runner) macro(m *macro, defined *scope) *function {
	return &function{m.name, func(r *runner, a args) (Value, error) {
		in := defined.inner()
		if err := r.bindMacro(m, a, in); err != nil {
			return nil, err
		}
		return r.captured(m.body, in)
	}}
}

func (r *runner) bindMacro(m *macro, a args, in *scope) error {
	named := slices.Clone(a.names)
	take := func(name string) (Value, bool) {
		i := slices.Index(named, name)
		if i < 0 {
			return nil, false
		}
		named[i] = ""
		return a.named[i], true
	}
	for i, p := range m.params {
		v, ok := Value(nil), i < len(a.positional)
		if ok {
			v = a.positional[i]
		} else if v, ok = take(p); !ok {
			v = undefined{"parameter '" + p + "' was not provided"}
			if d := i - len(m.params) + len(m.defaults); d >= 0 {
				var err error
				if v, err = r.eval(m.defaults[d], in); err != nil {
					return err
				}
			}
		}
		in.set(p, v)
	}
	if m.callers && !slices.Contains(m.params, "caller") {
		v, ok := take("caller")
		if !ok {
			v = undefined{"No caller defined"}
		}
		in.set("caller", v)
	}
	rest := &Dict{}
	for i, n := range named {
		if n == "" {
			continue
		}
		if !m.kwargs {
			return failf("macro '%s' takes no keyword argument '%s'", m.name, n)
		}
		if err := rest.put(a.key(i), a.named[i]); err != nil {
			return err
		}
	}
	if m.kwargs {
		in.set("kwargs", rest)
	}
	over := a.positional[min(len(m.params), len(a.positional)):]
	if m.varargs {
		in.set("varargs", &List{over, kindTuple})
	} else if len(over) > 0 {
		return failf("macro '%s' takes not more than %d argument(s)", m.name, len(m.params))
	}
	return nil
}

func (r *runner) callBlock(st *callBlock, s *scope) error {
	f, err := r.eval(st.call.f, s)
	if err != nil {
		return err
	}
	a, err := r.arguments(st.call.args, s)
	if err != nil {
		return err
	}
	a.names, a.named = append(a.names, "caller"), append(a.named, r.macro(st.macro, s))
	v, err := r.call(f, a)
	if err != nil {
		return err
	}
	t, err := r.str(v)
	if err != nil {
		return err
	}
	return r.print(t)
}
