package op

import "github.com/foundling-lm/foundling/tensor"

// LayerNorm normalises each row of x to mean 0 and variance 1, then scales by w
// and shifts by b (Ba, Kiros & Hinton 2016, arXiv 1607.06450). w and b may be
// nil. The result is Narrow.
func LayerNorm(p *Pass, x *Value, w, b *Param, eps float64) *Value {
	return Norm{Kind: tensor.LayerNorm, W: w, B: b, Eps: eps}.Apply(p, x)
}

// RMSNorm divides each row of x by its root mean square and scales by w (Zhang
// & Sennrich 2019, arXiv 1910.07467). w may be nil. The result is Narrow.
func RMSNorm(p *Pass, x *Value, w *Param, eps float64) *Value {
	return Norm{Kind: tensor.RMSNorm, W: w, Eps: eps}.Apply(p, x)
}

// Norm is a normalisation of rows or of the heads in them.
type Norm struct {
	Kind   tensor.NormKind
	W, B   *Param // scale and shift; nil for none
	Eps    float64
	Offset bool // the scale is 1 + W (Gemma)
	Heads  bool // each of the heads in a row, as wide as W, is normalised alone
}

// Apply returns the normalised x, Narrow.
func (n Norm) Apply(p *Pass, x *Value) *Value {
	y := p.New(p.Backend.Narrow(), x.T.Rows, x.T.Cols)
	stats := p.tensor(p.Backend.Wide(), n.cut(x.T).Rows, 2)
	w := n.scale(p)
	y.remake = func(dst *tensor.Tensor) {
		p.Backend.Norm(n.Kind, n.cut(dst), stats, n.cut(p.data(x)), w, n.B.value(), n.Eps)
	}
	y.remake(y.T)
	return p.record(y, func(dy *tensor.Tensor) {
		dx := p.like(x.T)
		p.Backend.NormBack(n.Kind, n.cut(dx), n.W.additive(p.Backend), n.B.additive(p.Backend), n.cut(dy), n.cut(p.data(x)), w, stats)
		p.giveBuffer(x, dx)
		p.free(stats)
		if n.Offset {
			p.free(w)
		}
	})
}

// cut is t with a row for what is normalised together.
func (n Norm) cut(t *tensor.Tensor) *tensor.Tensor {
	if !n.Heads {
		return t
	}
	return t.Split(n.W.T.Cols)
}

// scale is the factors of the channels.
func (n Norm) scale(p *Pass) *tensor.Tensor {
	if !n.Offset {
		return n.W.value()
	}
	ones := make([]float32, n.W.Len())
	for i := range ones {
		ones[i] = 1
	}
	w := p.tensor(p.Backend.Wide(), 1, len(ones))
	p.Backend.Upload(w, ones)
	p.Backend.AddScaled(w, n.W.T, 1)
	return w
}
