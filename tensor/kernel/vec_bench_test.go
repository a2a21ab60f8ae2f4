package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkVec reports million elements a second (Mel/s) for each kernel and set, with all
// slices in the first-level cache where they fit.
func BenchmarkVec(b *testing.B) {
	for _, n := range []int{768, 3072} {
		r := rand.New(rand.NewPCG(1, 1))
		var x [6][]float32
		for i := range x {
			x[i] = make([]float32, n)
			for j := range x[i] {
				x[i][j] = float32(r.NormFloat64())
			}
		}
		positive := make([]float32, n)
		h := make([]uint16, n)
		y, a, c, d, e, f := x[0], x[1], x[2], x[3], x[4], x[5]
		for _, s := range Sets() {
			v := &s.Vec
			step := adamWStep
			step.LR = 0
			for _, k := range []struct {
				name string
				run  func()
			}{
				{"ToBF16", func() { v.ToBF16(h, a) }},
				{"FromBF16", func() { v.FromBF16(y, h) }},
				{"ToF16", func() { v.ToF16(h, a) }},
				{"FromF16", func() { v.FromF16(y, h) }},
				{"Add", func() { v.Add(y, a, c) }},
				{"Mul", func() { v.Mul(y, a, c) }},
				{"MulAdd", func() { v.MulAdd(y, a, positive) }},
				{"Scale", func() { v.Scale(y, a, 0.5) }},
				{"AddScaled", func() { v.AddScaled(y, a, 1e-9) }},
				{"Sum", func() { v.Sum(a) }},
				{"SumSquares", func() { v.SumSquares(a) }},
				{"Dot", func() { v.Dot(a, c) }},
				{"Max", func() { v.Max(a) }},
				{"ExpSub", func() { v.ExpSub(y, a, 5) }},
				{"SoftmaxBack", func() { v.SoftmaxBack(y, a, c, 0.5) }},
				{"GELUTanh", func() { v.GELUTanh(y, a) }},
				{"GELUErf", func() { v.GELUErf(y, a) }},
				{"SiLU", func() { v.SiLU(y, a) }},
				{"ReLU", func() { v.ReLU(y, a) }},
				{"GELUTanhBack", func() { v.GELUTanhBack(y, a, c) }},
				{"GELUErfBack", func() { v.GELUErfBack(y, a, c) }},
				{"SiLUBack", func() { v.SiLUBack(y, a, c) }},
				{"ReLUBack", func() { v.ReLUBack(y, a, c) }},
				{"SwiGLU", func() { v.SwiGLU(y, a, c) }},
				{"SwiGLUBack", func() { v.SwiGLUBack(y, f, a, c, d) }},
				{"LayerNorm", func() { v.LayerNorm(y, a, c, d, 1e-5) }},
				{"LayerNormBack", func() { v.LayerNormBack(y, e, f, a, c, d, 0, 1) }},
				{"RMSNorm", func() { v.RMSNorm(y, a, c, 1e-5) }},
				{"RMSNormBack", func() { v.RMSNormBack(y, e, a, c, d, 1) }},
				{"RoPEHalf", func() { v.RoPEHalf(y, positive[:n/2], positive[:n/2]) }},
				{"RoPEPair", func() { v.RoPEPair(y, positive[:n/2], positive[:n/2]) }},
				{"AdamW", func() { v.AdamW(y, e, positive, f, &step) }},
			} {
				b.Run(fmt.Sprintf("%s/%s/%d", k.name, s.Name, n), func(b *testing.B) {
					for b.Loop() {
						k.run()
					}
					b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mel/s")
				})
			}
		}
	}
}

// BenchmarkVecTail is ExpSub at the lengths of causal attention rows.
func BenchmarkVecTail(b *testing.B) {
	v := Best().Vec
	for _, n := range []int{1, 15, 16, 17, 63, 64} {
		x := make([]float32, n)
		b.Run(fmt.Sprint("ExpSub/", n), func(b *testing.B) {
			for b.Loop() {
				v.ExpSub(x, x, 0)
			}
		})
		b.Run(fmt.Sprint("Dot/", n), func(b *testing.B) {
			for b.Loop() {
				v.Dot(x, x)
			}
		})
	}
}
