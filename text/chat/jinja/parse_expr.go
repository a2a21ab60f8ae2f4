package jinja

import (
	"slices"
	"strconv"
)

// expression reads "x if test else y" and everything that binds tighter.
func (p *parser) expression() expr {
	p.enter(p.peek().at)
	defer p.leave()
	x := p.or()
	for {
		t := p.peek()
		if !p.word("if") {
			return x
		}
		c := &conditional{place: place(t.at), x: x, test: p.or()}
		if p.word("else") {
			c.y = p.expression()
		}
		x = c
	}
}

// tuple reads one expression, or several with commas between them.
func (p *parser) tuple(print bool) expr { return p.tupleOf(p.expression, print, "") }

// tupleOf reads items with commas between them up to the end of the tag, a
// closing bracket, "=" or the word end. One item without a comma is itself.
func (p *parser) tupleOf(read func() expr, empty bool, end string) expr {
	at := place(p.peek().at)
	var items []expr
	for {
		t := p.peek()
		done := t.kind == tokenEnd || t.kind == tokenPrintEnd || t.kind == tokenBlockEnd || t.is(tokenOperator, ")") ||
			end != "" && t.is(tokenName, end)
		if done {
			if len(items) == 0 && !empty {
				p.fail(t.at, "an expression is missing before %s", t.describe())
			}
			break
		}
		x := read()
		if len(items) == 0 && !p.peek().is(tokenOperator, ",") {
			return x
		}
		items = append(items, x)
		if !p.operator(",") {
			break
		}
	}
	return &listExpr{at, items, true}
}

func (p *parser) or() expr {
	x := p.and()
	for t := p.peek(); p.word("or"); t = p.peek() {
		x = &binary{place(t.at), "or", x, p.and()}
	}
	return x
}

func (p *parser) and() expr {
	x := p.not()
	for t := p.peek(); p.word("and"); t = p.peek() {
		x = &binary{place(t.at), "and", x, p.not()}
	}
	return x
}

func (p *parser) not() expr {
	t := p.peek()
	if p.word("not") {
		p.enter(t.at)
		defer p.leave()
		return &unary{place(t.at), "not", p.not()}
	}
	return p.comparison()
}

var comparisons = []string{"==", "!=", "<", "<=", ">", ">="}

func (p *parser) comparison() expr {
	c := &comparison{place: place(p.peek().at), x: p.binary(0)}
	for {
		t := p.peek()
		switch {
		case t.kind == tokenOperator && slices.Contains(comparisons, t.text):
			p.next()
			c.ops = append(c.ops, t.text)
		case t.is(tokenName, "in"):
			p.next()
			c.ops = append(c.ops, "in")
		case t.is(tokenName, "not") && p.tokens[min(1, len(p.tokens)-1)].is(tokenName, "in"):
			p.next()
			p.next()
			c.ops = append(c.ops, "not in")
		default:
			if len(c.ops) == 0 {
				return c.x
			}
			return c
		}
		c.ys = append(c.ys, p.binary(0))
	}
}

// levels are the binary operators, the loosest first, all from left to right.
var levels = [][]string{{"+", "-"}, {"~"}, {"*", "/", "//", "%"}, {"**"}}

func (p *parser) binary(level int) expr {
	if level == len(levels) {
		return p.unary(true)
	}
	x := p.binary(level + 1)
	for {
		t := p.peek()
		if t.kind != tokenOperator || !slices.Contains(levels[level], t.text) {
			return x
		}
		p.next()
		x = &binary{place(t.at), t.text, x, p.binary(level + 1)}
	}
}

// unary reads a sign or a primary expression, with what follows it.
func (p *parser) unary(filters bool) expr {
	t := p.peek()
	var x expr
	if p.operator("-") || p.operator("+") {
		p.enter(t.at)
		x = &unary{place(t.at), t.text, p.unary(false)}
		p.leave()
	} else {
		x = p.primary()
	}
	x = p.postfix(x)
	if filters {
		x = p.filters(x, false)
	}
	return x
}

func (p *parser) primary() expr {
	t := p.next()
	at := place(t.at)
	switch t.kind {
	case tokenName:
		switch t.text {
		case "true", "True":
			return &constant{at, true}
		case "false", "False":
			return &constant{at, false}
		case "none", "None":
			return &constant{at, nil}
		}
		p.noticed(t.text)
		return &name{at, t.text}
	case tokenString:
		s := t.text
		for p.peek().kind == tokenString {
			s += p.next().text
		}
		return &constant{at, written(s)}
	case tokenInt:
		n, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			p.fail(t.at, "%s is no integer of 64 bits", t.text)
		}
		return &constant{at, n}
	case tokenFloat:
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			p.fail(t.at, "%s is no number", t.text)
		}
		return &constant{at, f}
	case tokenOperator:
		switch t.text {
		case "(":
			p.enter(t.at)
			x := p.tuple(true)
			p.leave()
			p.need(tokenOperator, ")")
			return x
		case "[":
			return p.list(at)
		case "{":
			return p.dict(at)
		}
	}
	p.fail(t.at, "%s is unexpected: want an expression", t.describe())
	return &constant{at, nil}
}

// noticed records the names by which a macro asks for all its arguments.
func (p *parser) noticed(name string) {
	if len(p.macros) == 0 {
		return
	}
	m := p.macros[len(p.macros)-1]
	switch name {
	case "varargs":
		m.varargs = true
	case "kwargs":
		m.kwargs = true
	case "caller":
		m.callers = true
	}
}

func (p *parser) list(at place) expr {
	x := &listExpr{place: at}
	for p.err == nil && !p.operator("]") {
		if len(x.items) > 0 {
			if p.need(tokenOperator, ","); p.operator("]") {
				break
			}
		}
		x.items = append(x.items, p.expression())
	}
	return x
}

func (p *parser) dict(at place) expr {
	x := &dictExpr{place: at}
	for p.err == nil && !p.operator("}") {
		if len(x.keys) > 0 {
			if p.need(tokenOperator, ","); p.operator("}") {
				break
			}
		}
		x.keys = append(x.keys, p.expression())
		p.need(tokenOperator, ":")
		x.values = append(x.values, p.expression())
	}
	return x
}

// postfix reads attributes, subscripts and calls.
func (p *parser) postfix(x expr) expr {
	for {
		t := p.peek()
		switch {
		case p.operator("."):
			n := p.next()
			switch n.kind {
			case tokenName:
				x = &attribute{place(t.at), x, n.text}
			case tokenInt:
				i, _ := strconv.ParseInt(n.text, 10, 64)
				x = &item{place(t.at), x, &constant{place(n.at), i}}
			default:
				p.fail(n.at, "%s is unexpected after the dot: want a name", n.describe())
			}
		case p.operator("["):
			x = &item{place(t.at), x, p.subscript(t)}
		case t.is(tokenOperator, "("):
			x = &call{place(t.at), x, p.arguments()}
		default:
			return x
		}
	}
}

func (p *parser) subscript(open token) expr {
	var keys []expr
	for p.err == nil && !p.operator("]") {
		if len(keys) > 0 {
			p.need(tokenOperator, ",")
		}
		keys = append(keys, p.subscribed())
	}
	if len(keys) == 1 {
		return keys[0]
	}
	if len(keys) == 0 {
		p.fail(open.at, "the brackets are empty: want a subscript")
	}
	return &listExpr{place(open.at), keys, true}
}

// subscribed is an expression or from:to:step.
func (p *parser) subscribed() expr {
	s := &sliceExpr{place: place(p.peek().at)}
	if !p.operator(":") {
		x := p.expression()
		if !p.operator(":") {
			return x
		}
		s.from = x
	}
	end := func() bool {
		t := p.peek()
		return t.is(tokenOperator, "]") || t.is(tokenOperator, ",") || t.is(tokenOperator, ":")
	}
	if !end() {
		s.to = p.expression()
	}
	if p.operator(":") && !end() {
		s.step = p.expression()
	}
	return s
}

func (p *parser) arguments() arguments {
	var a arguments
	p.need(tokenOperator, "(")
	for first := true; p.err == nil && !p.operator(")"); first = false {
		if !first {
			if p.need(tokenOperator, ","); p.operator(")") {
				break
			}
		}
		t := p.peek()
		switch {
		case p.operator("*") && a.list == nil && a.dict == nil:
			a.list = p.expression()
		case p.operator("**") && a.dict == nil:
			a.dict = p.expression()
		case t.kind == tokenName && p.tokens[min(1, len(p.tokens)-1)].is(tokenOperator, "=") && a.dict == nil:
			p.next()
			p.next()
			a.names = append(a.names, t.text)
			a.named = append(a.named, p.expression())
		case len(a.names) == 0 && a.list == nil && a.dict == nil:
			a.positional = append(a.positional, p.expression())
		default:
			p.fail(t.at, "this argument cannot stand after the ones before it")
		}
	}
	return a
}

// filters reads "|f", "is test" and calls after x. With inline, the first
// filter has no bar before it, as in a filter block.
func (p *parser) filters(x expr, inline bool) expr {
	for {
		t := p.peek()
		switch {
		case inline || p.operator("|"):
			inline = false
			f := &filter{place: place(t.at), x: x, name: p.dotted()}
			if p.peek().is(tokenOperator, "(") {
				f.args = p.arguments()
			}
			x = f
		case x != nil && p.word("is"):
			x = p.test(x, t)
		case t.is(tokenOperator, "(") && x != nil:
			x = &call{place(t.at), x, p.arguments()}
		default:
			return x
		}
	}
}

func (p *parser) dotted() string {
	s := p.need(tokenName, "").text
	for p.operator(".") {
		s += "." + p.need(tokenName, "").text
	}
	return s
}

// test reads what follows "is": a name, and arguments in brackets or one
// without.
func (p *parser) test(x expr, is token) expr {
	e := &test{place: place(is.at), x: x, negate: p.word("not")}
	e.name = p.dotted()
	switch t := p.peek(); {
	case t.is(tokenOperator, "("):
		e.args = p.arguments()
	case t.kind == tokenName && !slices.Contains([]string{"else", "or", "and", "if", "is", "not", "in", "recursive"}, t.text),
		t.kind == tokenString, t.kind == tokenInt, t.kind == tokenFloat, t.is(tokenOperator, "["), t.is(tokenOperator, "{"):
		e.args.positional = []expr{p.postfix(p.primary())}
	}
	return e
}
