package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// keeper gives the server things to keep, and remembers those that it acknowledged:
// votes, facts about a user, answers.
type keeper struct {
	mu     sync.Mutex
	given  int
	votes  []string
	facts  []string
	answer map[int]string // by seed
}

// maxFacts is how many are given to the one user, less than a server keeps of one.
const maxFacts = 500

// keep gives it one. Where the server dies before it answers, nothing was promised.
func (k *keeper) keep(ctx context.Context, t *Target) {
	k.mu.Lock()
	k.given++
	n := k.given
	kind := n % 3
	if len(k.facts) >= maxFacts {
		kind = n % 2
	}
	k.mu.Unlock()
	text := fmt.Sprintf("kept %d.", n)
	var err error
	var written answer
	switch kind {
	case 0:
		err = t.post(ctx, "/v1/votes", map[string]string{"prompt": "p", "chosen": text, "rejected": "other"}, nil)
	case 1: // an answer is promised once it was given again: where the disk is slow it may not be kept
		var r *http.Request
		if r, err = t.request(ctx, http.MethodPost, textPath, encoded(t.kept(n))); err == nil {
			r.Header.Del(cached)
			if err = t.read(r, &written); err == nil {
				_, err = t.again(ctx, n)
			}
		}
	case 2:
		err = t.post(ctx, "/v1/memory", map[string]string{"user": "drill", "text": text}, nil)
	}
	if err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch kind {
	case 0:
		k.votes = append(k.votes, text)
	case 1:
		if k.answer == nil {
			k.answer = map[int]string{}
		}
		k.answer[n], _ = written.text()
	case 2:
		k.facts = append(k.facts, text)
	}
}

// kept is a request whose answer is to be kept.
func (t *Target) kept(n int) map[string]any {
	body := map[string]any{"prompt": "keep this", "max_tokens": 4, "seed": n}
	if t.Model != "" {
		body["model"] = t.Model
	}
	return body
}

// again is an answer that was kept, and nothing else. A server that could not look, as
// the disk is slow, is asked once more.
func (t *Target) again(ctx context.Context, n int) (a answer, err error) {
	for end := time.Now().Add(t.patience()); ; time.Sleep(10 * time.Millisecond) {
		r, err := t.request(ctx, http.MethodPost, textPath, encoded(t.kept(n)))
		if err != nil {
			return a, err
		}
		r.Header.Set(cached, "only")
		status, header, body, err := t.send(r)
		switch {
		case err != nil:
			return a, err
		case status == http.StatusOK:
			return a, json.Unmarshal(body, &a)
		case header.Get(cached) != "error" || time.Now().After(end):
			return a, fmt.Errorf("status %d: %s", status, clip(body))
		}
	}
}

// check looks for all that was acknowledged.
func (k *keeper) check(ctx context.Context, t *Target) (kept int, lost []string, err error) {
	for path, texts := range map[string][]string{"/v1/votes/export": k.votes, "/v1/memory?user=drill": k.facts} {
		r, err := t.request(ctx, http.MethodGet, path, nil)
		if err != nil {
			return 0, nil, err
		}
		status, _, body, err := t.send(r)
		if err != nil {
			return 0, nil, err
		}
		if status != http.StatusOK {
			return 0, nil, fmt.Errorf("%s: status %d: %s", path, status, clip(body))
		}
		all := string(body)
		for _, text := range texts {
			if strings.Contains(all, `"`+text+`"`) {
				kept++
			} else {
				lost = append(lost, fmt.Sprintf("%s: %q was acknowledged and is gone", path, text))
			}
		}
	}
	for n, want := range k.answer {
		if a, err := t.again(ctx, n); ctx.Err() != nil {
			return 0, nil, ctx.Err()
		} else if err != nil {
			lost = append(lost, fmt.Sprintf("the answer of seed %d is not there again: %v", n, err))
		} else if got, _ := a.text(); got != want {
			lost = append(lost, fmt.Sprintf("the answer of seed %d is %q, it was %q", n, got, want))
		} else {
			kept++
		}
	}
	return kept, lost, nil
}
