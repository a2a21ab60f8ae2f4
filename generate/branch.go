package generate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/cache"
)

// A Branch is a text whose next token the caller chooses, from the logits that
// Next gives: beam search, trees. Forks share the pages of what they have in
// common. One goroutine at a time uses a branch.
type Branch struct {
	e   *Engine
	kv  *cache.Seq
	ids []int32
}

// Branch begins a text that has at most limit tokens, those of the prompt
// included; 0: the model's context. Nothing is computed yet. It waits while
// sequences hold the cache, until ctx ends.
func (e *Engine) Branch(ctx context.Context, prompt []int32, limit int) (*Branch, error) {
	if err := e.check(prompt, Options{}); err != nil {
		return nil, err
	}
	context := e.m.Dims().Context
	if limit == 0 {
		limit = context
	}
	if limit < len(prompt) || limit > context {
		return nil, fmt.Errorf("a branch of %d tokens: it must hold the prompt of %d and fit the context of %d", limit, len(prompt), context)
	}
	b := &Branch{e: e, ids: slices.Clone(prompt)}
	for {
		err := ctx.Err()
		if err != nil {
			return nil, err
		}
		e.alone(func() {
			if b.kv, err = e.pool.Open(limit); err == nil {
				if e.adapter != nil {
					b.kv.Under(e.adapter.number)
				}
				b.kv.Adopt(b.ids)
			}
		})
		switch {
		case err == nil:
			return b, nil
		case !errors.Is(err, cache.ErrBusy):
			return nil, err
		}
		e.progress(ctx)
	}
}

// IDs are the tokens so far; they must not be changed.
func (b *Branch) IDs() []int32 { return b.ids }

// Room is the number of tokens that may still be appended.
func (b *Branch) Room() int { return b.kv.Limit() - len(b.ids) }

// Append takes the next token. It panics where no room is left.
func (b *Branch) Append(id int32) {
	if b.Room() == 0 {
		panic(fmt.Sprintf("generate: a branch of %d tokens is full", len(b.ids)))
	}
	b.ids = append(b.ids, id)
}

// Fork is another branch with the same tokens. The error is cache.ErrBusy where
// the cache has no room for it beside others.
func (b *Branch) Fork() (f *Branch, err error) {
	b.e.alone(func() { f, err = b.fork() })
	return f, err
}

func (b *Branch) fork() (*Branch, error) {
	kv, err := b.kv.Fork(b.kv.Limit())
	if err != nil {
		return nil, err
	}
	return &Branch{e: b.e, kv: kv, ids: slices.Clone(b.ids)}, nil
}

// Close gives the branch's memory back.
func (b *Branch) Close() { b.e.alone(b.close) }

func (b *Branch) close() {
	if b.kv != nil {
		b.kv.Close()
		b.kv = nil
	}
}

// Extend replaces branches by their children: child i is branches[parents[i]]
// followed by ids[i]. A branch goes on as its first child, one without children is
// closed, before any is forked, so that the cache holds no more than the larger
// of both sets. After an error all branches are closed.
func (e *Engine) Extend(branches []*Branch, parents []int, ids []int32) (children []*Branch, err error) {
	if len(parents) != len(ids) {
		panic(fmt.Sprintf("generate: %d parents of %d ids", len(parents), len(ids)))
	}
	children = make([]*Branch, len(ids))
	e.alone(func() {
		for i, b := range branches {
			if !slices.Contains(parents, i) {
				b.close()
			}
		}
		taken := make([]bool, len(branches))
		for i, p := range parents {
			if children[i] = branches[p]; !taken[p] {
				taken[p] = true
				continue
			}
			if children[i], err = branches[p].fork(); err != nil {
				for _, b := range slices.Concat(branches, children[:i]) {
					b.close()
				}
				return
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for i, b := range children {
		b.Append(ids[i])
	}
	return children, nil
}

// Next calls visit with the logits (V) of the token after each branch, from
// several goroutines; they are valid during the call. The numbers are those that
// Generate draws from. What a branch has in common with one that was read before
// is not computed again.
func (e *Engine) Next(ctx context.Context, branches []*Branch, visit func(i int, logits []float32)) error {
	e.alone(func() {
		for _, b := range branches {
			b.kv.Truncate(len(b.ids) - 1) // asked for again
		}
	})
	for next := 0; next < len(branches); {
		if err := ctx.Err(); err != nil {
			return err
		}
		e.alone(func() { next = e.nextStep(branches, next, visit) })
	}
	return nil
}

// nextStep reads a chunk from branch next on and returns the first branch that is
// not finished.
func (e *Engine) nextStep(branches []*Branch, next int, visit func(i int, logits []float32)) int {
	t := &e.step
	t.reset()
	defer e.p.Reset()
	room, first := e.c.Chunk, next
	last := first // behind the branches of this step
	for ; last < len(branches) && room > 0; last++ {
		b := branches[last]
		from := b.kv.Len()
		n := min(room, len(b.ids)-from)
		for i := range n {
			t.ids, t.pos = append(t.ids, b.ids[from+i]), append(t.pos, int32(from+i))
		}
		t.batch.Add(b.kv, n)
		if room -= n; from+n == len(b.ids) {
			t.wanted = append(t.wanted, int32(len(t.ids)-1))
			next = last + 1
		}
	}
	t.change(e.adapter, len(t.ids))
	h := e.hidden()
	for _, b := range branches[first:last] {
		b.kv.Publish(b.ids)
		b.kv.Trim()
	}
	rows := gather(e.p, h, t.wanted)
	if rows == nil {
		return next
	}
	logits := model.Logits(e.p, e.m, rows)
	t.logits = grow(t.logits, logits.T.Len())
	e.p.Backend.Download(t.logits, logits.T)
	v := len(t.logits) / len(t.wanted)
	e.parallel(len(t.wanted), func(i, _ int) { visit(first+i, t.logits[i*v:(i+1)*v]) })
	return next
}
