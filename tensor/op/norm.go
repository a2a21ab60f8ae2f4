package op

import "github.com/foundling-lm/foundling/tensor"

// LayerNorm normalises each row of x to mean 0 and variance 1, then scales by w
// and shifts by b (Ba, Kiros & Hinton 2016, arXiv 1607.06450). w and b may be
// nil. The result is Narrow.
func LayerNorm(p *Pass, x *Value, w, b *Param, eps float64) *Value {
	return norm(p, tensor.LayerNorm, x, w, b, eps)
}

// RMSNorm divides each row of x by its root mean square and scales by w (Zhang
// & Sennrich 2019, arXiv 1910.07467). w may be nil. The result is Narrow.
func RMSNorm(p *Pass, x *Value, w *Param, eps float64) *Value {
	return norm(p, tensor.RMSNorm, x, w, nil, eps)
}

func norm(p *Pass, k tensor.NormKind, x *Value, w, b *Param, eps float64) *Value {
	y := p.New(p.Backend.Narrow(), x.T.Rows, x.T.Cols)
	stats := p.tensor(p.Backend.Wide(), x.T.Rows, 2)
	p.Backend.Norm(k, y.T, stats, x.T, w.value(), b.value(), eps)
	return p.record(y, func(dy *tensor.Tensor) {
		dx := p.like(x.T)
		p.Backend.NormBack(k, dx, w.additive(p.Backend), b.additive(p.Backend), dy, x.T, w.value(), stats)
		p.giveBuffer(x, dx)
		p.free(stats)
	})
}
