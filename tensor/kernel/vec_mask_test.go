package kernel

import (
	"fmt"
	"math"
	"testing"
)

// TestMask compares every set with plain Go, at all lengths and places in a block,
// past 2^32 elements, and for probabilities at both ends.
func TestMask(t *testing.T) {
	eachSet(t, func(t *testing.T, v *Vec) {
		f := newFence(t)
		for _, limit := range []uint64{0, 1, 1 << 30, 3435973837, math.MaxUint32, 1 << 32} {
			m := &Mask{Seed: 0x0123456789abcdef, Stream: 0xfedcba9876543210, Limit: limit, Scale: 1.25}
			for _, first := range []uint64{0, 1, 2, 3, 1<<34 - 8, 1<<63 + 5} {
				for _, n := range lengths() {
					got, want := at[float32](f, n), make([]float32, n)
					v.Mask(got, first, m)
					f.check(t, 4*n)
					maskGo(want, first, m)
					for i := range want {
						if got[i] != want[i] {
							t.Fatalf("limit %d, from %d, n=%d: element %d: got %g, want %g", limit, first, n, i, got[i], want[i])
						}
					}
				}
			}
		}
	})
}

func BenchmarkMask(b *testing.B) {
	x := make([]float32, 768)
	m := &Mask{Seed: 1, Stream: 2, Limit: 1 << 29, Scale: 1}
	for _, s := range Sets() {
		b.Run(fmt.Sprintf("set=%s", s.Name), func(b *testing.B) {
			b.SetBytes(int64(4 * len(x)))
			for b.Loop() {
				s.Mask(x, 0, m)
			}
		})
	}
}
