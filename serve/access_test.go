package serve_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/keys"
	"github.com/foundling-lm/foundling/serve/servetest"
)

// ring is keys of these scopes and limits, and their secrets.
func ring(t testing.TB, all ...keys.Key) (*keys.Ring, []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.json")
	var secrets []string
	for i, k := range all {
		k.Name = fmt.Sprint("caller", i)
		k, secret, err := keys.New(k)
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.Add(path, k, false); err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, secret)
	}
	r, err := keys.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r, secrets
}

// ask sends a request with headers, given in pairs.
func ask(t testing.TB, method, url, body string, headers ...string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	answer, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a, answer
}

// Who has no key, or one that does not allow it, gets nothing.
func TestKeys(t *testing.T) {
	r, secrets := ring(t, keys.Key{Scopes: []keys.Scope{keys.Infer}}, keys.Key{Scopes: []keys.Scope{keys.Metrics}}, keys.Key{Scopes: []keys.Scope{keys.Admin}})
	h := start(t, func(o *serve.Options) { o.Keys = r })
	infer, metrics, admin := "Bearer "+secrets[0], "Bearer "+secrets[1], "Bearer "+secrets[2]
	for _, c := range []struct {
		path, authorization string
		status              int
		code                string
	}{
		{"/health", "", 200, ""},
		{"/ready", "", 200, ""},
		{"/version", "", 401, "missing_api_key"},
		{"/metrics", "", 401, "missing_api_key"},
		{"/v1/models", "", 401, "missing_api_key"},
		{"/tokenize", "", 401, "missing_api_key"},
		{"/tokenize", infer, 200, ""},
		{"/tokenize", strings.Replace(infer, "Bearer", "bearer", 1), 200, ""},
		{"/tokenize", admin, 200, ""},
		{"/tokenize", metrics, 403, "insufficient_scope"},
		{"/metrics", infer, 403, "insufficient_scope"},
		{"/metrics", metrics, 200, ""},
		{"/metrics", admin, 200, ""},
		{"/v1/models", infer, 200, ""},
		{"/v1/models/base", infer, 200, ""},
		{"/v1/models/base", "", 401, "missing_api_key"},
		{"/v1/models/none", "", 401, "missing_api_key"}, // does not say what there is
		{"/tokenize", infer + "x", 401, "invalid_api_key"},
		{"/tokenize", infer[:len(infer)-1], 401, "invalid_api_key"},
		{"/tokenize", infer + " ", 200, ""}, // blanks at the end are no part of a header
		{"/tokenize", "Bearer  " + secrets[0], 401, "invalid_api_key"},
		{"/tokenize", secrets[0], 401, "invalid_api_key"},
		{"/tokenize", "Basic " + secrets[0], 401, "invalid_api_key"},
		{"/tokenize", "Bearer", 401, "invalid_api_key"},
		{"/tokenize?api_key=" + secrets[0], "", 401, "missing_api_key"},
		{"/v1/chat/completions", infer, 403, "insufficient_scope"}, // with memory
		{"/v1/memory", infer, 403, "insufficient_scope"},
		{"/v1/memory/1", infer, 403, "insufficient_scope"},
		{"/v1/runs", infer, 403, "insufficient_scope"},
		{"/v1/models/load", infer, 403, "insufficient_scope"},
		{"/v1/votes", infer, 404, "no_database"},
		{"/v1/votes", metrics, 403, "insufficient_scope"},
		{"/", "", 200, ""},
		{"/v1/nothing", "", 404, "unknown_url"},
		{"/%2e%2e/metrics", "", 404, "unknown_url"},
		{"//metrics", "", 401, "missing_api_key"},
	} {
		method, body := "GET", ""
		switch {
		case strings.HasPrefix(c.path, "/tokenize"):
			method, body = "POST", `{"prompt":"a"}`
		case c.path == "/v1/chat/completions":
			method, body = "POST", `{"model":"talker","messages":[{"role":"user","content":"hi"}],"memory":true}`
		case c.path == "/v1/models/load":
			method, body = "POST", `{}`
		case c.path == "/v1/memory/1":
			method = "DELETE"
		}
		var headers []string
		if c.authorization != "" {
			headers = []string{"Authorization", c.authorization}
		}
		a, got := ask(t, method, h.URL+c.path, body, headers...)
		if a.StatusCode != c.status || c.code != "" && at(decoded(t, got), "error", "code") != c.code {
			t.Errorf("%s with %q: %d %s, want %d %s", c.path, c.authorization, a.StatusCode, got, c.status, c.code)
		}
		if (a.StatusCode == 401) != (a.Header.Get("WWW-Authenticate") != "") {
			t.Errorf("%s: status %d with WWW-Authenticate %q", c.path, a.StatusCode, a.Header.Get("WWW-Authenticate"))
		}
	}
	if a, got := ask(t, "POST", h.URL+"/tokenize", `{"prompt":"a"}`, "Authorization", "Bearer none", "Authorization", infer); a.StatusCode != 401 {
		t.Errorf("two keys: %d %s", a.StatusCode, got)
	}
}

// A key's limits are kept, and do not touch other keys.
func TestKeyLimits(t *testing.T) {
	scopes := []keys.Scope{keys.Infer}
	r, secrets := ring(t, keys.Key{Scopes: scopes, Limits: keys.Limits{Requests: 2}}, keys.Key{Scopes: scopes, Limits: keys.Limits{Tokens: 5}},
		keys.Key{Scopes: scopes, Limits: keys.Limits{Concurrent: 1}}, keys.Key{Scopes: scopes}, keys.Key{Scopes: []keys.Scope{keys.Metrics}})
	h := start(t, func(o *serve.Options) { o.Keys = r })
	send := func(key int) *http.Response {
		a, _ := ask(t, "POST", h.URL+"/v1/completions", `{"model":"base","prompt":"abcdefgh","max_tokens":1}`, "Authorization", "Bearer "+secrets[key])
		return a
	}
	for i, left := range []string{"1", "0"} {
		if a := send(0); a.StatusCode != 200 || a.Header.Get("X-Ratelimit-Remaining-Requests") != left || a.Header.Get("X-Ratelimit-Limit-Requests") != "2" {
			t.Errorf("request %d: %d %v", i, a.StatusCode, a.Header)
		}
	}
	if a := send(0); a.StatusCode != 429 || a.Header.Get("Retry-After") == "" {
		t.Errorf("a request too many: %d %v", a.StatusCode, a.Header)
	}
	begun := time.Now()
	if a := send(1); a.StatusCode != 200 || a.Header.Get("X-Ratelimit-Remaining-Tokens") != "5" {
		t.Errorf("few tokens: %d %v", a.StatusCode, a.Header)
	}
	// 9 tokens were taken: 4 too many, and one is needed; 5 a minute come back.
	a := send(1)
	if after, err := strconv.Atoi(a.Header.Get("Retry-After")); a.StatusCode != 429 || err != nil || time.Duration(after)*time.Second < time.Minute-time.Since(begun) {
		t.Errorf("too many tokens: %d %v", a.StatusCode, a.Header)
	}
	release, first := servetest.Stand(t, base), make(chan *http.Response, 1)
	go func() { defer close(first); first <- send(2) }()
	servetest.Measured(t, h.URL, `foundling_texts{model="base"} 1`, secrets[4])
	if a := send(2); a.StatusCode != 429 {
		t.Errorf("a second request at a time: %d", a.StatusCode)
	}
	release()
	if a := <-first; a == nil || a.StatusCode != 200 {
		t.Errorf("the first request: %v", a)
	}
	if a := send(2); a.StatusCode != 200 {
		t.Errorf("after the first has ended: %d", a.StatusCode)
	}
	if a := send(3); a.StatusCode != 200 || a.Header.Get("X-Ratelimit-Limit-Requests") != "" {
		t.Errorf("a key without limits: %d %v", a.StatusCode, a.Header)
	}
}

// Pages of listed origins are let in, others are not.
func TestOrigins(t *testing.T) {
	h := start(t, func(o *serve.Options) {
		o.Origins, o.Hosts = []string{"https://friend.example", "http://localhost:3000"}, []string{"models.example"}
	})
	for name, c := range map[string]struct {
		method, origin string
		status         int
		allowed        string
	}{
		"listed":       {"POST", "https://friend.example", 200, "https://friend.example"},
		"port":         {"POST", "http://localhost:3000", 200, "http://localhost:3000"},
		"other port":   {"POST", "http://localhost:3001", 403, ""},
		"other scheme": {"POST", "http://friend.example", 403, ""},
		"suffix":       {"POST", "https://friend.example.evil.example", 403, ""},
		"null":         {"POST", "null", 403, ""},
		"preflight":    {"OPTIONS", "https://friend.example", 204, "https://friend.example"},
		"not listed":   {"OPTIONS", "https://evil.example", 405, ""},
		"none":         {"POST", "", 200, ""},
	} {
		body, headers := `{"prompt":"ab"}`, []string{}
		if c.method == "OPTIONS" {
			body, headers = "", []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type"}
		}
		if c.origin != "" {
			headers = append(headers, "Origin", c.origin)
		}
		a, got := ask(t, c.method, h.URL+"/tokenize", body, headers...)
		if a.StatusCode != c.status || a.Header.Get("Access-Control-Allow-Origin") != c.allowed || a.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d, allowed %q, %s", name, a.StatusCode, a.Header.Get("Access-Control-Allow-Origin"), got)
		}
		if a.Header.Get("Vary") != "Origin" {
			t.Errorf("%s: Vary is %q", name, a.Header.Get("Vary"))
		}
	}
	for host, status := range map[string]int{"models.example": 200, "MODELS.example.:8080": 200, "evil.example": 403, "models.example.evil.example": 403} {
		if a, _ := ask(t, "GET", h.URL+"/health", "", "Host", host); a.StatusCode != status {
			t.Errorf("host %s: %d, want %d", host, a.StatusCode, status)
		}
	}
	for _, origin := range []string{"example.com", "https://example.com/path", "*"} {
		_, err := serve.New(serve.Options{Models: []serve.Model{{Name: "base", Model: base}}, Origins: []string{origin}})
		if err == nil || !strings.Contains(err.Error(), "https://example.com") {
			t.Errorf("the origin %q: %v", origin, err)
		}
	}
}

// The log says who asked for what, and no texts unless it is told to.
func TestLog(t *testing.T) {
	for _, text := range []bool{false, true} {
		r, secrets := ring(t, keys.Key{Scopes: []keys.Scope{keys.Infer}})
		var out strings.Builder
		h := start(t, func(o *serve.Options) {
			o.Keys, o.Log, o.LogText = r, slog.New(slog.NewJSONHandler(&out, nil)), text
		})
		a, answer := ask(t, "POST", h.URL+"/v1/completions", `{"model":"base","prompt":"a secret question","max_tokens":8}`, "Authorization", "Bearer "+secrets[0])
		ask(t, "POST", h.URL+"/v1/completions", `{}`, "Authorization", "Bearer wrong-key")
		h.Close()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 {
			t.Fatalf("log: %s", out.String())
		}
		line := decoded(t, []byte(lines[0]))
		if at(line, "id") != a.Header.Get("X-Request-Id") || at(line, "caller") != "caller0" || at(line, "model") != "base" || at(line, "completion_tokens") != at(decoded(t, answer), "usage", "completion_tokens") || at(line, "from") != "127.0.0.1" {
			t.Errorf("line %s", lines[0])
		}
		if at(decoded(t, []byte(lines[1])), "status") != 401.0 {
			t.Errorf("line %s", lines[1])
		}
		if strings.Contains(out.String(), secrets[0]) || strings.Contains(out.String(), "wrong-key") {
			t.Errorf("the log shows a key: %s", out.String())
		}
		if strings.Contains(out.String(), "secret question") != text || (at(line, "said") == string(answer)) != text {
			t.Errorf("text %v: the log is %s", text, out.String())
		}
	}
}

// What no endpoint answers has an id and a line of the log, too; files of the page are
// there by their names.
func TestLogOfAll(t *testing.T) {
	out := make(logLines, 1)
	h := start(t, func(o *serve.Options) { o.Log = slog.New(slog.NewJSONHandler(out, nil)) })
	for _, c := range []struct {
		method, path, logged string
		status               int
		headers              []string
	}{
		{"GET", "/v1/nothing", "/v1/nothing", 404, nil},
		{"PATCH", "/v1/models", "/v1/models", 405, nil},
		{"GET", "/health", "/health", 403, []string{"Host", "evil.example"}},
		{"POST", "/tokenize", "/tokenize", 403, []string{"Origin", "https://evil.example"}},
		{"GET", "/page/main.js", "/page/main.js", 200, nil},
		{"GET", "/page/" + strings.Repeat("x", 300), "/page/" + strings.Repeat("x", 194) + "...", 404, nil},
		{"GET", "/health", "/health", 200, nil},
	} {
		a, _ := ask(t, c.method, h.URL+c.path, "", c.headers...)
		text := <-out
		line := decoded(t, text)
		if id := a.Header.Get("X-Request-Id"); id == "" || at(line, "id") != id || at(line, "path") != c.logged || at(line, "status") != float64(c.status) || a.StatusCode != c.status {
			t.Errorf("%s %s: %d %q, logged %s", c.method, c.path, a.StatusCode, a.Header.Get("X-Request-Id"), text)
		}
	}
}

// logLines are the lines of a log, as they come.
type logLines chan []byte

func (l logLines) Write(b []byte) (int, error) {
	l <- bytes.Clone(b)
	return len(b), nil
}

// OpenAI's client in a browser sends headers of its own, and reads those of answers.
func TestHeadersOfOrigins(t *testing.T) {
	h := start(t, func(o *serve.Options) { o.Origins = []string{"https://friend.example"} })
	for asked, want := range map[string]string{
		"Authorization,content-type,x-stainless-os, X-Stainless-Retry-Count": "authorization, content-type, x-stainless-os, x-stainless-retry-count",
		"openai-organization,openai-project,openai-beta":                     "openai-organization, openai-project, openai-beta",
		"foundling-cache,x-request-id,idempotency-key":                       "foundling-cache, x-request-id, idempotency-key",
		"cookie,openai-beta,x-forwarded-for":                                 "openai-beta",
		"openai-\tbeta":                                                      "accept, authorization, content-type, foundling-cache, traceparent, tracestate",
		"":                                                                   "accept, authorization, content-type, foundling-cache, traceparent, tracestate",
	} {
		a, _ := ask(t, "OPTIONS", h.URL+"/v1/chat/completions", "", "Origin", "https://friend.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", asked)
		if got := a.Header.Get("Access-Control-Allow-Headers"); a.StatusCode != 204 || got != want {
			t.Errorf("%q: %d, allowed %q, want %q", asked, a.StatusCode, got, want)
		}
	}
	a, _ := ask(t, "GET", h.URL+"/v1/models", "", "Origin", "https://friend.example")
	for _, name := range []string{"X-Request-Id", "Foundling-Seed", "Foundling-Ignored", "Foundling-Cache", "Foundling-Max-Tokens", "X-Ratelimit-Remaining-Tokens"} {
		if !strings.Contains(a.Header.Get("Access-Control-Expose-Headers"), name) {
			t.Errorf("%s is not to be read: %v", name, a.Header)
		}
	}
}
