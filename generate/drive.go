package generate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Generate continues prompt and calls yield for every new token until a stop
// rule holds, yield returns false or ctx ends (its error is returned with what
// was generated). A prompt that fills the context is an error, and so is one
// whose keys and values do not fit into Config.CacheBytes (*cache.MemoryError).
func (e *Engine) Generate(ctx context.Context, prompt []int32, o Options, yield func(Piece) bool) (*Result, error) {
	s, err := e.newSequence(prompt, o)
	if err != nil {
		return nil, err
	}
	err = e.drive(ctx, []*sequence{s}, func(_ int, p Piece) bool { return yield == nil || yield(p) })
	return &s.result, err
}

// GenerateAll continues several prompts in one batch and calls yield with the
// number of the request for every new token; false ends that sequence. Results are
// in order; those that ended with an error have it joined into err, by number.
func (e *Engine) GenerateAll(ctx context.Context, requests []Request, yield func(i int, p Piece) bool) (results []*Result, err error) {
	seqs := make([]*sequence, len(requests))
	for i, r := range requests {
		if seqs[i], err = e.newSequence(r.Prompt, r.Options); err != nil && len(requests) == 1 {
			return nil, err
		} else if err != nil {
			return nil, fmt.Errorf("request %d: %w", i, err)
		}
	}
	err = e.drive(ctx, seqs, yield)
	for _, s := range seqs {
		results = append(results, &s.result)
	}
	return results, err
}

// drive hands in sequences and runs steps, or waits for those of others, until
// all have ended.
func (e *Engine) drive(ctx context.Context, seqs []*sequence, yield func(i int, p Piece) bool) error {
	d := &driver{}
	e.mu.Lock()
	for _, s := range seqs {
		s.driver = d
		if !s.finished {
			e.arrived = append(e.arrived, s)
		}
	}
	e.mu.Unlock()
	stop := context.AfterFunc(ctx, e.wake)
	defer stop()
	for _, s := range seqs {
		if s.o.TimeLimit > 0 {
			clock := time.AfterFunc(time.Until(s.until), e.wake)
			defer clock.Stop()
		}
	}
	cause := make([]error, len(seqs))
	for {
		ready, open := e.wait(ctx, d, seqs)
		for _, i := range ready {
			if rest, more := e.hand(seqs[i], i, yield); !more {
				e.cancel(seqs[i])
				seqs[i].forget(append(rest, seqs[i].pieces...))
				seqs[i].pieces = nil
				seqs[i].result.Finish = FinishCaller
			}
		}
		if len(ready) > 0 {
			continue
		}
		if !open {
			break
		}
		if err := ctx.Err(); err != nil {
			for i, s := range seqs {
				if e.cancel(s) {
					cause[i] = err
				}
			}
		}
	}
	for i, s := range seqs {
		s.result.Text, s.result.Mu = s.shown.String(), s.sampler.Mu()
		if s.err != nil {
			cause[i] = s.err
		}
	}
	if len(seqs) == 1 {
		return cause[0]
	}
	if err := ctx.Err(); err != nil && slices.Contains(cause, err) {
		return err
	}
	for i, err := range cause {
		if err != nil {
			cause[i] = fmt.Errorf("request %d: %w", i, err)
		}
	}
	return errors.Join(cause...)
}

// hand gives the pieces of s to yield, until it wants no more.
func (e *Engine) hand(s *sequence, i int, yield func(i int, p Piece) bool) (rest []Piece, more bool) {
	e.mu.Lock()
	pieces := s.pieces
	s.pieces = nil
	e.mu.Unlock()
	for n, p := range pieces {
		if yield != nil && !yield(i, p) {
			return pieces[n+1:], false
		}
	}
	return nil, true
}

// forget takes back tokens that were made but not shown.
func (s *sequence) forget(pieces []Piece) {
	for _, p := range pieces {
		if p.Forced {
			s.result.Forced--
		}
		if p.ID >= 0 {
			s.result.IDs = s.result.IDs[:len(s.result.IDs)-1]
			s.result.LogProbs = s.result.LogProbs[:len(s.result.LogProbs)-1]
			if p.Detail != nil {
				s.result.Details = s.result.Details[:len(s.result.Details)-1]
			}
		}
		text := s.shown.String()
		s.shown.Reset()
		s.shown.WriteString(text[:len(text)-len(p.Text)])
	}
}

// room is told that another engine has given memory back that this one may wait for.
func (e *Engine) room() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.freed = true; e.stuck {
		e.stuck = false
		e.changed.Broadcast()
	}
}

// wake lets those who wait look again.
func (e *Engine) wake() {
	e.mu.Lock()
	e.stuck = false
	e.changed.Broadcast()
	e.mu.Unlock()
}

// wait returns the numbers of the sequences that have pieces, running a step when
// none has and nobody else does; open says that some have not ended. It returns
// with nothing when ctx ends.
func (e *Engine) wait(ctx context.Context, d *driver, seqs []*sequence) (ready []int, open bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		open = false
		for i, s := range seqs {
			if len(s.pieces) > 0 {
				ready = append(ready, i)
			}
			open = open || !s.finished
		}
		if len(ready) > 0 {
			return ready, open
		}
		if e.idle(d); !open || ctx.Err() != nil {
			return ready, open
		}
		if e.stepping || len(e.owed) > 0 || e.stuck && len(e.arrived) == 0 {
			e.changed.Wait()
			continue
		}
		e.whileStepping(e.run)
	}
}

// progress runs a step for others, so that the cache gets room. Where none can be run
// it waits until something has changed or ctx ends.
func (e *Engine) progress(ctx context.Context) {
	stop := context.AfterFunc(ctx, e.wake)
	defer stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.whileStepping(e.run)
	if e.stuck && ctx.Err() == nil {
		e.changed.Wait()
	}
}

// whileStepping calls f as the one that runs steps; f says whether it changed
// anything that others wait for. The lock is held before and after, not inside.
func (e *Engine) whileStepping(f func() bool) {
	for e.stepping {
		e.changed.Wait()
	}
	e.stepping, e.freed = true, false
	for _, s := range e.arrived {
		s.share = e.shares.join(s.o.Key)
	}
	e.queue = append(e.queue, e.arrived...)
	clear(e.arrived)
	e.arrived = e.arrived[:0]
	e.mu.Unlock()
	changed := true
	defer func() {
		e.mu.Lock()
		e.stepping, e.stuck = false, !changed && !e.freed
		e.changed.Broadcast()
	}()
	changed = f()
}

// alone calls f between steps.
func (e *Engine) alone(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.whileStepping(func() bool { f(); return true })
}

// cancel ends a sequence that has not ended; it is out of the engine when cancel
// returns.
func (e *Engine) cancel(s *sequence) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s.finished {
		return false
	}
	s.cancelled = true
	e.whileStepping(func() bool {
		if e.reap(); len(e.queue) == 0 {
			e.pool.Unclaim()
		}
		return true
	})
	return true
}

// reap takes cancelled and finished sequences out.
func (e *Engine) reap() {
	gone := func(s *sequence) bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		if !s.cancelled || s.finished {
			return s.finished
		}
		s.finished = true
		return true
	}
	out := func(s *sequence) bool {
		if !gone(s) {
			return false
		}
		e.leave(s)
		if l := s.leader; l != nil {
			l.follow = slices.DeleteFunc(l.follow, func(f *sequence) bool { return f == s })
		}
		return true
	}
	e.queue = slices.DeleteFunc(e.queue, out)
	e.running = slices.DeleteFunc(e.running, out)
}
