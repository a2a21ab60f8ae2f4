package trust

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
)

// Tokens is how sure a model was of the tokens of an answer, before any step of the
// sampling chain.
type Tokens struct {
	N           int     `json:"n"`
	MeanEntropy float64 `json:"mean_entropy"` // of the distributions, nats
	MaxEntropy  float64 `json:"max_entropy"`
	MeanLogProb float64 `json:"mean_logprob"` // of the tokens, nats
	MinLogProb  float64 `json:"min_logprob"`
	Perplexity  float64 `json:"perplexity"` // exp(-MeanLogProb)
}

// OfTokens sums up the log-probabilities of an answer's tokens and the entropies of
// the distributions they were drawn from; entropies may be nil where they are not
// known. The figures of no tokens are NaN.
func OfTokens(logProbs, entropies []float64) *Tokens {
	t := &Tokens{N: len(logProbs), MeanEntropy: mean(entropies), MeanLogProb: mean(logProbs)}
	t.MaxEntropy, t.MinLogProb = math.NaN(), math.NaN()
	if len(entropies) > 0 {
		t.MaxEntropy = slices.Max(entropies)
	}
	if len(logProbs) > 0 {
		t.MinLogProb = slices.Min(logProbs)
	}
	t.Perplexity = math.Exp(-t.MeanLogProb)
	return t
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// Entropy is that of the softmax of logits (V), in nats. Logits of -Inf are ids that
// cannot come.
func Entropy(logits []float32) float64 {
	z, h := sample.LogSumExp(logits), 0.0
	for _, x := range logits {
		if l := float64(x) - z; !math.IsInf(l, -1) {
			h -= math.Exp(l) * l
		}
	}
	return max(0, h)
}

// ReadTokens reads ids, the first prompt of which were given, and sums up the rest.
func ReadTokens(ctx context.Context, e *generate.Engine, ids []int32, prompt int) (*Tokens, error) {
	if prompt < 1 || prompt >= len(ids) {
		return nil, fmt.Errorf("a prompt of %d tokens in a text of %d: give at least one token of each", prompt, len(ids))
	}
	var logProbs, entropies []float64
	err := e.EachLogits(ctx, [][]int32{ids[:len(ids)-1]}, func(_, i int, logits []float32) {
		if i+1 >= prompt {
			logProbs = append(logProbs, sample.LogProb(logits, ids[i+1]))
			entropies = append(entropies, Entropy(logits))
		}
	})
	if err != nil {
		return nil, err
	}
	return OfTokens(logProbs, entropies), nil
}

// TruthQuestion asks whether an answer is true, with other answers to the same
// question before it (Kadavath et al. 2022, section 3; they let the model choose
// between letters).
func TruthQuestion(question, answer string, others []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Question: %s\n", question)
	ideas(&b, others)
	fmt.Fprintf(&b, "Proposed answer: %s\nIs the proposed answer true? Answer Yes or No:", answer)
	return b.String()
}

func ideas(b *strings.Builder, others []string) {
	if len(others) == 0 {
		return
	}
	b.WriteString("Here are some ideas:\n")
	for _, o := range others {
		fmt.Fprintf(b, "%s\n", strings.Join(strings.Fields(o), " "))
	}
}

// TruthFollowUp is TruthQuestion as the next turn of a conversation that the answer
// stands in.
func TruthFollowUp(others []string) string {
	var b strings.Builder
	ideas(&b, others)
	b.WriteString("Is your last answer true? Answer Yes or No:")
	return b.String()
}

// PTrue is P(True) of Kadavath et al. 2022, arXiv 2207.05221: the probability that the
// token after ids, which ask TruthQuestion, is one of yes, among yes and no; mass is
// the probability that it is one of either. A small mass says that the model did not
// understand the question.
func PTrue(ctx context.Context, e *generate.Engine, ids, yes, no []int32) (p, mass float64, err error) {
	if len(ids) == 0 || len(yes) == 0 || len(no) == 0 {
		return 0, 0, fmt.Errorf("P(True) with %d tokens of the question, %d of yes and %d of no: give at least one of each", len(ids), len(yes), len(no))
	}
	for _, id := range yes {
		if slices.Contains(no, id) {
			return 0, 0, fmt.Errorf("token %d means both yes and no: choose words whose first tokens differ", id)
		}
	}
	var outside error
	err = e.EachLogits(ctx, [][]int32{ids}, func(_, i int, logits []float32) {
		if i+1 < len(ids) {
			return
		}
		sum := func(set []int32) (s float64) {
			for _, id := range set {
				if id < 0 || int(id) >= len(logits) {
					outside = fmt.Errorf("token %d of yes or no: the vocabulary has %d", id, len(logits))
					return 0
				}
				s += math.Exp(sample.LogProb(logits, id))
			}
			return s
		}
		y, n := sum(yes), sum(no)
		p, mass = y/(y+n), y+n
	})
	return p, mass, errors.Join(err, outside)
}
