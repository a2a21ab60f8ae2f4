package jinja

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// quoted reads a string literal.
func (l *lexer) quoted(quote byte) error {
	begin := l.at
	for i := begin + 1; i < len(l.src); i++ {
		switch l.src[i] {
		case '\\':
			i++
		case quote:
			s, err := unescape(l.src[begin+1 : i])
			if err != "" {
				return l.fail(begin, "the string has %s", err)
			}
			l.emit(tokenString, s, begin)
			l.at = i + 1
			return nil
		}
	}
	return l.fail(begin, "the string has no end: %c is missing", quote)
}

const simpleEscapes = "\\\\''\"\"a\ab\bf\fn\nr\rt\tv\v"

// unescape undoes Python's escapes; a backslash before anything else stays. What
// is wrong, if anything, is returned in words.
func unescape(s string) (text, wrong string) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, ""
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		c := s[i]
		if c == '\n' { // a line goes on
			continue
		}
		if j := strings.IndexByte(simpleEscapes, c); j >= 0 && j%2 == 0 {
			b = append(b, simpleEscapes[j+1])
			continue
		}
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
		switch {
		case digits > 0:
			if i+1+digits > len(s) {
				return "", "an escape that is too short: \\" + s[i:]
			}
			n, err := strconv.ParseUint(s[i+1:i+1+digits], 16, 32)
			if err != nil || n > utf8.MaxRune {
				return "", "an escape that is no character: \\" + s[i:i+1+digits]
			}
			b = utf8.AppendRune(b, rune(n))
			i += digits
		case c >= '0' && c <= '7':
			n := rune(0)
			j := i
			for ; j < len(s) && j < i+3 && s[j] >= '0' && s[j] <= '7'; j++ {
				n = n*8 + rune(s[j]-'0')
			}
			b = utf8.AppendRune(b, n)
			i = j - 1
		case c == 'N':
			return "", "an escape by name, \\N: write the character itself"
		default:
			b = append(b, '\\', c)
		}
	}
	return string(b), ""
}

// number reads an integer or a float; after a dot, as in a.0.b, only digits.
func (l *lexer) number() error {
	begin := l.at
	rest := l.src[begin:]
	afterDot := len(l.tokens) > 0 && l.tokens[len(l.tokens)-1].text == "." && l.tokens[len(l.tokens)-1].kind == tokenOperator
	if len(rest) > 2 && rest[0] == '0' && strings.IndexByte("xXoObB", rest[1]) >= 0 {
		n := 2 + span(rest[2:], "0123456789abcdefABCDEF_")
		l.at += n
		l.emit(tokenInt, rest[:n], begin)
		return l.afterNumber(begin)
	}
	n := span(rest, "0123456789_")
	kind := tokenInt
	if !afterDot {
		if n+1 < len(rest) && rest[n] == '.' && isDigit(rest[n+1]) {
			n += 1 + span(rest[n+1:], "0123456789_")
			kind = tokenFloat
		}
		if n+1 < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
			m := n + 1
			if rest[m] == '+' || rest[m] == '-' {
				m++
			}
			if d := span(rest[m:], "0123456789_"); d > 0 {
				n, kind = m+d, tokenFloat
			}
		}
	}
	l.at += n
	l.emit(kind, strings.ReplaceAll(rest[:n], "_", ""), begin)
	return l.afterNumber(begin)
}

func (l *lexer) afterNumber(begin int) error {
	t := &l.tokens[len(l.tokens)-1]
	if t.kind == tokenInt {
		base := 10
		if len(t.text) > 2 && t.text[0] == '0' && !isDigit(t.text[1]) {
			base = 0
		}
		n, err := strconv.ParseInt(t.text, base, 64)
		if err != nil {
			return l.fail(begin, "%s is no integer of 64 bits", t.text)
		}
		t.text = strconv.FormatInt(n, 10)
	}
	return nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// span is how many bytes at the front of s are among set.
func span(s, set string) int {
	n := 0
	for n < len(s) && strings.IndexByte(set, s[n]) >= 0 {
		n++
	}
	return n
}
