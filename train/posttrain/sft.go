// Package posttrain turns a model that continues text into one that answers.
// Each method is data and a loss for the one training loop of package train.
//
// SFT is supervised fine-tuning (Ouyang et al. 2022, arXiv 2203.02155, section
// 3.5): the model learns the assistant's part of demonstrations, the end of the
// turn included.
//
// Preferences (DPO and its relatives) learn from pairs of answers, Heads are reward
// models and classifiers, and a Policy (PPO, GRPO and their kin) learns from rewards
// of what it samples: a Rollout by the engine is scored by Terms and then read in
// minibatches; Diagnose finds known faults in the figures.
package posttrain

import (
	"context"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/train"
)

// SFTOptions are what the weights depend on, besides base model and examples.
type SFTOptions struct {
	Rows    int           `json:"rows"`    // sequences of a micro-batch
	Micro   int           `json:"micro"`   // micro-batches of a step
	Context int           `json:"context"` // tokens of a packed row
	Train   train.Options `json:"train"`
	Seed    uint64        `json:"seed"` // of the order
}

// SFT is one fine-tuning run.
type SFT struct {
	SFTOptions
	Dir      string          // state and metrics
	Out      string          // the finished model directory
	Base     *bundle.Bundle  // the model to start from; its weights are changed
	Examples *batch.Examples // packed to Context
	Progress func(train.Metrics)
	Overrun  func(step int) (steps int, ok bool)
}

// Run trains to the end, going on from the last checkpoint in Dir, and writes
// the model to Out with its chat format (bundle.Bundle.Converse).
func (s *SFT) Run(ctx context.Context, b tensor.Backend) error {
	if err := s.Base.Converse(); err != nil {
		return err
	}
	j := Job{
		Dir: s.Dir, Out: s.Out, Base: s.Base, Train: s.Train, Context: s.Context, Progress: s.Progress, Overrun: s.Overrun,
		Source: Demonstrations(s.Base.Model, s.Examples.Loader(s.Rows, s.Seed), s.Micro),
	}
	return j.Run(ctx, b)
}

// Demonstrations is the source of steps of so many micro-batches of l.
func Demonstrations(m model.Model, l *batch.ExampleLoader, micro int) func(step int) ([]train.Micro, error) {
	return func(step int) ([]train.Micro, error) {
		bs := make([]*batch.Batch, micro)
		for i := range bs {
			bs[i] = l.At(int64(step*micro + i))
		}
		return train.Language(m, bs...), nil
	}
}

// Loss is the mean loss of m on all examples, in nats per trained token.
func Loss(b tensor.Backend, m model.Model, e *batch.Examples) float64 {
	p := op.NewPass(b, op.Options{CachePacks: true})
	defer p.Close()
	l, sum := e.Loader(1, 0), 0.0
	for i := range l.RowsPerEpoch() {
		p.Reset()
		x := l.At(i)
		h := m.Hidden(p, train.Forward{}.Input(x))
		for _, nats := range model.Loss(p, m, h, x.Targets, op.CrossEntropy{}) {
			sum += nats
		}
	}
	return sum / float64(e.Stats().Trained)
}

// ExampleFor is Example in the format of a base model that brings its own.
func ExampleFor(base *bundle.Bundle, msgs []chat.Message) (batch.Example, error) {
	if base.Template == nil {
		return Example(base.Tokenizer, msgs)
	}
	ids, mask, err := base.Example(msgs)
	return batch.Example{IDs: ids, Train: mask}, err
}

// Example renders a conversation in the default format, as ids with a loss mask.
func Example(enc chat.Encoder, msgs []chat.Message) (batch.Example, error) {
	if err := chat.Validate(msgs); err != nil {
		return batch.Example{}, err
	}
	segments, err := chat.Default().Render(chat.Conversation{Messages: msgs}, nil)
	if err != nil {
		return batch.Example{}, err
	}
	ids, mask, err := chat.Tokenize(enc, segments)
	return batch.Example{IDs: ids, Train: mask}, err
}
