// Package alphabet is what automata over characters share: partitions of the
// characters into classes, and the reading of characters byte by byte as UTF-8. The
// packages regular and cfg make the automata.
package alphabet

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// A Span is a range of characters of one class.
type Span struct {
	Lo, Hi rune
	Class  int32
}

// A Partition puts characters into disjoint classes 0, 1, ...; a character may be in
// none. It is immutable. Values above utf8.MaxRune are no characters and may be used
// as further symbols.
type Partition struct {
	ascii   [128]int16 // the class plus 1, 0: none
	spans   []Span     // sorted
	wide    int        // the first span that ends at U+0080 or above
	classes int
}

// New makes the partition of spans, which are disjoint.
func New(spans []Span) *Partition {
	p := &Partition{spans: slices.Clone(spans)}
	slices.SortFunc(p.spans, func(x, y Span) int { return cmp.Compare(x.Lo, y.Lo) })
	for i, s := range p.spans {
		p.classes = max(p.classes, int(s.Class)+1)
		for r := s.Lo; r <= min(s.Hi, 127); r++ {
			p.ascii[r] = int16(s.Class + 1)
		}
		if s.Hi < utf8.RuneSelf {
			p.wide = i + 1
		}
	}
	return p
}

// Classes is the number of classes.
func (p *Partition) Classes() int { return p.classes }

// Spans are the ranges in order. They must not be changed.
func (p *Partition) Spans() []Span { return p.spans }

// Find is the class of a character, -1 if it has none.
func (p *Partition) Find(r rune) int {
	if uint32(r) < 128 {
		return int(p.ascii[r]) - 1
	}
	if i := p.at(r); i < len(p.spans) && p.spans[i].Lo <= r {
		return int(p.spans[i].Class)
	}
	return -1
}

// at is the place of the first span that ends at r or behind it; r is not ASCII.
func (p *Partition) at(r rune) int {
	lo, hi := p.wide, len(p.spans)
	for lo < hi {
		if mid := (lo + hi) / 2; p.spans[mid].Hi < r {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// Overlay is the partition into the characters of one class of p and one of q. For
// each of its classes left and right are those classes, -1 for none.
func Overlay(p, q *Partition) (both *Partition, left, right []int32) {
	type pair struct{ l, r int32 }
	known := map[pair]int32{}
	var spans []Span
	add := func(lo, hi rune, at pair) {
		c, ok := known[at]
		if !ok {
			c = int32(len(left))
			known[at] = c
			left, right = append(left, at.l), append(right, at.r)
		}
		if n := len(spans); n > 0 && spans[n-1].Class == c && spans[n-1].Hi+1 == lo {
			spans[n-1].Hi = hi
		} else {
			spans = append(spans, Span{lo, hi, c})
		}
	}
	a, b := p.spans, q.spans
	var from rune // all before it is done
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Hi < b[0].Lo:
			add(max(a[0].Lo, from), a[0].Hi, pair{a[0].Class, -1})
			from, a = a[0].Hi+1, a[1:]
			continue
		case len(a) == 0 || b[0].Hi < a[0].Lo:
			add(max(b[0].Lo, from), b[0].Hi, pair{-1, b[0].Class})
			from, b = b[0].Hi+1, b[1:]
			continue
		}
		la, lb := max(a[0].Lo, from), max(b[0].Lo, from)
		if la < lb {
			add(la, lb-1, pair{a[0].Class, -1})
		} else if lb < la {
			add(lb, la-1, pair{-1, b[0].Class})
		}
		hi := min(a[0].Hi, b[0].Hi)
		add(max(la, lb), hi, pair{a[0].Class, b[0].Class})
		from = hi + 1
		if a[0].Hi == hi {
			a = a[1:]
		}
		if b[0].Hi == hi {
			b = b[1:]
		}
	}
	return New(spans), left, right
}
