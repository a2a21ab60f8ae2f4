package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/objective"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// lossFlags say what is learned from preferences.
type lossFlags struct {
	Loss        []string `json:"loss,omitempty" help:"Loss of a pair, or WEIGHT*LOSS+WEIGHT*LOSS: sigmoid (DPO), robust, ipo, hinge, kto, orpo, simpo, cpo, rpo, apo_zero, apo_down, aot, aot_unpaired, exo_pair, nca_pair, sppo_hard (default sigmoid)." placeholder:"NAME" sep:"+"`
	Beta        *float64 `json:"beta,omitempty" help:"How strongly the policy is held to the reference (default by loss: 0.1, simpo 2)." placeholder:"X"`
	Smoothing   *float64 `json:"label-smoothing,omitempty" name:"label-smoothing" help:"Probability that a label is wrong (default by loss)." placeholder:"X"`
	Gamma       *float64 `json:"gamma,omitempty" help:"Target margin of simpo (default 1)." placeholder:"X"`
	NLL         *float64 `json:"nll,omitempty" name:"nll" help:"Weight of the likelihood of chosen answers beside the loss (default by loss: 0; rpo, cpo and orpo 1)." placeholder:"X"`
	Average     *string  `json:"average,omitempty" help:"Log-probability of an answer: the sum or the mean over its tokens (default by loss)." enum:"sum,mean" placeholder:"sum|mean"`
	Desirable   *float64 `json:"desirable,omitempty" help:"Weight of thumbs up, kto (default 1)." placeholder:"X"`
	Undesirable *float64 `json:"undesirable,omitempty" help:"Weight of thumbs down, kto (default 1)." placeholder:"X"`
}

// preferFlags say which preferences are learned, and how many at a time.
type preferFlags struct {
	Batch      *int     `json:"batch,omitempty" help:"Preferences of a step (default: as many as fill --batch-tokens on average)." placeholder:"N"`
	TooLong    *string  `json:"too-long,omitempty" name:"too-long" help:"A prompt and answer longer than --context: drop, truncate-left (the prompt), truncate-right (the answer), error (default drop)." enum:"drop,truncate-left,truncate-right,error" placeholder:"POLICY"`
	HeldOut    *float64 `json:"held-out,omitempty" name:"held-out" help:"Share of the prompts that is measured on and not learned (default 0.1)." placeholder:"X"`
	Precompute bool     `json:"precompute-reference,omitempty" name:"precompute-reference" help:"Compute the log-probabilities under the reference once, before training, and keep no second copy of the model."`
}

// dpoFlags are the options of a run on preferences; see trainFlags.
type dpoFlags struct {
	postFlags
	lossFlags
	preferFlags
	onlineFlags
	answerFlags
}

// dpoOptions are dpoFlags, and those of rlaif, with every field known.
type dpoOptions struct {
	postOptions
	Loss        []string `json:"loss"`
	Beta        *float64 `json:"beta,omitempty"` // nil: by loss, as the others
	Smoothing   *float64 `json:"label-smoothing,omitempty"`
	Gamma       *float64 `json:"gamma,omitempty"`
	NLL         *float64 `json:"nll,omitempty"`
	Average     string   `json:"average,omitempty"`
	Desirable   *float64 `json:"desirable,omitempty"`
	Undesirable *float64 `json:"undesirable,omitempty"`
	Batch       int      `json:"batch,omitempty"` // 0: by the tokens of a step
	TooLong     string   `json:"too-long"`
	HeldOut     float64  `json:"held-out"`
	Precompute  bool     `json:"precompute-reference,omitempty"`
	onlineOptions
	answerOptions
	Method string `json:"method,omitempty"` // of rlaif
}

type dpoCmd struct {
	dpoFlags
	postCmd
	judgeFlags
}

// Help is shown below the flags.
func (c *dpoCmd) Help() string {
	return `Learns from preferences without a reward model: records with prompt, chosen and
rejected (JSON Lines, JSON, Parquet; HH-RLHF, OpenAssistant trees, judged pairs), or
with a thumb for kto, apo_zero and sppo_hard. The reference is the model as it was:
a second copy of the weights, with --lora the weights below the adapter, with
--precompute-reference its log-probabilities; orpo, simpo and cpo have none. Part of
the prompts is held out, and panel.html in --out shows what became of the
probabilities of chosen and rejected answers, and what that means.

With --online the data are prompts: in every round the model answers --round-prompts
of them --n times, a judge or rewards grade the answers, and the best and the worst
to each prompt are learned from for --round-steps steps.

` + rewardProtocol + `

Examples:

    foundling dpo --model tuned --data pairs.jsonl --out preferred
    foundling dpo --model tuned --data pairs.jsonl --loss rpo --beta 0.3 --lora 16 --out adapter
    foundling dpo --model tuned --data thumbs.jsonl --loss kto --out preferred
    foundling dpo --model tuned --data prompts.txt --online --reward verifier:go-parse --steps 64 --out better`
}

// dpoRate is the default learning rate as a share of that of pre-training.
const dpoRate = 0.05

// dpoRun is a run of dpo or rlaif in its directory.
type dpoRun struct {
	postRun[dpoOptions]
	f *preferFlags
	j *judgeFlags

	losses     []posttrain.WeightedLoss
	data, held []posttrain.Preferred
	prompts    []dataset.Record // of --online
	reader     *posttrain.PreferenceReader
	frozen     *bundle.Bundle // the reference, if it is a second copy
	judged     *posttrain.JudgeReport
}

// Run is the command: read preferences, train on them, say what became of them.
func (c *dpoCmd) Run(ctx context.Context) error {
	r := &dpoRun{f: &c.preferFlags, j: &c.judgeFlags}
	if err := c.absolutePaths(); err != nil {
		return err
	}
	return r.run(ctx, &c.postCmd, postMethod[dpoOptions]{
		command: "dpo", unit: "preferences", flags: &c.postFlags, given: &c.dpoFlags, rate: dpoRate,
		defaults: dpoDefaults(),
		frame:    func(o *dpoOptions) *postOptions { return &o.postOptions },
		resolve: func() error {
			if err := r.resolve(); err != nil {
				return err
			}
			return r.resolveOnline(&c.onlineFlags, &c.answerFlags)
		},
		stages: []func(context.Context) error{r.read, r.prefer, r.report},
	})
}

func dpoDefaults() dpoOptions {
	return dpoOptions{
		postOptions: postOptions{Epochs: 3, trainOptions: newTrainOptions()},
		Loss:        []string{"sigmoid"}, TooLong: string(posttrain.DropLong), HeldOut: 0.1,
	}
}

// resolve fills in and checks the options that other methods do not have.
func (r *dpoRun) resolve() error {
	o := &r.Options
	losses, err := o.losses()
	if err != nil {
		return err
	}
	referred := slices.ContainsFunc(losses, func(l posttrain.WeightedLoss) bool { return l.Preference.Reference })
	switch {
	case r.f.Precompute && !referred:
		return fmt.Errorf("--precompute-reference: %s has no reference", strings.Join(o.Loss, ", "))
	case o.ZLoss != 0:
		return errors.New("--z-loss is of language modelling: dpo has none")
	case r.f.Batch != nil && o.Batch <= 0:
		return fmt.Errorf("--batch is %d: it must be positive", o.Batch)
	case !(o.HeldOut >= 0 && o.HeldOut < 1):
		return fmt.Errorf("--held-out is %g: it must lie in [0, 1)", o.HeldOut)
	}
	return nil
}

// losses are those of --loss. An option given as 0 is off, where the loss has
// another default.
func (o *dpoOptions) losses() ([]posttrain.WeightedLoss, error) {
	value := func(x *float64, zero float64) float64 {
		switch {
		case x == nil:
			return 0
		case *x == 0:
			return zero
		}
		return *x
	}
	p := objective.PreferenceOptions{
		Beta: value(o.Beta, objective.Off), Smoothing: value(o.Smoothing, objective.Off), Gamma: value(o.Gamma, objective.Off), NLL: value(o.NLL, objective.Off),
		Desirable: value(o.Desirable, objective.Off), Undesirable: value(o.Undesirable, objective.Off),
		Averaging: map[string]objective.Averaging{"sum": objective.Sum, "mean": objective.Mean}[o.Average],
	}
	var out []posttrain.WeightedLoss
	for _, spec := range o.Loss {
		weight, name := 1.0, strings.TrimSpace(spec)
		if w, rest, ok := strings.Cut(name, "*"); ok {
			var err error
			if weight, err = strconv.ParseFloat(strings.TrimSpace(w), 64); err != nil || !(weight > 0) {
				return nil, fmt.Errorf("--loss %s: want WEIGHT*NAME, with a weight above 0", spec)
			}
			name = strings.TrimSpace(rest)
		}
		l, err := objective.NewPreference(name, p)
		if err != nil {
			return nil, fmt.Errorf("--loss: %w", err)
		}
		out = append(out, posttrain.WeightedLoss{Preference: l, Weight: weight})
	}
	if len(out) == 0 {
		return nil, errors.New("--loss names no loss")
	}
	return out, nil
}
