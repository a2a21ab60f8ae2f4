package op

import (
	"github.com/foundling-lm/foundling/tensor"
)

// CrossEntropy is the options of a language model's loss.
type CrossEntropy struct {
	Scale float64 // the gradient is that of Scale * sum of the losses: 1 / trained tokens of the step
	// Weights, if not nil, multiply the gradient of each row: the derivative of
	// any function of the log-probabilities of the targets, with its sign turned.
	Weights []float64
	// LogitCap, if not 0, soft-caps the logits as SoftCap does.
	LogitCap float64
	ZLoss    float64 // adds ZLoss * (log Z)^2 for each trained row (PaLM, arXiv 2204.02311, section 5)
}

// logitBytes bounds the logits that exist at a time; N x V never does.
const logitBytes = 104 << 20

// chunkRows is the rows of one chunk, a function of the vocabulary alone so
// that a row's arithmetic does not depend on the batch.
func chunkRows(vocab, elem int) int {
	n := logitBytes / (vocab * elem)
	return max(32, min(2048, n/32*32))
}

// logits are the rows of h (N,C) times an unembedding (V,C), a chunk of rows at
// a time.
type logits struct {
	h        *Value
	w        *Param
	limit    float64        // soft cap; 0: none
	buffer   *tensor.Tensor // the logits of a chunk
	uncapped *tensor.Tensor // before the cap, divided by it
}

func (p *Pass) logits(h *Value, w *Param, limit float64) *logits {
	wide := p.Backend.Wide()
	z := &logits{h: h, w: w, limit: limit}
	z.buffer = p.tensor(wide, min(chunkRows(w.T.Rows, wide.Size()), h.T.Rows), w.T.Rows)
	if limit != 0 {
		z.uncapped = p.tensor(wide, z.buffer.Rows, z.buffer.Cols)
	}
	return z
}

// each calls f with the logits of each chunk, those of rows lo to hi.
func (z *logits) each(p *Pass, f func(l *tensor.Tensor, lo, hi int)) {
	b, rows := p.Backend, z.h.T.Rows
	for lo := 0; lo < rows; lo += z.buffer.Rows {
		hi := min(lo+z.buffer.Rows, rows)
		l := z.buffer.RowRange(0, hi-lo)
		b.MatMul(l, z.h.T.RowRange(lo, hi), z.w.T, tensor.MatMul{TransB: true, Packed: z.w.packed(p, true)})
		if z.limit != 0 {
			u := z.uncapped.RowRange(0, hi-lo) // what the gradient of tanh is taken at
			b.Scale(u, l, 1/z.limit)
			b.Unary(tensor.Tanh, l, u)
			b.Scale(l, l, z.limit)
		}
		f(l, lo, hi)
	}
	p.free(z.buffer)
	if z.uncapped != nil {
		p.free(z.uncapped)
	}
}

// Loss computes the cross-entropy of targets under the rows of h (N,C) times
// the unembedding w (V,C), chunk by chunk, and returns the loss of each row in
// nats (0 where the target is -1), without o.Weights. In a recording pass the
// gradients of the chunk are taken while its logits exist: w's at once, h's by
// Backward.
func Loss(p *Pass, h *Value, w *Param, targets []int32, o CrossEntropy) []float64 {
	b := p.Backend
	losses := make([]float64, h.T.Rows)
	back := p.Record && h.needs
	more := back && h.grad != nil
	if back && !more {
		h.grad = p.like(h.T)
	}
	z, straight := p.logits(h, w, o.LogitCap), w.T
	if back {
		straight = w.unpacked(p)
	}
	z.each(p, func(l *tensor.Tensor, lo, hi int) {
		ce := tensor.CrossEntropy{Scale: o.Scale, ZLoss: o.ZLoss, NoGrad: !p.Record}
		if o.Weights != nil {
			ce.Weights = o.Weights[lo:hi]
		}
		b.CrossEntropy(losses[lo:hi], l, targets[lo:hi], ce)
		if o.LogitCap != 0 && p.Record {
			b.UnaryBack(tensor.Tanh, l, l, z.uncapped.RowRange(0, hi-lo))
		}
		if back {
			b.MatMul(h.grad.RowRange(lo, hi), l, straight, tensor.MatMul{Accumulate: more, Packed: w.packed(p, false)})
		}
		if p.Record {
			w.addProduct(b, l, h.T.RowRange(lo, hi), tensor.MatMul{TransA: true})
		}
	})
	if straight != w.T {
		p.free(straight)
	}
	return losses
}

// LogProbs returns the log-probability of each target under the rows of h (N,C)
// times the unembedding w (V,C), 0 where the target is -1, and records nothing:
// a loss of log-probabilities takes them first and hands its derivatives to Loss
// as Weights.
func LogProbs(p *Pass, h *Value, w *Param, targets []int32, logitCap float64) []float64 {
	x := make([]float64, h.T.Rows)
	p.logits(h, w, logitCap).each(p, func(l *tensor.Tensor, lo, hi int) {
		p.Backend.CrossEntropy(x[lo:hi], l, targets[lo:hi], tensor.CrossEntropy{NoGrad: true})
	})
	for i := range x {
		x[i] = 0 - x[i]
	}
	return x
}

// Entropies returns the entropy in nats of the distribution that each row of h
// (N,C) times the unembedding w (V,C) gives, and records nothing.
func Entropies(p *Pass, h *Value, w *Param, logitCap float64) []float64 {
	b, wide := p.Backend, p.Backend.Wide()
	out := make([]float64, h.T.Rows)
	z := p.logits(h, w, logitCap)
	probs, dots := p.tensor(wide, z.buffer.Rows, z.buffer.Cols), p.tensor(wide, z.buffer.Rows, 1)
	first := make([]int32, z.buffer.Rows) // id 0, whose logit and loss give log Z
	logits0 := make([]float32, z.buffer.Rows)
	means := make([]float32, z.buffer.Rows)
	z.each(p, func(l *tensor.Tensor, lo, hi int) {
		n := hi - lo
		q, d := probs.RowRange(0, n), dots.RowRange(0, n)
		b.Softmax(q, l)
		b.DotRows(d, q, l) // the mean logit
		b.Download(means[:n], d)
		b.Download(logits0[:n], l.ColRange(0, 1))
		b.CrossEntropy(out[lo:hi], l, first[:n], tensor.CrossEntropy{NoGrad: true})
		for i := range n { // log Z - mean logit
			out[lo+i] = max(0, out[lo+i]+float64(logits0[i])-float64(means[i]))
		}
	})
	p.free(probs)
	p.free(dots)
	return out
}

// Logits is h (N,C) times the unembedding w (V,C), Wide (N,V).
func Logits(p *Pass, h *Value, w *Param) *Value {
	return Linear{W: w, Wide: true}.Apply(p, h)
}
