package main

import (
	"context"

	"github.com/foundling-lm/foundling/lab"
)

// labMismatchCmd tunes a small model on what it does not know.
type labMismatchCmd struct {
	Out      string `help:"Folder for mismatch.json and report.html." default:"mismatch"`
	Subjects int    `help:"Subjects of the world; half of them have one value in all texts." default:"800"`
	Steps    int    `help:"Steps of pre-training." default:"2000"`
	Tuning   int    `help:"Steps of each fine-tuning." default:"300"`
	Looks    int    `help:"Times that the model is asked in each fine-tuning." default:"12"`
	labOutput
}

// Help is the detail of --help.
func (labMismatchCmd) Help() string {
	return `A small model reads a world of facts: half the subjects have one value in all texts, of the
others each text says another. It is tuned on equal numbers of facts of which a share (0,
25, 50, 75, 100 %) was not in pre-training, with and without some "I don't know". Counted are answers
that it makes up about other subjects of which nothing is known, wrong ones about subjects
that it knew, and how fast facts of both kinds are learned.

Example:

    foundling lab mismatch
    foundling lab mismatch --subjects 240 --steps 1000 --tuning 120 --json`
}

func (c *labMismatchCmd) options() lab.MismatchOptions {
	return lab.MismatchOptions{Subjects: c.Subjects, Steps: c.Steps, Tuning: c.Tuning, Looks: c.Looks, Seed: c.Seed}
}

// Validate is called by kong.
func (c *labMismatchCmd) Validate() error { return c.options().Validate() }

// Run trains, tunes, asks and prints.
func (c *labMismatchCmd) Run(ctx context.Context) error {
	b, err := labBackend()
	if err != nil {
		return err
	}
	defer b.Close()
	p := newProgress("training")
	r, err := lab.MismatchLab(ctx, b, c.options(), func(what string, done, total int) { p.Set(what, int64(done), int64(total)) })
	p.Close()
	if ctx.Err() != nil {
		return interrupted("nothing was written")
	}
	if err != nil {
		return err
	}
	return c.write(c.Out, "mismatch", r, r.Page(), r.Tables())
}
