package eval

import (
	"fmt"
	"math"
)

// PassAtK is the probability that at least one of k samples is right, estimated
// without bias from n samples of which c are right: 1 - C(n-c, k)/C(n, k), as a
// product (Chen et al. 2021, arXiv 2107.03374, eq. 1 and figure 3). Needs
// 0 <= c <= n and 1 <= k <= n.
func PassAtK(n, c, k int) float64 {
	if c < 0 || c > n || k < 1 || k > n {
		panic(fmt.Sprintf("eval: pass@%d of %d samples, %d of them right", k, n, c))
	}
	if n-c < k {
		return 1
	}
	// log(1 - k/i) keeps what is left of 1 where the estimate is small.
	var logFail float64
	for i := n - c + 1; i <= n; i++ {
		logFail += math.Log1p(-float64(k) / float64(i))
	}
	return -math.Expm1(logFail)
}

// MajorityAccuracy is the probability that the majority of n independent votes is
// right when each is right with probability p and there are two answers. An even
// number can tie; half of the ties count as right.
func MajorityAccuracy(p float64, n int) float64 {
	if n < 1 || !(p >= 0 && p <= 1) {
		panic(fmt.Sprintf("eval: majority of %d votes that are right with probability %g", n, p))
	}
	var sum float64
	for k := n / 2; k <= n; k++ {
		switch {
		case 2*k == n:
			sum += binomial(n, k, p) / 2
		case 2*k > n:
			sum += binomial(n, k, p)
		}
	}
	return min(sum, 1)
}

// binomial is the probability of k successes in n trials.
func binomial(n, k int, p float64) float64 {
	if p == 0 || p == 1 {
		if p == 0 && k == 0 || p == 1 && k == n {
			return 1
		}
		return 0
	}
	return math.Exp(logChoose(n, k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

// logChoose is the logarithm of n over k, -Inf where that is 0.
func logChoose(n, k int) float64 {
	if k < 0 || k > n {
		return math.Inf(-1)
	}
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}

// RetrySuccess is the probability that one of so many tries succeeds when each does
// with probability p: what validate-and-retry reaches.
func RetrySuccess(p float64, tries int) float64 {
	if p == 1 && tries > 0 {
		return 1
	}
	return -math.Expm1(float64(tries) * math.Log1p(-p))
}

// RetryTries is the expected number of tries until the first success, at most
// limit; 0 is no limit.
func RetryTries(p float64, limit int) float64 {
	if limit == 0 {
		return 1 / p
	}
	if p == 0 {
		return float64(limit)
	}
	return RetrySuccess(p, limit) / p
}
