package objective

import (
	"fmt"
	"strings"
)

// PolicyMethod is a row of the table of methods that learn from completions which
// the policy samples.
type PolicyMethod struct {
	Name   string
	Title  string
	Source string

	Critic   bool      // has a value head
	Group    bool      // several completions a prompt
	Sequence bool      // the ratio is that of whole completions
	InReward bool      // the divergence is part of the reward (K1 or K3), not of the loss
	Weights  Weighting // of tokens
	Clip     Clip      // default
	KL       float64   // default coefficient of the divergence
	Scale    bool      // divides by the group's deviation
}

// PolicyMethods is the table, in the order in which documents list it.
func PolicyMethods() []PolicyMethod {
	even := Clip{0.2, 0.2}
	return []PolicyMethod{
		{Name: "ppo", Title: "clipped ratios, a value head, GAE", Source: "Schulman et al. 2017, arXiv 1707.06347; Ouyang et al. 2022, arXiv 2203.02155", Critic: true, InReward: true, Weights: TokenMean, Clip: even, KL: 0.05},
		{Name: "grpo", Title: "scores normalised within the prompt's group", Source: "Shao et al. 2024, arXiv 2402.03300", Group: true, Weights: SequenceMean, Clip: even, KL: 0.04, Scale: true},
		{Name: "dr_grpo", Title: "GRPO without the deviation and the lengths", Source: "Liu et al. 2025, arXiv 2503.20783", Group: true, Weights: Constant, Clip: even},
		{Name: "dapo", Title: "GRPO by tokens, clip-higher, no reference", Source: "Yu et al. 2025, arXiv 2503.14476", Group: true, Weights: TokenMean, Clip: Clip{0.2, 0.28}, Scale: true},
		{Name: "rloo", Title: "the mean of the others as baseline", Source: "Ahmadian et al. 2024, arXiv 2402.14740", Group: true, Sequence: true, InReward: true, Weights: SequenceMean, Clip: even, KL: 0.05},
		{Name: "reinforce", Title: "a running mean as baseline", Source: "Williams 1992", Sequence: true, InReward: true, Weights: SequenceMean, Clip: even, KL: 0.05},
		{Name: "reinforce_pp", Title: "rewards to go, whitened over the step", Source: "Hu 2025, arXiv 2501.03262", InReward: true, Weights: TokenMean, Clip: even, KL: 0.01},
		{Name: "reinforce_pp_baseline", Title: "scores less the group's mean, whitened over the step", Source: "Hu 2025, arXiv 2501.03262", Group: true, Weights: TokenMean, Clip: even, KL: 0.01},
	}
}

// NamedPolicyMethod is the row of that name.
func NamedPolicyMethod(name string) (PolicyMethod, error) {
	var names []string
	for _, m := range PolicyMethods() {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return PolicyMethod{}, fmt.Errorf("no method is named %q: there are %s", name, strings.Join(names, ", "))
}
