package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/generate/search"
)

func TestHTTPVerifier(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Prompt, Text string }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Prompt != "why?" {
			t.Errorf("asked %+v, %v", q, err)
		}
		switch q.Text {
		case "slow":
			select {
			case <-r.Context().Done():
			case <-time.After(20 * time.Second):
			}
		case "moved":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		default:
			io.WriteString(w, q.Text)
		}
	}))
	defer server.Close()
	v := httpVerifier(server.URL, "why?", time.Minute)
	for text, want := range map[string]search.Verdict{
		`{"pass":true}`: {Pass: true, Score: 1}, `{"pass":false,"score":0.25,"why":"no"}`: {Score: 0.25, Why: "no"},
	} {
		if got, err := v(t.Context(), &search.Candidate{Text: text}); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"not JSON": "invalid character", `{"score":1}`: "pass is missing", "moved": "302", strings.Repeat(" ", maxAnswer+1): "more than",
	} {
		if _, err := v(t.Context(), &search.Candidate{Text: text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: error %v, want %q", text, err, want)
		}
	}
	got, err := httpVerifier(server.URL, "why?", 50*time.Millisecond)(t.Context(), &search.Candidate{Text: "slow"})
	if err != nil || got.Pass || !strings.Contains(got.Why, "longer than") {
		t.Errorf("slow: %+v, %v", got, err)
	}
}
