package lab

import (
	"context"
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/train/objective"
)

// TiltOptions of the experiment; zero fields are the defaults.
type TiltOptions struct {
	Outcomes int       // rewards are 0, 1/(Outcomes-1), ..., 1; 0: 16
	Betas    []float64 // nil: 1, 0.3, 0.1, 0.05
	Rounds   int       // rollouts of PPO and RLOO; 0: 300
	Batch    int       // samples of a rollout; 0: 1024
	Labels   int       // comparisons that DPO learns from; 0: 16 million
	Draws    int       // of best-of-n, for each n; 0: 400,000
	Seed     uint64
}

// Tilted is what one method reaches, beside the optimum that it must.
type Tilted struct {
	Method    string  `json:"method"`
	Beta      float64 `json:"beta"`
	Variation float64 `json:"total_variation"` // from the optimum
	KL        float64 `json:"kl"`              // from the reference, nats
	Reward    float64 `json:"reward"`
	BestKL    float64 `json:"optimal_kl"`
	BestR     float64 `json:"optimal_reward"`
}

// BestOf is best-of-n on the same outcomes.
type BestOf struct {
	N        int     `json:"n"`
	Bound    float64 `json:"kl_formula"` // log n - (n-1)/n: without ties
	KL       float64 `json:"kl"`         // exact, with ties
	Sampled  float64 `json:"kl_sampled"` // of the distribution of the draws
	Reward   float64 `json:"reward"`
	Frontier float64 `json:"frontier_kl"` // the least divergence that has this reward
}

// TiltResult is the experiment's.
type TiltResult struct {
	Outcomes int      `json:"outcomes"`
	Labels   int      `json:"labels"`
	Rows     []Tilted `json:"methods"`
	Best     []BestOf `json:"best_of"`
}

// Worst is the largest distance of a method from its optimum.
func (r *TiltResult) Worst() (w float64) {
	for _, x := range r.Rows {
		w = max(w, x.Variation)
	}
	return w
}

// Tilt trains a policy over a few outcomes by PPO with a divergence in the reward,
// by RLOO and by DPO on comparisons drawn from the Bradley-Terry model. All have
// one optimum, the reference times exp(reward/beta) (Ziegler et al. 2019; Rafailov
// et al. 2023, arXiv 2305.18290, eq. 4), which is known here. Best-of-n stands on
// the same frontier of divergence and reward. Progress may be nil.
func Tilt(ctx context.Context, b tensor.Backend, o TiltOptions, progress func(done, total int)) (*TiltResult, error) {
	o.defaults()
	if o.Outcomes < 2 || o.Batch < 4 || o.Batch%4 != 0 || o.Rounds < 1 || o.Labels < 1 || o.Draws < 1 {
		return nil, fmt.Errorf("%d outcomes, rollouts of %d, %d rounds, %d labels, %d draws: at least 2 outcomes, rollouts of a multiple of 4", o.Outcomes, o.Batch, o.Rounds, o.Labels, o.Draws)
	}
	uniform, reward := outcomes(o.Outcomes)
	wins := compare(reward, o.Labels, o.Seed)
	r := &TiltResult{Outcomes: o.Outcomes, Labels: o.Labels}
	for i, beta := range o.Betas {
		if !(beta > 0) {
			return nil, fmt.Errorf("beta is %g: it must be positive", beta)
		}
		best := tilt(uniform, reward, beta)
		for j, name := range tiltMethods {
			if progress != nil {
				progress(i*len(tiltMethods)+j, len(o.Betas)*len(tiltMethods))
			}
			t := newTabular(b, [][]float64{uniform})
			err := learn(ctx, t, name, beta, reward, wins, o)
			probs := exps(t.logProbs()[0])
			t.close()
			if err != nil {
				return nil, fmt.Errorf("%s with beta %g: %w", name, beta, err)
			}
			r.Rows = append(r.Rows, Tilted{
				Method: name, Beta: beta, Variation: eval.TotalVariation(probs, best),
				KL: kl(probs, uniform), Reward: dot(probs, reward), BestKL: kl(best, uniform), BestR: dot(best, reward),
			})
		}
	}
	for _, n := range []int{1, 2, 4, 8, 16, 64} {
		r.Best = append(r.Best, bestOf(n, uniform, reward, o))
	}
	return r, ctx.Err()
}

// tiltMethods are trained at each beta.
var tiltMethods = []string{"PPO", "RLOO", "DPO"}

// outcomes are the log-probabilities of n under the uniform reference, and their
// rewards.
func outcomes(n int) (uniform, reward []float64) {
	uniform, reward = make([]float64, n), make([]float64, n)
	for i := range reward {
		reward[i] = float64(i) / float64(n-1)
		uniform[i] = -math.Log(float64(n))
	}
	return uniform, reward
}

// kl is the divergence of probabilities p from log-probabilities ref.
func kl(p, ref []float64) float64 { return max(0, eval.KL(p, exps(ref))) }

func (o *TiltOptions) defaults() {
	for _, f := range []struct {
		x   *int
		def int
	}{{&o.Outcomes, 16}, {&o.Rounds, 300}, {&o.Batch, 1024}, {&o.Labels, 16_000_000}, {&o.Draws, 400_000}} {
		if *f.x == 0 {
			*f.x = f.def
		}
	}
	if o.Betas == nil {
		o.Betas = []float64{1, 0.3, 0.1, 0.05}
	}
}

// tilt is the reference times exp(reward/beta), normalised.
func tilt(ref, reward []float64, beta float64) []float64 {
	x := make([]float64, len(ref))
	for i := range x {
		x[i] = ref[i] + reward[i]/beta
	}
	normalise(x)
	return exps(x)
}

func exps(x []float64) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i] = math.Exp(x[i])
	}
	return y
}

func dot(x, y []float64) (sum float64) {
	for i := range x {
		sum += x[i] * y[i]
	}
	return sum
}

// learn trains t by one method.
func learn(ctx context.Context, t *tabular, name string, beta float64, reward []float64, wins [][]int, o TiltOptions) error {
	if name == "DPO" {
		return prefer(ctx, t, beta, wins)
	}
	m, err := objective.NamedPolicyMethod(map[string]string{"PPO": "ppo", "RLOO": "rloo"}[name])
	if err != nil {
		return err
	}
	return reinforcement{
		method: m, coef: beta, batch: o.Batch, group: 4, epochs: 2, rounds: o.Rounds, rate: 0.1, seed: o.Seed,
		score: func(ids []int32) []float64 {
			s := make([]float64, len(ids))
			for i, id := range ids {
				s[i] = reward[id]
			}
			return s
		},
		each: func(int, [][]float64) error { return ctx.Err() },
	}.run(t)
}

// bestOf draws best-of-n and computes it. Outcomes are in the order of rewards.
func bestOf(n int, ref, reward []float64, o TiltOptions) BestOf {
	p := exps(ref)
	exact := eval.BestOfNDistribution(p, n)
	x := BestOf{N: n, Bound: eval.BestOfNKL(n), KL: kl(exact, ref), Reward: dot(exact, reward)}
	seen := make([]float64, len(p))
	ids := drawIDs([][]float64{ref}, n*o.Draws, o.Seed, rng.Stream(fmt.Sprint("lab: best of ", n)))
	for i := range o.Draws {
		best := ids[i*n]
		for _, id := range ids[i*n : (i+1)*n] {
			if reward[id] > reward[best] {
				best = id
			}
		}
		seen[best] += 1 / float64(o.Draws)
	}
	x.Sampled = kl(seen, ref)
	x.Frontier = frontier(ref, reward, x.Reward)
	return x
}

// frontier is the least divergence from ref that has the mean reward r: that of
// the tilt with this reward, found by bisection of 1/beta.
func frontier(ref, reward []float64, r float64) float64 {
	lo, hi := 0.0, 1e4
	for range 100 {
		mid := (lo + hi) / 2
		if dot(tilt(ref, reward, 1/mid), reward) < r {
			lo = mid
		} else {
			hi = mid
		}
	}
	return kl(tilt(ref, reward, 1/lo), ref)
}
