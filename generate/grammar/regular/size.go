package regular

import "fmt"

// CanEnd says whether some rest has between lo and hi characters, both included; hi <
// 0 is no bound. It is exact. Where that would take too much work, it is false and Err
// says so.
func (l *Language) CanEnd(state int32, lo, hi int) bool {
	if state < 0 {
		return false
	}
	n := l.a.nodes[state]
	if s := l.a.lengths(n); s != nil {
		return s.meets(lo, hi)
	}
	found, ok := l.a.reaches(n, lo, hi)
	if !ok {
		l.a.tooLong()
	}
	return found
}

// tooLong notes that lengths could not be found.
func (a *arena) tooLong() {
	if a.err == nil {
		a.err = fmt.Errorf("%s: the lengths of its texts take too much work: give it a simpler or a shorter form", a.label())
	}
}

// lengths is the set of the lengths of the texts of a term, in characters, nil where
// it would take too much work.
func (a *arena) lengths(n *node) *lengths {
	if n.size != nil {
		return n.size
	}
	if n.unsized {
		return nil
	}
	var s *lengths
	if n.op == opInter || n.op == opNot {
		s = a.chainLengths(n)
	} else {
		s = a.partLengths(n)
	}
	if s == nil {
		n.unsized = true
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
	maxWork  = 1 << 14 // states, counted once a character
	maxReach = 1 << 18 // the same, where only some lengths are asked for
)

// chainLengths walks over the states that can be reached by 0, 1, 2, ... characters,
// whatever they are, until such a set comes back. States whose lengths are known are
// taken out of it and counted at once; those that leave a set which comes back leave it
// in each round.
func (a *arena) chainLengths(n *node) *lengths {
	level := []*node{n}
	seen := map[string]int{}
	var bits []bool      // by the number of characters: some state may end
	var known []*lengths // by the number of characters: of the states taken out there
	work := 0
	for depth := 0; len(level) > 0; depth++ {
		key := levelKey(level)
		if at, ok := seen[key]; ok {
			rounds := anyOf(known[at:]).plus(multiples(depth - at))
			return anyOf(known[:at]).or(rounds).or(cycled(bits, at, depth-at))
		}
		seen[key] = depth
		ends, out := false, noLengths
		var next []*node
		for _, q := range level {
			ends = ends || q.nullable
			for _, c := range a.derive(q) {
				switch {
				case a.cost(c.to) >= infinite:
				case c.to.unsized:
					return nil
				case c.to.pure || c.to.size != nil:
					out = out.or(a.lengths(c.to).plus(only(depth+1, depth+1)))
				default:
					next = append(next, c.to)
				}
			}
		}
		sortNodes(&next)
		bits, known = append(bits, ends), append(known, out)
		if work += len(level); work > maxWork || depth > maxChain || a.closed || out == nil {
			return nil
		}
		level = next
	}
	return anyOf(known).or(cycled(append(bits, false), len(bits), 1))
}

// reaches is CanEnd for terms whose lengths were not found: a search for one text of
// such a length, depth first. It is not ok past its bound of work.
func (a *arena) reaches(n *node, lo, hi int) (found, ok bool) {
	type visit struct {
		n    *node
		read int
	}
	stack := []visit{{n, 0}}
	seen := map[visit]bool{}
	for work := 0; len(stack) > 0; work++ {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if hi >= 0 && v.read > hi || seen[v] {
			continue
		}
		seen[v] = true
		most := -1
		if hi >= 0 {
			most = hi - v.read
		}
		may, sure := a.mayEnd(v.n, max(lo-v.read, 0), most)
		switch {
		case !may:
			continue
		case sure, v.n.nullable && v.read >= lo, hi < 0 && v.read >= lo: // every state is live
			return true, true
		case work > maxReach || a.closed:
			return false, false
		}
		for _, c := range a.derive(v.n) {
			if a.cost(c.to) < infinite {
				stack = append(stack, visit{c.to, v.read + 1})
			}
		}
	}
	return false, !a.closed
}

// mayEnd judges by what is known of the parts of a term whether it has a text of lo to
// hi characters; sure says that it has.
func (a *arena) mayEnd(n *node, lo, hi int) (may, sure bool) {
	if n.pure || n.size != nil {
		if s := a.lengths(n); s != nil {
			may = s.meets(lo, hi)
			return may, may
		}
	}
	switch n.op {
	case opInter:
		for _, k := range n.kids {
			if may, _ := a.mayEnd(k, lo, hi); !may {
				return false, false
			}
		}
	case opUnion:
		for _, k := range n.kids {
			m, s := a.mayEnd(k, lo, hi)
			may, sure = may || m, sure || s
		}
		return may, sure
	}
	return true, false
}

func levelKey(level []*node) string {
	key := make([]byte, 0, 4*len(level))
	for _, n := range level {
		key = append(key, byte(n.id), byte(n.id>>8), byte(n.id>>16), byte(n.id>>24))
	}
	return string(key)
}
