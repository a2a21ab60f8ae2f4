// Package posttrain turns a model that continues text into one that answers.
// Each method is data and a loss for the one training loop of package train.
//
// SFT is supervised fine-tuning (Ouyang et al. 2022, arXiv 2203.02155, section
// 3.5): the model learns the assistant's part of demonstrations, the end of the
// turn included.
package posttrain

import (
	"context"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/plan"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
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
// the model to Out with the chat format: its own, where Base has one, else the
// default one.
func (s *SFT) Run(ctx context.Context, b tensor.Backend) (*bundle.Bundle, error) {
	t, err := train.New(b, s.Base.Model.Params(), s.Base.Model.Unembedding(), s.Train)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	l := s.Examples.Loader(s.Rows, s.Seed)
	d := s.Base.Model.Dims()
	shape := plan.Shape{
		Family: s.Base.Model.Family(), Layers: d.Layers, Width: d.Width, Heads: d.Heads, KVHeads: d.KVHeads,
		HeadDim: d.HeadDim, FF: d.FF, Vocab: d.Vocab, Context: d.Context, Tied: true,
	}
	run := train.Run{
		Dir: s.Dir, Steps: s.Train.Schedule.End(), Progress: s.Progress, Overrun: s.Overrun,
		FLOP: shape.FLOP(s.Context).Training,
		Source: func(step int) ([]train.Micro, error) {
			var micro []train.Micro
			for i := range s.Micro {
				micro = append(micro, train.Language(s.Base.Model, l.At(int64(step*s.Micro+i)))...)
			}
			return micro, nil
		},
	}
	if err := run.Do(ctx, t); err != nil {
		return nil, err
	}
	out := *s.Base
	z := &out
	z.Dir, z.Chat = s.Out, true
	if z.Template != nil { // its own format stays
		z.Generation.EOS = z.Stops()
		return z, z.Save(b, dtype.F32)
	}
	z.Generation.EOS = nil
	for _, name := range []string{chat.End, chat.EndOfText} {
		if id, ok := z.Tokenizer.SpecialID(name); ok {
			z.Generation.EOS = append(z.Generation.EOS, id)
		}
	}
	if id, ok := z.Tokenizer.SpecialID(chat.Pad); ok {
		z.Generation.Pad = &id
	}
	return z, z.Save(b, dtype.F32)
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
