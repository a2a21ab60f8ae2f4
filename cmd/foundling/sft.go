package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/demo"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// sftFlags are the options of a fine-tuning run; see trainFlags.
type sftFlags struct {
	postFlags
	MaxPrompt   *int `json:"max-prompt,omitempty" help:"Longest prompt, in bytes (default: twice the context)." placeholder:"N"`
	MaxResponse *int `json:"max-response,omitempty" help:"Longest response, in bytes (default: twice the context)." placeholder:"N"`
}

// sftOptions are sftFlags with every field known.
type sftOptions struct {
	postOptions
	MaxPrompt   int `json:"max-prompt"`
	MaxResponse int `json:"max-response"`
}

type sftCmd struct {
	sftFlags
	postCmd
}

// Help is shown below the flags.
func (c *sftCmd) Help() string {
	return `Demonstrations come from Go source, structured prose, and records (JSON Lines,
JSON, Parquet) with messages, prompt and completion, Alpaca, ShareGPT and others. All weights are trained, or with --lora an adapter of them;
the weights below an adapter keep the format that they have in their file, which
for GGUF files is QLoRA. The same command goes on where an interrupted run stopped;
options that run.json knows may be left out.

Examples:

    foundling sft --model base --data ~/notes --out tuned
    foundling sft --model SmolLM2-135M-Q8_0.gguf --lora 16 --data talks.jsonl --out adapter`
}

// sftRun is a run in its directory.
type sftRun struct {
	postRun[sftOptions]
	c *sftCmd

	names    *namer
	held     *demo.HeldOut // nil: the model's run is not known
	examples *batch.Examples
	made     madeOf
}

// sftRate is the default learning rate as a share of that of pre-training.
const sftRate = 0.25

// Run is the command: make demonstrations, train on them.
func (c *sftCmd) Run(ctx context.Context) error {
	r := &sftRun{c: c, names: newNamer()}
	return r.run(ctx, &c.postCmd, postMethod[sftOptions]{
		command: "sft", flags: &c.postFlags, given: &c.sftFlags, rate: sftRate,
		defaults: sftOptions{postOptions: postOptions{Epochs: 3, trainOptions: newTrainOptions()}},
		frame:    func(o *sftOptions) *postOptions { return &o.postOptions },
		resolve:  r.resolve,
		stages:   []func(context.Context) error{r.holdOut, r.demonstrate, r.fineTune, r.report},
	})
}

// resolve fills in and checks the options that other methods do not have.
func (r *sftRun) resolve() error {
	o := &r.Options
	if r.c.MaxPrompt != nil && o.MaxPrompt <= 0 || r.c.MaxResponse != nil && o.MaxResponse <= 0 {
		return errors.New("--max-prompt and --max-response must be positive")
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
	o := &r.Options
	return r.train(ctx, "fine-tune", posttrain.Job{
		Source: posttrain.Demonstrations(r.base.Model, r.examples.Loader(o.rows(), o.Seed), o.Accumulate),
	})
}

// report prints what was done.
func (r *sftRun) report(context.Context) error {
	last, err := r.last()
	if err != nil {
		return err
	}
	x := struct {
		Out   string  `json:"out"`
		Steps int     `json:"steps"`
		Loss  float64 `json:"loss"` // nats per trained token, mean of the last tenth of the steps
		madeOf
	}{r.c.Out, last.Step, last.Loss, r.made}
	if r.c.JSON {
		return json.NewEncoder(os.Stdout).Encode(x)
	}
	fmt.Printf("%s: %d steps on %d demonstrations, last loss %.3f nats per trained token\n", x.Out, x.Steps, x.Packing.Examples, x.Loss)
	fmt.Printf("next: %s\n", r.next())
	return nil
}
