package kernel

import "math"

// adamWFactors are what the kernels multiply by instead of dividing by the
// corrections at each element.
type adamWFactors struct {
	gradScale    float32
	beta1, rest1 float32 // rest = 1-beta
	beta2, rest2 float32
	inverse2     float32 // 1/Correction2
	eps          float32
	rate         float32 // LR/Correction1
	keep         float32 // 1 - LR*WeightDecay
}

func (s *AdamWStep) factors() adamWFactors {
	return adamWFactors{
		gradScale: s.GradScale,
		beta1:     s.Beta1, rest1: 1 - s.Beta1,
		beta2: s.Beta2, rest2: 1 - s.Beta2,
		inverse2: 1 / s.Correction2,
		eps:      s.Eps,
		rate:     s.LR / s.Correction1,
		keep:     float32(1 - float64(s.LR)*float64(s.WeightDecay)),
	}
}

func checkAdamW(p, m, v, g []float32) {
	same("AdamW", len(p), len(m))
	same("AdamW", len(p), len(v))
	same("AdamW", len(p), len(g))
}

func adamWGo(p, m, v, g []float32, s *AdamWStep) {
	checkAdamW(p, m, v, g)
	f := s.factors()
	for i := range p {
		gi := float32(f.gradScale * g[i])
		mi := float32(f.beta1*m[i]) + float32(f.rest1*gi)
		vi := float32(f.beta2*v[i]) + float32(f.rest2*float32(gi*gi))
		m[i], v[i] = mi, vi
		d := float32(math.Sqrt(float64(float32(vi*f.inverse2)))) + f.eps
		p[i] = float32(f.keep*p[i]) - float32(f.rate*float32(mi/d))
	}
}
