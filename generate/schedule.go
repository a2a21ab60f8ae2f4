package generate

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/tensor"
)

// admit lets sequences that wait take part, those first who had least, as far as the
// cache has room for all that they may become. What two prompts have in common is read
// once: a sequence waits for one that reads the same prompt, its leader, whose
// pages it then shares, or the same first pages, which it then adopts.
func (e *Engine) admit() {
	busy := false
	lines := e.lines()
	for len(e.running) < e.c.Sequences && !busy {
		s := e.next(lines)
		if s == nil {
			break
		}
		if e.follow(s); s.leader != nil || e.awaits(s) {
			continue
		}
		kv, err := e.pool.Open(s.tokens())
		switch {
		case errors.Is(err, cache.ErrBusy):
			e.pool.Claim(s.tokens())
			busy = true
		case err != nil: // the bound was lowered
			e.fail(s, err)
		default:
			e.begin(s, kv)
		}
	}
	if !busy {
		e.pool.Unclaim()
	}
	e.queue = slices.DeleteFunc(e.queue, func(s *sequence) bool { return s.kv != nil })
	for _, s := range e.queue {
		e.follow(s)
	}
}

// line is the sequences of one share that wait: places in the queue, the oldest first.
type line struct {
	share  *share
	places []int
}

// lines are those of the queue, none where nothing can begin.
func (e *Engine) lines() (lines []line) {
	if len(e.running) >= e.c.Sequences {
		return nil
	}
	of := map[*share]int{}
	for i, s := range e.queue {
		k, known := of[s.share]
		if !known {
			k = len(lines)
			of[s.share], lines = k, append(lines, line{share: s.share})
		}
		lines[k].places = append(lines[k].places, i)
	}
	return lines
}

// begin lets s take part.
func (e *Engine) begin(s *sequence, kv *cache.Seq) {
	s.kv = kv
	if s.adapter != nil {
		kv.Under(s.adapter.number)
	}
	s.result.Cached = kv.Adopt(s.ids)
	s.share.rows += int64(len(s.ids) - s.result.Cached)
	e.running = append(e.running, s)
}

// next takes the sequence that is to take part next out of its line: the oldest of those
// who had least. Nil: all have been looked at.
func (e *Engine) next(lines []line) *sequence {
	var first *line
	for i := range lines {
		l := &lines[i]
		for len(l.places) > 0 {
			if s := e.queue[l.places[0]]; s.leader == nil && s.kv == nil && s.err == nil {
				break
			}
			l.places = l.places[1:]
		}
		if len(l.places) == 0 {
			continue
		}
		if first == nil || l.share.rows < first.share.rows || l.share.rows == first.share.rows && l.places[0] < first.places[0] {
			first = l
		}
	}
	if first == nil {
		return nil
	}
	s := e.queue[first.places[0]]
	first.places = first.places[1:]
	return s
}

// fail ends a sequence that waits with an error; the next step takes it out.
func (e *Engine) fail(s *sequence, err error) {
	s.err = err
	e.mu.Lock()
	s.finished = true
	e.mu.Unlock()
}

// follow makes s follow a sequence that reads the same prompt.
func (e *Engine) follow(s *sequence) {
	if s.leader != nil {
		return
	}
	for _, r := range e.running {
		if r.adapter == s.adapter && r.reads() && slices.Equal(r.ids, s.ids) {
			s.leader = r
			r.follow = append(r.follow, s)
			return
		}
	}
}

// awaits says that another sequence is about to read pages that s can adopt.
func (e *Engine) awaits(s *sequence) bool {
	for _, r := range e.running {
		if !r.reads() || r.adapter != s.adapter || e.c.PrefixTokens <= 0 {
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
// prompts. Sequences with the same adapter lie side by side.
func (e *Engine) plan() {
	t := &e.step
	t.reset()
	decoding := t.decoding(e.running)
	if e.guess != nil {
		e.guess.guess(e, decoding)
	}
	slices.SortStableFunc(decoding, byAdapter)
	room := e.c.Chunk
	if len(decoding) > 0 {
		room = e.c.Beside
	}
	for _, s := range decoding {
		s.reading = len(s.guide.forced) > 0
		if n := min(len(s.guide.forced), room, s.room()-1, e.pool.StepTokens()-1); n > 0 {
			s.ahead, s.dists = append(s.ahead[:0], s.guide.forced[:n]...), nil
			room -= n
		}
		t.add(s, append(s.ids[s.kv.Len():len(s.ids):len(s.ids)], s.ahead...), 1+len(s.ahead))
	}
	for _, s := range t.chunks(e.running, room) {
		s.reading = true
		wanted := 0
		if s.chunk == s.unread() {
			wanted = 1
		}
		t.add(s, s.ids[s.kv.Len():s.kv.Len()+s.chunk], wanted)
	}
}

func byAdapter(a, b *sequence) int {
	number := func(s *sequence) uint64 {
		if s.adapter == nil {
			return 0
		}
		return s.adapter.number
	}
	return cmp.Compare(number(a), number(b))
}

// chunks lists the sequences that read in this step, of room tokens in all. Keys have
// equal parts of it, what one does not need is for the others; of one key the oldest
// come first.
func (t *step) chunks(running []*sequence, room int) []*sequence {
	clear(t.read)
	t.read = t.read[:0]
	for _, s := range running {
		if !s.decodes() {
			t.read = append(t.read, s)
		}
	}
	if len(t.read) == 0 {
		return nil
	}
	part := map[*share]int{} // first what is unread, then what is read of it
	for _, s := range t.read {
		part[s.share] += s.unread()
	}
	for keys := slices.SortedFunc(maps.Keys(part), func(a, b *share) int { return cmp.Compare(part[a], part[b]) }); len(keys) > 0; keys = keys[1:] {
		n := min(part[keys[0]], (room+len(keys)-1)/len(keys))
		part[keys[0]] = n
		room -= n
	}
	t.read = slices.DeleteFunc(t.read, func(s *sequence) bool {
		s.chunk = min(part[s.share], s.unread())
		part[s.share] -= s.chunk
		return s.chunk == 0
	})
	slices.SortStableFunc(t.read, byAdapter)
	return t.read
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
		e.leave(s)
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
		e.give(s, out)
		s.finished = true
		e.mu.Unlock()
	}
}
