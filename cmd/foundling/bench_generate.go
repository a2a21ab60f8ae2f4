package main

import (
	"context"
	"time"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/train/pretrain"
)

const (
	prefillTokens = 512 // of the prompt
	decodeTokens  = 64  // new tokens after a short prompt
	decodePrompt  = 16
)

// benchEngine keeps no prefixes: a prompt is read anew every time.
var benchEngine = generate.Config{PrefixTokens: -1}

// generateCases measure a small Llama with random weights: tokens a second of
// a prompt, and of one sequence token by token.
func generateCases(precision string) []benchCase {
	var out []benchCase
	for _, p := range []string{"f32", "bf16"} {
		if precision != "" && precision != p {
			continue
		}
		name := "generate/llama-12m/" + p
		names := []string{name + "/prefill512", name + "/decode1"}
		out = append(out, benchCase{names, func(ctx context.Context, c *benchCmd) ([]benchRow, error) {
			return c.generateRows(ctx, p, names)
		}})
	}
	return out
}

func (c *benchCmd) generateRows(ctx context.Context, precision string, names []string) ([]benchRow, error) {
	b, err := cpu.New(cpu.Options{Threads: c.Threads, Kernels: c.Kernels, Precision: precision})
	if err != nil {
		return nil, err
	}
	defer b.Close()
	m, err := pretrain.NewModel(b, llama12m, -1)
	if err != nil {
		return nil, err
	}
	defer model.Release(b, m.Params())
	fillWeights(b, m)
	e, err := generate.Open(b, m, nil, benchEngine)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	var rows []benchRow
	for i, f := range []func(context.Context, *generate.Engine) (float64, error){prefillRate, decodeRate} {
		if _, err := f(ctx, e); err != nil { // allocates
			return nil, err
		}
		xs, err := repeat(ctx, c.each(2*time.Second), func() (float64, error) { return f(ctx, e) })
		if err != nil {
			return nil, err
		}
		rows = append(rows, summary(names[i], "tokens/s", xs))
	}
	return rows, nil
}

func prefillRate(ctx context.Context, e *generate.Engine) (float64, error) {
	prompt := randomPrompt(prefillTokens)
	return rateOf(prefillTokens, func() error {
		_, err := e.Generate(ctx, prompt, generate.Options{MaxTokens: 1}, nil)
		return err
	})
}

// decodeRate counts from the first new token to the last, so the prompt stays
// outside.
func decodeRate(ctx context.Context, e *generate.Engine) (float64, error) {
	var first, last time.Time
	o := generate.Options{MaxTokens: decodeTokens + 1, Sample: sample.Options{Temperature: 1, Seed: 1}}
	_, err := e.Generate(ctx, randomPrompt(decodePrompt), o, func(generate.Piece) bool {
		last = time.Now()
		if first.IsZero() {
			first = last
		}
		return true
	})
	return decodeTokens / max(last.Sub(first).Seconds(), 1e-9), err
}

func randomPrompt(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(rng.Intn(1, 3, uint64(i), llama12m.Vocab))
	}
	return ids
}
