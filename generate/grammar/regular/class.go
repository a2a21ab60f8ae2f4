package regular

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// The classes of characters that have a letter.
var (
	digits    = runes{'0', '9'}
	wordRunes = runes{'0', '9', 'A', 'Z', '_', '_', 'a', 'z'}
	spaceRE2  = runes{'\t', '\n', '\f', '\r', ' ', ' '}
	// ECMA-262, WhiteSpace and LineTerminator: the white space of Unicode without
	// U+0085, with the byte order mark.
	spaceECMA = runes{'\t', '\r', ' ', ' ', 0xA0, 0xA0, 0x1680, 0x1680, 0x2000, 0x200A, 0x2028, 0x2029, 0x202F, 0x202F, 0x205F, 0x205F, 0x3000, 0x3000, 0xFEFF, 0xFEFF}
)

// posix are the names within [[:name:]] of RE2.
var posix = map[string]runes{
	"alnum": {'0', '9', 'A', 'Z', 'a', 'z'}, "alpha": {'A', 'Z', 'a', 'z'}, "ascii": {0, 0x7F},
	"blank": {'\t', '\t', ' ', ' '}, "cntrl": {0, 0x1F, 0x7F, 0x7F}, "digit": digits, "graph": {'!', '~'},
	"lower": {'a', 'z'}, "print": {' ', '~'}, "punct": {'!', '/', ':', '@', '[', '`', '{', '~'},
	"space": {'\t', '\r', ' ', ' '}, "upper": {'A', 'Z'}, "word": wordRunes, "xdigit": {'0', '9', 'A', 'F', 'a', 'f'},
}

// letterClass reads what \d, \p{Greek} and the like stand for, behind the backslash.
func (p *parser) letterClass() (s runes, ok bool) {
	at := p.pos
	r := p.next()
	negated := r >= 'A' && r <= 'Z'
	switch r {
	case 'd', 'D':
		s = digits
	case 'w', 'W':
		s = p.folded(wordRunes)
	case 's', 'S':
		s = spaceRE2
		if p.d == ECMA {
			s = spaceECMA
		}
	case 'p', 'P':
		if s, ok = p.property(); !ok {
			return nil, true // the problem is noted
		}
		s = p.folded(s)
	default:
		p.pos = at
		return nil, false
	}
	if negated {
		s = s.not()
	}
	return s, true
}

// property reads {Name}, {name=value}, or for RE2 a single letter.
func (p *parser) property() (runes, bool) {
	name := ""
	switch {
	case p.eat("{"):
		end := strings.IndexByte(p.src[p.pos:], '}')
		if end < 0 {
			p.fail("\\p without }")
			return nil, false
		}
		name = p.src[p.pos : p.pos+end]
		p.pos += end + 1
	case p.d == RE2 && p.more():
		name = string(p.next())
	default:
		p.fail("\\p is followed by {name}")
		return nil, false
	}
	inverse := p.d == RE2 && strings.HasPrefix(name, "^")
	if inverse {
		name = name[1:]
	}
	s, ok := unicodeProperty(name, p.d)
	if !ok {
		p.fail("no property of characters is known as %q", name)
	}
	if inverse {
		s = s.not()
	}
	return s, ok
}

// escape reads an escape outside of brackets, behind its backslash.
func (p *parser) escape() *expr {
	if !p.more() {
		return p.fail("a backslash at the end")
	}
	if s, ok := p.letterClass(); ok {
		return setExpr(s)
	}
	switch c := p.src[p.pos]; {
	case c == 'b' || c == 'B':
		p.pos++
		if c == 'b' {
			return &expr{kind: isAssert, assert: wordEdge}
		}
		return &expr{kind: isAssert, assert: noWordEdge}
	case p.d == RE2 && (c == 'A' || c == 'z'):
		p.pos++
		if c == 'A' {
			return &expr{kind: isAssert, assert: textBegin}
		}
		return &expr{kind: isAssert, assert: textEnd}
	case p.d == RE2 && c == 'Q':
		p.pos++
		text, rest, _ := strings.Cut(p.src[p.pos:], `\E`)
		p.pos = len(p.src) - len(rest)
		kids := []*expr{}
		for _, r := range text {
			kids = append(kids, p.literal(r))
		}
		if n := len(kids); n > 1 { // a quantifier takes the last character only
			if least, most, ok := p.quantifier(); ok {
				p.eat("?")
				kids[n-1] = &expr{kind: isRepeat, kids: []*expr{kids[n-1]}, min: int32(least), max: int32(most), free: true}
			}
		}
		return group(isSeq, kids)
	case c >= '1' && c <= '9' && !(p.d == RE2 && p.octal()), c == 'k' && p.d == ECMA:
		return p.fail("back-references are not supported: they are no regular language")
	}
	r, ok := p.escaped(false)
	if !ok {
		return setExpr(nil)
	}
	return p.literal(r)
}

// octal says whether an octal number of RE2 follows that is no back-reference.
func (p *parser) octal() bool {
	s := p.src[p.pos:]
	return len(s) > 1 && s[0] >= '1' && s[0] <= '7' && s[1] >= '0' && s[1] <= '7'
}

// escaped reads an escape of one character, behind its backslash. A surrogate without
// partner comes out as such: no text has it.
func (p *parser) escaped(inClass bool) (rune, bool) {
	if !p.more() {
		p.fail("a backslash at the end")
		return 0, false
	}
	c := p.next()
	switch {
	case c == 'n':
		return '\n', true
	case c == 'r':
		return '\r', true
	case c == 't':
		return '\t', true
	case c == 'f':
		return '\f', true
	case c == 'v':
		return '\v', true
	case c == 'a' && p.d == RE2:
		return 7, true
	case c == 'b' && p.d == ECMA && inClass:
		return '\b', true
	case c == 'x':
		return p.hex(2, p.d == RE2)
	case c == 'u' && p.d == ECMA:
		r, ok := p.hex(4, true)
		if ok && r >= 0xD800 && r < 0xDC00 && p.peek(`\u`) {
			at := p.pos
			p.pos += 2
			if low, ok := p.hex(4, false); ok && low >= 0xDC00 && low < 0xE000 {
				return 0x10000 + (r-0xD800)<<10 + low - 0xDC00, true
			}
			p.pos = at
		}
		return r, ok
	case c == 'c' && p.d == ECMA:
		if p.more() {
			if r := p.next(); r|0x20 >= 'a' && r|0x20 <= 'z' {
				return r & 31, true
			}
		}
		p.fail("\\c is followed by a letter")
		return 0, false
	case c == '0' && p.d == ECMA:
		if p.more() && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
			p.fail("octal escapes are not supported: write \\xHH")
			return 0, false
		}
		return 0, true
	case c >= '0' && c <= '7' && p.d == RE2:
		r := c - '0'
		for i := 0; i < 2 && p.more() && p.src[p.pos] >= '0' && p.src[p.pos] <= '7'; i++ {
			r = r*8 + p.next() - '0'
		}
		return r, true
	case c >= utf8.RuneSelf && p.d == ECMA, c < utf8.RuneSelf && !wordRunes.has(c), c == '_' && p.d == ECMA:
		return c, true
	}
	p.fail("unknown escape \\%c", c)
	return 0, false
}

// hex reads n hexadecimal digits, or any number of them within braces.
func (p *parser) hex(n int, braces bool) (rune, bool) {
	digits := ""
	if braces && p.eat("{") {
		end := strings.IndexByte(p.src[p.pos:], '}')
		if end > 0 {
			digits = p.src[p.pos : p.pos+end]
			p.pos += end + 1
		}
	} else if p.pos+n <= len(p.src) {
		digits = p.src[p.pos : p.pos+n]
		p.pos += n
	}
	v, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || v > utf8.MaxRune {
		p.fail("an escape without the hexadecimal number of a character")
		return 0, false
	}
	return rune(v), true
}

// bracket reads a class in brackets, behind its opening one.
func (p *parser) bracket() *expr {
	negated := p.eat("^")
	var pairs []rune
	for first := true; ; first = false {
		if !p.more() {
			return p.fail("missing ]")
		}
		if p.peek("]") && !(first && p.d == RE2) {
			p.pos++
			break
		}
		if p.d == RE2 && p.peek("[:") {
			if end := strings.Index(p.src[p.pos+2:], ":]"); end >= 0 {
				name := p.src[p.pos+2:][:end]
				s, ok := posix[strings.TrimPrefix(name, "^")]
				if !ok {
					return p.fail("no class [:%s:]", name)
				}
				if s = p.folded(s); name[0] == '^' {
					s = s.not()
				}
				pairs = append(pairs, s...)
				p.pos += end + 4
				continue
			}
		}
		lo, s, ok := p.member()
		if !ok {
			return setExpr(nil)
		}
		if s != nil {
			pairs = append(pairs, s...)
			continue
		}
		hi := lo
		if p.peek("-") && !p.peek("-]") && p.pos+1 < len(p.src) {
			at := p.pos
			p.pos++
			var class runes
			if hi, class, ok = p.member(); !ok {
				return setExpr(nil)
			}
			switch {
			case class != nil && p.d == RE2:
				return p.fail("a range ends in a class")
			case class != nil: // Annex B: the dash is a character
				p.pos = at
				hi = lo
				pairs = append(pairs, '-', '-')
				p.pos++
			case hi < lo:
				return p.fail("the range %c-%c is out of order", lo, hi)
			}
		}
		pairs = append(pairs, lo, hi)
	}
	s := p.folded(makeRunes(pairs))
	if negated {
		s = s.not()
	}
	return setExpr(s)
}

// member reads one character of a class, or a class within it.
func (p *parser) member() (r rune, s runes, ok bool) {
	if !p.eat(`\`) {
		return p.next(), nil, true
	}
	if p.more() {
		if s, ok := p.letterClass(); ok {
			if s == nil {
				s = runes{}
			}
			return 0, s, p.problem == nil
		}
	}
	if p.d == ECMA && p.more() && p.src[p.pos] >= '1' && p.src[p.pos] <= '9' {
		p.fail("octal escapes are not supported: write \\xHH")
		return 0, nil, false
	}
	if p.d == RE2 && p.more() && p.src[p.pos] >= '1' && p.src[p.pos] <= '9' && !p.octal() {
		p.fail("unknown escape \\%c", p.src[p.pos])
		return 0, nil, false
	}
	r, ok = p.escaped(true)
	return r, nil, ok
}
