package serve

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// queue bounds the texts that a model writes or has waiting.
type queue struct {
	limit int

	mu   sync.Mutex
	held int
	by   map[string]int // of each caller's
	took time.Duration  // a moving average of how long a request holds its places
}

// place is what a request holds of a queue.
type place struct {
	q     *queue
	name  string // the caller's
	texts int
	since time.Time
}

// place is one of a caller that holds nothing yet. A caller with a name leaves a quarter of
// the queue to others.
func (q *queue) place(name string) *place { return &place{q: q, name: name} }

// enter takes places for so many texts; leave gives them back.
func (q *queue) enter(name string, texts int) (leave func(), err error) {
	p := q.place(name)
	return p.leave, p.hold(texts)
}

// hold takes what is missing to so many texts. With an error it holds what it held.
func (p *place) hold(texts int) error {
	q := p.q
	if texts > q.limit {
		return &Error{Message: fmt.Sprintf("the request asks for %d texts at a time, this server takes %d", texts, q.limit), Param: "n", Code: "invalid_value"}
	}
	more := texts - p.texts
	if more <= 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held+more > q.limit {
		return &Error{
			Status: http.StatusTooManyRequests, Code: "queue_full", After: q.took,
			Message: fmt.Sprintf("%d texts are being written or wait, and no more than %d may: come again later", q.held, q.limit),
		}
	}
	if most := q.limit - q.limit/4; p.name != "" && q.by[p.name]+more > most {
		return &Error{
			Status: http.StatusTooManyRequests, Code: "queue_full", After: q.took,
			Message: fmt.Sprintf("%d texts of this API key are being written or wait, and no more than %d may: come again later", q.by[p.name], most),
		}
	}
	if q.by == nil {
		q.by = map[string]int{}
	}
	if p.texts == 0 {
		p.since = time.Now()
	}
	q.held += more
	q.by[p.name] += more
	p.texts = texts
	return nil
}

// leave gives back what is held.
func (p *place) leave() {
	if p.texts == 0 {
		return
	}
	q := p.q
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held -= p.texts
	if q.by[p.name] -= p.texts; q.by[p.name] == 0 {
		delete(q.by, p.name)
	}
	q.took += (time.Since(p.since) - q.took) / 8
	p.texts = 0
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held
}
