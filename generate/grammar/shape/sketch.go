package shape

import (
	"encoding/binary"
	"math/bits"
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

// An outline leaves out which names its objects have, too, while a value is read: it
// has their frames sealed. Behind a comma the names of a sealed object are in doubt from
// the first letter on.

// How much a state leaves out.
const (
	full = iota
	sketched
	outlined
)

// Sketch is machine.Sketched's.
func (s *state) Sketch() machine.State {
	if s.level == sketched {
		return s
	}
	if s.drawn == nil {
		s.drawn = s.m.sketch(slices.Clone(s.threads), sketched)
	}
	return s.drawn
}

// Outline is machine.Sketched's.
func (s *state) Outline() machine.State {
	if s.level == outlined {
		return s
	}
	if s.outline == nil {
		s.outline = s.m.sketch(slices.Clone(s.threads), outlined)
	}
	return s.outline
}

// Exact is machine.Sketched's: the cheapest end of an item depends on the others.
func (s *state) Exact() bool {
	return !slices.ContainsFunc(s.threads, func(t thread) bool { return t.rec != nil && t.rec == s.m.unknown })
}

// doubted stands for machine.Doubt among states.
var doubted = &state{}

// sketch interns the sketch or outline of a set of threads.
func (m *Machine) sketch(threads []thread, level uint8) *state {
	if m.unknown == nil {
		m.unknown = &word{id: m.ids.next(), size: -1}
	}
	for i := range threads {
		threads[i] = m.forgotten(threads[i])
		if level == outlined {
			threads[i].frame = m.outline(threads[i])
		}
	}
	threads = m.ordered(threads)
	if len(threads) == 0 {
		return dying
	}
	if m.sketches == nil {
		m.sketches = map[string]*state{}
	}
	key := append(m.key[:0], level)
	for _, t := range threads {
		for _, x := range t.order() {
			key = binary.LittleEndian.AppendUint32(key, uint32(x))
		}
	}
	m.key = key
	s, ok := m.sketches[string(key)]
	if !ok {
		s = &state{m: m, threads: slices.Clone(threads), level: level}
		m.sketches[string(key)] = s
	}
	return s
}

// A seal stands for the names of an object; the zero seal for none.
type seal struct {
	closing int32 // cost up to the end of the object behind a value, or a little more
	comma   uint8 // whether a name may follow: commaNo, commaYes, commaDoubt
}

const (
	commaNo = iota
	commaYes
	commaDoubt
)

// outline is the frame of a thread as outlines have it.
func (m *Machine) outline(t thread) *frame {
	f := t.frame
	switch {
	case t.rec != nil && t.rec != m.unknown || f.above == nil || f.seal != seal{}:
		return f
	case t.local.kind == inName && t.name != m.unknown, t.local == open, t.local == comma,
		t.local.kind == inName && f.names().fill > 0: // its names matter
		if f.around == nil {
			k := f.frameKey
			k.above = m.sealed(f.above)
			f.around = m.frame(k)
			f.around.around = f.around
		}
		return f.around
	}
	return m.sealed(f)
}

// sealed is a frame with the objects from it on outwards sealed.
func (m *Machine) sealed(f *frame) *frame {
	if f.above == nil || f.seal != (seal{}) {
		return f
	}
	if f.outline == nil {
		k := f.frameKey
		k.above = m.sealed(f.above)
		if k.object != nil && (f.used == nil || !k.object.patterned) {
			closing, _ := m.closing(f)
			k.seal = seal{closing: rounded(closing)}
			switch {
			case f.used.has(m.unknown):
				k.seal.comma = commaDoubt
			case f.nameLive(k.object.naming.at(0), m.noName):
				k.seal.comma = commaYes
			}
			k.seen, k.used, k.count = "", nil, 0
		}
		f.outline = m.frame(k)
		f.outline.outline = f.outline
	}
	return f.outline
}

// rounded is a cost or a little more: of those above 1 there are few.
func rounded(cost int32) int32 {
	if cost <= 8 {
		return cost
	}
	step := int32(1) << (bits.Len32(uint32(cost)) - 3)
	return (cost + step - 1) / step * step
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
	if f.seal != (seal{}) || f.names().fill > 1 || g.declares(t.local) {
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
