package optim

import (
	"math"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// muon is one hidden matrix under Muon (Jordan et al. 2024): the update is the
// Nesterov momentum of the gradient, orthogonalised. Its size is matched to
// AdamW's, 0.2 sqrt(max(rows, cols)) times an orthogonal matrix (Liu et al.
// 2025, arXiv 2502.16982, eq. 4), so that both share one learning rate.
type muon struct {
	w *op.Param
	m *tensor.Tensor
}

func (u *muon) step(z *Optimizer, lr, gradScale float64) {
	b, mu := z.b, z.o.Momentum
	g := u.w.Grad
	b.Scale(u.m, u.m, mu)
	b.AddScaled(u.m, g, (1-mu)*gradScale)
	// Nesterov: the gradient takes one more step of momentum.
	b.Scale(g, g, (1-mu)*gradScale)
	b.AddScaled(g, u.m, mu)
	blocks := max(1, u.w.Blocks)
	width := g.Cols / blocks
	for i := range blocks {
		part := g.ColRange(i*width, (i+1)*width)
		x := z.work.orthogonalize(part)
		target := u.w.T.ColRange(i*width, (i+1)*width)
		if z.o.WeightDecay > 0 {
			b.Scale(target, target, 1-lr*z.o.WeightDecay)
		}
		b.AddScaled(target, x, -lr*0.2*math.Sqrt(float64(max(x.Rows, x.Cols))))
	}
}

// orthogonalizer holds the buffers of the Newton-Schulz iteration.
type orthogonalizer struct {
	b             tensor.Backend
	x, y, gram, q tensor.Memory
}

// The quintic's coefficients (Jordan et al. 2024): singular values in (0, 1] go
// to about 1 within five rounds.
const (
	nsA, nsB, nsC = 3.4445, -4.7750, 2.0315
	nsRounds      = 5
)

func (o *orthogonalizer) buffer(m *tensor.Memory, rows, cols int) *tensor.Tensor {
	n := rows * cols * o.b.Wide().Size()
	if *m == nil || (*m).Bytes() < n {
		if *m != nil {
			o.b.Release(*m)
		}
		*m = o.b.Alloc(n)
	}
	return tensor.Over(*m, o.b.Wide(), rows, cols)
}

// orthogonalize returns approximately U Vᵀ for g = U S Vᵀ; the result is valid
// until the next call. Each round is x <- a x + (b A + c A²) x with the smaller
// Gram matrix A.
func (o *orthogonalizer) orthogonalize(g *tensor.Tensor) *tensor.Tensor {
	b, n := o.b, min(g.Rows, g.Cols)
	x, y := o.buffer(&o.x, g.Rows, g.Cols), o.buffer(&o.y, g.Rows, g.Cols)
	gram, q := o.buffer(&o.gram, n, n), o.buffer(&o.q, n, n)
	b.Scale(x, g, 1/(math.Sqrt(b.SumSquares([]*tensor.Tensor{g}))+1e-7))
	tall := g.Rows > g.Cols
	for range nsRounds {
		b.MatMul(gram, x, x, tensor.MatMul{TransA: tall, TransB: !tall})
		b.MatMul(q, gram, gram, tensor.MatMul{})
		b.Scale(q, q, nsC)
		b.AddScaled(q, gram, nsB)
		if tall {
			b.MatMul(y, x, q, tensor.MatMul{})
		} else {
			b.MatMul(y, q, x, tensor.MatMul{})
		}
		b.AddScaled(y, x, nsA)
		x, y = y, x
	}
	return x
}

func (o *orthogonalizer) close() {
	for _, m := range []*tensor.Memory{&o.x, &o.y, &o.gram, &o.q} {
		if *m != nil {
			o.b.Release(*m)
			*m = nil
		}
	}
}
