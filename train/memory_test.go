package train_test

import (
	"runtime"
	"testing"

	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/plan"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/train"
)

// TestSteadyStepAllocatesLittle bounds what a step leaves to the collector once
// all buffers are there: tensors lie outside the Go heap. A mixture's experts see
// another number of rows in every step, so some of its small blocks are new.
func TestSteadyStepAllocatesLittle(t *testing.T) {
	if testing.Short() {
		t.Skip("every family takes steps")
	}
	for family, limit := range map[string]uint64{"gpt2": 1 << 20, "llama": 1 << 20, "gemma3_text": 1 << 20, "qwen2_moe": 2 << 20} {
		for _, optimizer := range []string{"adamw", "muon"} {
			t.Run(family+"/"+optimizer, func(t *testing.T) {
				b := backend(t, cpu.Options{Threads: 2})
				m, err := zoo.FromShape(b, zoo.Shape{Family: family, Layers: 6, Width: 64, Heads: 4, Vocab: 1024, Context: 64})
				if err != nil {
					t.Fatal(err)
				}
				m.Init(b, 1)
				o := options(10)
				o.Optimizer.Name = optimizer
				tr, err := train.New(b, m.Params(), m.Unembedding(), o)
				if err != nil {
					t.Fatal(err)
				}
				defer tr.Close()
				micro := []*batch.Batch{random(0, 4, 64, 1024), random(1, 4, 64, 1024)}
				steps := func(n int) {
					for range n {
						if _, err := tr.StepOn(train.Language(m, micro...)); err != nil {
							t.Fatal(err)
						}
					}
				}
				steps(2)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				const n = 3
				steps(n)
				runtime.ReadMemStats(&after)
				if got := (after.TotalAlloc - before.TotalAlloc) / n; got > limit {
					t.Errorf("a step allocates %d bytes on the Go heap, want at most %d", got, limit)
				} else {
					t.Logf("%d bytes, %d allocations a step", got, (after.Mallocs-before.Mallocs)/n)
				}
			})
		}
	}
}

// counting is a backend that knows how much tensor memory is in use.
type counting struct {
	tensor.Backend
	now, peak int64
}

func (c *counting) Alloc(n int) tensor.Memory {
	m := c.Backend.Alloc(n)
	c.now += int64(m.Bytes())
	c.peak = max(c.peak, c.now)
	return m
}

func (c *counting) Release(m tensor.Memory) {
	c.now -= int64(m.Bytes())
	c.Backend.Release(m)
}

// TestMemoryAsPlanned compares what a step takes with the plan made from the
// configuration alone.
func TestMemoryAsPlanned(t *testing.T) {
	if testing.Short() {
		t.Skip("every family takes steps")
	}
	const rows, T = 4, 64
	for _, precision := range []string{"f32", "bf16"} {
		families := zoo.Families()
		if precision == "bf16" {
			families = []string{"gpt2", "llama", "gemma2", "qwen2_moe"}
		}
		for _, family := range families {
			t.Run(family+"/"+precision, func(t *testing.T) {
				s := plan.Shape{Family: family, Layers: 6, Width: 128, Heads: 4, FF: 512, Vocab: 1024, Context: T, Tied: true}
				b := &counting{Backend: backend(t, cpu.Options{Precision: precision})}
				m, err := zoo.FromShape(b, zoo.Shape{Family: family, Layers: s.Layers, Width: s.Width, Heads: s.Heads, FF: s.FF, Vocab: s.Vocab, Context: T})
				if err != nil {
					t.Fatal(err)
				}
				m.Init(b, 1)
				o := options(10)
				o.Optimizer.Name = "adamw"
				tr, err := train.New(b, m.Params(), m.Unembedding(), o)
				if err != nil {
					t.Fatal(err)
				}
				defer tr.Close()
				for range 2 {
					if _, err := tr.StepOn(train.Language(m, random(0, rows, T, s.Vocab))); err != nil {
						t.Fatal(err)
					}
				}
				want := s.TrainingMemory(rows*T, plan.MemoryOptions{Activation: map[string]int{"f32": 4, "bf16": 2}[precision]})
				planned := want.Total - want.Packed // packed operands are the backend's own
				if r := float64(b.peak) / float64(planned); r < 0.9 || r > 1.1 {
					t.Errorf("a step takes %d bytes, %.2f of the %d planned: %+v", b.peak, r, planned, want)
				} else {
					t.Logf("%.3f of the plan", r)
				}
			})
		}
	}
}
