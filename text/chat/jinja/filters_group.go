package jinja

import "slices"

// groupByFilter makes pairs of a value and the items that have it.
func groupByFilter(r *runner, x Value, a args) (Value, error) {
	v, err := a.bind("groupby", "attribute", "default?", "case_sensitive?")
	if err != nil {
		return nil, err
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	get, err := r.getter(v[0], given(v[1], nil))
	if err != nil {
		return nil, err
	}
	keys := make([]Value, len(items))
	folded := make([]Value, len(items))
	for i, item := range items {
		if keys[i], err = get(item); err != nil {
			return nil, err
		}
		folded[i] = keys[i]
		if t, ok := keys[i].(Text); ok && !truth(given(v[2], false)) {
			folded[i] = t.mapped(lower)
		}
	}
	order := make([]Value, len(items))
	for i := range order {
		order[i] = int64(i)
	}
	if order, err = r.sorted(order, folded, false); err != nil {
		return nil, err
	}
	out := NewList()
	for n, o := range order {
		i := o.(int64)
		if n > 0 {
			eq, err := r.equal(folded[i], folded[order[n-1].(int64)], 0)
			if err != nil {
				return nil, err
			}
			if eq {
				group := out.Items[len(out.Items)-1].(*List).Items[1].(*List)
				group.Items = append(group.Items, items[i])
				continue
			}
		}
		out.Items = append(out.Items, &List{[]Value{keys[i], NewList(items[i])}, kindGroup})
	}
	return out, r.chargeItems(4 * len(items))
}

func sumFilter(r *runner, x Value, a args) (Value, error) {
	v, err := a.bind("sum", "attribute?", "start?")
	if err != nil {
		return nil, err
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	get, err := r.getter(given(v[0], nil), nil)
	if err != nil {
		return nil, err
	}
	sum := given(v[1], int64(0))
	for _, item := range items {
		x, err := get(item)
		if err != nil {
			return nil, err
		}
		if sum, err = r.operate("+", sum, x); err != nil {
			return nil, err
		}
	}
	return sum, nil
}

// batchFilter makes lists of n items; the last is filled up where a filling is
// given.
func batchFilter(r *runner, x Value, a args) (Value, error) {
	v, err := a.bind("batch", "linecount", "fill_with?")
	if err != nil {
		return nil, err
	}
	n, err := intOf("the size of a batch", v[0])
	if err != nil {
		return nil, err
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	if n < 1 {
		return nil, failf("the size of a batch is %d: it must be positive", n)
	}
	out := NewList()
	for part := range slices.Chunk(items, n) {
		l := NewList(slices.Clone(part)...)
		if fill := given(v[1], nil); fill != nil {
			if err := r.chargeItems(n); err != nil {
				return nil, err
			}
			for len(l.Items) < n {
				l.Items = append(l.Items, fill)
			}
		}
		out.Items = append(out.Items, l)
	}
	return out, r.chargeItems(2 * len(items))
}

// sliceFilter makes n lists of nearly equal length.
func sliceFilter(r *runner, x Value, a args) (Value, error) {
	v, err := a.bind("slice", "slices", "fill_with?")
	if err != nil {
		return nil, err
	}
	n, err := intOf("the number of slices", v[0])
	if err != nil {
		return nil, err
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	if n < 1 {
		return nil, failf("the number of slices is %d: it must be positive", n)
	}
	if err := r.chargeItems(3*n + len(items)); err != nil {
		return nil, err
	}
	size, more := len(items)/n, len(items)%n
	out := NewList()
	for i := range n {
		k := size
		if i < more {
			k++
		}
		l := NewList(slices.Clone(items[:k])...)
		items = items[k:]
		if fill := given(v[1], nil); fill != nil && i >= more {
			l.Items = append(l.Items, fill)
		}
		out.Items = append(out.Items, l)
	}
	return out, nil
}

func joinFilter(r *runner, x Value, a args) (Value, error) {
	v, err := a.bind("join", "d?", "attribute?")
	if err != nil {
		return nil, err
	}
	separator, err := r.str(given(v[0], Text{}))
	if err != nil {
		return nil, err
	}
	items, err := r.iterate(x)
	if err != nil {
		return nil, err
	}
	get, err := r.getter(given(v[1], nil), nil)
	if err != nil {
		return nil, err
	}
	return r.joined(separator, items, func(v Value) (Text, error) {
		v, err := get(v)
		if err != nil {
			return Text{}, err
		}
		return r.str(v)
	})
}
