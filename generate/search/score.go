package search

import "math"

// LengthNorm turns the sum of the log-probabilities of so many tokens into a score
// that texts of different lengths are compared by. It rises with the sum and, for
// a negative sum, with the number of tokens.
type LengthNorm func(sum float64, tokens int) float64

// SumNorm is the log-probability of the whole text. It prefers short texts: every
// token costs (the length bias; Murray & Chiang 2018, arXiv 1808.10006).
func SumNorm(sum float64, _ int) float64 { return sum }

// MeanNorm is the log-probability per token, the negated log of the perplexity. A
// text without a token has none: -Inf.
func MeanNorm(sum float64, tokens int) float64 {
	if tokens == 0 {
		return math.Inf(-1)
	}
	return sum / float64(tokens)
}

// DefaultAlpha is the exponent of GNMTNorm that Vaswani et al. 2017 decode with
// (section 6.1); Wu et al. took 0.2 beside their coverage penalty.
const DefaultAlpha = 0.6

// GNMTNorm divides by the length penalty ((5+tokens)/6)^alpha of Wu et al. 2016
// (arXiv 1609.08144, eq. 14, without its coverage penalty). Alpha 0 is SumNorm.
func GNMTNorm(alpha float64) LengthNorm {
	return func(sum float64, tokens int) float64 {
		return sum / math.Pow((5+float64(tokens))/6, alpha)
	}
}

// sum is the log-probability of a candidate.
func (c *Candidate) sum() float64 {
	var s float64
	for _, x := range c.LogProbs {
		s += x
	}
	return s
}

// Likelihood is the score of the candidate's log-probabilities under a norm.
func (c *Candidate) Likelihood(norm LengthNorm) float64 { return norm(c.sum(), len(c.LogProbs)) }
