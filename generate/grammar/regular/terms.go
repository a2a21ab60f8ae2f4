package regular

import (
	"slices"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/generate/grammar/alphabet"
)

// Terms are languages that share their parts and their memory, so that larger ones
// are made from smaller ones without copies; package cfg makes the right sides of its
// rules so. A term is a number, and it is also the state before its first character.
// Besides characters a term may have marks: symbols that stand for texts of other
// rules.
type Terms struct {
	a *arena
	reader
}

// MarkBase is the first mark, as a rune: marks lie above the characters.
const MarkBase = utf8.MaxRune + 1

func (s *set) isMark() bool { return s.runes[0] >= MarkBase }

// NewTerms makes a place for terms; name is what errors call it.
func NewTerms(name string) *Terms {
	a := newArena(name)
	return &Terms{a, reader{a}}
}

// None is the term without texts.
func (t *Terms) None() int32 { return t.a.none.id }

// Empty is the term of the empty text.
func (t *Terms) Empty() int32 { return t.a.empty.id }

// Class is the term of one character of the ranges, given as pairs.
func (t *Terms) Class(pairs ...rune) int32 { return t.a.class(t.a.set(makeRunes(pairs))).id }

// Except is the term of one character that is not of the ranges.
func (t *Terms) Except(pairs ...rune) int32 { return t.a.class(t.a.set(makeRunes(pairs).not())).id }

// Text is the term of one text of UTF-8.
func (t *Terms) Text(s string) int32 { return t.a.words([][]rune{[]rune(s)}).id }

// Mark is the term of one mark, which stands for a text of so many bytes at least.
func (t *Terms) Mark(k, bytes int) int32 {
	r := MarkBase + rune(k)
	s := t.a.set(runes{r, r})
	s.length = int32(bytes)
	return t.a.class(s).id
}

// Language is the term of a language.
func (t *Terms) Language(l *Language) int32 {
	for _, n := range l.a.names {
		t.a.name(n)
	}
	return t.a.take(l.root, map[*node]*node{}, map[*set]*set{}).id
}

// Concat has a text of each term, one behind the other.
func (t *Terms) Concat(xs ...int32) int32 {
	out := t.a.empty
	for _, x := range slices.Backward(xs) {
		out = t.a.concat(t.a.nodes[x], out)
	}
	return out.id
}

// Union has the texts of all the terms.
func (t *Terms) Union(xs ...int32) int32 {
	list := make([]*node, len(xs))
	for i, x := range xs {
		list[i] = t.a.nodes[x]
	}
	return t.a.union(list).id
}

// Repeat has min to max texts of a term, one behind the other; max < 0: no bound.
func (t *Terms) Repeat(x int32, min, max int) int32 {
	return t.a.repeat(t.a.nodes[x], int32(min), int32(max)).id
}

// From is the term of one symbol of a class of a partition that Classes returned, and
// what follows.
func (t *Terms) From(p *alphabet.Partition, class int, then int32) int32 {
	var r runes
	for _, s := range p.Spans() {
		if int(s.Class) == class {
			r = append(r, s.Lo, s.Hi)
		}
	}
	return t.a.concat(t.a.class(t.a.set(r)), t.a.nodes[then]).id
}

// ShortestRunes is a shortest text of a term, marks among its characters.
func (t *Terms) ShortestRunes(x int32) []rune {
	return t.a.appendShortest(nil, t.a.nodes[x], -1)
}

// Err says that the limit of memory was reached, or another of work.
func (t *Terms) Err() error { return t.a.err }

// NonEmpty has the texts of a term but the empty one.
func (t *Terms) NonEmpty(x int32) int32 {
	n := t.a.nodes[x]
	if !n.nullable {
		return x
	}
	list := []*node{}
	for _, c := range t.a.derive(n) {
		list = append(list, t.a.concat(t.a.class(c.set), c.to))
	}
	return t.a.union(list).id
}

// Minus has the texts of x that y does not have. Neither may have marks.
func (t *Terms) Minus(x, y int32) int32 {
	return t.a.inter([]*node{t.a.nodes[x], t.a.not(t.a.nodes[y])}).id
}
