// Package regular has regular languages of texts, as deterministic automata that are
// built only as far as they are read. A Language comes from a pattern (RE2's syntax
// or that of ECMA-262, as JSON Schema uses it), from words, or from others by union,
// intersection, complement, concatenation and repetition.
//
// A state is a regular expression, and reading a character takes its derivative
// (Brzozowski 1964, "Derivatives of regular expressions"; Owens, Reppy & Turon 2009,
// "Regular-expression derivatives re-examined"). Hence the Boolean operations cost
// nothing, and x{1,65536} is a counter rather than 65,536 copies. A pattern with
// exponentially many states is read as any other, until the memory of one language
// is used up.
//
// The alphabet is the code points that UTF-8 can write: surrogates are not among
// them. Capturing groups, laziness and the order of alternatives say nothing about
// which texts match, so they are read and forgotten. Back-references are no regular
// languages and are errors.
package regular

import (
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/generate/grammar/alphabet"
	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// A Language is a set of texts. It is immutable, but remembers what it found out, so
// it must not be used by several goroutines at once. Making a language from others
// only reads their definition: it may happen while others use them.
type Language struct {
	a     *arena
	root  *node
	bytes *alphabet.Machine[int32]
}

// Dead is the state from which nothing follows.
const Dead = -1

// An Edge leads from a state to the state To by each character from Lo to Hi.
type Edge struct {
	Lo, Hi rune
	To     int32
}

// made is the language of a term of the arena. Where making the term took too much
// memory the language is lost.
func (a *arena) made(root *node) *Language {
	a.lost = a.err != nil
	return &Language{a: a, root: root}
}

// gather makes a new arena with the terms of other languages.
func gather(ls ...*Language) (*arena, []*node) {
	a := newArena()
	terms := make([]*node, len(ls))
	for i, l := range ls {
		for _, n := range l.a.names {
			a.name(n)
		}
		if l.a.lost {
			a.err = l.a.err // what is made of it is lost too
		}
		terms[i] = a.take(l.root, map[*node]*node{}, map[*set]*set{})
	}
	return a, terms
}

// All is the language of all texts.
func All() *Language { a := newArena(); return a.made(a.all) }

// None is the language without texts.
func None() *Language { a := newArena(); return a.made(a.none) }

// Runes is the language of the texts of one character from lo to hi.
func Runes(lo, hi rune) *Language {
	a := newArena()
	return a.made(a.class(a.set(makeRunes([]rune{lo, hi}))))
}

// Union has the texts of any of the languages, Union() none.
func Union(l ...*Language) *Language {
	a, terms := gather(l...)
	return a.made(a.union(terms))
}

// Intersect has the texts that all the languages have, Intersect() all texts.
func Intersect(l ...*Language) *Language {
	a, terms := gather(l...)
	return a.made(a.inter(terms))
}

// Complement has all other texts.
func Complement(l *Language) *Language {
	a, terms := gather(l)
	return a.made(a.not(terms[0]))
}

// Difference has the texts of x that y does not have.
func Difference(x, y *Language) *Language {
	a, terms := gather(x, y)
	return a.made(a.inter([]*node{terms[0], a.not(terms[1])}))
}

// Concat has a text of each language, one behind the other; Concat() has the empty
// text.
func Concat(l ...*Language) *Language {
	a, terms := gather(l...)
	out := a.empty
	for _, t := range slices.Backward(terms) {
		out = a.concat(t, out)
	}
	return a.made(out)
}

// Repeat has min to max texts of l, one behind the other; max < 0 is no bound. Bounds
// that leave nothing (max < min) give the language without texts.
func Repeat(l *Language, min, max int) *Language {
	a, terms := gather(l)
	if max >= 0 && max < min {
		return a.made(a.none)
	}
	return a.made(a.repeat(terms[0], int32(min), int32(max)))
}

// Strings has just these words. Bytes that are no UTF-8 cannot be read, so a word
// with such bytes is left out.
func Strings(words ...string) *Language {
	a := newArena()
	var list [][]rune
	for _, w := range words {
		if r := []rune(w); string(r) == w {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, slices.Compare)
	return a.made(a.words(list))
}

// words is the term of sorted words.
func (a *arena) words(list [][]rune) *node {
	n := 0
	for _, w := range list {
		n += len(w)
	}
	if n > a.limit/216 { // a node takes that much: do not begin
		a.name(fmt.Sprintf("a list of %d words", len(list)))
		a.spend(a.limit)
		return a.none
	}
	return a.trie(list, 0)
}

// trie makes the switch of sorted words that agree up to depth.
func (a *arena) trie(words [][]rune, depth int) *node {
	eps := false
	var cases []arc
	for i := 0; i < len(words); {
		if len(words[i]) == depth {
			eps = true
			i++
			continue
		}
		r, end := words[i][depth], i+1
		for end < len(words) && words[end][depth] == r {
			end++
		}
		cases = append(cases, arc{a.set(runes{r, r}), a.trie(words[i:end], depth+1)})
		i = end
	}
	return a.choose(eps, cases)
}

// Err says that the limit of memory was reached: from then on new states count as
// dead, but for those on the shortest way to an end. A language that was too large to
// be made has no state at all.
func (l *Language) Err() error { return l.a.err }

// Empty says whether the language has no text. It fails where the limit of memory is
// too small to find out.
func (l *Language) Empty() (bool, error) {
	if l.a.lost {
		return true, l.a.err
	}
	empty := l.a.cost(l.root) >= infinite
	if empty && l.a.err != nil {
		return true, l.a.err
	}
	return empty, nil
}

// Size is the number of terms that were made for the language so far: a measure of the
// work that it took.
func (l *Language) Size() int { return len(l.a.nodes) }

// ShortestLen is the length in bytes of a shortest text; of none it is 0, as of the
// empty one.
func (l *Language) ShortestLen() int {
	if l.Start() == Dead {
		return 0
	}
	return int(l.a.cost(l.root))
}

// Machine returns the start state of the language as UTF-8 text, nil where the
// language is empty. The states know FreeRunes and AfterRune.
func (l *Language) Machine() machine.State {
	if l.Start() == Dead {
		return nil
	}
	if l.bytes == nil {
		l.bytes = alphabet.NewMachine[int32](reader{l.a})
	}
	return l.bytes.State(l.Start())
}

// FreeRunes is a number n such that every sequence of up to n plain characters leads
// to a live state. Plain are the characters from U+0020 on but quotation mark and
// backslash. Where there is no bound it is math.MaxInt32. Most is the greatest length of
// Shortest, in bytes, of these states.
func (l *Language) FreeRunes(state int32) (n, most int) {
	if state < 0 {
		return 0, 0
	}
	return alphabet.FreeRunes[int32](reader{l.a}, state)
}

// Cost is the length of Shortest in bytes.
func (l *Language) Cost(state int32) int {
	if state < 0 {
		return 0
	}
	return int(l.a.cost(l.a.nodes[state]))
}

// A reader is an arena as an automaton.
type reader struct{ a *arena }

func (r reader) Classes(q int32) (*alphabet.Partition, []int32, bool) {
	s := r.a.explored(r.a.nodes[q])
	if s == nil {
		return nil, nil, false
	}
	return s.part, s.to, true
}

func (r reader) Accepting(q int32) bool { return r.a.nodes[q].nullable }

func (r reader) Cost(q int32) int { return int(r.a.cost(r.a.nodes[q])) }

func (r reader) Shortest(q int32) []byte {
	return []byte(string(r.a.appendShortest(nil, r.a.nodes[q], -1)))
}
