package nn

import (
	"math"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
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

// Tokens is the rows of in's tokens, with the noise that in asks for where p
// records.
func (e *Embedding) Tokens(p *op.Pass, in *model.Input) *op.Value {
	x := op.Embedding(p, e.W, in.IDs)
	if in.Noise == 0 || !p.Record {
		return x
	}
	return op.Add(p, p.Input(noise(in, x.T.Cols), x.T.Rows, x.T.Cols, false), x)
}

// noise is that of NEFTune (Jain et al. 2023, arXiv 2310.05914, algorithm 1):
// uniform within alpha / sqrt(L C) for a sequence of L tokens. In a packed row each
// document is a sequence.
func noise(in *model.Input, cols int) []float32 {
	x := make([]float32, in.B*in.T*cols)
	stream := rng.Stream("neftune") ^ in.Step<<16
	for from := 0; from < in.B*in.T; {
		to := from + 1
		for to < in.B*in.T && to%in.T != 0 && (in.Start == nil || in.Start[to] == in.Start[from]) {
			to++
		}
		size := in.Noise / math.Sqrt(float64((to-from)*cols))
		for i := from * cols; i < to*cols; i++ {
			x[i] = float32(size * (2*rng.Float64(in.Seed, stream, uint64(i)) - 1))
		}
		from = to
	}
	return x
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
