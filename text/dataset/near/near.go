// Package near finds texts that are nearly the same, and says how varied a set of
// texts is.
//
// The central type is Index: texts are compared by the Jaccard similarity of
// their sets of word n-grams, and candidates are found by MinHash (Broder 1997,
// On the resemblance and containment of documents), so that nobody compares all
// pairs. Diversity counts distinct n-grams and the overlap of every text with the
// others.
//
// Not here: overlap of long texts by n-grams (corpus.MeasureOverlap).
package near

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/zeebo/xxh3"
)

// Options says what nearly the same means. The zero value is the default.
type Options struct {
	// Words is the length of the n-grams; 0 is 3.
	Words int
	// Similarity is the least Jaccard similarity, in (0, 1]; 0 is 0.8.
	Similarity float64
}

func (o Options) withDefaults() Options {
	if o.Words == 0 {
		o.Words = 3
	}
	if o.Similarity == 0 {
		o.Similarity = 0.8
	}
	return o
}

// A signature has bands of rows minima. Two texts of similarity s share a band
// with probability 1-(1-s^rows)^bands: 0.9998 for 0.8, 0.65 for 0.5.
const (
	bands = 16
	rows  = 4
)

// Index holds texts by number. It is not safe for concurrent use.
type Index struct {
	o     Options
	sets  [][]uint64 // sorted hashes of each text's n-grams
	bands [bands]map[uint64][]int32
}

// NewIndex returns an index without texts.
func NewIndex(o Options) *Index {
	x := &Index{o: o.withDefaults()}
	for i := range x.bands {
		x.bands[i] = map[uint64][]int32{}
	}
	return x
}

// Len is the number of texts.
func (x *Index) Len() int { return len(x.sets) }

// Match is the text that is most similar to another.
type Match struct {
	Text       int     // its number, by order of Add; -1: none is similar enough
	Similarity float64 // 1: the same words in the same n-grams
}

// Add takes a text and returns its best match among those before it.
func (x *Index) Add(s string) Match {
	set := grams(s, x.o.Words)
	keys := signature(set)
	m := x.find(set, keys)
	n := int32(len(x.sets))
	x.sets = append(x.sets, set)
	if len(set) > 0 {
		for i, k := range keys {
			x.bands[i][k] = append(x.bands[i][k], n)
		}
	}
	return m
}

// Find returns the best match of a text that is not added.
func (x *Index) Find(s string) Match {
	set := grams(s, x.o.Words)
	return x.find(set, signature(set))
}

func (x *Index) find(set []uint64, keys [bands]uint64) Match {
	best := Match{Text: -1}
	if len(set) == 0 {
		return best
	}
	seen := map[int32]bool{}
	for i, k := range keys {
		for _, n := range x.bands[i][k] {
			if seen[n] {
				continue
			}
			seen[n] = true
			if s := jaccard(set, x.sets[n]); s >= x.o.Similarity && (s > best.Similarity || s == best.Similarity && int(n) < best.Text) {
				best = Match{int(n), s}
			}
		}
	}
	return best
}

// Words are the words of a text in lower case: runs of letters, marks and digits;
// characters of scripts that write without spaces are words of their own.
func Words(s string) []string {
	var out []string
	start := -1
	flush := func(end int) {
		if start >= 0 {
			out = append(out, strings.ToLower(s[start:end]))
			start = -1
		}
	}
	for i, r := range s {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar):
			flush(i)
			out = append(out, string(r))
		case unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r):
			if start < 0 {
				start = i
			}
		default:
			flush(i)
		}
	}
	flush(len(s))
	return out
}

// grams is the set of hashes of a text's word n-grams, sorted; a text of fewer
// words is one n-gram.
func grams(s string, n int) []uint64 {
	words := Words(s)
	if len(words) == 0 {
		return nil
	}
	n = min(n, len(words))
	set := make([]uint64, 0, len(words)-n+1)
	for i := range len(words) - n + 1 {
		set = append(set, xxh3.HashString(strings.Join(words[i:i+n], "\x00")))
	}
	slices.Sort(set)
	return slices.Compact(set)
}

// signature is a key for each band: a hash of the minima of rows permutations.
func signature(set []uint64) (keys [bands]uint64) {
	for b := range bands {
		var key uint64
		for r := range rows {
			least := uint64(math.MaxUint64)
			seed := uint64(b*rows+r+1) * 0x9E3779B97F4A7C15
			for _, h := range set {
				least = min(least, spread(h^seed))
			}
			key = spread(key ^ least)
		}
		keys[b] = key
	}
	return keys
}

// spread is a bijection of 64 bits (splitmix64's finaliser).
func spread(h uint64) uint64 {
	h = (h ^ h>>30) * 0xBF58476D1CE4E5B9
	h = (h ^ h>>27) * 0x94D049BB133111EB
	return h ^ h>>31
}

// jaccard is the size of the intersection over that of the union of sorted sets.
func jaccard(a, b []uint64) float64 {
	both, i, j := 0, 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			both, i, j = both+1, i+1, j+1
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return float64(both) / float64(len(a)+len(b)-both)
}
