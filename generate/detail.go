package generate

import (
	"context"
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Detail is what a token was chosen from.
type Detail struct {
	Top     []sample.Token // the most probable ids, for the model
	LogProb float64        // of the token, after all steps of the chain; 0 where it was forced, -Inf where they left it out
	Chain   []sample.Token // the most probable ids after all steps of the chain
}

// sampler is a sampler for this model's ids.
func (e *Engine) sampler(o sample.Options) (*sample.Sampler, error) {
	for id := range o.LogitBias {
		if int(id) >= e.m.Dims().Vocab {
			return nil, fmt.Errorf("logit-bias of id %d: the vocabulary has %d", id, e.m.Dims().Vocab)
		}
	}
	if o.Vocabulary == nil {
		o.Vocabulary = e.tokens
	}
	return sample.New(o)
}

// detail notes what the next id is drawn from; chose says which it was.
func (s *sequence) detail(logits []float32, at sample.At) {
	if n := s.o.LogProbs; n > 0 {
		s.details = append(s.details, &Detail{Top: sample.TopN(logits, n), Chain: s.sampler.Distribution(logits, at)})
	}
}

func (s *sequence) chose(id int32) {
	if n := s.o.LogProbs; n > 0 {
		s.details[len(s.details)-1].chose(id, n)
	}
}

// chose says which id was taken, and leaves n of the others.
func (d *Detail) chose(id int32, n int) {
	d.LogProb = math.Inf(-1)
	for _, t := range d.Chain {
		if t.ID == id {
			d.LogProb = t.LogProb
		}
	}
	d.Chain = append([]sample.Token(nil), d.Chain[:min(n, len(d.Chain))]...)
}

func (s *sequence) forcedDetail(logits []float32, id int32) {
	if n := s.o.LogProbs; n > 0 {
		s.details = append(s.details, &Detail{Top: sample.TopN(logits, n), Chain: certain(id)})
	}
}

// logitRows is how many rows of logits are there at a time.
const logitRows = 16

// EachLogits runs texts through the model and calls visit with the logits (V) of
// the token after ids[:i+1] of each, in order; they are valid during the call and
// the same bits that Generate draws from.
func (e *Engine) EachLogits(ctx context.Context, texts [][]int32, visit func(text, i int, logits []float32)) error {
	return e.read(ctx, texts, func(h *op.Value, spans []span) {
		for _, s := range spans {
			for from := 0; from < s.n; from += logitRows {
				rows := make([]int32, min(logitRows, s.n-from))
				for i := range rows {
					rows[i] = int32(s.row + from + i)
				}
				e.p.Scope(func() *op.Value {
					logits := e.p.Host(model.Logits(e.p, e.m, gather(e.p, h, rows)).T)
					v := len(logits) / len(rows)
					for i := range rows {
						visit(s.text, s.from+from+i, logits[i*v:(i+1)*v])
					}
					return h
				})
			}
		}
	})
}

// Place is where the token after ids[:i+1] of a text is drawn whose first prompt
// ids were given, by options without a constraint. Tokens of the prompt have
// random numbers of their own.
func (o *Options) Place(ids []int32, i, prompt int) sample.At {
	return sample.At{History: ids[:i+1], Stream: o.Stream, Index: o.FirstDraw + uint64(i+1-prompt)}
}

// Details is what the chain of o chooses the tokens of ids from, the first prompt
// of which were given: one for each token after the first.
func (e *Engine) Details(ctx context.Context, ids []int32, prompt int, o Options) ([]*Detail, error) {
	sampler, err := e.sampler(o.Sample)
	if err != nil {
		return nil, err
	}
	if o.LogProbs < 1 {
		return nil, fmt.Errorf("details of %d ids a token: want 1 or more", o.LogProbs)
	}
	var out []*Detail
	err = e.EachLogits(ctx, [][]int32{ids}, func(_, i int, logits []float32) {
		if i == len(ids)-1 {
			return
		}
		at := o.Place(ids, i, prompt)
		d := &Detail{Top: sample.TopN(logits, o.LogProbs), Chain: sampler.Distribution(logits, at)}
		sampler.Accept(logits, at, ids[i+1])
		d.chose(ids[i+1], o.LogProbs)
		out = append(out, d)
	})
	return out, err
}
