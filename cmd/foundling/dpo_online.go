package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// onlineFlags are the options of --online.
type onlineFlags struct {
	Online       bool     `json:"online,omitempty" help:"Make the preferences on the way: --data are prompts, which the model answers."`
	N            *int     `json:"n,omitempty" name:"n" help:"Answers to a prompt (default 4)." placeholder:"N"`
	RoundPrompts *int     `json:"round-prompts,omitempty" name:"round-prompts" help:"Prompts of a round (default 32)." placeholder:"N"`
	RoundSteps   *int     `json:"round-steps,omitempty" name:"round-steps" help:"Steps of a round (default: as many as see each prompt once)." placeholder:"N"`
	MaxTokens    *int     `json:"max-tokens,omitempty" name:"max-tokens" help:"Tokens of an answer, at most (default: half the context, at most 256)." placeholder:"N"`
	Temperature  *float64 `json:"temperature,omitempty" help:"Of answers (default 1)." placeholder:"X"`
	Reward       []string `json:"reward,omitempty" sep:"none" help:"Grade answers by rewards, WEIGHT*KIND:ARGUMENT+...: verifier:go-parse|arithmetic|json, answer:KIND, match:REGEX, ended, length, overlong:N, repetition." placeholder:"SPEC"`
	judgeOptions
}

// onlineOptions are onlineFlags with every field known.
type onlineOptions struct {
	Online       bool     `json:"online,omitempty"`
	N            int      `json:"n,omitempty"`
	RoundPrompts int      `json:"round-prompts,omitempty"`
	RoundSteps   int      `json:"round-steps,omitempty"`
	MaxTokens    int      `json:"max-tokens,omitempty"`
	Temperature  *float64 `json:"temperature,omitempty"`
	Reward       []string `json:"reward,omitempty"`
	judgeOptions
}

// given says whether a flag of --online is set.
func (f *onlineFlags) given() bool {
	return f.N != nil || f.RoundPrompts != nil || f.RoundSteps != nil || f.MaxTokens != nil || f.Temperature != nil || f.Reward != nil || f.judgeOptions != judgeOptions{}
}

// onlinePairs is the preferences of a step of --online by default.
const onlinePairs = 8

// resolveOnline fills in and checks the options of --online.
func (r *dpoRun) resolveOnline() error {
	o, f := &r.Options, &r.c.onlineFlags
	if !o.Online {
		if f.given() {
			return errors.New("--n, --round-prompts, --round-steps, --max-tokens, --temperature, --reward, --judge, --judge-name and --constitution are of --online")
		}
		return nil
	}
	if r.c.HeldOut != nil || r.c.TooLong != nil || r.c.Precompute {
		return errors.New("--held-out, --too-long and --precompute-reference are of preferences that are given, not of --online")
	}
	if r.c.Steps == nil {
		return errors.New("--online counts steps: give --steps")
	}
	o.HeldOut = 0
	if o.Pairs == 0 {
		o.Pairs = onlinePairs
	}
	if o.N == 0 {
		o.N = 4
	}
	if o.RoundPrompts == 0 {
		o.RoundPrompts = 32
	}
	if o.RoundSteps == 0 {
		o.RoundSteps = max(1, o.RoundPrompts/o.Pairs)
	}
	if o.MaxTokens == 0 {
		o.MaxTokens = min(256, r.base.Model.Dims().Context/2)
	}
	if o.Temperature == nil {
		one := 1.0
		o.Temperature = &one
	}
	switch {
	case (o.Judge == "") == (len(o.Reward) == 0):
		return errors.New("who grades the answers? give --judge or --reward, one of them")
	case o.N < 2:
		return fmt.Errorf("--n is %d: a preference needs two answers at least", o.N)
	case o.RoundPrompts < 1 || o.RoundSteps < 1 || o.MaxTokens < 1:
		return fmt.Errorf("--round-prompts %d, --round-steps %d, --max-tokens %d: each must be positive", o.RoundPrompts, o.RoundSteps, o.MaxTokens)
	case !(*o.Temperature > 0):
		return fmt.Errorf("--temperature is %g: answers must differ, give more than 0", *o.Temperature)
	case o.MaxTokens >= r.base.Model.Dims().Context:
		return fmt.Errorf("--max-tokens %d leaves no room for a prompt in the context of %d", o.MaxTokens, r.base.Model.Dims().Context)
	}
	if _, err := posttrain.ParseRewards(o.Reward, posttrain.RewardKinds(), o.MaxTokens); err != nil {
		return fmt.Errorf("--reward: %w", err)
	}
	return nil
}

// promptKinds are the records whose prompts can be answered.
var promptKinds = []dataset.Kind{dataset.Prompts, dataset.PromptCompletion, dataset.Preference, dataset.Unpaired}

// readPrompts reads the prompts of --online.
func (r *dpoRun) readPrompts(ctx context.Context) error {
	r.p.stage("prompts", 0)
	var skips dataset.Skips
	var err error
	if r.prompts, err = readDistinctPrompts(ctx, r.Options.Data, &skips); err != nil {
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
	g, err := r.grader(o.MaxTokens)
	if err != nil {
		return nil, nil, err
	}
	online := &posttrain.Online{
		Preferences: p, Writer: w, Prompts: r.prompts, N: o.N, Round: o.RoundPrompts, Steps: o.RoundSteps, Batch: o.Pairs, Seed: o.Seed,
		Grade: g.grade, Dir: r.c.Out,
		Progress: func(what string, done, total int) {
			r.p.note(fmt.Sprintf("%s %.0f %%", what, 100*float64(done)/float64(max(1, total))))
		},
		Open: func() (*generate.Engine, error) { return generate.New(r.b, r.base.Model, r.base.TokenBytes()), nil },
		Options: generate.Options{
			MaxTokens: o.MaxTokens, StopIDs: r.base.Stops(), Sample: sample.Options{Temperature: *o.Temperature, Seed: o.Seed},
		},
	}
	return online, g.close, nil
}

// graded is a grader with what must be closed after it.
type graded struct {
	grade posttrain.Grade
	close func()
}

// answersFile is the journal of what judges and rewards from outside said.
const answersFile = "answers.jsonl"

// grader grades answers by --judge or --reward.
func (r *dpoRun) grader(limit int) (*graded, error) {
	o := &r.Options
	j, err := posttrain.OpenJournal(filepath.Join(r.c.Out, answersFile))
	if err != nil {
		return nil, err
	}
	closing := func() { _ = j.Close() }
	if o.Judge == "" {
		terms, err := posttrain.ParseRewards(o.Reward, posttrain.RewardKinds(), limit)
		if err != nil {
			closing()
			return nil, err
		}
		return &graded{posttrain.Rewarded(terms, j, nil), closing}, nil
	}
	c, release, err := r.c.court(r.b, &o.judgeOptions, r.c.storeFlags, o.Model, o.Seed)
	if err != nil {
		closing()
		return nil, err
	}
	c.Journal = j
	grade := posttrain.Tournament(c, func(x *posttrain.JudgeReport) { r.judged = r.judged.Add(x) })
	return &graded{grade, func() {
		release()
		closing()
	}}, nil
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
