// Package servetest makes what tests of a server need: tiny models with random weights,
// and a server of them.
//
// Not here: databases (serve/store/storetest), trained models (FOUNDLING_DATA).
package servetest

import (
	"cmp"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

// Shape is that of a model: bytes and the tokens of conversations are its vocabulary.
type Shape struct {
	Chat    bool     // it knows conversations
	Layers  int      // 0: 2
	Width   int      // 0: 32
	Context int      // tokens; 0: 512
	Special []string // tokens besides those of conversations
}

// Model writes a model into a folder and opens it. The same shape has the same weights.
func Model(dir string, s Shape) (*foundling.Model, error) {
	b, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		return nil, err
	}
	defer b.Close()
	tok := tokenizer.Bytes(append(chat.SpecialTokens(), s.Special...)...)
	m, err := zoo.FromShape(b, zoo.Shape{
		Family: "llama", Layers: cmp.Or(s.Layers, 2), Width: cmp.Or(s.Width, 32), Heads: 2, Vocab: tok.VocabSize(), Context: cmp.Or(s.Context, 512), BOS: -1, EOS: -1, Pad: -1,
	})
	if err != nil {
		return nil, err
	}
	m.Init(b, 1)
	z := &bundle.Bundle{Dir: dir, Model: m, Tokenizer: tok, Chat: s.Chat}
	end, _ := tok.SpecialID(chat.EndOfText)
	z.Generation.EOS = bundle.IDs{end}
	if err := z.Save(b, dtype.F32); err != nil {
		return nil, err
	}
	return foundling.Open(dir, foundling.Options{Threads: 2, CacheBytes: 64 << 20})
}

// Start serves models until the test ends; change, if it is not nil, has the options before.
func Start(t testing.TB, models []serve.Model, change func(*serve.Options)) *httptest.Server {
	t.Helper()
	o := serve.Options{Models: models, Version: "test"}
	if change != nil {
		change(&o)
	}
	if o.Caching.Patience == 0 {
		o.Caching.Patience = time.Minute // the machine may be busy
	}
	s, err := serve.New(o)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return h
}

// Stand has the engine of a model stand still until release is called, or the test ends:
// texts that were begun are not over before.
func Stand(t testing.TB, m *foundling.Model) (release func()) {
	t.Helper()
	stands, goes := make(chan struct{}), make(chan struct{})
	go m.Engine.Between(func(*op.Pass) { close(stands); <-goes })
	<-stands
	release = sync.OnceFunc(func() { close(goes) })
	t.Cleanup(release)
	return release
}

// Measured waits until /metrics of a server has a line; key is what it asks for, or "".
func Measured(t testing.TB, url, line, key string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for until := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(a.Body)
		a.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\n"+line+"\n") {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("the meters do not say %s: %s", line, text)
		}
	}
}
