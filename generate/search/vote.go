package search

import (
	"context"
	"fmt"
	"math"
)

// Tally counts the votes for answers. The zero value is an empty one.
type Tally struct {
	index   map[string]int
	answers []counted // in the order in which they came first
	leader  int
	votes   int
}

// counted is an answer with its weight and the first candidate that gave it.
type counted struct {
	answer string
	weight float64
	first  int
}

// Add gives the vote of a candidate, of positive weight, to an answer. Candidates
// come in the order of their indices.
func (t *Tally) Add(candidate int, answer string, weight float64) {
	i, ok := t.index[answer]
	if !ok {
		if t.index == nil {
			t.index = map[string]int{}
		}
		i = len(t.answers)
		t.index[answer] = i
		t.answers = append(t.answers, counted{answer: answer, first: candidate})
	}
	t.votes++
	a := &t.answers[i]
	a.weight += weight
	// Weights only grow, so only the answer that grew can overtake.
	if l := t.answers[t.leader]; a.weight > l.weight || a.weight == l.weight && i < t.leader {
		t.leader = i
	}
}

// Votes is the number of candidates that voted.
func (t *Tally) Votes() int { return t.votes }

// Leader is the answer of the greatest weight, the one that came first of equals,
// and the first candidate that gave it; -1 without votes.
func (t *Tally) Leader() (answer string, first int, weight float64) {
	if len(t.answers) == 0 {
		return "", none, 0
	}
	l := t.answers[t.leader]
	return l.answer, l.first, l.weight
}

// RunnerUp is the weight of the next best answer, 0 where there is none.
func (t *Tally) RunnerUp() float64 {
	var second float64
	for i, a := range t.answers {
		if i != t.leader {
			second = max(second, a.weight)
		}
	}
	return second
}

// Weight is the weight of an answer.
func (t *Tally) Weight(answer string) float64 {
	if i, ok := t.index[answer]; ok {
		return t.answers[i].weight
	}
	return 0
}

// Majority is self-consistency (Wang et al. 2022, arXiv 2203.11171): the answer
// that most candidates give wins, and the first candidate that gave it. Candidates
// without an answer do not vote.
func Majority(extract Extractor) Selector {
	return vote("majority", extract, func(context.Context, *Candidate) (float64, error) { return 0, nil })
}

// Weighted is a vote in which a candidate counts exp(logWeight), as in table 1 of
// Wang et al. 2022; with the mean log-probability it is their normalised weighted
// sum. A NaN does not vote.
func Weighted(extract Extractor, logWeight Score) Selector {
	return vote("weighted", extract, logWeight)
}

// ByMean weighs a candidate by its probability per token.
func ByMean(_ context.Context, c *Candidate) (float64, error) { return c.Likelihood(MeanNorm), nil }

func vote(name string, extract Extractor, logWeight Score) Selector {
	return Selector{name, func(ctx context.Context, candidates []Candidate) (Choice, error) {
		answers := make([]string, len(candidates))
		weights := make([]float64, len(candidates))
		top := math.Inf(-1)
		for i := range candidates {
			c := &candidates[i]
			weights[i] = math.NaN()
			answer, ok := extract(c.Text)
			if !ok {
				continue
			}
			w, err := logWeight(ctx, c)
			if err != nil {
				return Choice{Index: none}, fmt.Errorf("weight of candidate %d: %w", i, err)
			}
			answers[i], weights[i] = answer, w
			if w > top { // not for NaN
				top = w
			}
		}
		ch := Choice{Scores: make([]float64, len(candidates))}
		var t Tally
		for i, w := range weights {
			// The greatest weight counts 1, so that no text is too long to count.
			if x := math.Exp(w - top); x > 0 {
				t.Add(i, answers[i], x)
			} else {
				weights[i] = math.NaN()
			}
		}
		for i, w := range weights {
			ch.Scores[i] = math.NaN()
			if !math.IsNaN(w) {
				ch.Scores[i] = t.Weight(answers[i])
			}
		}
		var weight float64
		ch.Answer, ch.Index, weight = t.Leader()
		switch {
		case ch.Index == none:
			ch.Why = "no candidate has an answer"
		case name == "majority":
			ch.Why = fmt.Sprintf("%.0f of %d votes", weight, t.Votes())
		default:
			var all float64
			for _, a := range t.answers {
				all += a.weight
			}
			ch.Why = fmt.Sprintf("%.1f %% of the weight", 100*weight/all)
		}
		return ch, nil
	}}
}

// logOf is a positive weight as a logarithm; what is not positive does not vote.
func logOf(weight Score) Score {
	return func(ctx context.Context, c *Candidate) (float64, error) {
		w, err := weight(ctx, c)
		if w <= 0 {
			return math.NaN(), err
		}
		return math.Log(w), err
	}
}
