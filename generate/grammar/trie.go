package grammar

import (
	"bytes"
	"slices"
)

// trie is a set of byte strings, each with the ids that it stands for, laid out in
// preorder: the subtree of node i is nodes[i:nodes[i].end], its ids are
// ids[nodes[i].first:nodes[nodes[i].end].first]. Node 0 is the root; one node more
// than there are closes the list, so that the next node always exists.
type trie struct {
	nodes []node
	ids   []int32
	deep  int // of the deepest node

	// The children of node i are kids[from[i]:from[i+1]], by their bytes kidBytes.
	from     []int32
	kids     []int32
	kidBytes []byte
}

// node is 16 bytes, so that four lie in a cache line.
type node struct {
	end   int32  // the node behind the subtree
	first int32  // of ids: those of this node, then those of its subtree
	depth uint16 // bytes from the root
	b     byte   // the last of them
	runes uint8  // most ordinary characters that a string of the subtree begins with
	rest  bool   // some string of the subtree is not of ordinary characters only
	plain bool   // all strings of the subtree go on from here by ordinary characters only
}

// entry is a string of a trie.
type entry struct {
	text []byte
	id   int32
}

// newTrie sorts the entries. Texts are at most maxTokenBytes long and not empty.
func newTrie(entries []entry) *trie {
	slices.SortFunc(entries, func(a, b entry) int {
		if c := bytes.Compare(a.text, b.text); c != 0 {
			return c
		}
		return int(a.id) - int(b.id)
	})
	t := &trie{nodes: make([]node, 1, 2*len(entries)+2), ids: make([]int32, 0, len(entries))}
	path := []int32{0} // nodes from the root to the last one
	var last []byte
	var plain []bool
	for _, e := range entries {
		same := commonPrefix(last, e.text)
		for _, i := range path[same+1:] {
			t.nodes[i].end = int32(len(t.nodes))
		}
		path = path[:same+1]
		for d := same; d < len(e.text); d++ {
			path = append(path, int32(len(t.nodes)))
			t.nodes = append(t.nodes, node{first: int32(len(t.ids)), depth: uint16(d + 1), b: e.text[d], plain: true})
		}
		t.ids = append(t.ids, e.id)
		t.deep = max(t.deep, len(e.text))
		runes, at := ordinary(e.text)
		for _, i := range path {
			n := &t.nodes[i]
			n.runes = max(n.runes, uint8(min(runes, 255)))
			n.rest = n.rest || at < len(e.text)
		}
		plain = plainRests(e.text, plain)
		for d, i := range path {
			t.nodes[i].plain = t.nodes[i].plain && plain[d]
		}
		last = e.text
	}
	for _, i := range path {
		t.nodes[i].end = int32(len(t.nodes))
	}
	t.nodes = append(t.nodes, node{first: int32(len(t.ids))})
	for i := range t.nodes {
		t.from = append(t.from, int32(len(t.kids)))
		for c := int32(i + 1); c < t.nodes[i].end; c = t.nodes[c].end {
			t.kids, t.kidBytes = append(t.kids, c), append(t.kidBytes, t.nodes[c].b)
		}
	}
	return t
}

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// child is the node behind b from node i, or -1.
func (t *trie) child(i int32, b byte) int32 {
	from := t.from[i]
	if k := bytes.IndexByte(t.kidBytes[from:t.from[i+1]], b); k >= 0 {
		return t.kids[from+int32(k)]
	}
	return -1
}

// find is the node of a text, or -1.
func (t *trie) find(text []byte) int32 {
	i := int32(0)
	for _, b := range text {
		if i = t.child(i, b); i < 0 {
			return -1
		}
	}
	return i
}

// own are the ids of node i itself.
func (t *trie) own(i int32) []int32 { return t.ids[t.nodes[i].first:t.nodes[i+1].first] }

// extended says whether strings go on behind node i.
func (t *trie) extended(i int32) bool { return t.nodes[i].end > i+1 }
