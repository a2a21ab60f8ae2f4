package lab

import (
	"context"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// student is a small model that learns texts of a constructed world.
type student struct {
	ctx     context.Context
	b       tensor.Backend
	m       zoo.Trainable
	context int      // tokens that it sees
	names   [][]byte // of the ids
	end     int32    // ends an answer
	seed    uint64
}

// studentWidth and studentLayers are the size of it. One layer can neither compare a
// subject with what is known of it nor obey a context.
const studentWidth, studentLayers = 64, 2

// newStudent has random weights.
func newStudent(ctx context.Context, b tensor.Backend, names [][]byte, end int32, length int, seed uint64) (*student, error) {
	m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: studentLayers, Width: studentWidth, Heads: 4, Vocab: len(names), Context: length})
	if err != nil {
		return nil, err
	}
	m.Init(b, seed)
	return &student{ctx: ctx, b: b, m: m, context: length, names: names, end: end, seed: seed}, nil
}

func (s *student) close() { model.Release(s.b, s.m.Params()) }

// studentStep is the examples of a step, about.
const studentStep = 64

// train learns examples; tell sees every step that was done, and may end training with
// an error.
func (s *student) train(examples []batch.Example, steps int, rate float64, tell func(done int) error) error {
	packed, err := batch.PackExamples(examples, s.context, batch.PackOptions{Single: true})
	if err != nil {
		return err
	}
	t, err := train.New(s.b, s.m.Params(), s.m.Unembedding(), train.Options{
		Optimizer: optim.Options{Name: "adamw", WeightDecay: 0.01},
		Schedule:  optim.Schedule{Kind: "cosine", Peak: rate, Warmup: steps / 20, Steps: steps},
	})
	if err != nil {
		return err
	}
	defer t.Close()
	source := posttrain.Demonstrations(s.m, packed.Loader(studentStep, s.seed), 1)
	for step := range steps {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		micro, err := source(step)
		if err != nil {
			return err
		}
		if _, err := t.StepOn(micro); err != nil {
			return err
		}
		if err := tell(step + 1); err != nil {
			return err
		}
	}
	return nil
}

// weights are a copy of the model's.
func (s *student) weights() (out [][]float32) {
	for _, p := range s.m.Params() {
		x := make([]float32, p.Len())
		s.b.Download(x, p.T)
		out = append(out, x)
	}
	return out
}

func (s *student) restore(weights [][]float32) {
	for i, p := range s.m.Params() {
		s.b.Upload(p.T, weights[i])
		p.Changed()
	}
}

// replies are n answers of at most so many tokens to each prompt, those of the first
// first.
func (s *student) replies(prompts [][]int32, n, tokens int, temperature float64) ([]*generate.Result, error) {
	e := generate.New(s.b, s.m, s.names)
	defer e.Close()
	var requests []generate.Request
	for i, q := range prompts {
		for k := range n {
			requests = append(requests, generate.Request{Prompt: q, Options: generate.Options{
				MaxTokens: tokens, StopIDs: []int32{s.end}, Stream: uint64(i*n + k), Sample: sample.Options{Temperature: temperature, Seed: s.seed},
			}})
		}
	}
	return e.GenerateAll(s.ctx, requests, nil)
}

// first are the most probable next tokens of prompts, the end where an answer has none.
func (s *student) first(prompts [][]int32) ([]int32, error) {
	results, err := s.replies(prompts, 1, 1, 0)
	if err != nil {
		return nil, err
	}
	out := make([]int32, len(prompts))
	for i, r := range results {
		if out[i] = s.end; len(r.IDs) > 0 {
			out[i] = r.IDs[0]
		}
	}
	return out, nil
}
