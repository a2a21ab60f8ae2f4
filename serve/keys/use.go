package keys

import (
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Holder is a key in use.
type Holder struct {
	Key
	sum [32]byte
	use *use
}

// use is what a key takes of its limits; a nil limiter is none.
type use struct {
	limits   Limits
	requests *rate.Limiter
	tokens   *rate.Limiter

	mu   sync.Mutex
	held int // requests now
}

func newUse(l Limits) *use {
	u := &use{limits: l}
	if l.Requests > 0 {
		u.requests = rate.NewLimiter(rate.Limit(l.Requests)/60, l.Requests)
	}
	if l.Tokens > 0 {
		u.tokens = rate.NewLimiter(rate.Limit(l.Tokens)/60, l.Tokens)
	}
	return u
}

// LimitError is a request too many.
type LimitError struct {
	What  string        // the limit: requests_per_minute, tokens_per_minute, concurrent
	Limit int           // of the key
	After time.Duration // when there is room again; 0: not known
}

// Error names the limit.
func (e *LimitError) Error() string {
	return fmt.Sprintf("the API key's limit of %d %s is reached: come again later", e.Limit, map[string]string{
		"requests_per_minute": "requests a minute", "tokens_per_minute": "tokens a minute", "concurrent": "requests at a time",
	}[e.What])
}

// Enter lets a request in, or returns a *LimitError. What is refused counts for
// nothing. Leave must be called when the request has ended, with the tokens that it
// took.
//
// Tokens are known at the end only, so a request is let in while any are left, and a key
// that has taken too many waits until the minute's rate has made good for it: on
// average the limit holds.
func (h *Holder) Enter(now time.Time) (leave func(tokens int), err error) {
	u := h.use
	u.mu.Lock()
	defer u.mu.Unlock()
	if l := u.limits.Concurrent; l > 0 && u.held >= l {
		return nil, &LimitError{What: "concurrent", Limit: l}
	}
	if wait := u.debt(now); wait > 0 {
		return nil, &LimitError{What: "tokens_per_minute", Limit: u.limits.Tokens, After: wait}
	}
	if u.requests != nil {
		r := u.requests.ReserveN(now, 1)
		if wait := r.DelayFrom(now); wait > 0 {
			r.CancelAt(now)
			return nil, &LimitError{What: "requests_per_minute", Limit: u.limits.Requests, After: wait}
		}
	}
	u.held++
	return u.leave, nil
}

// debt is how long it takes until a token is left.
func (u *use) debt(now time.Time) time.Duration {
	if u.tokens == nil {
		return 0
	}
	missing := 1 - u.tokens.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / float64(u.tokens.Limit()) * float64(time.Second))
}

func (u *use) leave(tokens int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.held--
	if u.tokens == nil {
		return
	}
	now := time.Now()
	for burst := u.tokens.Burst(); tokens > 0; tokens -= burst {
		u.tokens.ReserveN(now, min(tokens, burst)) // into debt, if need be
	}
}

// Left is what a key may still take now. A limit that it does not have is -1.
type Left struct{ Requests, Tokens int }

// Left is what the key may still take now.
func (h *Holder) Left(now time.Time) Left {
	left := func(l *rate.Limiter) int {
		if l == nil {
			return -1
		}
		return int(math.Max(0, math.Floor(l.TokensAt(now))))
	}
	return Left{left(h.use.requests), left(h.use.tokens)}
}
