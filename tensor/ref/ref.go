// Package ref is the reference Backend: plain loops over float64, one obvious
// line per formula, nothing shared with the fast code. Every gradient is
// checked against central differences on it, and every other Backend against
// its results. It is slow on purpose; do not use it for anything but tests.
package ref

import (
	"math"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// Backend implements tensor.Backend in float64.
type Backend struct{}

// New returns the reference backend.
func New() *Backend { return &Backend{} }

var _ tensor.Backend = (*Backend)(nil)

// Name is "reference".
func (*Backend) Name() string { return "reference" }

// Kernels is "float64".
func (*Backend) Kernels() string { return "float64" }

// Wide is f64.
func (*Backend) Wide() dtype.Type { return dtype.F64 }

// Narrow is f64.
func (*Backend) Narrow() dtype.Type { return dtype.F64 }

// Alloc returns n zero bytes.
func (*Backend) Alloc(n int) tensor.Memory { return tensor.NewHost(n) }

// Release frees a block.
func (*Backend) Release(m tensor.Memory) {
	if h, ok := m.(*tensor.Host); ok {
		h.Free()
	}
}

// mat reads and writes a tensor of any float format as float64.
type mat struct {
	d      []float64
	stride int
}

func of(t *tensor.Tensor) mat {
	if c, ok := t.Mem.(*constant); ok {
		return mat{c.x[t.Off:], t.Stride}
	}
	return mat{tensor.Data[float64](t), t.Stride}
}

func (m mat) at(i, j int) float64     { return m.d[i*m.stride+j] }
func (m mat) set(i, j int, x float64) { m.d[i*m.stride+j] = x }
func (m mat) add(i, j int, x float64) { m.d[i*m.stride+j] += x }
func (m mat) row(i, n int) []float64  { return m.d[i*m.stride : i*m.stride+n] }

// each calls f for every element position of t.
func each(t *tensor.Tensor, f func(i, j int)) {
	for i := range t.Rows {
		for j := range t.Cols {
			f(i, j)
		}
	}
}

// Upload copies src to dst row by row.
func (*Backend) Upload(dst *tensor.Tensor, src []float32) {
	m := of(dst)
	each(dst, func(i, j int) { m.set(i, j, float64(src[i*dst.Cols+j])) })
}

// Download copies src to dst row by row, rounding.
func (*Backend) Download(dst []float32, src *tensor.Tensor) {
	m := of(src)
	each(src, func(i, j int) { dst[i*src.Cols+j] = float32(m.at(i, j)) })
}

// Zero sets every element to zero.
func (*Backend) Zero(t *tensor.Tensor) {
	m := of(t)
	each(t, func(i, j int) { m.set(i, j, 0) })
}

// Copy copies a to dst.
func (*Backend) Copy(dst, a *tensor.Tensor) {
	d, x := of(dst), of(a)
	each(dst, func(i, j int) { d.set(i, j, x.at(i, j)) })
}

// MatMul is the triple loop.
func (*Backend) MatMul(c, a, b *tensor.Tensor, o tensor.MatMul) {
	if _, ok := b.Mem.(*constant); ok {
		a = rounded(a, b.DType)
	}
	C, A, B := of(c), of(a), of(b)
	K := a.Cols
	if o.TransA {
		K = a.Rows
	}
	each(c, func(i, j int) {
		var s float64
		for k := range K {
			x, y := 0.0, 0.0
			if o.TransA {
				x = A.at(k, i)
			} else {
				x = A.at(i, k)
			}
			if o.TransB {
				y = B.at(j, k)
			} else {
				y = B.at(k, j)
			}
			s += x * y
		}
		if o.Bias != nil {
			s += of(o.Bias).at(0, j)
		}
		if o.Accumulate {
			s += C.at(i, j)
		}
		C.set(i, j, s)
	})
}

// Pack gains nothing here.
func (*Backend) Pack(*tensor.Tensor, bool) tensor.Packed { return nil }

// Add is dst = a + b.
func (*Backend) Add(dst, a, b *tensor.Tensor) {
	d, x, y := of(dst), of(a), of(b)
	each(dst, func(i, j int) { d.set(i, j, x.at(i, j)+y.at(i, j)) })
}

// Mul is dst = a * b.
func (*Backend) Mul(dst, a, b *tensor.Tensor) {
	d, x, y := of(dst), of(a), of(b)
	each(dst, func(i, j int) { d.set(i, j, x.at(i, j)*y.at(i, j)) })
}

// AddScaled is dst += s a.
func (*Backend) AddScaled(dst, a *tensor.Tensor, s float64) {
	d, x := of(dst), of(a)
	each(dst, func(i, j int) { d.add(i, j, s*x.at(i, j)) })
}

// Scale is dst = s a.
func (*Backend) Scale(dst, a *tensor.Tensor, s float64) {
	d, x := of(dst), of(a)
	each(dst, func(i, j int) { d.set(i, j, s*x.at(i, j)) })
}

// Sum adds all elements.
func (*Backend) Sum(t *tensor.Tensor) (s float64) {
	m := of(t)
	each(t, func(i, j int) { s += m.at(i, j) })
	return s
}

// SumRows adds the sum of a's rows to dst.
func (*Backend) SumRows(dst, a *tensor.Tensor) {
	d, x := of(dst), of(a)
	each(a, func(i, j int) { d.add(0, j, x.at(i, j)) })
}

// ScaleRows multiplies each row by its own factor.
func (*Backend) ScaleRows(dst, a, s *tensor.Tensor) {
	d, x, f := of(dst), of(a), of(s)
	each(dst, func(i, j int) { d.set(i, j, f.at(i, 0)*x.at(i, j)) })
}

// DotRows multiplies row with row.
func (*Backend) DotRows(dst, a, b *tensor.Tensor) {
	d, x, y := of(dst), of(a), of(b)
	for i := range a.Rows {
		var s float64
		for j := range a.Cols {
			s += x.at(i, j) * y.at(i, j)
		}
		d.set(i, 0, s)
	}
}

// SumSquares adds the squares of all elements.
func (*Backend) SumSquares(ts []*tensor.Tensor) (s float64) {
	for _, t := range ts {
		m := of(t)
		each(t, func(i, j int) { s += m.at(i, j) * m.at(i, j) })
	}
	return s
}

// Dropout multiplies by the mask of tensor.Dropout.Keep.
func (*Backend) Dropout(dst, a *tensor.Tensor, o tensor.Dropout) {
	d, x := of(dst), of(a)
	each(dst, func(i, j int) {
		y := 0.0
		if o.Keep(uint64(i*a.Cols + j)) {
			y = x.at(i, j) / (1 - o.P)
		}
		d.set(i, j, y)
	})
}

// Softmax normalises exp(x) over each row.
func (*Backend) Softmax(dst, x *tensor.Tensor) {
	d, m := of(dst), of(x)
	for i := range x.Rows {
		lse := logSumExp(m.row(i, x.Cols))
		for j := range x.Cols {
			d.set(i, j, math.Exp(m.at(i, j)-lse))
		}
	}
}

// SoftmaxBack is dx = y (dy - sum(dy y)).
func (*Backend) SoftmaxBack(dx, dy, y *tensor.Tensor) {
	X, DY, Y := of(dx), of(dy), of(y)
	for i := range y.Rows {
		var s float64
		for j := range y.Cols {
			s += DY.at(i, j) * Y.at(i, j)
		}
		for j := range y.Cols {
			X.set(i, j, Y.at(i, j)*(DY.at(i, j)-s))
		}
	}
}

func logSumExp(x []float64) float64 {
	max := math.Inf(-1)
	for _, v := range x {
		max = math.Max(max, v)
	}
	if math.IsInf(max, -1) {
		return max
	}
	var s float64
	for _, v := range x {
		s += math.Exp(v - max)
	}
	return max + math.Log(s)
}
