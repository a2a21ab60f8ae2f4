package eval

import (
	"math"
)

// Divergence is KL(p || q) in nats an answer, estimated on answers that p drew at
// temperature 1 (Schulman 2020, Approximating KL divergence).
type Divergence struct {
	K1       Interval // mean of log p - log q of whole answers: unbiased
	K3       Interval // sum over tokens of q/p - 1 - log(q/p): unbiased too, never negative
	PerToken float64  // K1 over the mean length
}

// MeasureDivergence takes the log-probability of each token of each answer under p
// and q. An estimate of a token given those before it is without bias for any
// prefix that p drew, so sums of them are, too.
func MeasureDivergence(p, q [][]float64) Divergence {
	var own, other, k3, zero []float64
	var tokens float64
	for i := range p {
		var a, b, k float64
		for t, x := range p[i] {
			a, b = a+x, b+q[i][t]
			r := q[i][t] - x
			k += math.Expm1(r) - r
		}
		own, other, k3, zero = append(own, a), append(other, b), append(k3, k), append(zero, 0)
		tokens += float64(len(p[i]))
	}
	d := Divergence{K1: Paired(own, other), K3: Paired(k3, zero)}
	d.PerToken = d.K1.Value * float64(len(p)) / tokens
	return d
}
