package op

import (
	"github.com/foundling-lm/foundling/tensor"
)

// CrossEntropy is the options of a language model's loss.
type CrossEntropy struct {
	Scale float64 // the gradient is that of Scale * sum of the losses: 1 / trained tokens of the step
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

// Loss computes the cross-entropy of targets under the rows of h (N,C) times
// the unembedding w (V,C), chunk by chunk, and returns the loss of each row in
// nats (0 where the target is -1). In a recording pass the gradients of the
// chunk are taken while its logits exist: w's at once, h's by Backward.
func Loss(p *Pass, h *Value, w *Param, targets []int32, o CrossEntropy) []float64 {
	b, rows := p.Backend, h.T.Rows
	losses := make([]float64, rows)
	step := chunkRows(w.T.Rows, b.Wide().Size())
	logits := p.tensor(b.Wide(), min(step, rows), w.T.Rows)
	var uncapped *tensor.Tensor // the logits before the cap, divided by it
	if o.LogitCap != 0 {
		uncapped = p.tensor(b.Wide(), logits.Rows, logits.Cols)
	}
	back := p.Record && h.needs
	if back {
		p.give(h, func(*tensor.Tensor) {})
	}
	for lo := 0; lo < rows; lo += step {
		hi := min(lo+step, rows)
		l, hc := logits.RowRange(0, hi-lo), h.T.RowRange(lo, hi)
		b.MatMul(l, hc, w.T, tensor.MatMul{TransB: true, Packed: w.packed(p, true)})
		if o.LogitCap != 0 {
			capLogits(b, l, uncapped.RowRange(0, hi-lo), o.LogitCap)
		}
		b.CrossEntropy(losses[lo:hi], l, targets[lo:hi], tensor.CrossEntropy{Scale: o.Scale, ZLoss: o.ZLoss, NoGrad: !p.Record})
		if o.LogitCap != 0 && p.Record {
			b.UnaryBack(tensor.Tanh, l, l, uncapped.RowRange(0, hi-lo))
		}
		if back {
			b.MatMul(h.grad.RowRange(lo, hi), l, w.T, tensor.MatMul{Packed: w.packed(p, false)})
		}
		if p.Record {
			w.addProduct(b, l, hc, tensor.MatMul{TransA: true})
		}
	}
	p.free(logits)
	if uncapped != nil {
		p.free(uncapped)
	}
	return losses
}

// capLogits soft-caps l and leaves in u what the gradient of tanh is taken at.
func capLogits(b tensor.Backend, l, u *tensor.Tensor, limit float64) {
	b.Scale(u, l, 1/limit)
	b.Unary(tensor.Tanh, l, u)
	b.Scale(l, l, limit)
}

// Logits is h (N,C) times the unembedding w (V,C), Wide (N,V).
func Logits(p *Pass, h *Value, w *Param) *Value {
	return Linear{W: w, Wide: true}.Apply(p, h)
}
