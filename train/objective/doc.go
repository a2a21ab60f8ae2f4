// Package objective is the arithmetic of post-training: losses of preferences,
// rewards and policies, with their gradients, on plain slices of float64.
//
//   - Preference: losses of chosen and rejected completions (preference.go has
//     the table), on log-probabilities under the policy and the reference.
//   - BradleyTerry, Regression, Process: losses of scores.
//   - Policy, Value, KL, GAE and the advantages: losses of sampled completions
//     (method.go has the table).
//
// Log-probabilities are natural logarithms. A gradient is always that of the sum
// of the losses returned, with respect to the input named; the caller scales it
// by the mean that it takes. Nothing here knows a tensor, a model or a token:
// package train/posttrain brings both together.
//
// Slices of one call have one length; a mismatch is a programmer's error and
// panics.
package objective

import (
	"fmt"
	"math"
)

// sigmoid is 1/(1+exp(-x)).
func sigmoid(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + math.Exp(-x))
	}
	e := math.Exp(x)
	return e / (1 + e)
}

// logSigmoid is log sigmoid(x), without overflow.
func logSigmoid(x float64) float64 {
	return math.Min(x, 0) - math.Log1p(math.Exp(-math.Abs(x)))
}

// equal panics unless all lengths are n.
func equal(what string, n int, lengths ...int) {
	for _, l := range lengths {
		if l != n {
			panic(fmt.Sprintf("objective: %s of %d and %d values", what, n, l))
		}
	}
}
