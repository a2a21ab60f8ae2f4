package near

import (
	"math"
	"strings"
)

// Diversity says how varied a set of texts is. All figures are 0 for fewer than
// two texts.
type Diversity struct {
	Texts int `json:"texts"`
	// Distinct is the number of distinct word n-grams over the number of all, for
	// n = 1, 2, 3 (Li et al. 2016, arXiv 1510.03055, section 5.3).
	Distinct [3]float64 `json:"distinct"`
	// SelfBLEU is the mean BLEU-4 of each text with all others as references (Zhu
	// et al. 2018, arXiv 1802.01886): 1 where every text repeats others, 0 where
	// nothing recurs. The precisions of n = 2, 3, 4 add one to both counts (Lin &
	// Och 2004), since a short text with no common 4-gram would be 0 otherwise.
	SelfBLEU float64 `json:"self_bleu"`
	// Sampled is the number of texts that SelfBLEU is a mean over.
	Sampled int `json:"self_bleu_texts"`
}

// mostCompared bounds the texts whose BLEU is computed, evenly spread over all.
const mostCompared = 1000

// Measure computes the diversity of texts. It takes time in proportion to their
// length: what the others of a text hold is kept as the two largest counts of
// each n-gram.
func Measure(texts []string) Diversity {
	d := Diversity{Texts: len(texts)}
	if len(texts) < 2 {
		return d
	}
	words := make([][]string, len(texts))
	for i, s := range texts {
		words[i] = Words(s)
	}
	for n := 1; n <= 3; n++ {
		seen := map[string]bool{}
		all := 0
		for _, w := range words {
			for g := range ngrams(w, n) {
				seen[g] = true
			}
			all += max(len(w)-n+1, 0)
		}
		if all > 0 {
			d.Distinct[n-1] = float64(len(seen)) / float64(all)
		}
	}
	d.SelfBLEU, d.Sampled = selfBLEU(words)
	return d
}

// ngrams counts the n-grams of words.
func ngrams(words []string, n int) map[string]int {
	out := map[string]int{}
	for i := 0; i+n <= len(words); i++ {
		out[strings.Join(words[i:i+n], "\x00")]++
	}
	return out
}

// top is the largest count of an n-gram in one text, whose it is, and the largest
// in any other text.
type top struct {
	most, second int
	text         int
}

func selfBLEU(words [][]string) (mean float64, sampled int) {
	var tops [4]map[string]top
	for n := range tops {
		tops[n] = map[string]top{}
		for i, w := range words {
			for g, c := range ngrams(w, n+1) {
				t, ok := tops[n][g]
				switch {
				case !ok:
					t = top{most: c, text: i}
				case c > t.most:
					t = top{most: c, second: t.most, text: i}
				default:
					t.second = max(t.second, c)
				}
				tops[n][g] = t
			}
		}
	}
	lengths := map[int]int{}
	for _, w := range words {
		lengths[len(w)]++
	}
	step := max(1, (len(words)+mostCompared-1)/mostCompared)
	for i := 0; i < len(words); i += step {
		mean += bleu(words[i], i, tops, lengths)
		sampled++
	}
	return mean / float64(sampled), sampled
}

// bleu is that of text i against all others (Papineni et al. 2002).
func bleu(words []string, i int, tops [4]map[string]top, lengths map[int]int) float64 {
	if len(words) == 0 {
		return 0
	}
	logs := 0.0
	for n := range tops {
		hits, all := 0, max(len(words)-n, 0)
		for g, c := range ngrams(words, n+1) {
			t := tops[n][g]
			others := t.most
			if t.text == i {
				others = t.second
			}
			hits += min(c, others)
		}
		add := 0
		if n > 0 {
			add = 1
		}
		if hits+add == 0 {
			return 0
		}
		logs += math.Log(float64(hits+add)/float64(all+add)) / 4
	}
	// The reference length is the closest to the text's, the shorter of two.
	closest := -1
	for l, count := range lengths {
		if l == len(words) && count == 1 {
			continue // its own
		}
		a, b := abs(l-len(words)), abs(closest-len(words))
		if closest < 0 || a < b || a == b && l < closest {
			closest = l
		}
	}
	if closest > len(words) {
		logs += 1 - float64(closest)/float64(len(words))
	}
	return math.Exp(logs)
}

func abs(x int) int { return max(x, -x) }
