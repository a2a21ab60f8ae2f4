package op

import "github.com/foundling-lm/foundling/tensor"

// Embedding returns the rows ids of table (V,C) as a Wide (N,C) value.
func Embedding(p *Pass, table *Param, ids []int32) *Value {
	y := p.New(p.Backend.Wide(), len(ids), table.T.Cols)
	p.Backend.Embed(y.T, table.T, ids)
	return p.record(y, func(dy *tensor.Tensor) {
		if g := table.additive(p.Backend); g != nil {
			p.Backend.EmbedBack(g, dy, ids)
		}
	})
}
