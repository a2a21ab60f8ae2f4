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
// there is no bound it is math.MaxInt32.
func FreeRunes[S comparable](a Automaton[S], s S) int {
	seen := map[S]bool{s: true}
	level := []S{s}
	for n := range freeSteps {
		var next []S
		for _, q := range level {
			part, to, ok := a.Classes(q)
			if !ok || !covers(part) {
				return n
			}
			for _, p := range part.spans {
				if q := to[p.Class]; !seen[q] && meetsPlain(p) {
					seen[q] = true
					next = append(next, q)
				}
			}
		}
		if len(next) == 0 {
			return math.MaxInt32
		}
		if len(seen) > freeStates && len(next) > 1 {
			return n + 1
		}
		level = next
	}
	return freeSteps
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

// FreeRunes says how many plain characters may follow, whatever they are.
func (s *state[S]) FreeRunes() int {
	if s.key.missing > 0 {
		return 0
	}
	if s.free < 0 {
		s.free = FreeRunes(s.m.a, s.key.state)
	}
	return s.free
}

// AfterRune is the state behind one plain character where it does not matter which:
// then ok is true, and the state nil if none may follow.
func (s *state[S]) AfterRune() (behind machine.State, ok bool) {
	if s.key.missing > 0 {
		return nil, false
	}
	part, to, known := s.m.a.Classes(s.key.state)
	if !known {
		return nil, false
	}
	var one S
	found := false
	for _, p := range part.spans {
		if !meetsPlain(p) {
			continue
		}
		if found && to[p.Class] != one {
			return nil, false
		}
		one, found = to[p.Class], true
	}
	switch {
	case !found:
		return nil, true
	case !covers(part):
		return nil, false
	}
	return s.m.at(key[S]{state: one}), true
}
