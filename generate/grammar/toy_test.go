package grammar

import (
	"bytes"
	"testing"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/internal/rng"
)

// Languages and vocabularies of the tests. The real languages have tests of their
// own; these are small enough to see what is right.

// graph is a finite automaton with only live states.
type graph struct {
	to     map[byte]*graph
	accept bool
	rest   []byte
}

func (g *graph) Next(b byte) machine.State {
	if n := g.to[b]; n != nil {
		return n
	}
	return nil
}
func (g *graph) Accepting() bool  { return g.accept }
func (g *graph) Shortest() []byte { return g.rest }

// randomGraph is an automaton of up to n states over the letters, nil where it has
// no text.
func randomGraph(seed uint64, n int, letters string) *graph {
	at := uint64(0)
	draw := func(n int) int { at++; return rng.Intn(seed, 7, at, n) }
	states := make([]*graph, n)
	for i := range states {
		states[i] = &graph{to: map[byte]*graph{}, accept: draw(4) == 0}
	}
	for _, s := range states {
		for range 1 + draw(3) {
			s.to[letters[draw(len(letters))]] = states[draw(n)]
		}
	}
	live := map[*graph]bool{}
	for _, s := range states {
		if s.accept {
			live[s], s.rest = true, []byte{}
		}
	}
	for grown := true; grown; { // breadth first, so that the first rest found is a shortest
		grown = false
		var found []*graph
		for _, s := range states {
			if live[s] {
				continue
			}
			for _, b := range []byte(letters) {
				if next := s.to[b]; next != nil && live[next] {
					s.rest = append([]byte{b}, next.rest...)
					found = append(found, s)
					break
				}
			}
		}
		for _, s := range found {
			live[s], grown = true, true
		}
	}
	for _, s := range states {
		for b, next := range s.to {
			if !live[next] {
				delete(s.to, b)
			}
		}
	}
	if !live[states[0]] {
		return nil
	}
	return states[0]
}

// list is the language of JSON arrays of strings of up to long characters that nest
// up to deep: a pushdown automaton with strings in which characters only count.
type list struct {
	long, deep int  // long below 0: no bound
	least      int  // characters of a string
	uniform    bool // says so in AfterRune
	odd        int  // but not before so many characters
	states     map[listState]*listAt
}

type listState struct {
	depth int
	in    byte // 's' before a text, '[' behind "[", 'v' behind a value, ',' behind ",", '"' in a string, '\\' behind a backslash, 'u' in a character
	runes int  // that the string has
	bytes int  // missing of the character
	least byte // of the next byte of the character
	most  byte
}

type listAt struct {
	l *list
	listState
	rest []byte
}

func newList(long, deep int, uniform bool) *listAt {
	l := &list{long: long, deep: deep, uniform: uniform, states: map[listState]*listAt{}}
	return l.at(listState{in: 's'})
}

func (l *list) at(s listState) *listAt {
	if a := l.states[s]; a != nil {
		return a
	}
	a := &listAt{l: l, listState: s}
	closing := bytes.Repeat([]byte("]"), s.depth)
	switch s.in {
	case 's':
		a.rest = []byte("[]")
	case ',':
		a.rest = append(append(append([]byte(`"`), bytes.Repeat([]byte("a"), l.least)...), '"'), closing...)
	case '"':
		a.rest = append(append(bytes.Repeat([]byte("a"), max(0, l.least-s.runes)), '"'), closing...)
	case '\\':
		a.rest = append(append([]byte("n"), bytes.Repeat([]byte("a"), max(0, l.least-s.runes))...), '"')
		a.rest = append(a.rest, closing...)
	case 'u':
		a.rest = append(append(bytes.Repeat([]byte{0x80}, s.bytes), bytes.Repeat([]byte("a"), max(0, l.least-s.runes))...), '"')
		a.rest = append(a.rest, closing...)
		a.rest[0] = s.least
	default:
		a.rest = closing
	}
	l.states[s] = a
	return a
}

func (a *listAt) Accepting() bool  { return a.in == 'v' && a.depth == 0 }
func (a *listAt) Shortest() []byte { return a.rest }

func (a *listAt) Next(b byte) machine.State {
	s := a.listState
	switch {
	case a.in == '"' && b == '"' && s.runes < a.l.least:
		return nil
	case a.in == '"' && b == '"':
		return a.l.at(listState{depth: s.depth, in: 'v'})
	case a.in == '"' && b < ' ', a.in == '"' && a.l.long >= 0 && s.runes == a.l.long:
		return nil
	case a.in == '"':
		return a.inString(b)
	case a.in == '\\' && bytes.IndexByte([]byte(`"\nt`), b) >= 0:
		return a.l.at(listState{depth: s.depth, in: '"', runes: s.runes})
	case a.in == '\\':
		return nil
	case a.in == 'u' && (b < s.least || b > s.most):
		return nil
	case a.in == 'u' && s.bytes == 1:
		return a.l.at(listState{depth: s.depth, in: '"', runes: s.runes})
	case a.in == 'u':
		s.bytes, s.least, s.most = s.bytes-1, 0x80, 0xBF
		return a.l.at(s)
	case b == '[' && a.in != 'v' && s.depth < a.l.deep:
		return a.l.at(listState{depth: s.depth + 1, in: '['})
	case b == '"' && (a.in == '[' || a.in == ','):
		return a.l.at(listState{depth: s.depth, in: '"'})
	case b == ']' && (a.in == '[' || a.in == 'v') && s.depth > 0:
		return a.l.at(listState{depth: s.depth - 1, in: 'v'})
	case b == ',' && a.in == 'v' && s.depth > 0:
		return a.l.at(listState{depth: s.depth, in: ','})
	}
	return nil
}

func (a *listAt) inString(b byte) machine.State {
	s := listState{depth: a.depth, in: '"', runes: a.runes}
	if a.l.long >= 0 || s.runes < max(a.l.least, a.l.odd) {
		s.runes++
	}
	s.least, s.most = 0x80, 0xBF
	switch {
	case b == '\\':
		s.in = '\\'
	case b < 0x80:
		return a.l.at(listState{depth: s.depth, in: '"', runes: s.runes})
	case b >= 0xC2 && b < 0xE0:
		s.bytes = 1
	case b >= 0xE0 && b < 0xF0:
		s.bytes = 2
		if b == 0xE0 {
			s.least = 0xA0
		} else if b == 0xED {
			s.most = 0x9F
		}
	case b >= 0xF0 && b < 0xF5:
		s.bytes = 3
		if b == 0xF0 {
			s.least = 0x90
		} else if b == 0xF4 {
			s.most = 0x8F
		}
	default:
		return nil
	}
	if s.bytes > 0 {
		s.in = 'u'
	}
	return a.l.at(s)
}

func (a *listAt) FreeRunes() (n, bound int) {
	switch {
	case a.in != '"':
		return 0, 0
	case a.l.long < 0:
		return 1 << 30, len(a.rest)
	}
	return a.l.long - a.runes, len(a.rest)
}

func (a *listAt) AfterRune() (machine.State, machine.Bytes, bool) {
	if a.in != '"' || !a.l.uniform || a.runes < a.l.odd {
		return nil, machine.Bytes{}, false
	}
	if a.l.long >= 0 && a.runes == a.l.long {
		return nil, machine.Bytes{}, true
	}
	return a.Next('x'), machine.Bytes{}, true
}

// vocabulary is the bytes, some special tokens and random strings of the pieces; the
// last but one id is the end.
func vocabulary(t testing.TB, seed uint64, n int, pieces ...string) *Vocabulary {
	t.Helper()
	tokens, special, end := vocabularyParts(seed, n, pieces...)
	v, err := NewVocabulary(tokens, special, end)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func vocabularyParts(seed uint64, n int, pieces ...string) (tokens [][]byte, special []bool, end []int32) {
	for b := range 256 {
		tokens = append(tokens, []byte{byte(b)})
	}
	for i := range n {
		var text []byte
		for j := range 1 + rng.Intn(seed, 1, uint64(i), 4) {
			text = append(text, pieces[rng.Intn(seed, 2, uint64(8*i+j), len(pieces))]...)
		}
		tokens = append(tokens, text)
	}
	special = make([]bool, len(tokens)+2)
	tokens = append(tokens, nil, []byte("<special>"))
	special[len(tokens)-1] = true
	return tokens, special, []int32{int32(len(tokens) - 2)}
}

// plainMask is the mask by its definition: an id is allowed if the text is live
// behind it and can be finished in the tokens that remain.
func plainMask(g *Grammar, s machine.State, remaining int) []uint64 {
	words := make([]uint64, g.v.words)
	for id := range int32(g.v.Size()) {
		text, at := g.v.Text(id), s
		for _, b := range text {
			if at = at.Next(b); at == nil {
				break
			}
		}
		if len(text) > 0 && at != nil {
			if n := g.fewest(at.Shortest()); n < never && (remaining == 0 || n+1 <= remaining-1) {
				set(words, id)
			}
		}
	}
	if s.Accepting() {
		for _, id := range g.v.end {
			set(words, id)
		}
	}
	return words
}
