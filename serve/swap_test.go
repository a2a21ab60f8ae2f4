package serve_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/servetest"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// adapter writes an adapter of a model and returns its directory.
func adapter(t *testing.T, m *foundling.Model, seed uint64) string {
	t.Helper()
	b, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	other, err := foundling.Open(m.Bundle.Dir, foundling.Options{Threads: 1, CacheBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	a, err := lora.Attach(b, other.Bundle.Model, lora.Options{Rank: 2, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Detach()
	for i, w := range a.Params() {
		x := make([]float32, w.Len())
		for k := range x {
			x[k] = 0.5 * float32(rng.Normal(seed, uint64(i), uint64(k)))
		}
		b.Upload(w.T, x)
	}
	dir := t.TempDir()
	if err := a.Save(dir, m.Bundle.Dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// opener opens models from directories.
type opener struct {
	budget *cache.Budget
	mu     sync.Mutex
	paths  map[string]string
	opened map[string]string
}

func (o *opener) from(name, path string) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if path == "" {
		path = o.paths[name]
	}
	if path == "" {
		return "", errors.New("no such place")
	}
	o.opened[name] = path
	return path, nil
}

func (o *opener) Serves(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.paths[name] = o.opened[name]
}

func (o *opener) Open(name, path string) (*foundling.Model, error) {
	path, err := o.from(name, path)
	if err != nil {
		return nil, err
	}
	return foundling.Open(path, foundling.Options{Threads: 1, Budget: o.budget})
}

func (o *opener) Adapter(m *foundling.Model, name, path string) (*foundling.Model, error) {
	path, err := o.from(name, path)
	if err != nil {
		return nil, err
	}
	return m.With(path)
}

// swapping is a server whose models may change: "a", of the directory of base.
func swapping(t *testing.T) (*serve.Server, *httptest.Server, *opener) {
	t.Helper()
	o := &opener{budget: cache.NewBudget(64 << 20), paths: map[string]string{}, opened: map[string]string{}}
	m, err := o.Open("a", base.Bundle.Dir)
	if err != nil {
		t.Fatal(err)
	}
	o.Serves("a")
	s, err := serve.New(serve.Options{Models: []serve.Model{{Name: "a", Model: m}}, Opener: o})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() { h.Close(); s.Close() })
	return s, h, o
}

// said is the text of a completion.
func said(t *testing.T, h *httptest.Server, model, more string) string {
	t.Helper()
	_, a := post(t, h.URL+"/v1/completions", fmt.Sprintf(`{"model":%q,"prompt":"func","seed":7,"max_tokens":24%s}`, model, more))
	text, ok := at(decoded(t, a), "choices", 0, "text").(string)
	if !ok {
		t.Fatalf("%s: %s", model, a)
	}
	return text
}

// withAdapter is the text of a model that has the adapter attached.
func withAdapter(t *testing.T, dir string) string {
	t.Helper()
	m, err := foundling.Open(base.Bundle.Dir, foundling.Options{Threads: 1, CacheBytes: 8 << 20, Adapter: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	return asJSON(library(t, m, "func", foundling.Decoding{Seed: 7, MaxTokens: 24}))
}

// A request names the adapter that it wants, and gets the text of that alone, whatever
// is decoded beside it. Adapters come, are replaced and go while texts are written.
func TestAdapters(t *testing.T) {
	_, h, _ := swapping(t)
	dirs := map[string]string{"one": adapter(t, base, 1), "two": adapter(t, base, 2)}
	want := map[string]string{"a": asJSON(library(t, base, "func", foundling.Decoding{Seed: 7, MaxTokens: 24}))}
	for name, dir := range dirs {
		want["a:"+name] = withAdapter(t, dir)
		if r, a := post(t, h.URL+"/v1/models/load", fmt.Sprintf(`{"model":"a:%s","path":%q}`, name, dir)); r.StatusCode != 200 || at(decoded(t, a), "id") != "a:"+name {
			t.Fatalf("loading %s: %s", name, a)
		}
	}
	if want["a"] == want["a:one"] || want["a:one"] == want["a:two"] {
		t.Fatal("adapters change nothing")
	}
	var all sync.WaitGroup
	for i := range 9 {
		name := []string{"a", "a:one", "a:two"}[i%3]
		all.Go(func() {
			for range 3 {
				if got := said(t, h, name, ""); got != want[name] {
					t.Errorf("%s says %q, alone %q", name, got, want[name])
				}
			}
		})
	}
	all.Wait()
	if got := said(t, h, "a", `,"lora":"two"`); got != want["a:two"] {
		t.Errorf("with the field lora %q, want %q", got, want["a:two"])
	}
	for body, code := range map[string]string{
		`{"model":"a","lora":"three","prompt":"x"}`:   "adapter_not_found",
		`{"model":"a:one","lora":"two","prompt":"x"}`: "invalid_value",
		`{"model":"a:three","prompt":"x"}`:            "model_not_found",
	} {
		if _, a := post(t, h.URL+"/v1/completions", body); at(decoded(t, a), "error", "code") != code {
			t.Errorf("%s: %s", body, a)
		}
	}
	// Another adapter under a name does not get the first one's keys and values.
	post(t, h.URL+"/v1/models/load", fmt.Sprintf(`{"model":"a:one","path":%q}`, dirs["two"]))
	if got := said(t, h, "a:one", ""); got != want["a:two"] {
		t.Errorf("replaced it says %q, want %q", got, want["a:two"])
	}
	// A model that is loaded again keeps its adapters.
	if r, a := post(t, h.URL+"/v1/models/load", `{"model":"a"}`); r.StatusCode != 200 {
		t.Fatalf("loading it again: %s", a)
	}
	if got := said(t, h, "a:two", ""); got != want["a:two"] {
		t.Errorf("loaded again it says %q, want %q", got, want["a:two"])
	}
	if _, a := post(t, h.URL+"/v1/models/unload", `{"model":"a:two"}`); at(decoded(t, a), "deleted") != true {
		t.Errorf("unloading: %s", a)
	}
	if _, a := post(t, h.URL+"/v1/models/unload", `{"model":"a"}`); at(decoded(t, a), "error", "code") != "last_model" {
		t.Errorf("unloading all: %s", a)
	}
}

// What can be opened and not served leaves no trace: the name is that of what was served.
func TestUnfit(t *testing.T) {
	_, h, o := swapping(t)
	b, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 1, Width: 16, Heads: 2, Vocab: 64, Context: 64, BOS: -1, EOS: -1, Pad: -1})
	if err != nil {
		t.Fatal(err)
	}
	m.Init(b, 1)
	z := &bundle.Bundle{Dir: filepath.Join(t.TempDir(), "mute"), Model: m}
	if err := z.Save(b, dtype.F32); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "new"} {
		r, answer := post(t, h.URL+"/v1/models/load", fmt.Sprintf(`{"model":%q,"path":%q}`, name, z.Dir))
		if r.StatusCode != http.StatusBadRequest || !strings.Contains(string(answer), "no tokenizer") || o.opened[name] != z.Dir {
			t.Fatalf("%s: %d %s", name, r.StatusCode, answer)
		}
	}
	if r, answer := post(t, h.URL+"/v1/models/load", `{"model":"a"}`); r.StatusCode != 200 || o.paths["a"] != base.Bundle.Dir {
		t.Errorf("a from where it was served: %d %s, from %s", r.StatusCode, answer, o.paths["a"])
	}
	if r, answer := post(t, h.URL+"/v1/models/load", `{"model":"new"}`); r.StatusCode != http.StatusBadRequest {
		t.Errorf("what never was served: %d %s", r.StatusCode, answer)
	}
}

// A model is replaced while a text of it is being written: that one ends as it began, new
// requests get the new model, and the memory of the old one comes back.
func TestHotSwap(t *testing.T) {
	s, h, o := swapping(t)
	a, lines := begin(t, context.Background(), http.DefaultClient, h.URL, strings.Replace(long(t, 500), `"base"`, `"a"`, 1))
	defer a.Body.Close()
	other := filepath.Join(t.TempDir(), "other")
	m, err := servetest.Model(other, servetest.Shape{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	with := adapter(t, m, 3) // the same shape, so it fits both
	if r, a := post(t, h.URL+"/v1/models/load", fmt.Sprintf(`{"model":"b","path":%q}`, other)); r.StatusCode != 200 {
		t.Fatalf("%s", a)
	}
	post(t, h.URL+"/v1/models/load", fmt.Sprintf(`{"model":"b:with","path":%q}`, with))
	if r, a := post(t, h.URL+"/v1/models/unload", `{"model":"a"}`); r.StatusCode != 200 {
		t.Fatalf("%s", a)
	}
	if r, _ := post(t, h.URL+"/v1/completions", `{"model":"a","prompt":"x"}`); r.StatusCode != 404 {
		t.Errorf("a model that is gone answers %d", r.StatusCode)
	}
	for name, m := range map[string]*foundling.Model{"b": m} {
		if got, want := said(t, h, name, ""), asJSON(library(t, m, "func", foundling.Decoding{Seed: 7, MaxTokens: 24})); got != want {
			t.Errorf("%s says %q, want %q", name, got, want)
		}
	}
	var text strings.Builder
	for line, err := lines.ReadString('\n'); ; line, err = lines.ReadString('\n') {
		text.WriteString(line)
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if !strings.HasSuffix(text.String(), "data: [DONE]\n\n") || !strings.Contains(text.String(), `"finish_reason":"length"`) {
		t.Errorf("the text of the old model ended with %s", text.String()[max(0, text.Len()-300):])
	}
	if err := s.Reload(); err != nil {
		t.Error(err)
	}
	said(t, h, "b:with", "")
	post(t, h.URL+"/v1/models/unload", `{"model":"b:with"}`)
	for deadline := time.Now().Add(time.Minute); o.budget.Pools() != 1; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d models hold memory, one is served", o.budget.Pools())
		}
	}
	if r, a := post(t, h.URL+"/v1/models/load", `{"model":"c","path":"/no/such/model"}`); r.StatusCode != 400 || len(listed(t, h)) != 1 {
		t.Errorf("a model that is not there: %d %s", r.StatusCode, a)
	}
	r, b := post(t, start(t, nil).URL+"/v1/models/load", `{"model":"c","path":"/x"}`)
	if r.StatusCode != http.StatusNotFound {
		t.Errorf("without an opener: %d %s", r.StatusCode, b)
	}
}

// listed is the models that are listed.
func listed(t *testing.T, h *httptest.Server) []any {
	t.Helper()
	r, err := http.Get(h.URL + "/v1/models")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return at(decoded(t, body), "data").([]any)
}

// Texts end when their time is over; one that has not begun by then is an error.
func TestTimeout(t *testing.T) {
	h := start(t, func(o *serve.Options) { o.Timeout = time.Minute })
	for body, want := range map[string]string{
		`{"model":"base","prompt":"a","timeout":1e-9}`: "timeout",
		`{"model":"base","prompt":"a","timeout":61}`:   "invalid_value",
		`{"model":"base","prompt":"a","timeout":0}`:    "invalid_value",
		`{"model":"base","prompt":"a","timeout":-1}`:   "invalid_value",
	} {
		r, a := post(t, h.URL+"/v1/completions", body)
		if at(decoded(t, a), "error", "code") != want || at(decoded(t, a), "error", "param") != "timeout" {
			t.Errorf("%s: %d %s", body, r.StatusCode, a)
		}
	}
	// A busy machine may take longer than a short time to begin.
	begun, body := time.Now(), `{"model":"base","prompt":"a","seed":3,"timeout":%v,"logit_bias":{"%d":-100}}`
	for limit := 0.05; ; limit *= 2 {
		_, a := post(t, h.URL+"/v1/completions", fmt.Sprintf(body, limit, base.Bundle.Stops()[0]))
		if at(decoded(t, a), "choices", 0, "finish_reason") == "length" {
			break
		}
		if at(decoded(t, a), "error", "code") != "timeout" || time.Since(begun) > 20*time.Second {
			t.Fatalf("a text that has time: %s", a)
		}
	}
}

// A request that can never fit says in bytes why, others wait for each other; without a
// limit a text gets what fits.
func TestCommonMemory(t *testing.T) {
	m, err := foundling.Open(base.Bundle.Dir, foundling.Options{Threads: 1, CacheBytes: base.Engine.CacheBytes(128)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	h := start(t, func(o *serve.Options) { o.Models = []serve.Model{{Name: "base", Model: m}} })
	r, a := post(t, h.URL+"/v1/completions", `{"prompt":"a","max_tokens":200}`)
	e := decoded(t, a)
	if text, _ := at(e, "error", "message").(string); r.StatusCode != 400 || at(e, "error", "param") != "max_tokens" || !strings.Contains(text, fmt.Sprintf("(%d bytes)", base.Engine.CacheBytes(202))) {
		t.Errorf("%d %s", r.StatusCode, a)
	}
	want := asJSON(library(t, base, "func", foundling.Decoding{Seed: 7, MaxTokens: 100}))
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			_, a := post(t, h.URL+"/v1/completions", `{"prompt":"func","seed":7,"max_tokens":100}`)
			if got := at(decoded(t, a), "choices", 0, "text"); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
	all.Wait()
	chats, err := foundling.Open(talker.Bundle.Dir, foundling.Options{Threads: 1, CacheBytes: talker.Engine.CacheBytes(128)})
	if err != nil {
		t.Fatal(err)
	}
	defer chats.Close()
	h = start(t, func(o *serve.Options) { o.Models = []serve.Model{{Name: "talker", Model: chats}} })
	bias := map[int32]int{}
	for _, id := range talker.Bundle.Stops() {
		bias[id] = -100
	}
	never, _ := json.Marshal(bias)
	_, a = post(t, h.URL+"/v1/chat/completions", fmt.Sprintf(`{"messages":[{"role":"user","content":"a"}],"seed":1,"logit_bias":%s}`, never))
	if got := at(decoded(t, a), "usage", "total_tokens"); got != 128.0 {
		t.Errorf("without a limit %v tokens, want 128: %s", got, a)
	}
}
