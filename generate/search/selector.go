package search

import (
	"context"
	"fmt"
	"math"
)

// Selector chooses among candidates for the same prompt.
type Selector struct {
	Name   string
	Select func(ctx context.Context, candidates []Candidate) (Choice, error)
}

// Choice is what a selector says.
type Choice struct {
	Index  int       // of the chosen candidate; -1: none is fit
	Scores []float64 // of each candidate, the greatest wins; NaN: not fit
	Answer string    // what its candidates agreed on, of a vote
	Why    string    // in words
}

// none is the choice of a selector for which no candidate is fit.
const none = -1

// best is the index of the greatest score, the lowest index of equals; NaN is
// never chosen.
func best(scores []float64) int {
	at := none
	for i, s := range scores {
		if !math.IsNaN(s) && (at == none || s > scores[at]) {
			at = i
		}
	}
	return at
}

// Score is what a selector by scores thinks of one candidate; NaN says that it is
// not fit.
type Score func(ctx context.Context, c *Candidate) (float64, error)

// ByScore chooses the candidate of the greatest score: best-of-N.
func ByScore(name string, score Score) Selector {
	return Selector{name, func(ctx context.Context, candidates []Candidate) (Choice, error) {
		ch := Choice{Scores: make([]float64, len(candidates))}
		for i := range candidates {
			var err error
			if ch.Scores[i], err = score(ctx, &candidates[i]); err != nil {
				return ch, fmt.Errorf("%s of candidate %d: %w", name, i, err)
			}
		}
		ch.Index = best(ch.Scores)
		if ch.Index == none {
			ch.Why = "no candidate is fit"
		} else {
			ch.Why = fmt.Sprintf("score %.4g", ch.Scores[ch.Index])
		}
		return ch, nil
	}}
}

func byLikelihood(name string, norm LengthNorm) Selector {
	return ByScore(name, func(_ context.Context, c *Candidate) (float64, error) { return c.Likelihood(norm), nil })
}

// SumLogProb chooses the most probable text among the candidates.
func SumLogProb() Selector { return byLikelihood("sumlogp", SumNorm) }

// MeanLogProb chooses by the log-probability per token, as best_of of OpenAI's
// completions did.
func MeanLogProb() Selector { return byLikelihood("meanlogp", MeanNorm) }

// GNMT chooses by the log-probability over the length penalty of GNMTNorm.
func GNMT(alpha float64) Selector { return byLikelihood("gnmt", GNMTNorm(alpha)) }

// First chooses candidate 0: what a single sample gives.
func First() Selector {
	return Selector{"first", func(_ context.Context, candidates []Candidate) (Choice, error) {
		if len(candidates) == 0 {
			return Choice{Index: none, Why: "no candidate is fit"}, nil
		}
		return Choice{Scores: make([]float64, len(candidates)), Why: "the first sample"}, nil
	}}
}

// Reward chooses by a reward model or any other judge of quality.
func Reward(reward Score) Selector { return ByScore("reward", reward) }

// Pick lets ask choose; it returns an index or -1 for none.
func Pick(ask func(ctx context.Context, candidates []Candidate) (int, error)) Selector {
	return Selector{"pick", func(ctx context.Context, candidates []Candidate) (Choice, error) {
		i, err := ask(ctx, candidates)
		if err != nil {
			return Choice{Index: none}, err
		}
		if i < none || i >= len(candidates) {
			return Choice{Index: none}, fmt.Errorf("pick of candidate %d: there are 0 to %d", i, len(candidates)-1)
		}
		ch := Choice{Index: i, Scores: make([]float64, len(candidates)), Why: "the user's choice"}
		if i == none {
			ch.Why = "the user wants none"
			return ch, nil
		}
		ch.Scores[i] = 1
		return ch, nil
	}}
}
