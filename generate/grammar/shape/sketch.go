package shape

import (
	"encoding/binary"
	"slices"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// Sketches. A state knows the names that an object has so far, letter by letter, so
// that none comes twice: behind every beginning of a name it is another state. For
// trying one token that is too much. A sketch replaces a name that differs from all
// others already by an unknown one. It matters again only when another name comes in
// the same object: behind an unknown name a comma is in doubt.
//
// So it is with the items of an array whose items differ. What was read of an item is
// left out while it can surely be ended with a new value; where that is not plain any
// more, and behind the item unless it is the first, the rest is in doubt.

// Sketch is machine.Sketched's.
func (s *state) Sketch() machine.State {
	if s.sketch {
		return s
	}
	if s.drawn == nil {
		s.drawn = s.m.sketch(slices.Clone(s.threads))
	}
	return s.drawn
}

// Exact is machine.Sketched's: the cheapest end of an item depends on the others.
func (s *state) Exact() bool {
	return !slices.ContainsFunc(s.threads, func(t thread) bool { return t.rec != nil && t.rec == s.m.unknown })
}

// doubted stands for machine.Doubt among states.
var doubted = &state{}

// sketch interns the sketch of a set of threads.
func (m *Machine) sketch(threads []thread) *state {
	if m.unknown == nil {
		m.unknown = &word{id: m.ids.next(), size: -1}
	}
	for i := range threads {
		threads[i] = m.forgotten(threads[i])
	}
	threads = m.ordered(threads)
	if len(threads) == 0 {
		return dying
	}
	key := make([]byte, 0, 16*len(threads))
	for _, t := range threads {
		for _, x := range t.order() {
			key = binary.LittleEndian.AppendUint32(key, uint32(x))
		}
	}
	s, ok := m.sketches[string(key)]
	if !ok {
		if m.sketches == nil {
			m.sketches = map[string]*state{}
		}
		s = &state{m: m, threads: slices.Clone(threads), sketch: true}
		m.sketches[string(key)] = s
	}
	return s
}

// novel says that the item of a unique array which a thread reads can be ended with a
// new value, whatever was read: it is the first, or more characters may come.
func (m *Machine) novel(t thread) bool {
	u := t.frame.unique
	if int(u.count) < u.array.Min {
		return false
	}
	if u.items == nil {
		return true
	}
	free, _ := m.free(t)
	return free > 0 && u.items.few()
}

// forgotten is a thread with its name unknown, if nothing before the next name depends
// on which it is: no declared and no used name begins so, there are always others, and
// none is needed for the number of properties.
func (m *Machine) forgotten(t thread) thread {
	if t.rec != nil && t.rec != m.unknown && m.novel(t) {
		t.rec = m.unknown
	}
	if t.name == nil || t.local.kind != inName || t.name == m.unknown || t.rec != nil && t.rec != m.unknown {
		return t
	}
	f, g := t.frame, t.frame.object.naming
	if f.names().fill > 1 || g.declares(t.local) {
		return t
	}
	begin := t.name
	for begin.r < 0 {
		begin = begin.before
	}
	var ranges []edge // of the next character, within one
	if t.local.part.form != whole {
		some, n := t.local.part.runes()
		ranges = some[:n]
	}
	for i, q := range g.points[t.local.point].states {
		if c := f.object.classes[i]; q >= 0 && (c.count(c.start()) < manyWords || f.used.count(int32(i), begin, ranges) > 0) {
			return t
		}
	}
	t.name = m.unknown
	return t
}

// declares says whether a declared name begins with what was read up to the position.
func (g *naming) declares(l *local) bool {
	if l.part.form == whole {
		return g.points[l.point].lo < g.points[l.point].hi
	}
	if g.points[l.point].lo == g.points[l.point].hi {
		return false
	}
	ranges, n := l.part.runes()
	for _, e := range g.edges(l.point) {
		for _, r := range ranges[:n] {
			if max(e.lo, r.lo) <= min(e.hi, r.hi) && g.points[e.to].lo < g.points[e.to].hi {
				return true
			}
		}
	}
	return false
}
