// Package pretrain trains a new model on token shards and writes it as a model
// directory. It puts the parts together (loader, model, trainer, validation);
// the loop itself is train's.
package pretrain

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/plan"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/tokenizer"
	"github.com/foundling-lm/foundling/train"
)

// Options are what the weights depend on, besides the shards.
type Options struct {
	Shape   plan.Shape    `json:"shape"`
	Rows    int           `json:"rows"`    // sequences of a micro-batch
	Micro   int           `json:"micro"`   // micro-batches of a step
	Context int           `json:"context"` // tokens of a training sequence
	Mode    batch.Mode    `json:"mode"`    // packed or windows
	Train   train.Options `json:"train"`
	Seed    uint64        `json:"seed"` // of weights and order
	// Validate is the batches of 4,096 tokens or one row that a validation on the
	// way measures; 0 means 8. The final figures come from eval over everything.
	Validate int64 `json:"validation_batches,omitempty"`
}

// Steps is the number of optimizer steps.
func (o *Options) Steps() int { return o.Train.Schedule.End() }

// BatchTokens is the tokens of a step.
func (o *Options) BatchTokens() int { return o.Rows * o.Micro * o.Context }

// Job is one pre-training run.
type Job struct {
	Options
	Dir        string               // state and metrics
	Out        string               // the finished model directory
	Tokenizer  *tokenizer.Tokenizer // saved with the model
	End        int32                // token that ends a document
	Train      *batch.Shards
	Validation *batch.Shards // nil: none
	Progress   func(train.Metrics)
	// Overrun, if not nil, is asked after every step whether the run must end
	// earlier than planned; see train.Run.
	Overrun func(step int) (steps int, ok bool)
}

// NewModel makes a model of the shape with zero weights.
func NewModel(b tensor.Backend, s plan.Shape, end int32) (zoo.Trainable, error) {
	z := zoo.Shape{
		Family: s.Family, Layers: s.Layers, Width: s.Width, Heads: s.Heads, KVHeads: s.KVHeads, HeadDim: s.HeadDim, FF: s.FF,
		Experts: s.Experts, ExpertsPerToken: s.ExpertsPerToken, ExpertFF: s.ExpertFF, SharedFF: s.SharedFF,
		Vocab: s.Vocab, Context: s.Context, Untied: !s.Tied && s.Family != "gpt2", BOS: end, EOS: end, Pad: -1,
	}
	return zoo.FromShape(b, z)
}

// Run trains to the end, going on from the last checkpoint in Dir, and writes
// the model to Out.
func (j *Job) Run(ctx context.Context, b tensor.Backend) (*bundle.Bundle, error) {
	m, err := NewModel(b, j.Shape, j.End)
	if err != nil {
		return nil, err
	}
	m.Init(b, j.Seed)
	t, err := train.New(b, m.Params(), m.Unembedding(), j.Options.Train)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	source, err := j.source(m)
	if err != nil {
		return nil, err
	}
	r := train.Run{
		Dir: j.Dir, Source: source, Steps: j.Steps(), Progress: j.Progress,
		FLOP: j.Shape.FLOP(j.Context).Training, Overrun: j.Overrun,
	}
	if j.Validation != nil {
		if r.Validate, err = Validator(b, m, j.Validation, j.Context, j.Mode == batch.Windows, cmp.Or(j.Validate, validationBatches)); err != nil {
			return nil, err
		}
	}
	if err := r.Do(ctx, t); err != nil {
		return nil, err
	}
	z := &bundle.Bundle{Dir: j.Out, Model: m, Tokenizer: j.Tokenizer}
	if j.End >= 0 {
		z.Generation.EOS = bundle.IDs{j.End}
	}
	return z, z.Save(b, dtype.F32)
}

func (j *Job) source(m zoo.Trainable) (func(step int) ([]train.Micro, error), error) {
	l, err := batch.NewLoader(j.Train, batch.LoaderOptions{B: j.Rows, T: j.Context, Seed: j.Seed, Mode: j.Mode})
	if err != nil {
		return nil, err
	}
	micro := make([]*batch.Batch, j.Micro)
	for i := range micro {
		micro[i] = new(batch.Batch)
	}
	return func(step int) ([]train.Micro, error) {
		for i := range micro {
			l.Fill(micro[i], int64(step*j.Micro+i))
		}
		return train.Language(m, micro...), nil
	}, nil
}

// validationBatches is the batches of a validation on the way where none are
// asked for.
const validationBatches = 8

// Validator returns a function that measures m on at most the given number of
// batches of held-out shards (0: all): nats a token and bits a byte.
func Validator(b tensor.Backend, m zoo.Trainable, s *batch.Shards, context int, whole bool, limit int64) (func(*train.Metrics), error) {
	e, err := batch.NewEval(s, batch.EvalOptions{B: max(1, 4096/context), T: context, Whole: whole})
	if err != nil {
		return nil, fmt.Errorf("validation: %w", err)
	}
	p := op.NewPass(b, op.Options{})
	bytesPerToken := float64(s.Manifest().Bytes) / float64(max(1, s.Tokens()))
	return func(x *train.Metrics) {
		n := e.Batches()
		if limit > 0 {
			n = min(n, limit)
		}
		nats, tokens := eval.Loss(p, m, first(e, n))
		x.ValLoss = nats / float64(max(1, tokens))
		x.ValBPB = eval.BitsPerByte(x.ValLoss, 1) / bytesPerToken
	}, nil
}

// first is the first n batches of e.
func first(e *batch.Eval, n int64) iter.Seq[*batch.Batch] {
	return func(yield func(*batch.Batch) bool) {
		for i := range n {
			if !yield(e.At(i)) {
				return
			}
		}
	}
}

// Done says whether the model of an earlier run is there.
func Done(dir string) bool { return exists(filepath.Join(dir, bundle.WeightsFile)) }

// Measure trains a model of the shape on random tokens for about d and returns
// the seconds of one step (the least of several) and the floating-point rate.
func Measure(b tensor.Backend, s plan.Shape, rows, context int, o train.Options, d time.Duration) (secondsPerStep, flops float64, err error) {
	m, err := NewModel(b, s, -1)
	if err != nil {
		return 0, 0, err
	}
	m.Init(b, 1)
	o.Schedule.Kind, o.Schedule.Steps, o.Schedule.Warmup = "constant", 1, 0
	t, err := train.New(b, m.Params(), m.Unembedding(), o)
	if err != nil {
		return 0, 0, err
	}
	defer model.Release(b, m.Params())
	defer t.Close()
	one := train.Language(m, random(rows, context, s.Vocab))
	best := time.Duration(1<<63 - 1)
	for start, n := time.Now(), 0; n < 3 || time.Since(start) < d; n++ {
		at := time.Now()
		if _, err := t.StepOn(one); err != nil {
			return 0, 0, err
		}
		if n > 0 { // the first one allocates
			best = min(best, time.Since(at))
		}
	}
	secondsPerStep = best.Seconds()
	return secondsPerStep, float64(rows*context) * s.FLOP(context).Training / secondsPerStep, nil
}
