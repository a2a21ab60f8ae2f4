package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// heldOutLosses are losses on demonstrations that were not learned, in nats per
// trained token.
type heldOutLosses struct {
	HeldOut int      `json:"held_out"` // demonstrations
	Tokens  int      `json:"held_out_tokens"`
	Before  *float64 `json:"loss_before,omitempty"`
	After   *float64 `json:"loss_after,omitempty"`
	Scratch *float64 `json:"loss_from_scratch,omitempty"` // of the same architecture, trained on the demonstrations alone
}

// String is a line, empty if nothing was held out.
func (x heldOutLosses) String() string {
	if x.HeldOut == 0 {
		return ""
	}
	var s strings.Builder
	fmt.Fprintf(&s, "held out: %d demonstrations, %d trained tokens:", x.HeldOut, x.Tokens)
	for _, l := range []struct {
		name string
		loss *float64
	}{{"base", x.Before}, {"fine-tuned", x.After}, {"from scratch", x.Scratch}} {
		if l.loss != nil {
			fmt.Fprintf(&s, " %s %.3f", l.name, *l.loss)
		}
	}
	return s.String() + " nats per trained token\n"
}

const (
	mostHeldOut = 512
	heldOutFile = "held-out.json" // the loss before the first step
	scratchDir  = "from-scratch"
)

// measureBefore is the loss of the model as it is, once.
func (r *sftRun) measureBefore() error {
	if r.unseen == nil {
		return nil
	}
	s := r.unseen.Stats()
	path := filepath.Join(r.c.Out, heldOutFile)
	if found, err := atomicfile.ReadJSON(path, &r.losses); found || err != nil {
		return err
	}
	r.losses = heldOutLosses{HeldOut: s.Examples, Tokens: s.Trained}
	r.p.stage("held out", 0)
	loss := posttrain.Loss(r.b, r.base.Model, r.unseen)
	r.losses.Before = &loss
	r.p.end(fmt.Sprintf("%d demonstrations: loss %.3f before training", s.Examples, loss))
	return atomicfile.WriteJSON(path, r.losses)
}

// validate measures m in training; nil without held-out demonstrations.
func (r *sftRun) validate(m model.Model) func(*train.Metrics) {
	if r.unseen == nil {
		return nil
	}
	return func(x *train.Metrics) { x.ValLoss = posttrain.Loss(r.b, m, r.unseen) }
}

// measureAfter reads the losses after training from the logs.
func (r *sftRun) measureAfter() error {
	if r.unseen == nil {
		return nil
	}
	for _, l := range []struct {
		dir  string
		loss **float64
	}{{r.c.Out, &r.losses.After}, {filepath.Join(r.c.Out, scratchDir), &r.losses.Scratch}} {
		log, err := train.ReadMetrics(filepath.Join(l.dir, train.MetricsFile))
		if os.IsNotExist(err) {
			continue
		} else if err != nil {
			return err
		}
		if n := len(log); n > 0 {
			*l.loss = &log[n-1].ValLoss
		}
	}
	return nil
}

// scratch trains a model of the same architecture and fresh weights on the
// demonstrations alone, at the default rate of pre-training.
func (r *sftRun) scratch(ctx context.Context) error {
	o := r.Options
	dir := filepath.Join(r.c.Out, scratchDir)
	if !o.FromScratch || posttrain.Done(dir) {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := atomicfile.Clean(dir); err != nil {
		return err
	}
	config, err := json.Marshal(r.base.Model.Config())
	if err != nil {
		return err
	}
	z := *r.base
	if z.Model, err = zoo.FromConfig(r.b, config); err != nil {
		return err
	}
	z.Model.Init(r.b, o.Seed)
	if o.LoRA != 0 {
		o.Optimizer = newTrainOptions().Optimizer
	}
	o.LR = peakRate * math.Sqrt(peakWidth/float64(z.Model.Dims().Width))
	j := posttrain.Job{
		Dir: dir, Out: dir, Base: &z, Context: o.Context, Train: o.train(), Validate: r.validate(z.Model),
		Source: posttrain.Demonstrations(z.Model, r.examples.Loader(o.rows(), o.Seed), o.Accumulate),
	}
	j.Train.Noise = o.NEFTune
	j.Train.SaveEvery, j.Train.EvalEvery = r.c.SaveEvery, max(1, (o.Steps+samples-1)/samples)
	peak, err := peakRateOf(ctx, r.b)
	if err != nil {
		return err
	}
	show := newTraining(r.p, "from scratch", o.Steps, peak)
	j.Progress = show.step
	if err := j.Run(ctx, r.b); err != nil {
		return err
	}
	r.p.end(show.summary())
	return nil
}
