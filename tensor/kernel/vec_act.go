package kernel

import "math"

// Constants of the tanh form of GELU.
const (
	geluA = 0.79788456080286535588 // sqrt(2/pi)
	geluB = 0.044715
)

// exp is e^x for x <= 0 or NaN, with a relative error below 1e-9: rounding it to
// float32 gives the nearest value but for one in a hundred. Below 2^-126 it is 0.
// Unlike math.Exp it is the same on every processor.
//
// x = n ln 2 + r; exp(r) by its Taylor polynomial for |r| <= ln(2)/2.
func exp(x float64) float64 {
	if !(x > -87.33654) {
		if x != x {
			return x
		}
		return 0
	}
	const nearest = 3 << 51 // adding it rounds to an integer
	n := float64(x*math.Log2E) + nearest - nearest
	r := x - float64(n*math.Ln2)
	p := float64(1.0/40320*r) + 1.0/5040
	p = float64(p*r) + 1.0/720
	p = float64(p*r) + 1.0/120
	p = float64(p*r) + 1.0/24
	p = float64(p*r) + 1.0/6
	p = float64(p*r) + 1.0/2
	p = float64(p*r) + 1
	p = float64(p*r) + 1
	return p * math.Float64frombits(uint64(int64(n)+1023)<<52)
}

// sigmoid returns 1/(1+exp(-x)) and one minus it, both with full relative
// precision of float32.
func sigmoid(x float64) (s, c float64) {
	e := exp(-math.Abs(x))
	s = 1 / (1 + e)
	c = e * s
	if x < 0 {
		return c, s
	}
	return s, c
}

func siluGo(y, x []float32) {
	same("SiLU", len(y), len(x))
	for i, v := range x {
		s, _ := sigmoid(float64(v))
		y[i] = float32(float64(v) * s)
	}
}

// siluGrad is silu'(x) = s + x*s*(1-s).
func siluGrad(x float64) float64 {
	s, c := sigmoid(x)
	if s == 0 || c == 0 {
		return s
	}
	return s + float64(x*s*c)
}

func siluBackGo(dx, dy, x []float32) {
	same("SiLUBack", len(dx), len(dy))
	same("SiLUBack", len(dx), len(x))
	for i, v := range x {
		dx[i] = float32(float64(dy[i]) * siluGrad(float64(v)))
	}
}

// geluTanhArg is twice the argument of tanh, since (1+tanh u)/2 = sigmoid(2u),
// and its derivative. The gate is 0 or 1 to the last bit outside [-12, 12], where
// the cube could overflow.
func geluTanhArg(x float64) (u, du float64) {
	if x > 12 {
		x = 12
	} else if x < -12 {
		x = -12
	}
	t := float64(x * x)
	return 2 * geluA * float64(x*(1+float64(geluB*t))), 2 * geluA * (1 + float64(3*geluB*t))
}

func geluTanhGo(y, x []float32) {
	same("GELUTanh", len(y), len(x))
	for i, v := range x {
		u, _ := geluTanhArg(float64(v))
		s, _ := sigmoid(u)
		y[i] = float32(float64(v) * s)
	}
}

func geluTanhBackGo(dx, dy, x []float32) {
	same("GELUTanhBack", len(dx), len(dy))
	same("GELUTanhBack", len(dx), len(x))
	for i, v := range x {
		u, du := geluTanhArg(float64(v))
		s, c := sigmoid(u)
		f := s
		if s != 0 && c != 0 { // x may be infinite
			f += float64(float64(v) * s * c * du)
		}
		dx[i] = float32(float64(dy[i]) * f)
	}
}

func geluErfGo(y, x []float32) {
	same("GELUErf", len(y), len(x))
	for i, v := range x {
		y[i] = float32(float64(v) * 0.5 * math.Erfc(-float64(v)/math.Sqrt2))
	}
}

// geluErfBackGo uses d/dx x*Phi(x) = Phi(x) + x*phi(x), Phi and phi of the normal
// distribution.
func geluErfBackGo(dx, dy, x []float32) {
	same("GELUErfBack", len(dx), len(dy))
	same("GELUErfBack", len(dx), len(x))
	for i, v := range x {
		v := float64(v)
		f := 0.5 * math.Erfc(-v/math.Sqrt2)
		if phi := exp(-0.5*v*v) * (geluA / 2); phi != 0 {
			f += float64(v * phi)
		}
		dx[i] = float32(float64(dy[i]) * f)
	}
}

func reluGo(y, x []float32) {
	same("ReLU", len(y), len(x))
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		y[i] = v
	}
}

func reluBackGo(dx, dy, x []float32) {
	same("ReLUBack", len(dx), len(dy))
	same("ReLUBack", len(dx), len(x))
	for i, v := range x {
		d := dy[i]
		if !(v > 0) {
			d = 0
		}
		dx[i] = d
	}
}

// tanhGo is (1-e)/(1+e) with e = exp(-2|x|); near 0, where 1-e loses digits, it
// is the Taylor series.
func tanhGo(y, x []float32) {
	same("Tanh", len(y), len(x))
	for i, v := range x {
		a, z := math.Abs(float64(v)), float64(v)*float64(v)
		t := float64(z*(-17.0/315)) + 2.0/15
		t = float64(z*t) - 1.0/3
		t = a + float64(a*float64(z*t))
		if a > 0.05 || a != a {
			e := exp(-2 * a)
			t = (1 - e) / (1 + e)
		}
		y[i] = float32(math.Copysign(t, float64(v)))
	}
}

func swigluGo(y, gate, up []float32) {
	same("SwiGLU", len(y), len(gate))
	same("SwiGLU", len(y), len(up))
	for i, g := range gate {
		s, _ := sigmoid(float64(g))
		y[i] = float32(float64(g) * s * float64(up[i]))
	}
}

func swigluBackGo(dgate, dup, dy, gate, up []float32) {
	n := len(dgate)
	same("SwiGLUBack", n, len(dup))
	same("SwiGLUBack", n, len(dy))
	same("SwiGLUBack", n, len(gate))
	same("SwiGLUBack", n, len(up))
	for i := range dgate {
		g, u, d := float64(gate[i]), float64(up[i]), float64(dy[i])
		s, _ := sigmoid(g)
		dgate[i] = float32(d * u * siluGrad(g))
		dup[i] = float32(d * g * s)
	}
}
