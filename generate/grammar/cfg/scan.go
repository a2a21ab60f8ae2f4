package cfg

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A place is where something stands in the text of a grammar, counted from 1.
type place struct{ line, column int }

func (p place) String() string { return fmt.Sprintf("%d:%d", p.line, p.column) }

// A scanner reads the text of a grammar. After a problem it stands at the end.
type scanner struct {
	src     string
	pos     int
	depth   int // of groups
	problem error
}

// newScanner checks what all syntaxes ask of a text.
func newScanner(src string) (*scanner, error) {
	switch {
	case len(src) > MaxSource:
		return nil, fmt.Errorf("1:1: a grammar of %d bytes: at most %d can be read", len(src), MaxSource)
	case !utf8.ValidString(src):
		return nil, fmt.Errorf("1:1: the grammar is not UTF-8")
	}
	return &scanner{src: src}, nil
}

func placeOf(src string, pos int) place {
	before := src[:min(pos, len(src))]
	return place{1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])}
}

// fail notes the first problem and stops reading.
func (s *scanner) fail(format string, args ...any) *expr { return s.failAt(s.pos, format, args...) }

func (s *scanner) failAt(pos int, format string, args ...any) *expr {
	if s.problem == nil {
		s.problem = fmt.Errorf("%v: %s", placeOf(s.src, pos), fmt.Sprintf(format, args...))
	}
	s.pos = len(s.src)
	return seq([]*expr{}...)
}

func (s *scanner) more() bool { return s.pos < len(s.src) }

func (s *scanner) peek(text string) bool { return strings.HasPrefix(s.src[s.pos:], text) }

func (s *scanner) eat(text string) bool {
	if s.peek(text) {
		s.pos += len(text)
		return true
	}
	return false
}

// next reads one character; there is one.
func (s *scanner) next() rune {
	r, n := utf8.DecodeRuneInString(s.src[s.pos:])
	s.pos += n
	return r
}

func nameRune(r rune) bool { return r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// name reads a name, or "" if none is there; extra are more characters that it may
// have inside.
func (s *scanner) name(extra string) string {
	rest := s.src[s.pos:]
	end := strings.IndexFunc(rest, func(r rune) bool { return !nameRune(r) && !strings.ContainsRune(extra, r) })
	if end < 0 {
		end = len(rest)
	}
	name := rest[:end]
	if name != "" && name[0] == '-' {
		return ""
	}
	s.pos += end
	return name
}

// number reads digits; one too large comes out as MaxRepeat+1.
func (s *scanner) number() (n int, ok bool) {
	for s.more() && s.src[s.pos] >= '0' && s.src[s.pos] <= '9' {
		n = min(n*10+int(s.src[s.pos]-'0'), MaxRepeat+1)
		s.pos++
		ok = true
	}
	return n, ok
}

// counted checks the bounds of a repetition.
func (s *scanner) counted(x *expr, least, most int) *expr {
	switch {
	case least > MaxRepeat || most > MaxRepeat:
		return s.fail("repeated more than %d times", MaxRepeat)
	case most >= 0 && most < least:
		return s.fail("the bounds %d and %d of a repetition are out of order", least, most)
	}
	return repeat(x, least, most)
}

// hex reads exactly n hexadecimal digits of a character, or as many as there are if
// n is 0.
func (s *scanner) hex(n int) rune {
	at := s.pos
	for s.more() && (n == 0 || s.pos < at+n) && strings.IndexByte("0123456789abcdefABCDEF", s.src[s.pos]) >= 0 {
		s.pos++
	}
	v, err := strconv.ParseUint(s.src[at:s.pos], 16, 32)
	if err != nil || n > 0 && s.pos < at+n || v > utf8.MaxRune {
		s.failAt(at, "no hexadecimal number of a character")
		return 0
	}
	return rune(v)
}

// escape reads what a backslash, already read, stands for.
func (s *scanner) escape() rune {
	if !s.more() {
		s.fail("a backslash at the end")
		return 0
	}
	at := s.pos
	switch r := s.next(); r {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'r':
		return '\r'
	case 'f':
		return '\f'
	case 'v':
		return '\v'
	case '0':
		return 0
	case 'x':
		return s.hex(2)
	case 'u':
		return s.hex(4)
	case 'U':
		return s.hex(8)
	default:
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			s.failAt(at, "unknown escape \\%c", r)
		}
		return r
	}
}

// quoted reads a text up to its closing quotation mark; the opening one is read.
func (s *scanner) quoted(mark rune, escapes bool) string {
	at := s.pos
	var b strings.Builder
	for s.more() {
		r := s.next()
		switch {
		case r == mark:
			return b.String()
		case r == '\\' && escapes:
			if r = s.escape(); r >= 0xD800 && r < 0xE000 {
				s.failAt(at, "a surrogate is no character")
			}
		}
		b.WriteRune(r)
	}
	s.failAt(at, "a text without closing %c", mark)
	return ""
}

// nested guards the recursion of a parser.
func (s *scanner) nested(parse func() *expr) *expr {
	if s.depth++; s.depth > MaxNesting {
		return s.fail("more than %d groups within groups", MaxNesting)
	}
	e := parse()
	s.depth--
	return e
}

// add appends a rule.
func (s *scanner) add(g *Grammar, r *rule) {
	if len(g.rules) == MaxRules {
		s.fail("more than %d rules", MaxRules)
	}
	g.rules = append(g.rules, r)
}
