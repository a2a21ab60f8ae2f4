package alphabet

import (
	"unicode/utf8"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// An Automaton reads characters. All its states are live.
type Automaton[S comparable] interface {
	// Classes returns the characters that may follow, in classes, and the state
	// behind each class. It is false where the automaton's limits of work are reached.
	Classes(S) (*Partition, []S, bool)
	// Accepting says whether the text may end.
	Accepting(S) bool
	// Cost is the length of Shortest.
	Cost(S) int
	// Shortest is a rest of the fewest bytes that ends the text.
	Shortest(S) []byte
}

// A Machine reads an automaton's texts byte by byte, as UTF-8.
type Machine[S comparable] struct {
	a      Automaton[S]
	states map[key[S]]*state[S]
	words  map[string]*word
	used   int // bytes of states, estimated
}

// maxBytes bounds the memory of the states of one machine. Past it the machine forgets
// what it knows of transitions.
const maxBytes = 64 << 20

// NewMachine makes the machine of an automaton.
func NewMachine[S comparable](a Automaton[S]) *Machine[S] {
	return &Machine[S]{a: a, states: map[key[S]]*state[S]{}, words: map[string]*word{}}
}

// State is the state of the machine between two characters.
func (m *Machine[S]) State(s S) machine.State { return m.at(key[S]{state: s}) }

// A key is a state of the automaton and the beginning of a character: missing more
// bytes are awaited (0 between characters) and lead is the bits of those read. Where
// every end of the character leads to the same state, settled is set, state is that
// one and lead is 0: so most beginnings are few states.
type key[S comparable] struct {
	state   S
	lead    rune
	missing uint8
	settled bool
}

type state[S comparable] struct {
	m        *Machine[S]
	key      key[S]
	next     [4]*[64]machine.State // by the upper two bits, then the lower six; nil: not computed
	shortest []byte
	free     int // FreeRunes, -1: not computed
	dear     int // its bound
	most     *mostly[S]
	found    bool // shortest is computed
}

// refused stands for a byte that cannot follow.
var refused machine.State = (*word)(nil)

func (m *Machine[S]) at(k key[S]) *state[S] {
	s := m.states[k]
	if s == nil {
		if m.used > maxBytes {
			m.forget()
		}
		m.used += 200
		s = &state[S]{m: m, key: k, free: -1}
		m.states[k] = s
	}
	return s
}

// forget drops the transitions of all states, so that those which nobody holds are
// freed.
func (m *Machine[S]) forget() {
	for _, s := range m.states {
		s.next = [4]*[64]machine.State{}
		s.shortest, s.found, s.most = nil, false, nil
	}
	clear(m.states)
	clear(m.words)
	m.used = 0
}

// Next reads one byte.
func (s *state[S]) Next(b byte) machine.State {
	row := s.next[b>>6]
	if row == nil {
		s.m.used += 1100
		row = new([64]machine.State)
		s.next[b>>6] = row
	}
	to := row[b&63]
	if to == nil {
		to = s.step(b)
		row[b&63] = to
	}
	if to == refused {
		return nil
	}
	return to
}

func (s *state[S]) step(b byte) machine.State {
	k, m := s.key, s.m
	switch {
	case k.missing > 0:
		if b&0xC0 != 0x80 || k.overlong(b) {
			return refused
		}
		k.lead, k.missing = k.lead<<6|rune(b&0x3F), k.missing-1
	case b < 0x80:
		k.lead = rune(b)
	case b >= 0xC2 && b < 0xE0:
		k.lead, k.missing = rune(b&0x1F), 1
	case b >= 0xE0 && b < 0xF0:
		k.lead, k.missing = rune(b&0x0F), 2
	case b >= 0xF0 && b < 0xF5:
		k.lead, k.missing = rune(b&0x07), 3
	default:
		return refused
	}
	if k.settled {
		k.lead, k.settled = 0, k.missing > 0
		return m.at(k)
	}
	part, to, ok := m.a.Classes(k.state)
	switch {
	case !ok: // past the limit of work the shortest rest is all that goes on
		if rest := s.Shortest(); len(rest) > 0 && rest[0] == b {
			return m.word(rest[1:])
		}
		return refused
	case k.missing == 0:
		c := part.Find(k.lead)
		if c < 0 {
			return refused
		}
		return m.at(key[S]{state: to[c]})
	}
	lo, hi := k.span()
	i := part.at(lo)
	if i == len(part.spans) || part.spans[i].Lo > hi {
		return refused
	}
	whole := int(hi-lo) == 1<<(6*k.missing)-1 // or some of the bytes to come are not UTF-8
	if p := part.spans[i]; whole && p.Lo <= lo && hi <= p.Hi {
		k = key[S]{state: to[p.Class], missing: k.missing, settled: true}
	}
	return m.at(k)
}

// overlong says that b makes the character one that fewer bytes could write.
func (k key[S]) overlong(b byte) bool {
	return k.lead == 0 && !k.settled && (k.missing == 2 && b < 0xA0 || k.missing == 3 && b < 0x90)
}

// span is the characters that a beginning of one may become.
func (k key[S]) span() (lo, hi rune) {
	lo = k.lead << (6 * k.missing)
	hi = lo | (1<<(6*k.missing) - 1)
	// Longer forms than needed are not UTF-8. The first byte of two is at least 0xC2,
	// so only three and four bytes are concerned, while their second is missing.
	switch k.missing {
	case 2:
		if k.lead < 0x10 {
			lo = max(lo, 0x800)
		}
	case 3:
		lo = max(lo, 0x10000)
	}
	return lo, min(hi, utf8.MaxRune)
}

// Accepting says whether the text may end here.
func (s *state[S]) Accepting() bool { return s.key.missing == 0 && s.m.a.Accepting(s.key.state) }

// Shortest returns a shortest rest.
func (s *state[S]) Shortest() []byte {
	if s.found {
		return s.shortest
	}
	k := s.key
	switch {
	case k.missing == 0:
		s.shortest = s.m.a.Shortest(k.state)
	case k.settled:
		for range k.missing {
			s.shortest = append(s.shortest, 0xA1)
		}
		s.shortest = append(s.shortest, s.m.a.Shortest(k.state)...)
	default:
		s.shortest = s.m.finish(k)
	}
	s.found = true
	s.m.used += len(s.shortest)
	return s.shortest
}

// ShortestBound is the length of Shortest, or a little more.
func (s *state[S]) ShortestBound() int {
	if s.found || s.key.missing > 0 && !s.key.settled {
		return len(s.Shortest())
	}
	return int(s.key.missing) + s.m.a.Cost(s.key.state)
}

// Tails knows none.
func (s *state[S]) Tails() []machine.Tail { return nil }

// finish is the shortest rest behind the beginning of a character.
func (m *Machine[S]) finish(k key[S]) []byte {
	part, to, ok := m.a.Classes(k.state)
	if !ok {
		return nil // cannot be: the state before was explored
	}
	lo, hi := k.span()
	var best rune
	least := -1
	var behind S
	for i := part.at(lo); i < len(part.spans) && part.spans[i].Lo <= hi; i++ {
		p := part.spans[i]
		if c := m.a.Cost(to[p.Class]); least < 0 || c < least {
			best, least, behind = max(p.Lo, lo), c, to[p.Class]
		}
	}
	char := utf8.AppendRune(nil, best)
	return append(char[len(char)-int(k.missing):], m.a.Shortest(behind)...)
}

// word is the state of a language of one text: what may follow past a limit of work.
type word struct {
	rest []byte
	next *word // behind the first byte; nil: not computed
}

// word returns the state of a rest; equal rests are the same state.
func (m *Machine[S]) word(rest []byte) *word {
	w := m.words[string(rest)]
	if w == nil {
		w = &word{rest: rest}
		m.words[string(rest)] = w
		m.used += 100 + 2*len(rest)
	}
	return w
}

func (w *word) Next(b byte) machine.State {
	if len(w.rest) == 0 || w.rest[0] != b {
		return nil
	}
	if w.next == nil {
		w.next = &word{rest: w.rest[1:]}
	}
	return w.next
}
func (w *word) Accepting() bool  { return len(w.rest) == 0 }
func (w *word) Shortest() []byte { return w.rest }
