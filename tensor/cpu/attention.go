package cpu

import (
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/kernel"
)

// Blocked attention after Dao 2023 (FlashAttention-2, arXiv 2307.08691): T x T
// scores never exist, only one block of queryBlock x keyBlock at a time, with a
// running maximum and denominator per row.
//
// Key blocks start at multiples of keyBlock from position 0 of the sequence and
// a block is always multiplied at its full width (missing keys are zeros), so a
// row's sums do not depend on the chunk it is computed in: decoding one token
// over a cache gives the bits of the full forward pass.
const (
	queryBlock = 64
	keyBlock   = 64
)

// attentionScratch is one worker's blocks.
type attentionScratch struct {
	s, p, o, kpad, vpad []float32
	max, sum            [queryBlock]float32
}

func (a *attentionScratch) grow(d int) {
	if len(a.s) == 0 {
		a.s = make([]float32, queryBlock*keyBlock)
		a.p = make([]float32, queryBlock*keyBlock)
	}
	if len(a.o) < queryBlock*d {
		a.o = make([]float32, queryBlock*d)
		a.kpad = make([]float32, keyBlock*d)
		a.vpad = make([]float32, keyBlock*d)
	}
}

// head is the matrix of rows [row, row+n) and the D columns of head h. It makes
// no Tensor: attention takes thousands of such views in a step.
func head(t *tensor.Tensor, row, n, h, d int, trans bool) kernel.Matrix {
	m := kernel.Matrix{Rows: n, Cols: d, Stride: t.Stride, Trans: trans}
	if trans {
		m.Rows, m.Cols = d, n
	}
	lo := row*t.Stride + h*d
	hi := lo + (n-1)*t.Stride + d
	if t.DType == dtype.F32 {
		m.F32 = tensor.Data[float32](t)[lo:hi]
	} else {
		m.BF16 = tensor.Data[uint16](t)[lo:hi]
	}
	return m
}

// block is keys or values [k0, k0+keyBlock) of one head, zeros where the
// sequence ends earlier.
func (b *Backend) block(pad []float32, t *tensor.Tensor, base, k0, tk, h, d int, trans bool) kernel.Matrix {
	if k0+keyBlock <= tk {
		return head(t, base+k0, keyBlock, h, d, trans)
	}
	pad = pad[:keyBlock*d]
	clear(pad)
	view := t.ColRange(h*d, (h+1)*d)
	for i := k0; i < tk; i++ {
		row := pad[(i-k0)*d : (i-k0+1)*d]
		if t.DType == dtype.F32 {
			copy(row, tensor.Row[float32](view, base+i))
		} else {
			b.set.FromBF16(row, tensor.Row[uint16](view, base+i))
		}
	}
	m := kernel.Matrix{F32: pad, Rows: keyBlock, Cols: d, Stride: d, Trans: trans}
	if trans {
		m.Rows, m.Cols = d, keyBlock
	}
	return m
}

func dense(x []float32, rows, cols int) kernel.Matrix {
	return kernel.Matrix{F32: x[:rows*cols], Rows: rows, Cols: cols, Stride: cols}
}

func transposed(m kernel.Matrix) kernel.Matrix {
	m.Rows, m.Cols, m.Trans = m.Cols, m.Rows, !m.Trans
	return m
}

// gemm is a product inside a task, on the worker's own scratch.
func (b *Backend) gemm(w int, c, a, m kernel.Matrix, accumulate bool) {
	b.set.Gemm(nil, b.scratch.Worker(w), &kernel.Gemm{A: a, B: m, C: c, Accumulate: accumulate, Precision: b.precision})
}

// keySpan is the key blocks that rows [lo, hi) see.
func keySpan(a *tensor.Attention, lo, hi int) (from, to int) {
	from, to = a.TK, 0
	for i := lo; i < hi; i++ {
		from, to = min(from, int(a.Lo[i])), max(to, int(a.Hi[i]))
	}
	return from / keyBlock * keyBlock, to
}

func checkAttention(q, k, v *tensor.Tensor, a *tensor.Attention) {
	if q.Rows != a.B*a.TQ || k.Rows != a.B*a.TK || v.Rows != k.Rows ||
		q.Cols != a.H*a.D || k.Cols != a.K*a.D || v.Cols != k.Cols ||
		len(a.Lo) != q.Rows || len(a.Hi) != q.Rows || a.K == 0 || a.H%a.K != 0 {
		panic(fmt.Sprintf("cpu: attention of %v, %v, %v with B=%d TQ=%d TK=%d H=%d K=%d D=%d",
			q, k, v, a.B, a.TQ, a.TK, a.H, a.K, a.D))
	}
}

// Attention is softmax(scale q kT) v.
func (b *Backend) Attention(out, lse, q, k, v *tensor.Tensor, a *tensor.Attention) {
	checkAttention(q, k, v, a)
	blocks := (a.TQ + queryBlock - 1) / queryBlock
	b.pool.Run(a.B*a.H*blocks, func(task, w int) {
		seq, h, q0 := task/blocks/a.H, task/blocks%a.H, task%blocks*queryBlock
		b.attendBlock(w, out, lse, q, k, v, a, seq, h, q0)
	})
}

// attendBlock computes one head of up to queryBlock rows of one sequence.
func (b *Backend) attendBlock(w int, out, lse, q, k, v *tensor.Tensor, a *tensor.Attention, seq, h, q0 int) {
	n := min(queryBlock, a.TQ-q0)
	row0, base, kv := seq*a.TQ+q0, seq*a.TK, h/(a.H/a.K)
	sc := b.attn[w]
	sc.grow(a.D)
	o := sc.o[:n*a.D]
	clear(o)
	for i := range n {
		sc.max[i], sc.sum[i] = float32(math.Inf(-1)), 0
	}
	Q, S, P := head(q, row0, n, h, a.D, false), dense(sc.s, n, keyBlock), dense(sc.p, n, keyBlock)
	from, to := keySpan(a, row0, row0+n)
	for k0 := from; k0 < to; k0 += keyBlock {
		b.gemm(w, S, Q, b.block(sc.kpad, k, base, k0, a.TK, kv, a.D, true), false)
		for i := range n {
			b.softmaxBlock(sc, o[i*a.D:(i+1)*a.D], i, int(a.Lo[row0+i])-k0, int(a.Hi[row0+i])-k0, float32(a.Scale))
		}
		b.gemm(w, dense(o, n, a.D), P, b.block(sc.vpad, v, base, k0, a.TK, kv, a.D, false), true)
	}
	view := out.ColRange(h*a.D, (h+1)*a.D)
	for i := range n {
		y := b.out(w, 0, view, row0+i)
		inv := float32(0)
		if sc.sum[i] > 0 {
			inv = 1 / sc.sum[i]
		}
		b.set.Scale(y, o[i*a.D:(i+1)*a.D], inv)
		b.store(view, row0+i, y)
		tensor.Row[float32](lse, row0+i)[h] = sc.max[i] + float32(math.Log(float64(sc.sum[i])))
	}
}

// softmaxBlock turns row i of the scores into unnormalised weights of the
// visible keys [lo, hi) of this block and rescales what the row has summed so
// far to the new maximum.
func (b *Backend) softmaxBlock(sc *attentionScratch, o []float32, i, lo, hi int, scale float32) {
	s, p := sc.s[i*keyBlock:(i+1)*keyBlock], sc.p[i*keyBlock:(i+1)*keyBlock]
	lo, hi = max(lo, 0), min(hi, keyBlock)
	if lo >= hi {
		clear(p)
		return
	}
	clear(p[:lo])
	clear(p[hi:])
	s, p = s[lo:hi], p[lo:hi]
	b.set.Scale(s, s, scale)
	m := max(sc.max[i], b.set.Max(s))
	if sc.sum[i] > 0 && m > sc.max[i] {
		f := float32(math.Exp(float64(sc.max[i] - m)))
		b.set.Scale(o, o, f)
		sc.sum[i] *= f
	}
	sc.max[i] = m
	sc.sum[i] += b.set.ExpSub(p, s, m)
}

// AttentionBack is the gradient of Attention. One task owns a key/value head of
// a sequence, so dk and dv have one writer; the query heads of a group follow
// each other in order. dq, dk and dv are f32.
func (b *Backend) AttentionBack(dq, dk, dv, dout, out, lse, q, k, v *tensor.Tensor, a *tensor.Attention) {
	checkAttention(q, k, v, a)
	b.Zero(dq)
	b.Zero(dk)
	b.Zero(dv)
	g := attentionGrad{dq, dk, dv, dout, out, lse, q, k, v}
	b.pool.Run(a.B*a.K, func(task, w int) {
		seq, kv := task/a.K, task%a.K
		b.attn[w].grow(a.D)
		for h := kv * a.H / a.K; h < (kv+1)*a.H/a.K; h++ {
			for q0 := 0; q0 < a.TQ; q0 += queryBlock {
				b.attendBlockBack(w, &g, a, seq, h, kv, q0)
			}
		}
	})
}

type attentionGrad struct{ dq, dk, dv, dout, out, lse, q, k, v *tensor.Tensor }

// attendBlockBack adds the gradients of up to queryBlock rows of one head.
// With p the weights and dp = dout vT: ds = p (dp - sum(dout out)) scale,
// dv += pT dout, dq += ds k, dk += dsT q.
func (b *Backend) attendBlockBack(w int, g *attentionGrad, a *tensor.Attention, seq, h, kv, q0 int) {
	n := min(queryBlock, a.TQ-q0)
	row0, base := seq*a.TQ+q0, seq*a.TK
	sc := b.attn[w]
	delta := &sc.sum
	dview, oview := g.dout.ColRange(h*a.D, (h+1)*a.D), g.out.ColRange(h*a.D, (h+1)*a.D)
	for i := range n {
		delta[i] = b.set.Dot(b.in(w, 0, dview, row0+i), b.in(w, 1, oview, row0+i))
	}
	Q, DO := head(g.q, row0, n, h, a.D, false), head(g.dout, row0, n, h, a.D, false)
	from, to := keySpan(a, row0, row0+n)
	for k0 := from; k0 < to; k0 += keyBlock {
		nk := min(keyBlock, a.TK-k0)
		K, V := head(g.k, base+k0, nk, kv, a.D, false), head(g.v, base+k0, nk, kv, a.D, false)
		P, DS := dense(sc.p, n, nk), dense(sc.s, n, nk)
		b.gemm(w, P, Q, transposed(K), false)
		for i := range n {
			b.weights(sc.p[i*nk:(i+1)*nk], int(a.Lo[row0+i])-k0, int(a.Hi[row0+i])-k0,
				float32(a.Scale), tensor.Row[float32](g.lse, row0+i)[h])
		}
		b.gemm(w, head(g.dv, base+k0, nk, kv, a.D, false), transposed(P), DO, true)
		b.gemm(w, DS, DO, transposed(V), false)
		for i := range n {
			p, ds := sc.p[i*nk:(i+1)*nk], sc.s[i*nk:(i+1)*nk]
			b.set.Mul(ds, ds, p)
			b.set.AddScaled(ds, p, -delta[i])
			b.set.Scale(ds, ds, float32(a.Scale))
		}
		b.gemm(w, head(g.dq, row0, n, h, a.D, false), DS, K, true)
		b.gemm(w, head(g.dk, base+k0, nk, kv, a.D, false), transposed(DS), Q, true)
	}
}

// weights turns scores into softmax weights, zero outside [lo, hi).
func (b *Backend) weights(p []float32, lo, hi int, scale, lse float32) {
	lo, hi = max(lo, 0), min(hi, len(p))
	if lo >= hi {
		clear(p)
		return
	}
	clear(p[:lo])
	clear(p[hi:])
	p = p[lo:hi]
	b.set.Scale(p, p, scale)
	b.set.ExpSub(p, p, lse)
}
