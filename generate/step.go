package generate

import (
	"time"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// step is one run of the model over some rows of some sequences. Its memory is
// used again in the next one.
type step struct {
	batch  *cache.Batch
	parts  []part
	ids    []int32
	pos    []int32
	wanted []int32 // rows of which logits are drawn from
	logits []float32
	logZ   []float64 // of the wanted rows: what makes their logits log-probabilities
	decode []*sequence
	read   []*sequence // those that read a chunk
	began  time.Time
	chosen time.Time // when ids were drawn
	// changes are those of rows of sequences with adapters.
	changes []op.ChangedRows
	adapter *adapter // of the last of them
}

// part is the rows of one sequence; the last wanted of them are drawn from, the
// first of which is row at of the wanted ones. A follower has no rows of its own:
// it draws from a copy of its leader's logits.
type part struct {
	s          *sequence
	wanted, at int
	follows    bool
	pieces     []Piece
}

func (t *step) reset() {
	t.batch.Reset()
	clear(t.parts)
	clear(t.changes)
	t.parts, t.ids, t.pos, t.wanted, t.changes = t.parts[:0], t.ids[:0], t.pos[:0], t.wanted[:0], t.changes[:0]
	t.began = time.Now()
}

// decoding lists the sequences that take their next token in this step.
func (t *step) decoding(running []*sequence) []*sequence {
	clear(t.decode)
	t.decode = t.decode[:0]
	for _, s := range running {
		if s.decodes() {
			t.decode = append(t.decode, s)
		}
	}
	return t.decode
}

// add takes rows of s into the step.
func (t *step) add(s *sequence, ids []int32, wanted int) {
	for i := range ids {
		t.pos = append(t.pos, int32(s.kv.Len()+i))
	}
	t.ids = append(t.ids, ids...)
	t.change(s.adapter, len(ids))
	t.want(part{s: s, wanted: wanted})
	t.batch.Add(s.kv, len(ids))
	if wanted > 0 && s.new() == 0 {
		for _, f := range s.follow {
			t.want(part{s: f, wanted: 1, follows: true})
		}
	}
}

// change gives the last rows the changes of an adapter.
func (t *step) change(a *adapter, rows int) {
	if a == nil {
		return
	}
	to := len(t.ids)
	if n := len(t.changes); n > 0 && t.changes[n-1].To == to-rows && t.adapter == a {
		t.changes[n-1].To = to
		return
	}
	t.changes, t.adapter = append(t.changes, op.ChangedRows{From: to - rows, To: to, Changes: a.Changes}), a
}

// hidden runs the model over the rows of the step.
func (e *Engine) hidden() *op.Value {
	t := &e.step
	e.p.Changes = t.changes
	defer func() { e.p.Changes = nil }()
	return e.m.Hidden(e.p, &model.Input{B: 1, T: len(t.ids), IDs: t.ids, Pos: t.pos, Cache: t.batch})
}

// want lists the last rows as those that p draws from.
func (t *step) want(p part) {
	if r := &p.s.result; r.Began.IsZero() {
		r.Began = time.Now()
	}
	p.at = len(t.wanted)
	for i := len(t.ids) - p.wanted; i < len(t.ids); i++ {
		t.wanted = append(t.wanted, int32(i))
	}
	t.parts = append(t.parts, p)
}

// forward runs the model and draws from the wanted logits.
func (e *Engine) forward() {
	t := &e.step
	defer e.p.Reset()
	h := e.hidden()
	e.share()
	rows := gather(e.p, h, t.wanted)
	if rows == nil {
		return
	}
	logits := model.Logits(e.p, e.m, rows)
	t.logits = grow(t.logits, logits.T.Len())
	e.p.Backend.Download(t.logits, logits.T)
	t.logZ = grow(t.logZ, len(t.wanted))
	e.p.Backend.CrossEntropy(t.logZ, logits.T, nil, tensor.CrossEntropy{NoGrad: true}) // before ids are chosen: nothing waits for it then
	e.parallel(len(t.parts), func(i, _ int) { t.parts[i].draw(t) })
	t.chosen = time.Now()
}

// parallel calls fn for each task, on the backend's threads where it lends them.
func (e *Engine) parallel(tasks int, fn func(task, worker int)) {
	if r, ok := e.p.Backend.(runner); ok {
		r.Run(tasks, fn)
		return
	}
	for i := range tasks {
		fn(i, 0)
	}
}

// draw chooses the next ids of a sequence: one for each wanted row, up to the
// first that is not what the step went on with.
func (p *part) draw(t *step) {
	s, v := p.s, len(t.logits)/max(1, len(t.wanted))
	s.drawn, s.forced, s.details = s.drawn[:0], s.forced[:0], s.details[:0]
	s.logProbs = s.logProbs[:0]
	for i := range p.wanted {
		logits := t.logits[(p.at+i)*v : (p.at+i+1)*v]
		id, right := s.next(logits, i)
		s.drawn, s.logProbs = append(s.drawn, id), append(s.logProbs, logProb(logits, id, t.logZ[p.at+i]))
		if !s.guide.accept(id, s.limit-s.new()-i-1) || !right {
			return
		}
	}
}

// logProb is that of an id, with the bits of a score.
func logProb(logits []float32, id int32, logZ float64) float64 {
	if id < 0 {
		return 0
	}
	return -(logZ - float64(logits[id]))
}

// settle gives drawn ids to their sequences, keeps of the cache what they have
// confirmed, and lets sequences that ended go.
func (e *Engine) settle() {
	t := &e.step
	took := time.Since(t.began)
	for i := range t.parts {
		p := &t.parts[i]
		s := p.s
		if p.wanted > 0 {
			s.result.Speculated.count(s, took)
			ended := false
			for j := range s.drawn {
				if ended = s.take(e, j, s.logProbs[j], &p.pieces); ended {
					break
				}
			}
			if !ended {
				s.err = s.guide.err
			}
		}
		if s.kv == nil {
			continue // a follower for which there was no room
		}
		if s.new() > 0 {
			s.kv.Truncate(len(s.ids) - 1)
		}
		s.kv.Publish(s.ids)
		s.kv.Trim()
		s.ahead, s.dists = s.ahead[:0], nil
		if len(s.ids) == s.context && s.result.Finish == "" && s.err == nil {
			e.shift(s)
		}
	}
	e.mu.Lock()
	for i := range t.parts {
		e.give(t.parts[i].s, t.parts[i].pieces)
	}
	e.mu.Unlock()
	e.retire()
}

// gather is the given rows of h, nil for none.
func gather(p *op.Pass, h *op.Value, rows []int32) *op.Value {
	all := len(rows) == h.T.Rows
	for i, r := range rows {
		all = all && int(r) == i // a row may be wanted twice
	}
	switch {
	case len(rows) == 0:
		return nil
	case all:
		return h
	}
	y := p.New(h.T.DType, len(rows), h.T.Cols)
	p.Backend.Embed(y.T, h.T, rows)
	return y
}

// grow is x with n elements, of any value.
func grow[E any](x []E, n int) []E {
	if cap(x) < n {
		return make([]E, n, n+n/4)
	}
	return x[:n]
}

// runner is a backend that lends its threads.
type runner interface {
	Run(tasks int, fn func(task, worker int))
}
