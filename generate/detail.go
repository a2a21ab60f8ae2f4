package generate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

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
	return e.logitsFrom(ctx, texts, 0, visit)
}

// logitsFrom is EachLogits for i of first and more.
func (e *Engine) logitsFrom(ctx context.Context, texts [][]int32, first int, visit func(text, i int, logits []float32)) error {
	return e.read(ctx, texts, func(h *op.Value, spans []span) {
		for _, s := range spans {
			for from := max(0, first-s.from); from < s.n; from += logitRows {
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
	return e.ReplayFrom(ctx, ids, prompt, 1, o, visit)
}

// ReplayFrom is Replay for the tokens from ids[from] on. It is cheaper: what is before
// goes through the model without logits.
func (e *Engine) ReplayFrom(ctx context.Context, ids []int32, prompt, from int, o Options, visit func(Replayed)) error {
	switch {
	case prompt < 1 || prompt > len(ids):
		return fmt.Errorf("a prompt of %d tokens in a text of %d", prompt, len(ids))
	case from < 1 || from > len(ids):
		return fmt.Errorf("from token %d on in a text of %d: it must be 1 to %d", from, len(ids), len(ids))
	}
	if err := e.check(ids[:prompt], o); err != nil {
		return err
	}
	r, err := e.newReplay(ids, prompt, o)
	if err != nil {
		return err
	}
	first := from - 1
	if o.Sample.Mirostat != 0 {
		first = 0 // it learns from every token
	}
	for i := prompt - 1; i < first && r.guide.err == nil; i++ {
		r.read(i)
	}
	if r.guide.err != nil {
		return r.guide.err
	}
	err = e.logitsFrom(ctx, [][]int32{ids}, first, func(_, i int, logits []float32) {
		if r.guide.err != nil {
			return
		}
		p := r.at(i, logits)
		if i+1 >= from {
			visit(p)
		}
		if i+1 == len(ids) {
			return
		}
		if !p.Forced {
			r.sampler.Accept(logits, p.At, ids[i+1])
		}
		r.read(i)
	})
	return errors.Join(err, r.guide.err)
}

// replay is a text that is read again, as far as it has been read.
type replay struct {
	*sequence
	text []int32
}

func (e *Engine) newReplay(ids []int32, prompt int, o Options) (*replay, error) {
	r := &replay{&sequence{o: o, prompt: prompt, context: e.m.Dims().Context}, ids}
	var err error
	if r.sampler, err = e.sampler(o.Sample); err != nil {
		return nil, err
	}
	r.bound()
	r.guide, err = newGuide(&o, e.m.Dims().Vocab, r.limit)
	return r, err
}

// at is the place of the token after text[i].
func (r *replay) at(i int, logits []float32) Replayed {
	n := i + 1 - r.prompt // new tokens before
	p := Replayed{I: i, Logits: logits, Sampler: r.sampler}
	p.At = sample.At{History: r.text[:i+1], Stream: r.o.Stream, Index: r.o.FirstDraw + uint64(n)}
	if n < 0 {
		return p
	}
	var id int32
	if id, p.Forced = r.guide.next(); p.Forced {
		p.At.Mask = only(id, len(logits))
	} else {
		p.At.Mask = r.guide.mask
	}
	return p
}

// read goes on behind text[i+1]. A constraint that does not hold is r.guide.err.
func (r *replay) read(i int) {
	n := i + 1 - r.prompt
	if n < 0 || r.guide.free() {
		return
	}
	switch last := i+2 == len(r.text); {
	case n >= r.limit:
		r.guide.fail(fmt.Errorf("the text is longer than the %d tokens that it may have", r.limit))
	case !last && slices.Contains(r.o.StopIDs, r.text[i+1]):
		r.guide.fail(fmt.Errorf("id %d ended the text", r.text[i+1]))
	default:
		r.guide.accept(r.text[i+1], r.limit-n-1)
	}
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
