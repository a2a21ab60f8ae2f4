package regular

import (
	"encoding/binary"

	"github.com/foundling-lm/foundling/generate/grammar/alphabet"
)

// A state is what reading needs of a term: its live derivatives.
type state struct {
	part *alphabet.Partition
	to   []int32
}

// partition returns the partition of the sets of the arcs. States with the same sets
// share it.
func (a *arena) partition(arcs []arc) *alphabet.Partition {
	key := make([]byte, 0, 4*len(arcs))
	for _, c := range arcs {
		key = binary.LittleEndian.AppendUint32(key, uint32(c.set.id))
	}
	if p := a.parts[string(key)]; p != nil {
		return p
	}
	var spans []alphabet.Span
	for i, c := range arcs {
		for j := 0; j < len(c.set.runes); j += 2 {
			spans = append(spans, alphabet.Span{Lo: c.set.runes[j], Hi: c.set.runes[j+1], Class: int32(i)})
		}
	}
	p := alphabet.New(spans)
	a.used += 400 + 12*len(spans)
	a.parts[string(key)] = p
	return p
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
	if l.a.lost || l.a.cost(l.root) >= infinite {
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
	if c := s.part.Find(r); c >= 0 {
		return s.to[c]
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
	spans := s.part.Spans()
	edges := make([]Edge, 0, len(spans))
	for _, p := range spans {
		to := s.to[p.Class]
		if n := len(edges); n > 0 && edges[n-1].To == to && edges[n-1].Hi+1 == p.Lo {
			edges[n-1].Hi = p.Hi
		} else {
			edges = append(edges, Edge{p.Lo, p.Hi, to})
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
