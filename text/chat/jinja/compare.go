package jinja

import (
	"cmp"
	"strings"
)

// equal is Python's ==.
func (r *runner) equal(a, b Value, depth int) (bool, error) {
	if err := r.walk(depth); err != nil {
		return false, err
	}
	if i, f, isInt, ok := number(a); ok {
		j, g, isInt2, ok := number(b)
		return ok && (isInt && isInt2 && i == j || !(isInt && isInt2) && f == g), nil
	}
	switch a := a.(type) {
	case nil:
		return b == nil, nil
	case Text:
		b, ok := b.(Text)
		r.steps -= len(a.s) / 64
		return ok && a.s == b.s, nil
	case bigInt:
		b, ok := b.(bigInt)
		return ok && a == b, nil
	case undefined:
		_, ok := b.(undefined)
		return ok, nil
	case *List:
		b, ok := b.(*List)
		if !ok || (a.kind == kindList) != (b.kind == kindList) || len(a.Items) != len(b.Items) {
			return false, nil
		}
		for i := range a.Items {
			if eq, err := r.equal(a.Items[i], b.Items[i], depth+1); err != nil || !eq {
				return false, err
			}
		}
		return true, nil
	case *Dict:
		b, ok := b.(*Dict)
		if !ok || len(a.keys) != len(b.keys) {
			return false, nil
		}
		for i, k := range a.keys {
			v, ok, err := b.get(k)
			if err != nil || !ok {
				return false, err
			}
			if eq, err := r.equal(a.values[i], v, depth+1); err != nil || !eq {
				return false, err
			}
		}
		return true, nil
	}
	return same(a, b), nil
}

// same is Python's "is" for what can be told apart here.
func same(a, b Value) bool {
	switch a := a.(type) {
	case Text:
		b, ok := b.(Text)
		return ok && a.s == b.s
	case undefined:
		_, ok := b.(undefined)
		return ok
	}
	switch b.(type) {
	case Text, undefined:
		return false
	}
	return a == b
}

// compare orders two values as Python's < does; op is named in the error.
func (r *runner) compare(op string, a, b Value, depth int) (int, error) {
	if err := r.walk(depth); err != nil {
		return 0, err
	}
	for _, v := range []Value{a, b} {
		if u, ok := v.(undefined); ok {
			return 0, u.fail()
		}
	}
	if i, f, isInt, ok := number(a); ok {
		if j, g, isInt2, ok := number(b); ok {
			if isInt && isInt2 {
				return cmp.Compare(i, j), nil
			}
			return cmp.Compare(f, g), nil
		}
	}
	switch a := a.(type) {
	case Text:
		if b, ok := b.(Text); ok {
			r.steps -= len(a.s) / 64
			return strings.Compare(a.s, b.s), nil
		}
	case *List:
		b, ok := b.(*List)
		if !ok || (a.kind == kindList) != (b.kind == kindList) {
			break
		}
		for i := range min(len(a.Items), len(b.Items)) {
			if eq, err := r.equal(a.Items[i], b.Items[i], depth+1); err != nil {
				return 0, err
			} else if !eq {
				return r.compare(op, a.Items[i], b.Items[i], depth+1)
			}
		}
		return cmp.Compare(len(a.Items), len(b.Items)), nil
	}
	return 0, failf("'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
}

// contains is Python's "x in list".
func (r *runner) contains(list, x Value) (bool, error) {
	switch l := list.(type) {
	case Text:
		t, ok := x.(Text)
		if !ok {
			return false, failf("'in <string>' requires string as left operand, not %s", typeName(x))
		}
		return strings.Contains(l.s, t.s), r.charge(len(l.s))
	case *Dict:
		_, ok, err := l.get(x)
		return ok, err
	case *namespace, nil, bool, int64, float64, bigInt, *function:
		return false, failf("argument of type '%s' is not iterable", typeName(list))
	}
	items, err := r.iterate(list)
	if err != nil {
		return false, err
	}
	for _, item := range items {
		if eq, err := r.equal(item, x, 0); err != nil || eq {
			return eq, err
		}
	}
	return false, nil
}

func (u undefined) fail() error { return failf("%s", u.why) }
