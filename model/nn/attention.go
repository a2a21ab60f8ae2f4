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
	in   *model.Input
	args tensor.Attention
}

// NewAttention prepares attention for d's heads over in; window limits how far
// back a token sees (0: no limit).
func NewAttention(in *model.Input, d model.Dims, window int) *Attention {
	a := &Attention{in: in}
	a.args = tensor.Attention{
		B: in.B, TQ: in.T, TK: in.T, H: d.Heads, K: d.KVHeads, D: d.HeadDim,
		Scale: 1 / math.Sqrt(float64(d.HeadDim)),
		Lo:    make([]int32, in.B*in.T), Hi: make([]int32, in.B*in.T),
	}
	op.CausalRanges(a.args.Lo, a.args.Hi, in.Start, in.T, window)
	if in.Cache != nil {
		past := int32(in.Cache.Len())
		a.args.TK += int(past)
		for i := range a.args.Hi {
			a.args.Hi[i] += past
			if window > 0 {
				a.args.Lo[i] = max(0, a.args.Hi[i]-int32(window))
			}
		}
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
	if a.in.Cache != nil {
		keys, values := a.in.Cache.Put(layer, k.T, v.T)
		k, v = &op.Value{T: keys}, &op.Value{T: values}
	}
	return op.Attention(p, q, k, v, &a.args)
}

// ApplyQKV is Apply for queries, keys and values side by side in one Value.
func (a *Attention) ApplyQKV(p *op.Pass, layer int, qkv *op.Value) *op.Value {
	if a.in.Cache == nil {
		return op.AttentionQKV(p, qkv, &a.args)
	}
	hd, kd := a.args.H*a.args.D, a.args.K*a.args.D
	col := func(lo, n int) *op.Value { return &op.Value{T: qkv.T.ColRange(lo, lo+n)} }
	return a.Apply(p, layer, col(0, hd), col(hd, kd), col(hd+kd, kd))
}

// Done advances the cache after the last layer.
func (a *Attention) Done() {
	if a.in.Cache != nil {
		a.in.Cache.Advance(a.in.T)
	}
}
