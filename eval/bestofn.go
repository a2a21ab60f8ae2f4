package eval

import (
	"fmt"
	"math"
	"slices"
)

// BestOfNKL is the Kullback-Leibler divergence in nats of best-of-n from the
// distribution that it draws from, log n - (n-1)/n. It is exact where no two
// samples have the same score, and an upper bound otherwise (Beirami et al. 2024,
// arXiv 2401.01879).
func BestOfNKL(n int) float64 {
	return math.Log(float64(n)) - float64(n-1)/float64(n)
}

// BestOfNDistribution is the distribution of best-of-n over outcomes of
// probabilities p, which come from the worst to the best: outcome i wins with
// F(i)^n - F(i-1)^n, F being the sum of p up to it.
func BestOfNDistribution(p []float64, n int) []float64 {
	q := make([]float64, len(p))
	var total float64
	for _, x := range p {
		total += x
	}
	var below, f float64
	for i, x := range p {
		f += x
		up := math.Pow(min(f/total, 1), float64(n))
		q[i], below = up-below, up
	}
	return q
}

// KL is the divergence of q from p in nats: the sum of q log(q/p).
func KL(q, p []float64) float64 {
	if len(q) != len(p) {
		panic(fmt.Sprintf("eval: divergence of %d from %d outcomes", len(q), len(p)))
	}
	var d float64
	for i, x := range q {
		if x > 0 {
			d += x * math.Log(x/p[i])
		}
	}
	return d
}

// BestOfNWinRate is the probability that best-of-n beats one more sample by its own
// reward, n/(n+1), where no two samples have the same score.
func BestOfNWinRate(n int) float64 { return float64(n) / float64(n+1) }

// TotalVariation is half the sum of |p - q|.
func TotalVariation(p, q []float64) float64 {
	if len(q) != len(p) {
		panic(fmt.Sprintf("eval: variation between %d and %d outcomes", len(q), len(p)))
	}
	var d float64
	for i := range p {
		d += math.Abs(p[i] - q[i])
	}
	return d / 2
}

// Acceptance is the probability that speculative sampling keeps a token drawn from
// the draft's distribution q when the target's is p: 1 - TV(p, q) (Leviathan,
// Kalman & Matias 2023, arXiv 2211.17192, theorem 3.5).
func Acceptance(p, q []float64) float64 { return 1 - TotalVariation(p, q) }

// SpeculatedTokens is the expected number of tokens of a step that guesses gamma of
// them, each kept with probability alpha: (1-alpha^(gamma+1))/(1-alpha) (the same
// paper, eq. 1).
func SpeculatedTokens(alpha float64, gamma int) float64 {
	if alpha == 1 {
		return float64(gamma + 1)
	}
	return (1 - math.Pow(alpha, float64(gamma+1))) / (1 - alpha)
}

// BestOfNReward is the expected score of the best of n, estimated without bias from
// scores of at least n samples: the mean over all subsets of that size. The i-th
// smallest of m scores is the best of C(i-1, n-1) of the C(m, n) subsets.
func BestOfNReward(scores []float64, n int) float64 {
	m := len(scores)
	if n < 1 || n > m {
		panic(fmt.Sprintf("eval: best of %d among %d samples", n, m))
	}
	s := slices.Clone(scores)
	slices.Sort(s)
	var mean float64
	all := logChoose(m, n)
	for i := n; i <= m; i++ {
		mean += s[i-1] * math.Exp(logChoose(i-1, n-1)-all)
	}
	return mean
}

// BestOfNKLOf is the divergence in nats of best-of-n from a distribution of which
// scores are samples, over what scores tell apart: with ties less than BestOfNKL.
func BestOfNKLOf(scores []float64, n int) float64 {
	s := slices.Clone(scores)
	slices.Sort(s)
	var p []float64
	for i, x := range s {
		if i == 0 || x != s[i-1] {
			p = append(p, 0)
		}
		p[len(p)-1] += 1 / float64(len(s))
	}
	return KL(BestOfNDistribution(p, n), p)
}
