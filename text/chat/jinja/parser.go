package jinja

import (
	"fmt"
	"slices"
)

// Limits of the source itself.
const (
	maxSource  = 4 << 20 // bytes
	maxNesting = 200     // brackets and blocks
)

// parser turns tokens into statements. The first error stays in err, and from
// then on every token is the end of the source.
type parser struct {
	tokens  []token
	err     error
	nesting int
	loops   int // that break and continue can leave
	macros  []*macro
	marks   bool // the template has generation blocks
}

func (p *parser) fail(at int, format string, args ...any) {
	if p.err == nil {
		p.err = &failure{at: at, message: fmt.Sprintf(format, args...)}
	}
	p.tokens = p.tokens[len(p.tokens)-1:]
}

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) next() token {
	t := p.tokens[0]
	if len(p.tokens) > 1 {
		p.tokens = p.tokens[1:]
	}
	return t
}

// is tells whether a token is an operator or a word.
func (t token) is(kind tokenKind, text string) bool { return t.kind == kind && t.text == text }

func (p *parser) skip(kind tokenKind, text string) bool {
	if p.peek().is(kind, text) {
		p.next()
		return true
	}
	return false
}

func (p *parser) operator(op string) bool { return p.skip(tokenOperator, op) }
func (p *parser) word(w string) bool      { return p.skip(tokenName, w) }

func (p *parser) need(kind tokenKind, text string) token {
	t := p.peek()
	if t.kind != kind || text != "" && t.text != text {
		want := text
		if want == "" {
			want = kind.String()
		}
		p.fail(t.at, "%s is unexpected here: want %s", t.describe(), want)
		return t
	}
	return p.next()
}

// String names a kind of token.
func (k tokenKind) String() string {
	return [...]string{"the end of the template", "text", "{%", "%}", "{{", "}}", "a name", "a string", "a number", "a number", "an operator"}[k]
}

func (t token) describe() string {
	switch t.kind {
	case tokenName, tokenInt, tokenFloat, tokenOperator, tokenString:
		return fmt.Sprintf("%q", t.text)
	}
	return t.kind.String()
}

// enter counts nesting; leave must follow.
func (p *parser) enter(at int) {
	if p.nesting++; p.nesting > maxNesting {
		p.fail(at, "brackets and blocks are nested more than %d deep", maxNesting)
	}
}

func (p *parser) leave() { p.nesting-- }

// body reads statements up to a block that begins with one of the words, whose
// word is consumed and returned. Without words it reads to the end.
func (p *parser) body(begin int, ends ...string) (out []stmt, end string) {
	p.enter(begin)
	defer p.leave()
	for {
		t := p.next()
		switch t.kind {
		case tokenEnd:
			if len(ends) > 0 {
				p.fail(begin, "the block has no end: {%% %s %%} is missing", ends[len(ends)-1])
			}
			return out, ""
		case tokenData:
			out = append(out, &dataStmt{place(t.at), t.text})
		case tokenPrintBegin:
			x := p.tuple(true)
			p.need(tokenPrintEnd, "")
			out = append(out, &printStmt{place(t.at), x})
		case tokenBlockBegin:
			w := p.need(tokenName, "")
			if slices.Contains(ends, w.text) {
				return out, w.text
			}
			if s := p.block(w); s != nil {
				out = append(out, s)
			}
		}
	}
}

// block reads the statement that begins with the word w.
func (p *parser) block(w token) stmt {
	at := place(w.at)
	switch w.text {
	case "if":
		return p.ifBlock(at)
	case "for":
		return p.forBlock(at)
	case "set":
		return p.set(at)
	case "macro":
		return p.macroBlock(at)
	case "call":
		return p.callBlock(at)
	case "filter":
		f := p.filters(nil, true)
		return &filterBlock{at, f, p.bodyTo(at, "endfilter")}
	case "with":
		return p.with(at)
	case "generation":
		p.marks = true
		p.blockEnd()
		body, _ := p.body(int(at), "endgeneration")
		p.blockEnd()
		return &generationStmt{at, body}
	case "break", "continue":
		if p.loops == 0 {
			p.fail(w.at, "%s is outside of a loop", w.text)
		}
		p.blockEnd()
		how := jumpBreak
		if w.text == "continue" {
			how = jumpContinue
		}
		return &jumpStmt{at, how}
	case "include", "import", "from", "extends", "block":
		p.fail(w.at, "%q needs other templates: a chat template is one file", w.text)
	default:
		p.fail(w.at, "there is no statement %q here", w.text)
	}
	return nil
}

func (p *parser) blockEnd() { p.need(tokenBlockEnd, "") }

// bodyTo reads the rest of the tag, the body and its end tag.
func (p *parser) bodyTo(at place, end string) []stmt {
	p.blockEnd()
	body, _ := p.body(int(at), end)
	p.blockEnd()
	return body
}

func (p *parser) ifBlock(at place) stmt {
	s := &ifStmt{place: at}
	for {
		s.tests = append(s.tests, p.tuple(false))
		p.blockEnd()
		body, end := p.body(int(at), "elif", "else", "endif")
		s.bodies = append(s.bodies, body)
		switch end {
		case "elif":
			continue
		case "else":
			s.or = p.bodyTo(at, "endif")
		default:
			p.blockEnd()
		}
		return s
	}
}

func (p *parser) forBlock(at place) stmt {
	s := &forStmt{place: at}
	s.target = p.target(false, "in")
	p.need(tokenName, "in")
	s.list = p.tupleOf(p.or, false, "recursive")
	if p.word("if") {
		s.filter = p.expression()
	}
	s.recursive = p.word("recursive")
	p.blockEnd()
	p.loops++
	var end string
	s.body, end = p.body(int(at), "else", "endfor")
	p.loops--
	if end == "else" {
		s.or = p.bodyTo(at, "endfor")
	} else {
		p.blockEnd()
	}
	return s
}

func (p *parser) set(at place) stmt {
	target := p.target(true, "")
	if p.operator("=") {
		x := p.tuple(false)
		p.blockEnd()
		return &setStmt{at, target, x}
	}
	var f expr
	if p.peek().is(tokenOperator, "|") {
		f = p.filters(nil, false)
	}
	return &setBlock{at, target, f, p.bodyTo(at, "endset")}
}

// target is what can be assigned to: names, tuples of them, and, for set,
// attributes of namespaces.
func (p *parser) target(attributes bool, end string) expr {
	one := func() expr {
		t := p.peek()
		if p.operator("(") {
			p.enter(t.at)
			x := p.target(attributes, "")
			p.leave()
			p.need(tokenOperator, ")")
			return x
		}
		if p.need(tokenName, ""); reserved(t.text) {
			p.fail(t.at, "nothing can be assigned to %q", t.text)
		}
		n := &name{place(t.at), t.text}
		if attributes && p.operator(".") {
			return &attribute{place(t.at), n, p.need(tokenName, "").text}
		}
		return n
	}
	return p.tupleOf(one, false, end)
}

func reserved(word string) bool {
	return slices.Contains([]string{"true", "false", "none", "True", "False", "None", "not", "and", "or", "if", "else", "in", "is"}, word)
}

// signature reads "(a, b=1)" into m.
func (p *parser) signature(m *macro) {
	p.need(tokenOperator, "(")
	for !p.operator(")") {
		if len(m.params) > 0 {
			p.need(tokenOperator, ",")
		}
		t := p.need(tokenName, "")
		if p.err != nil {
			return
		}
		m.params = append(m.params, t.text)
		if p.operator("=") {
			m.defaults = append(m.defaults, p.expression())
		} else if len(m.defaults) > 0 {
			p.fail(t.at, "parameter %s without a default follows one with a default", t.text)
		}
	}
}

// macroBody reads the body of a macro and notices what it asks for.
func (p *parser) macroBody(at place, m *macro, end string) {
	loops := p.loops
	p.loops = 0
	p.macros = append(p.macros, m)
	m.body = p.bodyTo(at, end)
	p.macros = p.macros[:len(p.macros)-1]
	p.loops = loops
}

func (p *parser) macroBlock(at place) stmt {
	m := &macro{name: p.need(tokenName, "").text}
	p.signature(m)
	p.macroBody(at, m, "endmacro")
	return &macroStmt{at, m.name, m}
}

func (p *parser) callBlock(at place) stmt {
	m := &macro{name: "caller"}
	if p.peek().is(tokenOperator, "(") {
		p.signature(m)
	}
	t := p.peek()
	c, ok := p.expression().(*call)
	if !ok {
		p.fail(t.at, "the call block needs a call, such as {%% call f() %%}")
	}
	p.macroBody(at, m, "endcall")
	return &callBlock{at, c, m}
}

func (p *parser) with(at place) stmt {
	s := &withStmt{place: at}
	for p.peek().kind == tokenName {
		t := p.next()
		s.targets = append(s.targets, &name{place(t.at), t.text})
		p.need(tokenOperator, "=")
		s.values = append(s.values, p.expression())
		if !p.operator(",") {
			break
		}
	}
	s.body = p.bodyTo(at, "endwith")
	return s
}
