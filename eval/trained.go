package eval

import (
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/generate/sample"
)

// Predictions gathers a model's distributions of the next token at several places
// of a text, to tell whether they look like those of a trained model.
type Predictions struct {
	sum     []float64 // of probabilities
	n       int
	entropy float64 // sum
	broken  bool
	after   map[int32]bool
}

// Add takes the logits (V) of the token after id.
func (p *Predictions) Add(after int32, logits []float32) {
	total := sample.LogSumExp(logits)
	if math.IsNaN(total) || math.IsInf(total, 0) {
		p.broken = true
		return
	}
	if p.sum == nil {
		p.sum, p.after = make([]float64, len(logits)), map[int32]bool{}
	}
	p.after[after] = true
	p.n++
	for i, x := range logits {
		if lp := float64(x) - total; lp > -700 {
			q := math.Exp(lp)
			p.sum[i] += q
			p.entropy -= q * lp
		}
	}
}

// Health is what distributions at several places look like. Entropies are nats.
type Health struct {
	Places      int     `json:"places"`
	Entropy     float64 `json:"entropy"`     // of the next token, on average
	Uniform     float64 `json:"uniform"`     // of an even choice among the vocabulary
	Mixture     float64 `json:"mixture"`     // of the average distribution, which stands for that of single tokens
	Information float64 `json:"information"` // what the text so far tells about the next token: mixture - entropy
	Warning     string  `json:"warning,omitempty"`
}

// From which share of an even choice on, and below which share of the average
// distribution's entropy, a model looks untrained. Trained ones are far from both:
// the first steps of training take the entropy below the one, those after learn
// the frequencies of tokens and then, above the other, what precedes them.
const (
	nearUniform  = 0.9
	littleLearnt = 0.05
	fewestPlaces = 4 // after different tokens, to judge by the second
)

// Health judges. Without places it says nothing.
func (p *Predictions) Health() Health {
	h := Health{Places: p.n}
	if p.broken {
		h.Warning = "the logits are not numbers: the weights are broken (NaN or infinite)"
		return h
	}
	if p.n == 0 {
		return h
	}
	h.Entropy, h.Uniform = p.entropy/float64(p.n), math.Log(float64(len(p.sum)))
	for _, x := range p.sum {
		if q := x / float64(p.n); q > 0 {
			h.Mixture -= q * math.Log(q)
		}
	}
	h.Information = max(0, h.Mixture-h.Entropy)
	switch {
	case len(p.sum) > 1 && h.Entropy > nearUniform*h.Uniform:
		h.Warning = fmt.Sprintf("the model looks untrained: the entropy of the next token is %.2f nats on average, an even choice among its %d tokens has %.2f", h.Entropy, len(p.sum), h.Uniform)
	case len(p.after) >= fewestPlaces && h.Information < littleLearnt*h.Mixture:
		h.Warning = fmt.Sprintf("the model looks hardly trained: what it expects next is the same wherever it is asked (a mean entropy of %.2f nats, %.2f of the average distribution), as from the frequencies of single tokens", h.Entropy, h.Mixture)
	}
	return h
}
