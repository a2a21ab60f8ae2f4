package op

import "github.com/foundling-lm/foundling/tensor"

// Attention is scaled dot-product attention (Vaswani et al. 2017) of q (N, H*D)
// over k and v (., K*D) with the visible ranges of a: K = H is multi-head, K = 1
// multi-query (Shazeer 2019), in between grouped-query (Ainslie et al. 2023).
// The result is Narrow (N, H*D).
func Attention(p *Pass, q, k, v *Value, a *tensor.Attention) *Value {
	return attention(p, q.T, k.T, v.T, a, func(back func(dq, dk, dv *tensor.Tensor)) {
		dq, dk, dv := p.like(q.T), p.like(k.T), p.like(v.T)
		back(dq, dk, dv)
		p.giveBuffer(q, dq)
		p.giveBuffer(k, dk)
		p.giveBuffer(v, dv)
	})
}

// AttentionQKV is Attention of queries, keys and values that lie side by side
// in the rows of qkv (N, (H+2K)*D), as one projection makes them.
func AttentionQKV(p *Pass, qkv *Value, a *tensor.Attention) *Value {
	hd, kd := a.H*a.D, a.K*a.D
	split := func(t *tensor.Tensor) (q, k, v *tensor.Tensor) {
		return t.ColRange(0, hd), t.ColRange(hd, hd+kd), t.ColRange(hd+kd, hd+2*kd)
	}
	q, k, v := split(qkv.T)
	return attention(p, q, k, v, a, func(back func(dq, dk, dv *tensor.Tensor)) {
		p.give(qkv, func(d *tensor.Tensor) {
			back(split(d))
		})
	})
}

func attention(p *Pass, q, k, v *tensor.Tensor, a *tensor.Attention, deliver func(func(dq, dk, dv *tensor.Tensor))) *Value {
	y := p.New(p.Backend.Narrow(), q.Rows, q.Cols)
	lse := p.tensor(p.Backend.Wide(), q.Rows, a.H)
	p.Backend.Attention(y.T, lse, q, k, v, a)
	return p.record(y, func(dy *tensor.Tensor) {
		deliver(func(dq, dk, dv *tensor.Tensor) {
			p.Backend.AttentionBack(dq, dk, dv, dy, y.T, lse, q, k, v, a)
		})
		p.free(lse)
	})
}

// CausalRanges fills lo and hi for sequences of T tokens: row i sees the keys
// from start[i] (nil: 0) to itself, at most window of them (0: no limit).
func CausalRanges(lo, hi, start []int32, T, window int) {
	for i := range lo {
		t := i % T
		first := 0
		if start != nil {
			first = int(start[i])
		}
		if window > 0 {
			first = max(first, t+1-window)
		}
		lo[i], hi[i] = int32(first), int32(t+1)
	}
}
