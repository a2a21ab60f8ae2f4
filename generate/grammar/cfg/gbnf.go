package cfg

// GBNF reads a grammar in the syntax of llama.cpp. Its start rule is root.
func GBNF(src string) (*Grammar, error) {
	return bnf(src, true, "root")
}

// bnf reads the two syntaxes that define rules by ::=, GBNF and the EBNF of the W3C.
// They differ in what stands within quotation marks and brackets. A rule goes on to
// where the next begins, whatever the lines.
func bnf(src string, escapes bool, starts ...string) (*Grammar, error) {
	s, err := newScanner(src)
	if err != nil {
		return nil, err
	}
	p := &bnfParser{scanner: s, escapes: escapes}
	g := &Grammar{src: src}
	for p.skip(); p.more(); p.skip() {
		at := p.pos
		name, ok := p.ruleStart()
		if !ok {
			p.fail("a rule begins with its name and ::=")
			break
		}
		p.add(g, &rule{name: name, at: at, body: p.alternatives()})
		p.eat(";")
	}
	if p.problem != nil {
		return nil, p.problem
	}
	return g, g.resolve(starts...)
}

type bnfParser struct {
	*scanner
	escapes bool // GBNF
}

// skip passes white space and comments.
func (p *bnfParser) skip() {
	for p.more() {
		switch {
		case p.peek(" "), p.peek("\t"), p.peek("\n"), p.peek("\r"):
			p.pos++
		case p.escapes && p.peek("#"), !p.escapes && p.peek("//"):
			for p.more() && !p.peek("\n") {
				p.pos++
			}
		case !p.escapes && p.eat("/*"):
			for at := p.pos; !p.eat("*/"); p.pos++ {
				if !p.more() {
					p.failAt(at, "a comment without end")
					return
				}
			}
		default:
			return
		}
	}
}

// ruleName reads a name, which the W3C's predecessors put into angle brackets.
func (p *bnfParser) ruleName() string {
	if p.escapes {
		return p.name("")
	}
	if !p.eat("<") {
		return p.name(".")
	}
	name := p.name(" .")
	if !p.eat(">") {
		p.fail("a name without closing >")
	}
	return name
}

// ruleStart reads "name ::=" if that follows.
func (p *bnfParser) ruleStart() (name string, ok bool) {
	at := p.pos
	if p.peek("<") && p.escapes {
		return "", false
	}
	if name = p.ruleName(); name != "" {
		p.skip()
		if p.eat("::=") {
			return name, true
		}
	}
	p.pos = at
	return "", false
}

func (p *bnfParser) alternatives() *expr {
	return p.nested(func() *expr {
		kids := []*expr{p.sequence()}
		for p.eat("|") {
			kids = append(kids, p.sequence())
		}
		return alt(kids...)
	})
}

func (p *bnfParser) sequence() *expr {
	kids := []*expr{}
	for p.skip(); p.more() && !p.peek("|") && !p.peek(")") && !p.peek(";"); p.skip() {
		at := p.pos
		if _, ok := p.ruleStart(); ok {
			p.pos = at
			break
		}
		kids = append(kids, p.item())
	}
	return seq(kids...)
}

// item reads a repeated symbol, without another if the W3C's minus follows.
func (p *bnfParser) item() *expr {
	at := p.pos
	x := p.repeated()
	if p.escapes {
		return x
	}
	if p.skip(); p.eat("-") {
		p.skip()
		x = &expr{kind: isExcept, kids: []*expr{x, p.repeated()}, at: at}
	}
	return x
}

func (p *bnfParser) repeated() *expr {
	if !p.more() {
		return p.fail("the grammar ends within a rule")
	}
	x := p.symbol()
	for p.problem == nil {
		at := p.pos
		p.skip()
		switch {
		case p.eat("*"):
			x = repeat(x, 0, -1)
		case p.eat("+"):
			x = repeat(x, 1, -1)
		case p.eat("?"):
			x = repeat(x, 0, 1)
		case p.escapes && p.eat("{"):
			x = p.bounds(x)
		default:
			p.pos = at
			return x
		}
	}
	return x
}

// bounds reads m}, m,}, m,n} or ,n}.
func (p *bnfParser) bounds(x *expr) *expr {
	p.skip()
	least, low := p.number()
	most := least
	p.skip()
	if p.eat(",") {
		p.skip()
		var high bool
		if most, high = p.number(); !high {
			most = -1
		}
		low = low || high
		p.skip()
	}
	if !low || !p.eat("}") {
		return p.fail("a repetition is written {m}, {m,}, {m,n} or {,n}")
	}
	return p.counted(x, least, most)
}

func (p *bnfParser) symbol() *expr {
	at := p.pos
	switch r := p.next(); {
	case r == '"', r == '\'' && !p.escapes:
		return text(p.quoted(r, p.escapes))
	case r == '[':
		return p.class()
	case r == '.' && p.escapes:
		return &expr{kind: isClass, negated: true}
	case r == '#' && p.eat("x"):
		c := p.hex(0)
		return &expr{kind: isClass, set: []rune{c, c}}
	case r == '(':
		x := p.alternatives()
		if p.problem == nil && !p.eat(")") {
			return p.failAt(at, "( without )")
		}
		return x
	}
	p.pos = at
	if p.escapes && p.peek("<") {
		return p.fail("tokens in angle brackets are not supported: write their text")
	}
	if name := p.ruleName(); name != "" {
		return &expr{kind: isRef, name: name, at: at}
	}
	r := p.next()
	return p.failAt(at, "unexpected %q", r)
}

// class reads a class of characters behind its opening bracket.
func (p *bnfParser) class() *expr {
	at := p.pos
	e := &expr{kind: isClass, negated: p.eat("^")}
	for !p.eat("]") {
		if !p.more() {
			return p.failAt(at, "[ without ]")
		}
		lo := p.member()
		hi := lo
		if p.peek("-") && !p.peek("-]") {
			p.pos++
			if !p.more() {
				continue
			}
			if hi = p.member(); hi < lo {
				return p.fail("the range %c-%c is out of order", lo, hi)
			}
		}
		e.set = append(e.set, lo, hi)
	}
	return e
}

func (p *bnfParser) member() rune {
	switch {
	case p.escapes && p.eat(`\`):
		return p.escape()
	case !p.escapes && p.eat("#x"):
		return p.hex(0)
	}
	return p.next()
}
