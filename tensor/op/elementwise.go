package op

import "github.com/foundling-lm/foundling/tensor"

// Unary is y = f(x), in the format of x.
func Unary(p *Pass, f tensor.Func, x *Value) *Value {
	y := p.New(x.T.DType, x.T.Rows, x.T.Cols)
	y.remake = func(dst *tensor.Tensor) { p.Backend.Unary(f, dst, p.data(x)) }
	y.remake(y.T)
	return p.record(y, func(dy *tensor.Tensor) {
		p.give(x, func(dx *tensor.Tensor) { p.Backend.UnaryBack(f, dx, dy, p.data(x)) })
	})
}

// GLU is f(gate) * up (Shazeer 2020, arXiv 2002.05202, eq. 5 and 6): SwiGLU
// with SiLU, GeGLU with GELU.
func GLU(p *Pass, f tensor.Func, gate, up *Value) *Value {
	y := p.New(gate.T.DType, gate.T.Rows, gate.T.Cols)
	y.remake = func(dst *tensor.Tensor) { p.Backend.GLU(f, dst, p.data(gate), p.data(up)) }
	y.remake(y.T)
	return p.record(y, func(dy *tensor.Tensor) {
		dgate, dup := p.like(gate.T), p.like(up.T)
		p.Backend.GLUBack(f, dgate, dup, dy, p.data(gate), p.data(up))
		p.giveBuffer(gate, dgate)
		p.giveBuffer(up, dup)
	})
}

// SwiGLU is silu(gate) * up.
func SwiGLU(p *Pass, gate, up *Value) *Value { return GLU(p, tensor.SiLU, gate, up) }

// Add is a + b, Wide.
func Add(p *Pass, a, b *Value) *Value {
	y := p.New(p.Backend.Wide(), a.T.Rows, a.T.Cols)
	p.Backend.Add(y.T, a.T, b.T)
	return p.record(y, func(dy *tensor.Tensor) {
		p.give(a, func(d *tensor.Tensor) { p.Backend.Copy(d, dy) })
		p.pass(y, b, dy)
	})
}

// Mul is a * b, elementwise, Wide.
func Mul(p *Pass, a, b *Value) *Value {
	y := p.New(p.Backend.Wide(), a.T.Rows, a.T.Cols)
	p.Backend.Mul(y.T, a.T, b.T)
	return p.record(y, func(dy *tensor.Tensor) {
		p.give(a, func(d *tensor.Tensor) { p.Backend.Mul(d, dy, p.data(b)) })
		p.give(b, func(d *tensor.Tensor) { p.Backend.Mul(d, dy, p.data(a)) })
	})
}

// Scale is s * x, Wide.
func Scale(p *Pass, x *Value, s float64) *Value {
	y := p.New(p.Backend.Wide(), x.T.Rows, x.T.Cols)
	p.Backend.Scale(y.T, x.T, s)
	return p.record(y, func(dy *tensor.Tensor) {
		p.give(x, func(d *tensor.Tensor) { p.Backend.Scale(d, dy, s) })
	})
}

// ScaleRows multiplies row i of x (N,C) by s[i]; s is (N,1), Wide. The result is
// Wide.
func ScaleRows(p *Pass, x, s *Value) *Value {
	y := p.New(p.Backend.Wide(), x.T.Rows, x.T.Cols)
	p.Backend.ScaleRows(y.T, x.T, s.T)
	return p.record(y, func(dy *tensor.Tensor) {
		p.give(x, func(d *tensor.Tensor) { p.Backend.ScaleRows(d, dy, p.data(s)) })
		p.give(s, func(d *tensor.Tensor) { p.Backend.DotRows(d, dy, p.data(x)) })
	})
}

// Columns is columns [lo, hi) of x in its format: a copy where the pass records,
// else a view, for operations that work in place too.
func Columns(p *Pass, x *Value, lo, hi int) *Value {
	if !p.Record {
		return &Value{T: x.T.ColRange(lo, hi)}
	}
	y := p.New(x.T.DType, x.T.Rows, hi-lo)
	p.Backend.Copy(y.T, x.T.ColRange(lo, hi))
	return p.record(y, func(dy *tensor.Tensor) {
		p.give(x, func(d *tensor.Tensor) {
			p.Backend.Zero(d)
			p.Backend.Copy(d.ColRange(lo, hi), dy)
		})
	})
}

// SoftCap keeps x within (-limit, limit): limit * tanh(x/limit) (Gemma 2, arXiv
// 2408.00118, section 2). The result is Wide.
func SoftCap(p *Pass, x *Value, limit float64) *Value {
	u := Scale(p, x, 1/limit)
	return Scale(p, Unary(p, tensor.Tanh, u), limit)
}

// Dropout sets elements to zero with probability o.P and scales the others by
// 1/(1-P) (Srivastava et al. 2014). The mask is made anew for the gradient.
func Dropout(p *Pass, x *Value, o tensor.Dropout) *Value {
	if o.P == 0 {
		return x
	}
	y := p.New(p.Backend.Wide(), x.T.Rows, x.T.Cols)
	p.Backend.Dropout(y.T, x.T, o)
	return p.record(y, func(dy *tensor.Tensor) {
		p.give(x, func(d *tensor.Tensor) { p.Backend.Dropout(d, dy, o) })
	})
}

// Softmax normalises exp(x) over each row, Wide.
func Softmax(p *Pass, x *Value) *Value {
	y := p.New(p.Backend.Wide(), x.T.Rows, x.T.Cols)
	p.Backend.Softmax(y.T, x.T)
	return p.record(y, func(dy *tensor.Tensor) {
		p.give(x, func(d *tensor.Tensor) { p.Backend.SoftmaxBack(d, dy, y.T) })
	})
}

// Mean is the mean over all elements, a (1,1) value.
func Mean(p *Pass, x *Value) *Value {
	n := float64(x.T.Len())
	y := p.New(p.Backend.Wide(), 1, 1)
	p.Backend.Upload(y.T, []float32{float32(p.Backend.Sum(x.T) / n)})
	return p.record(y, func(dy *tensor.Tensor) {
		p.give(x, func(d *tensor.Tensor) {
			fill := make([]float32, d.Len())
			for i, g := 0, p.Host(dy)[0]/float32(n); i < len(fill); i++ {
				fill[i] = g
			}
			p.Backend.Upload(d, fill)
		})
	})
}
