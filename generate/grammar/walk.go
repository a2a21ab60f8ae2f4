package grammar

import (
	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// walk calls visit for the tokens of t that lead from s to a live state, with the
// ids of a token and that state. Of tokens of at most over ordinary characters it
// leaves out those that have nothing else; over of -1 leaves out none. A byte that
// the language refuses ends a whole subtree.
func walk(t *trie, stack []machine.State, s machine.State, over int, visit func(ids []int32, behind machine.State)) {
	stack[0] = s
	nodes := t.nodes
	for i := int32(1); i < int32(len(nodes)-1); {
		n := &nodes[i]
		if over >= int(n.runes) && !n.rest {
			i = n.end
			continue
		}
		behind := stack[n.depth-1].Next(n.b)
		if behind == nil {
			i = n.end
			continue
		}
		i++
		if ids := t.ids[n.first:nodes[i].first]; len(ids) > 0 {
			visit(ids, behind)
		}
		stack[n.depth] = behind
	}
}

// scan finds the ids that may follow a state.
type scan struct {
	g     *Grammar
	limit int  // tokens that may finish the text behind an id, its end included; noLimit: any number
	ahead bool // find worst

	words []uint64 // ids found in bulk; nil: none
	ids   []int32  // ids found one by one
	// worst is a number of tokens that finish the text behind any id found without
	// a limit, the end token included: exact with a limit, else a bound.
	worst int

	last machine.State // judged last, with the verdict
	ok   bool
}

// noLimit is the limit of a scan that knows no budget.
const noLimit = -1

// run scans the tokens from s.
func (c *scan) run(s machine.State) {
	g := c.g
	if behind, ok := afterRune(s); ok {
		c.uniform(s, behind)
		return
	}
	over := -1
	if f, ok := s.(machine.Free); ok && c.limit == noLimit && !g.v.lacks {
		if n := min(f.FreeRunes(), maxBulk); n > 0 {
			over = n
			c.words = append(c.words, g.v.bulk[min(n, len(g.v.bulk)-1)]...)
			if c.ahead {
				c.free(s, n)
			}
		}
	}
	walk(g.v.all, g.stack, s, over, c.take)
}

// take judges the state behind a token.
func (c *scan) take(ids []int32, behind machine.State) {
	if c.judge(behind) {
		c.ids = append(c.ids, ids...)
	}
}

func (c *scan) judge(behind machine.State) bool {
	if behind == c.last {
		return c.ok
	}
	c.last = behind
	switch {
	case c.limit != noLimit || c.g.v.lacks:
		cost := c.g.cost(behind)
		c.ok = cost < never && (c.limit == noLimit || cost <= c.limit)
		if cost < never {
			c.worst = max(c.worst, cost)
		}
	case c.ahead: // a token has a byte at least
		c.worst, c.ok = max(c.worst, shortestLen(behind)+1), true
	default:
		c.ok = true
	}
	return c.ok
}

// shortestLen is the length of the shortest rest.
func shortestLen(s machine.State) int {
	if m, ok := s.(machine.Measured); ok {
		return m.ShortestLen()
	}
	return len(s.Shortest())
}

// afterRune is the state behind any ordinary character; ok is false where there is no
// such state.
func afterRune(s machine.State) (behind machine.State, ok bool) {
	if u, is := s.(machine.Uniform); is {
		return u.AfterRune()
	}
	return nil, false
}

// uniform scans from a state in which characters only count: tokens of ordinary
// characters in bulk, the others by their tails. Next is the state behind one.
func (c *scan) uniform(s, next machine.State) {
	v, stack := c.g.v, c.g.stack
	most := max(len(v.bulk), len(v.tails)) - 1
	from := -1 // of the numbers of characters whose tokens are allowed and not yet added
	here, ok := s, true
	for k := 0; k <= most; k++ { // here is the state behind k characters
		kept := c.judge(here)
		if kept && from < 0 {
			from = k
		} else if !kept && from >= 0 {
			c.add(from, k-1)
			from = -1
		}
		if next == here && ok { // and behind more
			if kept {
				c.add(from, most)
			}
			switch k {
			case 0:
				walk(v.tail, stack, here, -1, c.take)
			case 1:
				walk(v.later, stack, here, -1, c.take)
			default:
				for ; k < len(v.tails); k++ {
					c.tail(k, here)
				}
			}
			c.long(s, maxBulk)
			return
		}
		c.tail(k, here)
		if !ok || next == nil {
			if from >= 0 {
				c.add(from, k)
			}
			if !ok || k > maxBulk {
				c.long(s, min(k, maxBulk))
			}
			return
		}
		here = next
		next, ok = afterRune(here)
	}
	if from >= 0 {
		c.add(from, most)
	}
	c.long(s, maxBulk)
}

// tail scans the tokens of k ordinary characters and more from the state behind them.
func (c *scan) tail(k int, behind machine.State) {
	if tails := c.g.v.tails; k < len(tails) && tails[k] != nil {
		walk(tails[k], c.g.stack, behind, -1, c.take)
	}
}

// add adds the tokens of from to to ordinary characters.
func (c *scan) add(from, to int) {
	bulk := c.g.v.bulk
	from, to = max(from, 1), min(to, len(bulk)-1)
	if from > to {
		return
	}
	if c.words == nil {
		c.words = make([]uint64, c.g.v.words)
	}
	upTo, before := bulk[to], bulk[from-1]
	for i := range c.words {
		c.words[i] |= upTo[i] &^ before[i]
	}
}

// long scans the tokens that begin with more than so many ordinary characters, where
// there are any.
func (c *scan) long(s machine.State, than int) {
	if int(c.g.v.all.nodes[0].runes) > than {
		walk(c.g.v.all, c.g.stack, s, than, c.take)
	}
}

// free bounds worst over the tokens of up to n ordinary characters, which run takes
// in bulk: it walks them, and leaves out the subtrees behind uniform states.
func (c *scan) free(s machine.State, n int) {
	t, stack := c.g.v.all, c.g.stack
	stack[0] = s
	for i := int32(1); i < int32(len(t.nodes)-1); {
		x := &t.nodes[i]
		behind := stack[x.depth-1].Next(x.b)
		if behind == nil || x.runes == 0 {
			i = x.end
			continue
		}
		i++
		c.judge(behind)
		stack[x.depth] = behind
		if x.end == i || !c.even(behind, min(n, int(x.runes))) {
			continue
		}
		i = x.end
	}
}

// even judges the states behind up to n ordinary characters, if there is one for each
// number of them.
func (c *scan) even(s machine.State, n int) bool {
	for range n {
		next, ok := afterRune(s)
		if !ok {
			return false
		}
		if next == nil || next == s {
			break
		}
		c.judge(next)
		s = next
	}
	return true
}
