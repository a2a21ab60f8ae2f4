package main

import (
	"context"

	"github.com/foundling-lm/foundling/lab"
)

// labOverCmd optimises against reward models that are known to be wrong.
type labOverCmd struct {
	Out     string    `help:"Folder for overoptimisation.json and report.html." default:"overoptimisation"`
	Widths  []int     `help:"Hidden units of the reward models, rising; 0 is linear." default:"0,4,16,64" placeholder:"N,..."`
	Labels  []int     `help:"Numbers of comparisons that they are fitted on, rising; RL is done with the second." default:"300,3000,30000"`
	Models  int       `help:"Reward models of each kind, of which the mean is shown." default:"3"`
	Pool    int       `help:"Samples that best-of-n is taken from; n goes up to a sixteenth of it." default:"65536"`
	Rounds  int       `help:"Rollouts of RL." default:"300"`
	Penalty []float64 `help:"Further runs of RL with these weights of the divergence." default:"0.03,0.1" placeholder:"X,..."`
	Checks  int       `help:"Samples of each check whose gold reward the alarm sees." default:"400"`
	labOutput
}

// Help is the detail of --help.
func (labOverCmd) Help() string {
	return `A reward model is a proxy of what is wanted. Optimised far enough, its reward goes on rising
while the real one falls. Here the real reward is known: proxies of several sizes are fitted
on comparisons by it and optimised by best-of-n and by RL, with the exact divergence. The
table has the fitted laws, the distances at which an alarm would have gone off, and what
was published beside what is found.

Example:

    foundling lab overoptimisation
    foundling lab overoptimisation --widths 0,32 --labels 500,5000 --models 1 --json`
}

func (c *labOverCmd) options() lab.OverOptions {
	return lab.OverOptions{Widths: c.Widths, Labels: c.Labels, Models: c.Models, Pool: c.Pool, Rounds: c.Rounds, Penalty: c.Penalty, Checks: c.Checks, Seed: c.Seed}
}

// Validate is called by kong.
func (c *labOverCmd) Validate() error { return c.options().Validate() }

// Run fits, optimises and compares.
func (c *labOverCmd) Run(ctx context.Context) error {
	b, err := labBackend()
	if err != nil {
		return err
	}
	defer b.Close()
	p := newProgress("optimising")
	r, err := lab.Overoptimisation(ctx, b, c.options(), func(done, total int) { p.Set("optimising", int64(done), int64(total)) })
	p.Close()
	if ctx.Err() != nil {
		return interrupted("nothing was written")
	}
	if err != nil {
		return err
	}
	return c.write(c.Out, "overoptimisation", r, r.Page(), r.Tables())
}
