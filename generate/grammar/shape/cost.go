package shape

import (
	"cmp"
	"slices"
)

// costs are the lengths of the shortest texts of all plans, where room more containers
// may be opened.
type costs struct {
	room int32
	by   []int32 // by plan.index; nil: only what may be is known
}

// of is the cost of a plan, never if it has no value of the room.
func (c costs) of(p *plan) int32 {
	switch {
	case !p.may(c.room):
		return never
	case c.by == nil:
		return 0
	}
	return c.by[p.index]
}

// best is the least cost of the options.
func (c costs) best(options []option) int32 {
	least := never
	for _, o := range options {
		least = min(least, c.of(o.plan))
	}
	return least
}

// costs are those for a room. They are found for all rooms at once, from no room on:
// values that open h containers are made of those that open fewer. After some height
// nothing gets cheaper.
func (m *Machine) costs(room int32) costs {
	for !m.settled && int(room) >= len(m.levels) {
		h := int32(len(m.levels))
		level := costs{room: h, by: make([]int32, len(m.plans))}
		for i, p := range m.plans {
			level.by[i] = m.planCost(p, h)
		}
		m.settled = h == MaxDepth || h > 0 && slices.Equal(level.by, m.levels[h-1].by)
		m.levels = append(m.levels, level)
	}
	return m.levels[max(0, min(int(room), len(m.levels)-1))]
}

// planCost is the cost of a plan at a room, those of all lower rooms being known.
func (m *Machine) planCost(p *plan, room int32) int32 {
	if room > 0 && p.height > room {
		return never
	}
	best := m.scalar(p)
	if room == 0 {
		return best
	}
	below := m.levels[room-1]
	for _, a := range p.arrays {
		if a.height <= room {
			best = min(best, 1+m.opened(m.closingArray(m.fresh(a, room-1), below), a.mayClose(0, "")))
		}
	}
	for _, o := range p.objects {
		if o.height <= room {
			f := &frame{frameKey: frameKey{object: o}, depth: MaxDepth - (room - 1)}
			best = min(best, 1+m.opened(m.closingObject(f, below), f.mayClose()))
		}
	}
	return best
}

func (m *Machine) closingArray(f *frame, c costs) int32 {
	if f.array.Unique {
		return m.closingUnique(f)
	}
	return f.array.closing(f.array.least, c, int(f.count), f.tally)
}

// opened is the cost from an opening bracket on, given that from behind an item: the
// first item has no comma before it.
func (m *Machine) opened(closing int32, mayClose bool) int32 {
	if mayClose {
		return closing
	}
	return closing - 1
}

// scalar is the cost of the cheapest value of the plan that is no container.
func (m *Machine) scalar(p *plan) int32 {
	best := never
	if v := p.value; v.Null || v.True {
		best = 4
	} else if v.False {
		best = 5
	}
	if p.numbers != nil {
		best = min(best, leastNumber(p.numbers))
	}
	if p.phrase != nil {
		best = min(best, 2+p.phrase.finish(place{}).cost)
	}
	return best
}

// cost is the length of the shortest rest of a thread.
func (m *Machine) cost(t thread) int32 {
	switch {
	case t.rec == nil:
		return m.relaxed(t)
	case t.rec == m.unknown:
		return m.bound(t) // of a sketch
	}
	return m.uniqueEnd(t).cost
}

// relaxed is cost up to the end of the item, in an item of a unique array, whether it
// repeats another or not.
func (m *Machine) relaxed(t thread) int32 {
	f, l := t.frame, t.local
	switch l.kind {
	case inLiteral:
		return int32(len(l.rest)) + m.after(m.done(f))
	case inNumber:
		return leastNumber(l) + m.after(m.done(f))
	case inString:
		return 1 + f.reading.phrase.partial(l, t.n).cost + m.after(m.done(f))
	case inName:
		return m.name(t).cost
	case atColon:
		return 1 + m.costs(f.room()).of(f.reading) + m.after(m.done(f))
	case atValue:
		return m.costs(f.room()).of(f.reading) + m.after(m.done(f))
	}
	around := int32(0)
	if f.above == nil {
		return 0
	}
	around = m.after(f.above)
	closing, mayClose := m.closing(f)
	switch {
	case l == after:
		return closing + around
	case l == open:
		return m.opened(closing, mayClose) + around
	case !mayClose:
		return closing - 1 + around
	case f.array != nil:
		return m.next(f).cost + around
	}
	return 1 + m.name(thread{frame: f, local: f.object.naming.at(0), name: m.noName}).cost
}

// after is the cost behind a value of the frame, up to the end of the text.
func (m *Machine) after(f *frame) int32 {
	if f.above == nil || f.unique == f {
		return 0
	}
	if f.after < 0 {
		closing, _ := m.closing(f)
		f.after = closing + m.after(f.above)
	}
	return f.after
}

// closing is the cost behind a value of the frame up to its end.
func (m *Machine) closing(f *frame) (cost int32, mayClose bool) {
	if f.closing == 0 {
		if c := m.costs(f.room()); f.array != nil {
			f.closing = m.closingArray(f, c)
		} else {
			f.closing = m.closingObject(f, c)
		}
	}
	return f.closing, f.mayEnd()
}

// mayEnd says whether the container may end behind a value.
func (f *frame) mayEnd() bool {
	if f.array != nil {
		return f.array.mayClose(int(f.count), f.tally)
	}
	return f.mayClose()
}

// An offer is one more item or property and what it costs.
type offer struct {
	option option // of an array
	// Of an object: the rest of the name's spelling without the quotation mark, and
	// the frame behind it. Of a unique array: the rest of the item's text, the same.
	text  string
	frame *frame
	cost  int32
}

// next is the cheapest item behind a comma; its cost goes up to the end of the array.
func (m *Machine) next(f *frame) offer {
	c, p := m.costs(f.room()), f.array
	best := offer{cost: never}
	if p.Unique {
		if e, ok := m.newItem(f, int(f.count), f.items); ok {
			k := f.frameKey
			k.count = p.counted(int(f.count) + 1)
			if to := m.added(m.frame(k), e.value); to != nil {
				best = offer{text: e.text, frame: to, cost: int32(len(e.text)) + m.closingUnique(to)}
			}
		}
		return best
	}
	for _, o := range m.choices(f) {
		to, _ := p.add(f.tally, o.counts)
		cost := plus(c.of(o.plan), p.closing(p.least, c, int(p.counted(int(f.count)+1)), to))
		if cost < best.cost {
			best = offer{option: o, cost: cost}
		}
	}
	return best
}

// property is the cost of a declared property from its first quotation mark on.
func (p *objectPlan) property(c costs, i int32) int32 {
	return 3 + p.declared[i].size + c.of(p.declared[i].plan)
}

// closingObject is the cost behind a property up to the end of the object.
func (m *Machine) closingObject(f *frame, c costs) int32 {
	total, n, p := int32(1), f.names(), f.object
	for _, i := range n.owed {
		total = plus(total, 1+p.property(c, i))
	}
	for _, o := range m.fillers(f, c) {
		total = plus(total, 1+o.cost)
	}
	return total
}

// A filler is a property that is there for the number of properties.
type filler struct {
	declared int32 // or -1:
	class    int
	word     string
	cost     int32 // from the first quotation mark on
}

// fillers are the cheapest properties that make up the number.
func (m *Machine) fillers(f *frame, c costs) []filler {
	n, p := f.names(), f.object
	if n.fill == 0 {
		return nil
	}
	var all []filler
	for i := range p.declared {
		if i := int32(i); n.has(i) && !slices.Contains(n.owed, i) && len(p.declared[i].then) == 0 {
			all = append(all, filler{i, 0, "", p.property(c, i)})
		}
	}
	for i, class := range p.classes {
		if !class.value.may(f.room()) {
			continue
		}
		for _, w := range m.shortNames(f, i, class.start(), m.noName, n.fill) {
			all = append(all, filler{-1, i, w, 3 + spelledLen(w) + c.of(class.value)})
		}
	}
	slices.SortStableFunc(all, func(a, b filler) int { return cmp.Compare(a.cost, b.cost) })
	return all[:min(n.fill, len(all))]
}

// A candidate is a way to end a name: the one that is declared, or if that is -1 a name
// of a class. The rest of its spelling is size bytes.
type candidate struct {
	declared int32
	size     int32
	class    int
	first    rune   // how a character that was begun ends; -1: none was
	word     string // behind it
}

// name is the cheapest way to end a name: its cost goes up to the end of the text.
func (m *Machine) name(t thread) offer {
	f, l, p := t.frame, t.local, t.frame.object
	n, c := f.names(), m.costs(f.room())
	around := m.after(f.above)
	closing, _ := m.closing(f)
	begin := t.name
	for begin != nil && begin.r < 0 {
		begin = begin.before
	}
	best, chosen := never, candidate{}
	var behind *frame
	m.eachName(f, l, begin, func(x candidate) {
		var to *frame
		var value *plan
		rest := closing // of the object behind the name's value
		if i := x.declared; i >= 0 {
			d := &p.declared[i]
			value = d.plan
			_, owed := slices.BinarySearch(n.owed, i)
			switch {
			case len(d.then) > 0 || !owed && n.fill > 0:
				to = m.declare(f, i)
				rest, _ = m.closing(m.done(to))
			case owed:
				rest = closing - 1 - p.property(c, i)
			}
		} else {
			value = p.classes[x.class].value
			if n.fill > 0 {
				to = m.use(f, x.class, m.wordOf(x.text(begin)))
				rest, _ = m.closing(m.done(to))
			}
		}
		if cost := x.size + 2 + c.of(value) + rest + around; cost < best {
			best, chosen, behind = cost, x, to
		}
	})
	if best == never {
		return offer{cost: never}
	}
	o := offer{cost: best, frame: behind, text: chosen.spelled(p, l)}
	switch {
	case behind != nil:
	case chosen.declared >= 0:
		o.frame = m.declare(f, chosen.declared)
	default:
		o.frame = m.use(f, chosen.class, m.wordOf(chosen.text(begin)))
	}
	return o
}

// text is the whole name of a class that begins with begin.
func (x *candidate) text(begin *word) string {
	if x.first >= 0 {
		return begin.text() + string(x.first) + x.word
	}
	return begin.text() + x.word
}

// spelled is the rest of the spelling.
func (x *candidate) spelled(p *objectPlan, l *local) string {
	switch {
	case x.declared >= 0:
		text, _ := l.part.ended(p.declared[x.declared].name[p.naming.points[l.point].depth:])
		return text
	case x.first >= 0:
		return l.part.rest(x.first) + spelled(x.word)
	}
	return spelled(x.word)
}

// eachName calls take for the names that may come behind the position l; of each class,
// for a cheapest one.
func (m *Machine) eachName(f *frame, l *local, begin *word, take func(candidate)) {
	n, p := f.names(), f.object
	at := p.naming.points[l.point]
	for i := at.lo; i < at.hi; i++ {
		if !n.has(i) {
			continue
		}
		if size, ok := l.part.endedLen(p.declared[i].name[at.depth:]); ok {
			take(candidate{declared: i, size: size})
		}
	}
	if !n.others || begin == nil {
		return
	}
	for i, q := range at.states {
		class := p.classes[i]
		if q < 0 || !class.value.may(f.room()) {
			continue
		}
		if l.part.form == whole {
			for _, w := range m.shortNames(f, i, q, begin, 1) {
				take(candidate{-1, spelledLen(w), i, -1, w})
			}
			continue
		}
		ranges, count := l.part.runes()
		for _, e := range clipped(class.names, q) {
			for _, g := range ranges[:count] {
				for _, r := range cheapRunes(max(e.lo, g.lo), min(e.hi, g.hi), 1+m.taken(f)) {
					for _, w := range m.shortNames(f, i, e.to, m.word(begin, r), 1) {
						take(candidate{-1, int32(len(l.part.rest(r))) + spelledLen(w), i, r, w})
					}
				}
			}
		}
	}
}

// wordOf interns a text.
func (m *Machine) wordOf(text string) *word {
	w := m.noName
	for _, r := range text {
		w = m.word(w, r)
	}
	return w
}

// taken is the number of names that names of classes must differ from.
func (m *Machine) taken(f *frame) (n int) {
	for u := f.used; u != nil; u = u.before {
		n++
	}
	return n + len(f.object.declared)
}
