package cpu

import (
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/kernel"
)

// Blocked attention after Dao 2023 (FlashAttention-2, arXiv 2307.08691): T x T
// scores never exist, only queryBlock x keyChunk at a time, with a running
// maximum and denominator per row where the keys are more than one chunk.
//
// Chunks and blocks of keys start at multiples of their length from position 0
// of the sequence, a row's softmax runs over whole groups of keyGroup scores,
// and weights meet values in whole blocks of keyBlock (missing ones are zeros).
// So a row's sums depend on its own range of keys only, not on the rows that it
// is computed with: decoding one token over a cache gives the bits of the full
// forward pass.
const (
	queryBlock = 96                // a multiple of the rows of the product kernels
	keyBlock   = tensor.PageTokens // depth of one product of weights and values
	keyChunk   = 512               // scores of a row that exist at a time
	keyGroup   = 32                // rows of scores are cut here, so that row kernels have no tails
)

// forwardTasks is the number of tasks up to which the query blocks of a head
// are shared out; in one task they use the same packed values.
const forwardTasks = 64

// packedKeys bounds the values that a worker keeps packed.
const packedKeys = 4096

// attentionScratch is one worker's blocks.
type attentionScratch struct {
	s, t   []float32 // queryBlock x keyChunk: scores, then weights; their gradient
	q, o   []float32 // queryBlock x D: queries; unnormalised output
	pad    []float32 // keyBlock x D: values at the end of the sequence
	capped []float32 // keyChunk: soft-capped scores of a row, for their gradient
	max    [queryBlock]float32
	sum    [queryBlock]float32 // of the weights; in the backward pass, of weights times gradient
	values []kernel.Packed     // by block of keys
	keys   []kernel.Packed     // of cached pages, transposed
	one    kernel.Packed       // keys or values of one page
	packed []byte              // their memory
}

func (a *attentionScratch) grow(d int) {
	if len(a.s) == 0 {
		a.s = make([]float32, queryBlock*keyChunk)
		a.t = make([]float32, queryBlock*keyChunk)
		a.capped = make([]float32, keyChunk)
	}
	if len(a.o) < queryBlock*d {
		a.q = make([]float32, queryBlock*d)
		a.o = make([]float32, queryBlock*d)
		a.pad = make([]float32, keyBlock*d)
	}
}

// scores is the part of s for n rows and the keys [lo, hi) of the chunk.
func scores(s []float32, n, lo, hi int) kernel.Matrix {
	return kernel.Matrix{F32: s[lo : (n-1)*keyChunk+hi], Rows: n, Cols: hi - lo, Stride: keyChunk}
}

// head is the matrix of rows [row, row+n) and the D columns of head h. It makes
// no Tensor: attention takes thousands of such views in a step.
func head(t *tensor.Tensor, row, n, h, d int) kernel.Matrix {
	m := kernel.Matrix{Rows: n, Cols: d, Stride: t.Stride}
	lo := row*t.Stride + h*d
	hi := lo + (n-1)*t.Stride + d
	if t.DType == dtype.F32 {
		m.F32 = tensor.Data[float32](t)[lo:hi]
	} else {
		m.BF16 = tensor.Data[uint16](t)[lo:hi]
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

// copyRow is dst = s * row i of m.
func (b *Backend) copyRow(dst []float32, m *kernel.Matrix, i int, s float32) {
	at := i * m.Stride
	if m.F32 != nil {
		b.set.Scale(dst, m.F32[at:at+m.Cols], s)
		return
	}
	b.set.FromBF16(dst, m.BF16[at:at+m.Cols])
	if s != 1 {
		b.set.Scale(dst, dst, s)
	}
}

// scaling splits the scale of scores into a factor of the queries, which are
// fewer than the scores, and one of the scores. Queries on their way to bf16
// take it only where it is a power of two and costs no rounding.
func (b *Backend) scaling(scale float64) (queries, scores float32) {
	if f, _ := math.Frexp(scale); b.precision == kernel.F32 || f == 0.5 {
		return float32(scale), 1
	}
	return 1, float32(scale)
}

// keySpan is the keys that rows [lo, hi) see, from the start of a block; to is
// 0 where they see none.
func keySpan(a *tensor.Attention, lo, hi int) (from, to int) {
	from = a.TK
	for i := lo; i < hi; i++ {
		if a.Lo[i] < a.Hi[i] {
			from, to = min(from, int(a.Lo[i])), max(to, int(a.Hi[i]))
		}
	}
	return from / keyBlock * keyBlock, to
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }

func checkAttention(q, k, v *tensor.Tensor, a *tensor.Attention) {
	if q.Rows != a.B*a.TQ || k.Rows != a.B*a.TK || v.Rows != k.Rows ||
		q.Cols != a.H*a.D || k.Cols != a.K*a.D || v.Cols != k.Cols ||
		len(a.Lo) != q.Rows || len(a.Hi) != q.Rows || a.K == 0 || a.H%a.K != 0 {
		panic(fmt.Sprintf("cpu: attention of %v, %v, %v with B=%d TQ=%d TK=%d H=%d K=%d D=%d",
			q, k, v, a.B, a.TQ, a.TK, a.H, a.K, a.D))
	}
}

// attended is one call of Attention.
type attended struct {
	*tensor.Attention
	out, lse, q, k, v *tensor.Tensor
}

// Attention is softmax(scale q kT) v. A task takes some query blocks of all
// heads that share a key/value head of a sequence.
func (b *Backend) Attention(out, lse, q, k, v *tensor.Tensor, a *tensor.Attention) {
	checkAttention(q, k, v, a)
	x := &attended{a, out, lse, q, k, v}
	blocks := (a.TQ + queryBlock - 1) / queryBlock
	parts := min(blocks, (forwardTasks+a.B*a.K-1)/max(1, a.B*a.K))
	b.pool.Run(a.B*a.K*parts, func(task, w int) {
		seq, kv, part := task/parts/a.K, task/parts%a.K, task%parts
		b.attend(w, x, seq, kv, part*blocks/parts*queryBlock, min(a.TQ, (part+1)*blocks/parts*queryBlock))
	})
}

// attend computes rows [q0, q1) of one sequence for the heads of one key/value
// head.
func (b *Backend) attend(w int, x *attended, seq, kv, q0, q1 int) {
	b.attn[w].grow(x.D)
	group := x.H / x.K
	from, to := keySpan(x.Attention, seq*x.TQ+q0, seq*x.TQ+q1)
	packed := (group > 1 || q1-q0 > queryBlock) && to-from <= packedKeys
	if packed {
		b.packValues(w, x, seq, kv, from, to)
	}
	for h := kv * group; h < (kv+1)*group; h++ {
		for i := q0; i < q1; i += queryBlock {
			b.attendBlock(w, x, seq, h, i, min(queryBlock, q1-i), from, packed)
		}
	}
}

// values is the values [k0, k0+keyBlock) of one head, zeros where the sequence
// ends earlier.
func (b *Backend) values(w int, x *attended, seq, kv, k0 int) kernel.Matrix {
	n := min(keyBlock, x.TK-k0)
	m := head(x.v, seq*x.TK+k0, n, kv, x.D)
	if n == keyBlock {
		return m
	}
	pad := b.attn[w].pad[:keyBlock*x.D]
	for i := range n {
		b.copyRow(pad[i*x.D:(i+1)*x.D], &m, i, 1)
	}
	clear(pad[n*x.D:])
	return dense(pad, keyBlock, x.D)
}

// packValues lays out the blocks of values between from and to.
func (b *Backend) packValues(w int, x *attended, seq, kv, from, to int) {
	sc := b.attn[w]
	n, size := (to-from+keyBlock-1)/keyBlock, b.set.PackedBytes(keyBlock, x.D, b.precision)
	if len(sc.packed) < n*size {
		sc.packed = make([]byte, n*size)
	}
	if len(sc.values) < n {
		sc.values = make([]kernel.Packed, n)
	}
	for i := range n {
		sc.values[i].Data = sc.packed[i*size : (i+1)*size]
		b.set.PackB(nil, b.values(w, x, seq, kv, from+i*keyBlock), b.precision, &sc.values[i])
	}
}

// attendBlock computes one head of n rows, at most queryBlock. The worker's
// packed values begin at key first.
func (b *Backend) attendBlock(w int, x *attended, seq, h, q0, n, first int, packed bool) {
	row0, kv, sc := seq*x.TQ+q0, h/(x.H/x.K), b.attn[w]
	onQueries, onScores := b.scaling(x.Scale)
	q, o := sc.q[:n*x.D], sc.o[:n*x.D]
	rows := head(x.q, row0, n, h, x.D)
	for i := range n {
		b.copyRow(q[i*x.D:(i+1)*x.D], &rows, i, onQueries)
		sc.max[i], sc.sum[i] = float32(math.Inf(-1)), 0
	}
	from, to := keySpan(x.Attention, row0, row0+n)
	if from >= to {
		clear(o)
	}
	g := kernel.Gemm{C: dense(o, n, x.D), Precision: b.precision}
	for c0 := from / keyChunk * keyChunk; c0 < to; c0 += keyChunk {
		lo, hi := max(from, c0)-c0, min(to-c0, keyChunk)
		b.gemm(w, scores(sc.s, n, lo, hi), dense(q, n, x.D), transposed(head(x.k, seq*x.TK+c0+lo, hi-lo, kv, x.D)), false)
		for i := range n {
			b.softmaxRow(sc, o[i*x.D:(i+1)*x.D], i, int(x.Lo[row0+i])-c0, int(x.Hi[row0+i])-c0, lo, roundUp(hi, keyBlock), onScores, float32(x.SoftCap))
		}
		for k := lo; k < hi; k += keyBlock {
			g.A = scores(sc.s, n, k, k+keyBlock)
			if packed {
				g.Packed = &sc.values[(c0+k-first)/keyBlock]
			} else {
				g.B = b.values(w, x, seq, kv, c0+k)
			}
			g.Accumulate = c0+k > from
			b.set.Gemm(nil, b.scratch.Worker(w), &g)
		}
	}
	b.finish(w, x, sc, row0, n, h)
}

// finish divides the rows of the output by their denominators.
func (b *Backend) finish(w int, x *attended, sc *attentionScratch, row0, n, h int) {
	y := head(x.out, row0, n, h, x.D)
	for i := range n {
		o, at := sc.o[i*x.D:(i+1)*x.D], i*y.Stride
		inv := float32(0)
		if sc.sum[i] > 0 {
			inv = 1 / sc.sum[i]
		}
		if y.F32 != nil {
			b.set.Scale(y.F32[at:at+x.D], o, inv)
		} else {
			b.set.Scale(o, o, inv)
			b.set.ToBF16(y.BF16[at:at+x.D], o)
		}
		tensor.Row[float32](x.lse, row0+i)[h] = sc.max[i] + float32(math.Log(float64(sc.sum[i])))
	}
}

// softmaxRow turns row i of a chunk's scores into unnormalised weights of the
// keys [lo, hi), zeros elsewhere in [first, last), and rescales o, what the row
// has summed so far, to the new maximum.
func (b *Backend) softmaxRow(sc *attentionScratch, o []float32, i, lo, hi, first, last int, scale, limit float32) {
	row := sc.s[i*keyChunk : (i+1)*keyChunk]
	if limit != 0 {
		softCap(b.set, row, lo, hi, first, last, scale, limit)
		scale = 1
	}
	p := visible(row, lo, hi, first, last)
	if len(p) == 0 {
		return
	}
	if scale != 1 {
		b.set.Scale(p, p, scale)
	}
	m := max(sc.max[i], b.set.Max(p))
	if sc.sum[i] > 0 && m > sc.max[i] {
		f := float32(math.Exp(float64(sc.max[i] - m)))
		b.set.Scale(o, o, f)
		sc.sum[i] *= f
	}
	sc.max[i] = m
	sc.sum[i] += b.set.ExpSub(p, p, m)
}

// visible prepares a row of scores for ExpSub: it returns the groups that hold
// the keys [lo, hi), with -Inf for the others in them, and clears the rest of
// [first, last).
func visible(row []float32, lo, hi, first, last int) []float32 {
	lo, hi = max(lo, first), min(hi, last)
	if lo >= hi {
		clear(row[first:last])
		return nil
	}
	from, to := lo/keyGroup*keyGroup, roundUp(hi, keyGroup)
	clear(row[first:from])
	clear(row[to:last])
	hidden := float32(math.Inf(-1))
	for j := from; j < lo; j++ {
		row[j] = hidden
	}
	for j := hi; j < to; j++ {
		row[j] = hidden
	}
	return row[from:to]
}
