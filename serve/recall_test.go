package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/store"
	"github.com/foundling-lm/foundling/serve/store/storetest"
)

// from is where an answer comes from, without its age.
func from(r *http.Response) string {
	how, _, _ := strings.Cut(r.Header.Get("Foundling-Cache"), ";")
	return how
}

// same is an answer without what is new each time.
func same(t testing.TB, answer []byte) string {
	t.Helper()
	var b strings.Builder
	for line := range bytes.Lines(answer) {
		line = bytes.TrimPrefix(bytes.TrimSpace(line), []byte("data: "))
		if len(line) == 0 || string(line) == "[DONE]" {
			continue
		}
		v := decoded(t, line).(map[string]any)
		delete(v, "id")
		delete(v, "created")
		if u, ok := v["usage"].(map[string]any); ok {
			delete(u, "prompt_tokens_details") // the prefix may have come from the engine's cache
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	return b.String()
}

// caching is the address of a server that keeps answers.
func caching(t testing.TB) string {
	db := keeping(t)
	return start(t, func(o *serve.Options) { o.Store, o.Caching.Cache = db, db.Answers(1<<20) }).URL
}

// The same request, however it is written, has the same answer from the cache, whole and
// in events; another has not.
func TestRecall(t *testing.T) {
	url := caching(t)
	const chats, texts = "/v1/chat/completions", "/v1/completions"
	body := func(rest string) string {
		return `{"messages":[{"role":"user","content":"hi"}],"max_tokens":6` + rest + `}`
	}
	firsts := map[string]string{}
	for _, c := range []struct{ path, body, how, want, as string }{
		{chats, body(`,"temperature":0`), "", "miss", "greedy"},
		{chats, body(`,"temperature":0`), "", "hit", "greedy"},
		{chats, `{ "temperature": 0.0, "max_completion_tokens":6, "n":1, "user":"me", "messages":[{"content":[{"type":"text","text":"hi"}],"role":"user"}]}`, "", "hit", "greedy"},
		{chats, body(`,"temperature":0,"seed":4,"model":"talker"`), "", "hit", "greedy"}, // nothing is drawn
		{chats, body(`,"temperature":0,"stop":"zzz"`), "", "miss", ""},
		{chats, body(`,"temperature":0,"top_logprobs":2,"logprobs":true`), "", "miss", "probable"},
		{chats, body(`,"temperature":0,"top_logprobs":2,"logprobs":true`), "", "hit", "probable"},
		{chats, body(`,"seed":1,"n":2`), "", "miss", "drawn"},
		{chats, body(`,"seed":1,"n":2`), "", "hit", "drawn"},
		{chats, body(`,"seed":2,"n":2`), "", "miss", ""},
		{chats, body(`,"seed":1,"n":3`), "", "miss", ""},
		{chats, body(`,"seed":1,"n":2,"top_k":5`), "", "miss", ""},
		{chats, body(``), "", "bypass", ""},
		{chats, body(`,"seed":1,"n":2,"cache":"off"`), "", "bypass", "drawn"},
		{chats, body(`,"seed":1,"n":2`), "bypass", "bypass", "drawn"},
		{chats, body(`,"seed":1,"n":2`), "refresh", "refresh", "drawn"},
		{chats, body(`,"seed":1,"n":2`), "only", "hit", "drawn"},
		{chats, body(`,"seed":1,"stream":true`), "", "miss", "events"},
		{chats, body(`,"seed":1,"stream":true`), "", "hit", "events"},
		{chats, body(`,"cache":"always"`), "", "miss", "anybody's"},
		{chats, body(`,"cache":{"mode":"always"}`), "", "hit", "anybody's"},
		{texts, `{"prompt":["a","b"],"seed":3,"n":2,"model":"base"}`, "", "miss", "two"},
		{texts, `{"prompt":["a","b"],"seed":3,"n":2,"model":"base"}`, "", "hit", "two"},
		{texts, `{"prompt":["b","a"],"seed":3,"n":2,"model":"base"}`, "", "miss", ""},
		{texts, `{"prompt":["a","b"],"seed":3,"n":2,"model":"talker"}`, "", "hit", ""}, // of the same weights
		{texts, `{"prompt":"a","seed":3,"max_tokens":9,"choices":["yes","no"]}`, "", "miss", "yes or no"},
		{texts, `{"choices":["yes","no"],"prompt":"a","seed":3,"max_tokens":9}`, "", "hit", "yes or no"},
		{texts, `{"prompt":"a","seed":3,"max_tokens":9,"choices":["yes","nay"]}`, "", "miss", ""},
	} {
		r, answer := ask(t, "POST", url+c.path, c.body, "Foundling-Cache", c.how)
		if r.StatusCode != 200 {
			t.Fatalf("%s: %d %s", c.body, r.StatusCode, answer)
		}
		if got := from(r); got != c.want {
			t.Errorf("%s: got %q, want %q", c.body, got, c.want)
		}
		if c.as == "" {
			continue
		}
		got := same(t, answer) + r.Header.Get("Foundling-Seed")
		if strings.Contains(c.body, `"temperature"`) {
			got = same(t, answer) // the seed is any
		}
		if want, ok := firsts[c.as]; ok && got != want {
			t.Errorf("%s: got\n%s\nthe first time it was\n%s", c.body, got, want)
		} else if !ok {
			firsts[c.as] = got
		}
	}
}

func TestRecallErrors(t *testing.T) {
	url := caching(t)
	body := func(rest string) string { return `{"prompt":"a","temperature":0` + rest + `}` }
	for _, c := range []struct {
		body, how, param string
		status           int
		code             string
	}{
		{body(``), "only", "", 404, "not_cached"},
		{body(``), "always", "Foundling-Cache", 400, "invalid_value"},
		{body(`,"cache":"sometimes"`), "", "cache", 400, "invalid_value"},
		{body(`,"cache":{"ttl":-1}`), "", "cache.ttl", 400, "invalid_value"},
		{body(`,"cache":{"likeness":2}`), "", "cache.likeness", 400, "invalid_value"},
		{body(`,"cache":{"colour":2}`), "", "cache.colour", 400, ""},
		{body(`,"cache":7`), "", "cache", 400, ""},
	} {
		r, answer := ask(t, "POST", url+"/v1/completions", c.body, "Foundling-Cache", c.how)
		e := at(decoded(t, answer), "error")
		if param, _ := at(e, "param").(string); r.StatusCode != c.status || param != c.param || c.code != "" && at(e, "code") != c.code {
			t.Errorf("%s %s: got %d %s, want %d, %s, %s", c.body, c.how, r.StatusCode, answer, c.status, c.param, c.code)
		}
	}
	without := start(t, nil)
	r, answer := ask(t, "POST", without.URL+"/v1/completions", body(`,"cache":"always"`), "Foundling-Cache", "")
	if r.StatusCode != 200 || r.Header.Get("Foundling-Ignored") != "cache" || r.Header.Get("Foundling-Cache") != "" {
		t.Errorf("without a cache: got %d %s, %v", r.StatusCode, answer, r.Header)
	}
}

// Several servers give each other's answers, through any of the databases.
func TestSharedCache(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shared.db")
	for name, place := range map[string]func(t *testing.T) string{
		"sqlite": func(*testing.T) string { return file }, "postgres": func(t *testing.T) string { return storetest.Postgres(t) },
		"valkey": func(t *testing.T) string { return storetest.Valkey(t) },
	} {
		t.Run(name, func(t *testing.T) {
			where := place(t)
			var servers []string
			for range 2 {
				var c serve.Cache
				if store.IsValkey(where) {
					v, err := store.OpenValkey(t.Context(), where)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { v.Close() })
					c = v
				} else {
					db, err := store.Open(t.Context(), where)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { db.Close() })
					c = db.Answers(1 << 20)
				}
				servers = append(servers, start(t, func(o *serve.Options) { o.Caching.Cache = c }).URL)
			}
			var first string
			for i, want := range []string{"miss", "hit", "hit"} {
				r, answer := ask(t, "POST", servers[i%2]+"/v1/completions", `{"prompt":"a","seed":5}`, "Foundling-Cache", "")
				if from(r) != want {
					t.Errorf("request %d: got %q, want %q", i, from(r), want)
				}
				if i == 0 {
					first = same(t, answer)
				} else if got := same(t, answer); got != first {
					t.Errorf("got %s, want %s", got, first)
				}
			}
			if _, answer := ask(t, "DELETE", servers[1]+"/v1/cache", ""); at(decoded(t, answer), "deleted") != 1.0 {
				t.Errorf("forgetting: %s", answer)
			}
			if r, _ := ask(t, "POST", servers[0]+"/v1/completions", `{"prompt":"a","seed":5}`, "Foundling-Cache", ""); from(r) != "miss" {
				t.Errorf("after forgetting: got %q", from(r))
			}
		})
	}
}

// broken is a cache that has gone away.
type broken struct{}

var errBroken = errors.New("the server has gone")

func (broken) Find(context.Context, string, store.Key) (*store.Answer, error) { return nil, errBroken }
func (broken) Keep(context.Context, *store.Answer) error                      { return errBroken }
func (broken) Forget(context.Context, *string) (int64, error)                 { return 0, errBroken }
func (broken) Near(context.Context, string, store.Key, []float32, float64) (*store.Answer, float64, error) {
	return nil, 0, errBroken
}

// A cache that does not work stops no answer.
func TestBrokenCache(t *testing.T) {
	h := start(t, func(o *serve.Options) { o.Caching.Cache = broken{} })
	r, answer := ask(t, "POST", h.URL+"/v1/completions", `{"prompt":"a","seed":5}`, "Foundling-Cache", "")
	if r.StatusCode != 200 || from(r) != "error" {
		t.Errorf("got %d %q %s", r.StatusCode, from(r), answer)
	}
}

// Questions that are alike have one answer where that is asked for.
func TestSemanticCache(t *testing.T) {
	db := keeping(t)
	h := start(t, func(o *serve.Options) {
		o.Caching = serve.Caching{Cache: db.Answers(1 << 20), Likeness: 0.9}
	})
	body := func(system, question, rest string) string {
		return fmt.Sprintf(`{"messages":[{"role":"system","content":%q},{"role":"user","content":%q}],"temperature":0,"max_tokens":4%s}`, system, question, rest)
	}
	const like, unlike = "how are you todaY, my friend?", "12345678901234567890"
	var first string
	for _, c := range []struct{ body, want string }{
		{body("s", "how are you today, my friend?", ""), "miss"},
		{body("s", like, `,"cache":{"likeness":0}`), "miss"},
		{body("s", like+"!", ""), "semantic"},
		{body("t", like, ""), "miss"},
		{body("s", unlike, ""), "miss"},
		{body("s", like, `,"stop":"q"`), "miss"},
	} {
		r, answer := ask(t, "POST", h.URL+"/v1/chat/completions", c.body, "Foundling-Cache", "")
		if from(r) != c.want {
			t.Errorf("%s: got %q, want %q", c.body, r.Header.Get("Foundling-Cache"), c.want)
		}
		if first == "" {
			first = same(t, answer)
		} else if got := same(t, answer); c.want == "semantic" && got != first && !strings.Contains(r.Header.Get("Foundling-Cache"), "likeness=") {
			t.Errorf("%s: got %s, want %s", c.body, got, first)
		}
	}
}

// Adapters of a model do not share answers, with it or with each other.
func TestRecallAdapters(t *testing.T) {
	db := keeping(t)
	h := start(t, func(o *serve.Options) {
		o.Caching.Cache = db.Answers(1 << 20)
		for seed, name := range []string{"one", "two"} {
			m, err := base.With(adapter(t, base, uint64(seed)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(m.Close)
			o.Models = append(o.Models, serve.Model{Name: name, Model: m})
		}
	})
	for _, want := range []string{"miss", "hit"} {
		for _, name := range []string{"base", "one", "two"} {
			if r, _ := ask(t, "POST", h.URL+"/v1/completions", fmt.Sprintf(`{"model":%q,"prompt":"a","seed":5}`, name)); from(r) != want {
				t.Errorf("%s: got %q, want %q", name, from(r), want)
			}
		}
	}
}

// What an answer costs that is given again, beside one that is written.
func BenchmarkRecall(b *testing.B) {
	db := keeping(b)
	shared, err := store.Open(b.Context(), storetest.Postgres(b))
	if err != nil {
		b.Fatal(err)
	}
	defer shared.Close()
	v, err := store.OpenValkey(b.Context(), storetest.Valkey(b))
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	for _, c := range []struct {
		name  string
		cache serve.Cache
	}{{"none", nil}, {"sqlite", db.Answers(1 << 20)}, {"postgres", shared.Answers(1 << 20)}, {"valkey", v}} {
		b.Run(c.name, func(b *testing.B) {
			url := start(b, func(o *serve.Options) { o.Caching.Cache = c.cache }).URL + "/v1/completions"
			for b.Loop() {
				if r, answer := post(b, url, `{"prompt":"a","seed":5,"max_tokens":64}`); r.StatusCode != 200 {
					b.Fatalf("%d %s", r.StatusCode, answer)
				}
			}
		})
	}
}

// Many at a time get what they would get alone.
func TestRecallTogether(t *testing.T) {
	url := caching(t)
	var wg sync.WaitGroup
	answers := make([]string, 24)
	for i := range answers {
		wg.Go(func() {
			r, answer := ask(t, "POST", url+"/v1/completions", fmt.Sprintf(`{"prompt":"a","seed":%d}`, i%3), "Foundling-Cache", "")
			if r.StatusCode == 200 {
				answers[i] = same(t, answer)
			}
		})
	}
	wg.Wait()
	for i, a := range answers {
		if a == "" || a != answers[i%3] {
			t.Errorf("request %d: got %s, want %s", i, a, answers[i%3])
		}
	}
}
