package serve_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/store"
)

// A path says all methods that it takes, and takes them.
func TestMethods(t *testing.T) {
	h := start(t, nil)
	for path, want := range map[string]string{
		"/health": "GET, HEAD", "/tokenize": "POST", "/v1/memory": "GET, HEAD, POST, DELETE", "/v1/memory/fact_1": "DELETE", "/v1/votes": "GET, HEAD, POST",
		"/v1/models/load": "GET, HEAD, POST", // the model of that name
	} {
		r, answer := ask(t, "PATCH", h.URL+path, `{}`)
		if got := r.Header.Get("Allow"); r.StatusCode != http.StatusMethodNotAllowed || got != want || !strings.Contains(string(answer), want) {
			t.Errorf("PATCH %s: %d, Allow %q, want %q: %s", path, r.StatusCode, got, want, answer)
		}
		for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
			r, _ := ask(t, method, h.URL+path, `{}`)
			if takes := slices.Contains(strings.Split(want, ", "), method); takes == (r.StatusCode == http.StatusMethodNotAllowed) {
				t.Errorf("%s %s: %d", method, path, r.StatusCode)
			}
		}
	}
}

// What follows a ? is known and said once, or named.
func TestQueries(t *testing.T) {
	db := keeping(t)
	h := start(t, func(o *serve.Options) { o.Store, o.Caching.Cache = db, db.Answers(1<<20) })
	for _, c := range []struct {
		method, path string
		status       int
		param, has   string
	}{
		{"GET", "/v1/votes?limit=5", 200, "", ""},
		{"GET", "/v1/votes?limt=5", 400, "limt", "perhaps limit is meant: there are limit, after"},
		{"GET", "/v1/votes?limit=5&limit=6", 400, "limit", "more than once"},
		{"GET", "/v1/votes/export?limit=5", 400, "limit", "there are none here"},
		{"GET", "/v1/votes?limit=%zz", 400, "", "cannot be read"},
		{"DELETE", "/v1/votes/vote_1?of=all", 400, "of", ""},
		{"GET", "/v1/memory?user=a", 200, "", ""},
		{"GET", "/v1/memory?User=a", 400, "User", "perhaps user is meant"},
		{"DELETE", "/v1/memory?usr=a", 400, "usr", "perhaps user is meant"},
		{"DELETE", "/v1/memory/fact_1?user=a", 400, "user", ""},
		{"DELETE", "/v1/cache?of=all", 200, "", ""},
		{"DELETE", "/v1/cache?owner=a", 400, "owner", "there are of"},
		{"GET", "/v1/models?limit=5", 400, "limit", ""},
		{"GET", "/v1/models/talker?limit=5", 400, "limit", ""},
		{"GET", "/v1/runs?log=a", 400, "log", ""},
		{"GET", "/health?verbose=1", 400, "verbose", ""},
		{"GET", "/metrics?name=a", 400, "name", ""},
		{"POST", "/tokenize?add_special_tokens=1", 400, "add_special_tokens", ""},
		{"GET", "/?from=a", 200, "", ""},
	} {
		r, answer := ask(t, c.method, h.URL+c.path, `{"prompt":"a"}`)
		var param any
		if r.StatusCode != 200 {
			param = at(decoded(t, answer), "error", "param")
		}
		if r.StatusCode != c.status || c.param != "" && param != c.param || !strings.Contains(string(answer), c.has) {
			t.Errorf("%s %s: got %d %.200s, want %d, %q and %q", c.method, c.path, r.StatusCode, answer, c.status, c.param, c.has)
		}
	}
}

// A model was created when it was loaded.
func TestCreated(t *testing.T) {
	_, h, _ := swapping(t)
	created := func(name string) int64 {
		t.Helper()
		_, answer := ask(t, "GET", h.URL+"/v1/models/"+name, "")
		n, ok := at(decoded(t, answer), "created").(float64)
		if !ok {
			t.Fatalf("%s", answer)
		}
		return int64(n)
	}
	first := created("a")
	for time.Now().Unix() <= first { // the clock may be set back while a timer runs
		time.Sleep(time.Until(time.Unix(first+1, 0)))
	}
	if _, answer := post(t, h.URL+"/v1/models/load", fmt.Sprintf(`{"model":"b","path":%q}`, base.Bundle.Dir)); at(decoded(t, answer), "id") != "b" {
		t.Fatalf("%s", answer)
	}
	if a, b := created("a"), created("b"); a != first || b <= first || b > time.Now().Unix() {
		t.Errorf("a was created at %d, then %d, b later at %d", first, a, b)
	}
}

// What is kept of a key is bounded, and the answer says what to do.
func TestFull(t *testing.T) {
	db := keeping(t)
	db.Bounds = store.Bounds{Facts: 1, Votes: 1}
	h := start(t, func(o *serve.Options) { o.Store = db })
	for path, c := range map[string]struct{ body, what string }{
		"/v1/memory": {`{"text":"fact %d"}`, "facts"},
		"/v1/votes":  {`{"prompt":"%d","chosen":"a","rejected":"b"}`, "votes"},
	} {
		r, answer := post(t, h.URL+path, fmt.Sprintf(c.body, 1))
		id, _ := at(decoded(t, answer), "id").(string)
		if r.StatusCode != http.StatusCreated || id == "" {
			t.Fatalf("%s: %d %s", path, r.StatusCode, answer)
		}
		r, answer = post(t, h.URL+path, fmt.Sprintf(c.body, 2))
		want := "1 " + c.what + " are kept of a key, and there are so many: delete some, or have the server started with a larger --" + c.what + "-per-key"
		if e := at(decoded(t, answer), "error"); r.StatusCode != http.StatusConflict || at(e, "code") != c.what+"_full" || at(e, "message") != want {
			t.Errorf("%s: got %d %s, want 409 and %q", path, r.StatusCode, answer, want)
		}
		if r, answer := ask(t, "DELETE", h.URL+path+"/"+id, ""); r.StatusCode != 200 {
			t.Fatalf("%s", answer)
		}
		if r, answer := post(t, h.URL+path, fmt.Sprintf(c.body, 3)); r.StatusCode != http.StatusCreated {
			t.Errorf("%s once there is room: %d %s", path, r.StatusCode, answer)
		}
	}
}
