package regular

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Dialect is the syntax of a pattern.
type Dialect int

const (
	// RE2 is the syntax of Go's regexp package, without its bound on repetition.
	RE2 Dialect = iota
	// ECMA is that of ECMA-262 (2025, section 22.2) as JSON Schema uses it: with the u
	// flag's view of characters, and with the leniency of Annex B where nothing else
	// could be meant (escaped punctuation, literal brackets). Look-ahead is read
	// wherever it is exact; look-behind and back-references are errors.
	ECMA
)

// Bounds of a pattern.
const (
	maxPattern = 1 << 16 // bytes
	maxNesting = 500     // groups within groups
	maxRepeat  = 1<<30 - 1
)

type kind uint8

const (
	isSet    kind = iota
	isSeq         // kids in order
	isAlt         // any of the kids
	isRepeat      // kids[0], min to max times
	isAssert      // a condition of a position
	isAhead       // look-ahead of kids[0]
)

// An expr is a parsed pattern.
type expr struct {
	kind     kind
	kids     []*expr
	set      runes
	min, max int32
	assert   assert
	negated  bool // isAhead
	free     bool // neither assertions nor look-ahead inside
}

type assert uint8

const (
	textBegin assert = iota
	textEnd
	lineBegin
	lineEnd
	wordEdge
	noWordEdge
)

func setExpr(s runes) *expr { return &expr{kind: isSet, set: s, free: true} }

func group(k kind, kids []*expr) *expr {
	if len(kids) == 1 {
		return kids[0]
	}
	e := &expr{kind: k, kids: kids, free: true}
	for _, x := range kids {
		e.free = e.free && x.free
	}
	return e
}

type parser struct {
	src     string
	pos     int
	d       Dialect
	depth   int
	fold    bool // flag i
	dotAll  bool // flag s
	lines   bool // flag m
	problem error
}

// parsePattern reads a whole pattern.
func parsePattern(src string, d Dialect) (*expr, error) {
	p := &parser{src: src, d: d}
	if len(src) > maxPattern {
		return nil, fmt.Errorf("pattern of %d bytes: at most %d can be read", len(src), maxPattern)
	}
	if !utf8.ValidString(src) {
		return nil, fmt.Errorf("pattern %q: not UTF-8", src)
	}
	e := p.alternatives()
	if p.problem == nil && p.pos < len(p.src) {
		p.fail("unmatched )")
	}
	return e, p.problem
}

// fail notes the first problem and stops reading.
func (p *parser) fail(format string, args ...any) *expr {
	if p.problem == nil {
		p.problem = fmt.Errorf("pattern %q, byte %d: %s", p.src, p.pos, fmt.Sprintf(format, args...))
	}
	p.pos = len(p.src)
	return setExpr(nil)
}

func (p *parser) more() bool { return p.pos < len(p.src) }

func (p *parser) peek(s string) bool { return strings.HasPrefix(p.src[p.pos:], s) }

func (p *parser) eat(s string) bool {
	if p.peek(s) {
		p.pos += len(s)
		return true
	}
	return false
}

// next reads one character; there is one.
func (p *parser) next() rune {
	r, n := utf8.DecodeRuneInString(p.src[p.pos:])
	p.pos += n
	return r
}

func (p *parser) alternatives() *expr {
	if p.depth++; p.depth > maxNesting {
		return p.fail("more than %d groups within groups", maxNesting)
	}
	defer func() { p.depth-- }()
	kids := []*expr{p.sequence()}
	for p.eat("|") {
		kids = append(kids, p.sequence())
	}
	return group(isAlt, kids)
}

func (p *parser) sequence() *expr {
	kids := []*expr{}
	for p.more() && !p.peek("|") && !p.peek(")") {
		if e := p.quantified(); e != nil {
			kids = append(kids, e)
		}
	}
	return group(isSeq, kids)
}

// quantified reads an atom and its quantifier; nil is an atom that only set flags.
func (p *parser) quantified() *expr {
	if p.peek("*") || p.peek("+") || p.peek("?") {
		return p.fail("nothing to repeat before %q", p.src[p.pos:p.pos+1])
	}
	if p.d == ECMA && p.peek("{") {
		if _, _, ok := p.bounds(); ok {
			return p.fail("nothing to repeat before a counter")
		}
	}
	e := p.atom()
	least, most, ok := p.quantifier()
	if !ok {
		return e
	}
	switch {
	case e == nil:
		return p.fail("nothing to repeat: flags only")
	case p.d == ECMA && (e.kind == isAssert || e.kind == isAhead):
		return p.fail("an assertion cannot be repeated")
	case least > maxRepeat || most > maxRepeat:
		return p.fail("repeated more than %d times", maxRepeat)
	case most >= 0 && most < least:
		return p.fail("counter {%d,%d} is out of order", least, most)
	}
	p.eat("?") // lazy: the same texts
	if at := p.pos; p.peek("*") || p.peek("+") || p.peek("?") {
		return p.fail("a quantifier behind a quantifier")
	} else if _, _, again := p.bounds(); again {
		p.pos = at
		return p.fail("a quantifier behind a quantifier")
	}
	return &expr{kind: isRepeat, kids: []*expr{e}, min: int32(least), max: int32(most), free: e.free}
}

func (p *parser) quantifier() (least, most int, ok bool) {
	switch {
	case p.eat("*"):
		return 0, -1, true
	case p.eat("+"):
		return 1, -1, true
	case p.eat("?"):
		return 0, 1, true
	}
	at := p.pos
	if least, most, ok = p.bounds(); ok {
		return least, most, true
	}
	if p.d == ECMA && p.peek("{,") {
		p.fail("{,n} means different things to different readers: write {0,n} or \\{")
	}
	p.pos = max(p.pos, at)
	return 0, 0, false
}

// bounds reads {n}, {n,} or {n,m}; anything else stays unread.
func (p *parser) bounds() (least, most int, ok bool) {
	at := p.pos
	if !p.eat("{") {
		return 0, 0, false
	}
	if least, ok = p.number(); ok {
		most = least
		if p.eat(",") {
			most = -1
			if n, there := p.number(); there {
				most = n
			}
		}
		ok = p.eat("}")
	}
	if !ok {
		p.pos = at
	}
	return least, most, ok
}

// number reads digits; a number too large comes out as one past maxRepeat.
func (p *parser) number() (n int, ok bool) {
	for p.more() && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
		n = min(n*10+int(p.src[p.pos]-'0'), maxRepeat+1)
		p.pos++
		ok = true
	}
	return n, ok
}

func (p *parser) atom() *expr {
	r := p.next()
	switch r {
	case '(':
		return p.group()
	case '[':
		return p.bracket()
	case '.':
		return setExpr(p.dot())
	case '^':
		if p.lines {
			return &expr{kind: isAssert, assert: lineBegin}
		}
		return &expr{kind: isAssert, assert: textBegin}
	case '$':
		if p.lines {
			return &expr{kind: isAssert, assert: lineEnd}
		}
		return &expr{kind: isAssert, assert: textEnd}
	case '\\':
		return p.escape()
	}
	return p.literal(r)
}

func (p *parser) literal(r rune) *expr { return setExpr(p.folded(makeRunes([]rune{r, r}))) }

func (p *parser) dot() runes {
	switch {
	case p.dotAll:
		return anyRune
	case p.d == ECMA:
		return runes{'\n', '\n', '\r', '\r', 0x2028, 0x2029}.not()
	}
	return runes{'\n', '\n'}.not()
}

// folded closes a set under simple case folding where flag i is set.
func (p *parser) folded(s runes) runes {
	if !p.fold {
		return s
	}
	pairs := append([]rune(nil), s...)
	for i := 0; i < len(s); i += 2 {
		for r := s[i]; r <= min(s[i+1], lastFolded); r++ {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				pairs = append(pairs, f, f)
			}
		}
	}
	return makeRunes(pairs)
}

// lastFolded is the last character with another case.
const lastFolded = 0x1E943

// group reads what follows an opening parenthesis.
func (p *parser) group() *expr {
	fold, dotAll, lines := p.fold, p.dotAll, p.lines
	restore := func() { p.fold, p.dotAll, p.lines = fold, dotAll, lines }
	ahead, negated := false, false
	switch {
	case !p.eat("?"):
		if p.peek("*") {
			return p.fail("nothing to repeat")
		}
	case p.eat(":"):
	case p.peek("=") || p.peek("!"):
		if p.d == RE2 {
			return p.fail("RE2 has no look-ahead")
		}
		ahead, negated = true, p.next() == '!'
	case p.peek("<=") || p.peek("<!"):
		return p.fail("look-behind is not supported: a text is read from the left")
	case p.eat("<"), p.d == RE2 && p.eat("P<"):
		end := strings.IndexByte(p.src[p.pos:], '>')
		if end <= 0 {
			return p.fail("a group's name is <letters>")
		}
		for i, r := range p.src[p.pos : p.pos+end] {
			if !(r == '_' || r == '$' && p.d == ECMA || unicode.IsLetter(r) || i > 0 && unicode.IsDigit(r)) {
				return p.fail("a group's name cannot have %q", r)
			}
		}
		p.pos += end + 1
	default:
		if done := p.flags(); done || p.problem != nil {
			return nil // to the end of the enclosing group
		}
	}
	e := p.alternatives()
	if p.problem == nil && !p.eat(")") {
		return p.fail("missing )")
	}
	restore()
	if ahead {
		return &expr{kind: isAhead, kids: []*expr{e}, negated: negated}
	}
	return e
}

// flags reads (?i) or (?i: from behind the question mark; done is the first form.
func (p *parser) flags() (done bool) {
	on, any := true, false
	for p.more() {
		switch r := p.next(); r {
		case 'i':
			p.fold = on
		case 's':
			p.dotAll = on
		case 'm':
			p.lines = on
		case 'U':
			if p.d == ECMA {
				p.fail("unknown flag U")
			}
		case '-':
			if !on {
				p.fail("a second - in flags")
			}
			on, any = false, false
			continue
		case ':', ')':
			if !on && !any {
				p.fail("no flag behind -")
			}
			if r == ')' && p.d == ECMA {
				p.fail("flags stand before a colon: (?i:...)")
			}
			return r == ')'
		case 'P':
			p.fail("a group's name stands behind (?<, without P")
		default:
			p.fail("(? is followed by %q", r)
		}
		any = true
	}
	p.fail("missing )")
	return false
}
