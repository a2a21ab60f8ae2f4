package shape

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Arrays whose items differ. While an item is read, its thread carries the text so far
// (rec); where the item ends, its value joins the frame's items. A thread is live if
// some way to end the item gives a new value. Almost always the shortest way does; else
// a search looks for another one, cheapest first, up to searchLimit steps, and where
// it finds none the byte is refused.

// Bounds on arrays with unique items.
const (
	maxUnique   = 64   // least number of items
	searchLimit = 1000 // beginnings that a search for another value goes on from
)

// unread is an item that a sketch left out.
const unread = "?"

// items are the values of an array's items so far, as Canonical writes them.
type items struct {
	before *items
	value  string
}

func (i *items) has(value string) bool {
	for ; i != nil; i = i.before {
		if i.value == value {
			return true
		}
	}
	return false
}

func (m *Machine) item(before *items, value string) *items {
	k := items{before, value}
	i, ok := m.items[k]
	if !ok {
		i = &k
		m.items[k] = i
	}
	return i
}

// checkUnique says why a machine cannot read an array of unique items.
func (m *Machine) checkUnique(p *arrayPlan) error {
	reject := func(reason string) error { return &UnsupportedError{p.Array, "uniqueItems " + reason} }
	switch {
	case len(p.Counts) > 0:
		return reject("beside contains")
	case p.Min > maxUnique:
		return reject(fmt.Sprintf("with more than %d items at least", maxUnique))
	}
	seen := map[*plan]bool{}
	nested := false
	var visit func(*plan)
	visit = func(q *plan) {
		if q == nil || seen[q] {
			return
		}
		seen[q] = true
		for _, a := range q.arrays {
			nested = nested || a.Unique
			for _, place := range append(slices.Clone(a.prefix), a.rest) {
				for _, o := range place {
					visit(o.plan)
				}
			}
		}
		for _, o := range q.objects {
			for _, d := range o.declared {
				visit(d.plan)
			}
			for _, c := range o.classes {
				visit(c.value)
			}
		}
	}
	for i, place := range append(slices.Clone(p.prefix), p.rest) {
		for _, o := range place {
			visit(o.plan)
			if i < len(p.prefix) && p.Min > 1 && !o.plan.endless() {
				return reject("over places with values of their own that may run out")
			}
		}
	}
	if nested {
		return reject("of arrays with unique items")
	}
	return nil
}

// endless says whether a plan surely has more values than any array has items.
func (p *plan) endless() bool {
	for _, s := range p.value.Strings {
		if s.Language == nil && (s.Max == nil || *s.Max > 2 && *s.Max >= s.Min) {
			return true
		}
	}
	for _, n := range p.value.Numbers {
		if n.MultipleOf == nil && (n.Min == nil || n.Max == nil || n.Min.Cmp(n.Max) < 0) || n.MultipleOf != nil && n.NotMultipleOf == nil && (n.Min == nil || n.Max == nil) {
			return true
		}
	}
	return false
}

// enoughUnique finds arrays that need more different items than there are.
func (m *Machine) enoughUnique() error {
	for _, p := range m.plans {
		for _, a := range p.arrays {
			if !a.Unique || a.height > MaxDepth || a.Min < 1 {
				continue
			}
			f := m.fresh(a, MaxDepth)
			if m.closingUnique(f) == never {
				return &UnsupportedError{a.Array, fmt.Sprintf("uniqueItems, but %d different items were not found", a.Min)}
			}
		}
	}
	return nil
}

// fresh is a frame of an array just opened, with room for more containers, that stands
// alone.
func (m *Machine) fresh(a *arrayPlan, room int32) *frame {
	return m.frame(frameKey{above: &frame{depth: MaxDepth - room - 1}, array: a})
}

// within is the frame of the unique array whose item is being read in f, or nil.
func (k *frameKey) within(f *frame) *frame {
	switch {
	case k.array != nil && k.array.Unique && k.reading != nil:
		return f
	case k.above != nil:
		return k.above.unique
	}
	return nil
}

// record appends a byte to what was read of an item of a unique array.
func (m *Machine) record(from, to thread, b byte) thread {
	switch {
	case to.frame.unique == nil:
		to.rec = nil
	case from.rec == nil:
		to.rec = m.word(m.noName, rune(b))
	case isSpace(b) && to.local.kind < inLiteral:
		to.rec = from.rec
	default:
		to.rec = m.word(from.rec, rune(b))
	}
	return to
}

// recorded records a byte in the threads of out from index first on, which it led to
// from t, and drops those that can only repeat an item.
func (m *Machine) recorded(out []thread, first int, t thread, b byte) []thread {
	kept := out[:first]
	for _, to := range out[first:] {
		to = m.record(t, to, b)
		if to.rec != nil && to.rec == m.unknown {
			if m.novel(to) {
				kept = append(kept, to)
			} else {
				m.doubt = true
			}
			continue
		}
		if to.rec == nil || m.surelyNew(to) || m.uniqueEnd(to).frame != nil {
			kept = append(kept, to)
		}
	}
	return kept
}

// surelyNew says that an item can be ended with a new value, where that is plain: no
// item is there yet, more characters may come whatever they are, or the beginning of a
// string is that of no other item.
func (m *Machine) surelyNew(t thread) bool {
	u := t.frame.unique
	enough := int(u.count) >= u.array.Min
	if free, _ := m.free(t); u.items == nil && enough || free > 0 && u.items.few() {
		return true
	}
	if !enough || t.frame != u || t.local.kind != inString || t.rec.escaped {
		return false
	}
	for i := u.items; i != nil; i = i.before {
		if strings.Contains(i.value, `\\`) || t.rec.begins(i.value) {
			return false
		}
	}
	return true
}

// few says whether there are fewer items than characters to go on with.
func (i *items) few() bool {
	n := 0
	for ; i != nil; i = i.before {
		n++
	}
	return n <= maxUnique
}

// begins says whether a text begins with the word, byte by byte.
func (w *word) begins(text string) bool {
	if int(w.size) > len(text) {
		return false
	}
	for ; w.before != nil; w = w.before {
		if byte(w.r) != text[w.size-1] {
			return false
		}
	}
	return true
}

// value is what a text, its last part aside, comes to.
func (w *word) value(last string) (string, bool) {
	var b []byte
	for ; w.before != nil; w = w.before {
		b = append(b, byte(w.r))
	}
	slices.Reverse(b)
	d := json.NewDecoder(strings.NewReader(string(b) + last))
	d.UseNumber()
	var x any
	if d.Decode(&x) != nil {
		return "", false
	}
	return Canonical(x), true
}

// added is the frame of a unique array behind an item of the value; nil if it has the
// value already or cannot end any more.
func (m *Machine) added(f *frame, value string) *frame {
	if f.items.has(value) {
		return nil
	}
	k := f.frameKey
	k.reading, k.items = nil, m.item(f.items, value)
	to := m.frame(k)
	if m.closingUnique(to) == never {
		return nil
	}
	return to
}

// closingUnique is closing for the frame of a unique array: the items that must come
// are the cheapest new ones, place by place.
func (m *Machine) closingUnique(f *frame) int32 {
	p := f.array
	cost, gone := int32(1), f.items
	for i := int(f.count); i < p.Min; i++ {
		next, ok := m.newItem(f, i, gone)
		if !ok {
			return never
		}
		cost = plus(cost, 1+int32(len(next.text)))
		gone = m.item(gone, next.value)
	}
	return cost
}

// newItem is the cheapest item for place i of a unique array that is not among those
// gone; false if there is none.
func (m *Machine) newItem(f *frame, i int, gone *items) (entry, bool) {
	if p := f.array; p.Max != nil && i >= *p.Max {
		return entry{}, false
	}
	d := m.domain(f, i)
	for k := 0; ; k++ {
		e, ok := d.at(m, k)
		if !ok || !gone.has(e.value) {
			return e, ok
		}
	}
}

// uniqueEnd is the cheapest way to end an item of a unique array with a new value.
// frame is nil if there is none.
func (m *Machine) uniqueEnd(t thread) offer {
	if known, ok := m.ends[t]; ok {
		return known
	}
	best := offer{cost: never}
	u := t.frame.unique
	try := func(text string) bool {
		value, ok := t.rec.value(text)
		if !ok {
			return false
		}
		to := m.added(u, value)
		if to != nil {
			best = offer{text: text, frame: to, cost: int32(len(text)) + m.after(to)}
		}
		return to != nil
	}
	if !try(string(m.write(nil, t, true))) {
		s := m.search(t)
		for e, ok := s.next(m); ok && !try(e.text); e, ok = s.next(m) {
		}
	}
	m.ends[t] = best
	return best
}

// A domain is the values that may be at a place of a unique array, cheapest first, as
// far as they were asked for.
type domain struct {
	found []entry
	seen  map[string]bool
	more  []*search // one for each option
	heads []*entry
}

// An entry is a text and its value.
type entry struct {
	text, value string
}

type domainKey struct {
	array *arrayPlan
	place int
	room  int32
}

func (m *Machine) domain(f *frame, place int) *domain {
	// Between MaxDepth and the room that every value has there is no difference.
	k := domainKey{f.array, min(place, len(f.array.prefix)), m.costs(f.room()).room}
	d, ok := m.domains[k]
	if !ok {
		d = &domain{seen: map[string]bool{}}
		m.domains[k] = d
		alone := m.fresh(f.array, k.room)
		for _, o := range f.array.place(place) {
			if !o.plan.may(f.room()) {
				continue
			}
			key := alone.frameKey
			key.reading, key.count = o.plan, int32(f.array.Min) // more need not come
			s := m.search(thread{frame: m.frame(key), local: before, rec: m.noName})
			d.more = append(d.more, s)
			d.heads = append(d.heads, s.head(m))
		}
	}
	return d
}

// at is the value of index k.
func (d *domain) at(m *Machine, k int) (entry, bool) {
	for len(d.found) <= k {
		best := -1
		for i, e := range d.heads {
			if e != nil && (best < 0 || len(e.text) < len(d.heads[best].text)) {
				best = i
			}
		}
		if best < 0 {
			return entry{}, false
		}
		if e := *d.heads[best]; !d.seen[e.value] {
			d.seen[e.value] = true
			d.more[best].since = 0
			d.found = append(d.found, e)
		}
		d.heads[best] = d.more[best].head(m)
	}
	return d.found[k], true
}

// A search finds ways to end the item of a thread, cheapest first: best-first over
// beginnings, whose cheapest ends are known. Characters that need not be escaped are
// not, and there is no white space.
type search struct {
	queue tries
	rec   *word
	since int // steps since the last new value, as its user says
	began bool
	from  thread
}

// A try is a beginning of an end.
type try struct {
	thread thread
	text   string
	cost   int32 // of the whole end
	final  bool
}

func (m *Machine) search(t thread) *search { return &search{rec: t.rec, from: t} }

func (s *search) head(m *Machine) *entry {
	if e, ok := s.next(m); ok {
		return &e
	}
	return nil
}

// next is the next end and the value of the item with it.
func (s *search) next(m *Machine) (entry, bool) {
	if !s.began {
		s.began = true
		s.push(m, s.from, "")
	}
	for len(s.queue) > 0 && s.since < searchLimit {
		t := heap.Pop(&s.queue).(try)
		if t.final {
			if value, ok := s.rec.value(t.text); ok {
				return entry{t.text, value}, true
			}
			continue
		}
		s.since++
		s.expand(m, t)
	}
	return entry{}, false
}

func (s *search) push(m *Machine, t thread, text string) {
	if t.frame.unique == nil {
		heap.Push(&s.queue, try{text: text, cost: int32(len(text)), final: true})
		return
	}
	if t.local.kind == inNumber && t.frame == t.frame.unique && accepts(t.local.set) {
		heap.Push(&s.queue, try{text: text, cost: int32(len(text)), final: true})
	}
	if cost := m.relaxed(t); cost < never {
		heap.Push(&s.queue, try{thread: t, text: text, cost: int32(len(text)) + cost})
	}
}

// expand goes on by every byte that may be of use. Where many plain characters lead to a
// place, no others are tried that lead there.
func (s *search) expand(m *Machine, t try) {
	type place struct {
		*speller
		point int32
	}
	plain := map[place]int{}
	for c := 0x21; c < 0x100; c++ {
		b := byte(c)
		if b == 0x7F {
			b = ' ' // after the other plain characters
		}
		if b == '\\' || b == ' ' && t.thread.local.kind < inLiteral {
			continue
		}
		if t.thread.local.kind == inNumber && t.thread.frame.unique == t.thread.frame && numberByte(b) == 14 {
			continue // where it ends is known
		}
		for _, to := range m.step(nil, t.thread, b) {
			switch l := to.local; {
			case b < 0x80 && b != '"' && l.speller != nil:
				plain[place{l.speller, l.point}]++
			case b >= 0x80 && l.to >= 0 && plain[place{l.speller, l.to}] > maxUnique:
				continue
			}
			s.push(m, m.record(t.thread, to, b), t.text+string([]byte{b}))
		}
	}
}

type tries []try

func (t tries) Len() int { return len(t) }
func (t tries) Less(i, j int) bool {
	if t[i].cost != t[j].cost {
		return t[i].cost < t[j].cost
	}
	if len(t[i].text) != len(t[j].text) {
		return len(t[i].text) > len(t[j].text) // nearer to the end
	}
	return t[i].final && !t[j].final || t[i].final == t[j].final && t[i].text < t[j].text
}
func (t tries) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *tries) Push(x any)   { *t = append(*t, x.(try)) }
func (t *tries) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}
