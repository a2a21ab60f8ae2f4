package grammar

import (
	"math/bits"
	"slices"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// idSet is the ids that may follow a state, end tokens included. Only worst changes:
// it becomes smaller when more is known.
type idSet struct {
	words []uint64 // as bits, or nil
	few   []int32  // without words: the ids, or those that are not in it
	not   bool     // few are those that are not in it
	count int
	doubt []int32 // ids that only the state itself can judge, not its sketch, see scan
	worst int     // tokens that finish the text behind any of the ids
	// forced: the language refuses all, but the first step of the way to the end is left.
	forced bool
}

// manyIDs is the length from which a list is kept as bits.
const manyIDs = 512

// bytes is the memory of the set, about.
func (s *idSet) bytes() int { return 128 + 8*len(s.words) + 4*len(s.few) + 4*len(s.doubt) }

// put writes the set as bits into dst.
func (s *idSet) put(dst []uint64, size int) {
	if s.words != nil {
		copy(dst, s.words)
		return
	}
	if !s.not {
		clear(dst)
		for _, id := range s.few {
			set(dst, id)
		}
		return
	}
	for i := range dst {
		dst[i] = ^uint64(0)
	}
	if size&63 != 0 {
		dst[len(dst)-1] = 1<<(size&63) - 1
	}
	for _, id := range s.few {
		dst[id>>6] &^= 1 << (id & 63)
	}
}

// pack makes the smallest form of what a scan found.
func (c *scan) pack() *idSet {
	size := c.g.v.Size()
	if c.words == nil && len(c.ids) <= manyIDs {
		slices.Sort(c.ids)
		few := slices.Clone(slices.Compact(c.ids))
		return &idSet{few: few, count: len(few)}
	}
	words := c.words
	if words == nil {
		words = make([]uint64, c.g.v.words)
	}
	for _, id := range c.ids {
		set(words, id)
	}
	s := &idSet{words: words, count: countBits(words)}
	switch {
	case s.count <= manyIDs:
		s.few, s.words = listBits(words, 0, size), nil
	case size-s.count <= manyIDs:
		s.few, s.words, s.not = listBits(words, ^uint64(0), size), nil, true
	}
	return s
}

func countBits(words []uint64) (n int) {
	for _, w := range words {
		n += bits.OnesCount64(w)
	}
	return n
}

// listBits is the ids below size whose bits differ from those of flip.
func listBits(words []uint64, flip uint64, size int) (ids []int32) {
	for i, w := range words {
		for w ^= flip; w != 0; w &= w - 1 {
			if id := i<<6 + bits.TrailingZeros64(w); id < size {
				ids = append(ids, int32(id))
			}
		}
	}
	return ids
}

// setCache keeps the sets of states in two generations: when the young one is full,
// the old one is forgotten.
type setCache struct {
	young, old map[machine.State]*idSet
	bytes      int // of the young
	limit      int // of each
}

func (c *setCache) get(s machine.State) *idSet {
	if m := c.young[s]; m != nil {
		return m
	}
	m := c.old[s]
	if m != nil {
		c.keep(s, m)
	}
	return m
}

func (c *setCache) keep(s machine.State, m *idSet) {
	if c.young == nil || c.bytes+m.bytes() > c.limit && len(c.young) > 0 {
		c.old, c.young, c.bytes = c.young, map[machine.State]*idSet{}, 0
	}
	c.young[s] = m
	c.bytes += m.bytes()
}

// allowed is the set of a state, whatever the budget.
func (g *Grammar) allowed(s machine.State) *idSet {
	if m := g.sets.get(s); m != nil {
		return m
	}
	m := g.find(&scan{g: g, limit: noLimit}, s)
	g.sets.keep(s, m)
	return m
}

// find runs a scan and adds the end tokens. Where a language reached its own limits
// and refuses all, the way to the end is left: it never fails.
func (g *Grammar) find(c *scan, s machine.State) *idSet {
	c.ids = g.ids[:0]
	c.run(s)
	if s.Accepting() {
		c.ids = append(c.ids, g.v.end...)
	}
	m := c.pack()
	m.doubt = c.doubt
	g.ids = c.ids
	if m.count == 0 && len(m.doubt) == 0 {
		way := g.ending(s)
		m.few, m.count, m.forced = append(m.few, way[0]), 1, true
		c.worst = len(way) - 1
	}
	m.worst = c.worst
	return m
}
