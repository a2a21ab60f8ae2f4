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
// the same bits that Generate draws from. Visit must not call the engine.
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

// Replayed is one position of a text that is read again.
type Replayed struct {
	I       int       // the logits are of the token after ids[:I+1]
	Logits  []float32 // (V), valid during the call
	At      sample.At
	Forced  bool            // the constraint leaves no choice: At.Mask has one id
	Sampler *sample.Sampler // in the state it had there
}

// Replay reads a text whose first prompt ids were given and calls visit with what
// the token after each was drawn from: the same bits as when Generate wrote it with
// o. Tokens of the prompt are looked at as if the chain had chosen them too, with
// random numbers of their own and without the constraint.
func (e *Engine) Replay(ctx context.Context, ids []int32, prompt int, o Options, visit func(Replayed)) error {
	if prompt < 1 || prompt > len(ids) {
		return fmt.Errorf("a prompt of %d tokens in a text of %d", prompt, len(ids))
	}
	if err := e.check(ids[:prompt], o); err != nil {
		return err
	}
	sampler, err := e.sampler(o.Sample)
	if err != nil {
		return err
	}
	was := &sequence{o: o, prompt: prompt, context: e.m.Dims().Context}
	was.bound()
	g, err := newGuide(&o, e.m.Dims().Vocab, was.limit)
	if err != nil {
		return err
	}
	return e.EachLogits(ctx, [][]int32{ids}, func(_, i int, logits []float32) {
		r := Replayed{I: i, Logits: logits, Sampler: sampler}
		n := i + 1 - prompt // new tokens before
		r.At = sample.At{History: ids[:i+1], Stream: o.Stream, Index: o.FirstDraw + uint64(n)}
		if n >= 0 {
			var id int32
			if id, r.Forced = g.next(); r.Forced {
				r.At.Mask = only(id, len(logits))
			} else {
				r.At.Mask = g.mask
			}
		}
		visit(r)
		if i+1 == len(ids) {
			return
		}
		if !r.Forced {
			sampler.Accept(logits, r.At, ids[i+1])
		}
		if n >= 0 {
			g.accept(ids[i+1], was.limit-n-1)
		}
	})
}

// only is the mask of one id.
func only(id int32, vocab int) []uint64 {
	mask := make([]uint64, (vocab+63)/64)
	mask[id/64] = 1 << (id % 64)
	return mask
}

// Details is what the chain of o chooses the tokens of ids from, the first prompt
// of which were given: one for each token after the first.
func (e *Engine) Details(ctx context.Context, ids []int32, prompt int, o Options) ([]*Detail, error) {
	if o.LogProbs < 1 {
		return nil, fmt.Errorf("details of %d ids a token: want 1 or more", o.LogProbs)
	}
	var out []*Detail
	err := e.Replay(ctx, ids, prompt, o, func(r Replayed) {
		if r.I+1 == len(ids) {
			return
		}
		d := &Detail{Top: sample.TopN(r.Logits, o.LogProbs)}
		if id := ids[r.I+1]; r.Forced {
			d.Chain = certain(id)
		} else {
			d.Chain = r.Sampler.Distribution(r.Logits, r.At)
			d.chose(id, o.LogProbs)
		}
		out = append(out, d)
	})
	return out, err
}
