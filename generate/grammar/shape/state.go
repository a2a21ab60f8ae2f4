package shape

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// A Machine reads the JSON texts of one Value. It is not safe for use by several
// goroutines at a time, and neither are the languages in the Value.
type Machine struct {
	format Format
	ids    ids
	known  map[*Value]*plan
	alike  map[string]*plan // by Value.plain
	plans  []*plan
	levels []costs // by room, see cost.go
	// settled: more room than levels has makes nothing cheaper.
	settled bool

	// What was interned; forget empties it.
	frames   map[frameKey]*frame
	singles  map[thread]*state
	sets     map[string]*state
	sketches map[string]*state
	unknown  *word // a name that differs from all others
	words    map[wordKey]*word
	used     map[usedKey]*used
	items    map[items]*items
	ends     map[thread]offer
	domains  map[domainKey]*domain
	noName   *word
	sized    map[string]*local // numbers

	most int                // what may be interned
	owed map[owedKey]string // what writeOwed found
	out  []thread           // scratch
	key  []byte             // scratch
	// doubt: what was left out of a sketch matters for the byte being read.
	doubt bool
}

// remembered bounds how many states and frames are interned before the machine
// forgets them and begins anew.
const remembered = 200_000

// Machine makes the machine that reads the texts of the Value's members. An error is
// an *UnsupportedError.
func (v *Value) Machine(format Format) (machine.State, error) {
	m := &Machine{format: format, known: map[*Value]*plan{}, alike: map[string]*plan{}, sized: map[string]*local{}, most: remembered}
	m.forget()
	if err := m.prepare(v); err != nil {
		return nil, err
	}
	if m.plans[0].height > MaxDepth {
		return nil, &UnsupportedError{Reason: "no value belongs to the set"}
	}
	return m.state([]thread{{frame: m.frame(frameKey{reading: m.plans[0]}), local: before}}), nil
}

// Empty says whether no value belongs to the set, as far as texts within the limits of
// this package go.
func (v *Value) Empty() bool {
	_, err := v.Machine(Format{})
	return err != nil
}

// forget drops what is interned. States that are in use keep working, but equal ones
// are new pointers from here on.
func (m *Machine) forget() {
	m.frames = map[frameKey]*frame{}
	m.singles = map[thread]*state{}
	m.sets = map[string]*state{}
	m.sketches = nil
	m.words = map[wordKey]*word{}
	m.used = map[usedKey]*used{}
	m.items = map[items]*items{}
	m.ends = map[thread]offer{}
	m.domains = map[domainKey]*domain{}
	m.owed = map[owedKey]string{}
	if m.noName == nil {
		m.noName = &word{}
	}
}

// state interns a set of threads.
func (m *Machine) state(threads []thread) *state {
	if len(threads) == 1 {
		s, ok := m.singles[threads[0]]
		if !ok {
			s = &state{m: m, threads: []thread{threads[0]}}
			m.singles[threads[0]] = s
		}
		return s
	}
	key := make([]byte, 0, 20*len(threads))
	for _, t := range threads {
		for _, x := range t.order() {
			key = binary.LittleEndian.AppendUint32(key, uint32(x))
		}
	}
	s, ok := m.sets[string(key)]
	if !ok {
		s = &state{m: m, threads: slices.Clone(threads)}
		m.sets[string(key)] = s
	}
	return s
}

// order is what threads are sorted by; it identifies them.
func (t thread) order() [5]int32 {
	x := [5]int32{t.frame.id, t.local.id, 0, t.n, 0}
	if t.rec != nil {
		x[4] = t.rec.id
	}
	if t.name != nil {
		x[2] = t.name.id
	}
	return x
}

// A state is a machine.State: the threads of one beginning of a text.
type state struct {
	m       *Machine
	threads []thread
	steps   uint8 // taken from here, up to busy
	next    [4]*[64]*state
	rest    []byte
	closed  bool   // rest is known
	level   uint8  // what is left out, see sketch.go
	drawn   *state // its sketch; nil: not made
	outline *state // nil: not made
	even    *even  // nil: not computed
	bound   int32  // ShortestBound and one more; 0: not computed
}

// busy is the number of steps after which a state keeps a table of them.
const busy = 4

// dying is where states lead that no text goes on from.
var dying = &state{}

// Next is machine.State's.
func (s *state) Next(b byte) machine.State {
	if row := s.next[b>>6]; row != nil {
		if to := row[b&63]; to != nil {
			return to.public()
		}
	}
	to := s.read(b)
	if s.steps < busy {
		s.steps++
	} else {
		row := s.next[b>>6]
		if row == nil {
			row = new([64]*state)
			s.next[b>>6] = row
		}
		row[b&63] = to
	}
	return to.public()
}

// public is the state as others see it.
func (s *state) public() machine.State {
	switch s {
	case dying:
		return nil
	case doubted:
		return machine.Doubt
	}
	return s
}

func (s *state) read(b byte) *state {
	m := s.m
	if len(m.frames)+len(m.singles)+len(m.sets)+len(m.sketches)+len(m.words)+len(m.ends) > m.most {
		m.forget()
	}
	m.doubt = false
	out := m.out[:0]
	for _, t := range s.threads {
		first := len(out)
		out = m.step(out, t, b)
		if t.rec != nil || t.frame.array != nil && t.frame.array.Unique {
			out = m.recorded(out, first, t, b)
		}
	}
	m.out = out
	if m.doubt {
		return doubted
	}
	if s.level != full {
		return m.sketch(out, s.level)
	}
	out = m.ordered(out)
	if len(out) == 0 {
		return dying
	}
	return m.state(out)
}

// ordered is a set of threads in order, each once; of too many the cheapest.
func (m *Machine) ordered(out []thread) []thread {
	if len(out) > 1 {
		slices.SortFunc(out, func(a, b thread) int {
			x, y := a.order(), b.order()
			return slices.Compare(x[:], y[:])
		})
		out = slices.Compact(out)
		if len(out) > MaxThreads {
			// The cheapest stay, so the shortest rest does.
			slices.SortStableFunc(out, func(a, b thread) int { return cmp.Compare(m.cost(a), m.cost(b)) })
			out = out[:MaxThreads]
		}
	}
	return out
}

// Accepting is machine.State's.
func (s *state) Accepting() bool {
	return slices.ContainsFunc(s.threads, func(t thread) bool {
		return t.frame.above == nil && (t.local == after || t.local.kind == inNumber && accepts(t.local.set))
	})
}

// unbounded is FreeRunes without a bound.
const unbounded = 1 << 30

// FreeRunes is machine.Free's. The bound is that of the thread with most characters.
func (s *state) FreeRunes() (most, bound int) {
	for _, t := range s.threads {
		if t.local.part.form != whole || t.rec != nil {
			continue
		}
		if free, end := s.m.free(t); free > most {
			to := t.frame // behind the string or the name's value
			if t.local.kind == inString {
				to = s.m.done(to)
			}
			most, bound = free, int(plus(end, s.m.after(to)))
		}
	}
	return most, bound
}

// free is a number of plain characters that may follow, whatever they are, other items
// of a unique array aside. The cost of ending what is read, up to what follows a value of
// the frame, is at most end behind all of them.
func (m *Machine) free(t thread) (n int, end int32) {
	switch l := t.local; {
	case l.kind == inString && l.part.form == whole:
		n, end = t.frame.reading.phrase.free(l.point, int(t.n))
		return n, end + 1
	case l.kind == inString && l.to >= 0:
		n, end = t.frame.reading.phrase.free(l.to, int(t.n)+1)
		return n, longestPartial + end + 1
	case l.kind == inName && l.part.form == whole && (t.frame.seal == seal{} || t.name == m.unknown):
		return m.freeName(t.frame, l.point, false)
	case l.kind == inName && (t.frame.seal == seal{} || t.name == m.unknown):
		n, end = m.freeName(t.frame, l.point, true)
		return n, longestPartial + end
	}
	return 0, 0
}

// freeName is free in a name, or within a character of one.
func (m *Machine) freeName(f *frame, point int32, within bool) (n int, end int32) {
	if !f.names().others {
		return 0, 0
	}
	c := m.costs(f.room())
	for i, q := range f.object.naming.points[point].states {
		class := f.object.classes[i]
		free, most := 0, 0
		switch {
		case q < 0 || !class.value.may(f.room()):
		case class.names == nil:
			free, most = unbounded, m.longEnd(f)
		case f.used == nil && !within:
			free, most = class.names.FreeRunes(q)
			most *= longestSpelling
		}
		if free > n {
			n, end = free, plus(int32(min(most, int(never)))+2+c.of(class.value), f.object.brought(c))
		}
	}
	return n, end
}

// number interns the position in a number that is in one of the states.
func (m *Machine) number(set []*digits) *local {
	slices.SortFunc(set, func(a, b *digits) int { return cmp.Compare(a.id, b.id) })
	set = slices.Compact(set)
	key := make([]byte, 0, 4*len(set))
	for _, d := range set {
		key = binary.LittleEndian.AppendUint32(key, uint32(d.id))
	}
	l, ok := m.sized[string(key)]
	if !ok {
		l = &local{kind: inNumber, id: m.ids.next(), set: set, shortest: -1}
		m.sized[string(key)] = l
	}
	return l
}

// digit is the position behind one more character of a number, or dead.
func (m *Machine) digit(l *local, char int) *local {
	if l.by[char] == nil {
		var set []*digits
		for _, d := range l.set {
			if to := d.step(char); to != nil {
				set = append(set, to)
			}
		}
		l.by[char] = dead
		if len(set) > 0 {
			l.by[char] = m.number(set)
		}
	}
	return l.by[char]
}

// accepts says whether a number may end in one of the states.
func accepts(set []*digits) bool {
	return slices.ContainsFunc(set, func(d *digits) bool { return d.accepting })
}
