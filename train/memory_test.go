package train_test

import (
	"runtime"
	"testing"

	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/train"
)

// TestSteadyStepAllocatesLittle bounds what a step leaves to the collector once
// all buffers are there: tensors lie outside the Go heap.
func TestSteadyStepAllocatesLittle(t *testing.T) {
	for _, family := range zoo.Families() {
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
				tr, err := train.New(b, m, o)
				if err != nil {
					t.Fatal(err)
				}
				defer tr.Close()
				micro := []*batch.Batch{random(0, 4, 64, 1024), random(1, 4, 64, 1024)}
				steps := func(n int) {
					for range n {
						if _, err := tr.StepOn(micro); err != nil {
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
				const limit = 1 << 20
				if got := (after.TotalAlloc - before.TotalAlloc) / n; got > limit {
					t.Errorf("a step allocates %d bytes on the Go heap, want at most %d", got, limit)
				} else {
					t.Logf("%d bytes, %d allocations a step", got, (after.Mallocs-before.Mallocs)/n)
				}
			})
		}
	}
}
