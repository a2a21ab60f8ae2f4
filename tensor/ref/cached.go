package ref

import (
	"math"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// vector reads or writes one head of one token in a page.
type vector struct {
	c    *tensor.Cached
	page tensor.Memory
	slot int // token in the page
	part int // offset of the head's keys or values
}

func at(c *tensor.Cached, s *tensor.CachedSeq, token, head int, values bool) vector {
	return vector{c, s.Pages[token/tensor.PageTokens], token % tensor.PageTokens, c.Part(head, values)}
}

// q8 is the numbers and scales of a vector in CacheQ8.
func (v vector) q8() (q []int8, scales []uint16) {
	n := tensor.Q8Scales(v.c.D)
	return tensor.PageData[int8](v.page, v.part+v.slot*v.c.D, v.c.D),
		tensor.PageData[uint16](v.page, v.part+tensor.PageTokens*v.c.D+v.slot*n*2, n)
}

func (v vector) half() []uint16 {
	return tensor.PageData[uint16](v.page, v.part+v.slot*v.c.D*2, v.c.D)
}

func (v vector) store(x []float32) {
	switch v.c.Format {
	case tensor.CacheF32:
		copy(tensor.PageData[float32](v.page, v.part+v.slot*v.c.D*4, v.c.D), x)
	case tensor.CacheF16:
		for i, h := range x {
			v.half()[i] = dtype.ToF16(h)
		}
	case tensor.CacheBF16:
		for i, h := range x {
			v.half()[i] = dtype.ToBF16(h)
		}
	case tensor.CacheQ8:
		q, scales := v.q8()
		dtype.ToQ8(q, scales, x)
	}
}

func (v vector) load() []float32 {
	x := make([]float32, v.c.D)
	switch v.c.Format {
	case tensor.CacheF32:
		copy(x, tensor.PageData[float32](v.page, v.part+v.slot*v.c.D*4, v.c.D))
	case tensor.CacheF16:
		for i, h := range v.half() {
			x[i] = dtype.FromF16(h)
		}
	case tensor.CacheBF16:
		for i, h := range v.half() {
			x[i] = dtype.FromBF16(h)
		}
	case tensor.CacheQ8:
		q, scales := v.q8()
		dtype.FromQ8(x, q, scales)
	}
	return x
}

// CacheStore writes keys and values into pages; they are rounded to f32 at
// least.
func (*Backend) CacheStore(c *tensor.Cached, k, v *tensor.Tensor) {
	c.Check(nil, k, v)
	K, V := of(k), of(v)
	for i := range c.Seqs {
		s := &c.Seqs[i]
		for t := range s.Rows {
			for h := range c.K {
				keys, values := make([]float32, c.D), make([]float32, c.D)
				for j := range c.D {
					keys[j], values[j] = float32(K.at(s.Row+t, h*c.D+j)), float32(V.at(s.Row+t, h*c.D+j))
				}
				at(c, s, s.Past+t, h, false).store(keys)
				at(c, s, s.Past+t, h, true).store(values)
			}
		}
	}
}

// CacheAttention is softmax(scale q kT) v over pages.
func (*Backend) CacheAttention(out, q *tensor.Tensor, c *tensor.Cached) {
	c.Check(q, nil, nil)
	O, Q := of(out), of(q)
	for i := range c.Seqs {
		s := &c.Seqs[i]
		for h := range c.H {
			keys, values := head(c, s, h/(c.H/c.K), false), head(c, s, h/(c.H/c.K), true)
			for t := range s.Rows {
				lo, hi := c.First(s, t), s.Past+t+1
				p := make([]float64, hi-lo)
				for n := range p {
					for j, x := range keys[lo+n] {
						p[n] += c.Scale * Q.at(s.Row+t, h*c.D+j) * float64(x)
					}
				}
				if c.SoftCap != 0 {
					for n := range p {
						p[n] = c.SoftCap * math.Tanh(p[n]/c.SoftCap)
					}
				}
				lse := logSumExp(p)
				sum := make([]float64, c.D)
				for n := range p {
					w := math.Exp(p[n] - lse)
					for j, x := range values[lo+n] {
						sum[j] += w * float64(x)
					}
				}
				for j := range sum {
					O.set(s.Row+t, h*c.D+j, sum[j])
				}
			}
		}
	}
}

// head is the keys or values of one head by token; nil where a page is missing.
func head(c *tensor.Cached, s *tensor.CachedSeq, h int, values bool) [][]float32 {
	x := make([][]float32, s.Past+s.Rows)
	for t := range x {
		if s.Pages[t/tensor.PageTokens] != nil {
			x[t] = at(c, s, t, h, values).load()
		}
	}
	return x
}
