package tensor_test

import (
	"sync"
	"testing"

	"github.com/foundling-lm/foundling/tensor"
)

// TestRotaryPages reads tables from several threads in different orders, while
// they are made, and compares every entry with its definition.
func TestRotaryPages(t *testing.T) {
	r := &tensor.Rotary{D: 6, Head: 8, Freq: []float64{1, 0.1, 0.01}, Scale: 1.5}
	const positions, threads = 2000, 4
	var wg sync.WaitGroup
	for k := range threads {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range positions {
				pos := int32((i*(2*k+1)*37 + 991*k) % positions)
				cos, sin := r.Float32(pos)
				if len(cos) != 3 || len(sin) != 3 {
					t.Errorf("position %d: %d and %d pairs, want 3", pos, len(cos), len(sin))
					return
				}
				for j := range cos {
					if c, s := r.Turn(pos, j); cos[j] != float32(c) || sin[j] != float32(s) {
						t.Errorf("position %d, pair %d: (%g, %g), want (%g, %g)", pos, j, cos[j], sin[j], c, s)
						return
					}
				}
			}
		}()
	}
	wg.Wait()
	if r.Width() != 8 {
		t.Errorf("heads are %d wide, want 8", r.Width())
	}
	if c, s := (&tensor.Rotary{D: 2, Freq: []float64{1}}).Turn(0, 0); c != 1 || s != 0 {
		t.Errorf("no turn is (%g, %g)", c, s)
	}
}
