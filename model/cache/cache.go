// Package cache holds what a model remembers of a sequence while it decodes.
//
// KV keeps the keys and values of every layer for one sequence, in the format
// in which attention reads them, so that a cached step sees the very bits that a
// full forward pass would.
package cache

import (
	"fmt"

	"github.com/foundling-lm/foundling/tensor"
)

// KV is the keys and values of one sequence.
type KV struct {
	b      tensor.Backend
	layers []layer
	width  int // K*D
	cap    int
	n      int
}

type layer struct{ k, v *tensor.Tensor }

// NewKV makes room for capacity tokens of a model with the given number of
// layers and width K*D of keys.
func NewKV(b tensor.Backend, layers, width, capacity int) *KV {
	c := &KV{b: b, layers: make([]layer, layers), width: width, cap: capacity}
	for i := range c.layers {
		c.layers[i] = layer{c.block(), c.block()}
	}
	return c
}

func (c *KV) block() *tensor.Tensor {
	dt := c.b.Narrow()
	return tensor.Over(c.b.Alloc(c.cap*c.width*dt.Size()), dt, c.cap, c.width)
}

// Len is the number of tokens held; Cap how many fit.
func (c *KV) Len() int { return c.n }

// Cap is the number of tokens that fit.
func (c *KV) Cap() int { return c.cap }

// Bytes is the memory held.
func (c *KV) Bytes() int { return 2 * len(c.layers) * c.cap * c.width * c.b.Narrow().Size() }

// Put writes the keys and values of the next tokens of one layer and returns
// those of all tokens so far, these included.
func (c *KV) Put(i int, k, v *tensor.Tensor) (keys, values *tensor.Tensor) {
	if c.n+k.Rows > c.cap {
		panic(fmt.Sprintf("cache: %d tokens after %d do not fit into %d", k.Rows, c.n, c.cap))
	}
	l, end := c.layers[i], c.n+k.Rows
	c.b.Copy(l.k.RowRange(c.n, end), k)
	c.b.Copy(l.v.RowRange(c.n, end), v)
	return l.k.RowRange(0, end), l.v.RowRange(0, end)
}

// Advance says that n tokens have been put into every layer.
func (c *KV) Advance(n int) { c.n += n }

// Truncate forgets the tokens from n on.
func (c *KV) Truncate(n int) { c.n = min(c.n, n) }

// Close gives the memory back.
func (c *KV) Close() {
	for _, l := range c.layers {
		c.b.Release(l.k.Mem)
		c.b.Release(l.v.Mem)
	}
	c.layers = nil
}
