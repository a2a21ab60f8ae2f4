package cpu

import "github.com/foundling-lm/foundling/tensor"

// unary is the kernel of f.
func (b *Backend) unary(f tensor.Func) func(y, x []float32) {
	return [...]func(y, x []float32){
		tensor.GELUTanh: b.set.GELUTanh, tensor.GELUErf: b.set.GELUErf,
		tensor.SiLU: b.set.SiLU, tensor.ReLU: b.set.ReLU,
		tensor.Tanh: b.set.Tanh, tensor.Sigmoid: b.sigmoid,
	}[f]
}

// gradient is the kernel of dx = dy f'(x).
func (b *Backend) gradient(f tensor.Func) func(dx, dy, x []float32) {
	return [...]func(dx, dy, x []float32){
		tensor.GELUTanh: b.set.GELUTanhBack, tensor.GELUErf: b.set.GELUErfBack,
		tensor.SiLU: b.set.SiLUBack, tensor.ReLU: b.set.ReLUBack,
		tensor.Tanh: b.tanhBack, tensor.Sigmoid: b.sigmoidBack,
	}[f]
}

// sigmoid is (1 + tanh(x/2)) / 2. Rows of gates are one element wide.
func (b *Backend) sigmoid(y, x []float32) {
	b.set.Scale(y, x, 0.5)
	b.set.Tanh(y, y)
	for i, t := range y {
		y[i] = 0.5 + 0.5*t
	}
}

// tanhBack is dx = dy (1 - tanh(x)^2).
func (b *Backend) tanhBack(dx, dy, x []float32) { b.slope(dx, dy, x, 1) }

// sigmoidBack is dx = dy (1 - tanh(x/2)^2) / 4.
func (b *Backend) sigmoidBack(dx, dy, x []float32) { b.slope(dx, dy, x, 0.5) }

// slope is dx = dy s^2 (1 - tanh(s x)^2). dx may be x or dy.
func (b *Backend) slope(dx, dy, x []float32, s float32) {
	t := dx
	if len(dx) > 0 && &dx[0] == &dy[0] {
		t = make([]float32, len(dx))
	}
	b.set.Scale(t, x, s)
	b.set.Tanh(t, t)
	for i, u := range t {
		dx[i] = dy[i] * (s * s * (1 - u) * (1 + u))
	}
}

// Unary is dst = f(x).
func (b *Backend) Unary(f tensor.Func, dst, x *tensor.Tensor) {
	b.map1("function", dst, x, b.unary(f))
}

// UnaryBack is dx = dy f'(x).
func (b *Backend) UnaryBack(f tensor.Func, dx, dy, x *tensor.Tensor) {
	b.map2("function gradient", dx, dy, x, b.gradient(f))
}

// GLU is dst = f(gate) up. SiLU has a kernel of its own.
func (b *Backend) GLU(f tensor.Func, dst, gate, up *tensor.Tensor) {
	if f == tensor.SiLU {
		b.map2("GLU", dst, gate, up, b.set.SwiGLU)
		return
	}
	apply := b.unary(f)
	same("GLU", dst, gate, up)
	b.each(dst.Rows, dst.Cols, func(w, i int) {
		y, t := b.out(w, 0, dst, i), b.temporary(w, 3, dst.Cols)
		apply(t, b.in(w, 1, gate, i))
		b.set.Mul(y, t, b.in(w, 2, up, i))
		b.store(dst, i, y)
	})
}

// GLUBack is the gradient of GLU: dgate = dy up f'(gate), dup = dy f(gate).
func (b *Backend) GLUBack(f tensor.Func, dgate, dup, dy, gate, up *tensor.Tensor) {
	same("GLU gradient", dy, dgate, dup, gate, up)
	apply, back := b.unary(f), b.gradient(f)
	b.each(dy.Rows, dy.Cols, func(w, i int) {
		g, u := b.out(w, 0, dgate, i), b.out(w, 1, dup, i)
		d, x, z := b.in(w, 2, dy, i), b.in(w, 3, gate, i), b.in(w, 4, up, i)
		if f == tensor.SiLU {
			b.set.SwiGLUBack(g, u, d, x, z)
		} else {
			t := b.temporary(w, 5, dy.Cols)
			b.set.Mul(t, d, z)
			back(g, t, x)
			apply(t, x)
			b.set.Mul(u, d, t)
		}
		b.store(dgate, i, g)
		b.store(dup, i, u)
	})
}
