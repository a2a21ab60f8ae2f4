package regular

import (
	"math"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// byteMachine reads a language byte by byte.
type byteMachine struct {
	l      *Language
	states map[byteKey]*byteState
}

// A byteKey is a state of the language and the beginning of a character: missing more
// bytes are awaited (0 between characters) and lead is the bits of those read. Where
// every end of the character leads to the same state, settled is set, state is that
// one and lead is 0: so most beginnings are few states.
type byteKey struct {
	state   int32
	lead    rune
	missing uint8
	settled bool
}

type byteState struct {
	m        *byteMachine
	key      byteKey
	next     [4]*[64]*byteState // by the upper two bits, then the lower six; nil: not computed
	shortest []byte
	found    bool // shortest is computed
	free     int  // FreeRunes, -1: not computed
}

// rejected stands for a byte that cannot follow.
var rejected = &byteState{}

func (m *byteMachine) at(k byteKey) *byteState {
	s := m.states[k]
	if s == nil {
		s = &byteState{m: m, key: k, free: -1}
		m.states[k] = s
	}
	return s
}

// Next reads one byte.
func (s *byteState) Next(b byte) machine.State {
	row := s.next[b>>6]
	if row == nil {
		s.m.l.a.used += 600
		row = new([64]*byteState)
		s.next[b>>6] = row
	}
	to := row[b&63]
	if to == nil {
		to = s.step(b)
		row[b&63] = to
	}
	if to == rejected {
		return nil
	}
	return to
}

func (s *byteState) step(b byte) *byteState {
	k := s.key
	switch {
	case k.missing > 0:
		if b&0xC0 != 0x80 {
			return rejected
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
		return rejected
	}
	l := s.m.l
	switch {
	case k.settled:
		k.lead = 0
		k.settled = k.missing > 0
	case k.missing == 0:
		to := l.Next(k.state, k.lead)
		if to == Dead {
			return rejected
		}
		k = byteKey{state: to}
	case l.best(k).length == 0:
		return rejected
	default:
		k = l.settle(k)
	}
	return s.m.at(k)
}

// settle returns the settled form of a key where it has one.
func (l *Language) settle(k byteKey) byteKey {
	s := l.a.nodes[k.state].state
	if s == nil {
		return k
	}
	lo := k.lead << (6 * k.missing) // no clipping: what must be clipped is never whole
	hi := lo | (1<<(6*k.missing) - 1)
	place := s.part.find(lo)
	if place == 0 {
		return k
	}
	for _, p := range s.part.spans {
		if p.lo <= lo && hi <= p.hi {
			return byteKey{state: s.to[place-1], missing: k.missing, settled: true}
		}
	}
	return k
}

// span is the characters that a beginning of one may become.
func (k byteKey) span() (lo, hi rune) {
	lo = k.lead << (6 * k.missing)
	hi = lo | (1<<(6*k.missing) - 1)
	// Longer forms than needed are not UTF-8. The first byte of two is at least 0xC2,
	// so only three and four bytes are concerned, while their second is missing.
	switch {
	case k.missing == 2 && k.lead < 0x10:
		lo = max(lo, 0x800)
	case k.missing == 3:
		lo = max(lo, 0x10000)
	}
	return lo, min(hi, utf8.MaxRune)
}

// A finish is a character that a beginning of one becomes, and what follows.
type finish struct {
	r      rune
	to     int32
	length int32 // the bytes of the shortest rest behind the character, plus 1; 0: there is none
}

// best is the cheapest finish of a beginning.
func (l *Language) best(k byteKey) (best finish) {
	lo, hi := k.span()
	s := l.a.explored(l.a.nodes[k.state])
	if s == nil { // past the limit: the shortest rest only
		if rest := l.a.appendShortest(nil, l.a.nodes[k.state], 1); len(rest) > 0 && rest[0] >= lo && rest[0] <= hi {
			if to := l.Next(k.state, rest[0]); to != Dead {
				return finish{rest[0], to, 1 + l.a.cost(l.a.nodes[to])}
			}
		}
		return best
	}
	for _, p := range s.part.spans {
		if p.lo > hi {
			break
		}
		if p.hi < lo {
			continue
		}
		to := s.to[p.place-1]
		if length := 1 + l.a.cost(l.a.nodes[to]); best.length == 0 || length < best.length {
			best = finish{max(p.lo, lo), to, length}
		}
	}
	return best
}

// Accepting says whether the text may end here.
func (s *byteState) Accepting() bool { return s.key.missing == 0 && s.m.l.Accepting(s.key.state) }

// Shortest returns a shortest rest.
func (s *byteState) Shortest() []byte {
	if s.found {
		return s.shortest
	}
	l := s.m.l
	switch {
	case s.key.missing == 0:
		s.shortest = []byte(l.Shortest(s.key.state))
	case s.key.settled:
		for range s.key.missing {
			s.shortest = append(s.shortest, 0xA1)
		}
		s.shortest = append(s.shortest, l.Shortest(s.key.state)...)
	default:
		best := l.best(s.key)
		char := utf8.AppendRune(nil, best.r)
		s.shortest = append(char[len(char)-int(s.key.missing):], l.Shortest(best.to)...)
	}
	s.found = true
	return s.shortest
}

// FreeRunes says how many plain characters may follow, whatever they are.
func (s *byteState) FreeRunes() int {
	if s.key.missing > 0 {
		return 0
	}
	if s.free < 0 {
		s.free = s.m.l.FreeRunes(s.key.state)
	}
	return s.free
}

// plain are the characters of which machine.Free speaks.
var plain = runes{' ', '!', '#', '[', ']', 0xD7FF, 0xE000, utf8.MaxRune}

// Free runs are counted up to these limits, which bound the work.
const (
	freeSteps  = 128
	freeStates = 48
)

// FreeRunes is a number n such that every sequence of up to n plain characters leads
// to a live state. Plain are the characters from U+0020 on but quotation mark and
// backslash. Where there is no bound it is math.MaxInt32.
func (l *Language) FreeRunes(state int32) int {
	if state < 0 {
		return 0
	}
	seen := map[int32]bool{state: true}
	level := []int32{state}
	for n := 0; n < freeSteps; n++ {
		var next []int32
		for _, q := range level {
			s := l.a.explored(l.a.nodes[q])
			if s == nil {
				return n
			}
			var covered runes
			for _, p := range s.part.all {
				if !plain.meets(p.lo, p.hi) {
					continue
				}
				covered = append(covered, p.lo, p.hi)
				if to := s.to[p.place-1]; !seen[to] {
					seen[to] = true
					next = append(next, to)
				}
			}
			if len(plain.and(makeRunes(covered).not())) > 0 {
				return n
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
