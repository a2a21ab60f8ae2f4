package ngram

import (
	"math/bits"

	"github.com/foundling-lm/foundling/internal/parallel"
)

// key is a packed n-gram: the last symbol in the lowest bits.
type key struct {
	lo uint64
	hi uint32
}

// push appends symbol w to an n-gram and keeps its last n symbols.
func (c *counts) push(k key, w int32, n int) key {
	b := c.bits
	return key{k.lo<<b | uint64(uint32(w)), k.hi<<b | uint32(k.lo>>(64-b))}.suffix(uint(n) * b)
}

// suffix keeps the lowest width bits.
func (k key) suffix(width uint) key {
	if width < 64 {
		return key{lo: k.lo & (1<<width - 1)}
	}
	return key{k.lo, k.hi & uint32(1<<(width-64)-1)}
}

// prefix drops the last symbol, b bits wide.
func (k key) prefix(b uint) key {
	return key{k.lo>>b | uint64(k.hi)<<(64-b), k.hi >> b}
}

// padding is n pad symbols; the pad is the number after the last symbol.
func (c *counts) padding(n int) key {
	var k key
	for range n {
		k = c.push(k, int32(c.vocab), n)
	}
	return k
}

func (k key) hash() uint64 {
	hi, lo := bits.Mul64(k.lo^0x9E3779B97F4A7C15, 0xD1342543DE82EF95^uint64(k.hi)<<31)
	return hi ^ lo
}

// table maps n-grams to positive numbers: open addressing with linear probing.
type table struct {
	slots []slot
	used  int
}

type slot struct {
	key
	val uint32 // 0 is a free slot
}

// at returns the slot of k, free or used. There is always a free one.
func (t *table) at(k key, hash uint64) *slot {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if s := &t.slots[i]; s.val == 0 || s.key == k {
			return s
		}
	}
}

// get returns the value of k, 0 if it has none.
func (t *table) get(k key, hash uint64) uint32 {
	if t.used == 0 {
		return 0
	}
	return t.at(k, hash).val
}

// reserve makes room for one more n-gram: at most 3/4 of the slots are used.
func (t *table) reserve() {
	if 4*(t.used+1) <= 3*len(t.slots) {
		return
	}
	old := t.slots
	t.slots = make([]slot, max(64, 2*len(old)))
	for _, s := range old {
		if s.val != 0 {
			*t.at(s.key, s.hash()) = s
		}
	}
}

// shards is one table cut in parts by hash, so that threads can fill it
// together. Their number is fixed: it must not follow the number of threads.
type shards [1 << shardBits]table

const shardBits = 3

// shard is chosen by the highest bits of a hash, the place in it by the
// lowest.
func (s *shards) shard(hash uint64) *table { return &s[hash>>(64-shardBits)] }

func (s *shards) get(k key) uint32 {
	h := k.hash()
	return s.shard(h).get(k, h)
}

func (s *shards) all(yield func(key, uint32) bool) {
	for i := range s {
		for _, e := range s[i].slots {
			if e.val != 0 && !yield(e.key, e.val) {
				return
			}
		}
	}
}

// counter counts n-grams in batches: n-grams wait in a list per shard, and the
// lists go to their tables at the same time.
type counter struct {
	to      *shards
	pool    *parallel.Pool
	waiting [1 << shardBits][]slot // val is not used
	n       int
}

// batch is the n-grams that wait at most, 4 MB of them.
const batch = 1 << 18

func newCounter(to *shards, pool *parallel.Pool) *counter {
	c := &counter{to: to, pool: pool}
	for i := range c.waiting {
		c.waiting[i] = make([]slot, 0, batch>>shardBits*5/4)
	}
	return c
}

func (c *counter) add(k key) {
	i := k.hash() >> (64 - shardBits)
	c.waiting[i] = append(c.waiting[i], slot{key: k})
	if c.n++; c.n == batch {
		c.flush()
	}
}

func (c *counter) flush() {
	c.pool.Run(len(c.waiting), func(i, _ int) {
		t := &c.to[i]
		for _, w := range c.waiting[i] {
			t.reserve()
			s := t.at(w.key, w.hash())
			if s.val == 0 {
				s.key = w.key
				t.used++
			}
			s.val++
		}
		c.waiting[i] = c.waiting[i][:0]
	})
	c.n = 0
}
