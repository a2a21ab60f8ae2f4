package posttrain

import (
	"fmt"
	"math"
)

// Finding is a known fault of learning from samples, seen in the figures.
type Finding struct {
	Name    string `json:"name"`
	Rollout int    `json:"rollout"` // at which it was seen first
	What    string `json:"what"`    // what the figures say
	Do      string `json:"do"`      // what it comes from, or helps
}

// String is the finding in words.
func (f Finding) String() string {
	return fmt.Sprintf("%s (rollout %d): %s. %s.", f.Name, f.Rollout, f.What, f.Do)
}

// Names of findings.
const (
	KLNegative      = "negative KL"
	KLExploding     = "exploding KL"
	RatioNotOne     = "ratio is not 1"
	SamplerDiffers  = "sampler is not the policy"
	LengthHacking   = "reward by length"
	EntropyCollapse = "entropy collapse"
	ValueStuck      = "value loss does not fall"
	NoEnds          = "no end tokens"
	EqualRewards    = "equal rewards"
	RewardsMissing  = "rewards are missing"
)

// Bounds of findings.
const (
	klErrors       = 4    // standard errors below 0
	klFloor        = 0.05 // nats a completion below which a negative mean is rounding
	klPerToken     = 0.5  // nats a token that no useful policy is away from its reference
	klOverTarget   = 4    // times the target of an adaptive coefficient
	ratioBound     = 1e-6
	gapBound       = 0.02 // nats a token
	lengthRise     = 1.3  // of the mean length, since the beginning
	lengthScore    = 0.5  // correlation
	entropyShare   = 0.1  // of the first rollout's
	valueRollouts  = 8    // before the critic is judged
	valueShare     = 0.75 // of the early loss that the late one must undercut
	valueExplained = 0.1  // of the variance: less is nothing learned
	equalShare     = 0.9  // of prompts whose completions have one score
	missingShare   = 0.05 // of completions without a score
)

var checks = []func([]Summary) *Finding{
	negativeKL, explodingKL, ratioNotOne, samplerDiffers, lengthHacking,
	entropyCollapse, valueStuck, noEnds, equalRewards, rewardsMissing,
}

// DiagnoseLast looks for known faults at the last of a run's rollouts, in order.
func DiagnoseLast(rollouts []Summary) (out []Finding) {
	if len(rollouts) == 0 {
		return nil
	}
	for _, check := range checks {
		if f := check(rollouts); f != nil {
			f.Rollout = last(rollouts).Rollout
			out = append(out, *f)
		}
	}
	return out
}

// Diagnose looks for known faults at all rollouts. Each is given once, where it is
// seen first.
func Diagnose(rollouts []Summary) (out []Finding) {
	seen := map[string]bool{}
	for n := range rollouts {
		for _, f := range DiagnoseLast(rollouts[:n+1]) {
			if !seen[f.Name] {
				seen[f.Name] = true
				out = append(out, f)
			}
		}
	}
	return out
}

func last(r []Summary) Summary { return r[len(r)-1] }

func negativeKL(r []Summary) *Finding {
	kl, err := last(r).First[ObjectiveKL], last(r).First[KLError]
	if kl >= -klFloor || kl >= -klErrors*err {
		return nil
	}
	return &Finding{Name: KLNegative,
		What: fmt.Sprintf("the divergence from the reference is %.3g ± %.2g nats a completion, and a divergence is never below 0", kl, err),
		Do:   "The completions do not come from the policy that is measured: check top-k, top-p and temperature, and that the reference is the model the run began with"}
}

func explodingKL(r []Summary) *Finding {
	kl, length, coef := last(r).First[ObjectiveKL], last(r).First[MeanLength], last(r).First[KLCoef]
	if length == 0 || kl/length < klPerToken {
		return nil
	}
	return &Finding{Name: KLExploding,
		What: fmt.Sprintf("the policy is %.3g nats a completion away from the reference, %.2g a token (coefficient %.3g)", kl, kl/length, coef),
		Do:   "Scores at such a distance mean little: lower --lr, raise --kl, give --kl-target, or read each rollout fewer times (--epochs, --stop-kl)"}
}

func ratioNotOne(r []Summary) *Finding {
	ratio, variance := last(r).First[Ratio], last(r).First[RatioVar]
	_, known := last(r).First[Ratio]
	if !known || math.Abs(ratio-1) <= ratioBound && variance <= ratioBound*ratioBound {
		return nil
	}
	return &Finding{Name: RatioNotOne,
		What: fmt.Sprintf("before the first update of a rollout the ratio to its policy is %.6g with variance %.2g, not 1", ratio, variance),
		Do:   "The log-probabilities of the rollout are of other weights or another computation: dropout, weights changed from outside, a rollout of another run"}
}

func samplerDiffers(r []Summary) *Finding {
	gap := last(r).First[SamplerGap]
	if gap <= gapBound {
		return nil
	}
	return &Finding{Name: SamplerDiffers,
		What: fmt.Sprintf("the engine's log-probabilities are %.2g nats a token away from the trainer's", gap),
		Do:   "What is sampled is not what is trained: use one precision for both and an exact cache"}
}

func lengthHacking(r []Summary) *Finding {
	first, now := r[0].First, last(r).First
	longer, better := now[MeanLength] > lengthRise*first[MeanLength], now[Scores] > first[Scores]
	if len(r) < 2 || !longer || !better || now[LengthScore] < lengthScore {
		return nil
	}
	return &Finding{Name: LengthHacking,
		What: fmt.Sprintf("completions grew from %.3g to %.3g tokens, and length and score are correlated by %.2f", first[MeanLength], now[MeanLength], now[LengthScore]),
		Do:   "The reward may pay for length: add a term such as -0.01*length or overlong:N, or repair the reward"}
}

func entropyCollapse(r []Summary) *Finding {
	first, now := r[0].First[Entropy], last(r).First[Entropy]
	if len(r) < 2 || now >= entropyShare*first {
		return nil
	}
	return &Finding{Name: EntropyCollapse,
		What: fmt.Sprintf("the policy's entropy fell from %.3g to %.3g nats a token: it says the same again and again", first, now),
		Do:   "Nothing new is tried any more: lower --lr, raise --kl or --clip-high, or stop earlier"}
}

func valueStuck(r []Summary) *Finding {
	if _, critic := last(r).First[Explained]; !critic || len(r) < valueRollouts {
		return nil
	}
	third := len(r) / 3
	mean := func(part []Summary) (loss, explained float64) {
		for _, s := range part {
			loss += s.Mean[ValueLoss] / float64(len(part))
			explained += s.First[Explained] / float64(len(part))
		}
		return loss, explained
	}
	early, _ := mean(r[:third])
	late, explained := mean(r[len(r)-third:])
	if late < valueShare*early || explained > valueExplained || late == 0 {
		return nil
	}
	return &Finding{Name: ValueStuck,
		What: fmt.Sprintf("the critic's loss went from %.3g to %.3g, and it accounts for %.0f %% of the variance of the returns", early, late, 100*explained),
		Do:   "Advantages are mostly noise: raise --value-coef or --lr, widen --value-clip to the size of the rewards, or use a method without a critic (foundling grpo)"}
}

func noEnds(r []Summary) *Finding {
	if n, known := last(r).First[NumEOS]; !known || n > 0 {
		return nil
	}
	return &Finding{Name: NoEnds,
		What: "no completion of the rollout ended by itself",
		Do:   "Raise --max-tokens, give --end-penalty, and check that the model has learned its end token (foundling sft)"}
}

func equalRewards(r []Summary) *Finding {
	now := last(r).First
	if now[ZeroStd] < equalShare {
		return nil
	}
	return &Finding{Name: EqualRewards,
		What: fmt.Sprintf("for %.0f %% of the prompts all completions have the same score (mean %.3g)", 100*now[ZeroStd], now[Scores]),
		Do:   "There is nothing to choose between: prompts are too hard or too easy, or the reward is too coarse; add partial credit, other prompts or a higher --temperature"}
}

func rewardsMissing(r []Summary) *Finding {
	share := last(r).First[Skipped]
	if share <= missingShare {
		return nil
	}
	return &Finding{Name: RewardsMissing,
		What: fmt.Sprintf("%.0f %% of the completions have no reward and were left out", 100*share),
		Do:   "See the reasons in the output, and repair the service or command that gives it"}
}
