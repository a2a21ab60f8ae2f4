// Package train is the one training loop: accumulate, clip, step, log, evaluate,
// save, resume. Pre-training and every method of post-training are a source of
// micro-batches (Micro) for it, each with a loss of its own.
//
// A run is a function of its options, its data and its initial weights: not of
// the number of threads, the clock, or how often it was stopped. Trainer is the
// state; Run drives it over a run directory.
//
// Not here: optimizers and schedules (train/optim), what the batches are
// (text/batch), what a model scores (eval).
package train

import (
	"fmt"
	"time"

	"github.com/foundling-lm/foundling/train/optim"
)

// Options of a training run. Zero fields take the defaults named.
type Options struct {
	Optimizer optim.Options
	Schedule  optim.Schedule
	Clip      float64       // largest norm of the gradient, default 1
	ZLoss     float64       // coefficient of (log Z)^2, default 0
	Dropout   float64       // probability, default 0
	Noise     float64       `json:",omitempty"` // of embeddings: alpha of NEFTune, default 0
	Seed      uint64        // of dropout and noise
	EvalEvery int           // steps between validations; 0: at the end only
	SaveEvery time.Duration // between checkpoints, default 60 s
}

func (o *Options) defaults() {
	if o.Clip == 0 {
		o.Clip = 1
	}
	if o.SaveEvery == 0 {
		o.SaveEvery = time.Minute
	}
}

// Validate names the first impossible option.
func (o Options) Validate() error {
	if err := o.Optimizer.Validate(); err != nil {
		return err
	}
	if err := o.Schedule.Validate(); err != nil {
		return err
	}
	switch {
	case o.Clip < 0:
		return fmt.Errorf("clip is %g: it must be positive (0: 1)", o.Clip)
	case o.ZLoss < 0:
		return fmt.Errorf("z-loss is %g: it must not be negative", o.ZLoss)
	case o.Dropout < 0 || o.Dropout >= 1:
		return fmt.Errorf("dropout is %g: it must lie in [0, 1)", o.Dropout)
	case !(o.Noise >= 0):
		return fmt.Errorf("noise is %g: it must not be negative", o.Noise)
	case o.EvalEvery < 0:
		return fmt.Errorf("eval-every is %d steps: it must not be negative", o.EvalEvery)
	}
	return nil
}
