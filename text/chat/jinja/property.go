package jinja

import "slices"

// property is a method or an attribute of x by Python's name for it.
func property(x Value, attr string) (Value, bool) {
	switch x := x.(type) {
	case Text:
		if m, ok := textMethods[attr]; ok {
			return method(attr, func(r *runner, a args) (Value, error) { return m(r, x, a) }), true
		}
	case *Dict:
		return dictProperty(x, attr)
	case *List:
		return listProperty(x, attr)
	case *namespace:
		return x.dict.Get(attr)
	case *loop:
		return loopProperty(x, attr)
	case *cycler:
		switch attr {
		case "current":
			return x.items[x.at], true
		case "next":
			return method(attr, func(*runner, args) (Value, error) {
				v := x.items[x.at]
				x.at = (x.at + 1) % len(x.items)
				return v, nil
			}), true
		case "reset":
			return method(attr, func(*runner, args) (Value, error) {
				x.at = 0
				return nil, nil
			}), true
		}
	}
	return nil, false
}

func method(name string, do func(*runner, args) (Value, error)) Value { return &function{name, do} }

// unsafe is a method that the immutable sandbox refuses.
func unsafe(attr, object string) Value {
	return undefined{"access to attribute '" + attr + "' of '" + object + "' object is unsafe: values do not change, build a new one"}
}

func dictProperty(d *Dict, attr string) (Value, bool) {
	view := func(kind listKind, items func() []Value) (Value, bool) {
		return method(attr, func(r *runner, a args) (Value, error) {
			if _, err := a.bind(attr); err != nil {
				return nil, err
			}
			return &List{items(), kind}, r.chargeItems(len(d.keys))
		}), true
	}
	switch attr {
	case "items":
		return view(kindItems, d.items)
	case "keys":
		return view(kindKeys, func() []Value { return d.keys })
	case "values":
		return view(kindValues, func() []Value { return d.values })
	case "get":
		return method(attr, func(r *runner, a args) (Value, error) {
			v, err := a.bind("get", "key", "default?")
			if err != nil {
				return nil, err
			}
			x, ok, err := d.get(v[0])
			if !ok {
				x = given(v[1], nil)
			}
			return x, err
		}), true
	case "copy":
		return method(attr, func(*runner, args) (Value, error) { return d, nil }), true
	case "clear", "pop", "popitem", "setdefault", "update":
		return unsafe(attr, "dict"), true
	}
	return nil, false
}

// items are the pairs of a dict.
func (d *Dict) items() []Value {
	out := make([]Value, len(d.keys))
	for i, k := range d.keys {
		out[i] = &List{[]Value{k, d.values[i]}, kindTuple}
	}
	return out
}

func listProperty(l *List, attr string) (Value, bool) {
	if l.kind == kindGroup {
		switch attr {
		case "grouper":
			return l.Items[0], true
		case "list":
			return l.Items[1], true
		}
	}
	if l.kind > kindGroup && l.kind != kindRange {
		return nil, false
	}
	find := func(r *runner, a args) (first, count int, err error) {
		v, err := a.bind(attr, "value")
		if err != nil {
			return 0, 0, err
		}
		first = -1
		for i, x := range l.Items {
			eq, err := r.equal(x, v[0], 0)
			if err != nil {
				return 0, 0, err
			}
			if eq {
				if count++; first < 0 {
					first = i
				}
			}
		}
		return first, count, nil
	}
	switch attr {
	case "index":
		return method(attr, func(r *runner, a args) (Value, error) {
			i, _, err := find(r, a)
			if err == nil && i < 0 {
				err = failf("the value is not in the list")
			}
			return int64(i), err
		}), true
	case "count":
		return method(attr, func(r *runner, a args) (Value, error) {
			_, n, err := find(r, a)
			return int64(n), err
		}), true
	case "copy":
		return method(attr, func(*runner, args) (Value, error) { return l, nil }), l.kind == kindList
	case "append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort":
		if l.kind == kindList {
			return unsafe(attr, "list"), true
		}
	}
	return nil, false
}

func loopProperty(l *loop, attr string) (Value, bool) {
	n := len(l.items)
	switch attr {
	case "index":
		return int64(l.index + 1), true
	case "index0":
		return int64(l.index), true
	case "revindex":
		return int64(n - l.index), true
	case "revindex0":
		return int64(n - l.index - 1), true
	case "first":
		return l.index == 0, true
	case "last":
		return l.index == n-1, true
	case "length":
		return int64(n), true
	case "depth":
		return int64(l.depth + 1), true
	case "depth0":
		return int64(l.depth), true
	case "previtem":
		if l.index == 0 {
			return undefined{"there is no previous item"}, true
		}
		return l.items[l.index-1], true
	case "nextitem":
		if l.index == n-1 {
			return undefined{"there is no next item"}, true
		}
		return l.items[l.index+1], true
	case "cycle":
		return method(attr, func(r *runner, a args) (Value, error) {
			if len(a.positional) == 0 {
				return nil, failf("no items for cycling given")
			}
			return a.positional[l.index%len(a.positional)], nil
		}), true
	case "changed":
		return method(attr, func(r *runner, a args) (Value, error) {
			before := l.changed
			l.changed = slices.Clip(append([]Value{}, a.positional...))
			if before == nil {
				return true, nil
			}
			eq, err := r.equal(&List{Items: before}, &List{Items: l.changed}, 0)
			return !eq, err
		}), true
	}
	return nil, false
}
