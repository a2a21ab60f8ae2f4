package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/foundling-lm/foundling/lab"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

// labTiltCmd compares methods on outcomes whose optimum is known.
type labTiltCmd struct {
	Out      string    `help:"Folder for tilt.json and report.html." default:"tilt"`
	Outcomes int       `help:"Outcomes; their rewards rise from 0 to 1." default:"16"`
	Betas    []float64 `help:"Weights of the divergence." default:"1,0.3,0.1,0.05"`
	Rounds   int       `help:"Rollouts of PPO and RLOO, each learned from twice." default:"300"`
	Batch    int       `help:"Samples of a rollout." default:"1024"`
	Labels   int       `help:"Comparisons that DPO learns from." default:"16000000"`
	Draws    int       `help:"Times that best-of-n is drawn." default:"400000"`
	labOutput
}

// Help is the detail of --help.
func (labTiltCmd) Help() string {
	return `Reward less beta times the divergence from a reference has one best policy, the reference
times exp(reward/beta). PPO and RLOO must find it from samples, DPO from comparisons; the
table has their distance from it. The policies are tables, trained by the same loop, losses
and operations as models.

Example:

    foundling lab tilt
    foundling lab tilt --betas 0.2 --labels 1000000 --json`
}

// Validate is called by kong.
func (c *labTiltCmd) Validate() error {
	switch {
	case c.Outcomes < 2 || c.Outcomes > 1024:
		return errors.New("--outcomes must be from 2 to 1024")
	case c.Rounds < 1 || c.Labels < 1 || c.Draws < 1:
		return errors.New("--rounds, --labels and --draws must be at least 1")
	case c.Batch < 4 || c.Batch%4 != 0:
		return errors.New("--batch must be a multiple of 4: RLOO compares samples by fours")
	case len(c.Betas) == 0:
		return errors.New("--betas is empty")
	}
	for _, b := range c.Betas {
		if !(b > 0) {
			return fmt.Errorf("--betas: %g must be positive", b)
		}
	}
	return nil
}

// Run trains and compares.
func (c *labTiltCmd) Run(ctx context.Context) error {
	b, err := labBackend()
	if err != nil {
		return err
	}
	defer b.Close()
	p := newProgress("training")
	o := lab.TiltOptions{Outcomes: c.Outcomes, Betas: c.Betas, Rounds: c.Rounds, Batch: c.Batch, Labels: c.Labels, Draws: c.Draws, Seed: c.Seed}
	r, err := lab.Tilt(ctx, b, o, func(done, total int) { p.Set("training", int64(done), int64(total)) })
	p.Close()
	if ctx.Err() != nil {
		return interrupted("nothing was written")
	}
	if err != nil {
		return err
	}
	return c.write(c.Out, "tilt", r, r.Page(), r.Tables())
}

// labBackend computes in f32 on one thread: the models of labs are too small to be
// worth more.
func labBackend() (*cpu.Backend, error) { return cpu.New(cpu.Options{Threads: 1, Precision: "f32"}) }
