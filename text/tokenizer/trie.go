package tokenizer

import (
	"cmp"
	"slices"
)

// trie finds the keys that begin at a place of a text. It is a double array
// (Aoe 1989): the child of node n by byte b is node base[n]+b if that node's
// parent is n. Read-only once built.
type trie struct {
	nodes []trieNode
}

type trieNode struct {
	base   int32 // where the children lie
	parent int32 // -1 is an empty place
	value  int32 // -1 where no key ends
}

// trieKey is a key with its value, which is not negative.
type trieKey struct {
	key   string
	value int32
}

// newTrie builds a trie. Of equal keys the first counts; empty ones are left
// out.
func newTrie(keys []trieKey) *trie {
	keys = slices.Clone(keys)
	slices.SortStableFunc(keys, func(a, b trieKey) int { return cmp.Compare(a.key, b.key) })
	t := &trie{nodes: []trieNode{{value: -1}}}
	b := trieBuilder{t: t}
	b.reserve(1)
	b.node(0, keys, 0)
	t.nodes = slices.Clip(t.nodes)
	return t
}

// step returns the child of a node, or -1.
func (t *trie) step(node int32, b byte) int32 {
	next := t.nodes[node].base + int32(b)
	if uint(next) < uint(len(t.nodes)) && t.nodes[next].parent == node && next != 0 {
		return next
	}
	return -1
}

// longest returns the length and value of the longest key at s[i], or 0, -1.
func (t *trie) longest(s string, i int) (n int, value int32) {
	value = -1
	node := int32(0)
	for j := i; j < len(s); j++ {
		if node = t.step(node, s[j]); node < 0 {
			break
		}
		if v := t.nodes[node].value; v >= 0 {
			n, value = j+1-i, v
		}
	}
	return n, value
}

// trieBuilder places the children of each node at the first free places that
// fit. first is below all free places that are worth a try: it moves on when a
// search from it was long, so that building stays nearly linear.
type trieBuilder struct {
	t     *trie
	first int32
}

// reserve makes room for n nodes more behind the last.
func (b *trieBuilder) reserve(n int) {
	for range n {
		b.t.nodes = append(b.t.nodes, trieNode{parent: -1, value: -1})
	}
}

// node places the children of node n, which stands for the first depth bytes of
// all keys.
func (b *trieBuilder) node(n int32, keys []trieKey, depth int) {
	for len(keys) > 0 && len(keys[0].key) == depth {
		if depth > 0 && b.t.nodes[n].value < 0 {
			b.t.nodes[n].value = keys[0].value
		}
		keys = keys[1:]
	}
	if len(keys) == 0 {
		return
	}
	var labels []byte
	var ends []int
	for i := range keys {
		if c := keys[i].key[depth]; i == 0 || c != labels[len(labels)-1] {
			labels, ends = append(labels, c), append(ends, i)
		}
	}
	ends = append(ends[1:], len(keys))
	base := b.place(labels)
	b.t.nodes[n].base = base
	for _, c := range labels {
		b.t.nodes[base+int32(c)].parent = n
	}
	from := 0
	for i, c := range labels {
		b.node(base+int32(c), keys[from:ends[i]], depth+1)
		from = ends[i]
	}
}

// longSearch is how many occupied places a search may meet before the next
// searches begin behind it.
const longSearch = 64

// place finds a base where the places of all labels are free.
func (b *trieBuilder) place(labels []byte) int32 {
	low := int32(labels[0])
	met := 0
	for at := max(b.first, low+1, 1); ; at++ { // base is at least 1
		for int(at-low)+256 >= len(b.t.nodes) {
			b.reserve(256)
		}
		if b.t.nodes[at].parent >= 0 {
			met++
			continue
		}
		base := at - low
		if b.free(base, labels[1:]) {
			if met > longSearch {
				b.first = at
			}
			return base
		}
		met++
	}
}

func (b *trieBuilder) free(base int32, labels []byte) bool {
	for _, c := range labels {
		if b.t.nodes[base+int32(c)].parent >= 0 {
			return false
		}
	}
	return true
}
