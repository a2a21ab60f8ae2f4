package regular

import "container/heap"

// cost is the length in bytes of the shortest text of a term, infinite if it has
// none. For terms that are not pure this is a search through the derivatives, exact
// but for the limit of memory, where the answer is infinite and a.err is set.
func (a *arena) cost(n *node) int32 {
	if n.pure {
		return n.floor
	}
	if n.exact >= 0 {
		return n.exact
	}
	var c int32
	switch n.op {
	case opUnion:
		c = infinite
		for _, k := range n.kids {
			c = min(c, a.cost(k))
		}
	case opConcat:
		if c = a.cost(n.kids[1]); c < infinite {
			c = add(c, a.cost(n.kids[0]))
		}
	case opRepeat:
		if n.min > 0 {
			c = times(n.min, a.cost(n.kids[0]))
		}
	default:
		return a.search(n)
	}
	n.exact = c
	return c
}

// A step is one entry of the search: a term that can be reached by some bytes.
type step struct {
	n     *node
	bytes int32 // from the start
	bound int32 // bytes plus a lower bound of the rest
	order int   // among equals the first found
}

type steps []step

func (s steps) Len() int { return len(s) }
func (s steps) Less(i, j int) bool {
	return s[i].bound < s[j].bound || s[i].bound == s[j].bound && s[i].order < s[j].order
}
func (s steps) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *steps) Push(x any)   { *s = append(*s, x.(step)) }
func (s *steps) Pop() any {
	old := *s
	last := old[len(old)-1]
	*s = old[:len(old)-1]
	return last
}

// search finds the cost of an intersection or a complement. It goes by the lower
// bounds of the terms (A*: Hart, Nilsson & Raphael 1968) and ends at the first term
// whose cost is known. If there is none, all it has seen is empty.
func (a *arena) search(start *node) int32 {
	type seen struct {
		bytes int32
		from  *node
	}
	visited := map[*node]seen{start: {}}
	queue := &steps{{n: start, bound: start.floor}}
	order := 0
	reach := func(n, from *node, bytes int32) {
		rest := n.floor
		if n.exact >= 0 {
			rest = n.exact
		}
		if rest >= infinite {
			return
		}
		if old, ok := visited[n]; ok && old.bytes <= bytes {
			return
		}
		visited[n] = seen{bytes, from}
		order++
		heap.Push(queue, step{n, bytes, bytes + rest, order})
	}
	before := a.refused
	for queue.Len() > 0 {
		s := heap.Pop(queue).(step)
		n := s.n
		if s.bytes > visited[n].bytes {
			continue // it was reached in a shorter way since
		}
		if n.nullable || n.pure || n.exact >= 0 {
			total := s.bytes
			if !n.nullable {
				total += max(n.exact, 0)
				if n.pure {
					total = s.bytes + n.floor
				}
			}
			for ; n != nil; n = visited[n].from {
				n.exact = total - visited[n].bytes
			}
			return start.exact
		}
		if n.op == opUnion {
			for _, k := range n.kids {
				reach(k, n, s.bytes)
			}
			continue
		}
		for _, c := range a.derive(n) {
			reach(c.to, n, s.bytes+c.set.length)
		}
		if a.refused != before {
			return infinite
		}
	}
	for n := range visited {
		n.exact = infinite
	}
	return infinite
}
