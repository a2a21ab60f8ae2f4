package serve_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"

	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/servetest"
	"github.com/foundling-lm/foundling/serve/store"
)

// What a model reads to find facts or like questions takes a place before: a full queue
// refuses it, and an answer that is there needs none.
func TestReadingTakesPlaces(t *testing.T) {
	db := keeping(t)
	h := start(t, func(o *serve.Options) {
		o.Queue, o.Store = 1, db
		o.Caching = serve.Caching{Cache: db.Answers(1 << 20), Likeness: 0.9}
	})
	const (
		known    = `{"text":"The dog is called Rex."}`
		asked    = `{"messages":[{"role":"user","content":"The dog?"}],"temperature":0,"max_tokens":2%s}`
		response = `{"input":"The dog?","temperature":0,"max_output_tokens":2,"memory":true}`
	)
	if r, a := post(t, h.URL+"/v1/memory", known); r.StatusCode != http.StatusCreated {
		t.Fatalf("%s", a)
	}
	if r, a := post(t, h.URL+"/v1/chat/completions", fmt.Sprintf(asked, "")); r.StatusCode != 200 || from(r) != "miss" {
		t.Fatalf("%s %s", from(r), a)
	}
	release := servetest.Stand(t, talker) // while a text of another request waits
	ended := make(chan int)
	go func() {
		r, _ := post(t, h.URL+"/v1/completions", `{"prompt":"a","max_tokens":2,"cache":"off"}`)
		ended <- r.StatusCode
	}()
	servetest.Measured(t, h.URL, `foundling_texts{model="talker"} 1`, "")
	for name, c := range map[string]struct {
		path, body string
		status     int
	}{
		"memory":             {"/v1/chat/completions", fmt.Sprintf(asked, `,"memory":true`), 429},
		"memory, a response": {"/v1/responses", response, 429},
		"likeness":           {"/v1/chat/completions", fmt.Sprintf(asked, `,"min_p":0.5`), 429},
		"an answer":          {"/v1/chat/completions", fmt.Sprintf(asked, ""), 200},
	} {
		if r, a := post(t, h.URL+c.path, c.body); r.StatusCode != c.status {
			t.Errorf("%s, with a full queue: got %d %s, want %d", name, r.StatusCode, a, c.status)
		}
	}
	facts, err := db.Facts(t.Context(), store.Whose{})
	if err != nil || len(facts) != 1 || facts[0].Vector != nil {
		t.Errorf("a request that was refused has had a fact read: %+v, %v", facts, err)
	}
	release()
	if status := <-ended; status != 200 {
		t.Errorf("the text that waited: %d", status)
	}
	// One place is enough for all that one request does, and it is given back.
	for range 2 {
		for path, body := range map[string]string{"/v1/chat/completions": fmt.Sprintf(asked, `,"memory":true`), "/v1/responses": response} {
			if r, a := post(t, h.URL+path, body); r.StatusCode != 200 || !bytes.Contains(a, []byte("Rex")) {
				t.Errorf("%s: got %d %s", path, r.StatusCode, a)
			}
		}
		const calls = `{"input":[{"role":"user","content":"hi"},{"type":"function_call","call_id":"1","name":"f","arguments":"{}"}],"max_output_tokens":2,"memory":true,"preset":"concise"}`
		if r, a := post(t, h.URL+"/v1/responses", calls); r.StatusCode != 200 {
			t.Errorf("a conversation that ends with a call: got %d %s", r.StatusCode, a)
		}
		if r, a := post(t, h.URL+"/v1/chat/completions", fmt.Sprintf(asked, `,"min_p":0.25,"cache":{"likeness":0.99}`)); r.StatusCode != 200 {
			t.Errorf("likeness: got %d %s", r.StatusCode, a)
		}
	}
}
