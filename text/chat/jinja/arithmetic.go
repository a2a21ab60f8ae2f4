package jinja

import (
	"math"
	"math/bits"
	"strconv"
)

func errOverflow() error { return failf("the integer needs more than 64 bits") }

func intText(i int64) string { return strconv.FormatInt(i, 10) }

// operate is x op y for the operators of arithmetic, "+" of sequences, "*" of a
// sequence and a number, "%" of a format, and "~".
func (r *runner) operate(op string, x, y Value) (Value, error) {
	if op == "~" {
		a, err := r.str(x)
		if err != nil {
			return nil, err
		}
		b, err := r.str(y)
		if err != nil {
			return nil, err
		}
		return r.concat(a, b)
	}
	for _, v := range []Value{x, y} {
		if u, ok := v.(undefined); ok {
			return nil, u.fail()
		}
	}
	i, f, int1, ok1 := number(x)
	j, g, int2, ok2 := number(y)
	switch {
	case ok1 && ok2 && int1 && int2 && op != "/":
		return intArithmetic(op, i, j)
	case ok1 && ok2:
		return floatArithmetic(op, f, g)
	}
	switch x := x.(type) {
	case Text:
		switch op {
		case "+":
			if y, ok := y.(Text); ok {
				return r.plus(x, y)
			}
			return nil, failf(`can only concatenate str (not "%s") to str`, typeName(y))
		case "%":
			return r.percent(x, y)
		case "*":
			if ok2 && int2 {
				return r.repeat(x, j)
			}
		}
	case *List:
		if y, ok := y.(*List); ok && op == "+" && x.kind <= kindGroup && y.kind <= kindGroup && (x.kind == kindList) == (y.kind == kindList) {
			if err := r.chargeItems(len(x.Items) + len(y.Items)); err != nil {
				return nil, err
			}
			return &List{append(append([]Value(nil), x.Items...), y.Items...), min(x.kind, kindTuple)}, nil
		}
		if op == "*" && ok2 && int2 && x.kind <= kindGroup {
			return r.repeat(x, j)
		}
	}
	if op == "*" && ok1 && int1 {
		switch y.(type) {
		case Text, *List:
			return r.repeat(y, i)
		}
	}
	return nil, failf("unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(x), typeName(y))
}

func (r *runner) concat(a, b Text) (Value, error) {
	var out builder
	if err := r.charge(len(a.s) + len(b.s)); err != nil {
		return nil, err
	}
	out.append(a)
	out.append(b)
	return out.text(), nil
}

// plus is a + b: where one is Markup, the other is escaped.
func (r *runner) plus(a, b Text) (Value, error) {
	if !a.safe && !b.safe {
		return r.concat(a, b)
	}
	v, err := r.concat(escaped(a), escaped(b))
	if err != nil {
		return nil, err
	}
	t := v.(Text)
	t.safe = true
	return t, nil
}

// repeat is a sequence n times.
func (r *runner) repeat(x Value, n int64) (Value, error) {
	n = max(n, 0)
	switch x := x.(type) {
	case Text:
		hi, size := bits.Mul64(uint64(n), uint64(len(x.s)))
		if hi > 0 || size > uint64(r.limits.Output) {
			return nil, r.room(math.MaxInt)
		}
		if err := r.charge(int(size)); err != nil || size == 0 {
			return x.slice(0, 0), err
		}
		var b builder
		for range n {
			b.append(x)
		}
		return b.text(), nil
	case *List:
		hi, size := bits.Mul64(uint64(n), uint64(len(x.Items)))
		if hi > 0 || size > math.MaxInt32 {
			size = math.MaxInt32
		}
		if err := r.chargeItems(int(size)); err != nil {
			return nil, err
		}
		out := &List{kind: min(x.kind, kindTuple)}
		for len(out.Items) < int(size) {
			out.Items = append(out.Items, x.Items...)
		}
		return out, nil
	}
	return nil, failf("'%s' object cannot be repeated", typeName(x))
}

func intArithmetic(op string, i, j int64) (Value, error) {
	switch op {
	case "+":
		if s := i + j; (s > i) == (j > 0) {
			return s, nil
		}
	case "-":
		if s := i - j; (s < i) == (j > 0) {
			return s, nil
		}
	case "*":
		if p, ok := product(i, j); ok {
			return p, nil
		}
	case "//", "%":
		if j == 0 {
			return nil, failf("integer division or modulo by zero")
		}
		if i == math.MinInt64 && j == -1 {
			break
		}
		q, m := i/j, i%j
		if m != 0 && (m < 0) != (j < 0) {
			q, m = q-1, m+j
		}
		if op == "%" {
			return m, nil
		}
		return q, nil
	case "**":
		if j < 0 {
			return floatArithmetic(op, float64(i), float64(j))
		}
		p := int64(1)
		if i >= -1 && i <= 1 {
			j = min(j, 2+j%2) // 0, 1 and -1 repeat
		}
		for ; j > 0; j-- {
			var ok bool
			if p, ok = product(p, i); !ok {
				return nil, errOverflow()
			}
		}
		return p, nil
	}
	return nil, errOverflow()
}

func product(i, j int64) (int64, bool) {
	if i == 0 || j == 0 {
		return 0, true
	}
	if i == -1 || j == -1 {
		return i * j, i != math.MinInt64 && j != math.MinInt64
	}
	p := i * j
	return p, p/j == i
}

func floatArithmetic(op string, f, g float64) (Value, error) {
	if g == 0 && (op == "/" || op == "//" || op == "%") {
		return nil, failf("division by zero")
	}
	switch op {
	case "+":
		return f + g, nil
	case "-":
		return f - g, nil
	case "*":
		return f * g, nil
	case "/":
		return f / g, nil
	case "//":
		return math.Floor(f / g), nil
	case "%":
		m := math.Mod(f, g)
		if m != 0 && (m < 0) != (g < 0) {
			m += g
		}
		return m, nil
	}
	if f < 0 && g != math.Trunc(g) || f == 0 && g < 0 {
		return nil, failf("%s ** %s is no real number", floatText(f), floatText(g))
	}
	return math.Pow(f, g), nil
}
