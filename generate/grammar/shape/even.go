package shape

import (
	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// ordinary are the characters of which machine.Free speaks.
var ordinary = [][2]rune{{' ', '!'}, {'#', '['}, {']', 0xD7FF}, {0xE000, 0x10FFFF}}

// A fallback is where most ordinary characters lead from a point, -1 for nowhere, and
// the first bytes of the others.
type fallback struct {
	to     int32
	except machine.Bytes
}

// mostly is the fallback of edges.
func mostly(edges []edge) *fallback {
	count := func(lo, hi rune) (n int) {
		for _, o := range ordinary {
			n += max(0, int(min(hi, o[1])-max(lo, o[0]))+1)
		}
		return n
	}
	f := &fallback{to: -1}
	weights, best := map[int32]int{}, count(0, 0x10FFFF)
	for _, e := range edges {
		n := count(e.lo, e.hi)
		weights[e.to] += n
		best -= n
	}
	for _, e := range edges { // in order, for equal weights
		if n := weights[e.to]; n > best {
			f.to, best = e.to, n
		}
	}
	at := rune(0)
	for _, e := range edges {
		if f.to >= 0 {
			f.except.AddRunes(at, e.lo-1)
		}
		if e.to != f.to {
			f.except.AddRunes(e.lo, e.hi)
		}
		at = e.hi + 1
	}
	if f.to >= 0 {
		f.except.AddRunes(at, 0x10FFFF)
	}
	return f
}

func (p *phrase) fallback(point int32) *fallback {
	at := p.points[point]
	if at.fall == nil {
		at.fall = mostly(p.edges(point))
	}
	return at.fall
}

func (g *naming) fallback(point int32) *fallback {
	if g.points[point].fall == nil {
		f := mostly(g.edges(point)) // points may move meanwhile
		g.points[point].fall = f
	}
	return g.points[point].fall
}

// even is what AfterRune says of a state.
type even struct {
	ok     bool
	after  *state
	except machine.Bytes
}

// AfterRune is machine.Uniform's.
func (s *state) AfterRune() (machine.State, machine.Bytes, bool) {
	if s.even == nil {
		s.even = s.findEven()
	}
	if s.even.after == nil {
		return nil, s.even.except, s.even.ok
	}
	return s.even.after, s.even.except, s.even.ok
}

// uneven is that of states in which it matters which character comes.
var uneven = &even{}

func (s *state) findEven() *even {
	e := &even{ok: true}
	leads := false
	for _, t := range s.threads {
		l := t.local
		if l.part.form != whole || t.rec != nil && t.rec != s.m.unknown {
			return uneven
		}
		var f *fallback
		switch l.kind {
		case inString:
			f = t.frame.reading.phrase.fallback(l.point)
		case inName:
			if t.frame.seal != (seal{}) && t.name != s.m.unknown {
				return uneven
			}
			f = t.frame.object.naming.fallback(l.point)
			if t.name != nil && t.name != s.m.unknown && f.to >= 0 && !(s.level != full && t.evenName(f.to, &e.except)) {
				return uneven
			}
		default:
			return uneven
		}
		leads = leads || f.to >= 0
		for i, x := range f.except {
			e.except[i] |= x
		}
	}
	if !leads {
		return e
	}
	// All ordinary characters lead where one of them does.
	for b := byte(' '); b < 0x7F; b++ {
		if b != '"' && b != '\\' && !e.except.Has(b) {
			switch to := s.Next(b); to {
			case machine.Doubt:
				return uneven
			case nil:
			default:
				e.after = to.(*state)
			}
			return e
		}
	}
	return uneven
}

// evenName says whether characters that lead from a name to a point of no declared name
// make it unknown, and adds those by which used names go on to except.
func (t thread) evenName(to int32, except *machine.Bytes) bool {
	f, g := t.frame, t.frame.object.naming
	at := &g.points[to]
	if at.lo < at.hi || f.names().fill > 1 {
		return false
	}
	for i, q := range at.states {
		if c := f.object.classes[i]; q >= 0 && c.count(c.start()) < manyWords {
			return false
		}
	}
	for u := f.used; u != nil; u = u.before {
		if r := u.name.behind(t.name); r >= 0 {
			except.AddRunes(r, r)
		}
	}
	return true
}

// behind is the character by which the word goes on from a beginning, -1 if it does not.
func (w *word) behind(begin *word) rune {
	r := rune(-1)
	for w.size > begin.size {
		w, r = w.before, w.r
	}
	if w != begin {
		return -1
	}
	return r
}
