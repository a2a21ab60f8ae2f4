package jinja

import "slices"

// args are the values of a call.
type args struct {
	positional []Value
	names      []string
	named      []Value
	keys       []Text // the names with their marks, where known: of **dict
}

// key is the name of a named argument as a value.
func (a args) key(i int) Text {
	if i < len(a.keys) {
		return a.keys[i]
	}
	return written(a.names[i])
}

func (r *runner) arguments(a arguments, s *scope) (args, error) {
	var out args
	var err error
	if out.positional, err = r.evalAll(a.positional, s); err != nil {
		return out, err
	}
	if a.list != nil {
		v, err := r.eval(a.list, s)
		if err != nil {
			return out, err
		}
		items, err := r.iterate(v)
		if err != nil {
			return out, err
		}
		out.positional = append(out.positional, items...)
		if err := r.chargeItems(len(items)); err != nil {
			return out, err
		}
	}
	out.names = slices.Clone(a.names)
	if out.named, err = r.evalAll(a.named, s); err != nil || a.dict == nil {
		return out, err
	}
	for _, n := range a.names {
		out.keys = append(out.keys, written(n))
	}
	v, err := r.eval(a.dict, s)
	if err != nil {
		return out, err
	}
	d, ok := v.(*Dict)
	if !ok {
		return out, failf("argument after ** must be a mapping, not %s", typeName(v))
	}
	for i, k := range d.keys {
		t, ok := k.(Text)
		if !ok {
			return out, failf("keywords must be strings")
		}
		out.names, out.named, out.keys = append(out.names, t.s), append(out.named, d.values[i]), append(out.keys, t)
	}
	return out, r.chargeItems(2 * len(d.keys))
}

// call is f(args).
func (r *runner) call(f Value, a args) (Value, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	defer r.leave()
	switch f := f.(type) {
	case *function:
		return f.do(r, a)
	case undefined:
		return nil, f.fail()
	case *loop:
		v, err := a.bind("loop", "iterable")
		if err != nil {
			return nil, err
		}
		if f.again == nil {
			return nil, failf("the loop must have the 'recursive' marker to be called recursively")
		}
		return f.again(v[0])
	case *joiner:
		if f.used {
			return f.separator, nil
		}
		f.used = true
		return Text{}, nil
	}
	return nil, failf("'%s' object is not callable", typeName(f))
}

// absent marks an optional argument that was not given.
type absent struct{}

// bind gives each parameter its argument. A name that ends in "?" may be left
// out, its value is absent then.
func (a args) bind(f string, params ...string) ([]Value, error) {
	if len(a.positional) > len(params) {
		return nil, failf("%s takes at most %d arguments, not %d", f, len(params), len(a.positional))
	}
	out := make([]Value, len(params))
	used := 0
	for i, p := range params {
		optional := p[len(p)-1] == '?'
		if optional {
			p = p[:len(p)-1]
		}
		n := slices.Index(a.names, p)
		switch {
		case i < len(a.positional) && n >= 0:
			return nil, failf("%s got multiple values for argument '%s'", f, p)
		case i < len(a.positional):
			out[i] = a.positional[i]
		case n >= 0:
			out[i] = a.named[n]
			used++
		case optional:
			out[i] = absent{}
		default:
			return nil, failf("%s is missing its argument '%s'", f, p)
		}
	}
	if used < len(a.names) {
		for _, n := range a.names {
			if !slices.Contains(params, n) && !slices.Contains(params, n+"?") {
				return nil, failf("%s got an unexpected argument '%s'", f, n)
			}
		}
	}
	return out, nil
}

// given is v, or def where v was left out.
func given(v, def Value) Value {
	if _, ok := v.(absent); ok {
		return def
	}
	return v
}

// intOf is an argument that must be a whole number.
func intOf(what string, v Value) (int, error) {
	i, _, isInt, ok := number(v)
	if !ok || !isInt {
		return 0, failf("%s must be an integer, not %s", what, typeName(v))
	}
	return int(i), nil
}

// textOf is an argument that must be a string.
func textOf(what string, v Value) (Text, error) {
	if u, ok := v.(undefined); ok {
		return Text{}, u.fail()
	}
	t, ok := v.(Text)
	if !ok {
		return Text{}, failf("%s must be a string, not %s", what, typeName(v))
	}
	return t, nil
}
