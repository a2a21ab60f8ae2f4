package grammar

import (
	"slices"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// walk calls visit for the tokens of the subtree of a node of t, without its own, that
// lead from s to a live state, with the ids of tokens and that state. Of tokens of at
// most over ordinary characters it leaves out those that have nothing else; over of -1
// leaves out none. A byte that the language refuses ends a whole subtree. Where all that
// follows is ordinary characters and these lead nowhere else, it is taken whole, and so
// it is behind machine.Doubt.
func walk(t *trie, stack []machine.State, root int32, s machine.State, over int, visit func(ids []int32, behind machine.State)) {
	stack[0] = s
	nodes, from := t.nodes, t.nodes[root].depth
	for i, end := root+1, nodes[root].end; i < end; {
		n := &nodes[i]
		if over >= int(n.runes) && !n.rest {
			i = n.end
			continue
		}
		behind := stack[n.depth-from-1].Next(n.b)
		if behind == nil {
			i = n.end
			continue
		}
		i++
		if behind == machine.Doubt || n.plain && n.end > i && steady(behind) {
			i = n.end
		}
		if ids := t.ids[n.first:nodes[i].first]; len(ids) > 0 {
			visit(ids, behind)
		}
		stack[n.depth-from] = behind
	}
}

// scan finds the ids that may follow a state.
type scan struct {
	g     *Grammar
	limit int // tokens that may finish the text behind an id, its end included; noLimit: any number

	words []uint64 // ids found in bulk; nil: none
	ids   []int32  // ids found one by one
	doubt []int32  // ids that a sketch says nothing about, in the order of the trie
	// worst is a number of tokens that finish the text behind any id found, the end
	// token included.
	worst int

	by   *groups       // of uniform
	last machine.State // judged last, with the verdict
	ok   bool
}

// noLimit is the limit of a scan that knows no budget.
const noLimit = -1

// run scans the tokens from s.
func (c *scan) run(s machine.State) {
	g := c.g
	if behind, except, ok := afterRune(s); ok {
		switch {
		case except.None():
			c.uniform(s, behind)
			return
		case behind == nil && c.around(s, except):
			return
		case behind == nil || steady(behind):
			if behind != nil {
				c.begin(behind)
			}
			c.branch(0, s, behind, except)
			return
		}
	}
	over := -1
	if f, ok := s.(machine.Free); ok && c.limit == noLimit && !g.v.lacks {
		if n, bound := f.FreeRunes(); n > 0 {
			over, c.worst = min(n, maxBulk), bound+1
			c.words = append(c.words, g.v.strict.bulk[min(over, len(g.v.strict.bulk)-1)]...)
		}
	}
	walk(g.v.all, g.stack, 0, s, over, c.take)
}

// begin takes the ids that may follow a state, its end aside.
func (c *scan) begin(s machine.State) {
	g := c.g
	c.words = make([]uint64, g.v.words)
	if c.limit != noLimit {
		other := &scan{g: g, limit: c.limit}
		other.run(s)
		copy(c.words, other.words)
		for _, id := range other.ids {
			set(c.words, id)
		}
		c.worst, c.doubt = other.worst, other.doubt
		return
	}
	m := g.allowed(s)
	if m.forced {
		return
	}
	m.put(c.words, g.v.Size())
	for _, id := range g.v.end {
		unset(c.words, id)
	}
	c.worst, c.doubt = m.worst, slices.Clone(m.doubt)
}

// branch scans the tokens of the subtree of node i, without its own, from the state s
// at the node, given those that may follow d: all ordinary characters lead there, but
// for those that begin with bytes of except.
func (c *scan) branch(i int32, s, d machine.State, except machine.Bytes) {
	t := c.g.v.all
	for k := t.from[i]; k < t.from[i+1]; k++ {
		b := t.kidBytes[k]
		if b >= ' ' && b != '"' && b != '\\' && !except.Has(b) {
			continue
		}
		kid := t.kids[k]
		behind := s.Next(b)
		if behind != nil && behind == d {
			continue
		}
		n := &t.nodes[kid]
		var to machine.State
		var more machine.Bytes
		same := false // the rest of the subtree is as behind d, but for more
		if behind != nil && n.end > kid+1 {
			to, more, same = afterRune(behind)
			same = same && to == d
		}
		if end := kid + 1; c.words != nil {
			if !same {
				end = n.end
			}
			for _, id := range t.ids[n.first:t.nodes[end].first] {
				unset(c.words, id)
			}
		}
		switch {
		case behind == nil:
			continue
		case behind == machine.Doubt:
			c.take(t.ids[n.first:t.nodes[n.end].first], behind)
			continue
		}
		if own := t.own(kid); len(own) > 0 {
			c.take(own, behind)
		}
		if same {
			c.branch(kid, behind, d, more)
		} else {
			walk(t, c.g.stack, kid, behind, -1, c.take)
		}
	}
}

// take judges the state behind tokens.
func (c *scan) take(ids []int32, behind machine.State) {
	switch {
	case behind == machine.Doubt || c.unknown(behind):
		c.doubt = append(c.doubt, ids...)
	case c.judge(behind):
		c.ids = append(c.ids, ids...)
	}
}

// unknown says that only the states that a sketch stands for can be judged.
func (c *scan) unknown(behind machine.State) bool {
	if c.limit == noLimit && !c.g.v.lacks {
		return false
	}
	k, ok := behind.(machine.Sketched)
	return ok && !k.Exact() && (c.g.v.lacks || bound(behind) > c.limit)
}

func (c *scan) judge(behind machine.State) bool {
	if behind == c.last {
		return c.ok
	}
	c.last = behind
	cost := c.cost(behind)
	c.ok = cost < never && (c.limit == noLimit || cost <= c.limit)
	if cost < never {
		c.worst = max(c.worst, cost)
	}
	return c.ok
}

// cost is a number of tokens that finish the text from s, the end token included: the
// least, if it is above the limit.
func (c *scan) cost(s machine.State) int {
	if !c.g.v.lacks {
		if n := bound(s); c.limit == noLimit || n <= c.limit {
			return n
		}
		if n := c.g.bound(s); n <= c.limit {
			return n
		}
	}
	return c.g.cost(s)
}

// bound is bound, with the tokens of what is known to come instead of its bytes.
func (g *Grammar) bound(s machine.State) int {
	m, ok := s.(machine.Bounded)
	if !ok {
		return never
	}
	most := 0
	for _, t := range m.Tails() {
		most = max(most, t.Bytes+g.cost(t.Then))
	}
	if most == 0 {
		return never
	}
	return most
}

// bound is a number of tokens in which the text can be finished from s, if there is a
// token for each byte: a token has a byte at least, and one more ends the text.
func bound(s machine.State) int {
	if m, ok := s.(machine.Bounded); ok {
		return m.ShortestBound() + 1
	}
	return len(s.Shortest()) + 1
}

// afterRune is machine.Uniform's; ok is false where a state is none.
func afterRune(s machine.State) (behind machine.State, except machine.Bytes, ok bool) {
	if u, is := s.(machine.Uniform); is {
		return u.AfterRune()
	}
	return nil, machine.Bytes{}, false
}

// afterAny is the state behind any ordinary character; ok is false where there is no
// such state.
func afterAny(s machine.State) (behind machine.State, ok bool) {
	behind, except, ok := afterRune(s)
	return behind, ok && except.None()
}

// steady says whether every ordinary character leads to s itself.
func steady(s machine.State) bool {
	behind, ok := afterAny(s)
	return ok && behind == s
}

// uniform scans from a state in which characters only count: tokens of ordinary
// characters in bulk, the others by their tails. Next is the state behind one.
func (c *scan) uniform(s, next machine.State) {
	c.by = &c.g.v.strict
	if c.limit == noLimit && !c.g.v.lacks {
		c.by = &c.g.v.loose
		defer func() { c.worst += utf8.UTFMax - 1 }() // to end the character
	}
	stack := c.g.stack
	most := max(len(c.by.bulk), len(c.by.tails)) - 1
	from := -1 // of the numbers of characters whose tokens are allowed and not yet added
	here, ok := s, true
	for k := 0; k <= most; k++ { // here is the state behind k characters
		if c.unknown(here) {
			if from >= 0 {
				c.add(from, k-1)
			}
			c.doubtFrom(k)
			return
		}
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
				walk(c.by.tail, stack, 0, here, -1, c.take)
			case 1:
				walk(c.by.later, stack, 0, here, -1, c.take)
			default:
				for ; k < len(c.by.tails); k++ {
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
		next, ok = afterAny(here)
	}
	if from >= 0 {
		c.add(from, most)
	}
	c.long(s, maxBulk)
}

// doubtFrom adds all tokens of at least k ordinary characters to those in doubt.
func (c *scan) doubtFrom(k int) {
	for id, text := range c.g.v.text {
		if runes, _ := ordinary(text); len(text) > 0 && runes >= k {
			c.doubt = append(c.doubt, int32(id))
		}
	}
}

// tail scans the tokens of k ordinary characters and more from the state behind them.
func (c *scan) tail(k int, behind machine.State) {
	if tails := c.by.tails; k < len(tails) && tails[k] != nil {
		walk(tails[k], c.g.stack, 0, behind, -1, c.take)
	}
}

// add adds the tokens of from to to ordinary characters.
func (c *scan) add(from, to int) {
	bulk := c.by.bulk
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
// there are any, the beginning of one more counted.
func (c *scan) long(s machine.State, than int) {
	if int(c.g.v.all.nodes[0].runes) >= than {
		walk(c.g.v.all, c.g.stack, 0, s, than, c.take)
	}
}
