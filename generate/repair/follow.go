package repair

import "strings"

// follow judges a closing quote at byte quote by what comes at i, behind it: 2
// right, 1 perhaps, 0 the string goes on.
func (p *parser) follow(i, quote int, place byte) int {
	start := i
	i = p.after(i)
	if p.ended(i) {
		return 2
	}
	apart := i > start
	c := p.in[i]
	_, q := quoteAt(p.in, i)
	switch {
	case apart && p.dotsAt(i):
		return 2
	case c == '+':
		if _, n := quoteAt(p.in, p.after(i+1)); n > 0 && place != inKey {
			return 2
		}
		return 0
	case place == inKey:
		return p.followKey(i, q, apart)
	case place == inObject:
		return p.followMember(i, q, apart)
	case place == inArray || place == inParens || place == inSet:
		return p.followItem(i, q, quote, apart)
	}
	return p.followTop(i, q)
}

// dotsAt tells whether dots for something left out stand at i, before a comma
// or bracket.
func (p *parser) dotsAt(i int) bool {
	rest := strings.TrimLeft(p.in[i:], ".…")
	if n := len(p.in) - i - len(rest); n < 3 {
		return false
	}
	next := p.after(len(p.in) - len(rest))
	return next < len(p.in) && strings.IndexByte(",]}", p.in[next]) >= 0
}

func (p *parser) followKey(i, q int, apart bool) int {
	switch c := p.in[i]; {
	case c == ':' || c == '=' || strings.HasPrefix(p.in[i:], "："):
		return 2
	case (q > 0 || c == '{' || c == '[') && apart:
		return 2
	case c == ',' || c == '}' || c == '{' || c == '[':
		return 1
	case apart && (isDigit(c) || c == '-' || p.literalAt(i) > 0):
		return 2
	}
	return 0
}

func (p *parser) followMember(i, q int, apart bool) int {
	switch c := p.in[i]; {
	case c == ',' || c == ';':
		j := i
		for p.at(j) == ',' || p.at(j) == ';' {
			j = p.after(j + 1)
		}
		switch {
		case p.ended(j) || p.in[j] == '}' || p.keyAt(j) || strings.HasPrefix(p.in[j:], "..."):
			return 2
		case p.in[j] == '{' && p.parent(1) == inArray && p.quotedKeyAt(p.after(j+1)), p.in[j] == '"' && j == p.lastQuote:
			return 2
		}
		return 1
	case c == '}':
		return p.followClose(i)
	case c == ']':
		if k := p.enclosing('['); k >= 0 && p.fits(p.parent(len(p.open)-k), i+1) > 0 || p.fits(p.parent(1), i+1) == 2 {
			return 2
		}
		return 1
	case c == ')':
		if p.enclosing('(') >= 0 {
			return 2
		}
	case c == '{':
		if p.parent(1) == inArray && p.quotedKeyAt(p.after(i+1)) {
			return 2
		}
	case q > 0:
		if p.quotedKeyAt(i) {
			return 2
		}
	case isLetter(c) && apart:
		if p.bareKeyAt(i) {
			return 2
		}
		return p.lonely(i) / 2
	case isDigit(c) && apart:
		return p.lonely(i) / 2
	}
	return 0
}

// followClose judges a bracket at i that closes the container.
func (p *parser) followClose(i int) int {
	if p.fits(p.parent(1), i+1) > 0 {
		return 2
	}
	return 1
}

func (p *parser) followItem(i, q, quote int, apart bool) int {
	before := p.in[quote-1]
	switch c := p.in[i]; {
	case c == ',' || c == ';':
		j := i
		for p.at(j) == ',' || p.at(j) == ';' {
			j = p.after(j + 1)
		}
		if p.ended(j) || strings.IndexByte("]{[(-+}.", p.in[j]) >= 0 || isDigit(p.in[j]) || p.literalAt(j) > 0 {
			return 2
		}
		if _, n := quoteAt(p.in, j); n > 0 {
			return 2
		}
		if word := p.phraseEnd(j); word > j && word < len(p.in) && strings.IndexByte("\",](", p.in[word]) >= 0 {
			return 2
		}
		return 1
	case c == ']' || c == '}' && p.parent(0) == inSet:
		return p.followClose(i)
	case c == '}' || c == ')':
		if k := p.enclosing(map[byte]byte{'}': '{', ')': '('}[c]); k >= 0 && max(p.fits(p.parent(len(p.open)-k), i+1), p.fits(p.parent(1), i+1)) > 0 {
			return 2
		}
		if p.parent(0) == inParens && c == ')' {
			return 2
		}
		return 1
	case c == ':':
		return 2
	case q > 0:
		if apart && before != ' ' && p.opens(i, q) {
			return 2
		}
		return 1
	case apart && before != ' ' && (isDigit(c) || c == '{' || c == '[' || c == '-' || p.literalAt(i) > 0):
		return p.lonely(i)
	case apart && before != ' ' && isLetter(c):
		return p.lonely(i)
	}
	return 0
}

// lonely judges an item without a comma before it: nothing but it may stand
// before the next comma or bracket, and no quote.
func (p *parser) lonely(i int) int {
	if p.in[i] == '{' || p.in[i] == '[' {
		return 2
	}
	for j := i; j < len(p.in) && j < i+256; j++ {
		switch p.in[j] {
		case '"':
			return 0
		case ',', ']', '\n':
			return 2
		}
	}
	return 2
}

func (p *parser) followTop(i, q int) int {
	switch c := p.in[i]; {
	case c == ',' || c == ';' || c == ')' || c == '}' || c == ']':
		j := p.after(i + 1)
		_, n := quoteAt(p.in, j)
		if p.ended(j) || n > 0 || c == ')' && p.at(j) == ';' || c == ',' && strings.IndexByte("{[-0123456789", p.in[j]) >= 0 {
			return 2
		}
	case q > 0 || c == '{' || c == '[':
		if strings.Contains(p.in[p.lineStart(i):i], "\n") {
			return 2
		}
	}
	if i > 0 && i > p.lastQuote {
		return 1
	}
	return 0
}

// lineStart is the place of the line break before i if only white space stands
// between, else i.
func (p *parser) lineStart(i int) int {
	j := i
	for j > 0 && strings.IndexByte(" \t\r\n", p.in[j-1]) >= 0 {
		j--
	}
	return j
}

// fits judges how the text from i on goes with a container, or the top level,
// in which a value has just ended: 2 well, 1 perhaps, 0 not.
func (p *parser) fits(place byte, i int) int {
	i = p.after(i)
	if p.ended(i) {
		if place == inTop {
			return 2
		}
		return 1
	}
	c := p.in[i]
	_, q := quoteAt(p.in, i)
	next := i
	for p.at(next) == ',' {
		next = p.after(next + 1)
	}
	switch place {
	case inObject:
		switch {
		case c == '}' || c == ',' && p.keyAt(next):
			return 2
		case c == ',' && (p.ended(next) || p.in[next] == '}' || p.in[next] == '[' || p.in[next] == '{' && p.quotedKeyAt(p.after(next+1))) || q > 0 && p.quotedKeyAt(i):
			return 1
		case (c == ']' || c == ')') && p.enclosing(opener(c)) >= 0:
			return 1
		}
	case inArray, inParens, inSet:
		switch {
		case c == closer(place):
			return 2
		case c == ',' && (p.ended(next) || p.in[next] == ']'):
			return 1
		case c == ',':
			if !p.quotedKeyAt(next) {
				return 2
			}
		case c == '{' || c == '[' || q > 0 && !p.quotedKeyAt(i):
			return 1
		case c == '}' && p.enclosing('{') >= 0:
			return 1
		}
	default:
		switch {
		case strings.IndexByte(",}]", c) >= 0:
			if c != ',' && p.ended(p.after(next+1)) || c == ',' && p.ended(next) {
				return 1
			}
			if c == ',' && (p.in[next] == '{' || p.in[next] == '[' || p.quotedKeyAt(next) || p.quotedPairAt(next)) {
				return 1
			}
			return 0
		case c == ';' || c == ')' || c == '{' || c == '[' || i > p.lastQuote || p.lineStart(i) < i && strings.Contains(p.in[p.lineStart(i):i], "\n"):
			return 2
		}
	}
	return 0
}

func opener(close byte) byte {
	switch close {
	case '}':
		return '{'
	case ']':
		return '['
	}
	return '('
}

// keySearch is how long a key may be that is looked ahead for, in bytes.
const keySearch = 256

// keyAt tells whether a key begins at i, with or without quotes.
func (p *parser) keyAt(i int) bool {
	if run := strings.TrimLeft(p.in[i:], `"`); len(p.in)-i-len(run) == 4 {
		i = p.after(i + 4) // stray quotes before a key
	}
	return p.quotedKeyAt(i) || p.quotedPairAt(i) || p.bareKeyAt(i) || p.looseKeyAt(i)
}

// looseKeyAt tells whether a key of one word that lost its closing quote, and
// its colon, begin at i.
func (p *parser) looseKeyAt(i int) bool {
	_, n := quoteAt(p.in, i)
	if n == 0 {
		return false
	}
	end := p.wordEnd(i + n)
	if end == i+n || p.at(end) != ':' {
		return false
	}
	next := p.after(end + 1)
	return next < len(p.in) && strings.IndexByte(`"{[`, p.in[next]) >= 0
}

// quotedKeyAt tells whether a quoted key with its colon begins at i.
func (p *parser) quotedKeyAt(i int) bool {
	end := p.quotedEnd(i)
	if end == 0 {
		return false
	}
	next := p.after(end)
	return p.at(next) == ':' || p.at(next) == '='
}

// quotedPairAt tells whether a string and a value without a colon begin at i.
func (p *parser) quotedPairAt(i int) bool {
	end := p.quotedEnd(i)
	if end == 0 {
		return false
	}
	next := p.after(end)
	if next == end || next >= len(p.in) {
		return false
	}
	_, n := quoteAt(p.in, next)
	return n > 0 || strings.IndexByte("{[-", p.in[next]) >= 0 || isDigit(p.in[next]) || p.literalAt(next) > 0
}

// quotedEnd is the end of a short quoted text at i, 0 if there is none.
func (p *parser) quotedEnd(i int) int {
	_, n := quoteAt(p.in, i)
	if n == 0 {
		return 0
	}
	if strings.HasPrefix(p.in[i+n:], p.in[i:i+n]) && (isLetter(p.at(i+2*n)) || isDigit(p.at(i+2*n))) {
		i += n // doubled
	}
	for j := i + n; j < len(p.in) && j < i+keySearch && p.in[j] != '\n'; j++ {
		if p.budget--; p.budget <= 0 {
			return 0
		}
		if p.in[j] == '\\' {
			j++
			continue
		}
		if m := p.closes(i, j); m > 0 {
			return p.doubledEnd(j, m)
		}
	}
	return 0
}

// doubledEnd is the end of the quotes at j.
func (p *parser) doubledEnd(j, m int) int {
	if strings.HasPrefix(p.in[j+m:], p.in[j:j+m]) && p.at(j+2*m) == ':' {
		return j + 2*m
	}
	return j + m
}

// bareKeyAt tells whether a key without quotes, or without its first one, and
// its colon begin at i.
func (p *parser) bareKeyAt(i int) bool {
	end := p.wordEnd(i)
	if end == i {
		return false
	}
	if _, n := quoteAt(p.in, end); n > 0 {
		end += n
	}
	next := p.after(end)
	return p.at(next) == ':' && !strings.HasPrefix(p.in[next:], "://")
}

// phraseEnd is the end of words with blanks between them at i.
func (p *parser) phraseEnd(i int) int {
	for end := i; ; {
		word := p.wordEnd(end)
		if word == end || p.at(word) != ' ' {
			return word
		}
		end = word + 1
	}
}

// wordEnd is the end of the word at i.
func (p *parser) wordEnd(i int) int {
	for j := i; j < len(p.in); j++ {
		if c := p.in[j]; !isLetter(c) && !isDigit(c) && c != '-' && c != '.' {
			return j
		}
		if _, n := quoteAt(p.in, j); n > 0 {
			return j
		}
		if p.budget--; p.budget <= 0 || j > i+keySearch {
			return i
		}
	}
	return len(p.in)
}
