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
	if u, ok := s.(machine.Uniform); ok && u.AfterRunes(0) != nil {
		c.uniform(u)
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
		c.worst, c.ok = max(c.worst, len(behind.Shortest())+1), true
	default:
		c.ok = true
	}
	return c.ok
}

// uniform scans from a state in which characters only count: tokens of ordinary
// characters in bulk, the others by their tails.
func (c *scan) uniform(u machine.Uniform) {
	v := c.g.v
	if u.AfterRunes(1) == machine.State(u) { // and so behind any number
		if c.judge(u) {
			c.words = append(c.words, v.bulk[len(v.bulk)-1]...)
		}
		walk(v.tail, c.g.stack, u, -1, c.take)
		c.long(u)
		return
	}
	from := 1 // of the characters whose tokens are allowed and not yet added
	for k := 0; k < max(len(v.bulk), len(v.tails)); k++ {
		behind := u.AfterRunes(k)
		if k > 0 && (behind == nil || !c.judge(behind)) {
			c.add(from, k-1)
			from = k + 1
		}
		if behind == nil {
			if k > maxBulk {
				c.long(u)
			}
			return
		}
		if k < len(v.tails) && v.tails[k] != nil {
			walk(v.tails[k], c.g.stack, behind, -1, c.take)
		}
	}
	c.add(from, len(v.bulk)-1)
	c.long(u)
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

// long scans for the tokens that are too long for bulk, where there are any.
func (c *scan) long(s machine.State) {
	if int(c.g.v.all.nodes[0].runes) > maxBulk {
		walk(c.g.v.all, c.g.stack, s, maxBulk, c.take)
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
		u, ok := behind.(machine.Uniform)
		if !ok || x.end == i || u.AfterRunes(0) == nil {
			continue
		}
		i = x.end
		for k := 1; k <= min(n, int(x.runes)); k++ {
			next := u.AfterRunes(k)
			if next == nil || next == behind {
				break
			}
			c.judge(next)
		}
	}
}
