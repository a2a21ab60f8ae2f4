package kernel

import (
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// BenchmarkBlockGemm reports GOP/s and the rate at which weights are read. One
// row reads 256 MiB or more of weights, more than caches hold.
func BenchmarkBlockGemm(b *testing.B) {
	for _, dt := range []dtype.Type{dtype.Q8_0, dtype.Q4_0, dtype.Q4_K, dtype.Q6_K} {
		for _, m := range []int{1, 32, 512} {
			for _, threads := range []int{1, 2} {
				n, k := 2048, 2048
				if m == 1 {
					n = 128 << 10
				}
				b.Run(fmt.Sprintf("%v/%dx%dx%d/t%d", dt, m, n, k, threads), func(b *testing.B) {
					pool := parallel.New(threads)
					defer pool.Close()
					scratch := NewScratch(threads)
					src := make([]byte, n*dt.RowBytes(k))
					for i := range src {
						src[i] = byte(i * 7 % 61)
					}
					s := Best()
					var mem memory // large pages, as weights of a Backend have
					w := &Blocks{Data: unsafe.Slice((*byte)(mem.need(s.BlocksBytes(dt, n, k))), s.BlocksBytes(dt, n, k))}
					if err := s.LayBlocks(nil, dt, n, k, src, w); err != nil {
						b.Fatal(err)
					}
					g := BlockGemm{A: guardedMatrix(b, 1, m, k, false, false), B: w, C: Matrix{F32: make([]float32, m*n), Rows: m, Cols: n, Stride: n}}
					for i := range g.A.F32 {
						g.A.F32[i] = float32(rng.Normal(1, 1, uint64(i%4093)))
					}
					for b.Loop() {
						s.GemmBlocks(pool, scratch, &g)
					}
					at := b.Elapsed().Seconds() / float64(b.N)
					runtime.KeepAlive(&mem)
					b.ReportMetric(2*float64(m)*float64(n)*float64(k)/at/1e9, "GOP/s")
					b.ReportMetric(float64(len(src))/at/1e9, "GB/s")
				})
			}
		}
	}
}
