package posttrain

import (
	"math"
	"path/filepath"

	"github.com/foundling-lm/foundling/train"
)

// Figures of policy methods in metrics.jsonl. The names are TRL's where it has
// one. Those of a step stand in each step, those of a rollout in its first.
const (
	ApproxKL          = "policy/approxkl_avg" // half the mean square of the log-ratio of an action to the rollout's policy
	ClipFraction      = "policy/clipfrac_avg" // share of actions whose ratio is clipped
	Entropy           = "policy/entropy_avg"  // nats a token
	PolicyLoss        = "loss/policy_avg"
	ValueLoss         = "loss/value_avg" // before its coefficient
	ValueClipFraction = "val/clipfrac_avg"
	Ratio             = "val/ratio"     // mean of the actions' ratios to the rollout's policy
	RatioVar          = "val/ratio_var" // their variance in a micro-batch

	ObjectiveKL      = "objective/kl"               // from the reference, nats a completion
	ObjectiveEntropy = "objective/entropy"          // minus the log-probability of a completion
	NonScoreReward   = "objective/non_score_reward" // the divergence's part of the reward
	RLHFReward       = "objective/rlhf_reward"      // with the score
	Scores           = "objective/scores"           // less the penalty of what did not end
	NumEOS           = "val/num_eos_tokens"         // completions of the rollout that ended
	Episode          = "episode"                    // completions so far
	EPS              = "eps"                        // completions a second, of this process

	KLError     = "objective/kl_err"          // standard error of ObjectiveKL
	KLCoef      = "objective/kl_coef"         // of this rollout
	ScoresStd   = "objective/scores_std"      // deviation of the scores
	ZeroStd     = "frac_reward_zero_std"      // share of prompts all of whose completions have one score (of one each: all of the rollout)
	MeanLength  = "completions/mean_length"   // tokens
	Cut         = "completions/clipped_ratio" // share without an end token
	LengthScore = "completions/length_score"  // correlation of length and score
	Skipped     = "completions/skipped"       // share without a score
	Explained   = "val/explained_variance"    // of the returns, by the values of the rollout
	SamplerGap  = "sampling/logp_difference"  // mean distance of the engine's log-probabilities from the trainer's
	rolloutName = "rollout"                   // its number
	partPrefix  = "rewards/"                  // and the name of a term, and partSuffix
	partSuffix  = "/mean"

	TimeRollouts  = "time/rollouts" // seconds
	TimeRewards   = "time/rewards"
	TimeReference = "time/reference" // log-probabilities and values before the first update
	TimeSaving    = "time/saving"
	TimeBefore    = "time/before_updates" // all of these but the saving of checkpoints
)

type figure struct {
	name  string
	value float64
}

func metricsPath(dir string) string { return filepath.Join(dir, train.MetricsFile) }

// figuresOf are those of a rollout.
func (p *policyRun) figuresOf(r *Rollout) []figure {
	samples := r.scored()
	var kl, entropy, scores, lengths []float64
	ended := 0
	for _, s := range r.Samples {
		if s.Ended {
			ended++
		}
	}
	for _, s := range samples {
		kl = append(kl, sum(p.divergence(s)))
		entropy = append(entropy, -sum(s.LogProbs))
		scores = append(scores, p.scoreOf(s))
		lengths = append(lengths, float64(len(s.IDs)))
	}
	all := float64(len(r.Samples))
	klMean, klDev := meanDeviation(kl)
	scoreMean, scoreDev := meanDeviation(scores)
	length, _ := meanDeviation(lengths)
	entropyMean, _ := meanDeviation(entropy)
	nonScore := 0.0
	if p.method.InReward {
		nonScore = -r.State.KL.Coef * klMean
	}
	out := []figure{
		{rolloutName, float64(r.Number)}, {Episode, float64(r.Number+1) * all},
		{ObjectiveEntropy, entropyMean}, {NonScoreReward, nonScore}, {Scores, scoreMean}, {ScoresStd, scoreDev}, {RLHFReward, scoreMean + nonScore},
		{NumEOS, float64(ended)}, {Cut, 1 - float64(ended)/all}, {MeanLength, length}, {LengthScore, correlation(lengths, scores)},
		{Skipped, 1 - float64(len(samples))/all}, {ZeroStd, p.zeroStd(r)}, {SamplerGap, r.Gap},
	}
	if p.Reference.known() {
		out = append(out, figure{ObjectiveKL, klMean}, figure{KLError, klDev / math.Sqrt(math.Max(1, float64(len(samples))))}, figure{KLCoef, r.State.KL.Coef})
	}
	for i, t := range p.Rewards {
		part := 0.0
		for _, s := range samples {
			part += s.Parts[i] / float64(len(samples))
		}
		out = append(out, figure{partPrefix + t.Name + partSuffix, part})
	}
	if p.method.Critic {
		out = append(out, figure{Explained, p.explained(r, samples)})
	}
	return out
}

// zeroStd is the share of prompts all of whose completions have one score; with one
// completion a prompt, 1 if all of the rollout have.
func (p *policyRun) zeroStd(r *Rollout) float64 {
	n := p.Completions
	if n == 1 {
		n = len(r.Samples)
	}
	groups, zero := r.groups(n), 0
	for _, g := range groups {
		same := true
		for _, s := range g {
			same = same && s.Score == g[0].Score
		}
		if same {
			zero++
		}
	}
	return float64(zero) / float64(max(1, len(groups)))
}

// explained is the share of the variance of returns that values account for.
func (p *policyRun) explained(r *Rollout, samples []*Sample) float64 {
	var returns, rest []float64
	for _, s := range samples {
		for t, x := range r.learned[s].returns {
			returns, rest = append(returns, x), append(rest, x-s.Values[t])
		}
	}
	_, dev := meanDeviation(returns)
	_, left := meanDeviation(rest)
	if dev == 0 {
		return 0
	}
	return 1 - left*left/(dev*dev)
}

// gap is the mean distance of log-probabilities, 0 at another temperature than 1:
// the engine's are the model's, without it.
func gap(samples []*Sample, engine [][]float64, temperature float64) float64 {
	if temperature != 1 {
		return 0
	}
	d, n := 0.0, 0
	for i, s := range samples {
		for t, x := range s.LogProbs {
			d += math.Abs(x - engine[i][t])
			n++
		}
	}
	return d / float64(max(1, n))
}

// meanDeviation are the mean and the deviation of a sample, 0 for fewer than two.
func meanDeviation(x []float64) (mean, deviation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		deviation += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(deviation / math.Max(1, float64(len(x)-1)))
}

// correlation is Pearson's, 0 where one of the two does not vary.
func correlation(x, y []float64) float64 {
	mx, dx := meanDeviation(x)
	my, dy := meanDeviation(y)
	if dx == 0 || dy == 0 {
		return 0
	}
	s := 0.0
	for i := range x {
		s += (x[i] - mx) * (y[i] - my)
	}
	return s / (float64(len(x)-1) * dx * dy)
}

// Summary is the figures of one rollout: those of its first step, and the means
// over its steps.
type Summary struct {
	Rollout, Steps int
	First, Mean    map[string]float64
	Loss, LR       float64 // means
	Seconds        float64 // of all its steps, the rollout included
}

// Summaries reads the log of a run rollout by rollout.
func Summaries(log []train.Metrics) (out []Summary) {
	for _, m := range log {
		out = AddSummary(out, m)
	}
	return out
}

// AddSummary takes in one step more.
func AddSummary(rollouts []Summary, m train.Metrics) []Summary {
	if number, ok := m.Extra[rolloutName]; ok {
		rollouts = append(rollouts, Summary{Rollout: int(number), First: m.Extra, Mean: map[string]float64{}})
	}
	if len(rollouts) == 0 {
		return nil
	}
	s := &rollouts[len(rollouts)-1]
	s.Steps++
	s.Seconds += m.Seconds
	s.Loss += (m.Loss - s.Loss) / float64(s.Steps)
	s.LR += (m.LR - s.LR) / float64(s.Steps)
	for name, x := range m.Extra {
		s.Mean[name] += (x - s.Mean[name]) / float64(s.Steps)
	}
	return rollouts
}

// Spent is where the seconds of a run went.
type Spent struct {
	Rollouts  float64 `json:"rollouts"`
	Rewards   float64 `json:"rewards"`
	Reference float64 `json:"reference"` // log-probabilities and values before updates
	Updates   float64 `json:"updates"`
	Saving    float64 `json:"saving"`
}

// Total is all of it.
func (s Spent) Total() float64 { return s.Rollouts + s.Rewards + s.Reference + s.Updates + s.Saving }

// SpentOn adds up rollouts.
func SpentOn(rollouts []Summary) (s Spent) {
	for _, r := range rollouts {
		s.Rollouts += r.First[TimeRollouts]
		s.Rewards += r.First[TimeRewards]
		s.Reference += r.First[TimeReference]
		s.Saving += r.First[TimeSaving]
		s.Updates += max(0, r.Seconds-r.First[TimeBefore])
	}
	return s
}
