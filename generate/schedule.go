package generate

import (
	"errors"
	"slices"

	"github.com/foundling-lm/foundling/model/cache"
)

// admit lets sequences that wait take part, in order, as far as the cache has
// room for all that they may become. Those with a leader wait until it has read
// the prompt.
func (e *Engine) admit() {
	waiting := e.queue[:0]
	room := true
	for _, s := range e.queue {
		if room && s.leader == nil && len(e.running) < e.c.Sequences {
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
		s.pressed = len(s.guide.forced) > 0
		if n := min(len(s.guide.forced), room, e.pool.StepTokens()-1); n > 0 {
			s.ahead, s.dists = append(s.ahead[:0], s.guide.forced[:n]...), nil
			room -= n
		}
		t.add(s, append(s.ids[s.kv.Len():len(s.ids):len(s.ids)], s.ahead...), 1+len(s.ahead))
	}
	for _, s := range e.running {
		if s.decodes() || room == 0 {
			continue
		}
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

// run is one step of the model for all sequences.
func (e *Engine) run() {
	e.reap()
	e.admit()
	if len(e.running) == 0 {
		return
	}
	e.plan()
	e.forward()
	e.settle()
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
