package shape

import "math/bits"

// A frame is an open container, or the text as a whole, at one point of reading it: an
// immutable stack, since each frame knows the one around it. Frames are interned.
type frame struct {
	frameKey
	id    int32
	depth int32 // containers open, this one included

	valued          *frame // the same, its value read
	after           int32  // cost of what follows a value of the frame, up to the end of the text; -1: not computed
	closing         int32  // cost of what follows a value of the frame, up to its end; 0: not computed
	outline, around *frame // the frame, or those around it, sealed; nil: not made
	next            *next  // of an object: names that may come
	unique          *frame // of the array of unique items whose item is being read, maybe the frame itself
}

// frameKey is what tells frames apart.
type frameKey struct {
	above   *frame // nil: the text as a whole
	reading *plan  // the value that comes next or is being read
	// One of these is set below the text as a whole.
	object *objectPlan
	array  *arrayPlan

	count int32  // names or items so far, with the one being read
	seen  string // declared names so far, as bits
	used  *used  // other names so far
	tally string // counts of items so far
	items *items // so far, of an array of unique items
	seal  seal   // instead of what names there are, see sketch.go
}

// next is what names may come next in an object.
type next struct {
	owed    []int32  // declared names that must come
	allowed []uint64 // declared names that may come, as bits
	fill    int      // names that must come besides the owed ones
	others  bool     // there is room for a name that is not declared
}

func (m *Machine) frame(k frameKey) *frame {
	f, ok := m.frames[k]
	if !ok {
		f = &frame{frameKey: k, id: m.ids.next(), after: -1, closing: k.seal.closing}
		if k.above != nil {
			f.depth = k.above.depth + 1
		}
		f.unique = k.within(f)
		m.frames[k] = f
	}
	return f
}

// room is how many more containers may be opened within the frame.
func (f *frame) room() int32 { return MaxDepth - f.depth }

// done is the frame with its value read. That of a unique array goes on with what the
// value is, so it stays until then, see leave.
func (m *Machine) done(f *frame) *frame {
	if f.reading == nil || f.unique == f {
		return f
	}
	if f.valued == nil {
		k := f.frameKey
		k.reading = nil
		f.valued = m.frame(k)
	}
	return f.valued
}

// names is what may come next in an object's frame.
func (f *frame) names() *next {
	if f.next != nil {
		return f.next
	}
	p, h := f.object, f.room()
	if f.seal != (seal{}) {
		f.next = &next{allowed: make([]uint64, (len(p.declared)+63)/64), others: true}
		if f.seal.closing > 1 {
			f.next.fill = 1
		}
		return f.next
	}
	n := &next{owed: p.owed(f.seen), allowed: make([]uint64, (len(p.declared)+63)/64)}
	room := manyWords
	if p.Max != nil {
		room = *p.Max - int(f.count) - len(n.owed)
	}
	n.fill = max(0, p.Min-int(f.count)-len(n.owed))
	n.others = room > 0
	for _, i := range n.owed {
		n.allowed[i/64] |= 1 << (i % 64)
	}
	if room > 0 {
		for i, d := range p.declared {
			if d.plan.may(h) && !hasBit(f.seen, int32(i)) && f.affords(int32(i), n, room) {
				n.allowed[i/64] |= 1 << (i % 64)
			}
		}
	}
	f.next = n
	return n
}

// affords says whether the names that must come with declared name i may come, where
// room names besides the owed ones may.
func (f *frame) affords(i int32, n *next, room int) bool {
	d := f.object.declared[i]
	if len(d.then) == 0 {
		return true
	}
	owed := f.object.owed(withBit(f.seen, i))
	for _, j := range owed {
		if !f.object.declared[j].plan.may(f.room()) {
			return false
		}
	}
	return 1+len(owed)-len(n.owed) <= room
}

// has says whether declared name i may come.
func (n *next) has(i int32) bool { return n.allowed[i/64]>>(i%64)&1 != 0 }

// any says whether one of the declared names lo to hi, hi itself left out, may come.
func (n *next) any(lo, hi int32) bool {
	for i := lo; i < hi; {
		if rest := n.allowed[i/64] >> (i % 64); rest != 0 {
			return i+int32(bits.TrailingZeros64(rest)) < hi
		}
		i = (i/64 + 1) * 64
	}
	return false
}

// classLive says whether a name of class i that goes on from state q may come. The
// name begins with begin and, if there are ranges, goes on with a character in them.
func (f *frame) classLive(i int, q int32, begin *word, ranges []edge) bool {
	if q < 0 || !f.names().others {
		return false
	}
	c := f.object.classes[i]
	if !c.value.may(f.room()) {
		return false
	}
	used := 0
	if c.names != nil {
		used = f.used.count(int32(i), begin, ranges)
	}
	if ranges == nil {
		return used == 0 || c.count(q) > used
	}
	// q is where the class is before the character.
	words := 0
	for _, e := range clipped(c.names, q) {
		for _, g := range ranges {
			if lo, hi := max(e.lo, g.lo), min(e.hi, g.hi); lo <= hi {
				if used == 0 {
					return true
				}
				words = min(words+int(hi-lo+1)*c.count(e.to), manyWords)
			}
		}
	}
	return words > used
}

// nameLive says whether a name may come that is read up to the position l. The name
// begins with the characters of begin, which is nil if no class is followed.
func (f *frame) nameLive(l *local, begin *word) bool {
	n, g := f.names(), f.object.naming
	if l.part.form == whole {
		at := &g.points[l.point]
		if n.any(at.lo, at.hi) {
			return true
		}
		for i, q := range at.states {
			if f.classLive(i, q, begin, nil) {
				return true
			}
		}
		return false
	}
	ranges, count := l.part.runes()
	for _, e := range g.edges(l.point) {
		for _, r := range ranges[:count] {
			if at := &g.points[e.to]; max(e.lo, r.lo) <= min(e.hi, r.hi) && n.any(at.lo, at.hi) {
				return true
			}
		}
	}
	for i, q := range g.points[l.point].states {
		if q >= 0 && f.classLive(i, q, begin, ranges[:count]) {
			return true
		}
	}
	return false
}
