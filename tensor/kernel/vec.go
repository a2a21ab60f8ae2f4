package kernel

import "fmt"

// Vec is the row kernels of a Set: arithmetic on one or a few slices, on one
// thread, without allocation. Slices of one call have the same length unless
// said; dst may be exactly the same slice as an input, never overlap it partly.
// A length that does not fit panics.
//
// Elementwise kernels give an element the same bits wherever it lies in the
// slice. Sums add in an order that depends on the length alone. Bounds of error
// stand with each field as u, the unit roundoff 2^-24 of float32, and hold for
// every set; the reference (plain Go) is usually closer.
type Vec struct {
	// ToBF16 and ToF16 round to nearest, ties to even; a NaN stays a quiet NaN
	// and subnormal numbers are kept. FromBF16 and FromF16 are exact.
	ToBF16   func(dst []uint16, src []float32)
	FromBF16 func(dst []float32, src []uint16)
	ToF16    func(dst []uint16, src []float32)
	FromF16  func(dst []float32, src []uint16)
	FromInt8 func(dst []float32, src []int8, s float32) // dst = s * src

	Add        func(dst, a, b []float32)         // dst = a + b
	Mul        func(dst, a, b []float32)         // dst = a * b
	MulAdd     func(dst, a, b []float32)         // dst += a * b
	Scale      func(dst, a []float32, s float32) // dst = s * a
	AddScaled  func(dst, a []float32, s float32) // dst += s * a
	Sum        func(a []float32) float32         // error <= u * (n/32+8) * sum |a|
	SumSquares func(a []float32) float32         // error <= u * (n/32+8) * sum a^2
	Dot        func(a, b []float32) float32      // error <= u * (n/32+8) * sum |a*b|
	Max        func(a []float32) float32         // -Inf if empty; skips NaN

	// ExpSub sets dst = exp(src-max) and returns the sum of dst; every src-max
	// must be <= 0 or NaN. -Inf gives exactly 0. An element is within 2 units in
	// the last place; results below 2^-126 may be 0.
	ExpSub func(dst, src []float32, max float32) float32

	// SoftmaxBack sets dx = y * (dy-s): the gradient of a row y of weights where s
	// is the sum of dy*y.
	SoftmaxBack func(dx, dy, y []float32, s float32)

	// The activations. GELUTanh is x*(1+tanh(sqrt(2/pi)(x+0.044715x^3)))/2,
	// GELUErf is x*(1+erf(x/sqrt 2))/2 (Hendrycks & Gimpel, arXiv 1606.08415), SiLU
	// is x/(1+exp(-x)). Error of y: <= 6u * |x|. x = -Inf gives NaN in all but ReLU.
	GELUTanh func(y, x []float32)
	GELUErf  func(y, x []float32)
	SiLU     func(y, x []float32)
	ReLU     func(y, x []float32)

	Tanh func(y, x []float32) // y = tanh(x); error <= 6u * |y|, infinities give 1 and -1

	// Their gradients, dx = dy * f'(x). Error of f': <= 12u (finite x). The
	// derivative of ReLU at 0 is 0.
	GELUTanhBack func(dx, dy, x []float32)
	GELUErfBack  func(dx, dy, x []float32)
	SiLUBack     func(dx, dy, x []float32)
	ReLUBack     func(dx, dy, x []float32)

	SwiGLU     func(y, gate, up []float32) // y = silu(gate) * up (Shazeer, arXiv 2002.05202)
	SwiGLUBack func(dgate, dup, dy, gate, up []float32)

	// LayerNorm sets y = (x-mean)*rstd*w + b over one row, with the variance from
	// a second pass over x-mean (Ba et al., arXiv 1607.06450). nil w is ones, nil b
	// zeros. LayerNormBack takes mean and rstd from the forward call, sets dx and
	// adds to dw and db; w, dw and db may be nil.
	LayerNorm     func(y, x, w, b []float32, eps float32) (mean, rstd float32)
	LayerNormBack func(dx, dw, db, dy, x, w []float32, mean, rstd float32)

	// RMSNorm sets y = x*rstd*w with rstd = 1/sqrt(mean(x^2)+eps) (Zhang &
	// Sennrich, arXiv 1910.07467). RMSNormBack sets dx and adds to dw. w and dw
	// may be nil.
	RMSNorm     func(y, x, w []float32, eps float32) (rstd float32)
	RMSNormBack func(dx, dw, dy, x, w []float32, rstd float32)

	// RoPEHalf and RoPEPair turn one head x (D) in place by the angles whose
	// cosines and sines are cos, sin (D/2) (Su et al., arXiv 2104.09864). Half
	// pairs i with i+D/2 (Hugging Face Llama), Pair 2i with 2i+1 (GPT-J). The
	// gradient is the turn by -sin.
	RoPEHalf func(x, cos, sin []float32)
	RoPEPair func(x, cos, sin []float32)

	// Mask writes elements first, first+1, ... of a dropout mask.
	Mask func(dst []float32, first uint64, m *Mask)

	// AdamW makes one step on parameters p with gradients g and moments m, v.
	AdamW func(p, m, v, g []float32, s *AdamWStep)
}

// AdamWStep is the constants of one step of Adam with decoupled weight decay
// (Loshchilov & Hutter, arXiv 1711.05101, algorithm 2; the decay is multiplied
// by the learning rate, as in PyTorch):
//
//	g = g*GradScale
//	m = Beta1*m + (1-Beta1)*g
//	v = Beta2*v + (1-Beta2)*g*g
//	p = p - LR*(m/Correction1 / (sqrt(v/Correction2)+Eps) + WeightDecay*p)
type AdamWStep struct {
	GradScale                float32 // loss scale and clipping in one factor
	Beta1, Beta2             float32
	Eps                      float32
	LR                       float32
	WeightDecay              float32
	Correction1, Correction2 float32 // 1 - Beta^t of the rounded Beta, t = 1 at the first step
}

// vecPurego is the reference: plain Go. A product that is added to something is
// rounded first (the conversions that look idle), so that no compiler fuses the
// two and the bits are the same on every processor; GELUErf, which calls
// math.Erfc, is the exception.
func vecPurego() Vec {
	return Vec{
		ToBF16: toBF16Go, FromBF16: fromBF16Go, ToF16: toF16Go, FromF16: fromF16Go, FromInt8: fromInt8Go,
		Add: addGo, Mul: mulGo, MulAdd: mulAddGo, Scale: scaleGo, AddScaled: addScaledGo,
		Sum: sumGo, SumSquares: sumSquaresGo, Dot: dotGo, Max: maxGo, ExpSub: expSubGo, SoftmaxBack: softmaxBackGo,
		GELUTanh: geluTanhGo, GELUErf: geluErfGo, SiLU: siluGo, ReLU: reluGo, Tanh: tanhGo,
		GELUTanhBack: geluTanhBackGo, GELUErfBack: geluErfBackGo, SiLUBack: siluBackGo, ReLUBack: reluBackGo,
		SwiGLU: swigluGo, SwiGLUBack: swigluBackGo,
		LayerNorm: layerNormGo, LayerNormBack: layerNormBackGo, RMSNorm: rmsNormGo, RMSNormBack: rmsNormBackGo,
		RoPEHalf: ropeHalfGo, RoPEPair: ropePairGo,
		Mask: maskGo, AdamW: adamWGo,
	}
}

// same panics unless two lengths of one call agree.
func same(op string, n, m int) {
	if n != m {
		panic(fmt.Sprintf("kernel %s: slices of %d and %d elements", op, n, m))
	}
}

// sameOrNil is same for an operand that may be left out.
func sameOrNil(op string, n int, a []float32) {
	if a != nil {
		same(op, n, len(a))
	}
}
