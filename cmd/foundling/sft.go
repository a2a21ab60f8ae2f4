package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/demo"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// sftFlags are the options of a fine-tuning run; see trainFlags.
type sftFlags struct {
	postFlags
	MaxPrompt   *int `json:"max-prompt,omitempty" help:"Longest prompt, in bytes (default: twice the context)." placeholder:"N"`
	MaxResponse *int `json:"max-response,omitempty" help:"Longest response, in bytes (default: twice the context)." placeholder:"N"`

	TooLong     *string  `json:"too-long,omitempty" name:"too-long" help:"What happens to demonstrations longer than --context (default drop)." placeholder:"drop|truncate-left|truncate-right|error"`
	HeldOut     *float64 `json:"held-out,omitempty" name:"held-out" help:"Share of the demonstrations that is measured on and not learned, at most 512 of them (default 0.05)." placeholder:"X"`
	Mix         []string `json:"mix,omitempty" sep:"none" help:"How often an epoch has the demonstrations of a task or of a file of records (1 unless given): 2 is twice, 0.25 a quarter of them. Repeat it." placeholder:"NAME=X"`
	NEFTune     *float64 `json:"neftune,omitempty" name:"neftune" help:"Noise on the embeddings while training: alpha of Jain et al. 2023 (default 0)." placeholder:"X"`
	FromScratch *bool    `json:"from-scratch,omitempty" name:"from-scratch" help:"Also train a model of the same architecture with fresh weights on the demonstrations alone, for as many steps, and print its held-out loss beside."`
}

// sftOptions are sftFlags with every field known.
type sftOptions struct {
	postOptions
	MaxPrompt   int `json:"max-prompt"`
	MaxResponse int `json:"max-response"`

	TooLong     posttrain.LongPolicy `json:"too-long"`
	HeldOut     float64              `json:"held-out"`
	Mix         []string             `json:"mix,omitempty"`
	NEFTune     float64              `json:"neftune,omitempty"`
	FromScratch bool                 `json:"from-scratch,omitempty"`
}

type sftCmd struct {
	sftFlags
	postCmd
}

// Help is shown below the flags.
func (c *sftCmd) Help() string {
	return `Demonstrations come from Go source, structured prose, and records (JSON Lines,
JSON, Parquet) with messages, prompt and completion, Alpaca, ShareGPT and others.
All weights are trained, or with --lora an adapter of them; the weights below an
adapter keep the format that they have in their file, which for GGUF files is
QLoRA. The same command goes on where an interrupted run stopped; options that
run.json knows may be left out.

Examples:

    foundling sft --model base --data ~/notes --out tuned
    foundling sft --model SmolLM2-135M-Q8_0.gguf --lora 16 --data talks.jsonl --out adapter
    foundling sft --model base --data sums.jsonl --data talks.jsonl --mix sums.jsonl=2 --from-scratch --out tuned`
}

// sftRun is a run in its directory.
type sftRun struct {
	postRun[sftOptions]
	c *sftCmd

	names    *namer
	held     *demo.HeldOut   // nil: the model's run is not known
	examples *batch.Examples // to learn
	unseen   *batch.Examples // to measure on; nil: none
	made     madeOf
	losses   heldOutLosses
}

// sftRate is the default learning rate as a share of that of pre-training.
const sftRate = 0.25

// Run is the command: make demonstrations, train on them.
func (c *sftCmd) Run(ctx context.Context) error {
	r := &sftRun{c: c, names: newNamer()}
	return r.run(ctx, &c.postCmd, postMethod[sftOptions]{
		command: "sft", flags: &c.postFlags, given: &c.sftFlags, rate: sftRate,
		defaults: sftOptions{
			postOptions: postOptions{Epochs: 3, trainOptions: newTrainOptions()}, TooLong: posttrain.DropLong, HeldOut: 0.05,
		},
		frame:   func(o *sftOptions) *postOptions { return &o.postOptions },
		resolve: r.resolve,
		stages:  []func(context.Context) error{r.holdOut, r.demonstrate, r.fineTune, r.scratch, r.report},
	})
}

// resolve fills in and checks the options that other methods do not have.
func (r *sftRun) resolve() error {
	o := &r.Options
	if r.c.MaxPrompt != nil && o.MaxPrompt <= 0 || r.c.MaxResponse != nil && o.MaxResponse <= 0 {
		return errors.New("--max-prompt and --max-response must be positive")
	}
	switch {
	case !slices.Contains(posttrain.LongPolicies(), o.TooLong):
		return fmt.Errorf("--too-long is %q: use one of %v", o.TooLong, posttrain.LongPolicies())
	case !(o.HeldOut >= 0 && o.HeldOut < 1):
		return fmt.Errorf("--held-out is %g: it must lie in [0, 1)", o.HeldOut)
	case !(o.NEFTune >= 0 && o.NEFTune <= 1000):
		return fmt.Errorf("--neftune is %g: it must not be negative", o.NEFTune)
	case o.FromScratch && o.HeldOut == 0:
		return errors.New("--from-scratch compares losses on held-out demonstrations: give --held-out a share")
	case o.FromScratch && o.Budget > 0:
		return errors.New("--from-scratch takes as many steps again: give --steps or --epochs, not --budget")
	}
	if _, err := newMix(o.Mix); err != nil {
		return err
	}
	if o.MaxPrompt == 0 {
		o.MaxPrompt = 2 * o.Context
	}
	if o.MaxResponse == 0 {
		o.MaxResponse = 2 * o.Context
	}
	return nil
}

// fineTune takes the steps.
func (r *sftRun) fineTune(ctx context.Context) error {
	if err := r.measureBefore(); err != nil {
		return err
	}
	o := &r.Options
	return r.train(ctx, "fine-tune", posttrain.Job{
		Source:   posttrain.Demonstrations(r.base.Model, r.examples.Loader(o.rows(), o.Seed), o.Accumulate),
		Train:    train.Options{Noise: o.NEFTune},
		Validate: r.validate(r.base.Model),
	})
}

// report prints what was done.
func (r *sftRun) report(context.Context) error {
	last, err := r.last()
	if err != nil {
		return err
	}
	if err := r.measureAfter(); err != nil {
		return err
	}
	x := struct {
		Out   string  `json:"out"`
		Steps int     `json:"steps"`
		Loss  float64 `json:"loss"` // nats per trained token, mean of the last tenth of the steps
		heldOutLosses
		madeOf
	}{r.c.Out, last.Step, last.Loss, r.losses, r.made}
	if r.c.JSON {
		return json.NewEncoder(os.Stdout).Encode(x)
	}
	fmt.Printf("%s: %d steps on %d demonstrations, last loss %.3f nats per trained token\n", x.Out, x.Steps, x.Packing.Examples, x.Loss)
	if len(r.made.Mix) > 1 {
		fmt.Print(r.made.Mix)
	}
	fmt.Print(r.losses)
	fmt.Printf("next: %s\n", r.next())
	return nil
}
