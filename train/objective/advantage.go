package objective

import "math"

// GAE are the generalised advantage estimates of one completion, with the returns
// that values are fitted to (Schulman et al. 2015, arXiv 1506.02438, eq. 16): the
// sum of (gamma lambda)^l delta[t+l], delta[t] = r[t] + gamma v[t+1] - v[t]. Last
// is the value after the last token: 0 where the completion has ended.
func GAE(rewards, values []float64, last, gamma, lambda float64) (advantages, returns []float64) {
	n := len(rewards)
	equal("rewards and values", n, len(values))
	advantages, returns = make([]float64, n), make([]float64, n)
	next, sum := last, 0.0
	for t := n - 1; t >= 0; t-- {
		sum = rewards[t] + gamma*next - values[t] + gamma*lambda*sum
		advantages[t], returns[t] = sum, sum+values[t]
		next = values[t]
	}
	return advantages, returns
}

// RewardToGo is the discounted sum of the rewards from each token on.
func RewardToGo(rewards []float64, gamma float64) []float64 {
	out, sum := make([]float64, len(rewards)), 0.0
	for t := len(rewards) - 1; t >= 0; t-- {
		sum = rewards[t] + gamma*sum
		out[t] = sum
	}
	return out
}

// whitenFloor is added to variances, as TRL does.
const whitenFloor = 1e-8

// Whiten scales x to unit variance (that of a sample, over n-1), and to mean 0 if
// shift, otherwise it keeps the mean. Fewer than two values have variance 0.
func Whiten(x []float64, shift bool) []float64 {
	mean, dev := moments(x)
	scale := 1 / math.Sqrt(dev*dev+whitenFloor)
	out := make([]float64, len(x))
	for i, v := range x {
		if out[i] = (v - mean) * scale; !shift {
			out[i] += mean
		}
	}
	return out
}

// moments are mean and sample deviation.
func moments(x []float64) (mean, deviation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		deviation += (v - mean) * (v - mean)
	}
	if len(x) < 2 {
		return mean, 0
	}
	return mean, math.Sqrt(deviation / float64(len(x)-1))
}

// Each of these takes the scores of completions and gives their advantages.

// Reinforce subtracts a baseline that does not depend on the scores, such as the
// mean of steps before (Williams 1992, Machine Learning 8, section 4).
func Reinforce(scores []float64, baseline float64) []float64 {
	out := make([]float64, len(scores))
	for i, s := range scores {
		out[i] = s - baseline
	}
	return out
}

// RLOO subtracts from each score the mean of the others of its prompt (Ahmadian et
// al. 2024, arXiv 2402.14740). One completion alone has nothing to learn.
func RLOO(group []float64) []float64 {
	out := make([]float64, len(group))
	if len(group) < 2 {
		return out
	}
	mean, _ := moments(group)
	for i, s := range group {
		out[i] = (s - mean) * float64(len(group)) / float64(len(group)-1)
	}
	return out
}

// groupFloor is added to the deviation of a group, as TRL does.
const groupFloor = 1e-4

// GRPO subtracts the mean of the prompt's group and divides by its sample
// deviation (Shao et al. 2024, arXiv 2402.03300, section 4.1.2); without scale it
// is Dr. GRPO's (Liu et al. 2025, arXiv 2503.20783, section 3.2). A group of equal
// scores has nothing to learn.
func GRPO(group []float64, scale bool) []float64 {
	mean, dev := moments(group)
	by := 1.0
	if scale {
		by = 1 / (dev + groupFloor)
	}
	out := make([]float64, len(group))
	for i, s := range group {
		out[i] = (s - mean) * by
	}
	return out
}

// ReinforcePP are REINFORCE++'s advantages of the tokens of all completions of a
// step: rewards to go, with the divergence in the rewards (TokenRewards), whitened
// over all tokens (Hu 2025, arXiv 2501.03262, section 3).
func ReinforcePP(rewards [][]float64, gamma float64) [][]float64 {
	var flat []float64
	for _, r := range rewards {
		flat = append(flat, RewardToGo(r, gamma)...)
	}
	flat = Whiten(flat, true)
	out := make([][]float64, len(rewards))
	for i, r := range rewards {
		out[i], flat = flat[:len(r):len(r)], flat[len(r):]
	}
	return out
}

// ReinforcePPBaseline are the advantages of REINFORCE++ with several completions a
// prompt: the mean of the group subtracted, whitened over the step.
func ReinforcePPBaseline(groups [][]float64) [][]float64 {
	var flat []float64
	for _, g := range groups {
		flat = append(flat, GRPO(g, false)...)
	}
	flat = Whiten(flat, true)
	out := make([][]float64, len(groups))
	for i, g := range groups {
		out[i], flat = flat[:len(g):len(g)], flat[len(g):]
	}
	return out
}
