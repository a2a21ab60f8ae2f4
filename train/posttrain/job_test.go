package posttrain_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
	"github.com/foundling-lm/foundling/train/posttrain"
)

func values(b tensor.Backend, params []*op.Param) (out []float32) {
	for _, w := range params {
		x := make([]float32, w.Len())
		b.Download(x, w.T)
		out = append(out, x...)
	}
	return out
}

// job is a fine-tuning of z on a few answers.
func job(t *testing.T, z *bundle.Bundle, optimizer string, steps int) posttrain.Job {
	p := pack(t, examples(t, z.Tokenizer, 6), 60, false)
	return posttrain.Job{
		Dir: t.TempDir(), Out: filepath.Join(t.TempDir(), "out"), Base: z, Context: 60,
		Train:  train.Options{Optimizer: optim.Options{Name: optimizer, WeightDecay: 0.1}, Schedule: optim.Schedule{Peak: 5e-3, Steps: steps}},
		Source: posttrain.Demonstrations(z.Model, p.Loader(2, 1), 1),
	}
}

// TestMeasureChangesNothing runs steps only to see how long they take.
func TestMeasureChangesNothing(t *testing.T) {
	for _, optimizer := range []string{"adamw", "muon"} {
		b, z := setup(t)
		before := values(b, z.Model.Params())
		j := job(t, z, optimizer, 3)
		if s, err := j.Measure(b, 10*time.Millisecond); err != nil || !(s > 0) {
			t.Fatalf("%g seconds, %v", s, err)
		}
		if !slices.Equal(values(b, z.Model.Params()), before) {
			t.Errorf("%s: measuring changed weights", optimizer)
		}
	}
}

// TestAdapterResumes trains an adapter over weights of several formats: whole with
// one thread, and stopped in the middle and gone on with three.
func TestAdapterResumes(t *testing.T) {
	for _, format := range []string{"f32", "bf16", "q8_0", "q4_0"} {
		dir := filepath.Join(t.TempDir(), "base")
		_, z := setup(t)
		z.Dir = dir
		if err := z.Converse(); err != nil {
			t.Fatal(err)
		}
		b, err := cpu.New(cpu.Options{Precision: "f32"})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if err := z.Save(b, dtype.F32); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "m.gguf")
		if err := bundle.Convert(dir, path, bundle.ConvertOptions{Type: format}); err != nil {
			t.Fatal(err)
		}
		run := func(state string, threads, stop int) ([]float32, string, error) {
			b, err := cpu.New(cpu.Options{Threads: threads, Precision: "bf16"})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			z, err := bundle.OpenStored(b, path)
			if err != nil {
				t.Fatal(err)
			}
			j := job(t, z, "adamw", 8)
			if j.Adapter, err = lora.Attach(b, z.Model, lora.Options{Rank: 4, Dropout: 0.1, Seed: 3}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			j.Dir = state
			j.Progress = func(m train.Metrics) {
				if m.Step == stop {
					cancel()
				}
			}
			err = j.Run(ctx, b)
			return values(b, j.Adapter.Params()), j.Out, err
		}
		want, out, err := run(t.TempDir(), 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !lora.Is(out) || !posttrain.Done(out) {
			t.Errorf("%s: %s holds no adapter", format, out)
		}
		dir = t.TempDir()
		if _, out, err := run(dir, 2, 5); !errors.Is(err, train.ErrInterrupted) || posttrain.Done(out) {
			t.Fatalf("%s: stopped: %v", format, err)
		}
		got, _, err := run(dir, 3, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Fatalf("%s: value %d of the adapter is %g after a stop, %g without", format, i, got[i], want[i])
			}
		}
	}
}
