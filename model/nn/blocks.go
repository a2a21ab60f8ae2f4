package nn

import (
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// SelfAttention is the projections of an attention layer. Norms of queries and
// keys are those of the heads where they are as wide as a head, else of the
// whole row; empty ones are left out.
type SelfAttention struct {
	Q     Linear  `weight:"q_proj"`
	K     Linear  `weight:"k_proj"`
	V     Linear  `weight:"v_proj"`
	O     Linear  `weight:"o_proj"`
	QNorm RMSNorm `weight:"q_norm"`
	KNorm RMSNorm `weight:"k_norm"`
}

// NewSelfAttention makes the projections without norms; bias is that of
// queries, keys and values, outBias that of the output.
func NewSelfAttention(b tensor.Backend, c *Config, bias, outBias bool) SelfAttention {
	q, kv := c.NumAttentionHeads*c.HeadWidth(), c.KVHeads()*c.HeadWidth()
	return SelfAttention{
		Q: NewLinear(b, c.HiddenSize, q, bias),
		K: NewLinear(b, c.HiddenSize, kv, bias),
		V: NewLinear(b, c.HiddenSize, kv, bias),
		O: NewLinear(b, q, c.HiddenSize, outBias),
	}
}

// Attend is the heads' results for x (N,C), before the output projection.
func (s *SelfAttention) Attend(p *op.Pass, x *op.Value, layer int, a *Attention, r *tensor.Rotary, eps float64) *op.Value {
	q, k := s.Q.Apply(p, x), s.K.Apply(p, x)
	if s.QNorm.W != nil {
		q, k = s.QNorm.Apply(p, q, eps), s.KNorm.Apply(p, k, eps)
	}
	q, k = op.RoPE(p, q, a.in.Pos, r), op.RoPE(p, k, a.in.Pos, r)
	return a.Apply(p, layer, q, k, s.V.Apply(p, x))
}

// GatedMLP is down(f(gate x) * up x).
type GatedMLP struct {
	Gate Linear `weight:"gate_proj"`
	Up   Linear `weight:"up_proj"`
	Down Linear `weight:"down_proj"`
}

// NewGatedMLP makes the layer of inner width ff.
func NewGatedMLP(b tensor.Backend, width, ff int, bias bool) GatedMLP {
	return GatedMLP{NewLinear(b, width, ff, bias), NewLinear(b, width, ff, bias), NewLinear(b, ff, width, bias)}
}

// Gated is f(gate x) * up x, what Down takes.
func (m *GatedMLP) Gated(p *op.Pass, x *op.Value, f tensor.Func) *op.Value {
	return op.GLU(p, f, m.Gate.Apply(p, x), m.Up.Apply(p, x))
}

// Apply computes the layer.
func (m *GatedMLP) Apply(p *op.Pass, x *op.Value, f tensor.Func) *op.Value {
	return m.Down.Apply(p, m.Gated(p, x, f))
}
