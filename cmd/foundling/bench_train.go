package main

import (
	"context"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/plan"
	"github.com/foundling-lm/foundling/plan/machine"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
	"github.com/foundling-lm/foundling/train/pretrain"
)

// benchShapes are the models of the benches. The first is the published GPT-2;
// the others have 12 million parameters.
var (
	gpt2Shape  = plan.Shape{Family: "gpt2", Layers: 12, Width: 768, Heads: 12, FF: 3072, Vocab: 50257, Context: 1024, Tied: true}
	gpt12m     = plan.Shape{Family: "gpt2", Layers: 6, Width: 384, Heads: 6, FF: 1536, Vocab: 4096, Context: 256, Tied: true}
	llama12m   = plan.Shape{Family: "llama", Layers: 6, Width: 384, Heads: 6, FF: 1024, Vocab: 4096, Context: 1024, Tied: true}
	trainBench = []struct {
		name  string
		shape plan.Shape
		rows  int // sequences of a step
	}{
		{"train/gpt2-124m/b4t256", gpt2Shape, 4},
		{"train/gpt-12m/b16t256", gpt12m, 16},
		{"train/llama-12m/b16t256", llama12m, 16},
	}
)

// trainTokens is the length of the training sequences of the benches.
const trainTokens = 256

// trainCases measure whole steps (forward, backward, clipping, AdamW) on random
// tokens: tokens a second, the rate of products that they need, and the peak of
// the process's memory over building and training the model.
func trainCases() []benchCase {
	var out []benchCase
	for _, t := range trainBench {
		names := []string{t.name, t.name + "/flops", t.name + "/rss"}
		out = append(out, benchCase{names, func(ctx context.Context, c *benchCmd) ([]benchRow, error) {
			clean := machine.ResetPeak()
			xs, err := c.trainSteps(ctx, t.shape, t.rows)
			if err != nil {
				return nil, err
			}
			rows := []benchRow{summary(t.name, "tokens/s", xs)}
			perToken := t.shape.FLOP(trainTokens).Training / 1e9
			for i := range xs {
				xs[i] *= perToken
			}
			rows = append(rows, summary(names[1], "GFLOP/s", xs))
			if clean {
				rows = append(rows, summary(names[2], "bytes", []float64{float64(machine.PeakMemory())}))
			}
			return rows, nil
		}})
	}
	return out
}

// slowStep is a first step so long that it counts as a repeat; otherwise it
// only allocates.
const slowStep = 10 * time.Second

// trainSteps returns the tokens a second of several steps.
func (c *benchCmd) trainSteps(ctx context.Context, s plan.Shape, rows int) ([]float64, error) {
	b, err := c.backend()
	if err != nil {
		return nil, err
	}
	defer b.Close()
	m, err := pretrain.NewModel(b, s, -1)
	if err != nil {
		return nil, err
	}
	fillWeights(b, m)
	t, err := train.New(b, m.Params(), m.Unembedding(), train.Options{
		Optimizer: optim.Options{Name: "adamw", WeightDecay: 0.1},
		Schedule:  optim.Schedule{Kind: "constant", Peak: 3e-4, Steps: 1},
	})
	if err != nil {
		return nil, err
	}
	defer releaseModel(b, m)
	defer t.Close()
	n := 0
	step := func() (float64, error) {
		n++
		micro := train.Language(m, randomBatch(n, rows, trainTokens, s.Vocab))
		return rateOf(float64(rows*trainTokens), func() error {
			_, err := t.StepOn(micro)
			return err
		})
	}
	at := time.Now()
	first, err := step()
	if err != nil {
		return nil, err
	}
	if time.Since(at) > slowStep {
		return []float64{first}, nil
	}
	return repeat(ctx, c.each(12*time.Second), step)
}

// fillWeights gives matrices small random values, norms ones and biases zeros,
// faster than Init: the values of a bench's weights need no quality.
func fillWeights(b tensor.Backend, m zoo.Trainable) {
	some := someNormals(4)
	for _, w := range m.Params() {
		x := make([]float32, w.Len())
		switch {
		case len(w.Shape) > 1:
			for i := range x {
				x[i] = 0.02 * some[i%len(some)]
			}
		case strings.HasSuffix(w.Name, ".weight"):
			for i := range x {
				x[i] = 1
			}
		}
		b.Upload(w.T, x)
		w.Changed()
	}
}

func releaseModel(b tensor.Backend, m zoo.Trainable) {
	for _, w := range m.Params() {
		w.Changed()
		b.Release(w.T.Mem)
		if w.Grad != nil {
			b.Release(w.Grad.Mem)
		}
	}
}

// randomBatch is full rows of random tokens, other ones in every step.
func randomBatch(step, rows, tokens, vocab int) *batch.Batch {
	b := batch.New(rows, tokens)
	b.Trained = rows * tokens
	for i := range b.IDs {
		b.IDs[i] = int32(rng.Intn(uint64(step), 1, uint64(i), vocab))
		b.Targets[i] = int32(rng.Intn(uint64(step), 2, uint64(i), vocab))
		b.Pos[i], b.Start[i] = int32(i%tokens), 0
	}
	return b
}
