package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A slow and obvious backtracking matcher for the constructs that the patterns
// use: the oracle of the scanners. A character is a rune or an invalid byte.

// node matches at s[i] and calls next with each end, best first, until next
// says true.
type node func(s string, i int, next func(int) bool) bool

// regexParser turns an expression into a node.
type regexParser struct {
	src   string
	pos   int
	fold  bool // inside (?i: )
	inSet bool // inside [ ]
}

// compile panics on constructs that no pattern has.
func compile(src string) node {
	p := &regexParser{src: src}
	n := p.alternatives()
	if p.pos != len(src) {
		panic("regex: left over: " + src[p.pos:])
	}
	return n
}

// oracleSplit cuts s with the expression as a regex engine does; what lies
// between matches is a piece as well.
func oracleSplit(n node, s string) (pieces []string) {
	gap := 0
	for i := 0; i < len(s); {
		end := -1
		n(s, i, func(e int) bool { end = e; return true })
		if end <= i {
			_, size := utf8.DecodeRuneInString(s[i:])
			i += size
			continue
		}
		if gap < i {
			pieces = append(pieces, s[gap:i])
		}
		pieces = append(pieces, s[i:end])
		i, gap = end, end
	}
	if gap < len(s) {
		pieces = append(pieces, s[gap:])
	}
	return pieces
}

func (p *regexParser) eat(prefix string) bool {
	if !strings.HasPrefix(p.src[p.pos:], prefix) {
		return false
	}
	p.pos += len(prefix)
	return true
}

func (p *regexParser) alternatives() node {
	all := []node{p.sequence()}
	for p.eat("|") {
		all = append(all, p.sequence())
	}
	return func(s string, i int, next func(int) bool) bool {
		for _, n := range all {
			if n(s, i, next) {
				return true
			}
		}
		return false
	}
}

func (p *regexParser) sequence() node {
	seq := node(func(s string, i int, next func(int) bool) bool { return next(i) })
	for p.pos < len(p.src) && p.src[p.pos] != '|' && p.src[p.pos] != ')' {
		left, right := seq, p.repeated()
		seq = func(s string, i int, next func(int) bool) bool {
			return left(s, i, func(j int) bool { return right(s, j, next) })
		}
	}
	return seq
}

func (p *regexParser) repeated() node {
	n := p.atom()
	least, most := 1, 1
	switch {
	case p.eat("?"):
		least = 0
	case p.eat("+"):
		most = 1 << 30
	case p.eat("*"):
		least, most = 0, 1<<30
	case p.eat("{1,3}"):
		most = 3
	case p.eat("{1}"):
	default:
		return n
	}
	possessive := p.eat("+")
	var greedy func(count int) node
	greedy = func(count int) node {
		return func(s string, i int, next func(int) bool) bool {
			if count < most && n(s, i, func(j int) bool { return j > i && greedy(count+1)(s, j, next) }) {
				return true
			}
			return count >= least && next(i)
		}
	}
	if !possessive {
		return greedy(0)
	}
	return func(s string, i int, next func(int) bool) bool {
		end := -1
		greedy(0)(s, i, func(j int) bool { end = j; return true })
		return end >= 0 && next(end)
	}
}

func (p *regexParser) atom() node {
	switch {
	case p.eat("(?!"):
		n := p.group()
		return func(s string, i int, next func(int) bool) bool {
			return !n(s, i, func(int) bool { return true }) && next(i)
		}
	case p.eat("(?i:"):
		was := p.fold
		p.fold = true
		n := p.group()
		p.fold = was
		return n
	case p.eat("(?:"):
		return p.group()
	case p.eat("$"):
		return func(s string, i int, next func(int) bool) bool { return i == len(s) && next(i) }
	}
	return char(p.class())
}

func (p *regexParser) group() node {
	n := p.alternatives()
	if !p.eat(")") {
		panic("regex: no )")
	}
	return n
}

// char matches one character. An invalid byte is U+FFFD, a symbol.
func char(in func(rune) bool) node {
	return func(s string, i int, next func(int) bool) bool {
		if i >= len(s) {
			return false
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		return in(r) && next(i+n)
	}
}

// class parses [...], an escape or a single character.
func (p *regexParser) class() func(rune) bool {
	if !p.eat("[") {
		return p.single()
	}
	negated := p.eat("^")
	var members []func(rune) bool
	p.inSet = true
	defer func() { p.inSet = false }()
	for !p.eat("]") {
		from := p.pos
		member := p.single()
		if low, n := utf8.DecodeRuneInString(p.src[from:]); p.pos == from+n && p.src[p.pos] == '-' && p.src[p.pos+1] != ']' {
			high, n := utf8.DecodeRuneInString(p.src[p.pos+1:])
			p.pos += 1 + n
			member = func(r rune) bool { return low <= r && r <= high }
		}
		members = append(members, member)
	}
	return func(r rune) bool {
		for _, in := range members {
			if in(r) {
				return !negated
			}
		}
		return negated
	}
}

func (p *regexParser) single() func(rune) bool {
	switch {
	case p.eat(`\p{`):
		name, rest, _ := strings.Cut(p.src[p.pos:], "}")
		p.pos = len(p.src) - len(rest)
		return func(r rune) bool { return unicode.Is(unicode.Categories[name], r) }
	case p.eat(`\s`):
		return unicode.IsSpace
	case p.eat(`\S`):
		return func(r rune) bool { return !unicode.IsSpace(r) }
	case p.eat(`\r`):
		return func(r rune) bool { return r == '\r' }
	case p.eat(`\n`):
		return func(r rune) bool { return r == '\n' }
	}
	if p.eat(`\`) {
		want := rune(p.src[p.pos])
		p.pos++
		if unicode.IsLetter(want) {
			panic("regex: unknown escape " + string(want))
		}
		return func(r rune) bool { return r == want }
	}
	want, n := utf8.DecodeRuneInString(p.src[p.pos:])
	if !p.inSet && strings.ContainsRune(`\()?*+.^{}`, want) {
		panic("regex: unknown construct at " + p.src[p.pos:])
	}
	p.pos += n
	fold := p.fold
	return func(r rune) bool {
		for f := want; ; {
			if f == r {
				return true
			}
			if f = unicode.SimpleFold(f); !fold || f == want {
				return false
			}
		}
	}
}
