package corpus

import (
	"fmt"
	"math/bits"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/text"
)

// OverlapOptions says what is compared. The zero value is word 13-grams, as in
// the decontamination of GPT-3 (Brown et al. 2020, arXiv 2005.14165, app. C).
type OverlapOptions struct {
	// N is the length of an n-gram in units; 0 is 13 words or 50 bytes.
	N int
	// Bytes compares byte n-grams. Otherwise units are words: runs of bytes
	// that are not ASCII white space, as they are (case and punctuation kept).
	Bytes bool
	// MaxEntries bounds the table of n-grams, 32 bytes an entry; 0 is 2^21.
	MaxEntries int
}

// Overlap is how much of the validation side occurs in the training side.
type Overlap struct {
	N     int    `json:"n"`
	Unit  string `json:"unit"`  // "word" or "byte"
	Total int64  `json:"total"` // n-grams of the validation side that were compared
	Found int64  `json:"found"` // of them, those that occur in the training side
	// Sampled is 1 where every n-gram was compared, and 1/2^k where only those
	// were whose hash ends in k zero bits, to keep the table in its bound.
	Sampled float64 `json:"sampled"`
	// Share is Found/Total.
	Share float64 `json:"share"`
}

// MeasureOverlap computes the share of n-grams of the validation side
// (occurrences, not distinct ones) that occur anywhere in the training side.
// N-grams do not reach across documents.
//
// The distinct n-grams of the validation side are kept in a hash table of
// bounded size, by their 64-bit hashes; the training side is read once and
// marks what it meets. When the table is full, entries are sampled by hash, so
// that memory stays bounded and the share stays unbiased. Two different
// n-grams share a hash with probability 2^-64.
func MeasureOverlap(train, validation text.Stream, o OverlapOptions) (Overlap, error) {
	if o.N < 0 || o.MaxEntries < 0 {
		return Overlap{}, fmt.Errorf("overlap: n %d and max entries %d must not be negative", o.N, o.MaxEntries)
	}
	unit := "word"
	if o.Bytes {
		unit = "byte"
	}
	if o.N == 0 {
		if o.N = 13; o.Bytes {
			o.N = 50
		}
	}
	if o.MaxEntries == 0 {
		o.MaxEntries = 1 << 21
	}
	g := newGrams(o.N, o.Bytes)
	t := newGramTable(o.MaxEntries)
	documents := 0
	for d, err := range validation {
		if err != nil {
			return Overlap{}, err
		}
		documents++
		g.each(d.Text, t.add)
	}
	if documents == 0 {
		return Overlap{}, fmt.Errorf("overlap: the validation side: %w", ErrEmpty)
	}
	t.seal()
	for d, err := range train {
		if err != nil {
			return Overlap{}, err
		}
		g.each(d.Text, t.mark)
	}
	r := Overlap{N: o.N, Unit: unit, Sampled: 1 / float64(uint64(1)<<t.level)}
	for _, e := range t.slots {
		r.Total += int64(e.count)
		if e.found {
			r.Found += int64(e.count)
		}
	}
	if r.Total > 0 {
		r.Share = float64(r.Found) / float64(r.Total)
	}
	return r, nil
}

// gramBase is the odd base of the rolling polynomial hash modulo 2^64 over the
// hashes of units.
const gramBase = 0x9E3779B97F4A7C15

// grams hashes the n-grams of texts.
type grams struct {
	n      int
	bytes  bool
	top    uint64 // gramBase^n, the weight of the unit that leaves
	ring   []uint64
	byteOf [256]uint64 // unit hashes of bytes
}

func newGrams(n int, bytes bool) *grams {
	g := &grams{n: n, bytes: bytes, top: 1, ring: make([]uint64, n)}
	for range n {
		g.top *= gramBase
	}
	for b := range g.byteOf {
		g.byteOf[b] = xxh3.Hash([]byte{byte(b)})
	}
	return g
}

// each calls fn with the hash of every n-gram of s.
func (g *grams) each(s string, fn func(uint64)) {
	var h uint64
	units, at := 0, 0
	push := func(u uint64) {
		h = h*gramBase + u
		if units >= g.n {
			h -= g.ring[at] * g.top
		}
		g.ring[at] = u
		if at++; at == g.n {
			at = 0
		}
		if units++; units >= g.n {
			fn(mix(h))
		}
	}
	if g.bytes {
		for i := range len(s) {
			push(g.byteOf[s[i]])
		}
		return
	}
	for i := 0; i < len(s); {
		for i < len(s) && isSpace(s[i]) {
			i++
		}
		start := i
		for i < len(s) && !isSpace(s[i]) {
			i++
		}
		if i > start {
			push(xxh3.HashString(s[start:i]))
		}
	}
}

func isSpace(b byte) bool { return b == ' ' || b-'\t' < 5 }

// mix spreads the bits of a polynomial hash, whose low bits are weak
// (splitmix64's finaliser). Zero marks an empty slot and becomes 1.
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xBF58476D1CE4E5B9
	h = (h ^ h>>27) * 0x94D049BB133111EB
	return max(h^h>>31, 1)
}

// gramTable counts hashes. Its slots, at most half of them used, are probed
// linearly from the high bits of a hash; sampling goes by the low bits.
type gramTable struct {
	slots []gramSlot
	shift int
	used  int
	most  int
	level int // hashes whose low level bits are not zero are left out
	// filter has one bit for a range of hashes, to pass quickly over most
	// n-grams of the training side.
	filter     []uint64
	filterMask uint64
}

type gramSlot struct {
	hash  uint64
	count uint32
	found bool
}

func newGramTable(most int) *gramTable {
	t := &gramTable{most: max(most, 8)}
	t.resize(1 << 10)
	return t
}

// resize moves all entries that the sample still holds to size slots.
func (t *gramTable) resize(size int) {
	old := t.slots
	t.slots, t.used, t.shift = make([]gramSlot, size), 0, 65-bits.Len(uint(size))
	for _, e := range old {
		if e.hash != 0 && e.hash&(1<<t.level-1) == 0 {
			t.insert(e.hash, e.count)
		}
	}
}

func (t *gramTable) add(h uint64) {
	if h&(1<<t.level-1) != 0 {
		return
	}
	t.insert(h, 1)
	for t.used > t.most { // halve the sample
		t.level++
		t.resize(len(t.slots))
	}
	if t.used > len(t.slots)/2 {
		t.resize(2 * len(t.slots))
	}
}

func (t *gramTable) insert(h uint64, count uint32) {
	for i := int(h >> t.shift); ; i = (i + 1) & (len(t.slots) - 1) {
		e := &t.slots[i]
		if e.hash == h {
			e.count += count
			return
		}
		if e.hash == 0 {
			*e = gramSlot{hash: h, count: count}
			t.used++
			return
		}
	}
}

// seal builds the filter: about 16 bits an entry, at most 4 MiB.
func (t *gramTable) seal() {
	t.filterMask = 1<<min(bits.Len(uint(t.used))+4, 25) - 1
	t.filter = make([]uint64, t.filterMask/64+1)
	for _, e := range t.slots {
		if e.hash != 0 {
			b := e.hash >> 20 & t.filterMask
			t.filter[b/64] |= 1 << (b % 64)
		}
	}
}

func (t *gramTable) mark(h uint64) {
	if h&(1<<t.level-1) != 0 {
		return
	}
	if b := h >> 20 & t.filterMask; t.filter[b/64]&(1<<(b%64)) == 0 {
		return
	}
	for i := int(h >> t.shift); t.slots[i].hash != 0; i = (i + 1) & (len(t.slots) - 1) {
		if t.slots[i].hash == h {
			t.slots[i].found = true
			return
		}
	}
}
