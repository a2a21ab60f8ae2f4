package jinja

import (
	"strings"
	"unicode/utf8"
)

// part is the characters of t from start to end, which may be absent.
func (r *runner) part(t Text, start, end Value) (Text, error) {
	var bounds [3]*int64
	for i, b := range []Value{start, end} {
		if b = given(b, nil); b == nil {
			continue
		}
		n, err := intOf("a bound", b)
		if err != nil {
			return t, err
		}
		n64 := int64(n)
		bounds[i] = &n64
	}
	if bounds[0] == nil && bounds[1] == nil {
		return t, nil
	}
	from, _, n, err := sliceRange(r.length(t), bounds)
	if err != nil {
		return t, err
	}
	i := byteOf(t.s, from)
	return t.slice(i, i+byteOf(t.s[i:], n)), r.charge(len(t.s))
}

func (r *runner) find(t Text, a args, index func(s, sub string) int, must bool) (Value, error) {
	v, err := a.bind("find", "sub", "start?", "end?")
	if err != nil {
		return nil, err
	}
	sub, err := textOf("the argument of find", v[0])
	if err != nil {
		return nil, err
	}
	in, err := r.part(t, v[1], v[2])
	if err != nil {
		return nil, err
	}
	i := index(in.s, sub.s)
	if i < 0 {
		if must {
			return nil, failf("substring not found")
		}
		return int64(-1), r.charge(len(t.s))
	}
	n := utf8.RuneCountInString(in.s[:i])
	if start := given(v[1], nil); start != nil {
		from, _, _, err := sliceRange(r.length(t), [3]*int64{intPointer(start)})
		if err != nil {
			return nil, err
		}
		n += from
	}
	return int64(n), r.charge(len(t.s))
}

func intPointer(v Value) *int64 {
	i, _, _, _ := number(v)
	return &i
}

func countMethod(r *runner, t Text, a args) (Value, error) {
	v, err := a.bind("count", "sub", "start?", "end?")
	if err != nil {
		return nil, err
	}
	sub, err := textOf("the argument of count", v[0])
	if err != nil {
		return nil, err
	}
	if t, err = r.part(t, v[1], v[2]); err != nil {
		return nil, err
	}
	return int64(strings.Count(t.s, sub.s)), r.charge(len(t.s))
}

func replaceMethod(r *runner, t Text, a args) (Value, error) {
	v, err := a.bind("replace", "old", "new", "count?")
	if err != nil {
		return nil, err
	}
	old, err := textOf("the text to replace", v[0])
	if err != nil {
		return nil, err
	}
	with, err := textOf("the replacement", v[1])
	if err != nil {
		return nil, err
	}
	n, err := intOf("count", given(v[2], int64(-1)))
	if err != nil {
		return nil, err
	}
	return r.replace(t, old, with, n)
}

// replace puts with in the place of old, at most n times unless n is negative.
// What stays keeps its marks, what is put in has its own.
func (r *runner) replace(t, old, with Text, n int) (Value, error) {
	var b builder
	from := 0
	for first := true; n != 0; first = false {
		i := strings.Index(t.s[from:], old.s)
		if i < 0 {
			break
		}
		if old.s == "" && !first { // between characters
			if from == len(t.s) {
				break
			}
			i = runeLen(t.s[from:])
		}
		b.append(t.slice(from, from+i))
		b.append(with)
		from += i + len(old.s)
		n--
		if err := r.room(b.len()); err != nil {
			return nil, err
		}
		if err := r.step(); err != nil {
			return nil, err
		}
	}
	b.append(t.slice(from, len(t.s)))
	return b.text(), r.charge(b.len() + len(t.s))
}

// joined puts the separator between the texts of items.
func (r *runner) joined(separator Text, items []Value, str func(Value) (Text, error)) (Value, error) {
	var b builder
	for i, x := range items {
		if i > 0 {
			b.append(separator)
		}
		t, err := str(x)
		if err != nil {
			return nil, err
		}
		b.append(t)
		if err := r.room(b.len()); err != nil {
			return nil, err
		}
		if err := r.step(); err != nil {
			return nil, err
		}
	}
	return b.text(), r.charge(b.len())
}

func (r *runner) joinMethod(t Text, a args) (Value, error) {
	v, err := a.bind("join", "iterable")
	if err != nil {
		return nil, err
	}
	items, err := r.iterate(v[0])
	if err != nil {
		return nil, err
	}
	return r.joined(t, items, func(v Value) (Text, error) { return textOf("an item to join", v) })
}

// pad makes t at least width characters wide: side 0 pads after it, 2 before,
// 1 on both sides.
func (r *runner) pad(t Text, a args, side int) (Value, error) {
	v, err := a.bind("center", "width", "fillchar?")
	if err != nil {
		return nil, err
	}
	width, err := intOf("the width", v[0])
	if err != nil {
		return nil, err
	}
	fill, err := textOf("the fill character", given(v[1], written(" ")))
	if err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(fill.s) != 1 {
		return nil, failf("the fill character must be exactly one character long")
	}
	n := width - r.length(t)
	if n <= 0 {
		return t, nil
	}
	before := 0
	switch side {
	case 1:
		before = n/2 + n&width&1
	case 2:
		before = n
	}
	var out builder
	for _, count := range []int{before, -1, n - before} {
		if count < 0 {
			out.append(t)
			continue
		}
		p, err := r.repeat(fill, int64(count))
		if err != nil {
			return nil, err
		}
		out.append(p.(Text))
	}
	return out.text(), r.charge(out.len())
}

func zfill(r *runner, t Text, a args) (Value, error) {
	v, err := a.bind("zfill", "width")
	if err != nil {
		return nil, err
	}
	width, err := intOf("the width", v[0])
	if err != nil {
		return nil, err
	}
	sign := 0
	if strings.HasPrefix(t.s, "-") || strings.HasPrefix(t.s, "+") {
		sign = 1
	}
	zeros, err := r.repeat(written("0"), int64(width-r.length(t)))
	if err != nil {
		return nil, err
	}
	var b builder
	b.append(t.slice(0, sign))
	b.append(zeros.(Text))
	b.append(t.slice(sign, len(t.s)))
	return b.text(), r.charge(b.len())
}
