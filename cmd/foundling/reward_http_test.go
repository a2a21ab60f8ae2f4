package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// completions are what a service is sent.
func completions(r *http.Request) []string {
	var body struct{ Completions []string }
	_ = json.NewDecoder(r.Body).Decode(&body)
	return body.Completions
}

func reply(w http.ResponseWriter, rewards ...string) {
	fmt.Fprintf(w, `{"rewards":[%s]}`, strings.Join(rewards, ","))
}

// rewardServices answer in all ways.
var rewardServices = []struct {
	name  string
	serve func(call int32, w http.ResponseWriter, r *http.Request)
	skips int
	why   string
	calls int32 // at most
}{
	{"right", func(_ int32, w http.ResponseWriter, r *http.Request) { reply(w, completions(r)...) }, 0, "", 1},
	{"fails twice", func(call int32, w http.ResponseWriter, r *http.Request) {
		if call < 3 {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		reply(w, completions(r)...)
	}, 0, "", 3},
	{"null and nonsense", func(_ int32, w http.ResponseWriter, _ *http.Request) {
		reply(w, "1", "null", `"x"`, "1e999", `{"reward":2}`)
	}, 3, "reward", 1},
	{"NaN", func(_ int32, w http.ResponseWriter, r *http.Request) {
		x := completions(r)
		for i := range x {
			x[i] = "NaN"
		}
		reply(w, x...)
	}, 5, "answers", 12},
	{"wrong number", func(_ int32, w http.ResponseWriter, r *http.Request) { reply(w, append(completions(r), "1")...) }, 5, "rewards for 1 completions", 12},
	{"fails at one", func(_ int32, w http.ResponseWriter, r *http.Request) {
		x := completions(r)
		for _, s := range x {
			if s == "3" {
				http.Error(w, "no", http.StatusInternalServerError)
				return
			}
		}
		reply(w, x...)
	}, 1, "500", 12},
	{"hangs", func(_ int32, _ http.ResponseWriter, r *http.Request) { completions(r); <-r.Context().Done() }, 5, "longer than", 3},
	{"closes", func(int32, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 5, "EOF", 3},
	{"endless", func(_ int32, w http.ResponseWriter, _ *http.Request) {
		for range maxAnswer/4096 + 2 {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	}, 5, "more than", 12},
}

// TestRewardService asks services that fail in all ways: there is a score or a
// reason for every answer, and never an error.
func TestRewardService(t *testing.T) {
	answers := make([]posttrain.Answer, 5)
	for i := range answers {
		answers[i] = posttrain.Answer{Prompt: &posttrain.Prompt{Given: dataset.Text{Plain: "p"}}, Candidate: search.Candidate{Text: fmt.Sprint(i)}}
	}
	for _, c := range rewardServices {
		t.Run(c.name, func(t *testing.T) {
			var calls atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.serve(calls.Add(1), w, r) }))
			defer s.Close()
			service := &rewardService{url: s.URL, limit: 100 * time.Millisecond, pause: time.Millisecond}
			if c.name != "hangs" {
				service.limit = 20 * time.Second
			}
			scores, err := service.reward(context.Background(), answers)
			if err != nil || len(scores) != len(answers) {
				t.Fatalf("%d scores, %v", len(scores), err)
			}
			skips := 0
			for i, x := range scores {
				if x.Skip != "" {
					skips++
					if !strings.Contains(x.Skip, c.why) {
						t.Errorf("answer %d is skipped since %q, want %q in it", i, x.Skip, c.why)
					}
				} else if c.name != "null and nonsense" && x.Value != float64(i) {
					t.Errorf("answer %d has %g", i, x.Value)
				}
			}
			if skips != c.skips || calls.Load() > c.calls {
				t.Errorf("%d skipped after %d calls, want %d after at most %d", skips, calls.Load(), c.skips, c.calls)
			}
		})
	}
	service := &rewardService{url: "http://127.0.0.1:1", limit: time.Second, pause: time.Millisecond}
	if scores, err := service.reward(context.Background(), answers); err != nil || scores[4].Skip == "" {
		t.Errorf("nobody there: %v, %v", scores, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := service.reward(ctx, answers); err == nil {
		t.Error("an ended context gives scores")
	}
}
