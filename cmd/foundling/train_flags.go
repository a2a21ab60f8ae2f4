package main

import (
	"fmt"
	"math"
	"time"

	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
)

// trainFlags are the options of all training. One that is not set takes its
// default in a new run, and what run.json says in one that goes on.
type trainFlags struct {
	BatchTokens *int     `json:"batch-tokens,omitempty" help:"Tokens of an optimizer step (default: 2048, in whole sequences)." placeholder:"N"`
	Accumulate  *int     `json:"accumulate,omitempty" help:"Micro-batches of a step (default: as many as keep one at 16384 tokens)." placeholder:"N"`
	Steps       *int     `json:"steps,omitempty" help:"Optimizer steps." placeholder:"N"`
	Optimizer   *string  `json:"optimizer,omitempty" help:"Optimizer of hidden matrices (default muon)." placeholder:"muon|adamw"`
	LR          *float64 `json:"lr,omitempty" name:"lr" help:"Peak learning rate (default: by optimizer and width)." placeholder:"X"`
	Schedule    *string  `json:"schedule,omitempty" help:"wsd: constant, then a linear cooldown (default wsd)." placeholder:"wsd|cosine|constant"`
	Warmup      *int     `json:"warmup,omitempty" help:"Steps of rising rate (default: 2 in 100, at most 200)." placeholder:"N"`
	Cooldown    *int     `json:"cooldown,omitempty" help:"Last steps of falling rate, wsd (default: 9 in 10)." placeholder:"N"`
	WeightDecay *float64 `json:"weight-decay,omitempty" help:"Decay of matrices per unit of learning rate (default 0)." placeholder:"X"`
	Clip        *float64 `json:"clip,omitempty" help:"Largest norm of the gradient (default 1)." placeholder:"X"`
	Dropout     *float64 `json:"dropout,omitempty" help:"Probability of dropout (default 0)." placeholder:"X"`
	ZLoss       *float64 `json:"z-loss,omitempty" name:"z-loss" help:"Coefficient of the square of the log partition function (default 0)." placeholder:"X"`
	Seed        *uint64  `json:"seed,omitempty" help:"Of weights, order and dropout (default 1)." placeholder:"N"`
}

// trainOptions are trainFlags with every field known.
type trainOptions struct {
	BatchTokens int     `json:"batch-tokens"`
	Accumulate  int     `json:"accumulate"`
	Steps       int     `json:"steps"` // 0: not yet known
	Optimizer   string  `json:"optimizer"`
	LR          float64 `json:"lr"`
	Schedule    string  `json:"schedule"`
	Warmup      int     `json:"warmup"`   // -1: by the steps
	Cooldown    int     `json:"cooldown"` // -1: by the steps
	WeightDecay float64 `json:"weight-decay"`
	Clip        float64 `json:"clip"`
	Dropout     float64 `json:"dropout"`
	ZLoss       float64 `json:"z-loss"`
	Seed        uint64  `json:"seed"`

	Kernels   string `json:"kernels"` // other sets round differently
	Precision string `json:"precision"`
}

// Defaults; the rates were found by the experiments in LOG.md.
const (
	stepTokens  = 2048  // tokens of a step
	microTokens = 16384 // tokens of a micro-batch, at most
	peakRate    = 7e-3  // at peakWidth, falling with the square root of the width
	peakWidth   = 256
)

// newTrainOptions are the defaults.
func newTrainOptions() trainOptions {
	return trainOptions{Optimizer: "muon", Schedule: "wsd", Warmup: -1, Cooldown: -1, Clip: 1, Seed: 1}
}

// resolve fills in and checks what the flags f leave open, for sequences of the
// given context in a model of the given width.
func (o *trainOptions) resolve(f *trainFlags, context, width int) error {
	if err := o.batches(f, context); err != nil {
		return err
	}
	if f.LR == nil {
		o.LR = peakRate * math.Sqrt(peakWidth/float64(width))
	}
	switch {
	case f.Steps != nil && *f.Steps <= 0:
		return fmt.Errorf("--steps is %d: it must be positive", *f.Steps)
	case f.Warmup != nil && *f.Warmup < 0:
		return fmt.Errorf("--warmup is %d: it must not be negative", *f.Warmup)
	case f.Cooldown != nil && *f.Cooldown < 0:
		return fmt.Errorf("--cooldown is %d: it must not be negative", *f.Cooldown)
	case !(o.LR > 0 && o.LR < 100):
		return fmt.Errorf("--lr is %g: it must be positive (and below 100)", o.LR)
	case !(o.Clip > 0):
		return fmt.Errorf("--clip is %g: it must be positive", o.Clip)
	}
	// Whatever else training knows to be impossible, with steps for those that
	// are not known yet.
	t := o.train()
	t.Schedule.Steps, t.Schedule.Warmup, t.Schedule.Cooldown = max(1, o.Steps), max(0, o.Warmup), max(0, o.Cooldown)
	if err := t.Validate(); err != nil {
		return fmt.Errorf("--%w", err)
	}
	return nil
}

// batches fills in and checks the tokens of a step.
func (o *trainOptions) batches(f *trainFlags, context int) error {
	if f.BatchTokens == nil {
		o.BatchTokens = max(1, stepTokens/context) * context
		if f.Accumulate != nil {
			o.BatchTokens *= max(1, *f.Accumulate)
		}
	}
	if o.BatchTokens < context {
		return fmt.Errorf("--batch-tokens %d is less than --context %d: a step needs at least one whole sequence", o.BatchTokens, context)
	}
	if f.Accumulate == nil {
		o.Accumulate = 1
		for rows := o.BatchTokens / context; o.BatchTokens/o.Accumulate > microTokens && o.Accumulate < rows; {
			o.Accumulate++
			for rows%o.Accumulate != 0 {
				o.Accumulate++
			}
		}
	}
	if o.Accumulate <= 0 {
		return fmt.Errorf("--accumulate is %d: it must be positive", o.Accumulate)
	}
	if unit := context * o.Accumulate; o.BatchTokens%unit != 0 {
		return fmt.Errorf("--batch-tokens %d is no multiple of --context %d times --accumulate %d: use %d",
			o.BatchTokens, context, o.Accumulate, max(1, o.BatchTokens/unit)*unit)
	}
	return nil
}

// schedule fills in the steps that follow from those of the run.
func (o *trainOptions) schedule() {
	if o.Warmup < 0 {
		o.Warmup = min(200, o.Steps/50)
	}
	if o.Cooldown < 0 {
		o.Cooldown = max(1, o.Steps*9/10)
	}
}

// train is what the training loop is told.
func (o *trainOptions) train() train.Options {
	return train.Options{
		Optimizer: optim.Options{Name: o.Optimizer, WeightDecay: o.WeightDecay},
		Schedule:  optim.Schedule{Kind: o.Schedule, Peak: o.LR, Warmup: o.Warmup, Steps: o.Steps, Cooldown: o.Cooldown},
		Clip:      o.Clip, ZLoss: o.ZLoss, Dropout: o.Dropout, Seed: o.Seed,
	}
}

// span is a duration that reads and writes as text.
type span time.Duration

// UnmarshalText reads "90s" or "1h30m".
func (s *span) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	*s = span(d)
	return err
}

// MarshalText is the opposite.
func (s span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }
