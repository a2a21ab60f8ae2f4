package main

import (
	"context"

	"github.com/foundling-lm/foundling/lab"
)

// labSnowballCmd begins answers of small models wrongly.
type labSnowballCmd struct {
	Out       string  `help:"Folder for snowball.json and report.html." default:"snowball"`
	Towns     int     `help:"Towns of the world, with six people each." default:"80"`
	Steps     int     `help:"Steps of training, of each model." default:"1000"`
	TakenBack float64 `help:"Share of the answers that the third model's texts take back." default:"0.1"`
	labOutput
}

// Help is the detail of --help.
func (labSnowballCmd) Help() string {
	return `Three small models learn texts about a made-up world: one true texts, where only a yes
has a reason; one also reasons for a no; one also answers that are wrong at first and taken
back. All answer questions by themselves, after a right answer that was forced on them,
after a wrong one, and with the reason first. Counted are reasons that are not so, those of
them that the model calls false when asked about them alone, and answers taken back.

Example:

    foundling lab snowball
    foundling lab snowball --towns 32 --steps 600 --json`
}

func (c *labSnowballCmd) options() lab.SnowballOptions {
	return lab.SnowballOptions{Towns: c.Towns, Steps: c.Steps, TakenBack: c.TakenBack, Seed: c.Seed}
}

// Validate is called by kong.
func (c *labSnowballCmd) Validate() error { return c.options().Validate() }

// Run trains, asks and prints.
func (c *labSnowballCmd) Run(ctx context.Context) error {
	b, err := labBackend()
	if err != nil {
		return err
	}
	defer b.Close()
	p := newProgress("training")
	r, err := lab.SnowballLab(ctx, b, c.options(), func(what string, done, total int) { p.Set(what, int64(done), int64(total)) })
	p.Close()
	if ctx.Err() != nil {
		return interrupted("nothing was written")
	}
	if err != nil {
		return err
	}
	return c.write(c.Out, "snowball", r, r.Page(), r.Tables())
}
