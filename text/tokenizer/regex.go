package tokenizer

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cutterOf returns what cuts as an expression does: a scanner for those of
// patterns, runs for the simple ones, else the slow engine.
func cutterOf(regex string, b behavior, inverted bool) (cutter, error) {
	if p, ok := patternOfRegex(regex); ok && (b == isolated || b == removed && inverted) {
		// The scanners match every character, so both behaviours are the same.
		split := p.splitter
		split.classes = classes()
		return &split, nil
	}
	if r, ok := parseRuns(regex); ok {
		return newCutAt(newRuns(r), b, inverted)
	}
	return newExpression(regex, b, inverted)
}

// parseRuns reads the expressions that runs can match: an optional character,
// then a set of characters once, a few times, up to a number of times, or any
// number of times: X, XXX, X{1,3}, X+, \s?X+, where X is [...], \p{L} or \s; and
// X+$ at the end of the text.
func parseRuns(regex string) (r runs, ok bool) {
	p := setParser{src: regex}
	first, ok := p.set()
	if !ok {
		return r, false
	}
	text := regex[:len(regex)-len(p.src)]
	if r.set = first; p.eat("?") {
		if r.set, ok = p.set(); !ok {
			return r, false
		}
		r.lead = first
	}
	switch {
	case p.eat("+$"):
		r.tail = true
		ok = r.lead == (charset{})
	case p.eat("+"):
	case p.eat("{1,"):
		digits, rest, found := strings.Cut(p.src, "}")
		n, err := strconv.Atoi(digits)
		p.src, r.most, ok = rest, n, found && err == nil && n > 0
	default:
		r.most = 1
		for r.lead == (charset{}) && p.eat(text) { // XXX
			r.most++
		}
		r.least = r.most
	}
	return r, ok && p.src == ""
}

// setParser reads sets of characters from the front of src.
type setParser struct{ src string }

func (p *setParser) eat(prefix string) bool {
	rest, ok := strings.CutPrefix(p.src, prefix)
	p.src = rest
	return ok
}

// set reads [...] or one class or character.
func (p *setParser) set() (c charset, ok bool) {
	if !p.eat("[") {
		plain := !strings.HasPrefix(p.src, `\`)
		r, ok := p.member(&c)
		if r >= 0 {
			c.table = rangeTable(r, r)
			ok = ok && !(plain && strings.ContainsRune(`.()|*+?{}^$`, r))
		}
		return c, ok
	}
	c.not = p.eat("^")
	var pairs []rune
	for !p.eat("]") {
		low, ok := p.member(&c)
		if !ok {
			return c, false
		}
		if low < 0 {
			continue
		}
		high := low
		if strings.HasPrefix(p.src, "-") && !strings.HasPrefix(p.src, "-]") {
			p.src = p.src[1:]
			if high, ok = p.member(&c); !ok || high < low {
				return c, false
			}
		}
		if strings.HasPrefix(p.src, "&&") {
			return c, false
		}
		pairs = append(pairs, low, high)
	}
	if len(pairs) > 0 {
		c.table = rangeTable(pairs...)
	}
	return c, true
}

// setClasses are the classes whose bits the class table has.
var setClasses = []struct {
	name string
	bit  uint16
}{{`\s`, space}, {`\p{L}`, letter}, {`\p{N}`, number}, {`\p{P}`, punct}, {`\p{M}`, mark}}

// member reads a class, which it adds to c, and returns -1; or it reads a
// character and returns that.
func (p *setParser) member(c *charset) (rune, bool) {
	for _, class := range setClasses {
		if p.eat(class.name) {
			c.mask |= class.bit
			return -1, true
		}
	}
	switch {
	case p.eat(`\r`):
		return '\r', true
	case p.eat(`\n`):
		return '\n', true
	case p.eat(`\t`):
		return '\t', true
	}
	escaped := p.eat(`\`)
	r, n := utf8.DecodeRuneInString(p.src)
	if n == 0 || r == utf8.RuneError && n == 1 || !escaped && (r == '[' || r == ']') ||
		escaped && (r >= utf8.RuneSelf || unicode.IsLetter(r) || unicode.IsNumber(r)) {
		return 0, false
	}
	p.src = p.src[n:]
	return r, true
}
