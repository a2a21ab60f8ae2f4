package posttrain

import (
	"slices"

	"github.com/foundling-lm/foundling/train/objective"
)

// learnGroups gives samples the advantages of methods without a critic: GRPO and
// its kin compare the completions of a prompt, RLOO with the mean of the others,
// REINFORCE all with what was usual.
func (p *policyRun) learnGroups(r *Rollout) {
	samples, coef := r.scored(), r.State.KL.Coef
	if p.Method == "reinforce_pp" {
		var rewards [][]float64
		for _, s := range samples {
			rewards = append(rewards, objective.TokenRewards(p.divergence(s), p.scoreOf(s), coef))
		}
		for i, a := range objective.ReinforcePP(rewards, p.Gamma) {
			r.learned[samples[i]] = &lesson{advantages: a}
		}
		return
	}
	if !p.method.Group {
		scores := make([]float64, len(samples))
		for i, s := range samples {
			scores[i] = p.costed(r, s)
		}
		r.teach(samples, objective.Reinforce(scores, r.State.Baseline))
		return
	}
	groups := r.groups(p.Completions)
	scores := make([][]float64, len(groups))
	for i, g := range groups {
		for _, s := range g {
			scores[i] = append(scores[i], p.costed(r, s))
		}
	}
	if p.Method == "reinforce_pp_baseline" {
		for i, a := range objective.ReinforcePPBaseline(scores) {
			r.teach(groups[i], a)
		}
		return
	}
	for i, g := range groups {
		if p.Method == "rloo" {
			r.teach(g, objective.RLOO(scores[i]))
		} else {
			r.teach(g, objective.GRPO(scores[i], p.method.Scale))
		}
	}
}

// costed is the score of a sample, less the cost of its divergence where the method
// has it in the reward.
func (p *policyRun) costed(r *Rollout, s *Sample) float64 {
	score := p.scoreOf(s)
	if p.method.InReward {
		score -= r.State.KL.Coef * sum(p.divergence(s))
	}
	return score
}

// teach gives each token of a sample the advantage of the whole.
func (r *Rollout) teach(samples []*Sample, advantages []float64) {
	for i, s := range samples {
		l := &lesson{advantages: make([]float64, len(s.IDs))}
		for t := range l.advantages {
			l.advantages[t] = advantages[i]
		}
		r.learned[s] = l
	}
}

// groups are the samples that have a score, by prompt, of each of which there are n
// completions.
func (r *Rollout) groups(n int) (groups [][]*Sample) {
	for g := range slices.Chunk(r.Samples, n) {
		groups = append(groups, slices.DeleteFunc(slices.Clone(g), func(s *Sample) bool { return s.Skip != "" }))
	}
	return groups
}

// baselineDecay is the weight of what was before in REINFORCE's running mean.
const baselineDecay = 0.9

// next is the state that follows from a rollout.
func (p *policyRun) next(r *Rollout) State {
	s := r.State
	samples := r.scored()
	if len(samples) == 0 {
		return s
	}
	kl, score := 0.0, 0.0
	for _, x := range samples {
		kl += sum(p.divergence(x)) / float64(len(samples))
		score += p.costed(r, x) / float64(len(samples))
	}
	s.KL.Update(kl, len(samples))
	if p.Method == "reinforce" {
		if r.Number > 0 {
			score = baselineDecay*s.Baseline + (1-baselineDecay)*score
		}
		s.Baseline = score
	}
	return s
}
