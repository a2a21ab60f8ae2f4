package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/gguf"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/plan"
	"github.com/foundling-lm/foundling/plan/machine"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/train/pretrain"
)

// publicShapes are published models, whose speed others report too; without their
// biases. The context is room for the longest prompt and what follows it.
var publicShapes = map[string]plan.Shape{
	"llama-3.2-1b": {Family: "llama", Layers: 16, Width: 2048, Heads: 32, KVHeads: 8, FF: 8192, Vocab: 128256, Context: 2304, Tied: true},
	"qwen2.5-0.5b": {Family: "llama", Layers: 24, Width: 896, Heads: 14, KVHeads: 2, FF: 4864, Vocab: 151936, Context: 2304, Tied: true},
	"stories260k":  {Family: "llama", Layers: 5, Width: 64, Heads: 8, KVHeads: 4, FF: 172, Vocab: 512, Context: 2304, Tied: true},
	"smollm2-135m": {Family: "llama", Layers: 30, Width: 576, Heads: 9, KVHeads: 3, FF: 1536, Vocab: 49152, Context: 2304, Tied: true},
}

func publicShape(name string) (plan.Shape, error) {
	s, ok := publicShapes[name]
	if !ok {
		return s, usageError{fmt.Errorf("--shape %s is unknown: there are %s", name, strings.Join(slices.Sorted(maps.Keys(publicShapes)), ", "))}
	}
	return s, nil
}

// formatsOf are the formats of the model's parameters in a GGUF file of that type.
func formatsOf(b tensor.Backend, m model.Model, fileType string) ([]dtype.Type, error) {
	family, err := zoo.GGUF(m.Family())
	if err != nil {
		return nil, err
	}
	md, config, err := family.Export(m.Config())
	if err != nil {
		return nil, err
	}
	ts, err := family.Sources(config, model.Sources(b, m.Params()))
	if err != nil {
		return nil, err
	}
	typed, err := gguf.Quantize(fileType, md, ts)
	if err != nil {
		return nil, usageError{fmt.Errorf("--type: %w", err)}
	}
	out := make([]dtype.Type, len(typed)) // a tensor for each parameter, in their order
	for i := range typed {
		out[i] = typed[i].DType
	}
	return out, nil
}

// shapeCases measure one public shape in one type of file: tokens a second, what
// that makes in operations or bytes a second, and its share of the peak that this
// machine reached just before; the peak of memory over building and running the
// model, and the bytes of its weights.
func (c *benchCmd) shapeCases() []benchCase {
	prefix := "generate/" + c.Shape + "/" + c.Type
	names := []string{prefix + "/rss", prefix + "/weights", prefix + "/peaks/arithmetic", prefix + "/peaks/read"}
	for _, m := range shapeMeasures {
		names = append(names, prefix+"/"+m.name, prefix+"/"+m.name+"/"+m.rate, prefix+"/"+m.name+"/peak")
	}
	names = append(names, constrainedNames(prefix)...)
	return []benchCase{{names, func(ctx context.Context, c *benchCmd) ([]benchRow, error) { return c.shapeRows(ctx, prefix) }}}
}

// shapeMeasure is one figure: tokens a second, and the rate of what limits it.
type shapeMeasure struct {
	name string
	rate string // "arithmetic" or "bandwidth"
	run  func(ctx context.Context, s *shaped) (float64, error)
}

var shapeMeasures = []shapeMeasure{
	{"prefill512", "arithmetic", func(ctx context.Context, s *shaped) (float64, error) { return s.prefill(ctx, 512) }},
	{"prefill2048", "arithmetic", func(ctx context.Context, s *shaped) (float64, error) { return s.prefill(ctx, 2048) }},
	{"decode1", "bandwidth", func(ctx context.Context, s *shaped) (float64, error) { return s.decode(ctx) }},
	{"decode32", "arithmetic", func(ctx context.Context, s *shaped) (float64, error) { return s.decodeMany(ctx) }},
}

// shaped is a model of a public shape with random weights.
type shaped struct {
	b       *cpu.Backend
	m       zoo.Trainable
	e       *generate.Engine
	weights int     // bytes that one token reads
	ops     float64 // of the products of one token, the unembedding left out
}

func (c *benchCmd) newShaped() (_ *shaped, err error) {
	shape, err := publicShape(c.Shape)
	if err != nil {
		return nil, err
	}
	b, err := c.exact().backend()
	if err != nil {
		return nil, err
	}
	s := &shaped{b: b}
	if s.m, err = pretrain.NewModel(b, shape, -1); err != nil {
		b.Close()
		return nil, err
	}
	formats, err := formatsOf(b, s.m, c.Type)
	if err != nil {
		s.Close()
		return nil, err
	}
	for i, w := range s.m.Params() {
		if err := fillStored(b, w, formats[i]); err != nil {
			s.Close()
			return nil, err
		}
		if s.weights += w.T.Mem.Bytes(); !w.Lookup {
			s.ops += 2 * float64(w.Len())
		}
	}
	if s.e, err = generate.Open(b, s.m, nil, benchEngine); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// fillStored gives w random values in the format: those of a few blocks, over and
// over.
func fillStored(b tensor.Backend, w *op.Param, dt dtype.Type) error {
	if len(w.Shape) == 1 {
		x := make([]float32, w.Len())
		for i := range x {
			x[i] = 1
		}
		b.Upload(w.T, x)
		return nil
	}
	values, _ := dt.Block()
	const blocks = 61 // a prime number, so that rows differ
	some := make([]float32, blocks*values*max(1, 32/values))
	for i := range some {
		some[i] = 0.02 * float32(rng.Normal(1, 4, uint64(i)))
	}
	pattern := make([]byte, dt.RowBytes(len(some)))
	dtype.Quantize(dt, pattern, some)
	data := tensor.NewHost(w.T.Rows * dt.RowBytes(w.T.Cols))
	defer data.Free()
	for at := 0; at < len(data.Data); {
		at += copy(data.Data[at:], pattern)
	}
	return w.SetWeights(b, dt, data.Data)
}

// Close gives everything back.
func (s *shaped) Close() {
	if s.e != nil {
		s.e.Close()
	}
	model.Release(s.b, s.m.Params())
	s.b.Close()
}

// prompt is n random tokens, others for each sequence.
func (s *shaped) prompt(sequence, n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(rng.Intn(1, 3, uint64(sequence)<<32|uint64(i), s.m.Dims().Vocab))
	}
	return ids
}

func (s *shaped) prefill(ctx context.Context, n int) (float64, error) {
	prompt := s.prompt(0, n)
	return rateOf(float64(n), func() error {
		_, err := s.e.Generate(ctx, prompt, generate.Options{MaxTokens: 1}, nil)
		return err
	})
}

func (s *shaped) decode(ctx context.Context) (float64, error) {
	var first, last time.Time
	_, err := s.e.Generate(ctx, s.prompt(0, decodePrompt), generate.Options{MaxTokens: decodeTokens + 1}, func(generate.Piece) bool {
		if last = time.Now(); first.IsZero() {
			first = last
		}
		return true
	})
	return decodeTokens / max(last.Sub(first).Seconds(), 1e-9), err
}

// decodeMany is the rate of manySequences that decode together, all with a past
// of manyPrompt tokens: their prompts are read in one step, before the clock
// starts.
func (s *shaped) decodeMany(ctx context.Context) (float64, error) {
	c := benchEngine
	c.Chunk = manySequences * manyPrompt
	e, err := generate.Open(s.b, s.m, nil, c)
	if err != nil {
		return 0, err
	}
	defer e.Close()
	requests := make([]generate.Request, manySequences)
	for i := range requests {
		requests[i] = generate.Request{Prompt: s.prompt(i, manyPrompt), Options: generate.Options{MaxTokens: manyTokens + 1}}
	}
	var start, last time.Time
	first := 0
	_, err = e.GenerateAll(ctx, requests, func(int, generate.Piece) bool {
		last = time.Now()
		if first++; first == manySequences {
			start = last
		}
		return true
	})
	return manySequences * manyTokens / max(last.Sub(start).Seconds(), 1e-9), err
}

const (
	manySequences = 32
	manyPrompt    = 128 // tokens of each
	manyTokens    = 32  // new tokens of each
)

func (c *benchCmd) shapeRows(ctx context.Context, prefix string) ([]benchRow, error) {
	peaks, err := machine.Measure(ctx, machine.Options{Kernels: c.Kernels, Threads: c.Threads})
	if err != nil {
		return nil, err
	}
	clean := machine.ResetPeak()
	s, err := c.newShaped()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	arithmetic := peaks.Int8.All
	switch c.Type {
	case "f32", "f16":
		arithmetic = peaks.F32.All
	case "bf16":
		arithmetic = peaks.BF16.All
	}
	var rows []benchRow
	for _, m := range shapeMeasures {
		name := prefix + "/" + m.name
		if !slices.ContainsFunc([]string{name, name + "/" + m.rate, name + "/peak"}, c.wants) {
			continue
		}
		xs, err := repeat(ctx, c.each(4*time.Second), func() (float64, error) { return m.run(ctx, s) })
		if err != nil {
			return nil, err
		}
		rows = append(rows, summary(name, "tokens/s", xs))
		per, peak, unit := s.ops/1e9, arithmetic/1e9, "GOP/s"
		if m.rate == "bandwidth" {
			per, peak, unit = float64(s.weights)/1e9, peaks.Read.All/1e9, "GB/s"
		}
		rates, shares := make([]float64, len(xs)), make([]float64, len(xs))
		for i, x := range xs {
			rates[i], shares[i] = x*per, x*per/max(peak, 1e-9)
		}
		rows = append(rows, summary(name+"/"+m.rate, unit, rates))
		if peak > 0 {
			rows = append(rows, summary(name+"/peak", "of peak", shares))
		}
	}
	constrained, err := c.constrainedRows(ctx, s, prefix)
	if err != nil {
		return nil, err
	}
	rows = append(rows, constrained...)
	if clean {
		rows = append(rows, summary(prefix+"/rss", "bytes", []float64{float64(machine.PeakMemory())}))
	}
	rows = append(rows, summary(prefix+"/weights", "bytes", []float64{float64(s.weights)}),
		summary(prefix+"/peaks/arithmetic", "GOP/s", []float64{arithmetic / 1e9}))
	if peaks.Read.All > 0 {
		rows = append(rows, summary(prefix+"/peaks/read", "GB/s", []float64{peaks.Read.All / 1e9}))
	}
	return rows, nil
}
