package regular

import (
	"encoding/binary"
	"slices"
	"sort"
)

// A partition is a list of disjoint sets of characters; states with the same sets
// share it.
type partition struct {
	ascii [128]uint16 // the place of the set that has the character, plus 1; 0: none
	spans []span      // the ranges from U+0080 on, sorted
	all   []span      // all ranges, sorted
}

type span struct {
	lo, hi rune
	place  uint16 // of its set, plus 1
}

// A state is what reading needs of a term: its live derivatives.
type state struct {
	part *partition
	to   []int32
}

// partition returns the shared partition of the sets of the arcs.
func (a *arena) partition(arcs []arc) *partition {
	key := make([]byte, 0, 4*len(arcs))
	for _, c := range arcs {
		key = binary.LittleEndian.AppendUint32(key, uint32(c.set.id))
	}
	if p := a.parts[string(key)]; p != nil {
		return p
	}
	p := &partition{}
	for i, c := range arcs {
		for j := 0; j < len(c.set.runes); j += 2 {
			s := span{c.set.runes[j], c.set.runes[j+1], uint16(i + 1)}
			p.all = append(p.all, s)
			for r := s.lo; r <= min(s.hi, 127); r++ {
				p.ascii[r] = s.place
			}
			if s.lo = max(s.lo, 128); s.lo <= s.hi {
				p.spans = append(p.spans, s)
			}
		}
	}
	byLo := func(x, y span) int { return int(x.lo) - int(y.lo) }
	slices.SortFunc(p.all, byLo)
	slices.SortFunc(p.spans, byLo)
	a.used += 400 + 24*len(p.all)
	a.parts[string(key)] = p
	return p
}

func (p *partition) find(r rune) uint16 {
	if uint32(r) < 128 {
		return p.ascii[r]
	}
	i := sort.Search(len(p.spans), func(i int) bool { return p.spans[i].hi >= r })
	if i < len(p.spans) && p.spans[i].lo <= r {
		return p.spans[i].place
	}
	return 0
}

// explored returns the live derivatives of a state, nil past the limit of memory.
func (a *arena) explored(n *node) *state {
	if n.state != nil || a.closed && n.op != opSwitch {
		return n.state
	}
	before := a.refused
	arcs := a.derive(n)
	if !n.pure {
		live := make([]arc, 0, len(arcs))
		for _, c := range arcs {
			if a.cost(c.to) < infinite {
				live = append(live, c)
			}
		}
		arcs = live
	}
	if a.refused != before || !a.spend(64+4*len(arcs)) {
		return nil
	}
	s := &state{part: a.partition(arcs), to: make([]int32, len(arcs))}
	for i, c := range arcs {
		s.to[i] = c.to.id
	}
	n.state = s
	return s
}

// Start is the state before the first character, Dead if the language is empty.
func (l *Language) Start() int32 {
	if l.a.cost(l.root) >= infinite {
		return Dead
	}
	return l.root.id
}

// Next is the state behind one more character, Dead where no text of the language
// goes on so.
func (l *Language) Next(state int32, r rune) int32 {
	if state < 0 {
		return Dead
	}
	n := l.a.nodes[state]
	s := n.state
	if s == nil {
		if s = l.a.explored(n); s == nil {
			return l.ending(n, r)
		}
	}
	if i := s.part.find(r); i > 0 {
		return s.to[i-1]
	}
	return Dead
}

// ending is Next past the limit of memory: only the shortest rest is read on, as a
// word. States that end alike share the states of their words.
func (l *Language) ending(n *node, r rune) int32 {
	rest := l.a.appendShortest(nil, n, -1)
	if len(rest) == 0 || rest[0] != r {
		return Dead
	}
	if to := l.a.trie([][]rune{rest}, 1); to != l.a.none {
		return to.id
	}
	return Dead
}

// Accepting says whether the text may end in this state.
func (l *Language) Accepting(state int32) bool { return state >= 0 && l.a.nodes[state].nullable }

// Edges are the ways on from a state, sorted by character and disjoint.
func (l *Language) Edges(state int32) []Edge {
	if state < 0 {
		return nil
	}
	s := l.a.explored(l.a.nodes[state])
	if s == nil {
		return nil
	}
	edges := make([]Edge, 0, len(s.part.all))
	for _, p := range s.part.all {
		to := s.to[p.place-1]
		if n := len(edges); n > 0 && edges[n-1].To == to && edges[n-1].Hi+1 == p.lo {
			edges[n-1].Hi = p.hi
		} else {
			edges = append(edges, Edge{p.lo, p.hi, to})
		}
	}
	return edges
}

// Shortest is a rest with which the text may end: one of the fewest bytes in UTF-8,
// of plain characters where there is a choice. It is empty in an accepting state.
func (l *Language) Shortest(state int32) string {
	if state < 0 {
		return ""
	}
	return string(l.a.appendShortest(nil, l.a.nodes[state], -1))
}

// appendShortest appends the shortest text of a term, up to most characters in all
// (most < 0: no limit).
func (a *arena) appendShortest(dst []rune, n *node, most int) []rune {
	for !n.nullable && len(dst) != most {
		switch n.op {
		case opConcat:
			dst = a.appendShortest(dst, n.kids[0], most)
			n = n.kids[1]
		case opUnion:
			best := n.kids[0]
			for _, k := range n.kids[1:] {
				if a.cost(k) < a.cost(best) {
					best = k
				}
			}
			n = best
		case opRepeat:
			for i := int32(1); i < n.min && len(dst) != most; i++ {
				dst = a.appendShortest(dst, n.kids[0], most)
			}
			n = n.kids[0]
		default:
			best, ok := a.cheapest(n)
			if !ok {
				return dst
			}
			dst = append(dst, best.set.best)
			n = best.to
		}
	}
	return dst
}

// cheapest is the arc with which the shortest text begins.
func (a *arena) cheapest(n *node) (best arc, ok bool) {
	least := int32(infinite)
	for _, c := range a.derive(n) {
		if d := add(c.set.length, a.cost(c.to)); d < least {
			best, least, ok = c, d, true
		}
	}
	return best, ok
}
