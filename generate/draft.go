package generate

import (
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// draftGuesser guesses with a smaller model, for all sequences in one batch. It
// draws with the noise and the options of the sequence, which makes agreement
// likely where the two models are near.
type draftGuesser struct {
	m      model.Model
	p      *op.Pass
	pool   *cache.Pool
	batch  *cache.Batch
	chunk  int
	ids    []int32
	pos    []int32
	wanted []int32
	logits []float32
	active []*sequence
}

// draftState is what the draft model remembers of a sequence: the first tokens of
// it, as far as they are in its cache.
type draftState struct {
	kv    *cache.Seq
	wants int   // guesses in this step
	guide guide // of the guesses, as the sampler
	*sample.Sampler
}

func (d *draftState) close() {
	if d.kv != nil {
		d.kv.Close()
		d.kv = nil
	}
}

func newDraftGuesser(b tensor.Backend, m model.Model, c *Config) (guesser, error) {
	d := c.Speculation.Draft
	if got, want := d.Dims().Vocab, m.Dims().Vocab; got != want {
		return nil, fmt.Errorf("the draft model has a vocabulary of %d, the model one of %d: they must be the same", got, want)
	}
	pool, err := model.NewCache(b, d, c.cache())
	if err != nil {
		return nil, fmt.Errorf("draft model: %w", err)
	}
	return &draftGuesser{m: d, p: op.NewPass(b, op.Options{CachePacks: true}), pool: pool, batch: pool.NewBatch(), chunk: pool.StepTokens()}, nil
}

func (g *draftGuesser) close() {
	g.pool.Close()
	g.p.Close()
}

// guess brings the draft model up to the last token of each sequence and lets it
// go on from there.
func (g *draftGuesser) guess(e *Engine, seqs []*sequence) {
	g.active = g.active[:0]
	for _, s := range seqs {
		s.ahead, s.dists = s.ahead[:0], nil
		if s.draft.wants = g.room(s, s.guesses(&e.c.Speculation)); s.draft.wants > 0 {
			s.draft.guide, s.draft.Sampler = s.guide.fork(), s.sampler.Fork()
			g.active = append(g.active, s)
		}
	}
	for len(g.active) > 0 {
		g.step(e)
		g.active = slices.DeleteFunc(g.active, func(s *sequence) bool { return len(s.ahead) == s.draft.wants })
	}
	for _, s := range seqs {
		if s.draft.kv != nil {
			s.draft.kv.Truncate(len(s.ids)) // guesses may be wrong
			s.draft.kv.Publish(s.ids)
			s.draft.kv.Trim()
		}
	}
}

// room is how many of n tokens the draft model can guess for s.
func (g *draftGuesser) room(s *sequence, n int) int {
	n = min(n, g.m.Dims().Context-len(s.ids))
	if n <= 0 {
		return 0
	}
	if s.draft.kv == nil {
		kv, err := g.pool.Open(min(s.tokens(), g.m.Dims().Context))
		if err != nil {
			return 0 // it goes on without guesses
		}
		kv.Adopt(s.ids)
		s.draft.kv = kv
	}
	return n
}

// step is one run of the draft model: for each sequence the tokens that it has
// not read yet, at most a chunk, and a guess where none is left.
func (g *draftGuesser) step(e *Engine) {
	g.batch.Reset()
	g.ids, g.pos, g.wanted = g.ids[:0], g.pos[:0], g.wanted[:0]
	for _, s := range g.active {
		text := append(s.ids[:len(s.ids):len(s.ids)], s.ahead...)
		n := min(g.chunk, len(text)-s.draft.kv.Len())
		for range n {
			at := s.draft.kv.Len() + len(g.ids) - g.batch.Rows()
			g.ids, g.pos = append(g.ids, text[at]), append(g.pos, int32(at))
		}
		g.batch.Add(s.draft.kv, n)
		if s.draft.kv.Len()+n == len(text) {
			g.wanted = append(g.wanted, int32(len(g.ids)-1))
		}
	}
	h := g.m.Hidden(g.p, &model.Input{B: 1, T: len(g.ids), IDs: g.ids, Pos: g.pos, Cache: g.batch})
	defer g.p.Reset()
	rows := gather(g.p, h, g.wanted)
	if rows == nil {
		return
	}
	logits := model.Logits(g.p, g.m, rows)
	g.logits = grow(g.logits, logits.T.Len())
	g.p.Backend.Download(g.logits, logits.T)
	g.draw(e)
}

// draw guesses the next token of the sequences whose logits are there.
func (g *draftGuesser) draw(e *Engine) {
	v, row := len(g.logits)/len(g.wanted), 0
	for _, s := range g.active {
		if s.draft.kv.Len() < len(s.ids)+len(s.ahead) {
			continue // still reading
		}
		logits := g.logits[row*v : (row+1)*v]
		row++
		at := s.at(&s.draft.guide, s.ahead)
		var id int32
		if e.c.Speculation.Rejection {
			s.dists = append(s.dists, s.draft.Distribution(logits, at))
			id = s.draft.Guess(logits, at)
		} else {
			id = s.draft.Sample(logits, at)
		}
		if id < 0 { // a broken draft model guesses nothing
			s.draft.wants = len(s.ahead)
			continue
		}
		g.push(s, id)
	}
}

// push adds a guess, and those that the constraint then forces.
func (g *draftGuesser) push(s *sequence, id int32) {
	d := &s.draft
	for ok := true; ok; id, ok = d.guide.next() {
		if s.ahead = append(s.ahead, id); len(s.ahead) > len(s.dists) && s.dists != nil {
			s.dists = append(s.dists, certain(id))
		}
		if len(s.ahead) == d.wants {
			return
		}
		if !d.guide.accept(id, s.limit-s.new()-len(s.ahead)) {
			d.wants = len(s.ahead) // the text may end here
			return
		}
	}
}
