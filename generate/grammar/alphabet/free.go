package alphabet

import (
	"math"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// plain are the characters of which machine.Free speaks: those from U+0020 on but
// quotation mark and backslash.
var plain = New([]Span{{' ', '!', 0}, {'#', '[', 0}, {']', 0xD7FF, 0}, {0xE000, utf8.MaxRune, 0}})

// Runs are followed up to these limits, which bound the work.
const (
	freeSteps  = 128
	freeStates = 48
)

// FreeRunes is a number n such that every sequence of up to n plain characters leads
// from s to a live state: none below U+0020, no quotation mark, no backslash. Where
// there is no bound it is math.MaxInt32. Most is the highest cost of these states.
func FreeRunes[S comparable](a Automaton[S], s S) (n, most int) {
	seen := map[S]bool{s: true}
	level := []S{s}
	for most = a.Cost(s); n < freeSteps; n++ {
		var next []S
		for _, q := range level {
			part, to, ok := a.Classes(q)
			if !ok || !covers(part) {
				return n, most
			}
			for _, p := range part.spans {
				if q := to[p.Class]; !seen[q] && meetsPlain(p) {
					seen[q] = true
					next = append(next, q)
					most = max(most, a.Cost(q))
				}
			}
		}
		if len(next) == 0 {
			return math.MaxInt32, most
		}
		if len(seen) > freeStates && len(next) > 1 {
			return n + 1, most
		}
		level = next
	}
	return n, most
}

// covers says whether every plain character has a class.
func covers(p *Partition) bool {
	i := 0
	for _, want := range plain.spans {
		for at := want.Lo; at <= want.Hi; i++ {
			for i < len(p.spans) && p.spans[i].Hi < at {
				i++
			}
			if i == len(p.spans) || p.spans[i].Lo > at {
				return false
			}
			if at = p.spans[i].Hi + 1; at > want.Hi {
				break // the span may go on into the next range
			}
		}
	}
	return true
}

func meetsPlain(p Span) bool {
	for _, want := range plain.spans {
		if p.Lo <= want.Hi && p.Hi >= want.Lo {
			return true
		}
	}
	return false
}

// FreeRunes says how many plain characters may follow, whatever they are, and bounds
// the length of Shortest behind them.
func (s *state[S]) FreeRunes() (n, bound int) {
	if s.key.missing > 0 {
		return 0, 0
	}
	if s.free < 0 {
		s.free, s.dear = FreeRunes(s.m.a, s.key.state)
	}
	return s.free, s.dear
}

// AfterRune is the state behind most of the plain characters, and the first bytes of
// the others; it is nil where most may not follow.
func (s *state[S]) AfterRune() (behind machine.State, except machine.Bytes, ok bool) {
	if s.key.missing > 0 {
		return nil, except, false
	}
	if s.most == nil {
		s.most = s.m.mostly(s.key.state)
	}
	if !s.most.known {
		return nil, except, false
	}
	if s.most.leads {
		behind = s.m.at(key[S]{state: s.most.to})
	}
	return behind, s.most.except, true
}

// mostly is where most plain characters lead from a state.
type mostly[S comparable] struct {
	known  bool
	leads  bool // they lead to the state to
	to     S
	except machine.Bytes // the first bytes of the others
}

func (m *Machine[S]) mostly(s S) *mostly[S] {
	out := &mostly[S]{}
	m.used += 64
	part, to, known := m.a.Classes(s)
	if !known {
		return out
	}
	out.known = true
	weights := map[S]int{}
	best := plainRunes // those that lead nowhere
	for _, p := range part.spans {
		n := plainIn(p.Lo, p.Hi)
		weights[to[p.Class]] += n
		best -= n
	}
	for _, p := range part.spans { // in order, for equal weights
		if q := to[p.Class]; weights[q] > best {
			out.leads, out.to, best = true, q, weights[q]
		}
	}
	at := rune(0)
	for _, p := range part.spans {
		if out.leads {
			out.except.AddRunes(at, p.Lo-1)
		}
		if !out.leads || to[p.Class] != out.to {
			out.except.AddRunes(p.Lo, p.Hi)
		}
		at = p.Hi + 1
	}
	if out.leads {
		out.except.AddRunes(at, utf8.MaxRune)
	}
	return out
}

// plainIn is the number of plain characters from lo to hi.
func plainIn(lo, hi rune) (n int) {
	for _, p := range plain.spans {
		n += max(0, int(min(hi, p.Hi)-max(lo, p.Lo))+1)
	}
	return n
}

// plainRunes is the number of all plain characters.
var plainRunes = plainIn(0, utf8.MaxRune)
