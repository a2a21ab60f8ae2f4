// Package trust measures how far an answer can be believed: by the probabilities
// that its tokens had (Tokens), by what the model says when it is asked (PTrue), by
// other answers to the same question (SelfCheck, SemanticEntropy, Agreement), and by
// a text that it should follow from (Ground). A Policy makes an action of that.
//
// Texts are compared by their words, so no second model is needed; what says the
// same in other words is taken for something else. How well each measure finds wrong
// answers is eval.AUROC's to say. Not here: drawing the other answers
// (generate/search), and what a caller does with an action.
package trust

import "math"

// Confidence is what was measured of one answer; what was not is nil.
type Confidence struct {
	Tokens          *Tokens  `json:"tokens,omitempty"`
	PTrue           *float64 `json:"p_true,omitempty"`           // probability of yes against no
	Agreement       *float64 `json:"agreement,omitempty"`        // share of other answers that say the same
	SemanticEntropy *float64 `json:"semantic_entropy,omitempty"` // nats
	SelfCheck       []Check  `json:"selfcheck,omitempty"`        // of each sentence
	Claims          []Claim  `json:"claims,omitempty"`           // of each sentence, in the context
}

// Signal is the name of a figure of Confidence.
type Signal string

// The signals.
const (
	TokenEntropy    Signal = "token_entropy"    // mean, nats
	MeanLogProb     Signal = "mean_logprob"     // nats a token
	Perplexity      Signal = "perplexity"       // of the answer
	Truth           Signal = "p_true"           // probability
	Consistency     Signal = "agreement"        // share
	MeaningEntropy  Signal = "semantic_entropy" // nats
	Inconsistency   Signal = "selfcheck"        // of the worst sentence, by overlap, 0 to 1
	LeastGrounding  Signal = "grounding"        // of the claim with the least support, 0 to 1
	MeanUnusualness Signal = "selfcheck_ngram"  // mean over sentences, nats a word
)

// rising are the signals of which more is better.
var rising = map[Signal]bool{
	TokenEntropy: false, MeanLogProb: true, Perplexity: false, Truth: true, Consistency: true,
	MeaningEntropy: false, Inconsistency: false, LeastGrounding: true, MeanUnusualness: false,
}

// Signals are all of them.
func Signals() []Signal {
	return []Signal{TokenEntropy, MeanLogProb, Perplexity, Truth, Consistency, MeaningEntropy, Inconsistency, MeanUnusualness, LeastGrounding}
}

// Rising says whether more of a signal is better.
func Rising(s Signal) bool { return rising[s] }

// Value is a signal of c in its own unit; ok is false where it was not measured.
func (c *Confidence) Value(s Signal) (x float64, ok bool) {
	number := func(p *float64) (float64, bool) {
		if p == nil {
			return 0, false
		}
		return *p, true
	}
	switch s {
	case Truth:
		return number(c.PTrue)
	case Consistency:
		return number(c.Agreement)
	case MeaningEntropy:
		return number(c.SemanticEntropy)
	case Inconsistency:
		for _, s := range c.SelfCheck {
			x = max(x, s.Overlap)
		}
		return x, len(c.SelfCheck) > 0
	case MeanUnusualness:
		for _, s := range c.SelfCheck {
			x += s.NGram / float64(len(c.SelfCheck))
		}
		return x, len(c.SelfCheck) > 0
	case LeastGrounding:
		x = math.Inf(1)
		for _, s := range c.Claims {
			x = min(x, s.Score)
		}
		return x, len(c.Claims) > 0
	}
	if c.Tokens == nil {
		return 0, false
	}
	switch s {
	case TokenEntropy:
		return c.Tokens.MeanEntropy, true
	case MeanLogProb:
		return c.Tokens.MeanLogProb, true
	case Perplexity:
		return c.Tokens.Perplexity, true
	}
	return 0, false
}

// Distrust is a signal turned so that more of it is worse: what eval.AUROC and
// eval.RiskCoverage order answers by.
func (c *Confidence) Distrust(s Signal) (x float64, ok bool) {
	x, ok = c.Value(s)
	if rising[s] {
		x = -x
	}
	return x, ok
}
