package repair

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The places where a value may stand. A container is named by its bracket.
const (
	inTop    = 0
	inObject = '{'
	inArray  = '['
	inParens = '('
	inKey    = 'k'
	inSet    = 's' // braces without keys
)

// parser reads text that should be JSON and notes what has to change.
type parser struct {
	in        string
	pos       int
	last      int    // the end of the last token that stays
	open      []byte // the brackets that are open
	edits     []edit
	budget    int // bytes that may still be looked ahead
	lastQuote int // the last double quote of the text
	maxDepth  int
	prefix    bool
	// arrayEnd is the end of the array that was the last value, with whether it
	// had items; -1: the last value was another.
	arrayEnd   int
	arrayItems bool
	brackets   []bracket // see closersAfter
}

func newParser(in string, o Options) *parser {
	return &parser{in: in, budget: lookahead*len(in) + 1<<12, lastQuote: strings.LastIndexByte(in, '"'),
		maxDepth: o.maxDepth(), prefix: o.Prefix, arrayEnd: -1}
}

func (p *parser) edit(kind Kind, start, end int, after string) {
	p.edits = append(p.edits, edit{start: start, end: end, after: after, kind: kind})
}

func (p *parser) insert(kind Kind, at int, text string) { p.edit(kind, at, at, text) }

func (p *parser) insertFirst(kind Kind, at int, text string) {
	p.edits = append(p.edits, edit{start: at, end: at, after: text, kind: kind, front: true})
}

func (p *parser) drop(kind Kind, start, end int) { p.edit(kind, start, end, "") }

// cut drops [start, end) with all edits since mark.
func (p *parser) cut(mark int, kind Kind, start, end int) {
	p.edits = p.edits[:mark]
	p.drop(kind, start, end)
}

// at is the byte at i, 0 beyond the end.
func (p *parser) at(i int) byte {
	if i < len(p.in) {
		return p.in[i]
	}
	return 0
}

// ended tells whether nothing that could be JSON follows at i: the end of the
// text, or of the code fence around it.
func (p *parser) ended(i int) bool { return i >= len(p.in) || strings.HasPrefix(p.in[i:], "```") }

// space is the length of white space at i; odd says that JSON does not have it.
func space(s string, i int) (n int, odd bool) {
	switch c := s[i]; {
	case c == ' ' || c == '\n' || c == '\t' || c == '\r':
		return 1, false
	case c == '\v' || c == '\f':
		return 1, true
	case c < utf8.RuneSelf:
		return 0, false
	}
	switch r, n := utf8.DecodeRuneInString(s[i:]); {
	case r == 0xA0 || r == 0x85 || r >= 0x2000 && r <= 0x200D || r == 0x2028 || r == 0x2029 || r == 0x202F || r == 0x205F || r == 0x2060 || r == 0x3000 || r == 0xFEFF:
		return n, true
	}
	return 0, false
}

// comment is the length of a comment at i, 0 without one. A comment that would
// swallow the rest of the text ends before the first bracket.
func (p *parser) comment(i int) int {
	s := p.in[i:]
	switch {
	case strings.HasPrefix(s, "/*"):
		if n := strings.Index(s[2:], "*/"); n >= 0 {
			return n + 4
		}
	case strings.HasPrefix(s, "//"), strings.HasPrefix(s, "#"):
		if n := strings.IndexByte(s, '\n'); n >= 0 {
			return n
		}
	default:
		return 0
	}
	if n := strings.IndexAny(s, "}]"); n >= 0 {
		return n
	}
	return len(s)
}

// after is the first place from i on that is neither white space nor comment.
// It changes nothing.
func (p *parser) after(i int) int {
	for i < len(p.in) && p.budget > 0 {
		n, _ := space(p.in, i)
		if n == 0 {
			n = p.comment(i)
		}
		if n == 0 {
			break
		}
		p.budget -= n
		i += n
	}
	return i
}

// skip passes white space and drops comments.
func (p *parser) skip() {
	for p.pos < len(p.in) {
		if n, odd := space(p.in, p.pos); n > 0 {
			if odd {
				p.edit(Encoding, p.pos, p.pos+n, " ")
			}
			p.pos += n
			continue
		}
		n := p.comment(p.pos)
		if n == 0 {
			return
		}
		p.drop(Comment, p.pos, p.pos+n)
		p.pos += n
	}
}

// dots drops the ... of something left out.
func (p *parser) dots() bool {
	n := 0
	switch s := p.in[p.pos:]; {
	case strings.HasPrefix(s, "..."):
		n = 3
	case strings.HasPrefix(s, "…"):
		n = len("…")
	default:
		return false
	}
	p.drop(Comment, p.pos, p.pos+n)
	p.pos += n
	return true
}

// keep passes n bytes that stay.
func (p *parser) keep(n int) {
	p.pos += n
	p.last = p.pos
}

// enclosing is the place in p.open of the innermost open bracket, -1 if none.
func (p *parser) enclosing(bracket byte) int { return strings.LastIndexByte(string(p.open), bracket) }

// parent is the place around the innermost container, k containers up.
func (p *parser) parent(k int) byte {
	if len(p.open) <= k {
		return inTop
	}
	return p.open[len(p.open)-1-k]
}

func (p *parser) enter(bracket byte) error {
	if len(p.open) >= p.maxDepth {
		return fmt.Errorf("%w at byte %d: the limit is %d", ErrTooDeep, p.pos, p.maxDepth)
	}
	p.open = append(p.open, bracket)
	return nil
}

func (p *parser) leave() { p.open = p.open[:len(p.open)-1] }

// value reads one value. It returns false where none begins: at the end, at a
// comma, a colon or a closing bracket.
func (p *parser) value(place byte) (bool, error) {
	p.skip()
	p.arrayEnd = -1
	if p.ended(p.pos) {
		return false, nil
	}
	c := p.in[p.pos]
	if _, n := quoteAt(p.in, p.pos); n > 0 {
		if inside := p.quotedFence(p.pos + n); inside > 0 {
			return true, p.fencedValue(inside, place)
		}
		p.quoted(place)
		return true, nil
	}
	switch c {
	case '{':
		return true, p.object(false)
	case '[':
		return true, p.array()
	case '(':
		return true, p.parens(p.pos)
	case ',', ':', ';', '}', ']', ')':
		return false, nil
	}
	if n := p.call(); n > 0 {
		return true, p.parens(p.pos + n)
	}
	p.bare(place)
	return true, nil
}

// quotedFence is where the JSON begins in a string that holds a code fence with
// JSON whose quotes are not escaped; 0 if at, behind the quote, begins another.
func (p *parser) quotedFence(at int) int {
	loc := fence.FindStringIndex(p.in[at:min(len(p.in), at+32)])
	if loc == nil || loc[0] != 0 {
		return 0
	}
	i := at + loc[1]
	for i < len(p.in) && strings.IndexByte(" \t\r\n", p.in[i]) >= 0 {
		i++
	}
	if c := p.at(i); c != '{' && c != '[' || !p.likely(i, true) {
		return 0
	}
	return i
}

// fencedValue reads the value in a fence in quotes; it stands in their place.
func (p *parser) fencedValue(inside int, place byte) error {
	p.drop(Fence, p.pos, inside)
	p.pos = inside
	if _, err := p.value(place); err != nil {
		return err
	}
	end := p.after(p.pos)
	if strings.HasPrefix(p.in[min(end, len(p.in)):], "```") {
		next := p.after(end + 3)
		if _, n := quoteAt(p.in, next); n > 0 {
			next += n
		} else {
			next = end + 3
		}
		p.drop(Fence, p.pos, next)
		p.pos = next
	}
	return nil
}

// call is the length of the name of a call such as ISODate("..."), 0 if there
// is none. What is in the parentheses must look like a value.
func (p *parser) call() int {
	i := p.pos
	for i < len(p.in) && (isLetter(p.in[i]) || i > p.pos && (isDigit(p.in[i]) || p.in[i] == '.')) {
		i++
	}
	if i == p.pos {
		return 0
	}
	name := i - p.pos
	if p.parent(0) == inTop {
		i = p.after(i)
	}
	if p.at(i) != '(' {
		return 0
	}
	i = p.after(i + 1)
	if _, n := quoteAt(p.in, i); n > 0 || strings.IndexByte("{[)-0123456789", p.at(i)) >= 0 && i < len(p.in) || p.literalAt(i) > 0 {
		if end := strings.IndexByte(p.in[i:], ')'); end < 0 {
			return 0
		}
		return name
	}
	return 0
}

// parens reads (1), which is 1, (1, 2), which is an array, and the arguments
// of a call whose name begins at p.pos; the search for the bracket goes on at
// from.
func (p *parser) parens(from int) error {
	start := p.pos
	paren := p.after(from)
	mark := len(p.edits)
	p.drop(Wrapper, start, paren+1)
	p.pos = paren + 1
	if err := p.enter(inParens); err != nil {
		return err
	}
	defer p.leave()
	items, commas := 0, 0
	for {
		p.skip()
		switch c := p.at(p.pos); {
		case p.ended(p.pos) || c == ']' || c == '}':
			return p.closeParens(mark, start, p.last, p.pos, p.pos, items, commas)
		case c == ')':
			p.pos++
			return p.closeParens(mark, start, p.last, p.pos-1, p.pos, items, commas)
		case c == ',':
			commas++
			if items == 0 || p.at(p.after(p.pos+1)) == ')' {
				p.drop(CommaExtra, p.pos, p.pos+1)
			}
			p.pos++
			continue
		case items > commas:
			p.insert(CommaAdded, p.last, ",")
			commas++
		}
		at := p.pos
		ok, err := p.value(inParens)
		if err != nil {
			return err
		}
		if !ok || p.pos == at {
			p.drop(Stray, p.pos, p.pos+1)
			p.pos++
			continue
		}
		items++
	}
}

// closeParens ends parentheses that were opened at the edit mark: [from, to) is
// the closing bracket.
func (p *parser) closeParens(mark, start, last, from, to, items, commas int) error {
	if items != 1 || commas > 0 {
		p.edits[mark].after = "["
		p.edits[mark].kind = Set
		p.edit(Set, from, to, "]")
	} else if to > from {
		p.drop(Wrapper, from, to)
	}
	p.last = max(to, last)
	return nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isLetter takes letters of every script.
func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c >= utf8.RuneSelf
}
