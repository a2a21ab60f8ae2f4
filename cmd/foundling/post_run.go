package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// postMethod is what a method of post-training brings to its command's run. O is
// all options of the command, which embeds postOptions; sft.go is an example: a
// struct that embeds postRun, whose run calls the method's stages, which call
// settle once the data are read and train with a posttrain.Job.
type postMethod[O any] struct {
	command  string
	flags    *postFlags                    // of the command, inside given
	given    any                           // pointer to all flags that the result depends on
	defaults O                             // of a new run
	frame    func(o *O) *postOptions       // the part of O that all methods have
	unit     string                        // of what the loss is a mean over; "": tokens
	rate     float64                       // default learning rate as a share of that of pre-training
	resolve  func() error                  // fills in and checks the method's own options in a new run
	stages   []func(context.Context) error // after the model is open: settle and train are among what they call
	scorers  bool                          // the model may be a reward model or a classifier
}

// postRun is the frame of a post-training run in its directory: options from the
// flags or from run.json, the model and its adapter, steps from a budget,
// progress, checkpoints, and how to go on after an interruption.
type postRun[O any] struct {
	runFile[O]
	postMethod[O]
	o *postOptions // in Options
	c *postCmd
	b *cpu.Backend
	p *stages

	start   time.Time
	base    *bundle.Bundle
	adapter *lora.Adapter // nil: all weights are trained
}

// run is the whole command.
func (r *postRun[O]) run(ctx context.Context, c *postCmd, m postMethod[O]) (err error) {
	r.c, r.postMethod, r.start, r.p = c, m, time.Now(), newStages(os.Stderr)
	r.o = m.frame(&r.Options)
	defer r.p.close()
	if err := r.open(); err != nil {
		return err
	}
	defer r.b.Close()
	defer func() { err = resumable(err, m.command, c.Out) }()
	for _, stage := range m.stages {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := stage(ctx); err != nil {
			return err
		}
	}
	return nil
}

// open settles the options, from the flags or from the run that is there, and
// reads the model. It writes nothing.
func (r *postRun[O]) open() error {
	c := r.c
	if c.SaveEvery <= 0 {
		return usageError{fmt.Errorf("--save-every is %s: it must be positive", c.SaveEvery)}
	}
	found, err := loadRun(c.Out, r.command, &r.runFile)
	if err != nil {
		return err
	}
	if err := r.absolute(); err != nil {
		return err
	}
	if found {
		if err := compare(c.Out, r.given, c.computeFlags, r.Options); err != nil {
			return err
		}
		c.Kernels, c.Precision = r.o.Kernels, r.o.Precision
		if err := atomicfile.Clean(c.Out); err != nil {
			return err
		}
	} else if r.flags.Model == nil || len(r.flags.Data) == 0 {
		return usageError{errors.New("name the model to start from with --model MODEL, and what it shall learn from with --data PATH")}
	}
	if r.b, err = c.backend(); err != nil {
		return err
	}
	if !found {
		err = r.begin()
	} else if err = r.openBase(); err == nil {
		err = r.sameWeights()
	}
	if err == nil && r.o.LoRA != 0 {
		if r.adapter, err = lora.Attach(r.b, r.base.Model, r.o.adapter()); err != nil {
			err = usageError{fmt.Errorf("--lora-targets: %w", err)}
		}
	}
	return err
}

// absolute makes paths absolute.
func (r *postRun[O]) absolute() (err error) {
	f := r.flags
	if f.Data, err = absolute(append(f.Data, r.c.More...)); err != nil || f.Model == nil {
		return err
	}
	path, err := r.c.modelPath(*f.Model)
	if err != nil {
		return fmt.Errorf("--model: %w", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	f.Model = &path
	if out, _ := filepath.Abs(r.c.Out); out == path {
		return usageError{fmt.Errorf("--out is the directory of --model, %s: name another one", path)}
	}
	return nil
}

// openBase reads the model: to be trained, or for an adapter in the format in
// which it is stored.
func (r *postRun[O]) openBase() error {
	open := bundle.Open
	if r.o.LoRA != 0 {
		open = bundle.OpenStored
	}
	z, err := open(r.b, r.o.Model)
	if err != nil {
		return fmt.Errorf("--model: %w", err)
	}
	if z.Tokenizer == nil {
		return fmt.Errorf("--model %s: its tokenizer cannot be read: %w", r.o.Model, z.NoTokens)
	}
	if !r.scorers {
		if err := writes(z, r.o.Model); err != nil {
			return err
		}
	}
	r.base = z
	return nil
}

// begin settles the options of a new run.
func (r *postRun[O]) begin() (err error) {
	r.Options = r.defaults
	if err := overlay(&r.Options, r.given); err != nil {
		return err
	}
	if err := r.openBase(); err != nil {
		return err
	}
	d := r.base.Model.Dims()
	if err := r.o.resolve(r.flags, d.Context, d.Width, r.rate); err != nil {
		return usageError{err}
	}
	if r.resolve != nil {
		if err := r.resolve(); err != nil {
			return usageError{err}
		}
	}
	if r.o.Weights, err = hashWeights(r.o.Model); err != nil {
		return err
	}
	r.o.Kernels, r.o.Precision = computes(r.b)
	r.Version, r.Command, r.Program = runFileVersion, r.command, programVersion()
	return nil
}

// sameWeights says whether the model is the one that the run began with.
func (r *postRun[O]) sameWeights() error {
	now, err := hashWeights(r.o.Model)
	if err == nil && now != r.o.Weights {
		err = fmt.Errorf("the weights in %s are no longer those that the run in %s began with: restore them, or name another --out", r.o.Model, r.c.Out)
	}
	return err
}

// settle writes run.json before the first step, or compares what it says of the
// data, by their hash. So many steps read all data once.
func (r *postRun[O]) settle(source string, stepsPerEpoch float64) error {
	if r.Source != "" {
		if r.Source != source {
			return fmt.Errorf("what was read of %v is no longer what the run in %s began with: restore the files, or name another --out", r.o.Data, r.c.Out)
		}
		return nil
	}
	if r.o.Epochs > 0 {
		r.o.Steps = max(1, int(r.o.Epochs*stepsPerEpoch+0.5))
	}
	if r.Source = source; r.o.Steps > 0 {
		r.o.schedule()
		r.Training = r.o.train()
	}
	return r.save(r.c.Out)
}

// train takes the steps and writes the model or adapter. The job needs its Source
// and what else is the method's own; name is shown.
func (r *postRun[O]) train(ctx context.Context, name string, j posttrain.Job) error {
	if posttrain.Done(r.c.Out) {
		fmt.Fprintf(os.Stderr, "training in %s is done\n", r.c.Out)
		return nil
	}
	j.Dir, j.Out, j.Base, j.Adapter, j.Context = r.c.Out, r.c.Out, r.base, r.adapter, r.o.Context
	if err := r.plan(&j); err != nil {
		return err
	}
	noise := j.Train.Noise // all else is the frame's
	j.Train = r.o.train()
	j.Train.Noise = noise
	j.Train.SaveEvery, j.Train.Schedule.Cuts = r.c.SaveEvery, r.Cuts
	if j.Validate != nil {
		j.Train.EvalEvery = max(1, (r.o.Steps+samples-1)/samples)
	}
	peak, err := peakRateOf(ctx, r.b)
	if err != nil {
		return err
	}
	j.Overrun = r.overrun(&j)
	show := newTraining(r.p, name, j.Train.Schedule.End(), peak)
	show.unit = r.unit
	own := j.Progress
	j.Progress = func(m train.Metrics) {
		if show.step(m); own != nil {
			own(m)
		}
	}
	if err := j.Run(ctx, r.b); err != nil {
		return err
	}
	r.p.end(show.summary())
	return nil
}

// plan turns a budget into steps, once.
func (r *postRun[O]) plan(j *posttrain.Job) error {
	if r.Training != nil {
		return nil
	}
	budget := time.Duration(r.o.Budget)
	r.p.stage("measure", 0)
	t := *r.o
	t.Steps = 1
	t.schedule()
	noise := j.Train.Noise
	j.Train = t.train()
	j.Train.Noise = noise
	per, err := j.Measure(r.b, min(4*time.Second, budget/20))
	if err != nil {
		return err
	}
	spent := time.Since(r.start)
	r.Measured = &measured{SecondsPerStep: per, Spent: spent.Seconds()}
	if r.o.Steps = int((budget - spent).Seconds() / (per * overhead)); r.o.Steps < 1 {
		return usageError{fmt.Errorf("--budget %s is too short: preparing took %.1f s and a step takes %.2f s", budget, spent.Seconds(), per)}
	}
	r.p.end(fmt.Sprintf("%d steps of %.3f s fit the budget of %s", r.o.Steps, per, budget))
	r.o.schedule()
	r.Training = r.o.train()
	return r.save(r.c.Out)
}

// overrun ends a run with a budget earlier where steps take longer than measured,
// and journals that in run.json before it takes effect.
func (r *postRun[O]) overrun(j *posttrain.Job) func(step int) (int, bool) {
	if r.Measured == nil {
		return nil
	}
	s := &j.Train.Schedule
	d := train.NewDeadline(r.c.Out, time.Duration(r.o.Budget).Seconds()-r.Measured.Spent)
	return func(step int) (int, bool) {
		end, ok := d.Cut(step, s.End())
		if !ok {
			return 0, false
		}
		r.Cuts = append(slices.Clip(s.Cuts), optim.Cut{At: step, Steps: end})
		if err := r.save(r.c.Out); err != nil {
			r.Cuts = s.Cuts
			return 0, false
		}
		fmt.Fprintf(os.Stderr, "steps take longer than measured: the run ends after %d steps instead of %d (journalled in %s)\n", end, s.End(), runFileName)
		s.Cuts = r.Cuts
		return end, true
	}
}

// last is the mean of the metrics of the last tenth of the steps.
func (r *postRun[O]) last() (m train.Metrics, err error) {
	log, err := train.ReadMetrics(filepath.Join(r.c.Out, train.MetricsFile))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(log) == 0 {
		return m, nil
	} else if err != nil {
		return m, err
	}
	tail := log[len(log)-max(1, len(log)/10):]
	m.Step, m.Tokens, m.Extra = log[len(log)-1].Step, log[len(log)-1].Tokens, map[string]float64{}
	for _, x := range tail {
		m.Loss += x.Loss / float64(len(tail))
		for name, v := range x.Extra {
			m.Extra[name] += v / float64(len(tail))
		}
	}
	return m, nil
}

// next says what can be done with the result.
func (r *postRun[O]) next() string {
	if r.adapter == nil {
		return "foundling chat --model " + quoted(r.c.Out)
	}
	return fmt.Sprintf("foundling chat --model %s --adapter %s", quoted(r.o.Model), quoted(r.c.Out))
}
