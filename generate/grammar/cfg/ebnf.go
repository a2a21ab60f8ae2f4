package cfg

import "strings"

// EBNF reads a grammar in the form of the W3C (XML 1.0, section 6), where rules are
// written with ::=, or in that of ISO 14977, where they are written with = and end in
// a semicolon. The start rule is root or start, else the first.
func EBNF(src string) (*Grammar, error) {
	if strings.Contains(withoutQuotes(src), "::=") {
		return bnf(src, false, "root", "start", "")
	}
	s, err := newScanner(src)
	if err != nil {
		return nil, err
	}
	p := &isoParser{s}
	g := &Grammar{src: src}
	for p.skip(); p.more(); p.skip() {
		at := p.pos
		name := p.name("")
		if p.skip(); name == "" || !p.eat("=") && !p.eat(":=") {
			p.fail("a rule begins with its name and =")
			break
		}
		p.add(g, &rule{name: name, at: at, body: p.alternatives()})
		if p.problem == nil && !p.eat(";") && !p.eat(".") {
			p.fail("a rule ends in a semicolon")
		}
	}
	if p.problem != nil {
		return nil, p.problem
	}
	return g, g.resolve("root", "start", "")
}

// withoutQuotes is the text without what stands in quotation marks.
func withoutQuotes(src string) string {
	var out strings.Builder
	for src != "" {
		i := strings.IndexAny(src, `"'`)
		if i < 0 {
			break
		}
		out.WriteString(src[:i])
		end := strings.IndexByte(src[i+1:], src[i])
		if end < 0 {
			src = src[i+1:]
			continue
		}
		src = src[i+1+end+1:]
	}
	out.WriteString(src)
	return out.String()
}

// isoParser reads ISO 14977.
type isoParser struct{ *scanner }

func (p *isoParser) skip() {
	for p.more() {
		switch {
		case p.peek(" "), p.peek("\t"), p.peek("\n"), p.peek("\r"):
			p.pos++
		case p.eat("(*"):
			for at := p.pos; !p.eat("*)"); p.pos++ {
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

func (p *isoParser) alternatives() *expr {
	return p.nested(func() *expr {
		kids := []*expr{p.sequence()}
		for p.eat("|") || p.eat("/") || p.eat("!") {
			kids = append(kids, p.sequence())
		}
		return alt(kids...)
	})
}

// sequence reads terms; the comma between them may be left out.
func (p *isoParser) sequence() *expr {
	kids := []*expr{}
	for p.skip(); p.more() && !strings.ContainsRune("|/!)]};.", rune(p.src[p.pos])); p.skip() {
		at := p.pos
		x := p.factor()
		if p.skip(); p.eat("-") {
			p.skip()
			x = &expr{kind: isExcept, kids: []*expr{x, p.factor()}, at: at}
			p.skip()
		}
		kids = append(kids, x)
		p.eat(",")
	}
	return seq(kids...)
}

// factor reads a primary, perhaps with a count before it.
func (p *isoParser) factor() *expr {
	at := p.pos
	if n, ok := p.number(); ok {
		if p.skip(); p.eat("*") {
			p.skip()
			return p.counted(p.primary(), n, n)
		}
		p.pos = at
	}
	x := p.primary()
	for p.problem == nil { // not of ISO 14977, but in wide use and without conflict
		switch {
		case p.eat("*"):
			x = repeat(x, 0, -1)
		case p.eat("+"):
			x = repeat(x, 1, -1)
		default:
			return x
		}
	}
	return x
}

func (p *isoParser) primary() *expr {
	if !p.more() {
		return p.fail("the grammar ends within a rule")
	}
	at := p.pos
	closed := func(end string, x *expr) *expr {
		if p.problem == nil && !p.eat(end) {
			return p.failAt(at, "%c without %s", p.src[at], end)
		}
		return x
	}
	switch r := p.next(); r {
	case '"', '\'':
		return text(p.quoted(r, false))
	case '(':
		return closed(")", p.alternatives())
	case '[':
		return closed("]", repeat(p.alternatives(), 0, 1))
	case '{':
		x := repeat(p.alternatives(), 0, -1)
		if x = closed("}", x); p.eat("-") { // {x}- is one or more
			x.min = 1
		}
		return x
	case '?':
		return p.failAt(at, "special sequences between ? are not supported: they mean what their author says")
	}
	p.pos = at
	if name := p.name(""); name != "" {
		return &expr{kind: isRef, name: name, at: at}
	}
	r := p.next()
	return p.failAt(at, "unexpected %q", r)
}
