package jinja

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota // of the source
	tokenData
	tokenBlockBegin
	tokenBlockEnd
	tokenPrintBegin
	tokenPrintEnd
	tokenName
	tokenString
	tokenInt
	tokenFloat
	tokenOperator
)

// token is a word of the template; at is its byte in the source.
type token struct {
	kind tokenKind
	text string // of strings: with escapes undone
	at   int
}

// lexer cuts a template into tokens, with whitespace control done.
type lexer struct {
	src       string
	at        int
	lineStart bool // what was consumed last ends in a newline, or nothing was
	tokens    []token
}

// normalise makes all line ends "\n" and drops the last one, as Jinja does.
func normalise(src string) string {
	src = strings.ReplaceAll(src, "\r\n", "\n")
	src = strings.ReplaceAll(src, "\r", "\n")
	return strings.TrimSuffix(src, "\n")
}

func lex(src string) ([]token, error) {
	l := &lexer{src: src, lineStart: true}
	for l.at < len(l.src) {
		if err := l.next(); err != nil {
			return nil, err
		}
	}
	l.emit(tokenEnd, "", len(l.src))
	return l.tokens, nil
}

func (l *lexer) emit(kind tokenKind, text string, at int) {
	l.tokens = append(l.tokens, token{kind, text, at})
}

func (l *lexer) data(text string, at int) {
	if text != "" {
		l.emit(tokenData, text, at)
	}
}

func (l *lexer) fail(at int, format string, args ...any) error {
	return &failure{at: at, message: fmt.Sprintf(format, args...)}
}

// next reads data and the tag after it.
func (l *lexer) next() error {
	begin := l.at
	open := begin
	for {
		i := strings.IndexByte(l.src[open:], '{')
		if i < 0 || open+i+1 >= len(l.src) {
			l.data(l.src[begin:], begin)
			l.at = len(l.src)
			return nil
		}
		if open += i; strings.IndexByte("%{#", l.src[open+1]) >= 0 {
			break
		}
		open++
	}
	kind := l.src[open+1]
	l.at = open + 2
	sign := l.sign()
	l.data(l.stripped(l.src[begin:open], sign, kind == '{'), begin)
	switch kind {
	case '#':
		return l.comment(open)
	case '{':
		l.emit(tokenPrintBegin, "", open)
		return l.inside(open, "}}", tokenPrintEnd)
	}
	if body, ok := l.rawBegin(); ok {
		return l.raw(open, body)
	}
	l.emit(tokenBlockBegin, "", open)
	return l.inside(open, "%}", tokenBlockEnd)
}

// sign reads the - or + after the beginning of a tag.
func (l *lexer) sign() byte {
	if l.at < len(l.src) && (l.src[l.at] == '-' || l.src[l.at] == '+') {
		l.at++
		return l.src[l.at-1]
	}
	return 0
}

// stripped is data before a tag: without trailing whitespace for "-", else, for
// blocks and comments that are alone on their line, without the indentation.
func (l *lexer) stripped(text string, sign byte, print bool) string {
	switch {
	case sign == '-':
		return strings.TrimRightFunc(text, isSpace)
	case sign == '+' || print:
		return text
	}
	line := strings.LastIndexByte(text, '\n') + 1
	if (line > 0 || l.lineStart) && strings.TrimLeftFunc(text[line:], isSpace) == "" {
		return text[:line]
	}
	return text
}

// tagEnd consumes the end of a tag at l.at, if it is there, and the whitespace
// that goes with it.
func (l *lexer) tagEnd(end string) bool {
	rest := l.src[l.at:]
	switch {
	case strings.HasPrefix(rest, "-"+end):
		rest = strings.TrimLeftFunc(rest[1+len(end):], isSpace)
	case strings.HasPrefix(rest, "+"+end) && end != "}}":
		rest = rest[1+len(end):]
	case strings.HasPrefix(rest, end):
		rest = rest[len(end):]
		if end != "}}" {
			rest = strings.TrimPrefix(rest, "\n")
		}
	default:
		return false
	}
	l.at = len(l.src) - len(rest)
	l.lineStart = l.src[l.at-1] == '\n'
	return true
}

func (l *lexer) comment(open int) error {
	i := strings.Index(l.src[l.at:], "#}")
	if i < 0 {
		return l.fail(open, "the comment has no end: #} is missing")
	}
	if i > 0 && strings.IndexByte("-+", l.src[l.at+i-1]) >= 0 {
		i--
	}
	l.at += i
	l.tagEnd("#}")
	return nil
}

// rawBegin tells whether the block is {% raw %} and where its body begins.
func (l *lexer) rawBegin() (body int, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimLeftFunc(l.src[l.at:], isSpace), "raw")
	if !ok {
		return 0, false
	}
	rest = strings.TrimLeftFunc(rest, isSpace)
	if after, ok := strings.CutPrefix(rest, "-%}"); ok {
		return len(l.src) - len(strings.TrimLeftFunc(after, isSpace)), true
	}
	after, ok := strings.CutPrefix(rest, "%}")
	return len(l.src) - len(after), ok
}

func (l *lexer) raw(open, body int) error {
	l.lineStart = l.src[body-1] == '\n'
	for i := body; ; {
		j := strings.Index(l.src[i:], "{%")
		if j < 0 {
			return l.fail(open, "the raw block has no end: {%% endraw %%} is missing")
		}
		i += j
		l.at = i + 2
		sign := l.sign()
		if rest, ok := strings.CutPrefix(strings.TrimLeftFunc(l.src[l.at:], isSpace), "endraw"); ok {
			l.at = len(l.src) - len(strings.TrimLeftFunc(rest, isSpace))
			text := l.stripped(l.src[body:i], sign, false)
			if l.tagEnd("%}") {
				l.data(text, body)
				return nil
			}
		}
		i += 2
	}
}

const operators2 = "** // == != >= <= "

// inside reads the tokens of a tag up to its end, which inside of brackets is
// no end.
func (l *lexer) inside(open int, end string, endKind tokenKind) error {
	var brackets []byte
	for {
		l.at = len(l.src) - len(strings.TrimLeftFunc(l.src[l.at:], isSpace))
		if l.at >= len(l.src) {
			return l.fail(open, "the tag has no end: %s is missing", end)
		}
		begin := l.at
		if len(brackets) == 0 && l.tagEnd(end) {
			l.emit(endKind, "", begin)
			return nil
		}
		c := l.src[l.at]
		switch {
		case c == '"' || c == '\'':
			if err := l.quoted(c); err != nil {
				return err
			}
			continue
		case c >= '0' && c <= '9':
			if err := l.number(); err != nil {
				return err
			}
			continue
		}
		if r, _ := utf8.DecodeRuneInString(l.src[l.at:]); r == '_' || unicode.IsLetter(r) {
			rest := strings.TrimLeftFunc(l.src[l.at:], func(r rune) bool {
				return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r)
			})
			l.at = len(l.src) - len(rest)
			l.emit(tokenName, l.src[begin:l.at], begin)
			continue
		}
		n := 1
		if l.at+2 <= len(l.src) && strings.Contains(operators2, l.src[l.at:l.at+2]+" ") {
			n = 2
		} else if strings.IndexByte("+-/*%~[](){}><=.:|,", c) < 0 {
			r, _ := utf8.DecodeRuneInString(l.src[l.at:])
			return l.fail(l.at, "unexpected character %q", r)
		}
		switch c {
		case '(', '[', '{':
			brackets = append(brackets, c)
		case ')', ']', '}':
			if len(brackets) == 0 || brackets[len(brackets)-1] != map[byte]byte{')': '(', ']': '[', '}': '{'}[c] {
				return l.fail(l.at, "unexpected %q", c)
			}
			brackets = brackets[:len(brackets)-1]
		}
		l.at += n
		l.emit(tokenOperator, l.src[begin:l.at], begin)
	}
}
