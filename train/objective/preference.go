package objective

import (
	"fmt"
	"math"
	"strings"
)

// Averaging says how the log-probability of a completion is made of its tokens'.
type Averaging int

const (
	ByMethod Averaging = iota // as the method's row of the table has it
	Sum                       // log-probability of the completion
	Mean                      // per token
)

// PreferenceMethod is a row of the table of preference losses.
type PreferenceMethod struct {
	Name   string
	Title  string // one line: what the loss is
	Source string // paper and equation

	Reference bool // needs log-probabilities under the reference
	Average   bool // on means over tokens, not on sums
	Unpaired  bool // takes single completions with a thumb, too
	Batch     bool // sorts within a batch: all pairs of a step belong into one call
	Baseline  bool // wants the KL baseline of the batch (Pairs.Baseline)
	Smooth    bool // has label smoothing

	Beta, Smoothing, Gamma, NLL float64 // defaults

	pair   func(a, b float64, o *PreferenceOptions, baseline float64) (loss, da, db float64)
	single func(a float64, good bool, o *PreferenceOptions, baseline float64) (loss, da float64)
	sorted func(p Pairs, a, b []float64, o *PreferenceOptions) (loss, da, db []float64)
}

// PreferenceMethods is the table, in the order in which documents list it. Names
// are those of TRL, where it has the method.
func PreferenceMethods() []PreferenceMethod {
	return []PreferenceMethod{
		{Name: "sigmoid", Title: "DPO; with smoothing the conservative cDPO", Source: "Rafailov et al. 2023, arXiv 2305.18290, eq. 7", Reference: true, Smooth: true, Beta: 0.1, pair: sigmoidLoss},
		{Name: "robust", Title: "DPO, unbiased under flipped labels of the rate given as smoothing", Source: "Chowdhury et al. 2024, arXiv 2403.00409, section 3", Reference: true, Smooth: true, Beta: 0.1, Smoothing: 0.1, pair: robustLoss},
		{Name: "ipo", Title: "squared distance of the margin from 1/(2 beta)", Source: "Azar et al. 2023, arXiv 2310.12036, eq. 17", Reference: true, Average: true, Beta: 0.1, pair: ipoLoss},
		{Name: "hinge", Title: "SLiC's hinge on the margin over the reference", Source: "Zhao et al. 2023, arXiv 2305.10425; Liu et al. 2023, arXiv 2309.06657", Reference: true, Beta: 0.1, pair: hingeLoss},
		{Name: "kto", Title: "gains and losses against a reference point, thumbs suffice", Source: "Ethayarajh et al. 2024, arXiv 2402.01306, section 4.1", Reference: true, Unpaired: true, Baseline: true, Beta: 0.1, single: ktoLoss},
		{Name: "orpo", Title: "odds ratio beside SFT, no reference", Source: "Hong et al. 2024, arXiv 2403.07691, eq. 6", Average: true, Beta: 0.1, NLL: 1, pair: orpoLoss},
		{Name: "simpo", Title: "mean log-probability with a target margin, no reference", Source: "Meng et al. 2024, arXiv 2405.14734, eq. 6", Average: true, Smooth: true, Beta: 2, Gamma: 1, pair: simpoLoss},
		{Name: "cpo", Title: "DPO with a uniform reference beside SFT", Source: "Xu et al. 2024, arXiv 2401.08417, section 3", Smooth: true, Beta: 0.1, NLL: 1, pair: sigmoidLoss},
		{Name: "rpo", Title: "DPO beside SFT of the chosen", Source: "Pang et al. 2024, arXiv 2404.19733, eq. 1", Reference: true, Smooth: true, Beta: 0.1, NLL: 1, pair: sigmoidLoss},
		{Name: "apo_zero", Title: "raises the chosen, lowers the rejected", Source: "D'Oosterlinck et al. 2024, arXiv 2408.06266, eq. 7", Reference: true, Unpaired: true, Beta: 0.1, single: apoZeroLoss},
		{Name: "apo_down", Title: "lowers both, the rejected more", Source: "D'Oosterlinck et al. 2024, arXiv 2408.06266, eq. 8", Reference: true, Beta: 0.1, pair: apoDownLoss},
		{Name: "aot", Title: "the distribution of margins dominates the reference's", Source: "Melnyk et al. 2024, arXiv 2406.05882, section 3", Reference: true, Batch: true, Smooth: true, Beta: 0.1, sorted: aotLoss},
		{Name: "aot_unpaired", Title: "the distribution of chosen rewards dominates that of rejected ones", Source: "Melnyk et al. 2024, arXiv 2406.05882, section 3", Reference: true, Batch: true, Smooth: true, Beta: 0.1, sorted: aotUnpairedLoss},
		{Name: "exo_pair", Title: "reverse KL from the smoothed labels", Source: "Ji et al. 2024, arXiv 2402.00856, eq. 16", Reference: true, Smooth: true, Beta: 0.1, Smoothing: 1e-3, pair: exoLoss},
		{Name: "nca_pair", Title: "noise contrast that keeps the chosen likely", Source: "Chen et al. 2024, arXiv 2402.05369", Reference: true, Beta: 0.1, pair: ncaLoss},
		{Name: "sppo_hard", Title: "self-play: log-ratios towards +1/(2 beta) and -1/(2 beta)", Source: "Wu et al. 2024, arXiv 2405.00675, eq. 4.7", Reference: true, Unpaired: true, Beta: 0.1, single: sppoLoss},
	}
}

// PreferenceOptions of a loss. Zero fields take the method's row of the table.
type PreferenceOptions struct {
	Beta      float64   // strength of the reference; ORPO: weight of the odds ratio
	Smoothing float64   // probability that a label is wrong, in [0, 0.5); Off: 0
	Gamma     float64   // target margin of SimPO, in units of reward; Off: none
	NLL       float64   // weight of the negative log-likelihood per token of the chosen; Off: none
	Averaging Averaging // of log-probabilities over tokens
	// KTO's weights of completions with thumb up and down; 0: 1. The paper wants
	// their ratio times the ratio of the counts in [1, 4/3].
	Desirable, Undesirable float64
}

// Off switches an option off that has another default.
const Off = -1

// Preference is one loss with its options.
type Preference struct {
	PreferenceMethod
	o PreferenceOptions
}

// NewPreference is the loss of that name. It names the first impossible option.
func NewPreference(name string, o PreferenceOptions) (*Preference, error) {
	var names []string
	for _, m := range PreferenceMethods() {
		if m.Name == name {
			p := &Preference{PreferenceMethod: m, o: o}
			return p, p.resolve()
		}
		names = append(names, m.Name)
	}
	return nil, fmt.Errorf("no preference loss is named %q: there are %s", name, strings.Join(names, ", "))
}

// resolve fills in defaults and checks.
func (p *Preference) resolve() error {
	o := &p.o
	if o.Smoothing != 0 && !p.Smooth && o.Smoothing != Off {
		return fmt.Errorf("label smoothing %g: %s has none", o.Smoothing, p.Name)
	}
	if (o.Desirable != 0 || o.Undesirable != 0) && p.Name != "kto" {
		return fmt.Errorf("weights of thumbs up and down: only kto has them, not %s", p.Name)
	}
	if o.Gamma != 0 && o.Gamma != Off && p.Gamma == 0 {
		return fmt.Errorf("gamma %g: only simpo has a target margin, not %s", o.Gamma, p.Name)
	}
	for _, f := range []struct {
		x   *float64
		def float64
	}{{&o.Beta, p.Beta}, {&o.Smoothing, p.Smoothing}, {&o.Gamma, p.Gamma}, {&o.NLL, p.NLL}, {&o.Desirable, 1}, {&o.Undesirable, 1}} {
		if *f.x == 0 {
			*f.x = f.def
		} else if *f.x == Off && f.x != &o.Beta {
			*f.x = 0
		}
	}
	switch {
	case !(o.Beta > 0) || math.IsInf(o.Beta, 0):
		return fmt.Errorf("beta is %g: it must be positive", o.Beta)
	case !(o.Smoothing >= 0 && o.Smoothing < 0.5):
		return fmt.Errorf("label smoothing is %g: it is the probability of a wrong label, in [0, 0.5)", o.Smoothing)
	case p.Name == "exo_pair" && o.Smoothing == 0:
		return fmt.Errorf("exo_pair needs label smoothing above 0: without it its loss is infinite")
	case p.sorted != nil && o.Averaging == Mean:
		return fmt.Errorf("%s compares log-probabilities of whole completions: it has no mean over tokens", p.Name)
	case !(o.Gamma >= 0) || !(o.NLL >= 0) || !(o.Desirable >= 0) || !(o.Undesirable >= 0):
		return fmt.Errorf("gamma %g, weight of the likelihood %g, weights of thumbs %g and %g: none may be negative", o.Gamma, o.NLL, o.Desirable, o.Undesirable)
	}
	switch o.Averaging {
	case Sum:
		p.Average = false
	case Mean:
		p.Average = true
	}
	return nil
}

// Options are the options with defaults filled in.
func (p *Preference) Options() PreferenceOptions { return p.o }

// Pairs are completions of the same prompts, chosen and rejected: sums of the
// log-probabilities of their tokens. References may be nil where the method needs
// none. Lengths, in tokens, are positive; they may be nil where neither Average
// nor the likelihood wants them.
type Pairs struct {
	Chosen, Rejected             []float64
	RefChosen, RefRejected       []float64
	ChosenLength, RejectedLength []int
	Baseline                     float64 // KL of policy and reference in nats, see Baseline
}

// PairLosses has one value a pair.
type PairLosses struct {
	Loss             []float64
	Chosen, Rejected []float64 // implicit rewards: beta times log-ratio (without reference: log-probability)
	// Gradients of the sum of Loss by the sums of log-probabilities. Each token's
	// log-probability has the gradient of its completion.
	GradChosen, GradRejected []float64
}

// Accuracy is the share of pairs whose chosen completion has the larger reward.
func (l PairLosses) Accuracy() float64 {
	var right float64
	for i := range l.Chosen {
		if l.Chosen[i] > l.Rejected[i] {
			right++
		}
	}
	return right / float64(len(l.Chosen))
}

// Pairs computes the loss of each pair. A method of single completions has the
// sum of both; TRL, which shows it the two as rows of a batch, has half the mean.
func (p *Preference) Pairs(s Pairs) PairLosses {
	n := len(s.Chosen)
	a := p.ratios(s.Chosen, s.RefChosen, s.ChosenLength)
	b := p.ratios(s.Rejected, s.RefRejected, s.RejectedLength)
	equal(p.Name, n, len(b))
	l := PairLosses{Loss: make([]float64, n), Chosen: scaled(a, p.o.Beta), Rejected: scaled(b, p.o.Beta),
		GradChosen: make([]float64, n), GradRejected: make([]float64, n)}
	switch {
	case p.sorted != nil:
		l.Loss, l.GradChosen, l.GradRejected = p.sorted(s, a, b, &p.o)
	case p.pair != nil:
		for i := range n {
			l.Loss[i], l.GradChosen[i], l.GradRejected[i] = p.pair(a[i], b[i], &p.o, s.Baseline)
		}
	default:
		for i := range n {
			up, da := p.single(a[i], true, &p.o, s.Baseline)
			down, db := p.single(b[i], false, &p.o, s.Baseline)
			l.Loss[i], l.GradChosen[i], l.GradRejected[i] = up+down, da, db
		}
	}
	p.unaverage(l.GradChosen, s.ChosenLength)
	p.unaverage(l.GradRejected, s.RejectedLength)
	p.likelihood(s.Chosen, s.ChosenLength, nil, l.Loss, l.GradChosen)
	return l
}

// Completions are single completions with a thumb: as Pairs otherwise.
type Completions struct {
	Policy, Reference []float64
	Length            []int
	Good              []bool
	Baseline          float64
}

// CompletionLosses has one value a completion, as PairLosses.
type CompletionLosses struct{ Loss, Reward, Grad []float64 }

// Completions computes the loss of each completion; the method must be Unpaired.
func (p *Preference) Completions(s Completions) CompletionLosses {
	if !p.Unpaired {
		panic("objective: " + p.Name + " wants pairs")
	}
	n := len(s.Policy)
	equal(p.Name, n, len(s.Good))
	a := p.ratios(s.Policy, s.Reference, s.Length)
	l := CompletionLosses{Loss: make([]float64, n), Reward: scaled(a, p.o.Beta), Grad: make([]float64, n)}
	for i := range n {
		l.Loss[i], l.Grad[i] = p.single(a[i], s.Good[i], &p.o, s.Baseline)
	}
	p.unaverage(l.Grad, s.Length)
	p.likelihood(s.Policy, s.Length, s.Good, l.Loss, l.Grad)
	return l
}

// ratios are log-ratios, or log-probabilities where there is no reference.
func (p *Preference) ratios(policy, reference []float64, length []int) []float64 {
	a := append([]float64(nil), policy...)
	if p.Reference {
		equal(p.Name+", policy and reference", len(policy), len(reference))
		for i := range a {
			a[i] -= reference[i]
		}
	}
	p.unaverage(a, length)
	return a
}

// unaverage divides by lengths where the method is on means: what turns sums into
// means turns the gradient of a mean into that of the sum.
func (p *Preference) unaverage(x []float64, length []int) {
	if !p.Average {
		return
	}
	equal(p.Name+", lengths", len(x), len(length))
	for i := range x {
		x[i] /= tokens(length[i])
	}
}

// likelihood adds the negative log-likelihood per token of completions that are
// good (nil: all). TRL averages over all tokens of a batch instead.
func (p *Preference) likelihood(policy []float64, length []int, good []bool, loss, grad []float64) {
	if p.o.NLL == 0 {
		return
	}
	equal(p.Name+", lengths", len(policy), len(length))
	for i, x := range policy {
		if good == nil || good[i] {
			w := p.o.NLL / tokens(length[i])
			loss[i] -= w * x
			grad[i] -= w
		}
	}
}

func tokens(n int) float64 {
	if n < 1 {
		panic(fmt.Sprintf("objective: a completion of %d tokens", n))
	}
	return float64(n)
}

func scaled(x []float64, by float64) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i] = by * x[i]
	}
	return y
}

// Baseline is KTO's reference point: the mean log-ratio of completions that belong
// to other prompts of the batch, at least 0 (Ethayarajh et al. 2024, section 4.1).
// It carries no gradient.
func Baseline(policy, reference []float64) float64 {
	equal("baseline", len(policy), len(reference))
	var sum float64
	for i := range policy {
		sum += policy[i] - reference[i]
	}
	return math.Max(0, sum/math.Max(1, float64(len(policy))))
}
