package repair

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// quoteAt is the quote at byte i of s: its class, '"' for the double ones and
// '\” for the single ones, and its length in bytes; 0 where there is none.
func quoteAt(s string, i int) (class byte, n int) {
	if i >= len(s) {
		return 0, 0
	}
	switch c := s[i]; {
	case c == '"':
		return '"', 1
	case c == '\'' || c == '`':
		if strings.HasPrefix(s[i:], "```") {
			return 0, 0
		}
		return '\'', 1
	case c < utf8.RuneSelf:
		return 0, 0
	}
	switch r, n := utf8.DecodeRuneInString(s[i:]); r {
	case '“', '”', '„', '‟', '＂':
		return '"', n
	case '‘', '’', '‚', '‛', '´':
		return '\'', n
	}
	return 0, 0
}

// closes tells whether the quote at i may close a string opened by the quote
// at open. Plain quotes are closed by themselves only.
func (p *parser) closes(open, i int) int {
	c := p.in[open]
	if c == '"' || c == '\'' {
		if p.at(i) == c {
			return 1
		}
		return 0
	}
	class, _ := quoteAt(p.in, open)
	if got, n := quoteAt(p.in, i); got == class {
		return n
	}
	return 0
}

// ending is where a string ends: its text, and where reading goes on. A quote
// that is missing has next == end.
type ending struct {
	end, next int
	missing   bool
}

// quoted reads a string with all that is joined to it by +.
func (p *parser) quoted(place byte) {
	p.str(place)
	for place != inKey {
		plus := p.after(p.pos)
		if p.at(plus) != '+' {
			return
		}
		next := p.after(plus + 1)
		if _, n := quoteAt(p.in, next); n == 0 {
			if p.ended(next) {
				p.drop(Concat, plus, plus+1)
				p.pos = plus + 1
			}
			return
		}
		// From the closing quote to the opening one everything goes. The
		// closing one was kept, or is an insertion that is taken back.
		from := p.last
		if n := len(p.edits); n > 0 && p.edits[n-1].start >= from-3 && strings.HasSuffix(p.edits[n-1].after, `"`) && p.edits[n-1].end >= from {
			from = p.edits[n-1].start
			p.edits = p.edits[:n-1]
		} else {
			from--
		}
		_, n := quoteAt(p.in, next)
		p.pos = next
		mark := len(p.edits)
		p.str(place)
		// The first edits of the second string are those of its opening quote.
		for mark < len(p.edits) && p.edits[mark].start < next+n && p.edits[mark].end <= next+n && p.edits[mark].end > p.edits[mark].start {
			p.edits = append(p.edits[:mark], p.edits[mark+1:]...)
		}
		p.drop(Concat, from, next+n)
	}
}

// str reads one string.
func (p *parser) str(place byte) {
	start := p.pos
	_, n := quoteAt(p.in, start)
	run := p.openingRun(start, n, place)
	open := start + (run-1)*n
	if run > 1 {
		p.drop(QuoteStyle, start, open)
	}
	if p.in[open:open+n] != `"` {
		p.edit(QuoteStyle, open, open+n, `"`)
	}
	text := open + n
	e := p.findEnd(open, text, run, place)
	closing := p.in[e.end:e.next]
	missing := Truncated
	if e.missing {
		if rest := p.after(e.end); rest < len(p.in) {
			missing = CloseQuote
		}
		e.end = p.tail(text, e.end)
	}
	end := e.end
	if place == inKey { // a key does not end in a line break
		for end > text && (p.in[end-1] == '\n' || p.in[end-1] == '\r') {
			end--
		}
		if end < e.end {
			p.drop(Control, end, e.end)
		}
	}
	p.content(text, end)
	switch {
	case e.missing:
		p.insert(missing, e.end, `"`)
		p.pos, p.last = e.next, e.end
		return
	case closing != `"`:
		p.edit(QuoteStyle, e.end, e.next, `"`)
	}
	p.pos, p.last = e.next, e.next
}

// openingRun is the number of quotes that open the string: 1, or 2 and 3 where
// they were doubled ("key") or written as in Python.
func (p *parser) openingRun(start, n int, place byte) int {
	quote := p.in[start : start+n]
	m := 1
	for m < 4 && strings.HasPrefix(p.in[start+m*n:], quote) {
		m++
	}
	switch {
	case m == 2 && p.follow(start+2*n, start+n, place) == 0 && start+2*n < len(p.in):
		// The next quote shows whether the text itself begins with a quote.
		for i := start + 2*n; i < len(p.in) && p.in[i] != '\n' && p.budget > 0; i++ {
			if p.budget--; strings.HasPrefix(p.in[i:], quote) {
				if !strings.HasPrefix(p.in[i+n:], quote) && p.follow(i+n, i, place) == 0 {
					return 1
				}
				break
			}
		}
		return 2
	case m == 3 && p.follow(start+2*n, start+n, place) == 0:
		return 3
	case m == 4 && p.follow(start+4*n, start+3*n, place) > 0:
		return 2
	}
	return 1
}

// tail takes from the end of a text that was cut off what does not belong to
// it: half an escape, half a pair of surrogates, white space. Escapes are
// dropped; plain white space just stays outside the quotes.
func (p *parser) tail(text, end int) int {
	s := p.in[text:end]
	if cut := halfEscape(s); cut < len(s) {
		p.drop(Truncated, text+cut, end)
		s = s[:cut]
		end = text + cut
	}
	if p.prefix {
		return end
	}
	for {
		t := strings.TrimRight(s, " \t\r\n")
		if k := len(t) - 2; k >= 0 && (t[k:] == `\n` || t[k:] == `\r` || t[k:] == `\t`) && halfEscape(t[:k+1]) == k {
			p.drop(Truncated, text+k, text+k+2)
			t = t[:k]
		} else if strings.HasSuffix(t, " +") {
			p.drop(Concat, text+len(t)-1, text+len(t))
			t = t[:len(t)-1]
		}
		if len(t) == len(s) {
			return text + len(s)
		}
		s = t
	}
}

// halfEscape is where an escape begins that the end of s cuts off, with the
// first half of a pair of surrogates before it; len(s) if there is none.
func halfEscape(s string) int {
	i, pair := 0, -1
	for i < len(s) {
		if s[i] != '\\' {
			pair = -1
			i++
			continue
		}
		n := 2
		if i+1 < len(s) && s[i+1] == 'u' {
			n = 6
		}
		if i+n > len(s) {
			if n == 6 && strings.Trim(s[i+2:], "0123456789abcdefABCDEF") != "" {
				return len(s) // an escape that is wrong, not cut off
			}
			if pair >= 0 {
				return pair
			}
			return i
		}
		if n == 6 && (s[i+2] == 'd' || s[i+2] == 'D') && strings.IndexByte("89abAB", s[i+3]) >= 0 {
			pair = i
		} else {
			pair = -1
		}
		i += n
	}
	if pair >= 0 {
		return pair
	}
	return len(s)
}

// content makes the bytes [s, e) the text of a JSON string.
func (p *parser) content(s, e int) {
	uneven := unevenEscapes(p.in[s:e])
	for i := s; i < e; i++ {
		switch c := p.in[i]; {
		case uneven && c == '\\':
			run := i
			for i < e && p.in[i] == '\\' {
				i++
			}
			if i < e && p.in[i] == '"' {
				if i-run > 1 {
					p.drop(Escape, run+1, i)
				}
				continue
			}
			i = run + p.escape(run, e)
		case c == '"':
			p.insert(InnerQuote, i, `\`)
		case c < ' ':
			p.edit(Control, i, i+1, control(c))
		case c == '\\':
			i += p.escape(i, e)
		}
	}
}

// unevenEscapes tells whether a text holds JSON whose quotes were escaped some
// once, some twice: a quote that is not escaped stands behind backslashes.
func unevenEscapes(s string) bool {
	if !strings.HasPrefix(s, `{\\"`) && !strings.HasPrefix(s, `[\\"`) {
		return false
	}
	run := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			run++
			continue
		case s[i] == '"' && run > 0 && run%2 == 0:
			return true
		}
		run = 0
	}
	return false
}

// control is the escape of a control character.
func control(c byte) string {
	switch c {
	case '\n':
		return `\n`
	case '\t':
		return `\t`
	case '\r':
		return `\r`
	case '\b':
		return `\b`
	case '\f':
		return `\f`
	}
	return fmt.Sprintf(`\u%04x`, c)
}

// escape makes the escape at i one of JSON, and returns how many bytes after
// the backslash it takes.
func (p *parser) escape(i, e int) int {
	if i+1 >= e {
		p.insert(Escape, i, `\`)
		return 0
	}
	switch c := p.in[i+1]; {
	case strings.IndexByte(`"\/bfnrt`, c) >= 0:
		return 1
	case c == 'u' && i+6 <= e && isHex(p.in[i+2:i+6]):
		return 5
	case c == 'x' && i+4 <= e && isHex(p.in[i+2:i+4]):
		p.edit(Escape, i, i+2, `\u00`)
		return 3
	case c == '\'' || c == '`':
		p.drop(Escape, i, i+1)
		return 1
	case c == '\n': // a line that goes on
		p.drop(Escape, i, i+2)
		return 1
	case c == '0' && !(i+2 < e && isDigit(p.in[i+2])):
		p.edit(Escape, i, i+2, `\u0000`)
		return 1
	case c == 'v':
		p.edit(Escape, i, i+2, `\u000b`)
		return 1
	}
	p.insert(Escape, i, `\`)
	return 0
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }

// runeLen is the length of the character at i.
func runeLen(s string, i int) int {
	_, n := utf8.DecodeRuneInString(s[i:])
	return max(n, 1)
}
