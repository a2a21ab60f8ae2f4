package kernel_test

import (
	"fmt"
	"testing"

	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/tensor/kernel"
)

// gemmShapes are M, N, K of layers and heads of small language models.
var gemmShapes = [][3]int{
	{1024, 768, 768}, {1024, 3072, 768}, {1024, 768, 3072}, {1024, 50257, 768},
	{4096, 768, 768}, {2048, 384, 384}, {2048, 1536, 384}, {2048, 512, 512},
}

func benchGemm(b *testing.B, s *kernel.Set, threads int, g *kernel.Gemm) {
	pool := parallel.New(threads)
	defer pool.Close()
	scratch := kernel.NewScratch(threads)
	s.Gemm(pool, scratch, g)
	for b.Loop() {
		s.Gemm(pool, scratch, g)
	}
	flop := 2 * float64(g.C.Rows) * float64(g.C.Cols) * float64(g.A.Cols)
	b.ReportMetric(flop*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

// BenchmarkGemm multiplies by packed weights, and by weights packed in the call.
func BenchmarkGemm(b *testing.B) {
	for _, s := range kernel.Sets() {
		if s.Name == "purego" {
			continue
		}
		for _, p := range []kernel.Precision{kernel.F32, kernel.BF16} {
			for _, shape := range gemmShapes {
				for _, threads := range []int{1, 2} {
					m, n, k := shape[0], shape[1], shape[2]
					name := fmt.Sprintf("set=%s/%v/%dx%dx%d/threads=%d", s.Name, p, m, n, k, threads)
					b.Run(name+"/packed", func(b *testing.B) {
						g := randomGemm(m, n, k, p)
						g.Packed = &kernel.Packed{Data: make([]byte, s.PackedBytes(k, n, p))}
						s.PackB(nil, g.B, p, g.Packed)
						benchGemm(b, s, threads, g)
					})
					b.Run(name+"/unpacked", func(b *testing.B) { benchGemm(b, s, threads, randomGemm(m, n, k, p)) })
				}
			}
		}
	}
}

// BenchmarkGemmForms measures one shape with both operands in every form: a
// gradient of weights has A transposed, one of inputs has B transposed.
func BenchmarkGemmForms(b *testing.B) {
	s := kernel.Best()
	for form := range 8 {
		aTrans, bTrans, p := form&1 != 0, form&2 != 0, kernel.Precision(form>>2)
		b.Run(fmt.Sprintf("set=%s/%v/aT=%v/bT=%v", s.Name, p, aTrans, bTrans), func(b *testing.B) {
			g := randomGemm(768, 768, 1024, p)
			g.A, g.B = copyOf(&g.A, aTrans, 1024), copyOf(&g.B, bTrans, 768)
			benchGemm(b, s, 1, g)
		})
	}
}

// BenchmarkGemmSmall is products of attention blocks and of decoding one token.
func BenchmarkGemmSmall(b *testing.B) {
	for _, s := range kernel.Sets() {
		for _, shape := range [][3]int{{64, 64, 64}, {16, 64, 64}, {1, 768, 768}, {1, 3072, 768}, {4, 768, 768}} {
			for _, p := range []kernel.Precision{kernel.F32, kernel.BF16} {
				b.Run(fmt.Sprintf("set=%s/%v/%v", s.Name, p, shape), func(b *testing.B) {
					g := randomGemm(shape[0], shape[1], shape[2], p)
					if shape[0] < 16 {
						g.Packed = &kernel.Packed{Data: make([]byte, s.PackedBytes(shape[2], shape[1], p))}
						s.PackB(nil, g.B, p, g.Packed)
					}
					benchGemm(b, s, 1, g)
				})
			}
		}
	}
}

// randomGemm is a product without gaps between rows.
func randomGemm(m, n, k int, p kernel.Precision) *kernel.Gemm {
	d := draws{seed: 11}
	some := make([]float32, 1021)
	for i := range some {
		some[i] = d.normal()
	}
	fill := func(rows, cols int) kernel.Matrix {
		v := make([]float32, rows*cols)
		for i := range v {
			v[i] = some[i%len(some)]
		}
		return kernel.Matrix{F32: v, Rows: rows, Cols: cols, Stride: cols}
	}
	return &kernel.Gemm{A: fill(m, k), B: fill(k, n), C: fill(m, n), Precision: p}
}
