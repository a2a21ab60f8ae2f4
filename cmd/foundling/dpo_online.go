package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// onlineFlags are the options of --online.
type onlineFlags struct {
	Online       bool `json:"online,omitempty" help:"Make the preferences on the way: --data are prompts, which the model answers."`
	RoundPrompts *int `json:"round-prompts,omitempty" name:"round-prompts" help:"Prompts of a round, --online (default 32)." placeholder:"N"`
	RoundSteps   *int `json:"round-steps,omitempty" name:"round-steps" help:"Steps of a round, --online (default: as many as see each prompt once)." placeholder:"N"`
}

// onlineOptions are onlineFlags with every field known.
type onlineOptions struct {
	Online       bool `json:"online,omitempty"`
	RoundPrompts int  `json:"round-prompts,omitempty"`
	RoundSteps   int  `json:"round-steps,omitempty"`
}

// onlineBatch is the preferences of a step of --online by default.
const onlineBatch = 8

// resolveOnline fills in and checks the options of --online.
func (r *dpoRun) resolveOnline(f *onlineFlags, a *answerFlags) error {
	o := &r.Options
	if !o.Online {
		if a.given() || f.RoundPrompts != nil || f.RoundSteps != nil {
			return errors.New("--round-prompts, --round-steps, --n, --max-tokens, --temperature, --reward, --judge, --judge-name, --constitution and --decide are of --online")
		}
		return nil
	}
	switch {
	case r.f.HeldOut != nil || r.f.TooLong != nil || r.f.Precompute:
		return errors.New("--held-out, --too-long and --precompute-reference are of preferences that are given, not of --online")
	case r.flags.Steps == nil:
		return errors.New("--online counts steps: give --steps")
	}
	o.HeldOut = 0
	if o.Batch == 0 {
		o.Batch = onlineBatch
	}
	if o.RoundPrompts == 0 {
		o.RoundPrompts = 32
	}
	if o.RoundSteps == 0 {
		o.RoundSteps = max(1, o.RoundPrompts/o.Batch)
	}
	if o.RoundPrompts < 1 || o.RoundSteps < 1 {
		return fmt.Errorf("--round-prompts %d, --round-steps %d: each must be positive", o.RoundPrompts, o.RoundSteps)
	}
	return o.answerOptions.resolve(4, r.base.Model.Dims().Context, r.c.storeFlags)
}

// readPrompts reads the prompts of --online.
func (r *dpoRun) readPrompts(ctx context.Context) error {
	r.p.stage("prompts", 0)
	var skips dataset.Skips
	var err error
	if r.prompts, err = readPrompts(ctx, r.Options.Data, &skips, nil); err != nil {
		return err
	}
	if len(r.prompts) == 0 {
		return fmt.Errorf("%v holds no prompt%s", r.Options.Data, firstOf(&skips))
	}
	r.p.end(fmt.Sprintf("%d prompts%s", len(r.prompts), skipped(&skips)))
	return r.settle(promptsFingerprint(r.prompts), 1)
}

// online is the rounds of the run; done gives back what they need.
func (r *dpoRun) online(ctx context.Context, p *posttrain.Preferences) (*posttrain.Online, func(), error) {
	o := &r.Options
	w, err := posttrain.NewWriter(r.base)
	if err != nil {
		return nil, nil, err
	}
	g, err := r.grader()
	if err != nil {
		return nil, nil, err
	}
	online := &posttrain.Online{
		Preferences: p, Writer: w, Prompts: r.prompts, N: o.N, Round: o.RoundPrompts, Steps: o.RoundSteps, Batch: o.Batch, Seed: o.Seed,
		Grade: g.grade, Dir: r.c.Out,
		Progress: func(what string, done, total int) {
			r.p.note(fmt.Sprintf("%s %.0f %%", what, 100*float64(done)/float64(max(1, total))))
		},
		Open: func() (*generate.Engine, error) { return generate.New(r.b, r.base.Model, r.base.TokenBytes()), nil },
		Options: generate.Options{
			MaxTokens: o.MaxTokens, StopIDs: r.base.Stops(), Sample: sample.Options{Temperature: o.Temperature, Seed: o.Seed},
		},
	}
	return online, g.close, nil
}

// roundSummary is what is said of a round.
type roundSummary struct {
	Round int     `json:"round"` // from 1
	Score float64 `json:"score"` // mean of all answers
	Best  float64 `json:"best"`
	KL    float64 `json:"kl"` // nats an answer
	Pairs int     `json:"pairs"`
}

func roundOf(x *posttrain.Round) roundSummary {
	return roundSummary{x.Number + 1, x.Mean, x.Best, x.KL, x.Pairs}
}
