package cfg

import (
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

// recursion says of each rule whether it calls itself, through others perhaps.
func (g *Grammar) recursion() []bool {
	calls := make([][]int, len(g.rules))
	for i, r := range g.rules {
		r.body.each(func(e *expr) {
			if e.kind == isRef {
				calls[i] = append(calls[i], e.rule)
			}
		})
	}
	recursive := make([]bool, len(g.rules))
	for _, cycle := range cycles(calls) {
		for _, i := range cycle {
			recursive[i] = true
		}
	}
	return recursive
}

// cycles are the strongly connected components of a graph in which there is a cycle
// (Tarjan 1972, without recursion of the program).
func cycles(edges [][]int) (out [][]int) {
	n := len(edges)
	index, low := make([]int, n), make([]int, n) // 0: not seen
	onStack := make([]bool, n)
	var stack []int
	count := 0
	type call struct{ node, next int }
	for root := range n {
		if index[root] != 0 {
			continue
		}
		calls := []call{{root, 0}}
		for len(calls) > 0 {
			c := &calls[len(calls)-1]
			v := c.node
			if c.next == 0 {
				count++
				index[v], low[v] = count, count
				stack, onStack[v] = append(stack, v), true
			}
			if c.next < len(edges[v]) {
				w := edges[v][c.next]
				c.next++
				if index[w] == 0 {
					calls = append(calls, call{w, 0})
				} else if onStack[w] {
					low[v] = min(low[v], index[w])
				}
				continue
			}
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				u := calls[len(calls)-1].node
				low[u] = min(low[u], low[v])
			}
			if low[v] == index[v] {
				at := slices.Index(stack, v)
				part := slices.Clone(stack[at:])
				stack = stack[:at]
				for _, w := range part {
					onStack[w] = false
				}
				if len(part) > 1 || slices.Contains(edges[v], v) {
					slices.Sort(part)
					out = append(out, part)
				}
			}
		}
	}
	return out
}

// maxLeft is the number of rules that may begin with each other.
const maxLeft = 64

// A beginning is a mark at the beginning of a rule and what follows it.
type beginning struct {
	rule int
	then int32
}

// beginnings splits the texts of a term by their first symbol: those that begin with
// a mark, and the others.
func (c *compiler) beginnings(x int32, within []int) (marked []beginning, others int32) {
	part, to, ok := c.t.Classes(x)
	if !ok {
		return nil, c.t.None()
	}
	first := make([]rune, part.Classes())
	for _, s := range part.Spans() {
		first[s.Class] = s.Lo
	}
	others = c.t.None()
	for class, r := range first {
		if k := int(r - regular.MarkBase); k >= 0 && slices.Contains(within, k) {
			marked = append(marked, beginning{k, to[class]})
		} else {
			others = c.t.Union(others, c.t.From(part, class, to[class]))
		}
	}
	return marked, others
}

// unwind takes left recursion out of the bodies. Rules N that begin with each other
// are a linear system N = K + N A of languages: its least solution is K A*, found by
// elimination (Arden 1961).
func (c *compiler) unwind() error {
	calls := make([][]int, len(c.bodies))
	everything := make([]int, len(c.bodies))
	for i := range everything {
		everything[i] = i
	}
	for i, body := range c.bodies {
		part, _, ok := c.t.Classes(body)
		if !ok {
			return c.t.Err()
		}
		for _, s := range part.Spans() {
			if k := int(s.Lo - regular.MarkBase); k >= 0 {
				calls[i] = append(calls[i], k)
			}
		}
	}
	for _, group := range cycles(calls) {
		if len(group) > maxLeft {
			return fmt.Errorf("%v: %d rules begin with each other, this one among them: at most %d can", c.g.place(c.g.rules[group[0]].at), len(group), maxLeft)
		}
		c.solve(group)
	}
	return c.t.Err()
}

// solve solves the system of a group of rules.
func (c *compiler) solve(group []int) {
	t, n := c.t, len(group)
	k := make([]int32, n)   // the texts of rule i that begin with none of the group
	a := make([][]int32, n) // a[i][j]: what follows rule j at the beginning of rule i
	for i, rule := range group {
		a[i] = slices.Repeat([]int32{t.None()}, n)
		marked, others := c.beginnings(c.bodies[rule], group)
		k[i] = others
		for _, b := range marked {
			j := slices.Index(group, b.rule)
			a[i][j] = t.Union(a[i][j], b.then)
		}
	}
	for j := range n {
		loop := t.Repeat(a[j][j], 0, -1)
		a[j][j] = t.None()
		k[j] = t.Concat(k[j], loop)
		for l := range n {
			a[j][l] = t.Concat(a[j][l], loop)
		}
		for i := range n {
			x := a[i][j]
			if i == j || x == t.None() {
				continue
			}
			a[i][j] = t.None()
			k[i] = t.Union(k[i], t.Concat(k[j], x))
			for l := range n {
				a[i][l] = t.Union(a[i][l], t.Concat(a[j][l], x))
			}
		}
	}
	for i, rule := range group {
		c.bodies[rule] = k[i]
	}
}
