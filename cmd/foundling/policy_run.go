package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/objective"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// What estimates the reward to come, besides a reward model's directory.
const (
	valueHead  = "head"
	valueModel = "model"
)

// policyRun trains a policy in its directory.
type policyRun struct {
	postRun[policyOptions]
	open    rewards
	prompts []posttrain.Prompt
	read    *posttrain.PromptReader
	skips   dataset.Skips
	rewards []posttrain.Term

	log  []posttrain.Summary
	seen map[string]bool // findings that were printed
	step int
}

// runPolicy is the command of a method; given points to all its flags.
func runPolicy(ctx context.Context, command string, f *policyFlags, given any, c *policyCmd, defaults policyOptions) error {
	if c.RewardLimit <= 0 {
		return usageError{fmt.Errorf("--reward-limit is %s: it must be positive", c.RewardLimit)}
	}
	r := &policyRun{open: rewards{limit: c.RewardLimit}, seen: map[string]bool{}}
	defer r.open.close()
	return r.run(ctx, &c.postCmd, postMethod[policyOptions]{
		command: command, flags: &f.postFlags, given: given, rate: policyRate, defaults: defaults,
		frame:   func(o *policyOptions) *postOptions { return &o.postOptions },
		resolve: func() error { return r.Options.resolve(f) },
		stages:  []func(context.Context) error{r.readPrompts, r.openRewards, r.begun, r.learn, r.report},
	})
}

// readPrompts reads the prompts.
func (r *policyRun) readPrompts(ctx context.Context) error {
	o := &r.Options
	r.p.stage("prompts", 0)
	w, err := posttrain.NewWriter(r.base)
	if err != nil {
		return err
	}
	r.read = &posttrain.PromptReader{Writer: w, Row: o.Context, Room: o.MaxTokens, Long: o.TooLong}
	for _, path := range o.Data {
		for rec, err := range dataset.Read(path, dataset.Options{Kinds: posttrain.PromptKinds()}) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if r.skips.Add(err) {
				continue
			}
			if err != nil {
				return err
			}
			p, ok, err := r.read.Prompt(rec)
			if err != nil {
				return fmt.Errorf("%s: %w", rec.Source, err)
			}
			if ok {
				r.prompts = append(r.prompts, p)
				r.p.set(int64(len(r.prompts)), fmt.Sprint(len(r.prompts)))
			}
		}
	}
	text := fmt.Sprintf("%d prompts", len(r.prompts))
	if n := r.read.Dropped; n > 0 {
		text += fmt.Sprintf("; %d too long for --context %d less --max-tokens %d, dropped", n, o.Context, o.MaxTokens)
	}
	if n := r.read.Truncated; n > 0 {
		text += fmt.Sprintf("; %d too long, cut on the left", n)
	}
	if n := r.read.Failed; n > 0 {
		text += fmt.Sprintf("; %d left out, the first since %v", n, r.read.FirstFailure)
	}
	text += leftOut(&r.skips)
	if r.p.end(text); len(r.prompts) == 0 {
		return fmt.Errorf("%v: %s: give records with prompts, or a text file with a prompt a line", o.Data, text)
	}
	return nil
}

// openRewards opens what the rewards need.
func (r *policyRun) openRewards(context.Context) (err error) {
	r.open.b = r.b
	r.rewards, err = r.open.parse(r.Options.Reward, r.Options.MaxTokens)
	return err
}

// begun writes run.json, or compares what it says of prompts and reward models.
func (r *policyRun) begun(context.Context) error {
	h := xxh3.New()
	for _, p := range r.prompts {
		fmt.Fprint(h, p.IDs, p.Reference, "\n")
	}
	fmt.Fprint(h, r.open.judges)
	return r.settle(fmt.Sprintf("%016x", h.Sum64()), r.Options.stepsPerEpoch(len(r.prompts)))
}

// learn takes the steps.
func (r *policyRun) learn(ctx context.Context) error {
	if posttrain.Done(r.c.Out) {
		return r.train(ctx, r.command, posttrain.Job{})
	}
	o := &r.Options
	p := posttrain.Policy{
		PolicyOptions: o.policy(), Dir: r.c.Out, Base: r.base, Prompts: r.prompts, Rewards: r.rewards,
		Watch: func(part string, done, total int) {
			r.p.set(int64(r.step), fmt.Sprintf("step %d/%d  %s %d/%d", r.step, o.Steps, part, done, total))
		},
	}
	if r.adapter != nil {
		p.Reference.Off = r.adapter.Off
	} else if o.KL > 0 || o.KLTarget > 0 {
		z, err := bundle.Open(r.b, o.Model)
		if err != nil {
			return fmt.Errorf("the reference: %w", err)
		}
		p.Reference.Model = z.Model
	}
	m, err := objective.NamedPolicyMethod(o.Method)
	if err != nil {
		return err
	}
	if m.Critic {
		if p.Value, err = r.critic(); err != nil {
			return fmt.Errorf("--value: %w", err)
		}
	}
	j, err := p.Job(ctx, r.b)
	if err != nil {
		return err
	}
	j.Progress = r.watch
	return r.train(ctx, r.command, j)
}

// critic is what --value names.
func (r *policyRun) critic() (*posttrain.Value, error) {
	switch v := r.Options.Value; v {
	case valueHead:
		return posttrain.NewValue(r.b, r.base.Model), nil
	case valueModel:
		z, err := bundle.Open(r.b, r.Options.Model)
		if err != nil {
			return nil, err
		}
		return posttrain.NewValueModel(z.Model, model.NewHead(r.b, z.Model, 1)), nil
	default:
		z, err := r.open.openJudge(v)
		if err != nil {
			return nil, err
		}
		if n, own := z.Model.Dims().Vocab, r.base.Model.Dims().Vocab; n != own {
			return nil, fmt.Errorf("%s has a vocabulary of %d, the policy one of %d: its tokens must be the policy's", v, n, own)
		}
		return posttrain.NewValueModel(z.Model, z.Head), nil
	}
}

// watch names faults when the figures show them.
func (r *policyRun) watch(m train.Metrics) {
	r.step = m.Step
	if r.log == nil {
		log, err := train.ReadMetrics(filepath.Join(r.c.Out, train.MetricsFile))
		if err != nil {
			return
		}
		r.log = posttrain.Summaries(log)
	} else {
		r.log = posttrain.AddSummary(r.log, m)
	}
	for _, f := range posttrain.DiagnoseLast(r.log) {
		if !r.seen[f.Name] {
			r.seen[f.Name] = true
			fmt.Fprintln(os.Stderr, "warning:", f)
		}
	}
}
