package kernel

import (
	"math"

	"github.com/foundling-lm/foundling/tensor/dtype"
)

func toBF16Go(dst []uint16, src []float32) {
	same("ToBF16", len(dst), len(src))
	for i, x := range src {
		dst[i] = dtype.ToBF16(x)
	}
}

func fromBF16Go(dst []float32, src []uint16) {
	same("FromBF16", len(dst), len(src))
	for i, h := range src {
		dst[i] = dtype.FromBF16(h)
	}
}

func toF16Go(dst []uint16, src []float32) {
	same("ToF16", len(dst), len(src))
	for i, x := range src {
		dst[i] = dtype.ToF16(x)
	}
}

func fromF16Go(dst []float32, src []uint16) {
	same("FromF16", len(dst), len(src))
	for i, h := range src {
		dst[i] = dtype.FromF16(h)
	}
}

func fromInt8Go(dst []float32, src []int8, s float32) {
	same("FromInt8", len(dst), len(src))
	for i, q := range src {
		dst[i] = float32(q) * s
	}
}

func addGo(dst, a, b []float32) {
	same("Add", len(dst), len(a))
	same("Add", len(dst), len(b))
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func mulGo(dst, a, b []float32) {
	same("Mul", len(dst), len(a))
	same("Mul", len(dst), len(b))
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

func mulAddGo(dst, a, b []float32) {
	same("MulAdd", len(dst), len(a))
	same("MulAdd", len(dst), len(b))
	for i := range dst {
		dst[i] += float32(a[i] * b[i])
	}
}

func scaleGo(dst, a []float32, s float32) {
	same("Scale", len(dst), len(a))
	for i := range dst {
		dst[i] = s * a[i]
	}
}

func addScaledGo(dst, a []float32, s float32) {
	same("AddScaled", len(dst), len(a))
	for i := range dst {
		dst[i] += float32(s * a[i])
	}
}

func softmaxBackGo(dx, dy, y []float32, s float32) {
	same("SoftmaxBack", len(dx), len(dy))
	same("SoftmaxBack", len(dx), len(y))
	for i := range dx {
		dx[i] = y[i] * (dy[i] - s)
	}
}

// sumGo adds in float64 in four interleaved lanes: exact enough that the lanes
// matter for speed only.
func sumGo(a []float32) float32 {
	var s0, s1, s2, s3 float64
	for ; len(a) >= 4; a = a[4:] {
		s0 += float64(a[0])
		s1 += float64(a[1])
		s2 += float64(a[2])
		s3 += float64(a[3])
	}
	for _, x := range a {
		s0 += float64(x)
	}
	return float32((s0 + s1) + (s2 + s3))
}

func sumSquaresGo(a []float32) float32 { return dotGo(a, a) }

// dotGo is sumGo of products, which are exact in float64.
func dotGo(a, b []float32) float32 {
	same("Dot", len(a), len(b))
	var s0, s1, s2, s3 float64
	for ; len(a) >= 4 && len(b) >= 4; a, b = a[4:], b[4:] {
		s0 += float64(a[0]) * float64(b[0])
		s1 += float64(a[1]) * float64(b[1])
		s2 += float64(a[2]) * float64(b[2])
		s3 += float64(a[3]) * float64(b[3])
	}
	for i, x := range a {
		s0 += float64(x) * float64(b[i])
	}
	return float32((s0 + s1) + (s2 + s3))
}

func maxGo(a []float32) float32 {
	m := float32(math.Inf(-1))
	for _, x := range a {
		if x > m {
			m = x
		}
	}
	return m
}

func expSubGo(dst, src []float32, max float32) float32 {
	same("ExpSub", len(dst), len(src))
	var sum float64
	for i, x := range src {
		y := float32(exp(float64(x - max)))
		dst[i] = y
		sum += float64(y)
	}
	return float32(sum)
}
