package op

import "github.com/foundling-lm/foundling/tensor"

// CachedAttention writes the keys and values k, v (N, K*D) of the new tokens of
// a ragged batch into its pages and returns the attention (N, H*D, Narrow) of
// their queries q over all that the pages hold. It has no gradient.
func CachedAttention(p *Pass, q, k, v *Value, c *tensor.Cached) *Value {
	if p.Record {
		panic("op: attention over a cache in a pass that records")
	}
	p.Backend.CacheStore(c, k.T, v.T)
	y := p.New(p.Backend.Narrow(), q.T.Rows, q.T.Cols)
	p.Backend.CacheAttention(y.T, q.T, c)
	return y
}
