package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
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
	case 1:
		var r *http.Request
		if r, err = t.request(ctx, http.MethodPost, textPath, encoded(t.kept(n))); err == nil {
			r.Header.Del(cached)
			err = t.read(r, &written)
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
		r, err := t.request(ctx, http.MethodPost, textPath, encoded(t.kept(n)))
		if err != nil {
			return 0, nil, err
		}
		r.Header.Set(cached, "only")
		status, _, body, err := t.send(r)
		if err != nil {
			return 0, nil, err
		}
		var a answer
		if status != http.StatusOK || json.Unmarshal(body, &a) != nil {
			lost = append(lost, fmt.Sprintf("the answer of seed %d is not there again: status %d: %s", n, status, clip(body)))
		} else if got, _ := a.text(); got != want {
			lost = append(lost, fmt.Sprintf("the answer of seed %d is %q, it was %q", n, got, want))
		} else {
			kept++
		}
	}
	return kept, lost, nil
}
