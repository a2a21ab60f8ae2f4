package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
)

// elementwise is a kernel whose outputs at i depend on its inputs at i alone.
// call writes to y, which begins as a copy of the first inputs; ref returns the
// exact outputs and the bounds of error.
type elementwise struct {
	name    string
	in, out int
	scale   []float64 // of the inputs, the last for the rest
	call    func(v *Vec, y, x [][]float32)
	ref     func(x []float64) (y, tol []float64)
}

func one(y, tol float64) ([]float64, []float64) { return []float64{y}, []float64{tol} }

var adamWStep = AdamWStep{GradScale: 0.5, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, LR: 1e-2, WeightDecay: 0.1, Correction1: 0.19, Correction2: 0.0975}

func phi(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func silu(x float64) float64 { return x * logistic(x) }

func siluD(x float64) float64 { s := logistic(x); return s * (1 + x*logistic(-x)) }

func geluTanh(x float64) float64 {
	return x * logistic(2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))
}

func geluTanhD(x float64) float64 {
	k := 2 * math.Sqrt(2/math.Pi)
	a := k * (x + 0.044715*x*x*x)
	return logistic(a) + x*logistic(a)*logistic(-a)*k*(1+3*0.044715*x*x)
}

func geluErfD(x float64) float64 { return phi(x) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi) }

func elementwiseKernels() []elementwise {
	const s = 0.7 // factor of Scale and AddScaled
	activation := func(name string, call func(v *Vec) func(y, x []float32), f func(float64) float64) elementwise {
		return elementwise{name, 1, 1, []float64{3}, func(v *Vec, y, x [][]float32) { call(v)(y[0], x[0]) },
			func(x []float64) ([]float64, []float64) { return one(f(x[0]), 6*u*math.Abs(x[0])) }}
	}
	gradient := func(name string, call func(v *Vec) func(dx, dy, x []float32), f func(float64) float64) elementwise {
		return elementwise{name, 2, 1, []float64{1, 3}, func(v *Vec, y, x [][]float32) { call(v)(y[0], x[0], x[1]) },
			func(x []float64) ([]float64, []float64) { return one(x[0]*f(x[1]), 12*u*math.Abs(x[0])) }}
	}
	return []elementwise{
		{"Add", 2, 1, []float64{1}, func(v *Vec, y, x [][]float32) { v.Add(y[0], x[0], x[1]) },
			func(x []float64) ([]float64, []float64) { y := x[0] + x[1]; return one(y, u*math.Abs(y)) }},
		{"Mul", 2, 1, []float64{1}, func(v *Vec, y, x [][]float32) { v.Mul(y[0], x[0], x[1]) },
			func(x []float64) ([]float64, []float64) { y := x[0] * x[1]; return one(y, u*math.Abs(y)) }},
		{"MulAdd", 3, 1, []float64{1}, func(v *Vec, y, x [][]float32) { v.MulAdd(y[0], x[1], x[2]) },
			func(x []float64) ([]float64, []float64) {
				p := x[1] * x[2]
				return one(x[0]+p, u*(math.Abs(p)+math.Abs(x[0]+p)))
			}},
		{"Scale", 1, 1, []float64{1}, func(v *Vec, y, x [][]float32) { v.Scale(y[0], x[0], s) },
			func(x []float64) ([]float64, []float64) {
				y := x[0] * float64(float32(s))
				return one(y, u*math.Abs(y))
			}},
		{"AddScaled", 2, 1, []float64{1}, func(v *Vec, y, x [][]float32) { v.AddScaled(y[0], x[1], s) },
			func(x []float64) ([]float64, []float64) {
				p := x[1] * float64(float32(s))
				return one(x[0]+p, u*(math.Abs(p)+math.Abs(x[0]+p)))
			}},
		{"SoftmaxBack", 2, 1, []float64{1}, func(v *Vec, y, x [][]float32) { v.SoftmaxBack(y[0], x[0], x[1], s) },
			func(x []float64) ([]float64, []float64) {
				y := x[1] * (x[0] - float64(float32(s)))
				return one(y, 3*u*math.Abs(y))
			}},
		activation("GELUTanh", func(v *Vec) func(y, x []float32) { return v.GELUTanh }, geluTanh),
		activation("GELUErf", func(v *Vec) func(y, x []float32) { return v.GELUErf }, func(x float64) float64 { return x * phi(x) }),
		activation("SiLU", func(v *Vec) func(y, x []float32) { return v.SiLU }, silu),
		activation("ReLU", func(v *Vec) func(y, x []float32) { return v.ReLU }, func(x float64) float64 { return max(x, 0) }),
		{"Tanh", 1, 1, []float64{2}, func(v *Vec, y, x [][]float32) { v.Tanh(y[0], x[0]) },
			func(x []float64) ([]float64, []float64) {
				y := math.Tanh(x[0])
				return one(y, 6*u*math.Abs(y))
			}},
		gradient("GELUTanhBack", func(v *Vec) func(dx, dy, x []float32) { return v.GELUTanhBack }, geluTanhD),
		gradient("GELUErfBack", func(v *Vec) func(dx, dy, x []float32) { return v.GELUErfBack }, geluErfD),
		gradient("SiLUBack", func(v *Vec) func(dx, dy, x []float32) { return v.SiLUBack }, siluD),
		gradient("ReLUBack", func(v *Vec) func(dx, dy, x []float32) { return v.ReLUBack }, func(x float64) float64 {
			if x > 0 {
				return 1
			}
			return 0
		}),
		{"SwiGLU", 2, 1, []float64{3, 1}, func(v *Vec, y, x [][]float32) { v.SwiGLU(y[0], x[0], x[1]) },
			func(x []float64) ([]float64, []float64) { return one(silu(x[0])*x[1], 7*u*math.Abs(x[0]*x[1])) }},
		{"SwiGLUBack", 3, 2, []float64{1, 3, 1}, func(v *Vec, y, x [][]float32) { v.SwiGLUBack(y[0], y[1], x[0], x[1], x[2]) },
			func(x []float64) ([]float64, []float64) {
				return []float64{x[0] * x[2] * siluD(x[1]), x[0] * silu(x[1])},
					[]float64{13 * u * math.Abs(x[0]*x[2]), 7 * u * math.Abs(x[0]*x[1])}
			}},
		{"AdamW", 4, 3, []float64{1, 0.01, 0, 0.01}, func(v *Vec, y, x [][]float32) { v.AdamW(y[0], y[1], y[2], x[3], &adamWStep) }, adamWRef},
	}
}

// adamWRef follows the formula in AdamWStep.
func adamWRef(x []float64) (y, tol []float64) {
	s := adamWStep
	p, g := x[0], x[3]*float64(s.GradScale)
	b1, b2, lr := float64(s.Beta1), float64(s.Beta2), float64(s.LR)
	m := b1*x[1] + (1-b1)*g
	v := b2*x[2] + (1-b2)*g*g
	sizeM := b1*math.Abs(x[1]) + (1-b1)*math.Abs(g)
	d := math.Sqrt(v/float64(s.Correction2)) + float64(s.Eps)
	step := m / float64(s.Correction1) / d
	return []float64{p - lr*(step+float64(s.WeightDecay)*p), m, v},
		[]float64{3*u*math.Abs(p) + lr*(12*u*math.Abs(step)+8*u*sizeM/float64(s.Correction1)/d), 4 * u * sizeM, 8 * u * v}
}

// inputs makes random inputs of an elementwise kernel; a scale of 0 asks for
// squares, which are not negative.
func (e *elementwise) inputs(r *rand.Rand, n int) [][]float32 {
	x := make([][]float32, e.in)
	for i := range x {
		scale := e.scale[min(i, len(e.scale)-1)]
		x[i] = normals(r, n, max(scale, 0.01))
		for j := range x[i] {
			if scale == 0 {
				x[i][j] *= x[i][j]
			}
		}
	}
	return x
}

// run calls the kernel on fresh memory.
func (e *elementwise) run(v *Vec, x [][]float32) [][]float32 {
	y := make([][]float32, e.out)
	for i := range y {
		y[i] = slices.Clone(x[i%e.in])
	}
	e.call(v, y, x)
	return y
}
