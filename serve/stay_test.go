package serve_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/servetest"
)

// long is a request for many tokens: the start and end tokens are left out.
func long(t testing.TB, tokens int) string {
	t.Helper()
	return fmt.Sprintf(`{"model":"base","prompt":"long","stream":true,"max_tokens":%d,"seed":1,"logit_bias":{"%d":-100}}`, tokens, base.Bundle.Stops()[0])
}

// begin sends a request and reads the first line of its stream.
func begin(t testing.TB, ctx context.Context, client *http.Client, url, body string) (*http.Response, *bufio.Reader) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "POST", url+"/v1/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	a, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(a.Body)
	if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: {") {
		t.Fatalf("first line %q, %v", line, err)
	}
	return a, lines
}

// Clients that go leave nothing behind.
func TestAborts(t *testing.T) {
	want := asJSON(library(t, base, "func", foundling.Decoding{Seed: 7, MaxTokens: 24}))
	h := start(t, nil)
	before := runtime.NumGoroutine()
	client := &http.Client{Transport: &http.Transport{}}
	for range 12 {
		ctx, cancel := context.WithCancel(context.Background())
		a, _ := begin(t, ctx, client, h.URL, long(t, 500))
		cancel()
		a.Body.Close()
	}
	client.CloseIdleConnections()
	metrics := func() string {
		r, err := http.Get(h.URL + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		http.DefaultClient.CloseIdleConnections()
		return string(text)
	}
	var text string
	clean := func() bool {
		text = metrics()
		return strings.Contains(text, "\nfoundling_texts{model=\"base\"} 0\n") && runtime.NumGoroutine() <= before+2 // of the request for metrics
	}
	for deadline := time.Now().Add(time.Minute); !clean(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before; %s", runtime.NumGoroutine(), before, text)
		}
	}
	if !strings.Contains(text, `foundling_requests_total{path="/v1/completions",status="200"} 12`) {
		t.Errorf("the requests are not counted: %s", text)
	}
	_, a := post(t, h.URL+"/v1/completions", `{"model":"base","prompt":"func","seed":7,"max_tokens":24}`)
	if got := at(decoded(t, a), "choices", 0, "text"); got != want {
		t.Errorf("afterwards %q, want %q", got, want)
	}
}

// slow is a client that takes nothing until it is told to.
type slow struct {
	*httptest.ResponseRecorder
	asked, take chan struct{}
}

func (s slow) Write(b []byte) (int, error) {
	select {
	case s.asked <- struct{}{}:
	default:
	}
	<-s.take
	return s.ResponseRecorder.Write(b)
}

// A full queue says when to come again, a slow client does not hold up others.
func TestQueue(t *testing.T) {
	s, err := serve.New(serve.Options{Models: []serve.Model{{Name: "base", Model: base}}, Queue: 2})
	if err != nil {
		t.Fatal(err)
	}
	request := func(n int) *http.Request {
		r := httptest.NewRequest("POST", "http://localhost/v1/completions", strings.NewReader(fmt.Sprintf(`{"prompt":"a","n":%d,"max_tokens":4,"stream":true}`, n)))
		r.Header.Set("Content-Type", "application/json")
		return r
	}
	w := slow{httptest.NewRecorder(), make(chan struct{}, 1), make(chan struct{})}
	ended := make(chan struct{})
	go func() { s.ServeHTTP(w, request(1)); close(ended) }()
	<-w.asked
	full := httptest.NewRecorder()
	s.ServeHTTP(full, request(2))
	if full.Code != http.StatusTooManyRequests || full.Header().Get("Retry-After") != "1" || at(decoded(t, full.Body.Bytes()), "error", "code") != "queue_full" {
		t.Errorf("a full queue answers %d %v %s", full.Code, full.Header(), full.Body)
	}
	beside := httptest.NewRecorder()
	s.ServeHTTP(beside, request(1))
	if beside.Code != 200 || len(events(t, beside.Body.Bytes())) == 0 {
		t.Errorf("beside a slow client: %d %s", beside.Code, beside.Body)
	}
	close(w.take)
	<-ended
	after := httptest.NewRecorder()
	s.ServeHTTP(after, request(2))
	if after.Code != 200 || w.Code != 200 || len(events(t, w.Body.Bytes())) == 0 {
		t.Errorf("afterwards %d %s, the slow client has %s", after.Code, after.Body, w.Body)
	}
}

// A server that stops lets texts end, as long as they may. One that is to be cut is so
// long that it is not over before.
func TestShutdown(t *testing.T) {
	roomy, err := servetest.Model(filepath.Join(t.TempDir(), "roomy"), servetest.Shape{Context: 1 << 15})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(roomy.Close)
	for name, c := range map[string]struct {
		drain  time.Duration
		tokens int
	}{"patient": {time.Minute, 500}, "impatient": {time.Nanosecond, 30_000}} {
		t.Run(name, func(t *testing.T) {
			s, err := serve.New(serve.Options{Models: []serve.Model{{Name: "base", Model: roomy}}, Drain: c.drain})
			if err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- s.Serve(ctx, l) }()
			a, lines := begin(t, context.Background(), http.DefaultClient, "http://"+l.Addr().String(), long(t, c.tokens))
			defer a.Body.Close()
			cancel()
			rest, err := io.ReadAll(lines)
			whole := strings.HasSuffix(string(rest), "data: [DONE]\n\n")
			if want := name == "patient"; whole != want || want && err != nil {
				t.Errorf("the text is whole: %v, want %v, %v", whole, want, err)
			}
			if !whole && !strings.Contains(string(rest), `"code":"shutting_down"`) {
				t.Errorf("a text that was cut does not say so: %s", rest)
			}
			if err := <-ended; (err == nil) != whole {
				t.Errorf("Serve returned %v", err)
			}
			if _, err := http.Get("http://" + l.Addr().String() + "/health"); err == nil {
				t.Error("the server still answers")
			}
		})
	}
}

// What there is besides texts.
func TestAround(t *testing.T) {
	h := start(t, nil)
	for path, want := range map[string]string{
		"/health": `{"status":"ok"}`, "/ready": `{"status":"ready"}`, "/version": `{"version":"test"}`,
	} {
		r, err := http.Get(h.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if strings.TrimSpace(string(got)) != want {
			t.Errorf("%s says %s, want %s", path, got, want)
		}
	}
	_, a := post(t, h.URL+"/tokenize", `{"model":"talker","messages":[{"role":"user","content":"<|end|>"}]}`)
	var ids []int32
	for _, id := range at(decoded(t, a), "tokens").([]any) {
		ids = append(ids, int32(id.(float64)))
	}
	want, err := talker.Bundle.Ask([]foundling.Message{{Role: "user", Content: "<|end|>"}})
	if err != nil || fmt.Sprint(ids) != fmt.Sprint(want) {
		t.Errorf("ids %v, want %v (%v)", ids, want, err)
	}
	_, a = post(t, h.URL+"/detokenize", strings.NewReplacer(" ", ",", "[", `{"model":"talker","tokens":[`, "]", "]}").Replace(fmt.Sprint(ids)))
	if got := at(decoded(t, a), "prompt"); got != talker.Bundle.Tokenizer.DecodeSpecial(ids) {
		t.Errorf("text %q", got)
	}
}
