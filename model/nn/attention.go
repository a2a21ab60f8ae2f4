package nn

import (
	"math"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Attention runs the attention of a model's layers over one Input: it knows
// which keys each query sees and keeps keys and values in the Input's cache.
type Attention struct {
	in     *model.Input
	args   tensor.Attention
	window int
}

// NewAttention prepares attention for d's heads over in; window limits how far
// back a token sees (0: no limit).
func NewAttention(in *model.Input, d model.Dims, window int) *Attention {
	a := &Attention{in: in, window: window}
	a.args = tensor.Attention{
		B: in.B, TQ: in.T, TK: in.T, H: d.Heads, K: d.KVHeads, D: d.HeadDim,
		Scale: 1 / math.Sqrt(float64(d.HeadDim)),
	}
	if in.Cache == nil {
		a.args.Lo, a.args.Hi = make([]int32, in.B*in.T), make([]int32, in.B*in.T)
		op.CausalRanges(a.args.Lo, a.args.Hi, in.Start, in.T, window)
	}
	return a
}

// Scores sets the factor of the scores and their soft cap (0: none) where they
// are not the usual ones.
func (a *Attention) Scores(scale, softCap float64) *Attention {
	a.args.Scale, a.args.SoftCap = scale, softCap
	return a
}

// Apply attends in the given layer; k and v are those of the Input's tokens.
func (a *Attention) Apply(p *op.Pass, layer int, q, k, v *op.Value) *op.Value {
	if a.in.Observe != nil {
		a.in.Observe(layer, &a.args, q.T, k.T, v.T)
	}
	if a.in.Cache == nil {
		return op.Attention(p, q, k, v, &a.args)
	}
	c := a.in.Cache.Layer(layer)
	c.H, c.Scale, c.SoftCap, c.Window = a.args.H, a.args.Scale, a.args.SoftCap, a.window
	return op.CachedAttention(p, q, k, v, c)
}

// ApplyQKV is Apply for queries, keys and values side by side in one Value.
func (a *Attention) ApplyQKV(p *op.Pass, layer int, qkv *op.Value) *op.Value {
	if a.in.Cache == nil && a.in.Observe == nil {
		return op.AttentionQKV(p, qkv, &a.args)
	}
	hd, kd := a.args.H*a.args.D, a.args.K*a.args.D
	col := func(lo, n int) *op.Value { return &op.Value{T: qkv.T.ColRange(lo, lo+n)} }
	return a.Apply(p, layer, col(0, hd), col(hd, kd), col(hd+kd, kd))
}

// Done advances the cache after the last layer.
func (a *Attention) Done() {
	if a.in.Cache != nil {
		a.in.Cache.Advance()
	}
}
