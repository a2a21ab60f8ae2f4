package cfg

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

// Lark reads a grammar in a part of Lark's syntax: rules and terminals, texts and
// regular expressions with flags, ranges, repetition, aliases, %import of common
// terminals and %ignore. The start rule is start.
//
// A terminal matches wherever the grammar allows it, as in Lark's Earley parser with
// its dynamic lexer; there is no longest match. Ignored terminals may stand before the
// first terminal of a rule and behind each. Priorities, templates, %declare, %override
// and %extend are errors, and so is what RE2 cannot read in a regular expression.
func Lark(src string) (*Grammar, error) {
	s, err := newScanner(src)
	if err != nil {
		return nil, err
	}
	p := &larkParser{scanner: s, g: &Grammar{src: src}}
	for p.skip(); p.more(); p.skip() {
		if p.eat("%") {
			p.directive()
		} else {
			p.definition()
		}
	}
	if p.problem != nil {
		return nil, p.problem
	}
	hidden := &expr{kind: isRef, name: "%ignore", rule: len(p.g.rules)}
	if len(p.ignored) > 0 {
		p.g.rules = append(p.g.rules, &rule{name: hidden.name, body: repeat(alt(p.ignored...), 0, -1)})
	}
	if err := p.g.resolve("start"); err != nil {
		return nil, err
	}
	if len(p.ignored) > 0 {
		p.g.weave(hidden)
	}
	return p.g, nil
}

type larkParser struct {
	*scanner
	g       *Grammar
	ignored []*expr
}

// skip passes white space and comments.
func (p *larkParser) skip() {
	for p.more() {
		switch {
		case p.peek(" "), p.peek("\t"), p.peek("\n"), p.peek("\r"):
			p.pos++
		case p.peek("//"), p.peek("#"):
			for p.more() && !p.peek("\n") {
				p.pos++
			}
		default:
			return
		}
	}
}

// isTerminal tells terminals from rules: they are in upper case.
func isTerminal(name string) bool {
	for _, r := range name {
		if unicode.IsLetter(r) {
			return unicode.IsUpper(r)
		}
	}
	return false
}

// definition reads "name: alternatives".
func (p *larkParser) definition() {
	for p.eat("?") || p.eat("!") { // how the tree looks: not our concern
	}
	at := p.pos
	name := p.name("")
	switch {
	case name == "":
		p.fail("a rule begins with its name and a colon")
		return
	case p.peek("."):
		p.fail("priorities are not supported: a grammar says which texts there are")
		return
	case p.peek("{"):
		p.fail("templates are not supported: write the rule out")
		return
	}
	if p.skip(); !p.eat(":") {
		p.fail("rule %s lacks its colon", name)
		return
	}
	p.add(p.g, &rule{name: name, at: at, body: p.alternatives()})
}

// directive reads what follows a percent sign.
func (p *larkParser) directive() {
	at := p.pos - 1
	switch word := p.name(""); word {
	case "import":
		p.skip()
		p.imports()
	case "ignore":
		p.ignored = append(p.ignored, p.alternatives())
	default:
		p.failAt(at, "%%%s is not supported", word)
	}
}

// imports reads common.NAME, common.NAME -> OTHER or common (NAME, NAME).
func (p *larkParser) imports() {
	at := p.pos
	if !p.eat("common") {
		p.failAt(at, "terminals can be imported from common only: write the others out")
		return
	}
	if p.eat(".") {
		name := p.name("")
		as := name
		if p.skip(); p.eat("->") {
			p.skip()
			as = p.name("")
		}
		p.common(at, name, as)
		return
	}
	if p.skip(); !p.eat("(") {
		p.failAt(at, "%%import common is followed by .NAME or (NAME, NAME)")
		return
	}
	for p.skip(); p.problem == nil && !p.eat(")"); p.skip() {
		name := p.name("")
		p.common(at, name, name)
		p.skip()
		p.eat(",")
	}
}

// common adds a terminal of Lark's library under a name.
func (p *larkParser) common(at int, name, as string) {
	pattern, ok := commonTerminals[name]
	if !ok || as == "" {
		p.failAt(at, "common has no terminal %q", name)
		return
	}
	l, err := regular.Parse(pattern, regular.RE2)
	if err != nil {
		p.failAt(at, "%v", err)
		return
	}
	p.add(p.g, &rule{name: as, at: at, body: &expr{kind: isLanguage, language: l}})
}

// commonTerminals are the terminals that Lark's common.lark defines.
var commonTerminals = map[string]string{
	"DIGIT":          `[0-9]`,
	"HEXDIGIT":       `[0-9A-Fa-f]`,
	"INT":            `[0-9]+`,
	"SIGNED_INT":     `[+-]?[0-9]+`,
	"DECIMAL":        `[0-9]+\.[0-9]*|\.[0-9]+`,
	"FLOAT":          `[0-9]+[eE][+-]?[0-9]+|([0-9]+\.[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?`,
	"SIGNED_FLOAT":   `[+-]?([0-9]+[eE][+-]?[0-9]+|([0-9]+\.[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?)`,
	"NUMBER":         `([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?`,
	"SIGNED_NUMBER":  `[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?`,
	"ESCAPED_STRING": `"([^"\\\n]|\\[^\n])*"`,
	"LCASE_LETTER":   `[a-z]`,
	"UCASE_LETTER":   `[A-Z]`,
	"LETTER":         `[A-Za-z]`,
	"WORD":           `[A-Za-z]+`,
	"CNAME":          `[A-Za-z_][0-9A-Za-z_]*`,
	"WS_INLINE":      `[ \t]+`,
	"WS":             `[ \t\f\r\n]+`,
	"CR":             `\r`,
	"LF":             `\n`,
	"NEWLINE":        `(\r?\n)+`,
	"SH_COMMENT":     `#[^\n]*`,
	"CPP_COMMENT":    `//[^\n]*`,
	"C_COMMENT":      `/\*([^*]|\*+[^*/])*\*+/`,
	"SQL_COMMENT":    `--[^\n]*`,
}

func (p *larkParser) alternatives() *expr {
	return p.nested(func() *expr {
		if p.skip(); p.peek("|") { // a rule may begin with a bar
			p.pos++
		}
		kids := []*expr{p.sequence()}
		for p.eat("|") {
			kids = append(kids, p.sequence())
		}
		return alt(kids...)
	})
}

// sequence reads terms up to where another statement begins.
func (p *larkParser) sequence() *expr {
	kids := []*expr{}
	for p.skip(); p.more() && !strings.ContainsRune("|)]%?!", rune(p.src[p.pos])) && !p.atDefinition(); p.skip() {
		if p.eat("->") {
			p.skip()
			if p.name("") == "" {
				return p.fail("-> is followed by a name")
			}
			continue
		}
		kids = append(kids, p.repeated())
	}
	return seq(kids...)
}

// atDefinition says whether a name and a colon follow, or what is an error there.
func (p *larkParser) atDefinition() bool {
	at := p.pos
	defer func() { p.pos = at }()
	if p.name("") == "" {
		return false
	}
	if p.peek("{") || p.peek(".") && !p.peek("..") {
		return true // definition says what is wrong
	}
	p.skip()
	return p.peek(":")
}

func (p *larkParser) repeated() *expr {
	x := p.symbol()
	for p.problem == nil {
		at := p.pos
		switch p.skip(); {
		case p.eat("*"):
			x = repeat(x, 0, -1)
		case p.eat("+"):
			x = repeat(x, 1, -1)
		case p.peek("?") && p.pos == at:
			p.pos++
			x = repeat(x, 0, 1)
		case p.eat("~"):
			p.skip()
			least, ok := p.number()
			most := least
			if p.skip(); p.eat("..") {
				p.skip()
				var high bool
				most, high = p.number()
				ok = ok && high
			}
			if !ok {
				return p.fail("a repetition is written ~ n or ~ n..m")
			}
			x = p.counted(x, least, most)
		default:
			p.pos = at
			return x
		}
	}
	return x
}

func (p *larkParser) symbol() *expr {
	at := p.pos
	switch r := p.next(); r {
	case '"':
		return p.text(at)
	case '/':
		return p.regex(at)
	case '(', '[':
		x := p.alternatives()
		end := ")"
		if r == '[' {
			end, x = "]", repeat(x, 0, 1)
		}
		if p.problem == nil && !p.eat(end) {
			return p.failAt(at, "%c without %s", r, end)
		}
		return x
	}
	p.pos = at
	if name := p.name(""); name != "" {
		return &expr{kind: isRef, name: name, at: at}
	}
	r := p.next()
	return p.failAt(at, "unexpected %q", r)
}

// text reads a text behind its quotation mark, its flag or the range it begins.
func (p *larkParser) text(at int) *expr {
	first := p.quoted('"', true)
	if p.eat("i") {
		return p.language(at, "(?i:"+regexp.QuoteMeta(first)+")")
	}
	if !p.eat("..") {
		return text(first)
	}
	if !p.eat(`"`) {
		return p.fail("a range is written \"a\"..\"z\"")
	}
	lo, hi := []rune(first), []rune(p.quoted('"', true))
	if p.problem == nil && (len(lo) != 1 || len(hi) != 1 || hi[0] < lo[0]) {
		return p.failAt(at, "a range goes from one character up to another")
	}
	return &expr{kind: isClass, set: append(lo, hi...)}
}

// regex reads a regular expression behind its slash.
func (p *larkParser) regex(at int) *expr {
	var b strings.Builder
	for {
		if !p.more() || p.peek("\n") {
			return p.failAt(at, "a regular expression without closing /")
		}
		r := p.next()
		if r == '/' {
			break
		}
		if r == '\\' && p.more() {
			switch {
			case p.eat("/"):
				r = '/'
			case p.eat("u"):
				b.WriteString(`\x{` + string(regexp.QuoteMeta(string(p.hexDigits(4)))) + `}`)
				continue
			default:
				b.WriteRune(r)
				r = p.next()
			}
		}
		b.WriteRune(r)
	}
	flags := ""
	for {
		switch {
		case p.eat("i"):
			flags += "i"
		case p.eat("s"):
			flags += "s"
		case p.eat("m"):
			flags += "m"
		case p.eat("u"): // always so
		case p.peek("x"), p.peek("l"):
			return p.fail("flag %c of a regular expression is not supported", p.src[p.pos])
		default:
			if flags == "" {
				return p.language(at, b.String())
			}
			return p.language(at, "(?"+flags+":"+b.String()+")")
		}
	}
}

// hexDigits reads up to n hexadecimal digits as they stand.
func (p *larkParser) hexDigits(n int) string {
	at := p.pos
	for p.more() && p.pos < at+n && strings.IndexByte("0123456789abcdefABCDEF", p.src[p.pos]) >= 0 {
		p.pos++
	}
	return p.src[at:p.pos]
}

func (p *larkParser) language(at int, pattern string) *expr {
	if p.problem != nil {
		return seq([]*expr{}...)
	}
	l, err := regular.Parse(pattern, regular.RE2)
	if err != nil {
		return p.failAt(at, "%v", err)
	}
	return &expr{kind: isLanguage, language: l}
}

// weave puts a gap, the rule of ignored terminals, behind every terminal of a rule and
// before the first.
func (g *Grammar) weave(gap *expr) {
	for _, r := range g.rules {
		if !isTerminal(r.name) && r.name != gap.name {
			r.body = spaced(r.body, gap)
		}
	}
	start := &expr{kind: isRef, name: g.rules[g.start].name, rule: g.start}
	g.rules = append(g.rules, &rule{name: "%start", at: g.rules[g.start].at, body: seq(gap, start)})
	g.start = len(g.rules) - 1
}

// spaced is an expression with a gap behind each terminal.
func spaced(e, gap *expr) *expr {
	switch {
	case e.kind == isSeq, e.kind == isAlt, e.kind == isRepeat:
		out := *e
		out.kids = make([]*expr, len(e.kids))
		for i, kid := range e.kids {
			out.kids[i] = spaced(kid, gap)
		}
		return &out
	case e.kind == isRef && !isTerminal(e.name):
		return e
	}
	return seq(e, gap)
}
