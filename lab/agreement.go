package lab

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate/search"
)

// Agreement is how much texts that should say the same do. Shares of pairs are over
// all pairs that the experiment compares; of one text alone they are 1.
type Agreement struct {
	Texts      int           `json:"texts"`
	Exact      float64       `json:"exact"`      // share of pairs that are the same bytes
	Answers    float64       `json:"answers"`    // share of pairs whose answers are equal, by the extractor
	Similarity float64       `json:"similarity"` // of pairs on average, by words (Similarity)
	Distinct   int           `json:"distinct"`   // answers; texts without one count one each
	Majority   string        `json:"majority"`   // the answer that most have
	Share      eval.Interval `json:"share"`      // of the texts with that answer, 95 %
	// Entropy of the answers in nats, the semantic entropy of Kuhn et al. 2023 with
	// equal answers as its clusters.
	Entropy float64 `json:"entropy"`
}

// agree compares texts. Pairs of the same group are not compared, if groups differ
// at all: paraphrases are compared with each other, not with themselves.
func agree(texts []string, group []int, extract search.Extractor) Agreement {
	a := Agreement{Texts: len(texts)}
	answers, count := make([]string, len(texts)), map[string]int{}
	has := make([]bool, len(texts))
	bags := make([]map[string]int, len(texts))
	missing := 0
	for i, t := range texts {
		if answers[i], has[i] = extract(t); has[i] {
			count[answers[i]]++
		} else {
			missing++
		}
		bags[i] = wordPairs(t)
	}
	within := group == nil || slices.Min(group) == slices.Max(group)
	pairs := 0.0
	for i := range texts {
		for j := range i {
			if !within && group[i] == group[j] {
				continue
			}
			pairs++
			a.Exact += truth(texts[i] == texts[j])
			a.Answers += truth(has[i] && has[j] && answers[i] == answers[j])
			a.Similarity += dice(bags[i], bags[j])
		}
	}
	if pairs == 0 {
		a.Exact, a.Answers, a.Similarity = 1, 1, 1
	} else {
		a.Exact, a.Answers, a.Similarity = a.Exact/pairs, a.Answers/pairs, a.Similarity/pairs
	}
	a.Distinct = len(count) + missing
	most := 0
	for _, x := range slices.SortedFunc(maps.Keys(count), cmp.Compare[string]) {
		if count[x] > most {
			a.Majority, most = x, count[x]
		}
		a.Entropy -= surprise(float64(count[x]) / float64(len(texts)))
	}
	a.Entropy -= float64(missing) * surprise(1/float64(max(1, len(texts))))
	a.Entropy = max(0, a.Entropy)
	a.Share = eval.Wilson(most, len(texts), eval.Z95)
	return a
}

// truth is 1 or 0.
func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func surprise(p float64) float64 {
	if p == 0 {
		return 0
	}
	return p * math.Log(p)
}

// Similarity is Dice's coefficient of the pairs of words that follow each other in
// two texts (Dice 1945), without regard to case: 1 for the same words in the same
// order, 0 for none in common. The beginning and the end count as words.
func Similarity(a, b string) float64 { return dice(wordPairs(a), wordPairs(b)) }

// wordPairs counts the pairs of words of a text.
func wordPairs(text string) map[string]int {
	pairs := map[string]int{}
	before := ""
	for _, w := range append(strings.Fields(strings.ToLower(text)), "") {
		pairs[before+" "+w]++
		before = w
	}
	return pairs
}

func dice(a, b map[string]int) float64 {
	both, all := 0, 0
	for w, n := range a {
		both += min(n, b[w])
		all += n
	}
	for _, n := range b {
		all += n
	}
	return 2 * float64(both) / float64(all)
}
