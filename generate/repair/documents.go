package repair

import (
	"regexp"
	"strings"
)

// document is a value found in the text: its bytes, and whether it has content.
type document struct {
	start, end int
	mark       int // its first edit
	empty      bool
	scalar     bool
}

// documents reads all documents of the text. Several become one array.
func (p *parser) documents() error {
	p.skip()
	p.unwrapFence()
	var docs []document
	for {
		if !p.find(docs) {
			break
		}
		d := document{start: p.pos, mark: len(p.edits)}
		_, q := quoteAt(p.in, p.pos)
		var err error
		switch {
		case q > 0 && p.quotedKeyAt(p.pos):
			err = p.object(true)
		default:
			d.scalar = strings.IndexByte("{[(", p.in[p.pos]) < 0
			_, err = p.value(inTop)
		}
		if err != nil {
			return err
		}
		if p.pos == d.start {
			p.drop(Stray, p.pos, p.pos+1)
			p.pos++
			continue
		}
		d.end = p.last
		d.empty = !d.scalar && len(strings.Trim(p.in[d.start:d.end], " \t\r\n{}[]()")) == 0
		docs = append(docs, d)
	}
	docs = p.choose(docs)
	if len(docs) == 0 {
		return ErrNothing
	}
	if len(docs) > 1 {
		p.join(docs)
	}
	return nil
}

// find drops text up to the next document. After the first one a scalar must
// follow a comma or a line break; other text is prose.
func (p *parser) find(docs []document) bool {
	start := p.pos
	p.separators(len(docs) > 0)
	for p.ended(p.pos) {
		if p.pos >= len(p.in) {
			return false
		}
		if !p.nextFence(len(docs) > 0) {
			p.drop(Fence, p.pos, p.pos+3)
			p.pos += 3
		}
		p.separators(len(docs) > 0)
	}
	scalars := len(docs) == 0 || docs[len(docs)-1].scalar
	if len(docs) == 0 || p.pos > start {
		if p.starts(p.pos, len(docs) == 0) {
			return true
		}
	} else if p.starts(p.pos, false) {
		return true
	}
	at := p.container(p.pos, len(docs) > 0)
	if at < 0 && scalars && p.scalarHere(len(docs) == 0) {
		return true
	}
	mark, from := len(p.edits), p.pos
	if at < 0 {
		p.cut(mark, Prose, from, len(p.in))
		p.pos = len(p.in)
		return false
	}
	p.cut(mark, Prose, from, at)
	p.pos = at
	return true
}

// separators passes white space, and drops commas and semicolons, between
// documents.
func (p *parser) separators(between bool) {
	for {
		p.skip()
		if c := p.at(p.pos); c == ',' || c == ';' || between && (c == '}' || c == ']' || c == ')') {
			kind := CommaExtra
			if c != ',' && c != ';' {
				kind = CloserExtra
			}
			p.drop(kind, p.pos, p.pos+1)
			p.pos++
			continue
		}
		return
	}
}

// starts tells whether a document stands right at i. The text's own first
// bracket always counts.
func (p *parser) starts(i int, first bool) bool {
	switch c := p.at(i); {
	case c == '{' || c == '[':
		return first || p.likely(i, false)
	case c == '(':
		return first && p.container(i, false) < 0
	}
	return first && p.quotedKeyAt(i) && p.wordAt(i)
}

// wordAt tells whether the quoted text at i is followed by a colon and what
// looks like a value on the same line: the start of an object without brace.
func (p *parser) wordAt(i int) bool {
	next := p.after(p.quotedEnd(i))
	next = p.after(next + 1)
	return next < len(p.in) && p.in[next] != '\n'
}

// scalarHere tells whether a value without brackets may be read at p.pos. Prose
// of several lines or many words is none.
func (p *parser) scalarHere(first bool) bool {
	if !first {
		return true
	}
	rest := strings.TrimSpace(p.in[p.pos:])
	if _, n := quoteAt(p.in, p.pos); n > 0 || p.literalAt(p.pos) > 0 || isDigit(rest[0]) || rest[0] == '-' {
		return true
	}
	if rest[0] == '/' && strings.Count(rest, "/") < 2 {
		return false
	}
	return len(rest) <= maxProse
}

// maxProse is the length of a text without brackets, in bytes, that is still
// taken for a string.
const maxProse = 200

// container is the place of the next likely object or array from i on, -1 if
// there is none. An array of numbers only, which may be a footnote such as [1],
// is taken if there is nothing else, and never where strict.
func (p *parser) container(i int, strict bool) int {
	second := -1
	for ; i < len(p.in); i++ {
		if c := p.in[i]; c != '{' && c != '[' {
			continue
		}
		if p.budget -= 4; p.budget <= 0 {
			break
		}
		if !p.likely(i, true) {
			if second < 0 && !strict && p.likely(i, false) {
				second = i
			}
			continue
		}
		return i
	}
	return second
}

// likely tells whether the bracket at i opens JSON; strict leaves out arrays of
// nothing but numbers, which prose has as well.
func (p *parser) likely(i int, strict bool) bool {
	next := p.after(i + 1)
	if next >= len(p.in) {
		return !strict || p.in[i] == '{'
	}
	c := p.in[next]
	_, q := quoteAt(p.in, next)
	if p.in[i] == '{' {
		return c == '}' || q > 0 && (p.quotedEnd(next) > 0 || p.in[next] == '"') || p.bareKeyAt(next) || c == '{' && next > i+1 && p.quotedKeyAt(p.after(next+1)) || strings.HasPrefix(p.in[next:], "...")
	}
	switch {
	case c == '{':
		return p.likely(next, strict)
	case q > 0 && c == '"':
		return true
	case q > 0:
		return p.quotedEnd(next) > 0
	case c == '[':
		return p.likely(next, false)
	case strict:
		rest := strings.TrimLeft(p.in[next:min(len(p.in), next+keySearch)], "0123456789,. -\n\t")
		value := isDigit(c) || c == '-' || p.literalAt(next) > 0
		return value && rest != "" && rest[0] != ']'
	}
	return c == ']' || isDigit(c) || c == '-' || p.literalAt(next) > 0
}

var fence = regexp.MustCompile("(?m)```[ \t]*([A-Za-z0-9_+-]*)[ \t]*")

// unwrapFence passes to the inside of the first code fence where the text does
// not begin with a bracket of its own.
func (p *parser) unwrapFence() {
	start := p.pos
	if c := p.at(start); c == '{' || c == '[' {
		next := p.after(start + 1)
		if !strings.HasPrefix(p.in[min(next, len(p.in)):], "```") {
			return
		}
		p.drop(Prose, start, next)
		p.pos = next
	}
	p.nextFence(false)
}

// nextFence passes to the inside of the next code fence that holds a document.
// What it passes goes.
func (p *parser) nextFence(after bool) bool {
	start := p.pos
	from := start
	if after && strings.HasPrefix(p.in[min(from, len(p.in)):], "```") {
		from += 3 // the end of the fence before
	}
	for from < len(p.in) {
		loc := fence.FindStringIndex(p.in[from:])
		if loc == nil {
			break
		}
		inside := from + loc[1]
		next := p.after(inside)
		if p.fenced(next) && (!after || p.starts(next, true)) {
			mark := len(p.edits)
			p.cut(mark, Fence, start, inside)
			p.pos = inside
			p.skip()
			return true
		}
		from = inside
	}
	return false
}

// fenced tells whether what stands at i, inside a fence, may be a document.
func (p *parser) fenced(i int) bool {
	if i >= len(p.in) {
		return false
	}
	_, n := quoteAt(p.in, i)
	c := p.in[i]
	return c == '{' || c == '[' || c == '(' || n > 0 || isDigit(c) || c == '-' || p.literalAt(i) > 0
}

// choose leaves out documents that carry nothing beside others: empty
// containers, and words or numbers next to containers.
func (p *parser) choose(docs []document) []document {
	best := 0
	weight := func(d document) int {
		switch {
		case d.scalar:
			return 1
		case d.empty:
			return 2
		}
		return 3
	}
	for _, d := range docs {
		best = max(best, weight(d))
	}
	var stay []document
	gone := make([]bool, len(p.edits))
	var drops []document
	for i, d := range docs {
		if weight(d) == best && !(best == 2 && len(stay) > 0) {
			stay = append(stay, d)
			continue
		}
		end := len(p.edits)
		if i+1 < len(docs) {
			end = docs[i+1].mark
		}
		for k := d.mark; k < end; k++ { // edits inside go with the document
			gone[k] = p.edits[k].start >= d.start && p.edits[k].end <= d.end
		}
		drops = append(drops, d)
	}
	left := p.edits[:0]
	for k, e := range p.edits {
		if !gone[k] {
			left = append(left, e)
		}
	}
	p.edits = left
	for _, d := range drops {
		p.drop(Prose, d.start, d.end)
	}
	return stay
}

// join makes the items of one array of several documents.
func (p *parser) join(docs []document) {
	p.insertFirst(Documents, docs[0].start, "[")
	for i, d := range docs {
		if i+1 < len(docs) {
			p.insert(Documents, d.end, ",")
			continue
		}
		p.insert(Documents, d.end, "]")
	}
}
