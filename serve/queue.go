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
	took time.Duration // a moving average of how long a request holds its places
}

// enter takes places for so many texts; leave gives them back.
func (q *queue) enter(texts int) (leave func(), err error) {
	if texts > q.limit {
		return nil, &Error{Message: fmt.Sprintf("the request asks for %d texts at a time, this server takes %d", texts, q.limit), Param: "n", Code: "invalid_value"}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held+texts > q.limit {
		return nil, &Error{
			Status: http.StatusTooManyRequests, Code: "queue_full", After: q.took,
			Message: fmt.Sprintf("%d texts are being written or wait, and no more than %d may: come again later", q.held, q.limit),
		}
	}
	q.held += texts
	start := time.Now()
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.held -= texts
		q.took += (time.Since(start) - q.took) / 8
	}, nil
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held
}
