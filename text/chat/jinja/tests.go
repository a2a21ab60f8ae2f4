package jinja

// tests by name, those without arguments.
var tests = map[string]func(x Value) bool{
	"defined":   func(x Value) bool { _, ok := x.(undefined); return !ok },
	"undefined": func(x Value) bool { _, ok := x.(undefined); return ok },
	"none":      func(x Value) bool { return x == nil },
	"boolean":   func(x Value) bool { _, ok := x.(bool); return ok },
	"true":      func(x Value) bool { b, ok := x.(bool); return ok && b },
	"false":     func(x Value) bool { b, ok := x.(bool); return ok && !b },
	"integer":   isInteger,
	"float":     func(x Value) bool { _, ok := x.(float64); return ok },
	"number": func(x Value) bool {
		_, _, _, ok := number(x)
		return ok || isInteger(x)
	},
	"string":  func(x Value) bool { _, ok := x.(Text); return ok },
	"mapping": func(x Value) bool { _, ok := x.(*Dict); return ok },
	"sequence": func(x Value) bool {
		if l, ok := x.(*List); ok {
			return l.kind <= kindGroup || l.kind == kindRange
		}
		_, isDict := x.(*Dict)
		_, isText := x.(Text)
		return isDict || isText
	},
	"iterable": iterable,
	"callable": func(x Value) bool {
		switch x.(type) {
		case *function, *loop, *joiner, undefined:
			return true
		}
		return false
	},
	"escaped": func(x Value) bool { t, ok := x.(Text); return ok && t.safe },
}

func isInteger(x Value) bool {
	switch x.(type) {
	case int64, bigInt:
		return true
	}
	return false
}

// relations are the tests that compare with an argument, by their operators.
var relations = map[string]string{
	"==": "==", "eq": "==", "equalto": "==", "!=": "!=", "ne": "!=",
	"<": "<", "lt": "<", "lessthan": "<", "<=": "<=", "le": "<=",
	">": ">", "gt": ">", "greaterthan": ">", ">=": ">=", "ge": ">=", "in": "in",
}

func (r *runner) test(name string, x Value, a args) (bool, error) {
	if f, ok := tests[name]; ok {
		_, err := a.bind("the test " + name)
		return f(x), err
	}
	if op, ok := relations[name]; ok {
		v, err := a.bind("the test "+name, "other")
		if err != nil {
			return false, err
		}
		return r.holds(op, x, v[0])
	}
	switch name {
	case "sameas":
		v, err := a.bind("sameas", "other")
		if err != nil {
			return false, err
		}
		return same(x, v[0]), nil
	case "divisibleby", "odd", "even":
		return r.divisible(name, x, a)
	case "lower", "upper":
		t, err := r.str(x)
		if err != nil {
			return false, err
		}
		v, err := textMethods["is"+name](r, t, args{})
		return v == true, err
	case "filter", "test":
		t, err := textOf("the name", x)
		if err != nil {
			return false, err
		}
		if _, ok := filters[t.s]; name == "filter" {
			return ok, nil
		}
		_, one := tests[t.s]
		_, two := relations[t.s]
		return one || two || t.s == "sameas" || t.s == "divisibleby" || t.s == "odd" || t.s == "even", nil
	}
	return false, failf("there is no test '%s'", name)
}

func (r *runner) divisible(name string, x Value, a args) (bool, error) {
	by := Value(int64(2))
	if name == "divisibleby" {
		v, err := a.bind(name, "num")
		if err != nil {
			return false, err
		}
		by = v[0]
	}
	m, err := r.operate("%", x, by)
	if err != nil {
		return false, err
	}
	want := int64(0)
	if name == "odd" {
		want = 1
	}
	return r.equal(m, want, 0)
}
