package generate

import (
	"context"
	"fmt"

	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/tensor/op"
)

// span is some rows of a step that reads given texts: rows [row, row+n) are the
// tokens [from, from+n) of a text.
type span struct{ text, row, from, n int }

// read runs texts through the model in steps of at most a chunk, several texts in
// a step, and calls visit with the hidden states of each. Nothing of it depends
// on which texts share a step.
func (e *Engine) read(ctx context.Context, texts [][]int32, visit func(h *op.Value, spans []span)) error {
	for i, ids := range texts {
		if err := e.Readable(ids); err != nil {
			if len(texts) > 1 {
				return fmt.Errorf("text %d: %w", i, err)
			}
			return err
		}
	}
	open := make([]*cache.Seq, len(texts))
	defer e.alone(func() {
		for _, s := range open {
			if s != nil {
				s.Close()
			}
		}
	})
	next := 0 // text
	for next < len(texts) {
		if err := ctx.Err(); err != nil {
			return err
		}
		busy := false
		e.alone(func() { next, busy = e.readStep(texts, open, next, visit) })
		if busy { // sequences that decode hold the cache
			e.progress(ctx)
		}
	}
	return nil
}

// Readable says why ids cannot be scored or embedded.
func (e *Engine) Readable(ids []int32) error {
	d := e.m.Dims()
	if len(ids) == 0 || len(ids) > d.Context {
		return fmt.Errorf("%d tokens to score: the model takes 1 to %d", len(ids), d.Context)
	}
	for i, id := range ids {
		if id < 0 || int(id) >= d.Vocab {
			return fmt.Errorf("token %d is id %d, outside the vocabulary of %d", i, id, d.Vocab)
		}
	}
	return e.pool.Check(len(ids))
}

// readStep reads a chunk from text next on and returns the first text that is not
// finished; busy says that there was no room for any.
func (e *Engine) readStep(texts [][]int32, open []*cache.Seq, next int, visit func(h *op.Value, spans []span)) (after int, busy bool) {
	t := &e.step
	t.reset()
	var spans []span
	room := e.c.Chunk
	for i := next; i < len(texts) && room > 0; i++ {
		if open[i] == nil {
			s, err := e.pool.Open(len(texts[i]))
			if err != nil {
				break
			}
			open[i] = s
		}
		s := open[i]
		n := min(room, len(texts[i])-s.Len())
		spans = append(spans, span{i, len(t.ids), s.Len(), n})
		for j := range n {
			t.ids, t.pos = append(t.ids, texts[i][s.Len()+j]), append(t.pos, int32(s.Len()+j))
		}
		t.batch.Add(s, n)
		room -= n
	}
	if len(spans) == 0 {
		return next, true
	}
	t.change(e.adapter, len(t.ids))
	h := e.hidden()
	visit(h, spans)
	e.p.Reset()
	for _, s := range spans {
		open[s.text].Trim()
		if s.from+s.n == len(texts[s.text]) {
			open[s.text].Close()
			open[s.text] = nil
			next = s.text + 1
		}
	}
	return next, false
}
