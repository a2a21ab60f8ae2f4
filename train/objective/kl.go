package objective

import (
	"fmt"
	"math"
)

// Estimator of the divergence KL(policy || reference) from one sample of the
// policy (Schulman 2020, Approximating KL divergence), with x = log(policy) -
// log(reference) of the sample.
type Estimator int

const (
	K1 Estimator = iota // x: unbiased, large variance, negative at times
	K2                  // x^2/2: biased, small variance
	K3                  // exp(-x) - 1 + x: unbiased, small variance, never negative
)

// Estimators are the names, by number.
var Estimators = []string{"k1", "k2", "k3"}

// NamedEstimator is the estimator of that name.
func NamedEstimator(name string) (Estimator, error) {
	for i, s := range Estimators {
		if s == name {
			return Estimator(i), nil
		}
	}
	return 0, fmt.Errorf("no KL estimator is named %q: there are k1, k2, k3", name)
}

// Of is the estimate in nats with its derivative by logp. As a term of a loss on
// the policy's own samples only K2's derivative has the divergence's gradient as
// its mean; K1's has mean 0 and belongs into the reward; K3's, GRPO's term (Shao et
// al. 2024, arXiv 2402.03300, eq. 4), has the gradient of KL(reference || policy).
func (e Estimator) Of(logp, reference float64) (kl, grad float64) {
	x := logp - reference
	switch e {
	case K1:
		return x, 1
	case K2:
		return x * x / 2, x
	}
	m := math.Expm1(-x)
	return m + x, -m
}

// Controller is the coefficient of the divergence in the reward. With Target 0 it
// is fixed; otherwise it is Ziegler et al.'s (2019, arXiv 1909.08593, section 2.2),
// which keeps the divergence at Target. Its fields are its whole state.
type Controller struct {
	Coef    float64 `json:"coef"`
	Target  float64 `json:"target,omitempty"`  // nats a completion
	Horizon float64 `json:"horizon,omitempty"` // completions; the published K is 1/Horizon a completion
}

// Validate names the first impossible field.
func (c Controller) Validate() error {
	switch {
	case !(c.Coef >= 0) || math.IsInf(c.Coef, 0):
		return fmt.Errorf("the KL coefficient is %g: it must not be negative", c.Coef)
	case c.Target < 0 || c.Target > 0 && !(c.Horizon > 0):
		return fmt.Errorf("an adaptive KL coefficient wants a target and a horizon above 0, not %g and %g", c.Target, c.Horizon)
	case c.Target > 0 && c.Coef == 0:
		return fmt.Errorf("an adaptive KL coefficient starts above 0: it is multiplied")
	}
	return nil
}

// Update moves the coefficient after n completions with a mean divergence kl.
func (c *Controller) Update(kl float64, n int) {
	if c.Target > 0 {
		off := math.Min(math.Max(kl/c.Target-1, -0.2), 0.2)
		c.Coef *= 1 + off*float64(n)/c.Horizon
	}
}

// TokenRewards are the rewards of a completion's tokens: minus coef times the
// estimate of the divergence at each, and the score at the last (Stiennon et al.
// 2020, arXiv 2009.01325, section 3.4).
func TokenRewards(kl []float64, score, coef float64) []float64 {
	r := make([]float64, len(kl))
	for t, k := range kl {
		r[t] = -coef * k
	}
	if len(r) > 0 {
		r[len(r)-1] += score
	}
	return r
}

// EndPenalty is the score of a completion, less the penalty where it was cut off
// before its end token.
func EndPenalty(score float64, ended bool, penalty float64) float64 {
	if ended {
		return score
	}
	return score - penalty
}
