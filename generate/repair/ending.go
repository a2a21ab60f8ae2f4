package repair

import "strings"

// A closing quote is a guess as soon as quotes inside a string are not escaped
// or one is missing. Each candidate is judged by what follows it, and by the
// parity of the quotes passed over: quotes inside a text come in pairs.

// evenSearch is how far an array's string is searched for an end with an even
// number of inner quotes, in bytes.
const evenSearch = 2048

// findEnd finds the end of the string whose quote stands at open and whose text
// begins at text; run quotes opened it.
func (p *parser) findEnd(open, text, run int, place byte) ending {
	if e, ok := p.firstQuote(open, text, run, place); ok {
		return e
	}
	var (
		inner  int        // quotes passed over
		opened bool       // the first of them looked like an opening one
		weak   = -1       // the first candidate that might do
		odd    = ending{} // a good candidate with an odd number of quotes inside
		early  = ending{} // where a closing quote seems to be missing
	)
	for i := text; i < len(p.in); i++ {
		if p.budget--; p.budget <= 0 || odd.next > 0 && i > odd.next+evenSearch {
			break
		}
		c := p.in[i]
		if c == '\\' {
			i++
			continue
		}
		if strings.IndexByte(",\n}]+:/", c) >= 0 {
			if at, sure := p.missingQuote(i, place, inner); sure {
				if inner%2 == 1 && weak >= 0 {
					return p.endAt(weak)
				}
				return at
			} else if at.missing && !early.missing {
				early = at
			}
			continue
		}
		n := p.closes(open, i)
		if n == 0 {
			continue
		}
		m := p.closingRun(i, n, run)
		switch f := p.follow(i+m, i, place); {
		case f == 2 && (place != inArray && place != inParens || inner%2 == 0):
			return ending{end: i, next: i + m}
		case f == 2 && early.missing:
			return early
		case f == 2 && !opened:
			if split := p.splitWord(text, i, place, inner); split.next > 0 {
				return split
			}
			return ending{end: i, next: i + m}
		case f == 2:
			if odd.next == 0 {
				odd = ending{end: i, next: i + m}
			}
		case f == 1 && weak < 0:
			weak = i
		}
		if inner == 0 {
			opened = p.opens(i, n)
		}
		inner++
	}
	switch {
	case odd.next > 0:
		return odd
	case early.missing:
		return early
	case weak >= 0:
		return p.endAt(weak)
	}
	return p.unclosed(text, place)
}

// endAt ends a string at the quote at i.
func (p *parser) endAt(i int) ending {
	_, n := quoteAt(p.in, i)
	return ending{end: i, next: i + n}
}

// firstQuote accepts the first quote that may close the string, as JSON does,
// if what follows is right.
func (p *parser) firstQuote(open, text, run int, place byte) (ending, bool) {
	for i := text; i < len(p.in); i++ {
		if p.budget--; p.budget <= 0 {
			// No more looking ahead: JSON's own rule.
			for ; i < len(p.in); i++ {
				if n := p.closes(open, i); n > 0 {
					return ending{end: i, next: i + n}, true
				}
				if p.in[i] == '\\' {
					i++
				}
			}
			return ending{end: len(p.in), next: len(p.in), missing: true}, true
		}
		if p.in[i] == '\\' {
			i++
			continue
		}
		if n := p.closes(open, i); n > 0 {
			m := p.closingRun(i, n, run)
			return ending{end: i, next: i + m}, p.follow(i+m, i, place) == 2
		}
	}
	return ending{}, false
}

// closingRun is the length in bytes of the quotes that close a string which run
// quotes opened.
func (p *parser) closingRun(i, n, run int) int {
	quote, m := p.in[i:i+n], 1
	for m < run && strings.HasPrefix(p.in[i+m*n:], quote) {
		m++
	}
	return m * n
}

// opens tells whether the quote at i looks like an opening one: white space or
// a bracket before it, none after.
func (p *parser) opens(i, n int) bool {
	before := i == 0 || strings.IndexByte(" \t\n\r([{=>,:", p.in[i-1]) >= 0
	after := i+n < len(p.in) && strings.IndexByte(" \t\n\r)]},.:;", p.in[i+n]) < 0
	return before && after
}

// missingQuote tells whether the string seems to end without a quote before or
// at byte i, a comma, line break, bracket or plus. sure says that no better
// reading is worth looking for.
func (p *parser) missingQuote(i int, place byte, inner int) (e ending, sure bool) {
	at := ending{end: i, next: i, missing: true}
	c := p.in[i]
	if c == '/' {
		if p.comment(i) == 0 {
			return ending{}, false
		}
		if i = p.after(i); p.at(i) != '+' && p.at(i) != ',' {
			return ending{}, false
		}
		c = p.in[i]
	}
	next := p.after(i + 1)
	switch {
	case c == ':' && place == inKey:
		sure = inner == 0 && p.quotedEnd(next) > 0 && next < len(p.in)
	case c == '}' && place == inObject || c == ']' && place == inArray:
		// The container closes and the text goes on with a key or an object.
		for p.at(next) == '}' || p.at(next) == ']' {
			next = p.after(next + 1)
		}
		if p.at(next) == ',' {
			next = p.after(next + 1)
		}
		if p.at(next) == '{' && c == '}' {
			next = p.after(next + 1)
		}
		sure = p.at(next) == '"' && p.quotedKeyAt(next)
	case place == inObject && (c == ',' || c == '\n'):
		sure = p.quotedKeyAt(next) && (p.in[next] != '\'' || p.keyText(next))
	case place == inArray && (c == ',' || c == '\n' || c == '+') && inner%2 == 0:
		if p.at(next) != '"' || c == '\n' && strings.IndexByte(",]}", p.at(next+1)) >= 0 {
			return ending{}, false // no quote, or a closing one on its own line
		}
		return at, false
	}
	if !sure {
		return ending{}, false
	}
	return at, true
}

// keyText tells whether the quoted key at i reads like one: a word.
func (p *parser) keyText(i int) bool {
	_, n := quoteAt(p.in, i)
	j := i + n
	for j < len(p.in) && (isLetter(p.in[j]) || isDigit(p.in[j]) || p.in[j] == '-') {
		j++
	}
	return j > i+n
}

// splitWord ends an array's string at its first quote where a word follows that
// has lost its own opening quote or both: ["a" b", "c"].
func (p *parser) splitWord(text, end int, place byte, inner int) ending {
	if place != inArray || inner != 1 {
		return ending{}
	}
	q := strings.IndexByte(p.in[text:end], '"')
	if q < 1 || p.in[text+q-1] == ' ' || p.in[text+q-1] == '\\' || p.at(text+q+1) != ' ' {
		return ending{}
	}
	if digits := strings.TrimRight(p.in[text:text+q], "0123456789"); len(digits) < q && (digits == "" || digits[len(digits)-1] == ' ') {
		return ending{} // a length in inches
	}
	return ending{end: text + q, next: text + q + 1}
}

// unclosed ends a string that no quote closes.
func (p *parser) unclosed(text int, place byte) ending {
	end := len(p.in)
	if fence := strings.LastIndex(p.in[text:], "```"); fence >= 0 && strings.TrimSpace(p.in[text+fence+3:]) == "" {
		end = text + len(strings.TrimRight(p.in[text:text+fence], " \t\r\n"))
	}
	// Brackets at the end that close what is open stand outside.
	cut := end
	for k := 0; k < len(p.open) && cut > text; k++ {
		tail := strings.TrimRight(p.in[text:cut], " \t\r\n")
		if tail == "" {
			break
		}
		if strings.IndexByte("}])", tail[len(tail)-1]) < 0 {
			break
		}
		cut = text + len(tail) - 1
	}
	if run := p.in[cut:end]; cut < end && p.closesRun(run) {
		end = cut
	}
	// In an array a comma without white space separates.
	if place == inArray || place == inParens {
		for i := text; i < end; i++ {
			if p.in[i] == '\\' {
				i++
			} else if p.in[i] == ',' && i+1 < len(p.in) && strings.IndexByte(" \t", p.in[i+1]) < 0 || p.in[i] == '\n' {
				end = i
				break
			}
		}
	}
	if place == inObject {
		if i := p.lostKey(text, end); i > 0 {
			end = i
		}
	}
	if place == inKey {
		if i := strings.IndexByte(p.in[text:end], ':'); i >= 0 {
			end = text + i
		}
	}
	return ending{end: end, next: end, missing: true}
}

// closesRun tells whether the brackets of a run close what is open, innermost
// first.
func (p *parser) closesRun(run string) bool {
	k := len(p.open) - 1
	for i := 0; i < len(run); i++ {
		c := run[i]
		if strings.IndexByte(" \t\r\n", c) >= 0 {
			continue
		}
		if k < 0 || c != closer(p.open[k]) {
			return false
		}
		k--
	}
	return true
}

func closer(open byte) byte {
	switch open {
	case '{', inSet:
		return '}'
	case '[':
		return ']'
	}
	return ')'
}

// lostKey is the place of a comma in [text, end) behind which a key begins that
// lost a quote: ,"key:value or ,`key:value; 0 if there is none.
func (p *parser) lostKey(text, end int) int {
	for i := text; i < end; i++ {
		if p.in[i] != ',' {
			continue
		}
		next := p.after(i + 1)
		_, n := quoteAt(p.in, next)
		if n == 0 || next >= end {
			continue
		}
		j := next + n
		for j < end && (isLetter(p.in[j]) || isDigit(p.in[j])) {
			j++
		}
		if j > next+n && p.at(j) == ':' {
			return i
		}
	}
	return 0
}
