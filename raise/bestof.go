package raise

import (
	"context"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/text/gosrc"
)

// BestOf is what choosing among several bodies of a function is worth.
type BestOf struct {
	Functions int         `json:"functions"`
	Points    []BestPoint `json:"points"`
	Gain      Gain        `json:"gain"` // of the verifier's choice among all against the first body
}

// BestPoint is the choice among the first N bodies of each function.
type BestPoint struct {
	N        int           `json:"n"`
	KL       float64       `json:"kl"`       // of best-of-n from one body, at most: log n - (n-1)/n
	Verifier eval.Interval `json:"verifier"` // the verifier's reward where it chooses, its mean over the functions
	Judge    eval.Interval `json:"judge"`    // where the reward model chooses
	Parses   float64       `json:"parses"`   // share of the verifier's choices
}

// bestOfN draws many bodies of each function and lets the verifier and the reward
// model choose among the first of them.
func (r *Run) bestOfN(ctx context.Context, e *Evaluation, z *bundle.Bundle, checker *gosrc.Checker, prompts []gosrc.FunctionPrompt) error {
	all, err := r.write(ctx, z, checker, prompts, drawing{"best of many", bestOf, functionTemperature, 0.95})
	if err != nil {
		return err
	}
	scores, err := r.judged(ctx, all)
	if err != nil {
		return err
	}
	reward := func(i, k int) float64 { return all[i][k].grade.Reward() }
	score := func(i, k int) float64 { return scores[i*bestOf+k][0][0] }
	choose := func(n int, by func(i, k int) float64) (chosen [][]written) {
		for i := range all {
			best := 0
			for k := range n {
				if by(i, k) > by(i, best) {
					best = k
				}
			}
			chosen = append(chosen, all[i][best:best+1])
		}
		return chosen
	}
	e.BestOf = &BestOf{Functions: len(prompts)}
	zero := make([]float64, len(all))
	for n := 1; n <= bestOf; n *= 2 {
		verified := choose(n, reward)
		e.BestOf.Points = append(e.BestOf.Points, BestPoint{
			N: n, KL: eval.BestOfNKL(n),
			Verifier: eval.Paired(column(verified, Grade.Reward), zero),
			Judge:    eval.Paired(column(choose(n, score), Grade.Reward), zero),
			Parses:   eval.Paired(column(verified, func(g Grade) float64 { return asNumber(g.Parses) }), zero).Value,
		})
	}
	e.BestOf.Gain = *gain(choose(1, reward), choose(bestOf, reward))
	return nil
}

// judged are the scores of all bodies by the reward model.
func (r *Run) judged(ctx context.Context, all [][]written) ([][][]float64, error) {
	z, err := bundle.Open(r.b, r.path(judgeDir))
	if err != nil {
		return nil, err
	}
	defer z.Release(r.b)
	g := generate.New(r.b, z.Model, nil)
	defer g.Close()
	var texts [][]int32
	for _, bodies := range all {
		for i := range bodies {
			w := &bodies[i]
			texts = append(texts, append(w.prompt[:len(w.prompt):len(w.prompt)], w.answer()...))
		}
	}
	return g.HeadScores(ctx, z.Head, texts, nil)
}
