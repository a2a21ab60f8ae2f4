package cpu_test

import (
	"fmt"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/op"
)

// BenchmarkAttention is one layer of a small GPT: 16 sequences of 256, 6 heads
// of 64.
func BenchmarkAttention(b *testing.B) {
	for _, precision := range []string{"f32", "bf16"} {
		be, err := cpu.New(cpu.Options{Precision: precision, Threads: 1})
		if err != nil {
			b.Fatal(err)
		}
		defer be.Close()
		a := &tensor.Attention{B: 16, TQ: 256, TK: 256, H: 6, K: 6, D: 64, Scale: 0.125}
		n := a.B * a.TQ
		a.Lo, a.Hi = make([]int32, n), make([]int32, n)
		op.CausalRanges(a.Lo, a.Hi, nil, a.TQ, 0)
		make := func(narrow bool, cols int, fill float64) *tensor.Tensor {
			dt := be.Wide()
			if narrow {
				dt = be.Narrow()
			}
			t := tensor.Over(be.Alloc(n*cols*dt.Size()), dt, n, cols)
			x := make([]float32, n*cols)
			for i := range x {
				x[i] = float32(fill * rng.Normal(1, 2, uint64(i)))
			}
			be.Upload(t, x)
			return t
		}
		w := a.H * a.D
		qkv, out, lse := make(true, 3*w, 1), make(true, w, 0), make(false, a.H, 0)
		dqkv, dout := make(false, 3*w, 0), make(false, w, 1)
		part := func(t *tensor.Tensor, i int) *tensor.Tensor { return t.ColRange(i*w, (i+1)*w) }
		b.Run(fmt.Sprintf("%s/%s/forward", be.Kernels(), precision), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				be.Attention(out, lse, part(qkv, 0), part(qkv, 1), part(qkv, 2), a)
			}
		})
		b.Run(fmt.Sprintf("%s/%s/backward", be.Kernels(), precision), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				be.AttentionBack(part(dqkv, 0), part(dqkv, 1), part(dqkv, 2), dout, out, lse, part(qkv, 0), part(qkv, 1), part(qkv, 2), a)
			}
		})
	}
}
