package lab

import (
	"slices"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/generate/trust"
)

// Agreement is how much texts that should say the same do. Shares of pairs are over
// all pairs that the experiment compares; of one text alone they are 1.
type Agreement struct {
	Texts      int           `json:"texts"`
	Exact      float64       `json:"exact"`      // share of pairs that are the same bytes
	Answers    float64       `json:"answers"`    // share of pairs whose answers are equal, by the extractor
	Similarity float64       `json:"similarity"` // of pairs on average, by words (trust.Similarity)
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
	answers, has := make([]string, len(texts)), make([]bool, len(texts))
	bags := make([]trust.Bag, len(texts))
	for i, t := range texts {
		answers[i], has[i] = extract(t)
		bags[i] = trust.WordPairs(t)
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
			a.Similarity += bags[i].Dice(bags[j])
		}
	}
	if pairs == 0 {
		a.Exact, a.Answers, a.Similarity = 1, 1, 1
	} else {
		a.Exact, a.Answers, a.Similarity = a.Exact/pairs, a.Answers/pairs, a.Similarity/pairs
	}
	clusters := trust.Clusters(len(texts), func(i, j int) bool { return has[i] && has[j] && answers[i] == answers[j] })
	a.Distinct = len(clusters)
	a.Entropy = trust.SemanticEntropy(clusters, nil)
	most := 0
	for _, c := range clusters {
		if x := answers[c[0]]; has[c[0]] && (len(c) > most || len(c) == most && x < a.Majority) {
			a.Majority, most = x, len(c)
		}
	}
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
