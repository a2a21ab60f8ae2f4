package shape

import (
	"container/heap"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// Shortest is machine.State's.
func (s *state) Shortest() []byte {
	if !s.closed {
		best, least := s.threads[0], never
		for _, t := range s.threads {
			if cost := s.m.cost(t); cost < least {
				best, least = t, cost
			}
		}
		rest := s.m.write(nil, best, false)
		if len(rest) > keptRest {
			return rest
		}
		s.rest, s.closed = rest, true
	}
	return s.rest
}

// ShortestLen is the length of the Shortest of a Machine's state, without writing it.
func ShortestLen(x machine.State) int {
	s := x.(*state)
	if s.closed {
		return len(s.rest)
	}
	least := never
	for _, t := range s.threads {
		least = min(least, s.m.cost(t))
	}
	return int(least)
}

// keptRest is the longest rest that a state keeps.
const keptRest = 1 << 12

// write appends the shortest rest of a thread. It takes, part by part, what cost
// counted; relaxed, what relaxed did.
func (m *Machine) write(b []byte, t thread, relaxed bool) []byte {
	leave := func(f *frame) thread { return thread{frame: m.done(f), local: after} }
	for {
		f, l := t.frame, t.local
		if f.unique == f && l == after {
			return b // the end of the item
		}
		if t.rec != nil && !relaxed {
			o := m.uniqueEnd(t)
			b = append(b, o.text...)
			t = thread{frame: o.frame, local: after}
			continue
		}
		switch l.kind {
		case inLiteral:
			b = append(b, l.rest...)
			t = leave(f)
		case inNumber:
			b = writeNumber(b, m, l)
			t = leave(f)
		case inString:
			b = append(f.reading.phrase.write(b, l, t.n), '"')
			t = leave(f)
		case inName:
			o := m.name(t)
			b = append(append(b, o.text...), '"')
			t = thread{frame: o.frame, local: colon}
		case atColon:
			b = append(b, ':')
			t.local = before
		case atValue:
			b, t = m.writeValue(b, f)
		default:
			if f.above == nil {
				return b
			}
			b, t = m.writePart(b, t)
		}
	}
}

// writeValue begins the cheapest value of the frame.
func (m *Machine) writeValue(b []byte, f *frame) ([]byte, thread) {
	p, room := f.reading, f.room()
	cost := m.costs(room).of(p)
	if m.scalar(p) == cost {
		for _, c := range []struct {
			has  bool
			text string
		}{{p.value.Null, "null"}, {p.value.True, "true"}, {p.value.False, "false"}} {
			if c.has && int(cost) == len(c.text) {
				return append(b, c.text...), thread{frame: m.done(f), local: after}
			}
		}
		if p.numbers != nil && leastNumber(p.numbers) == cost {
			return b, thread{frame: f, local: p.numbers}
		}
		return append(b, '"'), thread{frame: f, local: p.phrase.at(0)}
	}
	for _, a := range p.arrays {
		if a.height <= room {
			t := thread{frame: m.frame(frameKey{above: m.done(f), array: a}), local: open}
			if closing, mayClose := m.closing(t.frame); 1+m.opened(closing, mayClose) == cost {
				return append(b, '['), t
			}
		}
	}
	for _, o := range p.objects {
		if o.height <= room {
			t := thread{frame: m.frame(frameKey{above: m.done(f), object: o}), local: open}
			if closing, mayClose := m.closing(t.frame); 1+m.opened(closing, mayClose) == cost {
				return append(b, '{'), t
			}
		}
	}
	panic("shape: a value costs less than each of its parts")
}

// writePart goes on behind a bracket, a comma, an item or a property.
func (m *Machine) writePart(b []byte, t thread) ([]byte, thread) {
	f := t.frame
	if f.object != nil && t.local == after {
		b = m.writeOwed(b, f)
		if n := f.names(); n.fill == 0 && len(f.object.Dependent) == 0 {
			return append(b, '}'), thread{frame: m.done(f.above), local: after}
		}
	}
	_, mayClose := m.closing(f)
	if mayClose && t.local != comma {
		closing := byte(']')
		if f.object != nil {
			closing = '}'
		}
		return append(b, closing), thread{frame: m.done(f.above), local: after}
	}
	if t.local == after {
		b = append(b, ',')
	}
	if f.object != nil {
		return append(b, '"'), thread{frame: f, local: f.object.naming.at(0), name: m.noName}
	}
	next := m.next(f)
	if f.array.Unique {
		return append(b, next.text...), thread{frame: next.frame, local: after}
	}
	o := next.option
	k := f.frameKey
	k.reading, k.count = o.plan, f.array.counted(int(f.count)+1)
	k.tally, _ = f.array.add(f.tally, o.counts)
	return b, thread{frame: m.frame(k), local: before}
}

// writeOwed appends the properties that must still come, where nothing else must: each
// of them is the cheapest for the next, in their order.
func (m *Machine) writeOwed(b []byte, f *frame) []byte {
	p, n := f.object, f.names()
	if n.fill > 0 || len(p.Dependent) > 0 {
		return b
	}
	room := f.room()
	for _, i := range n.owed {
		k := owedKey{p, i, room}
		text, ok := m.owed[k]
		if !ok {
			size := int(m.costs(room).of(p.declared[i].plan))
			value := m.write(nil, thread{frame: m.declare(f, i), local: before}, true)[:size]
			text = `,"` + spelled(p.declared[i].name) + `":` + string(value)
			m.owed[k] = text
		}
		b = append(b, text...)
	}
	return b
}

// owedKey is a property that must come, and how many containers may be opened in it.
type owedKey struct {
	object *objectPlan
	name   int32
	room   int32
}

// write appends the cheapest end of a string, without its quotation mark.
func (p *phrase) write(b []byte, l *local, n int32) []byte {
	first := p.partial(l, n)
	b = append(b, first.text...)
	for at := first.to; ; {
		step := p.finish(at)
		if step.cost == 0 {
			return b
		}
		b = append(b, spelledOne(step.r)...)
		at = step.to
	}
}

// writeNumber appends a shortest end of a number.
func writeNumber(b []byte, m *Machine, l *local) []byte {
	const characters = "0123456789.-e+"
	for cost := leastNumber(l); cost > 0; cost-- {
		// Prefer 1 to 0 to 2: no leading zero then.
		for _, char := range []int{1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13} {
			if to := m.digit(l, char); to != dead && leastNumber(to) == cost-1 {
				b = append(b, characters[char])
				l = to
				break
			}
		}
	}
	return b
}

// shortNames are the cheapest k ends, not spelled, of names of class i of an object
// that go on from state q behind the characters of begin. Names that are there already
// are not among them. They come cheapest first.
func (m *Machine) shortNames(f *frame, i int, q int32, begin *word, k int) (ends []string) {
	c := f.object.classes[i]
	if k == 1 && c.phrase.ends(c.phrase.point([]part{{0, q}}), 0) && !f.taken(c, begin) {
		return []string{""} // nothing is shorter
	}
	gone := map[string]bool{}
	if begin != m.unknown {
		start := begin.text()
		add := func(name string) {
			if strings.HasPrefix(name, start) {
				gone[name[len(start):]] = true
			}
		}
		for u := f.used; u != nil; u = u.before {
			add(u.name.text())
		}
		if c.names == nil {
			for _, d := range f.object.declared {
				add(d.name)
			}
		}
	}
	return c.cheapestEnds(q, k, gone)
}

// cheapestEnds are the cheapest k ends of names of the class from state q that are not
// gone.
func (c *class) cheapestEnds(q int32, k int, gone map[string]bool) (ends []string) {
	breadth := k + len(gone) // as many characters as can be asked for
	start := c.phrase.point([]part{{0, q}})
	queue := &ways{{at: start, cost: c.phrase.finish(place{point: start}).cost}}
	for queue.Len() > 0 && len(ends) < k {
		w := heap.Pop(queue).(way)
		if w.final {
			if !gone[w.text] {
				ends = append(ends, w.text)
			}
			continue
		}
		spent := w.cost - c.phrase.finish(place{point: w.at}).cost
		if c.phrase.ends(w.at, 0) {
			heap.Push(queue, way{text: w.text, cost: spent, final: true})
		}
		for _, e := range c.phrase.edges(w.at) {
			rest := c.phrase.finish(place{point: e.to}).cost
			for _, r := range cheapRunes(e.lo, e.hi, breadth) {
				cost := spent + spelledSize(r) + rest
				heap.Push(queue, way{text: w.text + string(r), at: e.to, cost: cost})
			}
		}
	}
	return ends
}

// A way is a beginning of a word and what the cheapest word costs that begins so.
type way struct {
	text  string
	at    int32
	cost  int32
	final bool
}

type ways []way

func (w ways) Len() int { return len(w) }
func (w ways) Less(i, j int) bool {
	if w[i].cost != w[j].cost {
		return w[i].cost < w[j].cost
	}
	if w[i].final != w[j].final {
		return w[i].final // an end before more beginnings
	}
	return strings.Compare(w[i].text, w[j].text) < 0
}
func (w ways) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w *ways) Push(x any)   { *w = append(*w, x.(way)) }
func (w *ways) Pop() any {
	last := (*w)[len(*w)-1]
	*w = (*w)[:len(*w)-1]
	return last
}

// taken says whether a name of class c that is read whole is there already or declared.
func (f *frame) taken(c *class, name *word) bool {
	if name.size < 0 {
		return false // unknown
	}
	if f.used.has(name) {
		return true
	}
	if c.names != nil {
		return false // classes with patterns leave declared names out
	}
	declared := f.object.naming.declared
	_, found := slices.BinarySearch(declared, name.text())
	return found
}
