package posttrain

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/plan"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/train"
)

// Job is one run of a method in a directory: the training loop over the method's
// micro-batches, then the finished model.
type Job struct {
	Dir     string         // state and metrics
	Out     string         // the finished model's directory, or the adapter's
	Base    *bundle.Bundle // the model to start from; its weights change unless there is an Adapter
	Adapter *lora.Adapter  // nil: all weights are trained
	Frozen  bool           // the model and its adapter are not trained: More alone is
	More    []*op.Param    // trained besides, a head's; they are not in Out unless Write puts them there

	Train    train.Options
	Context  int     // tokens of a sequence, for the rate of floating-point operations
	FLOP     float64 // of a place, forward and backward; 0: that of a language model with sequences of Context
	Source   func(step int) ([]train.Micro, error)
	Validate func(m *train.Metrics)              // nil: none
	Progress func(train.Metrics)                 // nil: none
	Overrun  func(step int) (steps int, ok bool) // as in train.Run
	Saved    func(step int, took time.Duration) error
	Every    int // steps of which the first prepares the others, so that Measure takes their mean; 0: all are alike

	// Write, if not nil, writes Out instead.
	Write func(z *bundle.Bundle) error
}

// Run trains to the end, going on from the last checkpoint in Dir, and writes
// Out.
func (j *Job) Run(ctx context.Context, b tensor.Backend) error {
	t, err := j.trainer(b, j.Train)
	if err != nil {
		return err
	}
	defer t.Close()
	run := train.Run{
		Dir: j.Dir, Steps: j.Train.Schedule.End(), Source: j.Source, FLOP: j.flop(),
		Validate: j.Validate, Progress: j.Progress, Overrun: j.Overrun, Saved: j.Saved,
	}
	if err := run.Do(ctx, t); err != nil {
		return err
	}
	z := *j.Base
	z.Dir = j.Out
	switch {
	case j.Write != nil:
		return j.Write(&z)
	case j.Adapter != nil:
		return z.SaveAdapter(j.Adapter, j.Base.Dir)
	}
	return z.Save(b, dtype.F32)
}

// Done says whether Run has written dir.
func Done(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, bundle.WeightsFile)); err == nil {
		return true
	}
	return lora.Is(dir)
}

func (j *Job) trainer(b tensor.Backend, o train.Options) (*train.Trainer, error) {
	params := j.Base.Model.Params()
	switch {
	case j.Frozen:
		params = nil
	case j.Adapter != nil:
		params = j.Adapter.Params()
	}
	return train.New(b, append(params[:len(params):len(params)], j.More...), j.Base.Model.Unembedding(), o)
}

// Measure returns the seconds of a step: the least of several within about d, of
// at least two, or the mean of the first Every. It changes no weight.
func (j *Job) Measure(b tensor.Backend, d time.Duration) (seconds float64, err error) {
	o := j.Train
	o.Schedule.Kind, o.Schedule.Steps, o.Schedule.Warmup, o.Schedule.Cuts = "constant", 1, 0, nil
	o.Schedule.Peak = math.SmallestNonzeroFloat64 // 0 as f32
	t, err := j.trainer(b, o)
	if err != nil {
		return 0, err
	}
	defer t.Close()
	began, best := time.Now(), math.Inf(1)
	for i := 0; j.Every == 0 && (i < 2 || time.Since(began) < d) || i < j.Every; i++ {
		at := time.Now()
		micro, err := j.Source(i)
		if err == nil {
			_, err = t.StepOn(micro)
		}
		if err != nil {
			return 0, err
		}
		best = min(best, time.Since(at).Seconds())
	}
	if j.Every > 0 {
		return time.Since(began).Seconds() / float64(j.Every), nil
	}
	return best, nil
}

// flop is that of one place in the job.
func (j *Job) flop() float64 {
	switch {
	case j.FLOP > 0:
		return j.FLOP
	case j.Frozen:
		return Shape(j.Base.Model).FLOP(j.Context).Forward
	}
	return FLOP(j.Base.Model, j.Adapter, j.Context)
}

// FLOP is the floating-point operations of the products of one place in
// sequences of T tokens, forward and backward. Under an adapter (nil: none) the
// gradients of the weights are not computed, but those of the adapter: two for
// each of its parameters forward, twice that backward.
func FLOP(m model.Model, a *lora.Adapter, T int) float64 {
	f := Shape(m).FLOP(T)
	if a == nil {
		return f.Training
	}
	n := 0
	for _, w := range a.Params() {
		n += w.Len()
	}
	return 2*f.Forward + 6*float64(n)
}

// Shape is the sizes of a model, as plans count them.
func Shape(m model.Model) plan.Shape {
	d := m.Dims()
	tied := true
	for _, w := range m.Params() {
		tied = tied && w.Name != "lm_head.weight"
	}
	return plan.Shape{
		Family: m.Family(), Layers: d.Layers, Width: d.Width, Heads: d.Heads, KVHeads: d.KVHeads,
		HeadDim: d.HeadDim, FF: d.FF, Vocab: d.Vocab, Context: d.Context, Tied: tied,
		Experts: d.Experts, ExpertsPerToken: d.ExpertsPerToken,
	}
}
