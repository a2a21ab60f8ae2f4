package tokenizer

import (
	"fmt"
	"math"
	"slices"
)

// learner is the state of BPE training. All pieces lie one after the other in
// symbols; a merge writes the new token over the left symbol and unlinks the
// right one. Each pair knows where it occurs, so a step costs in proportion to
// the occurrences of one pair.
type learner struct {
	tokens []string // bytes by id
	byText map[string]int32
	rules  []mergeRule

	symbols []symbol
	pieces  *pieceCounts
	index   map[uint64]int32 // pairKey -> place in pairs
	pairs   []pair
	heap    []candidate
	changed []int32 // pairs that gained occurrences in this step
}

// symbol is one token of a piece. Prev and next are -1 at the ends.
type symbol struct {
	id, piece, prev, next int32
}

// pair is two neighbouring tokens.
type pair struct {
	a, b    int32
	queued  bool    // in changed
	merged  bool    // has a rule
	count   int64   // occurrences in the text
	symbols []int32 // where the left token was when it was found; some are gone
}

// candidate is a pair with its count when it was pushed. The count of a pair
// may since have fallen; when it rises the pair is pushed again.
type candidate struct {
	count int64
	pair  int32
}

func newLearner(pieces *pieceCounts) (*learner, error) {
	l := &learner{pieces: pieces, byText: map[string]int32{}, index: map[uint64]int32{}}
	for b := range 256 {
		l.tokens = append(l.tokens, string([]byte{byte(b)}))
		l.byText[l.tokens[b]] = int32(b)
	}
	total := 0
	for _, p := range pieces.pieces {
		total += len(p)
	}
	if total > math.MaxInt32-1 {
		return nil, fmt.Errorf("tokenizer training: %d bytes of different pieces are too many: set a byte limit of 1 GiB or less", total)
	}
	l.symbols = make([]symbol, 0, total)
	for w, p := range pieces.pieces {
		first := len(l.symbols)
		for i := range len(p) {
			at := int32(first + i)
			l.symbols = append(l.symbols, symbol{int32(p[i]), int32(w), at - 1, at + 1})
		}
		l.symbols[first].prev = -1
		l.symbols[len(l.symbols)-1].next = -1
	}
	l.countPairs()
	for i := range l.pairs {
		l.heap = append(l.heap, candidate{l.pairs[i].count, int32(i)})
	}
	for i := len(l.heap)/2 - 1; i >= 0; i-- {
		l.down(i)
	}
	return l, nil
}

// countPairs fills pairs from symbols, once to count and once to list.
func (l *learner) countPairs() {
	var direct [1 << 16]int32 // pair of bytes -> occurrences
	for i := range l.symbols {
		if s := &l.symbols[i]; s.next >= 0 {
			direct[s.id<<8|l.symbols[s.next].id]++
		}
	}
	for key, n := range direct {
		if n > 0 {
			p := l.pairOf(int32(key>>8), int32(key&255))
			l.pairs[p].symbols = make([]int32, 0, n)
			direct[key] = p
		}
	}
	for i := range l.symbols {
		if s := &l.symbols[i]; s.next >= 0 {
			p := &l.pairs[direct[s.id<<8|l.symbols[s.next].id]]
			p.symbols = append(p.symbols, int32(i))
			p.count += l.pieces.counts[s.piece]
		}
	}
}

// pairOf returns the place of a pair in pairs, a new one if need be.
func (l *learner) pairOf(a, b int32) int32 {
	key := pairKey(a, b)
	at, ok := l.index[key]
	if !ok {
		at = int32(len(l.pairs))
		l.index[key] = at
		l.pairs = append(l.pairs, pair{a: a, b: b})
	}
	return at
}

// step merges the best pair; false means that none occurs often enough.
func (l *learner) step(minFrequency int64) bool {
	var p *pair
	for {
		if len(l.heap) == 0 {
			return false
		}
		top := &l.heap[0]
		p = &l.pairs[top.pair]
		if top.count == p.count {
			break
		}
		if top.count = p.count; p.count == 0 {
			l.pop()
		} else {
			l.down(0)
		}
	}
	if p.count < minFrequency || p.count <= 0 {
		return false
	}
	l.pop()
	l.apply(p)
	return true
}

// apply makes a token of the pair and rewrites its occurrences.
func (l *learner) apply(p *pair) {
	a, b, where := p.a, p.b, p.symbols
	p.symbols, p.count = nil, 0
	text := l.tokens[a] + l.tokens[b]
	id, known := l.byText[text] // two pairs may spell one token
	if !known {
		id = int32(len(l.tokens))
		l.tokens = append(l.tokens, text)
		l.byText[text] = id
	}
	if !p.merged { // else it came back: a later merge spelt a or b anew
		p.merged = true
		l.rules = append(l.rules, mergeRule{a, b, id, uint32(len(l.rules))})
	}
	if a == b {
		slices.Sort(where) // runs are paired from the left
	}
	for _, at := range where {
		s := &l.symbols[at]
		if s.id != a || s.next < 0 || l.symbols[s.next].id != b {
			continue
		}
		right := &l.symbols[s.next]
		weight := l.pieces.counts[s.piece]
		if s.prev >= 0 {
			left := l.symbols[s.prev].id
			l.lose(left, a, weight)
			l.gain(left, id, weight, s.prev)
		}
		if right.next >= 0 {
			after := l.symbols[right.next].id
			l.lose(b, after, weight)
			l.gain(id, after, weight, at)
			l.symbols[right.next].prev = at
		}
		s.id, s.next = id, right.next
		right.id = -1
	}
	// The overlapping occurrences of a run may have left a remainder.
	l.pairs[l.index[pairKey(a, b)]].count = 0
	for _, i := range l.changed {
		l.pairs[i].queued = false
		if l.pairs[i].count > 0 {
			l.push(candidate{l.pairs[i].count, i})
		}
	}
	l.changed = l.changed[:0]
}

func (l *learner) lose(a, b int32, weight int64) {
	if at, ok := l.index[pairKey(a, b)]; ok {
		l.pairs[at].count -= weight
	}
}

func (l *learner) gain(a, b int32, weight int64, symbol int32) {
	at := l.pairOf(a, b)
	p := &l.pairs[at]
	p.count += weight
	p.symbols = append(p.symbols, symbol)
	if !p.queued {
		p.queued = true
		l.changed = append(l.changed, at)
	}
}

// before says whether candidate x is merged before y.
func (l *learner) before(x, y candidate) bool {
	if x.count != y.count {
		return x.count > y.count
	}
	p, q := &l.pairs[x.pair], &l.pairs[y.pair]
	if p.a != q.a {
		return l.tokens[p.a] > l.tokens[q.a]
	}
	return l.tokens[p.b] > l.tokens[q.b]
}

func (l *learner) pop() {
	last := len(l.heap) - 1
	l.heap[0] = l.heap[last]
	l.heap = l.heap[:last]
	l.down(0)
}

func (l *learner) push(c candidate) {
	l.heap = append(l.heap, c)
	for i := len(l.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !l.before(l.heap[i], l.heap[up]) {
			break
		}
		l.heap[i], l.heap[up] = l.heap[up], l.heap[i]
		i = up
	}
}

func (l *learner) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(l.heap) {
			return
		}
		if c+1 < len(l.heap) && l.before(l.heap[c+1], l.heap[c]) {
			c++
		}
		if !l.before(l.heap[c], l.heap[i]) {
			return
		}
		l.heap[i], l.heap[c] = l.heap[c], l.heap[i]
		i = c
	}
}
