package main

import (
	"context"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/plan"
	"github.com/foundling-lm/foundling/plan/machine"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
	"github.com/foundling-lm/foundling/train/pretrain"
)

// benchShapes are the models of the benches. The first is the published GPT-2;
// the others have 12 million parameters.
var (
	gpt2Shape = plan.Shape{Family: "gpt2", Layers: 12, Width: 768, Heads: 12, FF: 3072, Vocab: 50257, Context: 1024, Tied: true}
	gpt12m    = plan.Shape{Family: "gpt2", Layers: 6, Width: 384, Heads: 6, FF: 1536, Vocab: 4096, Context: 256, Tied: true}
	llama12m  = plan.Shape{Family: "llama", Layers: 6, Width: 384, Heads: 6, FF: 1024, Vocab: 4096, Context: 1024, Tied: true}
)

// trainBench are the steps that are measured: their model and the micro-batches
// of step n.
var trainBench = []struct {
	name string
	make func(b tensor.Backend) (*trainee, error)
}{
	{"train/gpt2-124m/b4t256", func(b tensor.Backend) (*trainee, error) { return pretrainee(b, gpt2Shape, 4) }},
	{"train/gpt-12m/b16t256", func(b tensor.Backend) (*trainee, error) { return pretrainee(b, gpt12m, 16) }},
	{"train/llama-12m/b16t256", func(b tensor.Backend) (*trainee, error) { return pretrainee(b, llama12m, 16) }},
	{"train/sft-llama-12m/b16t256", func(b tensor.Backend) (*trainee, error) { return sftTrainee(b, llama12m, 16) }},
	{"train/dpo-llama-12m/p20", func(b tensor.Backend) (*trainee, error) { return dpoTrainee(b, llama12m, 20) }},
	{"train/lora-135m/b8t512", func(b tensor.Backend) (*trainee, error) {
		return loraTrainee(b, publicShapes["smollm2-135m"], 8, 512)
	}},
}

// trainTokens is the length of the training sequences of the benches, but for
// that of adapters.
const trainTokens = 256

// trainee is a model whose steps are measured.
type trainee struct {
	m      zoo.Trainable
	params []*op.Param
	micro  func(n int) []train.Micro // of step n
	places int                       // tokens of a step
	flop   float64                   // of the products of one token, forward and backward
	close  func()                    // nil: nothing
}

// trainCases measure whole steps (forward, backward, clipping, AdamW): tokens a
// second, the rate of products that they need, and the peak of the process's
// memory over building and training the model.
func trainCases() []benchCase {
	var out []benchCase
	for _, t := range trainBench {
		names := []string{t.name, t.name + "/flops", t.name + "/rss"}
		out = append(out, benchCase{names, func(ctx context.Context, c *benchCmd) ([]benchRow, error) {
			clean := machine.ResetPeak()
			xs, flop, err := c.trainSteps(ctx, t.make)
			if err != nil {
				return nil, err
			}
			rows := []benchRow{summary(t.name, "tokens/s", xs)}
			for i := range xs {
				xs[i] *= flop / 1e9
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

// trainSteps returns the tokens a second of several steps, and the operations of
// a token.
func (c *benchCmd) trainSteps(ctx context.Context, build func(b tensor.Backend) (*trainee, error)) (xs []float64, flop float64, err error) {
	b, err := c.backend()
	if err != nil {
		return nil, 0, err
	}
	defer b.Close()
	e, err := build(b)
	if err != nil {
		return nil, 0, err
	}
	defer model.Release(b, e.m.Params())
	if e.close != nil {
		defer e.close()
	}
	t, err := train.New(b, e.params, e.m.Unembedding(), train.Options{
		Optimizer: optim.Options{Name: "adamw", WeightDecay: 0.1},
		Schedule:  optim.Schedule{Kind: "constant", Peak: 3e-4, Steps: 1},
	})
	if err != nil {
		return nil, 0, err
	}
	defer t.Close()
	n := 0
	step := func() (float64, error) {
		n++
		micro := e.micro(n)
		return rateOf(float64(e.places), func() error {
			_, err := t.StepOn(micro)
			return err
		})
	}
	at := time.Now()
	first, err := step()
	if err != nil {
		return nil, 0, err
	}
	if time.Since(at) > slowStep {
		return []float64{first}, e.flop, nil
	}
	xs, err = repeat(ctx, c.each(12*time.Second), step)
	return xs, e.flop, err
}

// pretrainee is a new model on random tokens.
func pretrainee(b tensor.Backend, s plan.Shape, rows int) (*trainee, error) {
	m, err := pretrain.NewModel(b, s, -1)
	if err != nil {
		return nil, err
	}
	fillWeights(b, m)
	return &trainee{
		m: m, params: m.Params(), places: rows * trainTokens, flop: s.FLOP(trainTokens).Training,
		micro: func(n int) []train.Micro { return train.Language(m, randomBatch(n, rows, trainTokens, s.Vocab)) },
	}, nil
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
