package repair

import (
	"slices"
	"strings"
)

// object reads an object. Without braces (missing) the opening one is added.
func (p *parser) object(missing bool) error {
	start := p.pos
	if missing {
		p.insertFirst(OpenerAdded, start, "{")
	} else {
		if p.isSet() {
			return p.set()
		}
		p.keep(1)
	}
	if err := p.enter(inObject); err != nil {
		return err
	}
	defer p.leave()
	entries, comma := 0, -1 // comma is the place of the one read last
	for {
		p.skip()
		if p.ended(p.pos) {
			p.dropComma(comma)
			p.insert(Truncated, p.last, "}")
			return nil
		}
		c := p.in[p.pos]
		switch {
		case c == ',' || c == ';':
			p.comma(&comma, entries)
			continue
		case c == '}':
			if p.reopens(entries) {
				p.drop(Merge, p.pos, p.pos+1)
				p.pos++
				continue
			}
			p.dropComma(comma)
			p.keep(1)
			return nil
		case c == ']' && entries == 0 && p.last == start+1 && p.parent(1) == inArray && p.pos == p.last:
			// A brace without anything: it goes, as nothing shows an object.
			p.drop(Stray, start, p.last)
			p.last = start
			return nil
		case c == ']' || c == ')':
			if done := p.mismatch(c, comma); done {
				return nil
			}
			continue
		case c == '{' && p.parent(1) == inArray && entries > 0:
			// The next object of the array begins: this one ends before.
			p.insert(CloserAdded, p.last, "}")
			if comma >= 0 {
				p.pos = comma
			}
			return nil
		case c == '{' || c == '[':
			if err := p.misplaced(c, &comma); err != nil {
				return err
			}
			continue
		case p.dots():
			continue
		}
		again, err := p.entry(entries, comma)
		if err != nil {
			return err
		}
		if again == kept {
			entries++
			comma = -1
		}
	}
}

// comma reads one comma of an object or array; items is the number before it.
func (p *parser) comma(last *int, items int) {
	switch {
	case items == 0 || *last >= 0:
		p.drop(CommaExtra, p.pos, p.pos+1)
	default:
		*last = p.pos
		if p.in[p.pos] == ';' {
			p.edit(CommaExtra, p.pos, p.pos+1, ",")
		}
	}
	p.pos++
}

// dropComma takes back a comma that nothing follows.
func (p *parser) dropComma(comma int) {
	if comma < 0 {
		return
	}
	for i := len(p.edits) - 1; i >= 0; i-- {
		if p.edits[i].start == comma && p.edits[i].end == comma+1 {
			p.edits[i].after = ""
			return
		}
	}
	p.drop(CommaExtra, comma, comma+1)
}

// What became of an entry.
const (
	kept = iota
	dropped
)

// entry reads a key and its value, or drops what has no place.
func (p *parser) entry(entries, comma int) (int, error) {
	start, mark, last := p.pos, len(p.edits), p.last
	if p.strayQuotes() {
		return dropped, nil
	}
	if entries > 0 && p.strayWord(comma) {
		return dropped, nil
	}
	if !p.key() {
		// Not even a key: one character goes.
		p.cut(mark, Stray, start, start+runeLen(p.in, start))
		p.pos = start + runeLen(p.in, start)
		p.last = last
		return dropped, nil
	}
	if entries > 0 && p.pos >= len(p.in) && len(p.edits) > 0 && p.edits[len(p.edits)-1].kind == Truncated {
		p.cut(mark, Truncated, start, len(p.in)) // half a key says nothing
		p.last = last
		return dropped, nil
	}
	if entries > 0 && comma < 0 {
		p.insertBefore(mark, CommaAdded, last, ",")
	}
	p.colon()
	ok, err := p.value(inObject)
	if err != nil {
		return kept, err
	}
	if !ok {
		p.insert(NoValue, p.last, "null")
	}
	return kept, nil
}

// insertBefore inserts text among the edits at mark, so that it comes before
// what was inserted at the same place since.
func (p *parser) insertBefore(mark int, kind Kind, at int, text string) {
	p.insert(kind, at, text)
	e := p.edits[len(p.edits)-1]
	copy(p.edits[mark+1:], p.edits[mark:len(p.edits)-1])
	p.edits[mark] = e
}

// colon reads what stands between key and value.
func (p *parser) colon() {
	p.skip()
	n := 0
	switch s := p.in[p.pos:]; {
	case strings.HasPrefix(s, ":="), strings.HasPrefix(s, "=>"):
		n = 2
	case strings.HasPrefix(s, ":"):
		p.keep(1)
		for p.at(p.pos) == ':' {
			p.drop(Colon, p.pos, p.pos+1)
			p.pos++
		}
		return
	case strings.HasPrefix(s, "="):
		n = 1
	case strings.HasPrefix(s, "："):
		n = len("：")
	default:
		p.insert(Colon, p.last, ":")
		return
	}
	p.edit(Colon, p.pos, p.pos+n, ":")
	p.keep(n)
}

// strayQuotes drops an even run of quotes before a key: """" "a": 1.
func (p *parser) strayQuotes() bool {
	n := 0
	for p.at(p.pos+n) == '"' {
		n++
	}
	next := p.after(p.pos + n)
	if n < 2 || n%2 == 1 || next == p.pos+n || !p.quotedKeyAt(next) {
		return false
	}
	p.drop(StrayQuote, p.pos, p.pos+n)
	p.pos += n
	return true
}

// strayWord drops a word or value where a key belongs: the text goes on with a
// key, a comma or the end.
func (p *parser) strayWord(comma int) bool {
	start, mark, last := p.pos, len(p.edits), p.last
	if _, n := quoteAt(p.in, p.pos); n > 0 {
		class, _ := quoteAt(p.in, p.pos)
		end := p.pos + n
		for end < len(p.in) && end < p.pos+256 && p.in[end] != '\n' {
			if c, m := quoteAt(p.in, end); c == class {
				next := p.after(end + m)
				if comma < 0 && (p.ended(next) || p.in[next] == '}') {
					p.cut(mark, Stray, start, end+m)
					p.pos, p.last = end+m, last
					return true
				}
				return false
			}
			end++
		}
		return false
	}
	end := p.pos
	for end < len(p.in) && (isLetter(p.in[end]) || isDigit(p.in[end]) || strings.IndexByte("-+.", p.in[end]) >= 0) {
		end++
	}
	if end == p.pos {
		return false
	}
	next := p.after(end)
	switch {
	case p.quotedKeyAt(next) && next > end:
	case comma < 0 && (p.at(next) == '}' || p.at(next) == ','):
	default:
		return false
	}
	p.drop(Stray, start, end)
	p.pos = end
	return true
}

// reopens tells whether the brace at p.pos closes an object too early: keys go
// on behind it though the object does not stand in another.
func (p *parser) reopens(entries int) bool {
	if entries == 0 || p.parent(1) == inObject || p.parent(2) == inObject {
		return false // the keys may belong to the object around
	}
	next := p.after(p.pos + 1)
	if p.at(next) != ',' {
		return false
	}
	next = p.after(next + 1)
	return p.quotedKeyAt(next) || p.quotedPairAt(next)
}

// misplaced deals with a bracket where a key belongs. An array after an array
// joins it; braces around further entries go; everything else is dropped.
func (p *parser) misplaced(c byte, comma *int) error {
	start, mark, last, end := p.pos, len(p.edits), p.last, p.arrayEnd
	if c == '{' {
		next := p.after(p.pos + 1)
		if p.quotedKeyAt(next) {
			p.drop(Merge, p.pos, p.pos+1)
			p.pos++
			return nil
		}
	}
	had := p.arrayItems
	if c == '[' && end > 0 && had && *comma >= 0 && p.at(p.after(start+1)) != ']' {
		p.drop(Merge, end-1, end)
		p.drop(Merge, start, start+1)
		p.pos++
		if err := p.items(1, true); err != nil {
			return err
		}
		*comma = -1
		return nil
	}
	if _, err := p.value(inObject); err != nil {
		return err
	}
	p.cut(mark, Stray, start, p.pos)
	p.last = last
	return nil
}

// array reads an array.
func (p *parser) array() error {
	p.keep(1)
	return p.items(0, false)
}

// items reads the items of an array up to its bracket; n are there already,
// and comma says that one follows them.
func (p *parser) items(n int, after bool) error {
	if err := p.enter(inArray); err != nil {
		return err
	}
	defer p.leave()
	comma := -1
	for {
		p.skip()
		if p.ended(p.pos) {
			p.dropComma(comma)
			p.insert(Truncated, p.last, "]")
			return nil
		}
		c := p.in[p.pos]
		switch {
		case c == ',' || c == ';':
			p.comma(&comma, n)
			continue
		case c == ']':
			p.dropComma(comma)
			p.keep(1)
			p.arrayEnd, p.arrayItems = p.pos, n > 0
			return nil
		case c == '}' || c == ')':
			if p.mismatch(c, comma) {
				return nil
			}
			continue
		case c == ':':
			p.drop(Stray, p.pos, p.pos+1)
			p.pos++
			continue
		case p.dots():
			continue
		}
		if n > 0 && comma < 0 && p.pos == p.last && p.last > 0 && isLetter(c) && strings.IndexByte("}]", p.in[p.last-1]) >= 0 {
			end := max(p.wordEnd(p.pos), p.pos+1)
			p.drop(Stray, p.pos, end)
			p.pos = end
			continue
		}
		if n > 0 && p.parent(1) == inObject && p.quotedKeyAt(p.pos) {
			// The next key of the object around: the array ends before.
			p.insert(CloserAdded, p.last, "]")
			if comma >= 0 {
				p.pos = comma
			}
			p.arrayEnd = -1
			return nil
		}
		if n > 0 && comma < 0 && !after {
			p.insert(CommaAdded, p.last, ",")
		}
		after = false
		if err := p.item(); err != nil {
			return err
		}
		n++
		comma = -1
	}
}

// item reads one item. A key where an item belongs opens an object.
func (p *parser) item() error {
	if p.quotedKeyAt(p.pos) {
		return p.object(true)
	}
	_, err := p.value(inArray)
	return err
}

// mismatch deals with a closing bracket c of the wrong kind. There are three
// readings: the right one is missing before it, it stands for the right one, or
// it is one too many. What follows decides. It reports whether the container
// has ended.
func (p *parser) mismatch(c byte, comma int) bool {
	own, opener := byte('}'), byte('[')
	if p.parent(0) == inArray {
		own = ']'
	}
	switch c {
	case '}':
		opener = '{'
	case ')':
		opener = '('
	}
	missing, stands, extra := -1, 2*p.fits(p.parent(1), p.pos+1), 2*p.fits(p.parent(0), p.pos+1)
	k := p.enclosing(opener)
	if k >= 0 {
		missing = 2 * p.fits(p.parent(len(p.open)-k), p.pos+1)
	}
	// Where two readings do equally well, the brackets that follow decide.
	switch p.closersAfter(p.pos + 1) {
	case k:
		missing++
	case len(p.open) - 1:
		stands++
	case len(p.open):
		extra++
	}
	switch {
	case missing >= max(stands, extra):
		p.dropComma(comma)
		p.insert(CloserAdded, p.last, string(own))
		return true
	case stands >= extra:
		p.dropComma(comma)
		p.edit(Mismatch, p.pos, p.pos+1, string(own))
		p.keep(1)
		return true
	}
	p.drop(CloserExtra, p.pos, p.pos+1)
	p.pos++
	return false
}

// bracket is a place of the text and the closing brackets up to it less the
// opening ones.
type bracket struct{ at, sum int }

// closersAfter counts the closing brackets from i on less the opening ones.
// Brackets inside strings do not count, as far as quotes tell.
func (p *parser) closersAfter(i int) int {
	if p.brackets == nil {
		sum, quoted := 0, false
		p.brackets = append(p.brackets, bracket{})
		for at := 0; at < len(p.in); at++ {
			switch c := p.in[at]; {
			case c == '\\':
				at++
				continue
			case c == '"':
				quoted = !quoted
				continue
			case quoted:
				continue
			case c == '{' || c == '[':
				sum--
			case c == '}' || c == ']':
				sum++
			default:
				continue
			}
			p.brackets = append(p.brackets, bracket{at, sum})
		}
	}
	k, _ := slices.BinarySearchFunc(p.brackets, i, func(b bracket, at int) int { return b.at - at })
	return p.brackets[len(p.brackets)-1].sum - p.brackets[max(k-1, 0)].sum // one at i counts
}

// isSet tells whether the brace at p.pos holds values without keys.
func (p *parser) isSet() bool {
	i := p.after(p.pos + 1)
	for n := 0; n < 1000; n++ {
		class, m := quoteAt(p.in, i)
		end := i + m
		switch {
		case m > 0:
			for end < len(p.in) && p.in[end] != '\n' {
				if c, k := quoteAt(p.in, end); c == class {
					end += k
					break
				}
				end++
				p.budget--
			}
		default:
			for end < len(p.in) && (isDigit(p.in[end]) || strings.IndexByte("+-.eE", p.in[end]) >= 0) {
				end++
			}
		}
		if end == i || p.budget <= 0 || m == 0 && strings.IndexAny(p.in[i:end], "0123456789") < 0 {
			return false
		}
		i = p.after(end)
		switch p.at(i) {
		case '}':
			return m == 0 || n > 0
		case ',':
			i = p.after(i + 1)
		default:
			return false
		}
	}
	return false
}

// set reads braces without keys as an array.
func (p *parser) set() error {
	p.edit(Set, p.pos, p.pos+1, "[")
	p.keep(1)
	if err := p.enter(inSet); err != nil {
		return err
	}
	defer p.leave()
	comma := -1
	for n := 0; ; n++ {
		p.skip()
		for p.at(p.pos) == ',' {
			p.comma(&comma, n)
			p.skip()
		}
		if p.ended(p.pos) || p.in[p.pos] == '}' {
			p.dropComma(comma)
			end := min(p.pos+1, len(p.in))
			p.edit(Set, p.pos, end, "]")
			p.pos, p.last = end, end
			return nil
		}
		if n > 0 && comma < 0 {
			p.insert(CommaAdded, p.last, ",")
		}
		at := p.pos
		if _, err := p.value(inArray); err != nil {
			return err
		}
		if p.pos == at {
			p.drop(Stray, p.pos, p.pos+1)
			p.pos++
		}
		comma = -1
	}
}
