package jinja

import (
	"math"
	"strconv"
	"strings"
)

// filters by name. The first value is what the filter is applied to.
var filters map[string]func(r *runner, x Value, a args) (Value, error)

func init() {
	text := func(f func(r *runner, t Text, a args) (Value, error)) func(r *runner, x Value, a args) (Value, error) {
		return func(r *runner, x Value, a args) (Value, error) {
			t, err := r.str(x)
			if err != nil {
				return nil, err
			}
			return f(r, t, a)
		}
	}
	filters = map[string]func(r *runner, x Value, a args) (Value, error){
		"abs": absFilter, "int": intFilter, "float": floatFilter, "round": roundFilter,
		"default": defaultFilter, "d": defaultFilter, "attr": attrFilter, "items": itemsFilter,
		"length": lengthFilter, "count": lengthFilter, "list": listFilter, "first": firstFilter, "last": lastFilter,
		"reverse": reverseFilter, "sort": sortFilter, "dictsort": dictSortFilter, "unique": uniqueFilter,
		"min":    func(r *runner, x Value, a args) (Value, error) { return r.extreme(x, a, -1) },
		"max":    func(r *runner, x Value, a args) (Value, error) { return r.extreme(x, a, 1) },
		"map":    mapFilter,
		"select": func(r *runner, x Value, a args) (Value, error) { return r.selected(x, a, false, true) },
		"reject": func(r *runner, x Value, a args) (Value, error) { return r.selected(x, a, false, false) },
		"selectattr": func(r *runner, x Value, a args) (Value, error) {
			return r.selected(x, a, true, true)
		},
		"rejectattr": func(r *runner, x Value, a args) (Value, error) {
			return r.selected(x, a, true, false)
		},
		"groupby": groupByFilter, "sum": sumFilter, "batch": batchFilter, "slice": sliceFilter, "join": joinFilter,
		"tojson":     toJSONFilter,
		"string":     text(func(r *runner, t Text, a args) (Value, error) { return t, nil }),
		"upper":      text(mapping(upper)),
		"lower":      text(mapping(lower)),
		"capitalize": text(func(r *runner, t Text, a args) (Value, error) { return r.capitalized(t) }),
		"title": text(func(r *runner, t Text, a args) (Value, error) {
			return r.titled(t, func(c rune) bool { return !isSpace(c) && !strings.ContainsRune("-({[<", c) })
		}),
		"trim":      text(func(r *runner, t Text, a args) (Value, error) { return r.strip(t, a, true, true) }),
		"replace":   text(replaceFilter),
		"format":    text(formatFilter),
		"indent":    text(indentFilter),
		"truncate":  text(truncateFilter),
		"center":    text(centerFilter),
		"wordcount": text(wordCountFilter),
		"urlencode": urlEncodeFilter,
		"escape":    text(escapeFilter), "e": text(escapeFilter), "forceescape": text(forceEscapeFilter), "safe": text(safeFilter),
	}
}

func (r *runner) filterExpr(e *filter, s *scope) (Value, error) {
	var x Value
	var err error
	if e.x == nil {
		x, _ = s.get(blockText)
	} else if x, err = r.eval(e.x, s); err != nil {
		return nil, err
	}
	a, err := r.arguments(e.args, s)
	if err != nil {
		return nil, err
	}
	return r.filter(e.name, x, a)
}

func (r *runner) filter(name string, x Value, a args) (Value, error) {
	f, ok := filters[name]
	if !ok {
		return nil, failf("there is no filter '%s'", name)
	}
	return f(r, x, a)
}

func absFilter(r *runner, x Value, a args) (Value, error) {
	i, f, isInt, ok := number(x)
	switch {
	case !ok:
		return nil, failf("bad operand type for abs(): '%s'", typeName(x))
	case isInt && i == math.MinInt64:
		return nil, errOverflow()
	case isInt:
		return max(i, -i), nil
	}
	return math.Abs(f), nil
}

// intFilter is Python's int, or the default where that fails.
func intFilter(r *runner, x Value, a args) (Value, error) {
	v, err := a.bind("int", "default?", "base?")
	if err != nil {
		return nil, err
	}
	if u, ok := x.(undefined); ok {
		return nil, u.fail()
	}
	base, err := intOf("the base", given(v[1], int64(10)))
	if err != nil {
		return nil, err
	}
	if t, ok := x.(Text); ok {
		if base < 0 || base == 1 || base > 36 {
			return given(v[0], int64(0)), nil
		}
		s := strings.ToLower(strings.TrimFunc(t.s, isSpace))
		for prefix, b := range map[string]int{"0x": 16, "0o": 8, "0b": 2} {
			if base == b {
				s = strings.TrimPrefix(s, prefix)
			}
		}
		if n, err := strconv.ParseInt(s, base, 64); err == nil {
			return n, nil
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return given(v[0], int64(0)), nil
		}
		x = f
	}
	i, f, isInt, ok := number(x)
	switch {
	case ok && isInt:
		return i, nil
	case ok && math.Abs(f) < 1<<63:
		return int64(f), nil
	case ok && !math.IsNaN(f) && !math.IsInf(f, 0):
		return nil, errOverflow()
	}
	if b, ok := x.(bigInt); ok {
		return b, nil
	}
	return given(v[0], int64(0)), nil
}

func floatFilter(r *runner, x Value, a args) (Value, error) {
	v, err := a.bind("float", "default?")
	if err != nil {
		return nil, err
	}
	switch x := x.(type) {
	case undefined:
		return nil, x.fail()
	case Text:
		if f, err := strconv.ParseFloat(strings.TrimFunc(x.s, isSpace), 64); err == nil || math.IsInf(f, 0) {
			return f, nil
		}
	default:
		if _, f, _, ok := number(x); ok {
			return f, nil
		}
	}
	return given(v[0], 0.0), nil
}

func roundFilter(r *runner, x Value, a args) (Value, error) {
	v, err := a.bind("round", "precision?", "method?")
	if err != nil {
		return nil, err
	}
	digits, err := intOf("the precision", given(v[0], int64(0)))
	if err != nil {
		return nil, err
	}
	how, err := textOf("the method", given(v[1], written("common")))
	if err != nil {
		return nil, err
	}
	i, f, isInt, ok := number(x)
	if !ok {
		return nil, failf("type %s cannot be rounded", typeName(x))
	}
	digits = min(max(digits, -400), 400)
	switch how.s {
	case "common":
		if isInt && digits >= 0 {
			return i, nil
		}
		f = roundHalfEven(f, digits)
		if isInt {
			return int64(f), nil
		}
		return f, nil
	case "ceil":
		return math.Ceil(f*math.Pow10(digits)) / math.Pow10(digits), nil
	case "floor":
		return math.Floor(f*math.Pow10(digits)) / math.Pow10(digits), nil
	}
	return nil, failf("the method of round must be common, ceil or floor")
}

// roundHalfEven rounds the decimal value of f, as Python does.
func roundHalfEven(f float64, digits int) float64 {
	if digits < 0 {
		p := math.Pow10(-digits)
		return math.RoundToEven(f/p) * p
	}
	out, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', digits, 64), 64)
	if err != nil {
		return f
	}
	return out
}

func defaultFilter(r *runner, x Value, a args) (Value, error) {
	v, err := a.bind("default", "default_value?", "boolean?")
	if err != nil {
		return nil, err
	}
	if _, ok := x.(undefined); ok || truth(given(v[1], false)) && !truth(x) {
		return given(v[0], Text{}), nil
	}
	return x, nil
}

func attrFilter(r *runner, x Value, a args) (Value, error) {
	v, err := a.bind("attr", "name")
	if err != nil {
		return nil, err
	}
	name, err := textOf("the name", v[0])
	if err != nil {
		return nil, err
	}
	if v, ok := property(x, name.s); ok {
		return v, nil
	}
	return missing(x, name), nil
}

func replaceFilter(r *runner, t Text, a args) (Value, error) {
	v, err := a.bind("replace", "old", "new", "count?")
	if err != nil {
		return nil, err
	}
	old, err := r.str(v[0])
	if err != nil {
		return nil, err
	}
	with, err := r.str(v[1])
	if err != nil {
		return nil, err
	}
	n := -1
	if c := given(v[2], nil); c != nil {
		if n, err = intOf("count", c); err != nil {
			return nil, err
		}
	}
	return r.replace(t, old, with, n)
}

func toJSONFilter(r *runner, x Value, a args) (Value, error) {
	v, err := a.bind("tojson", "ensure_ascii?", "indent?", "separators?", "sort_keys?")
	if err != nil {
		return nil, err
	}
	style := jsonStyle{ascii: truth(given(v[0], false)), sorted: truth(given(v[3], false)), comma: ", ", colon: ": "}
	switch indent := given(v[1], nil).(type) {
	case nil:
	case Text:
		style.lines, style.indent = true, indent.s
	default:
		n, err := intOf("the indent", indent)
		if err != nil {
			return nil, err
		}
		style.lines, style.indent = true, strings.Repeat(" ", min(max(n, 0), maxIndent+1))
	}
	if len(style.indent) > maxIndent {
		return nil, failf("the indent is longer than %d characters", maxIndent)
	}
	if style.lines {
		style.comma = ","
	}
	if s := given(v[2], nil); s != nil {
		pair, err := r.iterate(s)
		if err != nil {
			return nil, err
		}
		if len(pair) != 2 {
			return nil, failf("separators must be two strings")
		}
		for i, p := range []*string{&style.comma, &style.colon} {
			t, err := textOf("a separator", pair[i])
			if err != nil {
				return nil, err
			}
			*p = t.s
		}
	}
	var b builder
	if err := r.json(&b, x, &style, 0); err != nil {
		return nil, err
	}
	out := b.text()
	for _, arg := range v[1:3] {
		parts, _ := r.iterate(arg)
		for _, p := range append([]Value{arg}, parts...) {
			if t, ok := p.(Text); ok {
				out = out.directed(t)
			}
		}
	}
	return out, r.charge(b.len())
}

const maxIndent = 1000
