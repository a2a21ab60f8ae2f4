package main

import (
	"context"

	"github.com/foundling-lm/foundling/lab"
)

// labTruthCmd teaches a small model to say that it does not know.
type labTruthCmd struct {
	Out      string `help:"Folder for truthfulness.json and report.html." default:"truthfulness"`
	Subjects int    `help:"Subjects of the world; half of them have one value in all texts." default:"1000"`
	Steps    int    `help:"Steps of pre-training." default:"3000"`
	Tuning   int    `help:"Steps of each fine-tuning." default:"300"`
	Asked    int    `help:"Times that each question is asked, to find out what the model knows." default:"8"`
	labOutput
}

// Help is the detail of --help.
func (labTruthCmd) Help() string {
	return `A small model reads a world of facts: half the subjects have one value in all texts, of the
others each text says another. It is asked what it knows, and tuned on half the subjects
in three ways: on answers alone; with "I don't know" for what it turned out not to know;
and with contexts that contradict its memory besides. All are asked about the other half.

Example:

    foundling lab truthfulness
    foundling lab truthfulness --subjects 240 --steps 1000 --tuning 120 --json`
}

func (c *labTruthCmd) options() lab.TruthOptions {
	return lab.TruthOptions{Subjects: c.Subjects, Steps: c.Steps, Tuning: c.Tuning, Asked: c.Asked, Seed: c.Seed}
}

// Validate is called by kong.
func (c *labTruthCmd) Validate() error { return c.options().Validate() }

// Run trains, asks and prints.
func (c *labTruthCmd) Run(ctx context.Context) error {
	b, err := labBackend()
	if err != nil {
		return err
	}
	defer b.Close()
	p := newProgress("training")
	r, err := lab.TruthfulnessLab(ctx, b, c.options(), func(what string, done, total int) { p.Set(what, int64(done), int64(total)) })
	p.Close()
	if ctx.Err() != nil {
		return interrupted("nothing was written")
	}
	if err != nil {
		return err
	}
	return c.write(c.Out, "truthfulness", r, r.Page(), r.Tables())
}
