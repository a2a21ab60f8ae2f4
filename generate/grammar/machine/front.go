package machine

import (
	"unicode/utf8"
)

// Prefix is the language of the texts that begin with prefix and go on as a language
// does.
func Prefix(prefix []byte, then State) State {
	if len(prefix) == 0 || then == nil {
		return then
	}
	rest := append(append([]byte(nil), prefix...), then.Shortest()...)
	for i := len(prefix) - 1; i >= 0; i-- {
		then = &prefixState{b: prefix[i], rest: rest[i:], next: then}
	}
	return then
}

type prefixState struct {
	b    byte
	rest []byte
	next State
}

func (p *prefixState) Next(b byte) State {
	if b != p.b {
		return nil
	}
	return p.next
}
func (p *prefixState) Accepting() bool  { return false }
func (p *prefixState) Shortest() []byte { return p.rest }

// MaybeBlank is the language with one space before its texts or none. Where a text
// may begin with a space already it is the language itself, and false.
func MaybeBlank(then State) (State, bool) {
	if then == nil || then.Next(' ') != nil {
		return then, false
	}
	return maybeBlank{then}, true
}

type maybeBlank struct{ then State }

func (m maybeBlank) Next(b byte) State {
	if b == ' ' {
		return m.then
	}
	return m.then.Next(b)
}
func (m maybeBlank) Accepting() bool  { return m.then.Accepting() }
func (m maybeBlank) Shortest() []byte { return m.then.Shortest() }

// After is the language of the texts that have any bytes up to the first marker, and
// behind it go on as a language does: reasoning first, then an answer that fits. An
// empty marker is none. The marker is found by an automaton (Knuth, Morris &
// Pratt 1977).
func After(marker []byte, then State) State {
	if len(marker) == 0 || then == nil {
		return then
	}
	return behindMarker(marker, then, false)
}

// Until is the language of the texts without a marker, and of those that have any bytes
// up to the first marker and behind it go on as a language does: an answer, in which a
// call may come.
func Until(marker []byte, then State) State {
	if len(marker) == 0 || then == nil {
		return Anything()
	}
	return behindMarker(marker, then, true)
}

func behindMarker(marker []byte, then State, mayEnd bool) State {
	rest := append(append([]byte(nil), marker...), then.Shortest()...)
	states := make([]markerState, len(marker))
	fail := 0 // the state behind marker[1:k]
	for k := range states {
		s := &states[k]
		s.rest, s.runes, s.most, s.mayEnd = rest[k:], utf8.RuneCount(marker[k:]), len(rest), mayEnd
		if mayEnd {
			s.rest = nil
		}
		for b := range s.next {
			s.next[b] = &states[0]
			if k > 0 {
				s.next[b] = states[fail].next[b]
			}
		}
		if k+1 < len(marker) {
			s.next[marker[k]] = &states[k+1]
		} else {
			s.next[marker[k]] = then
		}
		if k > 0 {
			fail = follow(states, fail, marker[k])
		}
	}
	return &states[0]
}

// follow is the number of the state behind b from state k.
func follow(states []markerState, k int, b byte) int {
	for i := range states {
		if states[k].next[b] == State(&states[i]) {
			return i
		}
	}
	return 0
}

// markerState has read k bytes of the marker.
type markerState struct {
	next  [256]State
	rest  []byte
	runes int // characters of the marker that are missing
	most  int // the length of the longest rest

	mayEnd bool // the marker need not come
}

func (m *markerState) Next(b byte) State { return m.next[b] }
func (m *markerState) Accepting() bool   { return m.mayEnd }
func (m *markerState) Shortest() []byte  { return m.rest }

// FreeRunes is the characters that the marker needs at least: until then every byte
// is allowed.
func (m *markerState) FreeRunes() (n, bound int) { return m.runes, m.most }

// Anything is the language of all texts.
func Anything() State { return anything{} }

type anything struct{}

func (anything) Next(byte) State  { return anything{} }
func (anything) Accepting() bool  { return true }
func (anything) Shortest() []byte { return nil }

func (anything) AfterRune() (State, Bytes, bool) {
	return anything{}, Bytes{}, true
}
