package tokenizer

import (
	"math/bits"
	"slices"
)

// mergeRule says that tokens a and b, side by side, become token id. A lower
// rank is applied first.
type mergeRule struct {
	a, b, id int32
	rank     uint32
}

const noRank = ^uint32(0)

// mergeTable finds rules by pair: open addressing, linear probing, at most half
// full. It is read-only once built.
type mergeTable struct {
	slots []mergeSlot
	shift uint8 // 64 - log2(len(slots))
}

type mergeSlot struct {
	key      uint64 // pairKey + 1; 0 is an empty slot
	rank, id uint32
}

func pairKey(a, b int32) uint64 { return uint64(uint32(a))<<32 | uint64(uint32(b)) }

// hashPair spreads a pair over 64 bits, the high ones best.
func hashPair(key uint64) uint64 {
	hi, lo := bits.Mul64(key^0x9E3779B97F4A7C15, 0xA0761D6478BD642F)
	return hi ^ lo
}

// newMergeTable builds the table; of two rules for one pair the later counts,
// as in Hugging Face tokenizers.
func newMergeTable(rules []mergeRule) mergeTable {
	log := bits.Len(uint(2*len(rules) + 1))
	t := mergeTable{slots: make([]mergeSlot, 1<<log), shift: uint8(64 - log)}
	for _, r := range rules {
		key := pairKey(r.a, r.b) + 1
		i := hashPair(key) >> t.shift
		for t.slots[i].key != 0 && t.slots[i].key != key {
			i = (i + 1) & uint64(len(t.slots)-1)
		}
		t.slots[i] = mergeSlot{key, r.rank, uint32(r.id)}
	}
	return t
}

// find returns the rank and result of the pair's rule, or noRank.
func (t *mergeTable) find(a, b int32) (rank, id uint32) {
	key := pairKey(a, b) + 1
	i := hashPair(key) >> t.shift
	for {
		s := &t.slots[i&uint64(len(t.slots)-1)]
		if s.key == key {
			return s.rank, s.id
		}
		if s.key == 0 {
			return noRank, 0
		}
		i++
	}
}

// shortPiece is the number of symbols up to which a linear search for the best
// pair is faster than a heap.
const shortPiece = 96

// keepScratch is the number of symbols of the longest piece whose scratch memory
// is kept for the next one.
const keepScratch = 1 << 16

// merger is the scratch memory of the merge of one piece.
type merger struct {
	ids   []int32 // the symbols at the start
	rank  [shortPiece]uint32
	to    [shortPiece]uint32
	nodes []mergeNode
	heap  []uint64
}

// mergeNode is a token of a long piece in a doubly linked list.
type mergeNode struct {
	id, prev, next int32
	rank, to       uint32 // the rule of this token and the next one
}

// apply appends to dst what becomes of the symbols: the rule of lowest rank is
// applied until none is left, the leftmost first among equals. It overwrites
// symbols.
func (t *mergeTable) apply(dst, symbols []int32, m *merger) []int32 {
	if len(symbols) > shortPiece {
		return t.applyLong(dst, symbols, m)
	}
	n := len(symbols)
	ids, rank, to := symbols, m.rank[:n], m.to[:n]
	for i := 0; i+1 < n; i++ {
		rank[i], to[i] = t.find(ids[i], ids[i+1])
	}
	for n > 1 {
		best, at := noRank, 0
		for i, r := range rank[:n-1] {
			if r < best {
				best, at = r, i
			}
		}
		if best == noRank {
			break
		}
		ids[at] = int32(to[at])
		copy(ids[at+1:n-1], ids[at+2:n])
		copy(rank[at:n-2], rank[at+1:n-1])
		copy(to[at:n-2], to[at+1:n-1])
		n--
		if at+1 < n {
			rank[at], to[at] = t.find(ids[at], ids[at+1])
		}
		if at > 0 {
			rank[at-1], to[at-1] = t.find(ids[at-1], ids[at])
		}
	}
	return append(dst, ids[:n]...)
}

// applyLong is apply in O(n log n) time. A heap entry is rank<<32 | position;
// it counts only while the symbol there still has that rule.
func (t *mergeTable) applyLong(dst, symbols []int32, m *merger) []int32 {
	nodes := slices.Grow(m.nodes[:0], len(symbols))
	heap := slices.Grow(m.heap[:0], len(symbols))
	for i, id := range symbols {
		nodes = append(nodes, mergeNode{id: id, prev: int32(i - 1), next: int32(i + 1), rank: noRank})
	}
	nodes[len(nodes)-1].next = -1
	for i := range nodes[:len(nodes)-1] {
		if nodes[i].rank, nodes[i].to = t.find(nodes[i].id, nodes[i+1].id); nodes[i].rank != noRank {
			heap = append(heap, uint64(nodes[i].rank)<<32|uint64(i))
		}
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		siftDown(heap, i)
	}
	for len(heap) > 0 {
		top := heap[0]
		i := int32(uint32(top))
		node := &nodes[i]
		if node.rank != uint32(top>>32) {
			heap = popHeap(heap)
			continue
		}
		gone := node.next
		node.id, node.next = int32(node.to), nodes[gone].next
		nodes[gone].rank = noRank
		heap = popHeap(heap)
		if node.rank = noRank; node.next >= 0 {
			nodes[node.next].prev = i
			if node.rank, node.to = t.find(node.id, nodes[node.next].id); node.rank != noRank {
				heap = pushHeap(heap, uint64(node.rank)<<32|uint64(i))
			}
		}
		if node.prev >= 0 {
			left := &nodes[node.prev]
			if left.rank, left.to = t.find(left.id, node.id); left.rank != noRank {
				heap = pushHeap(heap, uint64(left.rank)<<32|uint64(node.prev))
			}
		}
	}
	for i := int32(0); i >= 0; i = nodes[i].next {
		dst = append(dst, nodes[i].id)
	}
	m.nodes, m.heap = nodes, heap
	if len(symbols) > keepScratch {
		m.nodes, m.heap = nil, nil
	}
	return dst
}

// The three functions below are a binary heap with the smallest entry first.

func siftDown(h []uint64, i int) {
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && h[c+1] < h[c] {
			c++
		}
		if h[i] <= h[c] {
			return
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}

func popHeap(h []uint64) []uint64 {
	last := len(h) - 1
	h[0] = h[last]
	h = h[:last]
	siftDown(h, 0)
	return h
}

func pushHeap(h []uint64, x uint64) []uint64 {
	h = append(h, x)
	for i := len(h) - 1; i > 0; {
		p := (i - 1) / 2
		if h[p] <= h[i] {
			break
		}
		h[p], h[i] = h[i], h[p]
		i = p
	}
	return h
}
