package posttrain

import (
	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/text/dataset"
)

// BestOf is what best-of-n does to a model: its answers are the better, and the
// farther from what the model says by itself, the more of them there are to choose
// from (Beirami et al. 2024, arXiv 2401.01879). Learning the best answers is
// rejection-sampling fine-tuning (Touvron et al. 2023, arXiv 2307.09288, section
// 3.2.3).
type BestOf struct {
	N      int           `json:"n"`
	Reward eval.Interval `json:"reward"`  // expected score of the best of N, over prompts
	Bound  float64       `json:"bound"`   // log N - (N-1)/N: the divergence where no two answers have one score
	KL     float64       `json:"kl"`      // what scores tell apart of it, nats, a mean over prompts
	Prompt int           `json:"prompts"` // with so many answers that have a score
}

// MeasureBestOf reads the expected scores for n = 1, 2, 4 ... up to as many answers
// as were drawn and scored.
func MeasureBestOf(tries []*Tries, seed uint64) []BestOf {
	var groups [][]float64
	most := 0
	for _, t := range tries {
		var g []float64
		for _, a := range t.Answers {
			if a.Score != nil {
				g = append(g, *a.Score)
			}
		}
		groups = append(groups, g)
		most = max(most, len(g))
	}
	var out []BestOf
	for n := 1; n <= most; n *= 2 {
		b := BestOf{N: n, Bound: eval.BestOfNKL(n)}
		var rewards []float64
		for _, g := range groups {
			if len(g) < n {
				continue
			}
			rewards = append(rewards, eval.BestOfNReward(g, n))
			b.KL += eval.BestOfNKLOf(g, n)
		}
		b.Prompt = len(rewards)
		b.KL /= float64(max(1, b.Prompt))
		ones := make([]float64, len(rewards))
		for i := range ones {
			ones[i] = 1
		}
		b.Reward = eval.BootstrapRatio(rewards, ones, 1000, 0.95, seed)
		out = append(out, b)
	}
	return out
}

// Rejected are the examples that rejection sampling learns: the best answer to each
// prompt that is complete. Cut is how many prompts have none.
func Rejected(prompts []dataset.Record, tries []*Tries) (rs []dataset.Record, cut int) {
	for i, t := range tries {
		whole := t.Complete()
		k := whole.Best()
		if k < 0 {
			cut++
			continue
		}
		rs = append(rs, dataset.Record{
			Kind: dataset.PromptCompletion, Prompt: prompts[i].Prompt, Completion: dataset.Text{Plain: whole.Answers[k].Text}, Source: prompts[i].Source,
		})
	}
	return rs, cut
}

// PreferredTexts are the best and the worst complete answer to each prompt, where
// one is better. Cut is how many prompts have less than two complete answers.
func PreferredTexts(prompts []dataset.Record, tries []*Tries) (rs []dataset.Record, cut int) {
	for i, t := range tries {
		whole := t.Complete()
		if len(whole.Answers) < 2 {
			cut++
			continue
		}
		best, worst := whole.Best(), whole.Worst()
		if best < 0 || *whole.Answers[best].Score == *whole.Answers[worst].Score || whole.Answers[best].Text == whole.Answers[worst].Text {
			continue
		}
		rs = append(rs, dataset.Record{
			Kind: dataset.Preference, Prompt: prompts[i].Prompt, Source: prompts[i].Source,
			Chosen: dataset.Text{Plain: whole.Answers[best].Text}, Rejected: dataset.Text{Plain: whole.Answers[worst].Text},
		})
	}
	return rs, cut
}
