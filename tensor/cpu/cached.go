package cpu

import (
	"math"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/kernel"
)

// Attention over cached pages takes the steps of attention.go, with keys and
// values read page by page, so that a row's bits are those of a pass without a
// cache. A block of entries is some new tokens of a sequence times the heads
// that share a key/value head: when one token is decoded its heads are the rows
// of one product.

// cachedTasks is the number of tasks up to which the tokens of long sequences
// are shared out; tokens of one task use the same packed pages.
const cachedTasks = 32

// cachedTask is tokens [from, to) of a sequence for the heads of one key/value
// head.
type cachedTask struct{ seq, kv, from, to int }

// cachedCall is one call of CacheAttention.
type cachedCall struct {
	*tensor.Cached
	out, q *tensor.Tensor
	tasks  []cachedTask
}

// CacheStore converts the rows of k and v into their pages.
func (b *Backend) CacheStore(c *tensor.Cached, k, v *tensor.Tensor) {
	c.Check(nil, k, v)
	seq := b.rowSeq[:0]
	for i := range c.Seqs {
		for range c.Seqs[i].Rows {
			seq = append(seq, int32(i))
		}
	}
	b.rowSeq = seq
	b.each(k.Rows, 2*k.Cols, func(w, row int) {
		s := &c.Seqs[seq[row]]
		token := s.Past + row - s.Row
		page, slot := s.Pages[token/tensor.PageTokens], token%tensor.PageTokens
		keys, values := b.in(w, 0, k, row), b.in(w, 1, v, row)
		for h := range c.K {
			x, y := keys[h*c.D:][:c.D], values[h*c.D:][:c.D]
			if p, ok := b.inPlace(c, page, h, false); ok {
				p.SetColumn(slot, x)
			} else {
				b.storeVector(c, page, slot, c.Part(h, false), x)
			}
			if p, ok := b.inPlace(c, page, h, true); ok {
				p.SetRow(slot, y)
			} else {
				b.storeVector(c, page, slot, c.Part(h, true), y)
			}
		}
	})
}

// inPlace is the keys (transposed) or values of one head in one page as they stand
// in a product: exact pages hold them in that order where it needs no more room.
func (b *Backend) inPlace(c *tensor.Cached, page tensor.Memory, head int, values bool) (kernel.Packed, bool) {
	if c.Format != tensor.CacheF32 {
		return kernel.Packed{}, false
	}
	at := c.Part(head, values)
	data := page.(*tensor.Host).Data[at : at+4*keyBlock*c.D]
	if values {
		return b.set.InPlace(data, keyBlock, c.D, b.precision)
	}
	return b.set.InPlace(data, c.D, keyBlock, b.precision)
}

// storeVector writes one head of one token.
func (b *Backend) storeVector(c *tensor.Cached, page tensor.Memory, slot, part int, x []float32) {
	switch c.Format {
	case tensor.CacheF32:
		copy(tensor.PageData[float32](page, part+slot*c.D*4, c.D), x)
	case tensor.CacheF16:
		b.set.ToF16(tensor.PageData[uint16](page, part+slot*c.D*2, c.D), x)
	case tensor.CacheBF16:
		b.set.ToBF16(tensor.PageData[uint16](page, part+slot*c.D*2, c.D), x)
	case tensor.CacheQ8:
		n := tensor.Q8Scales(c.D)
		scales := part + tensor.PageTokens*c.D + slot*n*2
		dtype.ToQ8(tensor.PageData[int8](page, part+slot*c.D, c.D), tensor.PageData[uint16](page, scales, n), x)
	}
}

// CacheAttention is softmax(scale q kT) v over pages.
func (b *Backend) CacheAttention(out, q *tensor.Tensor, c *tensor.Cached) {
	c.Check(q, nil, nil)
	x := cachedCall{c, out, q, b.cached[:0]}
	rows := max(1, queryBlock/min(queryBlock, c.H/c.K)) // of a block of entries
	for i := range c.Seqs {
		n := c.Seqs[i].Rows
		blocks := (n + rows - 1) / rows
		parts := min(blocks, (cachedTasks+c.K-1)/c.K)
		for kv := range c.K {
			for p := range parts {
				x.tasks = append(x.tasks, cachedTask{i, kv, p * blocks / parts * rows, min(n, (p+1)*blocks/parts*rows)})
			}
		}
	}
	b.cached = x.tasks
	b.pool.Run(len(x.tasks), func(task, w int) { b.attendCached(w, &x, &x.tasks[task], rows) })
}

// attendCached computes a task in blocks of at most rows tokens.
func (b *Backend) attendCached(w int, x *cachedCall, t *cachedTask, rows int) {
	sc, s := b.attn[w], &x.Seqs[t.seq]
	sc.grow(x.D)
	heads := min(x.H/x.K, queryBlock)
	from, to := x.First(s, t.from)/keyBlock*keyBlock, s.Past+t.to
	packed := (t.to-t.from > rows || heads < x.H/x.K) && to-from <= packedKeys
	if packed {
		b.packPages(w, x, s, t.kv, from, to)
	}
	first := t.kv * x.H / x.K
	for h := first; h < first+x.H/x.K; h += heads {
		for i := t.from; i < t.to; i += rows {
			e := entries{s, i, min(rows, t.to-i), h, min(heads, first+x.H/x.K-h), t.kv}
			b.attendEntries(w, x, &e, from, packed)
		}
	}
}

// entries is a block of rows of the softmax: entry h*tokens+i is token i and
// head h of the block.
type entries struct {
	seq           *tensor.CachedSeq
	first, tokens int // of the sequence's new tokens
	head, heads   int
	kv            int
}

// packPages lays out the keys and values between from and to for products.
func (b *Backend) packPages(w int, x *cachedCall, s *tensor.CachedSeq, kv, from, to int) {
	sc := b.attn[w]
	n := (to - from + keyBlock - 1) / keyBlock
	keys, values := b.set.PackedBytes(x.D, keyBlock, b.precision), b.set.PackedBytes(keyBlock, x.D, b.precision)
	if size := n * (keys + values); len(sc.packed) < size {
		sc.packed = make([]byte, size)
	}
	if len(sc.values) < n {
		sc.values = make([]kernel.Packed, n)
	}
	if len(sc.keys) < n {
		sc.keys = make([]kernel.Packed, n)
	}
	at := 0
	for i := range n {
		page := s.Pages[from/keyBlock+i]
		var ok bool
		if sc.keys[i], ok = b.inPlace(x.Cached, page, kv, false); !ok {
			sc.keys[i].Data = sc.packed[at : at+keys]
			b.set.PackB(nil, transposed(b.page(w, x, page, kv, false)), b.precision, &sc.keys[i])
			at += keys
		}
		if sc.values[i], ok = b.inPlace(x.Cached, page, kv, true); !ok {
			sc.values[i].Data = sc.packed[at : at+values]
			b.set.PackB(nil, b.page(w, x, page, kv, true), b.precision, &sc.values[i])
			at += values
		}
	}
}

// page is the keys or the values of one head in one page, in the worker's pad
// where they must be converted.
func (b *Backend) page(w int, x *cachedCall, page tensor.Memory, kv int, values bool) kernel.Matrix {
	part, n := x.Part(kv, values), keyBlock*x.D
	m := kernel.Matrix{Rows: keyBlock, Cols: x.D, Stride: x.D}
	switch x.Format {
	case tensor.CacheF32:
		m.F32 = tensor.PageData[float32](page, part, n)
		return m
	case tensor.CacheBF16:
		m.BF16 = tensor.PageData[uint16](page, part, n)
		return m
	}
	m.F32 = b.attn[w].pad[:n]
	if x.Format == tensor.CacheF16 {
		b.set.FromF16(m.F32, tensor.PageData[uint16](page, part, n))
		return m
	}
	scales := tensor.Q8Scales(x.D)
	for i := range keyBlock {
		q := tensor.PageData[int8](page, part+i*x.D, x.D)
		for g, h := range tensor.PageData[uint16](page, part+n+i*scales*2, scales) {
			at, end := g*dtype.Q8Block, min(x.D, (g+1)*dtype.Q8Block)
			b.set.FromInt8(m.F32[i*x.D+at:i*x.D+end], q[at:end], dtype.FromF16(h))
		}
	}
	return m
}

// attendEntries computes one block of entries. The worker's packed pages begin
// at key packedFrom.
func (b *Backend) attendEntries(w int, x *cachedCall, e *entries, packedFrom int, packed bool) {
	sc, n := b.attn[w], e.tokens*e.heads
	onQueries, onScores := b.scaling(x.Scale)
	q, o := sc.q[:n*x.D], sc.o[:n*x.D]
	for j := range n {
		i, h := j%e.tokens, e.head+j/e.tokens
		row := head(x.q, e.seq.Row+e.first+i, 1, h, x.D)
		b.copyRow(q[j*x.D:(j+1)*x.D], &row, 0, onQueries)
		sc.max[j], sc.sum[j] = float32(math.Inf(-1)), 0
	}
	from, to := x.First(e.seq, e.first)/keyBlock*keyBlock, e.seq.Past+e.first+e.tokens
	g := kernel.Gemm{Precision: b.precision}
	multiply := func(c, a kernel.Matrix, key int, values, accumulate bool) {
		g.A, g.C, g.Accumulate, g.Packed = a, c, accumulate, nil
		switch {
		case packed && values:
			g.Packed = &sc.values[(key-packedFrom)/keyBlock]
		case packed:
			g.Packed = &sc.keys[(key-packedFrom)/keyBlock]
		default:
			page, ok := e.seq.Pages[key/keyBlock], false
			if sc.one, ok = b.inPlace(x.Cached, page, e.kv, values); ok {
				g.Packed = &sc.one
				break
			}
			g.B = b.page(w, x, page, e.kv, values)
			if !values {
				g.B = transposed(g.B)
			}
		}
		b.set.Gemm(nil, b.scratch.Worker(w), &g)
	}
	for c0 := from / keyChunk * keyChunk; c0 < to; c0 += keyChunk {
		lo, hi := max(from, c0)-c0, roundUp(min(to-c0, keyChunk), keyBlock)
		for k := lo; k < hi; k += keyBlock {
			multiply(scores(sc.s, n, k, k+keyBlock), dense(q, n, x.D), c0+k, false, false)
		}
		for j := range n {
			i := e.first + j%e.tokens
			b.softmaxRow(sc, o[j*x.D:(j+1)*x.D], j, x.First(e.seq, i)-c0, e.seq.Past+i+1-c0, lo, hi, onScores, float32(x.SoftCap))
		}
		for k := lo; k < hi; k += keyBlock {
			multiply(dense(o, n, x.D), scores(sc.s, n, k, k+keyBlock), c0+k, true, c0+k > from)
		}
	}
	b.finishEntries(x, sc, e)
}

// finishEntries divides the rows of the output by their denominators.
func (b *Backend) finishEntries(x *cachedCall, sc *attentionScratch, e *entries) {
	for j := range e.tokens * e.heads {
		y := head(x.out, e.seq.Row+e.first+j%e.tokens, 1, e.head+j/e.tokens, x.D)
		o, inv := sc.o[j*x.D:(j+1)*x.D], float32(0)
		if sc.sum[j] > 0 {
			inv = 1 / sc.sum[j]
		}
		if y.F32 != nil {
			b.set.Scale(y.F32[:x.D], o, inv)
		} else {
			b.set.Scale(o, o, inv)
			b.set.ToBF16(y.BF16[:x.D], o)
		}
	}
}
