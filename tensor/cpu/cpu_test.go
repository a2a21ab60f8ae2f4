package cpu_test

import (
	"testing"

	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/kernel"
	"github.com/foundling-lm/foundling/tensor/tensortest"
)

// TestConformance runs the suite on every kernel set of this machine, in both
// precisions.
func TestConformance(t *testing.T) {
	sets := kernel.Sets()
	if testing.Short() {
		sets = sets[:1]
	}
	for _, set := range sets {
		for precision, bounds := range map[string]tensortest.Bounds{
			"f32":  {Wide: 1e-5, Narrow: 1e-5},
			"bf16": {Wide: 1e-5, Narrow: 1.0 / 64},
		} {
			t.Run(set.Name+"/"+precision, func(t *testing.T) {
				b, err := cpu.New(cpu.Options{Kernels: set.Name, Precision: precision, Threads: 2})
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				tensortest.Run(t, b, bounds)
			})
		}
	}
}
