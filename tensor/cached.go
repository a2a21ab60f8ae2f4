package tensor

import (
	"fmt"
	"unsafe"
)

// PageTokens is the number of tokens of a page of cached keys and values. It is
// the block in which attention adds up, so a row's sums do not depend on how a
// sequence came to be cached.
const PageTokens = 64

// CacheFormat is the number format of cached keys and values.
type CacheFormat uint8

// The formats. CacheQ8 is 8-bit integers with an f16 scale for each 32 of them
// (dtype.ToQ8): about half of f16.
const (
	CacheF32 CacheFormat = iota
	CacheF16
	CacheBF16
	CacheQ8
)

var cacheFormats = [...]string{CacheF32: "f32", CacheF16: "f16", CacheBF16: "bf16", CacheQ8: "q8"}

func (f CacheFormat) String() string { return cacheFormats[f] }

// ParseCacheFormat is the inverse of String.
func ParseCacheFormat(s string) (CacheFormat, error) {
	for f, name := range cacheFormats {
		if name == s {
			return CacheFormat(f), nil
		}
	}
	return 0, fmt.Errorf("cache format %q is unknown: f32, f16, bf16 and q8 are supported", s)
}

// Q8Scales is the number of scales of a vector of d values.
func Q8Scales(d int) int { return (d + 31) / 32 }

// Bytes is the size of PageTokens vectors of d values, the keys or the values of
// one head in one page.
func (f CacheFormat) Bytes(d int) int {
	switch f {
	case CacheF32:
		return PageTokens * d * 4
	case CacheQ8: // all numbers, then all scales
		return PageTokens * (d + 2*Q8Scales(d))
	}
	return PageTokens * d * 2
}

// Cached describes the attention of one layer in a ragged batch: some sequences,
// each with its own number of new tokens over its own cached keys and values.
//
// In a page's memory a layer's part begins at Offset: the keys of each of the K
// heads, then the values of each, Format.Bytes(D) apiece, tokens one after
// another.
type Cached struct {
	H, K, D int // query heads, key/value heads (K divides H), head width
	Scale   float64
	SoftCap float64 // as in Attention
	Window  int     // how many tokens back a query sees, itself included; 0: no limit
	Format  CacheFormat
	Offset  int // bytes
	Seqs    []CachedSeq
}

// CachedSeq is one sequence of a ragged batch.
type CachedSeq struct {
	Row, Rows int      // its new tokens are rows [Row, Row+Rows); sequences lie in order, without gaps
	Past      int      // tokens before them: row Row+i is token Past+i and sees itself and what is before
	Pages     []Memory // page i holds tokens [i*PageTokens, (i+1)*PageTokens); nil where no new token sees it
}

// Part is the offset in a page of the keys (or values) of one head.
func (c *Cached) Part(head int, values bool) int {
	if values {
		head += c.K
	}
	return c.Offset + head*c.Format.Bytes(c.D)
}

// First is the first token that row i of s sees.
func (c *Cached) First(s *CachedSeq, i int) int {
	if c.Window <= 0 {
		return 0
	}
	return max(0, s.Past+i+1-c.Window)
}

// Rows is the number of new tokens of all sequences.
func (c *Cached) Rows() int {
	if len(c.Seqs) == 0 {
		return 0
	}
	last := c.Seqs[len(c.Seqs)-1]
	return last.Row + last.Rows
}

// Check panics where rows, pages and widths do not fit together.
func (c *Cached) Check(q, k, v *Tensor) {
	n := c.Rows()
	if c.K <= 0 || c.H%c.K != 0 || q != nil && (q.Rows != n || q.Cols != c.H*c.D) ||
		k != nil && (k.Rows != n || k.Cols != c.K*c.D || !v.SameShape(k)) {
		panic(fmt.Sprintf("tensor: cached attention of %v, %v, %v with %d rows, H=%d K=%d D=%d", q, k, v, n, c.H, c.K, c.D))
	}
	row := 0
	for i := range c.Seqs {
		s := &c.Seqs[i]
		if s.Row != row || len(s.Pages)*PageTokens < s.Past+s.Rows {
			panic(fmt.Sprintf("tensor: sequence %d of a ragged batch has rows [%d, %d) after %d tokens in %d pages, expected row %d",
				i, s.Row, s.Row+s.Rows, s.Past, len(s.Pages), row))
		}
		row += s.Rows
	}
}

// PageData is the host view of n elements of a page, off bytes from its start.
func PageData[E float32 | uint16 | int8](m Memory, off, n int) []E {
	h, ok := m.(*Host)
	if !ok {
		panic("tensor: a page is not in host memory")
	}
	var e E
	bytes := h.Data[off : off+n*int(unsafe.Sizeof(e))]
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(bytes))), n)
}
