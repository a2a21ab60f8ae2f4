package objective

import (
	"fmt"
	"math"
)

// Clip is the range of the ratio pi/pi_old in which a policy loss has a gradient:
// [1-Low, 1+High]. DAPO has a larger High ("clip higher").
type Clip struct{ Low, High float64 }

// Validate names an impossible range.
func (c Clip) Validate() error {
	if !(c.Low >= 0 && c.Low <= 1) || !(c.High >= 0) {
		return fmt.Errorf("clipping to [1-%g, 1+%g]: the first must lie in [0, 1], the second must not be negative", c.Low, c.High)
	}
	return nil
}

// PolicyLosses has one value an action: a token, or a completion where the ratio
// is that of whole completions.
type PolicyLosses struct {
	Loss, Grad []float64 // Grad: by the log-probability under the policy
	Ratio      []float64 // pi/pi_old
	Clipped    []bool    // the clipped branch was the larger loss: no gradient
}

// Policy is the clipped surrogate max(-A r, -A clip(r, 1-Low, 1+High)), r =
// exp(logp - old) (Schulman et al. 2017, arXiv 1707.06347, eq. 7). With logp =
// old its gradient is that of REINFORCE, -A.
func Policy(logp, old, advantage []float64, c Clip) PolicyLosses {
	n := len(logp)
	equal("log-probabilities and advantages", n, len(old), len(advantage))
	l := PolicyLosses{make([]float64, n), make([]float64, n), make([]float64, n), make([]bool, n)}
	for i, a := range advantage {
		r := math.Exp(logp[i] - old[i])
		plain, clipped := -a*r, -a*math.Min(math.Max(r, 1-c.Low), 1+c.High)
		l.Ratio[i] = r
		if l.Clipped[i] = clipped > plain; l.Clipped[i] {
			l.Loss[i] = clipped
		} else {
			l.Loss[i], l.Grad[i] = plain, plain // d r / d logp = r
		}
	}
	return l
}

// PolicyStats are what is logged of policy losses.
type PolicyStats struct {
	ClipFraction    float64 // share of actions without gradient
	Ratio, RatioVar float64 // mean and variance of the ratios
	ApproxKL        float64 // of old from the policy: k2 of KL, on the old policy's actions
}

// Stats summarises; logp and old are those of the losses.
func (l PolicyLosses) Stats(logp, old []float64) (s PolicyStats) {
	n := float64(len(l.Ratio))
	for i, r := range l.Ratio {
		if l.Clipped[i] {
			s.ClipFraction += 1 / n
		}
		s.Ratio += r
		k2, _ := K2.Of(old[i], logp[i])
		s.ApproxKL += k2 / n
	}
	s.Ratio /= n // 1 where all are 1, to the last bit
	for _, r := range l.Ratio {
		s.RatioVar += (r - s.Ratio) * (r - s.Ratio) / n
	}
	return s
}

// Value is the loss of values, half the larger of (v-R)^2 and (clip(v)-R)^2, where
// clip keeps v within width of the value at the rollout (Schulman's
// implementation; Engstrom et al. 2020, arXiv 2005.12729, section 3). Width 0 does
// not clip.
func Value(value, old, returns []float64, width float64) (loss, grad []float64, clipped []bool) {
	n := len(value)
	equal("values and returns", n, len(old), len(returns))
	loss, grad, clipped = make([]float64, n), make([]float64, n), make([]bool, n)
	for i, v := range value {
		d := v - returns[i]
		loss[i], grad[i] = d*d/2, d
		if width == 0 {
			continue
		}
		e := math.Min(math.Max(v, old[i]-width), old[i]+width) - returns[i]
		if clipped[i] = e*e > d*d; clipped[i] {
			loss[i], grad[i] = e*e/2, 0
		}
	}
	return loss, grad, clipped
}

// Weighting is how the losses of tokens become the loss of a step.
type Weighting int

const (
	TokenMean    Weighting = iota // every token counts the same: DAPO, PPO
	SequenceMean                  // every completion counts the same: GRPO
	Constant                      // sums over the number of completions times a constant length: Dr. GRPO
)

// Weights are the factors w of tokens with which the loss of a step is the sum of
// w times token loss. Lengths are those of all completions of the step, in order;
// limit is the constant length (Constant only): the longest completion that may
// be sampled. They sum to 1, with Constant to at most 1.
func (w Weighting) Weights(lengths []int, limit int) [][]float64 {
	total := 0
	for _, n := range lengths {
		total += n
	}
	out := make([][]float64, len(lengths))
	for i, n := range lengths {
		var x float64
		switch w {
		case TokenMean:
			x = 1 / float64(total)
		case SequenceMean:
			x = 1 / (float64(len(lengths)) * float64(n))
		case Constant:
			if limit < n {
				panic(fmt.Sprintf("objective: a completion of %d tokens, the limit is %d", n, limit))
			}
			x = 1 / (float64(len(lengths)) * float64(limit))
		}
		out[i] = make([]float64, n)
		for t := range out[i] {
			out[i][t] = x
		}
	}
	return out
}
