package cpu

import (
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/kernel"
)

// attentionGrad is one call of AttentionBack.
type attentionGrad struct {
	*tensor.Attention
	dq, dk, dv, dout, out, lse, q, k, v *tensor.Tensor
}

// AttentionBack is the gradient of Attention. One task owns a key/value head of
// a sequence, so dk and dv have one writer; the query heads of a group follow
// each other in order. dq, dk and dv are f32.
func (b *Backend) AttentionBack(dq, dk, dv, dout, out, lse, q, k, v *tensor.Tensor, a *tensor.Attention) {
	checkAttention(q, k, v, a)
	g := &attentionGrad{a, dq, dk, dv, dout, out, lse, q, k, v}
	b.pool.Run(a.B*a.K, func(task, w int) {
		seq, kv := task/a.K, task%a.K
		b.attn[w].grow(a.D)
		for _, t := range []*tensor.Tensor{dk, dv} {
			clearRows(t, seq*a.TK, a.TK, kv, a.D)
		}
		for h := kv * a.H / a.K; h < (kv+1)*a.H/a.K; h++ {
			for q0 := 0; q0 < a.TQ; q0 += queryBlock {
				b.attendBlockBack(w, g, seq, h, kv, q0)
			}
		}
	})
}

// clearRows zeroes the columns of head h in rows [row, row+n) of an f32 tensor.
func clearRows(t *tensor.Tensor, row, n, h, d int) {
	x := tensor.Data[float32](t)
	for i := row; i < row+n; i++ {
		clear(x[i*t.Stride+h*d : i*t.Stride+(h+1)*d])
	}
}

// attendBlockBack adds the gradients of up to queryBlock rows of one head.
// With p the weights and dp = dout vT: ds = p (dp - sum(dout out)) scale,
// dv += pT dout, dq = ds k, dk += dsT q.
func (b *Backend) attendBlockBack(w int, g *attentionGrad, seq, h, kv, q0 int) {
	n := min(queryBlock, g.TQ-q0)
	row0, sc := seq*g.TQ+q0, b.attn[w]
	from, to := keySpan(g.Attention, row0, row0+n)
	if from >= to {
		clearRows(g.dq, row0, n, h, g.D)
		return
	}
	onQueries, onScores := b.scaling(g.Scale)
	b.loadRows(w, g, row0, n, h, onQueries)
	q, dout := dense(sc.q, n, g.D), head(g.dout, row0, n, h, g.D)
	dq := head(g.dq, row0, n, h, g.D)
	for c0 := from / keyChunk * keyChunk; c0 < to; c0 += keyChunk {
		lo, hi := max(from, c0)-c0, min(to-c0, keyChunk)
		base := seq*g.TK + c0 + lo
		k, v := head(g.k, base, hi-lo, kv, g.D), head(g.v, base, hi-lo, kv, g.D)
		p, ds := scores(sc.s, n, lo, hi), scores(sc.t, n, lo, hi)
		b.gemm(w, p, q, transposed(k), false)
		b.gemm(w, ds, dout, transposed(v), false)
		for i := range n {
			first, last := int(g.Lo[row0+i])-c0, int(g.Hi[row0+i])-c0
			b.softmaxRowBack(sc, i, first, last, lo, hi, onScores, float32(g.SoftCap), tensor.Row[float32](g.lse, row0+i)[h])
		}
		b.gemm(w, head(g.dv, base, hi-lo, kv, g.D), transposed(p), dout, true)
		b.gemm(w, dq, ds, k, c0+lo > from)
		b.gemm(w, head(g.dk, base, hi-lo, kv, g.D), transposed(ds), q, true)
	}
	if onQueries != 1 {
		for i := range n {
			row := dq.F32[i*dq.Stride:][:g.D]
			b.set.Scale(row, row, onQueries)
		}
	}
}

// loadRows fills the worker's queries and, for each row, sum(dout out).
func (b *Backend) loadRows(w int, g *attentionGrad, row0, n, h int, scale float32) {
	sc := b.attn[w]
	q, out, dout := head(g.q, row0, n, h, g.D), head(g.out, row0, n, h, g.D), head(g.dout, row0, n, h, g.D)
	for i := range n {
		b.copyRow(sc.q[i*g.D:(i+1)*g.D], &q, i, scale)
		sc.sum[i] = b.set.Dot(b.row(&dout, i, sc.o[:g.D]), b.row(&out, i, sc.pad[:g.D]))
	}
}

// row is row i of m as f32, in buf where it must be converted.
func (b *Backend) row(m *kernel.Matrix, i int, buf []float32) []float32 {
	if m.F32 != nil {
		return m.F32[i*m.Stride:][:m.Cols]
	}
	b.set.FromBF16(buf, m.BF16[i*m.Stride:][:m.Cols])
	return buf
}

// softmaxRowBack turns row i of a chunk from scores into weights, and from the
// gradient of weights into that of scores, for the keys [lo, hi); both are zero
// elsewhere in [first, last).
func (b *Backend) softmaxRowBack(sc *attentionScratch, i, lo, hi, first, last int, scale, limit, lse float32) {
	end := roundUp(last, keyGroup)
	s, ds := sc.s[i*keyChunk:(i+1)*keyChunk], sc.t[i*keyChunk:(i+1)*keyChunk]
	onRow := scale
	if limit != 0 {
		softCap(b.set, s, lo, hi, first, last, scale, limit)
		onRow = 1
	}
	lo, hi = max(lo, first), min(hi, last)
	p := visible(s, lo, hi, first, end)
	if len(p) == 0 {
		clear(ds[first:end])
		return
	}
	clear(ds[first:lo])
	clear(ds[hi:end])
	if onRow != 1 {
		b.set.Scale(p, p, onRow)
	}
	from := lo / keyGroup * keyGroup
	ds = ds[from : from+len(p)]
	capped := sc.capped[from : from+len(p)]
	if limit != 0 {
		copy(capped, s[from:])
		clear(capped[:lo-from])
		clear(capped[hi-from:])
	}
	b.set.ExpSub(p, p, lse)
	b.set.SoftmaxBack(ds, ds, p, sc.sum[i])
	if limit != 0 {
		softCapBack(b.set, ds, capped, limit)
	}
	if scale != 1 {
		b.set.Scale(ds, ds, scale)
	}
}
