package pretrain

import (
	"context"
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/text/batch"
)

// EvalOptions say how held-out text is covered.
type EvalOptions struct {
	Context    int     // tokens of a window
	Stride     int     // from one window to the next; 0: the context, each token with what its own window holds before it
	Whole      bool    // all documents as one text, as training in windows takes them
	TokenBytes []int32 // length of every token's text, for bits a byte
	// Progress is told the batches done; nil: none.
	Progress func(done, total int64)
}

// Evaluation is the loss on held-out text.
type Evaluation struct {
	Tokens       int64   `json:"tokens"` // targets counted
	Bytes        int64   `json:"bytes"`  // of text that they stand for
	Nats         float64 `json:"nats"`   // sum over the targets
	NatsPerToken float64 `json:"nats_per_token"`
	BitsPerByte  float64 `json:"bits_per_byte"`
	NatsPerByte  float64 `json:"nats_per_byte"`
	Context      int     `json:"context"`
	Stride       int     `json:"stride"`
	Uncounted    int64   `json:"uncounted"` // tokens without anything before them to be predicted from
}

// Evaluate measures m on every held-out token once. It ends early with the
// error of ctx.
func Evaluate(ctx context.Context, b tensor.Backend, m model.Model, s *batch.Shards, o EvalOptions) (Evaluation, error) {
	if o.Stride == 0 {
		o.Stride = o.Context
	}
	e, err := batch.NewEval(s, batch.EvalOptions{B: max(1, evalTokens/o.Context), T: o.Context, Stride: o.Stride, Whole: o.Whole})
	if err != nil {
		return Evaluation{}, fmt.Errorf("validation: %w", err)
	}
	p := op.NewPass(b, op.Options{})
	defer p.Close()
	r := Evaluation{Context: o.Context, Stride: o.Stride, Uncounted: e.Uncounted()}
	for i := range e.Batches() {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		one := e.At(i)
		nats, n := eval.Loss(p, m, func(yield func(*batch.Batch) bool) { yield(one) })
		r.Nats += nats
		r.Tokens += int64(n)
		r.Bytes += one.Bytes(o.TokenBytes)
		if o.Progress != nil {
			o.Progress(i+1, e.Batches())
		}
	}
	r.NatsPerToken = r.Nats / float64(max(1, r.Tokens))
	r.NatsPerByte = r.Nats / float64(max(1, r.Bytes))
	r.BitsPerByte = r.NatsPerByte / math.Ln2
	return r, nil
}

// evalTokens is the tokens of a batch in validation: enough for full speed,
// small in memory.
const evalTokens = 4096

// SampleTokens is the tokens of a validation on the way, at most.
const SampleTokens = validationBatches * evalTokens
