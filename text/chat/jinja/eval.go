package jinja

import (
	"math"
	"strings"
	"unicode/utf8"
)

func (r *runner) eval(e expr, s *scope) (v Value, err error) {
	if err := r.enter(); err != nil {
		return nil, at(e.where(), err)
	}
	v, err = r.evaluated(e, s)
	r.leave()
	if err != nil {
		return nil, at(e.where(), err)
	}
	return v, nil
}

func (r *runner) evaluated(e expr, s *scope) (Value, error) {
	switch e := e.(type) {
	case *constant:
		return e.value, nil
	case *name:
		if v, ok := s.get(e.name); ok {
			return v, nil
		}
		return undefined{"'" + e.name + "' is undefined"}, nil
	case *listExpr:
		items, err := r.evalAll(e.items, s)
		if err != nil {
			return nil, err
		}
		l := &List{Items: items}
		if e.tuple {
			l.kind = kindTuple
		}
		return l, r.chargeItems(len(items))
	case *dictExpr:
		return r.dict(e, s)
	case *unary:
		return r.unary(e, s)
	case *binary:
		return r.binary(e, s)
	case *comparison:
		return r.comparison(e, s)
	case *conditional:
		test, err := r.eval(e.test, s)
		switch {
		case err != nil:
			return nil, err
		case truth(test):
			return r.eval(e.x, s)
		case e.y == nil:
			return undefined{"the inline if-expression evaluated to false and no else section was defined"}, nil
		}
		return r.eval(e.y, s)
	case *attribute:
		x, err := r.eval(e.x, s)
		if err != nil {
			return nil, err
		}
		return r.attribute(x, e.name)
	case *item:
		return r.itemExpr(e, s)
	case *call:
		f, err := r.eval(e.f, s)
		if err != nil {
			return nil, err
		}
		a, err := r.arguments(e.args, s)
		if err != nil {
			return nil, err
		}
		return r.call(f, a)
	case *filter:
		return r.filterExpr(e, s)
	case *test:
		x, err := r.eval(e.x, s)
		if err != nil {
			return nil, err
		}
		a, err := r.arguments(e.args, s)
		if err != nil {
			return nil, err
		}
		ok, err := r.test(e.name, x, a)
		return ok != e.negate, err
	}
	return nil, failf("a slice stands alone")
}

func (r *runner) dict(e *dictExpr, s *scope) (Value, error) {
	d := &Dict{}
	for i := range e.keys {
		k, err := r.eval(e.keys[i], s)
		if err != nil {
			return nil, err
		}
		v, err := r.eval(e.values[i], s)
		if err != nil {
			return nil, err
		}
		if err := d.put(k, v); err != nil {
			return nil, err
		}
	}
	return d, r.chargeItems(2 * len(d.keys))
}

func (r *runner) evalAll(es []expr, s *scope) ([]Value, error) {
	out := make([]Value, len(es))
	for i, e := range es {
		var err error
		if out[i], err = r.eval(e, s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *runner) unary(e *unary, s *scope) (Value, error) {
	x, err := r.eval(e.x, s)
	if err != nil {
		return nil, err
	}
	if e.op == "not" {
		return !truth(x), nil
	}
	i, f, isInt, ok := number(x)
	switch {
	case !ok:
		if u, ok := x.(undefined); ok {
			return nil, u.fail()
		}
		return nil, failf("bad operand type for unary %s: '%s'", e.op, typeName(x))
	case isInt && e.op == "-":
		if i == math.MinInt64 {
			return nil, errOverflow()
		}
		return -i, nil
	case isInt:
		return i, nil
	case e.op == "-":
		return -f, nil
	}
	return f, nil
}

func (r *runner) binary(e *binary, s *scope) (Value, error) {
	x, err := r.eval(e.x, s)
	if err != nil {
		return nil, err
	}
	if e.op == "and" && !truth(x) || e.op == "or" && truth(x) {
		return x, nil
	}
	y, err := r.eval(e.y, s)
	if err != nil || e.op == "and" || e.op == "or" {
		return y, err
	}
	return r.operate(e.op, x, y)
}

func (r *runner) comparison(e *comparison, s *scope) (Value, error) {
	x, err := r.eval(e.x, s)
	if err != nil {
		return nil, err
	}
	for i, op := range e.ops {
		y, err := r.eval(e.ys[i], s)
		if err != nil {
			return nil, err
		}
		ok, err := r.holds(op, x, y)
		if err != nil || !ok {
			return false, err
		}
		x = y
	}
	return true, nil
}

// holds tells whether "x op y" is true.
func (r *runner) holds(op string, x, y Value) (bool, error) {
	switch op {
	case "==":
		return r.equal(x, y, 0)
	case "!=":
		ok, err := r.equal(x, y, 0)
		return !ok, err
	case "in":
		return r.contains(y, x)
	case "not in":
		ok, err := r.contains(y, x)
		return !ok, err
	}
	for _, v := range []Value{x, y} { // NaN is neither less nor greater
		if f, ok := v.(float64); ok && math.IsNaN(f) {
			return false, nil
		}
	}
	c, err := r.compare(op, x, y, 0)
	switch op {
	case "<":
		return c < 0, err
	case "<=":
		return c <= 0, err
	case ">":
		return c > 0, err
	}
	return c >= 0, err
}

// attribute is x.name: a method or property, else an item.
func (r *runner) attribute(x Value, attr string) (Value, error) {
	if u, ok := x.(undefined); ok {
		return nil, u.fail()
	}
	if v, ok := property(x, attr); ok {
		return v, nil
	}
	if d, ok := x.(*Dict); ok {
		if v, ok := d.Get(attr); ok {
			return v, nil
		}
	}
	return missing(x, written(attr)), nil
}

// item is x[key]: an item, else a method or property.
func (r *runner) item(x, key Value) (Value, error) {
	switch x := x.(type) {
	case undefined:
		return nil, x.fail()
	case *Dict:
		if t, ok := key.(Text); ok {
			r.steps -= len(t.s) / 64
		}
		v, ok, err := x.get(key)
		if ok && err == nil {
			return v, nil
		}
	case *List:
		if i, _, isInt, ok := number(key); ok && isInt && (x.kind <= kindGroup || x.kind == kindRange) {
			if i < 0 {
				i += int64(len(x.Items))
			}
			if i >= 0 && i < int64(len(x.Items)) {
				return x.Items[i], nil
			}
		}
	case Text:
		if i, _, isInt, ok := number(key); ok && isInt {
			n := r.length(x)
			if i < 0 {
				i += int64(n)
			}
			if i >= 0 && i < int64(n) {
				from := byteOf(x.s, int(i))
				return x.slice(from, from+runeLen(x.s[from:])), nil
			}
		}
	}
	if attr, ok := key.(Text); ok {
		if v, ok := property(x, attr.s); ok {
			return v, nil
		}
	}
	return missing(x, key), nil
}

// missing is the undefined value of an attribute or item that x lacks.
func missing(x, key Value) Value {
	object := "'" + typeName(x) + " object'"
	if x == nil {
		object = "'None'"
	}
	switch k := key.(type) {
	case Text:
		return undefined{object + " has no attribute '" + k.s[:min(len(k.s), 200)] + "'"}
	case int64:
		return undefined{strings.Trim(object, "'") + " has no element " + intText(k)}
	}
	return undefined{object + " has no such element"}
}

func (r *runner) itemExpr(e *item, s *scope) (Value, error) {
	x, err := r.eval(e.x, s)
	if err != nil {
		return nil, err
	}
	if sl, ok := e.key.(*sliceExpr); ok {
		return r.slice(x, sl, s)
	}
	key, err := r.eval(e.key, s)
	if err != nil {
		return nil, err
	}
	return r.item(x, key)
}

// slice is x[from:to:step].
func (r *runner) slice(x Value, e *sliceExpr, s *scope) (Value, error) {
	var bounds [3]*int64
	for i, b := range []expr{e.from, e.to, e.step} {
		if b == nil {
			continue
		}
		v, err := r.eval(b, s)
		if err != nil {
			return nil, err
		}
		n, _, isInt, ok := number(v)
		if v == nil {
			continue
		}
		if !ok || !isInt {
			return nil, failf("slice indices must be integers or None, not %s", typeName(v))
		}
		bounds[i] = &n
	}
	switch x := x.(type) {
	case undefined:
		return nil, x.fail()
	case Text:
		from, step, n, err := sliceRange(r.length(x), bounds)
		if err != nil || n == 0 {
			return x.slice(0, 0), err
		}
		if step == 1 {
			i := byteOf(x.s, from)
			j := i + byteOf(x.s[i:], n)
			return x.slice(i, j), r.charge(j - i)
		}
		chars, err := r.iterate(x)
		if err != nil {
			return nil, err
		}
		var b builder
		for ; n > 0; n, from = n-1, from+step {
			b.append(chars[from].(Text))
		}
		return b.text(), r.charge(b.len())
	case *List:
		if x.kind > kindGroup && x.kind != kindRange {
			break
		}
		from, step, n, err := sliceRange(len(x.Items), bounds)
		if err != nil {
			return nil, err
		}
		out := &List{kind: min(x.kind, kindTuple)}
		if x.kind == kindRange {
			out.kind = kindRange
		}
		if err := r.chargeItems(n); err != nil {
			return nil, err
		}
		for ; n > 0; n, from = n-1, from+step {
			out.Items = append(out.Items, x.Items[from])
		}
		return out, nil
	}
	return undefined{"'" + typeName(x) + " object' has no slices"}, nil
}

// sliceRange is Python's rule for a sequence of length n: count items from from
// on, each step after the one before.
func sliceRange(n int, bounds [3]*int64) (from, step, count int, err error) {
	step = 1
	if b := bounds[2]; b != nil {
		step = int(min(max(*b, -int64(n)-1), int64(n)+1))
		if *b == 0 {
			return 0, 0, 0, failf("slice step cannot be zero")
		}
	}
	low, high := 0, n
	if step < 0 {
		low, high = -1, n-1
	}
	clip := func(b *int64, def int) int {
		if b == nil {
			return def
		}
		i := *b
		if i < 0 {
			i += int64(n)
		}
		return int(min(max(i, int64(low)), int64(high)))
	}
	if step > 0 {
		from, high = clip(bounds[0], 0), clip(bounds[1], n)
		return from, step, max(0, (high-from+step-1)/step), nil
	}
	from, low = clip(bounds[0], n-1), clip(bounds[1], -1)
	return from, step, max(0, (from-low-step-1)/-step), nil
}

// length counts the characters of t.
func (r *runner) length(t Text) int {
	r.steps -= len(t.s) / 64
	return utf8.RuneCountInString(t.s)
}

// runeLen is the bytes of the first character of s, which is not empty.
func runeLen(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// byteOf is where character i of s begins.
func byteOf(s string, i int) int {
	at := 0
	for ; i > 0; i-- {
		at += runeLen(s[at:])
	}
	return at
}
