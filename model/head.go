package model

import (
	"math"
	"slices"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// HeadName is the weight of a Head in checkpoints.
const HeadName = "score.weight"

// Head turns hidden states into scores: one for a reward or a value, one for each
// class of a classifier. It is the head of Hugging Face's ForSequenceClassification
// and reads the hidden state of a text's last token.
type Head struct {
	W      *op.Param // (N,C) for N scores
	Labels []string  // of the scores of a classifier; nil: one number
}

// NewHead makes a head of n scores over m with zero weights.
func NewHead(b tensor.Backend, m Model, n int) *Head {
	return &Head{W: op.NewParam(b, HeadName, n, m.Dims().Width)}
}

// Init draws the initial weights: normal of deviation 1/sqrt(C+1) (Stiennon et al.
// 2020, arXiv 2009.01325, appendix B.1). They are a function of the seed alone.
func (h *Head) Init(b tensor.Backend, seed uint64) {
	x, stream := make([]float32, h.W.Len()), rng.Stream(HeadName)
	std := 1 / math.Sqrt(float64(h.W.T.Cols+1))
	for i := range x {
		x[i] = float32(std * rng.Normal(seed, stream, uint64(i)))
	}
	b.Upload(h.W.T, x)
	h.W.Changed()
}

// Params are the head's parameters.
func (h *Head) Params() []*op.Param { return []*op.Param{h.W} }

// Scores is how many scores a hidden state has.
func (h *Head) Scores() int { return h.W.T.Rows }

// Apply turns hidden states (N,C) into scores, Wide.
func (h *Head) Apply(p *op.Pass, hidden *op.Value) *op.Value {
	return op.Linear{W: h.W, Wide: true}.Apply(p, hidden)
}

// Probabilities are the softmax of the scores of a classifier.
func Probabilities(scores []float64) []float64 {
	top, sum := slices.Max(scores), 0.0
	out := make([]float64, len(scores))
	for i, x := range scores {
		out[i] = math.Exp(x - top)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}
