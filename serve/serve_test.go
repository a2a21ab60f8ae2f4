package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/servetest"
	"github.com/foundling-lm/foundling/serve/store/storetest"
)

// talker and base are tiny models with random weights: one of conversations and one
// of texts.
var talker, base *foundling.Model

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "serve")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	defer storetest.Stop()
	for name, to := range map[string]**foundling.Model{"talker": &talker, "base": &base} {
		if *to, err = servetest.Model(filepath.Join(dir, name), servetest.Shape{Chat: name == "talker"}); err != nil {
			log.Fatal(err)
		}
		defer (*to).Close()
	}
	return m.Run()
}

// start serves both models.
func start(t testing.TB, change func(*serve.Options)) *httptest.Server {
	t.Helper()
	return servetest.Start(t, []serve.Model{{Name: "talker", Model: talker}, {Name: "base", Model: base}}, change)
}

// post sends a body and reads the answer.
func post(t testing.TB, url, body string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, answer
}

// library is the text that the library writes.
func library(t testing.TB, m *foundling.Model, prompt string, d foundling.Decoding) string {
	t.Helper()
	var text strings.Builder
	pieces := m.Generate(context.Background(), prompt, d)
	if m.Bundle.Chat {
		pieces = m.Chat(context.Background(), []foundling.Message{{Role: "user", Content: prompt}}, d)
	}
	for p, err := range pieces {
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(p.Text)
	}
	return text.String()
}

// asJSON is text as it comes out of JSON: bytes that are not UTF-8 are replaced.
func asJSON(text string) string {
	var back string
	b, _ := json.Marshal(text)
	json.Unmarshal(b, &back)
	return back
}

// decoded reads JSON of any shape; at walks into it.
func decoded(t testing.TB, data []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return v
}

func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// events reads a stream of server-sent events; the last must be [DONE].
func events(t testing.TB, stream []byte) (all []any) {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(stream))
	done := false
	for lines.Scan() {
		line := lines.Text()
		data, ok := strings.CutPrefix(line, "data: ")
		switch {
		case line == "":
		case !ok || done:
			t.Fatalf("line %q of a stream", line)
		case data == "[DONE]":
			done = true
		default:
			all = append(all, decoded(t, []byte(data)))
		}
	}
	if !done {
		t.Fatalf("no [DONE] at the end of %s", stream)
	}
	return all
}

func seven() *float64 { x := 0.7; return &x }

// A text is the library's, alone and beside others, whole and in pieces.
func TestSameText(t *testing.T) {
	h := start(t, nil)
	wantChat := asJSON(library(t, talker, "hello", foundling.Decoding{Seed: 7, MaxTokens: 24, Temperature: seven()}))
	wantText := asJSON(library(t, base, "func", foundling.Decoding{Seed: 7, MaxTokens: 24, Temperature: seven()}))
	const chats = `{"model":"talker","messages":[{"role":"user","content":"hello"}],"seed":7,"max_tokens":24,"temperature":0.7%s}`
	const texts = `{"model":"base","prompt":"func","seed":7,"max_tokens":24,"temperature":0.7%s}`
	check := func(t *testing.T) {
		_, a := post(t, h.URL+"/v1/chat/completions", fmt.Sprintf(chats, ""))
		if got := at(decoded(t, a), "choices", 0, "message", "content"); got != wantChat {
			t.Errorf("chat says %q, the library %q", got, wantChat)
		}
		_, a = post(t, h.URL+"/v1/completions", fmt.Sprintf(texts, ""))
		if got := at(decoded(t, a), "choices", 0, "text"); got != wantText {
			t.Errorf("completion says %q, the library %q", got, wantText)
		}
		var streamed string
		_, a = post(t, h.URL+"/v1/completions", fmt.Sprintf(texts, `,"stream":true`))
		for _, e := range events(t, a) {
			streamed += at(e, "choices", 0, "text").(string)
		}
		if streamed != wantText {
			t.Errorf("the stream says %q, the library %q", streamed, wantText)
		}
	}
	check(t)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{}, 8)
	for i := range 8 {
		go func() {
			defer func() { ended <- struct{}{} }()
			for n := i; ctx.Err() == nil; n++ {
				body := fmt.Sprintf(`{"model":%q,"prompt":"beside %d","max_tokens":40,"seed":%d}`, []string{"talker", "base"}[n%2], n, n)
				r, err := http.NewRequestWithContext(ctx, "POST", h.URL+"/v1/completions", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Content-Type", "application/json")
				if a, err := http.DefaultClient.Do(r); err == nil {
					io.Copy(io.Discard, a.Body)
					a.Body.Close()
				}
			}
		}()
	}
	t.Run("beside 8 others", check)
	stop()
	for range 8 {
		<-ended
	}
}

// Several prompts have several texts each, numbered as OpenAI does it.
func TestMany(t *testing.T) {
	h := start(t, nil)
	_, a := post(t, h.URL+"/v1/completions", `{"model":"base","prompt":["a","b"],"n":3,"seed":1,"max_tokens":8}`)
	v := decoded(t, a)
	for i := range 6 {
		want := asJSON(library(t, base, []string{"a", "b"}[i/3], foundling.Decoding{Seed: 1, Stream: uint64(i % 3), MaxTokens: 8}))
		if got := at(v, "choices", i, "text"); got != want || at(v, "choices", i, "index") != float64(i) {
			t.Errorf("text %d is %q, want %q", i, got, want)
		}
	}
	if n := len(at(v, "choices").([]any)); n != 6 {
		t.Errorf("%d texts, want 6", n)
	}
	// Each prompt is a start token and a byte.
	if got := at(v, "usage", "prompt_tokens"); got != 4.0 {
		t.Errorf("%v tokens of prompts, want 4", got)
	}
	if got := at(v, "usage", "completion_tokens"); got.(float64) > 48 || got.(float64) < 1 {
		t.Errorf("%v tokens of texts", got)
	}
	// The same by ids.
	ids, _ := base.Bundle.TextPrompt("b")
	list, _ := json.Marshal(ids)
	_, a = post(t, h.URL+"/v1/completions", fmt.Sprintf(`{"model":"base","prompt":%s,"seed":1,"max_tokens":8}`, list))
	if got, want := at(decoded(t, a), "choices", 0, "text"), at(v, "choices", 3, "text"); got != want {
		t.Errorf("by ids %q, by text %q", got, want)
	}
}

// The header tells a seed that a request can name, below zero too.
func TestSeedOfHeader(t *testing.T) {
	h := start(t, nil)
	r, a := post(t, h.URL+"/v1/completions", `{"prompt":"a","seed":-5,"max_tokens":8}`)
	if got := r.Header.Get("Foundling-Seed"); got != "-5" {
		t.Fatalf("seed %q, want -5", got)
	}
	_, b := post(t, h.URL+"/v1/completions", `{"prompt":"a","seed":`+r.Header.Get("Foundling-Seed")+`,"max_tokens":8}`)
	if got, want := at(decoded(t, b), "choices", 0, "text"), at(decoded(t, a), "choices", 0, "text"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A stream is the transcript that OpenAI's clients expect.
func TestStream(t *testing.T) {
	h := start(t, nil)
	r, a := post(t, h.URL+"/v1/chat/completions", `{"messages":[{"role":"user","content":"hello"}],"seed":3,"max_tokens":12,"n":2,"stream":true,"stream_options":{"include_usage":true},"user":"u"}`)
	if got := r.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("the type is %q", got)
	}
	if r.Header.Get("Foundling-Seed") != "3" || r.Header.Get("Foundling-Ignored") != "user" {
		t.Errorf("headers: %v", r.Header)
	}
	all := events(t, a)
	var text [2]string
	var ended [2]any
	for i, e := range all[:len(all)-1] {
		n := int(at(e, "choices", 0, "index").(float64))
		if ended[n] != nil || at(e, "object") != "chat.completion.chunk" || at(e, "id") != at(all[0], "id") {
			t.Errorf("event %d: %v", i, e)
		}
		if u, there := e.(map[string]any)["usage"]; u != nil || !there {
			t.Errorf("event %d has usage %v, want null", i, u)
		}
		if text[n] == "" && at(e, "choices", 0, "delta", "role") == nil && ended[n] == nil && at(e, "choices", 0, "delta", "content") == nil {
			t.Errorf("text %d begins without a role: %v", n, e)
		}
		content, _ := at(e, "choices", 0, "delta", "content").(string)
		text[n] += content
		ended[n] = at(e, "choices", 0, "finish_reason")
	}
	for n := range text {
		var res foundling.Decoding
		res.Seed, res.Stream, res.MaxTokens = 3, uint64(n), 12
		if want := asJSON(library(t, talker, "hello", res)); text[n] != want {
			t.Errorf("text %d is %q, want %q", n, text[n], want)
		}
		if ended[n] != "length" && ended[n] != "stop" {
			t.Errorf("text %d ended with %v", n, ended[n])
		}
	}
	last := all[len(all)-1]
	if len(at(last, "choices").([]any)) != 0 || at(last, "usage", "total_tokens") == nil {
		t.Errorf("the last event is %v, want the usage", last)
	}
}

// What a text must be, it is.
func TestWithin(t *testing.T) {
	h := start(t, nil)
	for field, ok := range map[string]func(text string) bool{
		`"response_format":{"type":"json_object"}`: func(text string) bool { return json.Unmarshal([]byte(text), &map[string]any{}) == nil },
		`"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object","properties":{"n":{"type":"integer","maximum":99,"minimum":0}},"required":["n"],"additionalProperties":false}}}`: func(text string) bool {
			var v struct{ N *int }
			return json.Unmarshal([]byte(text), &v) == nil && v.N != nil && *v.N < 100
		},
		`"choices":["yes","no"]`:                  func(text string) bool { return text == "yes" || text == "no" },
		`"regex":"[0-9]{4}-x"`:                    func(text string) bool { return len(text) == 6 && strings.HasSuffix(text, "-x") },
		`"grammar":"root ::= \"a\" [bc] \"d\"\n"`: func(text string) bool { return text == "abd" || text == "acd" },
	} {
		for range 2 { // the second time it is remembered
			_, a := post(t, h.URL+"/v1/chat/completions", `{"messages":[{"role":"user","content":"hi"}],"seed":5,"max_tokens":64,`+field+`}`)
			v := decoded(t, a)
			text, _ := at(v, "choices", 0, "message", "content").(string)
			if !ok(text) || at(v, "choices", 0, "finish_reason") != "stop" {
				t.Errorf("%s: %s", field, a)
			}
		}
	}
}

// Probabilities are those of the engine's own scores.
func TestLogProbs(t *testing.T) {
	h := start(t, nil)
	_, a := post(t, h.URL+"/v1/completions", `{"model":"base","prompt":"ab","seed":2,"max_tokens":6,"logprobs":3}`)
	v := decoded(t, a)
	tokens := at(v, "choices", 0, "logprobs", "tokens").([]any)
	if len(tokens) == 0 || len(tokens) > 6 {
		t.Fatalf("%d tokens: %s", len(tokens), a)
	}
	prompt, _ := base.Bundle.TextPrompt("ab")
	var result generate.Result
	library(t, base, "ab", foundling.Decoding{Seed: 2, MaxTokens: 6, Result: &result})
	scores, err := base.Engine.Score(append(prompt, result.IDs...), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range tokens {
		got, want := at(v, "choices", 0, "logprobs", "token_logprobs", i).(float64), scores.LogProbs[len(prompt)-1+i]
		if d := got - want; d > 1e-9 || d < -1e-9 {
			t.Errorf("token %d has %v, the score is %v", i, got, want)
		}
		if top := at(v, "choices", 0, "logprobs", "top_logprobs", i).(map[string]any); len(top) != 3 {
			t.Errorf("token %d: %d candidates, want 3", i, len(top))
		}
	}
	if at(v, "choices", 0, "logprobs", "text_offset", 0) != 2.0 {
		t.Errorf("the first token is at %v, want 2", at(v, "choices", 0, "logprobs", "text_offset", 0))
	}
	_, a = post(t, h.URL+"/v1/chat/completions", `{"messages":[{"role":"user","content":"hi"}],"seed":2,"max_tokens":4,"logprobs":true,"top_logprobs":2,"temperature":0}`)
	content := at(decoded(t, a), "choices", 0, "logprobs", "content").([]any)
	for i, c := range content {
		d := at(c, "logprob").(float64) - at(c, "top_logprobs", 0, "logprob").(float64)
		if len(at(c, "top_logprobs").([]any)) != 2 || at(c, "token") != at(c, "top_logprobs", 0, "token") || d > 1e-6 || d < -1e-6 {
			t.Errorf("token %d at temperature 0: %v", i, c)
		}
	}
	if len(content) == 0 {
		t.Errorf("no probabilities: %s", a)
	}
}
