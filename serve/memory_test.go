package serve_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/keys"
	"github.com/foundling-lm/foundling/serve/store"
)

// remember keeps a fact and returns its id.
func remember(t testing.TB, url, body string) string {
	t.Helper()
	r, answer := post(t, url+"/v1/memory", body)
	if r.StatusCode != http.StatusCreated {
		t.Fatalf("%s: got %d %s, want 201", body, r.StatusCode, answer)
	}
	return at(decoded(t, answer), "id").(string)
}

// Facts about a user are kept, come into the prompt where they help, are shown, and can
// be deleted.
func TestMemory(t *testing.T) {
	h := start(t, func(o *serve.Options) { o.Store = keeping(t) })
	chats := h.URL + "/v1/chat/completions"
	dog := remember(t, h.URL, `{"text":"The dog is called\n- Rex.","user":"ann"}`)
	brief := remember(t, h.URL, `{"text":"Likes short answers.","kind":"preference","user":"ann"}`)
	remember(t, h.URL, `{"text":"The dog is called Bello.","user":"bob"}`)
	if again := remember(t, h.URL, `{"text":"The dog is called - Rex.","user":"ann"}`); again != dog {
		t.Errorf("the same fact is kept twice: %s, %s", dog, again)
	}
	_, answer := ask(t, "GET", h.URL+"/v1/memory?user=ann", "")
	if list := decoded(t, answer); at(list, "data", 0, "text") != "The dog is called - Rex." || at(list, "data", 1, "kind") != "preference" || at(list, "data", 2) != nil {
		t.Errorf("what is known of ann: %s", answer)
	}

	body := func(rest string) string {
		return `{"messages":[{"role":"user","content":"What is the name of my dog?"}],"temperature":0,"max_tokens":8` + rest + `}`
	}
	r, answer := post(t, chats, body(`,"memory":true,"user":"ann"`))
	if at(decoded(t, answer), "foundling", "memory", 0, "id") != brief || at(decoded(t, answer), "foundling", "memory", 1, "id") != dog || r.Header.Get("Foundling-Ignored") != "" {
		t.Errorf("with memory: %s %v", answer, r.Header)
	}
	told := `{"messages":[{"role":"system","content":"What is known about the user:\n- The dog is called - Rex.\n\nHow the user likes answers:\n- Likes short answers."},{"role":"user","content":"What is the name of my dog?"}],"temperature":0,"max_tokens":8}`
	_, want := post(t, chats, told)
	got, wanted := decoded(t, answer), decoded(t, want)
	if at(got, "choices", 0, "message", "content") != at(wanted, "choices", 0, "message", "content") || at(got, "usage", "prompt_tokens") != at(wanted, "usage", "prompt_tokens") {
		t.Errorf("got %s, and with the facts in the prompt %s", answer, want)
	}
	_, events := post(t, chats, body(`,"memory":{"user":"ann","top":0},"stream":true`))
	if !bytes.Contains(events, []byte(brief)) || bytes.Contains(events, []byte(dog)) {
		t.Errorf("in events: %s", events)
	}
	_, plain := post(t, chats, body(``))
	if _, answer := post(t, chats, body(`,"memory":true,"user":"carl"`)); same(t, answer) != same(t, plain) {
		t.Errorf("of somebody unknown: got %s, want %s", answer, plain)
	}
	if r, _ := post(t, h.URL+"/v1/completions", `{"prompt":"a","memory":true}`); r.Header.Get("Foundling-Ignored") != "memory" {
		t.Errorf("text that goes on: %v", r.Header)
	}

	for _, want := range []int{200, 404} {
		if r, answer := ask(t, "DELETE", h.URL+"/v1/memory/"+dog, ""); r.StatusCode != want {
			t.Errorf("deleting it: got %d %s, want %d", r.StatusCode, answer, want)
		}
	}
	if _, answer := ask(t, "DELETE", h.URL+"/v1/memory?user=ann", ""); at(decoded(t, answer), "deleted") != 1.0 {
		t.Errorf("deleting all: %s", answer)
	}
	if _, answer := post(t, chats, body(`,"memory":true,"user":"ann"`)); at(decoded(t, answer), "foundling") != nil {
		t.Errorf("after that: %s", answer)
	}
}

// What is deleted is in no file any more.
func TestMemoryErased(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(dir, "serve.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	h := start(t, func(o *serve.Options) { o.Store, o.Caching.Cache = db, db.Answers(1<<20) })
	const secret = "xylophonequartz"
	remember(t, h.URL, `{"text":"The password of the cellar is `+secret+`."}`)
	if !onDisk(t, dir, secret) {
		t.Fatal("the fact is in no file, this test cannot fail")
	}
	post(t, h.URL+"/v1/chat/completions", `{"messages":[{"role":"user","content":"The password of the cellar?"}],"temperature":0,"max_tokens":8,"memory":true}`)
	ask(t, "DELETE", h.URL+"/v1/memory", "")
	if onDisk(t, dir, secret) {
		t.Error("the fact is still in a file")
	}
}

func onDisk(t testing.TB, dir, text string) bool {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(filepath.Join(dir, f.Name())); err == nil && bytes.Contains(b, []byte(text)) {
			return true
		}
	}
	return false
}

// Callers see neither what others keep nor answers to others.
func TestKeptApart(t *testing.T) {
	r, secrets := ring(t, keys.Key{Scopes: []keys.Scope{keys.Infer, keys.Memory}}, keys.Key{Scopes: []keys.Scope{keys.Infer, keys.Memory}}, keys.Key{Scopes: []keys.Scope{keys.Infer}})
	db := keeping(t)
	h := start(t, func(o *serve.Options) { o.Keys, o.Store, o.Caching.Cache = r, db, db.Answers(1<<20) })
	as := func(k int, method, path, body string) (*http.Response, []byte) {
		t.Helper()
		return ask(t, method, h.URL+path, body, "Authorization", "Bearer "+secrets[k])
	}
	_, answer := as(0, "POST", "/v1/memory", `{"text":"The dog is called Rex."}`)
	id, _ := at(decoded(t, answer), "id").(string)
	if id == "" {
		t.Fatalf("keeping a fact: %s", answer)
	}
	if _, answer := as(1, "GET", "/v1/memory", ""); at(decoded(t, answer), "data", 0) != nil {
		t.Errorf("another caller sees %s", answer)
	}
	const question = `{"messages":[{"role":"user","content":"The dog?"}],"temperature":0,"max_tokens":4,"memory":true}`
	if _, answer := as(1, "POST", "/v1/chat/completions", question); at(decoded(t, answer), "foundling") != nil {
		t.Errorf("another caller's prompt has %s", answer)
	}
	if r, _ := as(0, "POST", "/v1/chat/completions", question); from(r) != "bypass" {
		t.Errorf("an answer with facts: got %q, want it not to be kept", from(r))
	}
	if r, _ := as(1, "DELETE", "/v1/memory/"+id, ""); r.StatusCode != 404 {
		t.Errorf("deleting another caller's fact: got %d, want 404", r.StatusCode)
	}
	if r, _ := as(2, "GET", "/v1/memory", ""); r.StatusCode != 403 {
		t.Errorf("without the scope: got %d, want 403", r.StatusCode)
	}
	const text = `{"prompt":"a","seed":8}`
	for _, c := range []struct {
		caller int
		want   string
	}{{0, "miss"}, {0, "hit"}, {1, "miss"}, {1, "hit"}} {
		if r, _ := as(c.caller, "POST", "/v1/completions", text); from(r) != c.want {
			t.Errorf("caller %d: got %q, want %q", c.caller, from(r), c.want)
		}
	}
	if r, _ := as(0, "DELETE", "/v1/cache?of=all", ""); r.StatusCode != 403 {
		t.Errorf("forgetting the answers of all: got %d, want 403", r.StatusCode)
	}
	if _, answer := as(0, "DELETE", "/v1/cache", ""); at(decoded(t, answer), "deleted") != 1.0 {
		t.Errorf("forgetting one's own: %s, want 1", answer)
	}
	if r, _ := as(1, "POST", "/v1/completions", text); from(r) != "hit" {
		t.Errorf("after another's were forgotten: got %q, want hit", from(r))
	}
	vote := `{"prompt":"p","chosen":"a","rejected":"b"}`
	if r, _ := as(0, "POST", "/v1/votes", vote); r.StatusCode != 201 {
		t.Errorf("voting: got %d, want 201", r.StatusCode)
	}
	if _, answer := as(1, "GET", "/v1/votes/export", ""); len(answer) != 0 {
		t.Errorf("another caller exports %s", answer)
	}
	if _, answer := as(0, "GET", "/v1/votes/export", ""); len(answer) == 0 {
		t.Error("a caller does not export its own vote")
	}
	const named = "/v1/votes/0123456789abcdef"
	for _, c := range []struct{ caller, status int }{{0, 201}, {0, 200}, {1, 409}} {
		if r, answer := as(c.caller, "PUT", named, vote); r.StatusCode != c.status {
			t.Errorf("caller %d puts a vote: got %d %s, want %d", c.caller, r.StatusCode, answer, c.status)
		}
	}
}

func TestMemoryErrors(t *testing.T) {
	h := start(t, func(o *serve.Options) { o.Store = keeping(t) })
	chat := func(rest string) string { return `{"messages":[{"role":"user","content":"hi"}]` + rest + `}` }
	for _, c := range []struct{ path, body, param string }{
		{"/v1/memory", `{"text":" \n "}`, "text"},
		{"/v1/memory", `{"text":"` + strings.Repeat("x", 2001) + `"}`, "text"},
		{"/v1/memory", `{"text":"x","kind":"rumour"}`, "kind"},
		{"/v1/memory", `{"text":"x","user":"` + strings.Repeat("x", 257) + `"}`, "user"},
		{"/v1/memory", `{"text":"x","colour":1}`, "colour"},
		{"/v1/chat/completions", chat(`,"memory":7`), "memory"},
		{"/v1/chat/completions", chat(`,"memory":{"top":101}`), "memory.top"},
		{"/v1/chat/completions", chat(`,"memory":true,"user":5`), "user"},
	} {
		r, answer := post(t, h.URL+c.path, c.body)
		if r.StatusCode != 400 || at(decoded(t, answer), "error", "param") != c.param {
			t.Errorf("%.60s: got %d %s, want 400 and param %s", c.body, r.StatusCode, answer, c.param)
		}
	}
	without := start(t, nil)
	if r, answer := post(t, without.URL+"/v1/chat/completions", chat(`,"memory":true`)); r.StatusCode != 404 {
		t.Errorf("without a database: got %d %s", r.StatusCode, answer)
	}
}
