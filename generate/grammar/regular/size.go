package regular

import "fmt"

// CanEnd says whether some rest has between lo and hi characters, both included; hi <
// 0 is no bound. It is exact. Where the set of lengths would take too much work, it is
// false and Err says so.
func (l *Language) CanEnd(state int32, lo, hi int) bool {
	if state < 0 {
		return false
	}
	s := l.a.lengths(l.a.nodes[state])
	return s != nil && s.meets(lo, hi)
}

// lengths is the set of the lengths of the texts of a term, in characters, nil past
// the limits.
func (a *arena) lengths(n *node) *lengths {
	if n.size != nil {
		return n.size
	}
	var s *lengths
	if n.op == opInter || n.op == opNot {
		s = a.chainLengths(n)
	} else {
		s = a.partLengths(n)
	}
	if s == nil {
		if a.err == nil {
			a.err = fmt.Errorf("%s: the lengths of its texts are too many to list: give it a simpler or a shorter form", a.label())
		}
		return nil
	}
	n.size = s
	a.used += 64 + 16*len(s.spans) + len(s.cycle)
	return s
}

func (a *arena) partLengths(n *node) *lengths {
	switch n.op {
	case opSwitch:
		s := noLengths
		if n.eps {
			s = only(0, 0)
		}
		for _, c := range n.cases {
			s = s.or(a.lengths(c.to).plus(only(1, 1)))
		}
		return s
	case opConcat:
		return a.lengths(n.kids[0]).plus(a.lengths(n.kids[1]))
	case opUnion:
		s := noLengths
		for _, k := range n.kids {
			s = s.or(a.lengths(k))
		}
		return s
	default:
		return a.lengths(n.kids[0]).times(int(n.min), int(n.max))
	}
}

// Bounds of the walk of chainLengths.
const (
	maxChain = 1 << 16 // characters
	maxWork  = 1 << 21 // states, counted once a character
)

// chainLengths walks over the states that can be reached by 0, 1, 2, ... characters,
// whatever they are, until such a set comes back. States whose lengths are known are
// taken out of it and counted at once.
func (a *arena) chainLengths(n *node) *lengths {
	level := []*node{n}
	seen := map[string]int{}
	var bits []bool // by the number of characters: some state may end
	known := noLengths
	work := 0
	for depth := 0; len(level) > 0; depth++ {
		key := levelKey(level)
		if at, ok := seen[key]; ok {
			return known.or(cycled(bits, at, depth-at))
		}
		seen[key] = depth
		ends := false
		var next []*node
		for _, q := range level {
			ends = ends || q.nullable
			for _, c := range a.derive(q) {
				switch {
				case a.cost(c.to) >= infinite:
				case c.to.pure || c.to.size != nil:
					known = known.or(a.lengths(c.to).plus(only(depth+1, depth+1)))
				default:
					next = append(next, c.to)
				}
			}
		}
		sortNodes(&next)
		bits = append(bits, ends)
		if work += len(level); work > maxWork || depth > maxChain || a.err != nil || known == nil {
			return nil
		}
		level = next
	}
	return known.or(cycled(append(bits, false), len(bits), 1))
}

func levelKey(level []*node) string {
	key := make([]byte, 0, 4*len(level))
	for _, n := range level {
		key = append(key, byte(n.id), byte(n.id>>8), byte(n.id>>16), byte(n.id>>24))
	}
	return string(key)
}
