package shape

import (
	"slices"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// Bounds of the shortest rest: cost without looking for the cheapest name, so that masks
// may ask it of every state behind a token. The rest of a thread is the end of what it
// reads, then that of its frame.

// ShortestBound is machine.Bounded's.
func (s *state) ShortestBound() int {
	if s.closed {
		return len(s.rest)
	}
	if s.bound == 0 {
		least := never
		for _, t := range s.threads {
			least = min(least, s.m.bound(t))
		}
		s.bound = least + 1
	}
	return int(s.bound - 1)
}

// Tails is machine.Bounded's.
func (s *state) Tails() (tails []machine.Tail) {
	for _, t := range s.threads {
		bytes, then, same := s.m.tail(t)
		if !same || t.local == after || t.rec != nil {
			return nil
		}
		tails = append(tails, machine.Tail{Bytes: int(bytes), Then: s.m.state([]thread{{frame: then, local: after}})})
	}
	return tails
}

// bound is at least the cost of a thread.
func (m *Machine) bound(t thread) int32 {
	item := t.rec != nil
	if item && !m.novel(t) {
		return m.cost(t)
	}
	u := t.frame.unique
	t.rec = nil
	end := int32(0)
	if item { // some characters more tell it from all others, then the array may end
		_, free := m.free(t)
		end = plus(plus(variation, free), 1+m.after(u.above))
	}
	bytes, then, _ := m.tail(t)
	if then == nil {
		return plus(end, m.relaxed(t))
	}
	return plus(end, plus(bytes, m.after(then)))
}

// variation is a number of characters of one byte that has more texts than an array of
// unique items and an object have items and names, as far as they are looked at.
const variation = 4

// tail says that the rest of a thread is no longer than so many bytes and what follows
// a value of the frame then; nil where that is not known. It ends by just that text if
// same is set.
func (m *Machine) tail(t thread) (bytes int32, then *frame, same bool) {
	f, l := t.frame, t.local
	switch l.kind {
	case inLiteral:
		return int32(len(l.rest)), m.done(f), true
	case inNumber:
		return leastNumber(l), m.done(f), true
	case inString:
		return m.boundString(t), m.done(f), true
	case inName:
		return m.tailOfName(t)
	case atColon:
		return 1 + m.costs(f.room()).of(f.reading), m.done(f), true
	case atValue:
		return m.costs(f.room()).of(f.reading), m.done(f), true
	case atAfter:
		return 0, f, true
	}
	closing, mayClose := m.closing(f)
	switch {
	case l == open:
		return m.opened(closing, mayClose), m.done(f.above), true
	case !mayClose:
		return closing - 1, m.done(f.above), true
	case f.object != nil:
		bytes, then, same = m.tailOfName(thread{frame: f, local: f.object.naming.at(0), name: m.noName})
		return 1 + bytes, then, same
	}
	return m.next(f).cost, m.done(f.above), true
}

const (
	longestPartial  = 11 // the most bytes that a character needs behind some of them
	longestSpelling = 6  // the most bytes that the shortest spelling of a character has for each of its own
)

// boundString is at least the cost of ending a string, its quotation mark included.
func (m *Machine) boundString(t thread) int32 {
	l, p, n := t.local, t.frame.reading.phrase, t.n
	if l.part.form == whole {
		return 1 + p.finish(place{l.point, n}).cost
	}
	if p.counted {
		n = min(n+1, int32(p.most))
	}
	if l.to >= 0 {
		return 1 + longestPartial + p.finish(place{l.to, n}).cost
	}
	ranges, count := l.part.runes() // any of them
	for _, e := range p.edges(l.point) {
		for _, g := range ranges[:count] {
			if max(e.lo, g.lo) <= min(e.hi, g.hi) && p.live(e.to, int(n)) {
				return 1 + longestPartial + p.finish(place{e.to, n}).cost
			}
		}
	}
	return never
}

// tailOfName is tail in a name. Of those that must come the first is the cheapest, as
// all of them are to be paid for. Else it is one that may come: what must come behind
// it is the same, but for what it brings, or one less where only their number counts.
func (m *Machine) tailOfName(t thread) (bytes int32, then *frame, same bool) {
	f, l, p := t.frame, t.local, t.frame.object
	n, c := f.names(), m.costs(f.room())
	if f.seal != (seal{}) && t.name != m.unknown {
		return plus(longestPartial+2+m.dearest(f), p.brought(c)), f, false
	}
	same = len(p.Dependent) == 0 && n.fill == 0 && f.seal == seal{}
	at := &p.naming.points[l.point]
	if i, _ := slices.BinarySearch(n.owed, at.lo); i < len(n.owed) && n.owed[i] < at.hi && l.part.form == whole {
		d := &p.declared[n.owed[i]]
		return spelledLen(d.name[at.depth:]) + 2 + c.of(d.plan), m.done(m.declare(f, n.owed[i])), same
	} else if i < len(n.owed) && n.owed[i] < at.hi {
		same = false
	}
	most := int32(-1)
	for i := at.lo; i < at.hi; i++ {
		if d := &p.declared[i]; n.has(i) {
			most = max(most, d.size+c.of(d.plan))
		}
	}
	if n.others && t.name != nil {
		for i, q := range at.states {
			if k := p.classes[i]; q >= 0 && k.value.may(f.room()) {
				if end := m.boundEnd(f, i, q, t); end < never { // else all its names may be there
					most = max(most, end+c.of(k.value))
				}
			}
		}
	}
	if most < 0 {
		return 0, nil, false
	}
	return plus(longestPartial+2+most, p.brought(c)), f, same
}

// dearest is at least the cost of the shortest new name and a value for it, whichever
// may come.
func (m *Machine) dearest(f *frame) (most int32) {
	c, p := m.costs(f.room()), f.object
	for i := range p.declared {
		if d := &p.declared[i]; d.plan.may(c.room) {
			most = max(most, d.size+c.of(d.plan))
		}
	}
	for _, k := range p.classes {
		if k.value.may(c.room) {
			end := int32(variation)
			if k.names != nil {
				end = k.shortEnd(k.start(), 0)
			}
			most = max(most, end+c.of(k.value))
		}
	}
	return most
}

// brought is the cost of all that names of an object may oblige to.
func (p *objectPlan) brought(c costs) (total int32) {
	if len(p.Dependent) == 0 {
		return 0
	}
	for i := range p.declared {
		for _, j := range p.declared[i].then {
			if p.declared[j].plan.may(c.room) {
				total = plus(total, 1+p.property(c, j))
			}
		}
	}
	return total
}

// boundEnd is at least the length of the shortest end of a new name of class i behind
// the character at hand, which goes on from state q; never if there may be none.
func (m *Machine) boundEnd(f *frame, i int, q int32, t thread) int32 {
	c, l := f.object.classes[i], t.local
	if c.names == nil {
		return int32(m.longEnd(f))
	}
	begin := t.name
	for begin.r < 0 {
		begin = begin.before
	}
	gone := f.used.count(int32(i), begin, nil)
	if l.part.form == whole {
		return c.shortEnd(q, gone)
	}
	ranges, count := l.part.runes()
	for _, e := range clipped(c.names, q) {
		for _, g := range ranges[:count] {
			if max(e.lo, g.lo) <= min(e.hi, g.hi) {
				if end := c.shortEnd(e.to, gone); end < never {
					return end
				}
			}
		}
	}
	return never
}

// longEnd is a number of characters of one byte that has more texts than there are names
// that others must differ from.
func (m *Machine) longEnd(f *frame) (size int) {
	gone := m.taken(f)
	for texts := 1; texts <= gone; texts *= 93 {
		size++
	}
	return size
}

// shortEnd is the cost of the cheapest end of a name from state q but for so many.
func (c *class) shortEnd(q int32, but int) int32 {
	k := [2]int32{q, int32(but)}
	n, ok := c.short[k]
	if !ok {
		ends := c.cheapestEnds(q, but+1, nil)
		n = never
		if len(ends) > but {
			n = spelledLen(ends[but])
		}
		c.short[k] = n
	}
	return n
}
