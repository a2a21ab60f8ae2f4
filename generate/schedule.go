package generate

import (
	"errors"
	"slices"
	"time"

	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/tensor"
)

// admit lets sequences that wait take part, in order, as far as the cache has
// room for all that they may become. What two prompts have in common is read
// once: a sequence waits for one that reads the same prompt, its leader, whose
// pages it then shares, or the same first pages, which it then adopts.
func (e *Engine) admit() {
	waiting := e.queue[:0]
	room := true
	for _, s := range e.queue {
		if s.leader == nil {
			e.follow(s)
		}
		if room && s.leader == nil && len(e.running) < e.c.Sequences && !e.awaits(s) {
			kv, err := e.pool.Open(s.tokens())
			if err == nil {
				s.kv = kv
				s.result.Cached = kv.Adopt(s.ids)
				e.running = append(e.running, s)
				continue
			}
			room = !errors.Is(err, cache.ErrBusy)
		}
		waiting = append(waiting, s)
	}
	clear(e.queue[len(waiting):])
	e.queue = waiting
}

// follow makes s follow a sequence that reads the same prompt.
func (e *Engine) follow(s *sequence) {
	for _, r := range e.running {
		if r.reads() && slices.Equal(r.ids, s.ids) {
			s.leader = r
			r.follow = append(r.follow, s)
			return
		}
	}
}

// awaits says that another sequence is about to read pages that s can adopt.
func (e *Engine) awaits(s *sequence) bool {
	for _, r := range e.running {
		if !r.reads() || e.c.PrefixTokens <= 0 {
			continue
		}
		n, most := 0, min(len(r.ids), len(s.ids)-1)
		for n < most && r.ids[n] == s.ids[n] {
			n++
		}
		if n -= n % tensor.PageTokens; n > r.kv.Len() {
			return true
		}
	}
	return false
}

// plan chooses the rows of the next step: of every sequence that decodes its last
// token and the guesses after it, or what its constraint forces, then chunks of
// prompts, oldest first.
func (e *Engine) plan() {
	t := &e.step
	t.reset()
	if e.guess != nil {
		e.guess.guess(e, t.decoding(e.running))
	}
	room := e.c.Chunk
	for _, s := range e.running {
		if !s.decodes() {
			continue
		}
		s.reading = len(s.guide.forced) > 0
		if n := min(len(s.guide.forced), room, s.room()-1, e.pool.StepTokens()-1); n > 0 {
			s.ahead, s.dists = append(s.ahead[:0], s.guide.forced[:n]...), nil
			room -= n
		}
		t.add(s, append(s.ids[s.kv.Len():len(s.ids):len(s.ids)], s.ahead...), 1+len(s.ahead))
	}
	for _, s := range e.running {
		if s.decodes() || room == 0 {
			continue
		}
		s.reading = true
		rest := s.ids[s.kv.Len():]
		n := min(room, len(rest))
		wanted := 0
		if n == len(rest) {
			wanted = 1
		}
		t.add(s, rest[:n], wanted)
		room -= n
	}
}

// run is one step of the model for all sequences. It says whether there was one.
func (e *Engine) run() bool {
	e.expire()
	e.reap()
	e.admit()
	if len(e.running) == 0 {
		return false
	}
	e.plan()
	e.forward()
	e.settle()
	return true
}

// retire lets sequences that ended go.
func (e *Engine) retire() {
	still := e.running[:0]
	for _, s := range e.running {
		if s.result.Finish == "" && s.err == nil {
			still = append(still, s)
			continue
		}
		s.leave()
		e.mu.Lock()
		s.finished = true
		e.mu.Unlock()
	}
	clear(e.running[len(still):])
	e.running = still
}

// share gives the followers of sequences that have just read their prompt its
// pages. Those that do not fit now wait in the queue and read the prompt again.
func (e *Engine) share() {
	t := &e.step
	for i := range t.parts {
		p := &t.parts[i]
		if !p.follows {
			continue
		}
		s, leader := p.s, p.s.leader
		s.leader = nil
		leader.follow = nil
		p.wanted = 0
		if len(e.running) >= e.c.Sequences {
			continue
		}
		kv, err := leader.kv.Fork(s.tokens())
		if err != nil {
			continue
		}
		p.wanted, s.kv, s.result.Cached = 1, kv, s.prompt
		e.running = append(e.running, s)
	}
	e.queue = slices.DeleteFunc(e.queue, func(s *sequence) bool { return s.kv != nil })
}

// expire ends sequences whose time is over.
func (e *Engine) expire() {
	var now time.Time
	over := func(s *sequence) bool {
		if s.until.IsZero() {
			return false
		}
		if now.IsZero() {
			now = time.Now()
		}
		return !now.Before(s.until)
	}
	for _, s := range slices.Concat(e.queue, e.running) {
		if !over(s) {
			continue
		}
		var out []Piece
		s.end(FinishTime, &out)
		e.mu.Lock()
		s.pieces = append(s.pieces, out...)
		s.finished = true
		e.mu.Unlock()
	}
}
