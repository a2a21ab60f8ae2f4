package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// StatusError is an answer of the hub that is no success.
type StatusError struct {
	URL    string
	Status int
	Reason string // in words, with the remedy
	after  time.Duration
}

// Error names the address and the reason.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: %s (status %d)", e.URL, e.Reason, e.Status)
}

// temporary tells whether the same request may succeed later.
func (e *StatusError) temporary() bool {
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout || e.Status >= 500
}

// status makes an error of an answer; what names what was asked for.
func (c *Client) status(r *http.Response, what string) error {
	e := &StatusError{URL: r.Request.URL.Redacted(), Status: r.StatusCode}
	if r.Request.Response != nil { // redirected: a signed address is long and says nothing
		e.URL = r.Request.URL.Host
	}
	said, _ := io.ReadAll(io.LimitReader(r.Body, 2000))
	var body struct{ Error string }
	json.Unmarshal(said, &body)
	words := strings.TrimSpace(body.Error)
	if m := r.Header.Get("X-Error-Message"); m != "" {
		words = m
	}
	token := "set the token of an account that may read it"
	if c.Token != "" {
		token = "the token that was given may not read it"
	}
	switch r.StatusCode {
	case http.StatusUnauthorized:
		e.Reason = what + " does not exist or is not public: check the name; " + token
	case http.StatusForbidden:
		e.Reason = what + " may not be read: accept its terms at " + c.endpoint() + ", then " + token
	case http.StatusNotFound:
		e.Reason = what + " does not exist"
	case http.StatusTooManyRequests:
		e.Reason = "the hub wants fewer requests: try again later"
		e.after = retryAfter(r.Header.Get("Retry-After"), time.Now())
	default:
		e.Reason = "the hub answers " + strings.ToLower(http.StatusText(r.StatusCode))
		e.after = retryAfter(r.Header.Get("Retry-After"), time.Now())
	}
	if words != "" {
		e.Reason += fmt.Sprintf("; it says: %.300q", words) // it may hold anything, codes for terminals too
	}
	return e
}

// maxWait bounds what a hub may ask to wait.
const maxWait = 5 * time.Minute

// retryAfter reads the header of that name: seconds or a date.
func retryAfter(s string, now time.Time) time.Duration {
	d := time.Duration(0)
	if n, err := strconv.Atoi(s); err == nil {
		d = time.Duration(min(max(n, 0), 1<<20)) * time.Second
	} else if t, err := http.ParseTime(s); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), maxWait)
}

// get asks for an address from a byte on. The caller closes the body.
func (c *Client) get(ctx context.Context, url string, from int64, l *linked) (*http.Response, error) {
	if l != nil {
		ctx = context.WithValue(ctx, linkedKey{}, l)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "foundling")
	req.Header.Set("Accept-Encoding", "identity") // sizes and checksums are of the bytes sent
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if from > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	r, err := c.client().Do(req)
	if err == nil && l != nil {
		l.read(r.Header)
	}
	return r, err
}

// attempts calls try until it succeeds, fails for good, or has failed too often
// in a row. try says whether it made progress.
func (c *Client) attempts(ctx context.Context, what string, try func() (progress bool, err error)) error {
	tries := c.Tries
	if tries == 0 {
		tries = 6
	}
	for failed := 0; ; {
		progress, err := try()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var status *StatusError
		var final *finalError
		if errors.As(err, &final) || errors.As(err, &status) && !status.temporary() {
			return err
		}
		if progress {
			failed = 0
		}
		if failed++; failed >= tries {
			return fmt.Errorf("%s: given up after %d tries: %w", what, tries, err)
		}
		wait := min(500*time.Millisecond<<min(failed-1, 10), 30*time.Second)
		if status != nil && status.after > 0 {
			wait = status.after
		}
		c.note("%s: %v; again in %v", what, err, wait.Round(time.Millisecond))
		if err := c.pause(ctx, wait); err != nil {
			return err
		}
	}
}

func (c *Client) pause(ctx context.Context, d time.Duration) error {
	if c.sleep != nil {
		return c.sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// finalError is one that trying again does not help.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

func final(err error) error { return &finalError{err} }

// maxListing bounds an answer of the hub's API.
const maxListing = 64 << 20

// getJSON reads an answer of the API into v and returns its headers.
func (c *Client) getJSON(ctx context.Context, url, what string, v any) (header http.Header, err error) {
	err = c.attempts(ctx, what, func() (bool, error) {
		ctx, cancel := context.WithTimeoutCause(ctx, 2*c.idle(), errIdle)
		defer cancel()
		r, err := c.get(ctx, url, 0, nil)
		if err != nil {
			return false, err
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusOK {
			return false, c.status(r, what)
		}
		data, err := io.ReadAll(io.LimitReader(r.Body, maxListing+1))
		if err != nil {
			return false, err
		}
		if len(data) > maxListing {
			return false, final(fmt.Errorf("%s: the answer is longer than %d bytes", url, maxListing))
		}
		if err := json.Unmarshal(data, v); err != nil {
			return false, final(fmt.Errorf("%s: the answer is not that of a hub: %w", url, err))
		}
		header = r.Header
		return true, nil
	})
	return header, err
}

func (c *Client) idle() time.Duration {
	if c.Idle > 0 {
		return c.Idle
	}
	return 30 * time.Second
}

var errIdle = errors.New("the connection was silent for too long")
