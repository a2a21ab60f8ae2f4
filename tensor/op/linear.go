package op

import (
	"fmt"

	"github.com/foundling-lm/foundling/tensor"
)

// Linear is y = x W + b, and what the LoRA of W adds.
type Linear struct {
	W      *Param // (F,C), or (C,F) where InOut
	B      *Param // (F) or nil
	InOut  bool   // W is stored input-major, as GPT-2's Conv1D does
	Wide   bool   // the result is Wide, not Narrow
	Stream *Value // residual stream (N,F) to which the result is added; the result is then Wide
}

// Apply computes the layer for x (N,C) and returns (N,F). With a Stream and
// without a tape the sum is written over the stream's buffer, which must not be
// used otherwise afterwards.
func (l Linear) Apply(p *Pass, x *Value) *Value {
	in, out := l.W.T.Cols, l.W.T.Rows
	if l.InOut {
		in, out = out, in
	}
	if x.T.Cols != in {
		panic(fmt.Sprintf("op: linear %s takes rows of %d, got %v", l.W.Name, in, x.T))
	}
	o := tensor.MatMul{TransB: !l.InOut, Bias: l.B.value(), Packed: l.W.packed(p, !l.InOut)}
	y := l.result(p, x.T.Rows, out)
	o.Accumulate = l.Stream != nil
	a, low, some := l.adapter(), (*tensor.Tensor)(nil), l.changes(p)
	if a == nil && !some {
		p.Backend.MatMul(y.T, x.T, l.W.T, o)
	} else {
		sum := y.T
		if sum.DType != p.Backend.Wide() {
			sum = p.like(y.T)
		}
		p.Backend.MatMul(sum, x.T, l.W.T, o)
		if some {
			l.change(p, sum, x.T)
		}
		if a != nil {
			low = a.apply(p, sum, x.T)
		}
		if sum != y.T {
			p.Backend.Copy(y.T, sum)
			p.free(sum)
		}
		if low != nil && !p.Record {
			p.free(low)
		}
	}
	return p.record(y, func(dy *tensor.Tensor) {
		p.giveProduct(x, dy, l.W, tensor.MatMul{TransB: l.InOut, Packed: l.W.packed(p, l.InOut)})
		if a != nil {
			a.back(p, x, low, dy)
		}
		switch {
		case l.W.Grad == nil:
		case l.InOut:
			l.W.addProduct(p.Backend, p.data(x), dy, tensor.MatMul{TransA: true})
		default:
			l.W.addProduct(p.Backend, dy, p.data(x), tensor.MatMul{TransA: true})
		}
		if g := l.B.additive(p.Backend); g != nil {
			p.Backend.SumRows(g, dy)
		}
		if l.Stream != nil {
			p.pass(y, l.Stream, dy)
		}
	})
}

// result is the buffer for y; with a Stream it holds the stream's values.
func (l Linear) result(p *Pass, rows, cols int) *Value {
	dt := p.Backend.Narrow()
	switch {
	case l.Stream != nil && !p.Record:
		return l.Stream
	case l.Stream != nil:
		y := p.New(p.Backend.Wide(), rows, cols)
		p.Backend.Copy(y.T, l.Stream.T)
		return y
	case l.Wide:
		dt = p.Backend.Wide()
	}
	return p.New(dt, rows, cols)
}
