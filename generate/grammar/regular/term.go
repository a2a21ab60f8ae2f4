package regular

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/generate/grammar/alphabet"
)

type op uint8

const (
	// opSwitch reads one character and goes on by its case; with eps it may also end.
	// Cases hold opSwitch only, so a switch is a finite language written as a trie.
	// Without cases it is the empty language or the empty text.
	opSwitch op = iota
	opConcat    // kids[0], which is no opConcat, then kids[1]
	opUnion     // two kids or more, by id
	opInter     // two kids or more, by id
	opNot       // all texts that kids[0] does not have
	opRepeat    // kids[0], min to max times; max -1: no bound
)

// infinite is the cost of what cannot be.
const infinite = 1 << 30

// A node is a term: a regular expression with the Boolean operations, interned in
// one arena. The first group of fields never changes once the node is made, so
// another arena may copy the term at any time; the second group is what the arena
// found out so far.
type node struct {
	id       int32
	op       op
	eps      bool // opSwitch: may end
	nullable bool // has the empty text
	// A pure term has neither intersection nor complement. Since an empty part makes
	// the whole term empty by construction, a pure term other than none is never empty.
	pure     bool
	min, max int32
	floor    int32 // a lower bound of the bytes of its shortest text; exact where pure
	kids     []*node
	cases    []arc

	hash  uint64
	chain *node // the next node of the same hash
	exact int32 // the bytes of the shortest text, -1: not known yet
	arcs  []arc // the derivative by each character; nil: not computed
	state *state
	size  *lengths

	unsized bool // the lengths take too much work
}

// An arc leads to a term by any character of a set.
type arc struct {
	set *set
	to  *node
}

// An arena owns the nodes of one language. Its memory is bounded: past the limit it
// makes no more nodes.
type arena struct {
	sets  map[string]*set
	ands  map[[2]int32]*set // intersections of sets, nil where empty
	subs  map[[2]int32]*set // differences of sets, nil where empty
	ors   map[[2]int32]*set
	table map[uint64]*node
	nodes []*node
	parts map[string]*alphabet.Partition

	none, empty, all, char *node // no text, the empty one, every one, those of one character

	names   []string // the patterns it was made from, for errors
	used    int      // bytes, estimated
	limit   int      // of used; past it, twice as much may be used for ways to an end
	refused int      // how often memory was refused
	closed  bool     // memory was refused: nothing new is explored, but for ways to an end
	err     error    // why
	lost    bool     // memory was refused while the language was made: it is not what it should be
}

// Limit is the memory in bytes, estimated, that the states of one language may take.
// Past it an error is noted (Err), and only the shortest ways to an end go on.
const Limit = 64 << 20

func newArena(names ...string) *arena {
	a := &arena{
		sets: map[string]*set{}, ands: map[[2]int32]*set{}, subs: map[[2]int32]*set{}, ors: map[[2]int32]*set{},
		table: map[uint64]*node{}, parts: map[string]*alphabet.Partition{}, limit: Limit,
	}
	for _, n := range names {
		a.name(n)
	}
	a.none = a.intern(&node{op: opSwitch, floor: infinite, pure: true})
	a.empty = a.intern(&node{op: opSwitch, eps: true, nullable: true, pure: true})
	a.char = a.class(a.set(anyRune))
	a.all = a.repeat(a.char, 0, -1)
	return a
}

// name notes a pattern for errors; the first few are enough.
func (a *arena) name(s string) {
	if len(s) > 200 {
		s = s[:200] + "..."
	}
	for _, n := range a.names {
		if n == s {
			return
		}
	}
	if len(a.names) < 3 {
		a.names = append(a.names, s)
	}
}

// label names the language in errors.
func (a *arena) label() string {
	if len(a.names) == 0 {
		return "a language"
	}
	return strings.Join(a.names, ", ")
}

// spend counts bytes of memory and says whether they may be used.
func (a *arena) spend(bytes int) bool {
	limit := a.limit
	if a.closed {
		limit *= 2
	}
	if a.used+bytes > limit {
		a.refused++
		a.closed = true
		if a.err == nil {
			a.err = fmt.Errorf("%s: too many states: reading it would take more than %d MB; give it a simpler or a shorter form", a.label(), a.limit>>20)
		}
		return false
	}
	a.used += bytes
	return true
}

func (a *arena) set(r runes) *set {
	if len(r) == 0 {
		return nil
	}
	var key strings.Builder
	for _, x := range r {
		key.WriteByte(byte(x))
		key.WriteByte(byte(x >> 8))
		key.WriteByte(byte(x >> 16))
	}
	if s := a.sets[key.String()]; s != nil {
		return s
	}
	s := &set{id: int32(len(a.sets)), runes: r, best: r.nicest()}
	s.length = int32(utf8.RuneLen(s.best))
	a.used += 100 + 8*len(r)
	a.sets[key.String()] = s
	return s
}

func (a *arena) and(x, y *set) *set {
	if x == y {
		return x
	}
	if x.runes[0] > y.runes[len(y.runes)-1] || y.runes[0] > x.runes[len(x.runes)-1] {
		return nil
	}
	key := [2]int32{min(x.id, y.id), max(x.id, y.id)}
	s, ok := a.ands[key]
	if !ok {
		s = a.set(x.runes.and(y.runes))
		a.ands[key] = s
	}
	return s
}

// sub is x without y.
func (a *arena) sub(x, y *set) *set {
	key := [2]int32{x.id, y.id}
	s, ok := a.subs[key]
	if !ok {
		s = a.set(x.runes.minus(y.runes))
		a.subs[key] = s
	}
	return s
}

func (a *arena) or(x, y *set) *set {
	if x == y {
		return x
	}
	key := [2]int32{min(x.id, y.id), max(x.id, y.id)}
	s, ok := a.ors[key]
	if !ok {
		s = a.set(x.runes.or(y.runes))
		a.ors[key] = s
	}
	return s
}

// intern returns the node of the arena equal to n, which may become that node. Past
// the limit it returns none: a.err says so.
func (a *arena) intern(n *node) *node {
	h := uint64(n.op)*0x9E3779B97F4A7C15 + 1
	mix := func(x uint64) { h = (h ^ x) * 0xFF51AFD7ED558CCD; h ^= h >> 32 }
	if n.eps {
		mix(7)
	}
	mix(uint64(uint32(n.min))<<32 | uint64(uint32(n.max)))
	for _, k := range n.kids {
		mix(uint64(k.id))
	}
	for _, c := range n.cases {
		mix(uint64(c.set.id)<<32 | uint64(c.to.id))
	}
	for m := a.table[h]; m != nil; m = m.chain {
		if m.equal(n) {
			return m
		}
	}
	if !a.spend(200 + 8*len(n.kids) + 16*len(n.cases)) {
		return a.none
	}
	n.id, n.hash, n.exact = int32(len(a.nodes)), h, -1
	n.chain = a.table[h]
	a.table[h] = n
	a.nodes = append(a.nodes, n)
	return n
}

func (n *node) equal(m *node) bool {
	if n.op != m.op || n.eps != m.eps || n.min != m.min || n.max != m.max || len(n.kids) != len(m.kids) || len(n.cases) != len(m.cases) {
		return false
	}
	for i := range n.kids {
		if n.kids[i] != m.kids[i] {
			return false
		}
	}
	for i := range n.cases {
		if n.cases[i] != m.cases[i] {
			return false
		}
	}
	return true
}

// take copies a term of another arena into this one.
func (a *arena) take(n *node, done map[*node]*node, sets map[*set]*set) *node {
	if m := done[n]; m != nil {
		return m
	}
	var m *node
	switch n.op {
	case opSwitch:
		cases := make([]arc, len(n.cases))
		for i, c := range n.cases {
			s := sets[c.set]
			if s == nil {
				s = a.set(c.set.runes)
				sets[c.set] = s
			}
			cases[i] = arc{s, a.take(c.to, done, sets)}
		}
		m = a.choose(n.eps, cases)
	case opConcat:
		m = a.concat(a.take(n.kids[0], done, sets), a.take(n.kids[1], done, sets))
	case opRepeat:
		m = a.repeat(a.take(n.kids[0], done, sets), n.min, n.max)
	case opNot:
		m = a.not(a.take(n.kids[0], done, sets))
	default:
		kids := make([]*node, len(n.kids))
		for i, k := range n.kids {
			kids[i] = a.take(k, done, sets)
		}
		if n.op == opUnion {
			m = a.union(kids)
		} else {
			m = a.inter(kids)
		}
	}
	done[n] = m
	return m
}

func (n *node) isStar() bool { return n.op == opRepeat && n.min == 0 && n.max < 0 }
