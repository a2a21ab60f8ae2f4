package jinja

import (
	"slices"
	"strconv"
	"strings"
)

func itemsFilter(r *runner, x Value, a args) (Value, error) {
	switch x := x.(type) {
	case undefined:
		return NewList(), nil
	case *Dict:
		return NewList(x.items()...), r.chargeItems(4 * len(x.keys))
	}
	return nil, failf("can only get item pairs from a mapping, not %s", typeName(x))
}

func lengthFilter(r *runner, x Value, a args) (Value, error) {
	switch x := x.(type) {
	case Text:
		return int64(r.length(x)), nil
	case *List:
		return int64(len(x.Items)), nil
	case *Dict:
		return int64(len(x.keys)), nil
	case undefined:
		return int64(0), nil
	case *loop:
		return int64(len(x.items)), nil
	}
	return nil, failf("object of type '%s' has no len()", typeName(x))
}

func listFilter(r *runner, x Value, a args) (Value, error) {
	items, err := r.iterate(x)
	return NewList(items...), err
}

func firstFilter(r *runner, x Value, a args) (Value, error) {
	items, err := r.iterate(x)
	if err == nil && len(items) == 0 {
		return undefined{"no first item, the sequence was empty"}, nil
	}
	if err != nil {
		return nil, err
	}
	return items[0], nil
}

func lastFilter(r *runner, x Value, a args) (Value, error) {
	items, err := r.iterate(x)
	if err == nil && len(items) == 0 {
		return undefined{"no last item, the sequence was empty"}, nil
	}
	if err != nil {
		return nil, err
	}
	return items[len(items)-1], nil
}

func reverseFilter(r *runner, x Value, a args) (Value, error) {
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	if err := r.chargeItems(len(items)); err != nil {
		return nil, err
	}
	items = slices.Clone(items)
	slices.Reverse(items)
	if _, ok := x.(Text); !ok {
		return NewList(items...), nil
	}
	return r.joined(Text{}, items, r.str)
}

// getter reads an attribute such as "function.name" or "0.id" of a value; nil
// is the value itself.
func (r *runner) getter(attribute, def Value) (func(Value) (Value, error), error) {
	var parts []Value
	switch attr := attribute.(type) {
	case nil:
	case int64:
		parts = []Value{attr}
	case Text:
		for _, p := range strings.Split(attr.s, ".") {
			if i, err := strconv.ParseInt(p, 10, 64); err == nil && i >= 0 {
				parts = append(parts, i)
			} else {
				parts = append(parts, written(p))
			}
		}
	default:
		return nil, failf("an attribute must be a string or an integer, not %s", typeName(attribute))
	}
	return func(v Value) (Value, error) {
		for _, p := range parts {
			var err error
			if v, err = r.item(v, p); err != nil {
				return nil, err
			}
			if _, ok := v.(undefined); ok && def != nil {
				v = def
			}
		}
		return v, r.step()
	}, nil
}

// keyed applies a getter to all items, with strings in lower case unless case
// counts.
func (r *runner) keyed(items []Value, attribute Value, caseSensitive bool) ([]Value, error) {
	get, err := r.getter(attribute, nil)
	if err != nil {
		return nil, err
	}
	keys := make([]Value, len(items))
	for i, x := range items {
		if keys[i], err = get(x); err != nil {
			return nil, err
		}
		if t, ok := keys[i].(Text); ok && !caseSensitive {
			keys[i] = t.mapped(lower)
			if err := r.charge(len(t.s)); err != nil {
				return nil, err
			}
		}
	}
	return keys, r.chargeItems(len(items))
}

// sorted orders items by keys; equal keys keep their order.
func (r *runner) sorted(items, keys []Value, reversed bool) ([]Value, error) {
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	var fail error
	slices.SortStableFunc(order, func(i, j int) int {
		if fail != nil {
			return 0
		}
		var c int
		if c, fail = r.compare("<", keys[i], keys[j], 0); reversed {
			c = -c
		}
		return c
	})
	out := make([]Value, len(items))
	for i, j := range order {
		out[i] = items[j]
	}
	return out, fail
}

func sortFilter(r *runner, x Value, a args) (Value, error) {
	v, err := a.bind("sort", "reverse?", "case_sensitive?", "attribute?")
	if err != nil {
		return nil, err
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	attr := given(v[2], nil)
	caseSensitive := truth(given(v[1], false))
	t, ok := attr.(Text)
	if !ok || !strings.Contains(t.s, ",") {
		keys, err := r.keyed(items, attr, caseSensitive)
		if err != nil {
			return nil, err
		}
		items, err = r.sorted(items, keys, truth(given(v[0], false)))
		return NewList(items...), err
	}
	tuples := make([]Value, len(items)) // sort by several attributes
	for i := range tuples {
		tuples[i] = &List{kind: kindTuple}
	}
	for _, one := range strings.Split(t.s, ",") {
		keys, err := r.keyed(items, written(one), caseSensitive)
		if err != nil {
			return nil, err
		}
		for i, k := range keys {
			l := tuples[i].(*List)
			l.Items = append(l.Items, k)
		}
	}
	items, err = r.sorted(items, tuples, truth(given(v[0], false)))
	return NewList(items...), err
}

func dictSortFilter(r *runner, x Value, a args) (Value, error) {
	v, err := a.bind("dictsort", "case_sensitive?", "by?", "reverse?")
	if err != nil {
		return nil, err
	}
	d, ok := x.(*Dict)
	if !ok {
		return nil, failf("dictsort wants a mapping, not %s", typeName(x))
	}
	by := int64(0)
	switch t, _ := given(v[1], written("key")).(Text); t.s {
	case "key":
	case "value":
		by = 1
	default:
		return nil, failf("dictsort sorts by either 'key' or 'value'")
	}
	items := d.items()
	keys, err := r.keyed(items, by, truth(given(v[0], false)))
	if err != nil {
		return nil, err
	}
	items, err = r.sorted(items, keys, truth(given(v[2], false)))
	return NewList(items...), err
}

func uniqueFilter(r *runner, x Value, a args) (Value, error) {
	v, err := a.bind("unique", "case_sensitive?", "attribute?")
	if err != nil {
		return nil, err
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	keys, err := r.keyed(items, given(v[1], nil), truth(given(v[0], false)))
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	out := NewList()
	for i, k := range keys {
		h, err := hashed(k, 0)
		if err != nil {
			return nil, err
		}
		if !seen[h] {
			seen[h] = true
			out.Items = append(out.Items, items[i])
		}
	}
	return out, nil
}

// extreme is min (sign -1) and max (sign 1).
func (r *runner) extreme(x Value, a args, sign int) (Value, error) {
	v, err := a.bind("min or max", "case_sensitive?", "attribute?")
	if err != nil {
		return nil, err
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return undefined{"no aggregated item, the sequence was empty"}, nil
	}
	keys, err := r.keyed(items, given(v[1], nil), truth(given(v[0], false)))
	if err != nil {
		return nil, err
	}
	best := 0
	for i := range keys {
		c, err := r.compare("<", keys[i], keys[best], 0)
		if err != nil {
			return nil, err
		}
		if c*sign > 0 {
			best = i
		}
	}
	return items[best], nil
}

// mapFilter applies a filter to every item, or takes an attribute of each.
func mapFilter(r *runner, x Value, a args) (Value, error) {
	var apply func(Value) (Value, error)
	if len(a.positional) == 0 {
		v, err := a.bind("map", "attribute", "default?")
		if err != nil {
			return nil, err
		}
		if apply, err = r.getter(given(v[0], nil), given(v[1], nil)); err != nil {
			return nil, err
		}
	} else {
		name, err := textOf("the name of a filter", a.positional[0])
		if err != nil {
			return nil, err
		}
		rest := args{a.positional[1:], a.names, a.named, a.keys}
		apply = func(v Value) (Value, error) { return r.filter(name.s, v, rest) }
	}
	if !truth(x) { // None too is an empty list here
		return NewList(), nil
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	out := NewList()
	for _, item := range items {
		v, err := r.nested(apply, item)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, v)
	}
	return out, r.chargeItems(len(out.Items))
}

// nested calls f one level deeper: filters may call filters by name.
func (r *runner) nested(f func(Value) (Value, error), x Value) (Value, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	defer r.leave()
	return f(x)
}

// selected is select and reject (byAttribute: selectattr and rejectattr): the
// items for which a test gives keep.
func (r *runner) selected(x Value, a args, byAttribute, keep bool) (Value, error) {
	get := func(v Value) (Value, error) { return v, nil }
	if byAttribute {
		if len(a.positional) == 0 {
			return nil, failf("the name of the attribute is missing")
		}
		var err error
		if get, err = r.getter(a.positional[0], nil); err != nil {
			return nil, err
		}
		a.positional = a.positional[1:]
	}
	holds := func(v Value) (bool, error) { return truth(v), nil }
	if len(a.positional) > 0 {
		name, err := textOf("the name of a test", a.positional[0])
		if err != nil {
			return nil, err
		}
		rest := args{a.positional[1:], a.names, a.named, a.keys}
		holds = func(v Value) (bool, error) { return r.test(name.s, v, rest) }
	}
	if !truth(x) { // None too is an empty list here
		return NewList(), nil
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	out := NewList()
	for _, item := range items {
		v, err := get(item)
		if err != nil {
			return nil, err
		}
		ok, err := holds(v)
		if err != nil {
			return nil, err
		}
		if ok == keep {
			out.Items = append(out.Items, item)
		}
		if err := r.step(); err != nil {
			return nil, err
		}
	}
	return out, r.chargeItems(len(out.Items))
}
