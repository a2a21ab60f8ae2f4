package tokenizer

import (
	"slices"
	"unicode/utf8"
)

// unigram finds the pieces whose scores add up to most (Kudo 2018, arXiv
// 1804.10959, section 3.2: the Viterbi path). Scores are log probabilities.
type unigram struct {
	trie     *trie
	scores   []float64 // by id
	unknown  float64   // score of a character that no piece is
	unkID    int32
	fallback fallback
	// single says that sums are kept in 32 bits, as SentencePiece does, which
	// decides between paths of nearly the same score.
	single bool
}

// Scores of what the model does not give, as in SentencePiece's
// unigram_model.cc: an unknown character costs more than any piece, a
// user-defined symbol wins against the pieces it consists of.
const (
	unknownPenalty   = 10
	userDefinedBonus = 0.1
)

// pathNode is the best path that ends at a place: its last piece and sum.
type pathNode struct {
	score float64
	start int32 // where the last piece begins; -1 without a path
	id    int32
}

// newUnigram makes the model of the pieces that text may become, "" for others.
// least is the lowest score of a normal piece.
func newUnigram(pieces []string, scores []float64, least float64, f fallback) *unigram {
	u := &unigram{scores: scores, unkID: f.unknown, fallback: f, unknown: least - unknownPenalty}
	var keys []trieKey
	for id, piece := range pieces {
		if piece != "" {
			keys = append(keys, trieKey{piece, int32(id)})
		}
	}
	u.trie = newTrie(keys)
	return u
}

// encode runs over the piece once; each place costs as many steps as the
// longest piece that begins there has bytes. Where no piece of the vocabulary
// goes across a place, all paths meet: what is before it is decided, and the
// memory of the paths is used anew.
func (u *unigram) encode(dst []int32, piece string, sc *scratch) []int32 {
	path := append(sc.path[:0], pathNode{start: -1})
	from := len(dst) // of this piece
	base, reach := 0, 0
	for i := 0; i < len(piece); {
		if i == reach && i > base {
			dst = u.backward(dst, from, path[:i-base+1], piece[base:i], sc)
			path = append(path[:0], pathNode{score: path[i-base].score, start: -1})
			base = i
		}
		var n, far int
		path, n, far = u.forward(path, piece, base, i)
		i, reach = i+n, max(reach, far)
	}
	if len(piece) > base {
		dst = u.backward(dst, from, path, piece[base:], sc)
	}
	if sc.path = path; cap(path) > keepScratch {
		sc.path = nil
	}
	return dst
}

// forward tries the pieces that begin at piece[i]. path[k] is the best path to
// the place base+k. It returns the path, which grows, the length of the
// character at i and the place that the longest piece reaches.
func (u *unigram) forward(path []pathNode, piece string, base, i int) (_ []pathNode, n, far int) {
	nodes := u.trie.nodes
	n = 1
	if piece[i] >= utf8.RuneSelf {
		_, n = utf8.DecodeRuneInString(piece[i:])
	}
	far = i + n
	for len(path) <= far-base {
		path = append(path, pathNode{start: -1})
	}
	here := path[i-base].score
	known := false
	node := int32(0)
	for j := i; j < len(piece); j++ {
		next := nodes[node].base + int32(piece[j])
		if uint(next) >= uint(len(nodes)) || nodes[next].parent != node || next == 0 {
			break
		}
		node = next
		id := nodes[node].value
		if id < 0 {
			continue
		}
		for far = max(far, j+1); len(path) <= far-base; {
			path = append(path, pathNode{start: -1})
		}
		known = known || j+1 == i+n
		u.improve(&path[j+1-base], here+u.scores[id], i-base, id)
	}
	if !known {
		sum := here + u.unknown
		if u.single {
			sum = float64(float32(sum))
		}
		u.improve(&path[i+n-base], sum, i-base, u.unkID)
	}
	return path, n, far
}

// improve replaces the path to a place where a piece that begins at start
// makes a better one.
func (u *unigram) improve(to *pathNode, sum float64, start int, id int32) {
	if to.start >= 0 && sum <= to.score {
		return
	}
	if u.single {
		sum = float64(float32(sum))
	}
	*to = pathNode{score: sum, start: int32(start), id: id}
}

// backward appends the ids of the best path to the end of the part of a piece
// whose ids begin at dst[from].
func (u *unigram) backward(dst []int32, from int, path []pathNode, part string, sc *scratch) []int32 {
	ends := sc.ids[:0]
	for end := len(part); end > 0; end = int(path[end].start) {
		ends = append(ends, int32(end))
	}
	for _, end := range slices.Backward(ends) {
		node := &path[end]
		if node.id != u.unkID {
			dst = append(dst, node.id)
			continue
		}
		dst = u.fallback.text(dst, from, part[node.start:end])
	}
	sc.ids = ends
	return dst
}
