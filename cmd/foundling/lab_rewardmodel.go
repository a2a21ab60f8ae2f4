package main

import (
	"context"
	"errors"

	"github.com/foundling-lm/foundling/lab"
)

// labRewardCmd compares reward models with the best that is possible.
type labRewardCmd struct {
	Out      string    `help:"Folder for reward-model.json and report.html." default:"reward-model"`
	Labels   int       `help:"Comparisons that each reward model learns from." default:"32000"`
	Tests    int       `help:"Held-out comparisons." default:"4000"`
	Noise    []float64 `help:"Shares of labels turned round." default:"0,0.1,0.2,0.3" placeholder:"X,..."`
	Length   float64   `help:"What one more token is worth to a biased labeller." default:"0.3"`
	Position float64   `help:"What being shown first is worth to another." default:"1"`
	labOutput
}

// Help is the detail of --help.
func (labRewardCmd) Help() string {
	return `Labels come from a known reward, so the accuracy that the best reward model can have is
known too. Small transformers with a score head learn from labels that are exact, noisy,
biased towards longer texts, or towards the one shown first.

Example:

    foundling lab reward-model
    foundling lab reward-model --noise 0,0.4 --labels 8000 --json`
}

func (c *labRewardCmd) options() lab.RewardOptions {
	return lab.RewardOptions{Labels: c.Labels, Tests: c.Tests, Noise: c.Noise, Length: c.Length, Position: c.Position, Seed: c.Seed}
}

// Validate is called by kong.
func (c *labRewardCmd) Validate() error {
	if c.Length == 0 || c.Position == 0 {
		return errors.New("--length and --position must not be 0: labels without a bias are there anyway")
	}
	return c.options().Validate()
}

// Run trains and compares.
func (c *labRewardCmd) Run(ctx context.Context) error {
	b, err := labBackend()
	if err != nil {
		return err
	}
	defer b.Close()
	p := newProgress("training reward models")
	r, err := lab.RewardModels(ctx, b, c.options(), func(done, total int) { p.Set("training reward models", int64(done), int64(total)) })
	p.Close()
	if ctx.Err() != nil {
		return interrupted("nothing was written")
	}
	if err != nil {
		return err
	}
	return c.write(c.Out, "reward-model", r, r.Page(), r.Tables())
}
