package nn

import (
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Linear is y = x Wᵀ + b with W (F,C), as torch.nn.Linear stores it.
type Linear struct {
	W *op.Param `weight:"weight"`
	B *op.Param `weight:"bias"`
}

// NewLinear makes a layer from in to out features.
func NewLinear(b tensor.Backend, in, out int, bias bool) Linear {
	l := Linear{W: NewParam(b, out, in)}
	if bias {
		l.B = NewParam(b, out)
	}
	return l
}

// Apply computes the layer; the result is Narrow.
func (l *Linear) Apply(p *op.Pass, x *op.Value) *op.Value {
	return op.Linear{W: l.W, B: l.B}.Apply(p, x)
}

// AddTo adds the layer's result to the residual stream.
func (l *Linear) AddTo(p *op.Pass, stream, x *op.Value) *op.Value {
	return op.Linear{W: l.W, B: l.B, Stream: stream}.Apply(p, x)
}

// Conv1D is y = x W + b with W (C,F), as GPT-2 stores it.
type Conv1D struct {
	W *op.Param `weight:"weight"`
	B *op.Param `weight:"bias"`
}

// NewConv1D makes a layer from in to out features.
func NewConv1D(b tensor.Backend, in, out int) Conv1D {
	c := Conv1D{W: NewParam(b, in, out), B: NewParam(b, out)}
	c.W.InOut = true
	return c
}

// Apply computes the layer; the result is Narrow.
func (l *Conv1D) Apply(p *op.Pass, x *op.Value) *op.Value {
	return op.Linear{W: l.W, B: l.B, InOut: true}.Apply(p, x)
}

// AddTo adds the layer's result, after dropout, to the residual stream.
func (l *Conv1D) AddTo(p *op.Pass, stream, x *op.Value, d tensor.Dropout) *op.Value {
	if d.P == 0 {
		return op.Linear{W: l.W, B: l.B, InOut: true, Stream: stream}.Apply(p, x)
	}
	return op.Add(p, stream, op.Dropout(p, l.Apply(p, x), d))
}

// Embedding is a table of rows.
type Embedding struct {
	W *op.Param `weight:"weight"`
}

// NewEmbedding makes a table of n rows of c channels.
func NewEmbedding(b tensor.Backend, n, c int) Embedding {
	e := Embedding{W: NewParam(b, n, c)}
	e.W.Lookup = true
	return e
}

// LayerNorm has a scale and a shift.
type LayerNorm struct {
	W *op.Param `weight:"weight"`
	B *op.Param `weight:"bias"`
}

// NewLayerNorm makes a layer over c channels.
func NewLayerNorm(b tensor.Backend, c int) LayerNorm {
	return LayerNorm{W: NewParam(b, c), B: NewParam(b, c)}
}

// Apply normalises x.
func (l *LayerNorm) Apply(p *op.Pass, x *op.Value, eps float64) *op.Value {
	return op.LayerNorm(p, x, l.W, l.B, eps)
}

// RMSNorm has a scale.
type RMSNorm struct {
	W      *op.Param `weight:"weight"`
	Offset bool      // the scale is 1 + W, as in Gemma
}

// NewRMSNorm makes a layer over c channels: rows, or heads of that width.
func NewRMSNorm(b tensor.Backend, c int) RMSNorm { return RMSNorm{W: NewParam(b, c)} }

// Apply normalises the rows of x, or their heads where those are as wide as W.
func (l *RMSNorm) Apply(p *op.Pass, x *op.Value, eps float64) *op.Value {
	return op.Norm{Kind: tensor.RMSNorm, W: l.W, Eps: eps, Offset: l.Offset, Heads: l.W.Len() < x.T.Cols}.Apply(p, x)
}
