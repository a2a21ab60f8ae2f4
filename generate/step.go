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
	losses []float64
	target []int32 // ids drawn from the wanted rows; -1 for none
	decode []*sequence
	began  time.Time
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
	t.parts, t.ids, t.pos, t.wanted = t.parts[:0], t.ids[:0], t.pos[:0], t.wanted[:0]
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
	t.want(part{s: s, wanted: wanted})
	t.batch.Add(s.kv, len(ids))
	if wanted > 0 && s.new() == 0 {
		for _, f := range s.follow {
			t.want(part{s: f, wanted: 1, follows: true})
		}
	}
}

// want lists the last rows as those that p draws from.
func (t *step) want(p part) {
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
	h := e.m.Hidden(e.p, &model.Input{B: 1, T: len(t.ids), IDs: t.ids, Pos: t.pos, Cache: t.batch})
	e.share()
	rows := gather(e.p, h, t.wanted)
	if rows == nil {
		return
	}
	logits := model.Logits(e.p, e.m, rows)
	t.logits = grow(t.logits, logits.T.Len())
	e.p.Backend.Download(t.logits, logits.T)
	t.target = grow(t.target, len(t.wanted))
	for i := range t.target {
		t.target[i] = -1
	}
	e.parallel(len(t.parts), func(i, _ int) { t.parts[i].draw(t) })
	t.losses = grow(t.losses, len(t.target))
	e.p.Backend.CrossEntropy(t.losses, logits.T, t.target, tensor.CrossEntropy{Scale: 1, NoGrad: true})
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
	for i := range p.wanted {
		logits := t.logits[(p.at+i)*v : (p.at+i+1)*v]
		id, right := s.next(logits, i)
		s.drawn = append(s.drawn, id)
		t.target[p.at+i] = id
		if !s.guide.accept(id, s.limit-s.new()-i-1) || !right {
			return
		}
	}
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
				if ended = s.take(e, j, -t.losses[p.at+j], &p.pieces); ended {
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
		p := &t.parts[i]
		p.s.pieces = append(p.s.pieces, p.pieces...)
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
