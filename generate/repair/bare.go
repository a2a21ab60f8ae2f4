package repair

import (
	"math/big"
	"regexp"
	"strings"
)

// literals are words that stand for a JSON value, in lower case.
var literals = map[string]string{
	"true": "true", "false": "false", "null": "null",
	"none": "null", "nil": "null", "undefined": "null",
	"nan": "null", "infinity": "null", "-infinity": "null", "+infinity": "null", "-nan": "null",
	"inf": "null", "-inf": "null",
}

// literalAt is the length of a literal at i that ends there, 0 if there is none.
func (p *parser) literalAt(i int) int {
	end := i
	if c := p.at(i); c == '-' || c == '+' {
		end++
	}
	for end < len(p.in) && end < i+12 && (isLetter(p.in[end]) || isDigit(p.in[end])) {
		end++
	}
	word := p.in[i:end]
	if _, ok := literals[strings.ToLower(word)]; !ok || strings.IndexByte("-.:/@", p.at(end)) > 0 && p.at(end) != 0 {
		return 0
	}
	return end - i
}

// bare reads a value without quotes: a number, a literal, or a text.
func (p *parser) bare(place byte) {
	start := p.pos
	if n := p.literalAt(start); n > 0 && p.wordEnds(start+n, place) {
		word := p.in[start : start+n]
		if value := literals[strings.ToLower(word)]; value != word {
			p.edit(Literal, start, start+n, value)
		}
		p.keep(n)
		p.strayQuote(place)
		return
	}
	if n := p.number(place); n > 0 {
		p.keep(n)
		p.strayQuote(place)
		return
	}
	if p.cutLiteral() || p.regex(place) {
		return
	}
	end, next := p.bareEnd(place)
	text := strings.TrimRight(p.in[start:end], " \t\r\n")
	end = start + len(text)
	kind := Unquoted
	if next > end && p.in[next-1] == '"' {
		kind = OpenQuote
	}
	p.insert(kind, start, `"`)
	p.content(start, end)
	if kind == OpenQuote {
		p.edit(OpenQuote, end, next, `"`)
		p.pos, p.last = next, next
		return
	}
	p.insert(kind, end, `"`)
	p.pos, p.last = max(next, start+1), end
}

// wordEnds tells whether the value that ends at i may end there.
func (p *parser) wordEnds(i int, place byte) bool {
	next := p.after(i)
	if p.ended(next) || p.dotsAt(next) || strings.IndexByte(",;}])\n", p.in[next]) >= 0 {
		return true
	}
	if _, n := quoteAt(p.in, next); n > 0 {
		return true
	}
	switch {
	case strings.Contains(p.in[i:next], "\n"):
		return true
	case place == inObject:
		return next > i && p.bareKeyAt(next) || p.in[next] == '{' && p.parent(1) == inArray && p.quotedKeyAt(p.after(next+1))
	case place == inArray:
		return next > i && (isDigit(p.in[next]) || p.in[next] == '-' || p.in[next] == '{' || p.in[next] == '[' || p.literalAt(next) > 0) || p.in[next] == '{' || p.in[next] == '['
	}
	return p.in[next] == '{' || p.in[next] == '['
}

// strayQuote drops a quote right behind a number or literal.
func (p *parser) strayQuote(byte) {
	if p.at(p.pos) != '"' {
		return
	}
	if next := p.after(p.pos + 1); p.ended(next) || strings.IndexByte(",}]", p.in[next]) >= 0 {
		p.drop(StrayQuote, p.pos, p.pos+1)
		p.pos++
	}
}

var (
	jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
	nearNumber = regexp.MustCompile(`^([+-]?)([0-9]*)(\.?)([0-9]*)([eE]?)([+-]?)([0-9]*)$`)
	hexNumber  = regexp.MustCompile(`^[+-]?0[xX][0-9a-fA-F]+$`)
	underscore = regexp.MustCompile(`^[+-]?[0-9]+(_[0-9]+)*(\.[0-9]+(_[0-9]+)*)?$`)
)

// number reads a number and returns its length, 0 if none stands at p.pos.
func (p *parser) number(place byte) int {
	start := p.pos
	if c := p.in[start]; !isDigit(c) && c != '-' && c != '+' && c != '.' {
		return 0
	}
	end := start
	for end < len(p.in) && strings.IndexByte("0123456789+-.eExXabcdfABCDF_n", p.in[end]) >= 0 {
		end++
	}
	if !p.wordEnds(end, place) {
		return 0
	}
	word := p.in[start:end]
	if jsonNumber.MatchString(word) {
		return len(word)
	}
	kind := Number
	fixed := fixNumber(word, p.ended(p.after(end)))
	if fixed == "" {
		return 0
	}
	if end == len(p.in) {
		kind = Truncated
	}
	p.edit(kind, start, end, fixed)
	return len(word)
}

// fixNumber is the JSON number a word of other languages stands for, "" if it
// is none. last says that the text ends here, so an exponent may be cut off.
func fixNumber(word string, last bool) string {
	if strings.Contains(word, "_") && underscore.MatchString(word) {
		word = strings.ReplaceAll(word, "_", "")
	}
	if hexNumber.MatchString(word) {
		n, ok := new(big.Int).SetString(strings.TrimPrefix(word, "+"), 0)
		if !ok {
			return ""
		}
		return n.String()
	}
	if n := len(word); n > 1 && word[n-1] == 'n' { // JavaScript's big integers
		word = word[:n-1]
	}
	m := nearNumber.FindStringSubmatch(word)
	if m == nil {
		return ""
	}
	sign, whole, dot, frac, e, esign, exp := m[1], m[2], m[3], m[4], m[5], m[6], m[7]
	switch {
	case whole == "" && frac == "" && (dot == "" || e != ""):
		if sign == "-" && e == "" && last {
			return "-0"
		}
		return ""
	case len(whole) > 1 && whole[0] == '0', e == "" && esign+exp != "":
		return "" // 007 is a text, or a number that lost its meaning
	}
	if sign == "+" {
		sign = ""
	}
	if whole == "" {
		whole = "0"
	}
	if dot != "" && frac == "" {
		frac = "0"
	}
	if e != "" && exp == "" {
		exp = "0"
	}
	return sign + whole + dot + frac + e + esign + exp
}

// cutLiteral completes a literal that the end of the text cuts off. Only inside
// brackets: a text of its own is no literal.
func (p *parser) cutLiteral() bool {
	end := p.wordEnd(p.pos)
	word := p.in[p.pos:end]
	if word == "" || len(p.open) == 0 || !p.ended(p.after(end)) {
		return false
	}
	for _, full := range []string{"true", "false", "null", "True", "False", "None"} {
		if strings.HasPrefix(full, word) {
			p.edit(Truncated, p.pos, end, literals[strings.ToLower(full)])
			p.keep(len(word))
			return true
		}
	}
	return false
}

// regex reads /.../ as a text.
func (p *parser) regex(place byte) bool {
	if p.in[p.pos] != '/' {
		return false
	}
	rest := p.in[p.pos+1:]
	if n := strings.IndexByte(rest, '\n'); n >= 0 {
		rest = rest[:n]
	}
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '/':
			end := p.pos + 1 + i + 1
			if !p.wordEnds(end, place) {
				return false
			}
			start := p.pos
			p.insert(Unquoted, start, `"`)
			p.content(start, end)
			p.insert(Unquoted, end, `"`)
			p.pos, p.last = end, end
			return true
		}
	}
	return false
}

// bareEnd is the end of a text without quotes, and where reading goes on: after
// its closing quote, if only the opening one is missing.
func (p *parser) bareEnd(place byte) (end, next int) {
	depth := 0
	for i := p.pos; i < len(p.in); i++ {
		if p.budget--; p.budget <= 0 {
			return len(p.in), len(p.in)
		}
		switch c := p.in[i]; {
		case strings.HasPrefix(p.in[i:], "```"):
			return i, i
		case c == '\\':
			i++
		case c == '"':
			if done, at := p.bareQuote(i, place); done {
				return i, at
			}
		case c == '{' || c == '[' || c == '(':
			depth++
		case (c == '}' || c == ']' || c == ')') && depth > 0:
			depth--
		case c == '}' || c == ']' || c == ')' && place == inParens:
			if place != inTop {
				return i, i
			}
		case c == ';' && place == inTop && p.ended(p.after(i+1)):
			return i, i
		case depth > 0:
		case c == ',' && p.bareComma(i, place):
			return i, i
		case c == '\n' && p.bareLine(i, place):
			return i, i
		case (c == '/' || c == '#') && i > p.pos && (p.in[i-1] == ' ' || p.in[i-1] == '\t') && p.comment(i) > 0:
			return i, i
		}
	}
	return len(p.in), len(p.in)
}

// bareQuote decides about a quote in a text without an opening one: it closes
// the text, belongs to the next key, or is part of the text.
func (p *parser) bareQuote(i int, place byte) (done bool, next int) {
	switch {
	case p.follow(i+1, i, place) == 2 && p.in[i-1] != ' ':
		return true, i + 1
	case place == inObject && p.quotedKeyAt(i):
		return true, i
	case p.in[i-1] != ' ' && p.in[i-1] != '(' && p.in[i-1] != '=':
		return true, i
	}
	return false, 0
}

func (p *parser) bareComma(i int, place byte) bool {
	if place != inObject {
		return true
	}
	next := p.after(i + 1)
	return p.ended(next) || p.in[next] == '}' || p.in[next] == ',' || p.in[next] == '{' && p.parent(1) == inArray ||
		strings.HasPrefix(p.in[next:], "...") || p.keyAt(next)
}

func (p *parser) bareLine(i int, place byte) bool {
	if place != inObject {
		return true
	}
	next := p.after(i + 1)
	return p.ended(next) || strings.IndexByte("}],", p.in[next]) >= 0 || p.keyAt(next)
}

// key reads a key, quoted or not; false where nothing like one stands.
func (p *parser) key() bool {
	if _, n := quoteAt(p.in, p.pos); n > 0 {
		p.quoted(inKey)
		return true
	}
	start, end := p.pos, p.pos
scan:
	for ; end < len(p.in); end++ {
		switch c := p.in[end]; {
		case strings.IndexByte(":=,{}[]\n", c) >= 0:
			break scan
		case strings.HasPrefix(p.in[end:], "："):
			break scan
		}
		if _, n := quoteAt(p.in, end); n > 0 && end > start {
			break scan
		}
	}
	text := strings.TrimRight(p.in[start:end], " \t\r\n")
	if text == "" {
		return false
	}
	if _, n := quoteAt(p.in, end); n > 0 && len(text) == end-start {
		if next := p.after(end + n); p.at(next) == ':' || p.at(next) == '=' {
			p.insert(OpenQuote, start, `"`)
			p.content(start, end)
			if p.in[end:end+n] != `"` {
				p.edit(QuoteStyle, end, end+n, `"`)
			}
			p.pos, p.last = end+n, end+n
			return true
		}
	}
	end = start + len(text)
	p.insert(Unquoted, start, `"`)
	p.content(start, end)
	p.insert(Unquoted, end, `"`)
	p.pos, p.last = end, end
	return true
}
