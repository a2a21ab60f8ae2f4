package trust

import (
	"math"
	"strings"
)

// Clusters groups 0..n-1: i joins the first cluster whose first member means the same
// (Kuhn et al. 2023, algorithm 1). A cluster is the indices of its members, rising.
func Clusters(n int, same func(i, j int) bool) [][]int {
	var out [][]int
next:
	for i := range n {
		for k, c := range out {
			if same(c[0], i) {
				out[k] = append(c, i)
				continue next
			}
		}
		out = append(out, []int{i})
	}
	return out
}

// Normalised is the words of a text in lower case, without marks: texts that differ
// in case, blanks and punctuation only are equal.
func Normalised(text string) string {
	var b strings.Builder
	for i, w := range words(text) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w.text)
	}
	return b.String()
}

// ByAnswer clusters answers that are equal, normalised.
func ByAnswer(answers []string) [][]int {
	normal := make([]string, len(answers))
	for i, a := range answers {
		normal[i] = Normalised(a)
	}
	return Clusters(len(answers), func(i, j int) bool { return normal[i] == normal[j] })
}

// ByOverlap clusters texts of which each has at least the share least of the other's
// runs of n words. It stands where Farquhar et al. 2024 ask a model whether two texts
// entail each other, both ways.
func ByOverlap(texts []string, n int, least float64) [][]int {
	bags := make([]Bag, len(texts))
	for i, t := range texts {
		bags[i] = ngrams(t, n)
	}
	return Clusters(len(texts), func(i, j int) bool {
		return bags[i].Within(bags[j]) >= least && bags[j].Within(bags[i]) >= least
	})
}

// SemanticEntropy is the entropy of meanings in nats (Farquhar et al. 2024, Nature
// 630). A cluster has the share of its members; or with logProbs, the log-probability
// of each text, as much as its texts together have of the probability of all. With
// those per token it is the length-normalised form of Kuhn et al. 2023.
func SemanticEntropy(clusters [][]int, logProbs []float64) float64 {
	weight := func(i int) float64 { return 1 }
	if logProbs != nil {
		top := math.Inf(-1)
		for _, c := range clusters {
			for _, i := range c {
				top = max(top, logProbs[i])
			}
		}
		weight = func(i int) float64 { return math.Exp(logProbs[i] - top) }
	}
	total, h := 0.0, 0.0
	mass := make([]float64, len(clusters))
	for k, c := range clusters {
		for _, i := range c {
			mass[k] += weight(i)
		}
		total += mass[k]
	}
	for _, m := range mass {
		if m > 0 {
			h -= m / total * math.Log(m/total)
		}
	}
	return max(0, h)
}

// Agreement is self-consistency (Wang et al. 2022) as confidence: the share of the
// other members in the cluster of text i. Of one text alone it is NaN.
func Agreement(clusters [][]int, i int) float64 {
	all, with := 0, 0
	for _, c := range clusters {
		all += len(c)
		for _, j := range c {
			if i == j {
				with = len(c)
			}
		}
	}
	return float64(with-1) / float64(all-1)
}
