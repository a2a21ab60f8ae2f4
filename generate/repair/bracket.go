package repair

import (
	"slices"
	"strings"
)

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
		if end == i || p.budget <= 0 || m == 0 && !strings.ContainsAny(p.in[i:end], "0123456789") {
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
