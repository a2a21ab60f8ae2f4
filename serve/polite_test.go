package serve_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// More tokens than the context has room for are cut to it, which the answer says.
func TestMaxTokensOfContext(t *testing.T) {
	h := start(t, nil)
	ids := must(base.Bundle.TextPrompt("hi"))
	room := base.Bundle.Model.Dims().Context - len(ids)
	for n, want := range map[int]string{1_000_000_000: strconv.Itoa(room), room + 1: strconv.Itoa(room), room: ""} {
		body := fmt.Sprintf(`{"model":"base","prompt":"hi","max_tokens":%d,"choices":["a"]}`, n) // a short text
		r, a := post(t, h.URL+"/v1/completions", body)
		if got := r.Header.Get("Foundling-Max-Tokens"); r.StatusCode != 200 || got != want {
			t.Errorf("max_tokens %d: %d, the header is %q, want %q: %s", n, r.StatusCode, got, want, a)
		}
	}
}

// Fields that change nothing are of OpenAI's types, and null is none.
func TestTypesOfIgnored(t *testing.T) {
	h := start(t, nil)
	for field, c := range map[string]struct{ good, bad, param string }{
		"user":                   {`"me"`, `5`, "user"},
		"safety_identifier":      {`"me"`, `{}`, "safety_identifier"},
		"store":                  {`false`, `"no"`, "store"},
		"metadata":               {`{"a":"b"}`, `["a"]`, "metadata"},
		"service_tier":           {`"auto"`, `1`, "service_tier"},
		"prompt_cache_key":       {`"k"`, `true`, "prompt_cache_key"},
		"prompt_cache_retention": {`"24h"`, `24`, "prompt_cache_retention"},
		"verbosity":              {`"low"`, `0`, "verbosity"},
		"reasoning_effort":       {`"none"`, `[]`, "reasoning_effort"},
	} {
		const body = `{"model":"base","prompt":"hi","max_tokens":1,%q:%s}`
		if r, a := post(t, h.URL+"/v1/completions", fmt.Sprintf(body, field, c.good)); r.StatusCode != 200 || r.Header.Get("Foundling-Ignored") != field {
			t.Errorf("%s %s: %d, ignored %q: %s", field, c.good, r.StatusCode, r.Header.Get("Foundling-Ignored"), a)
		}
		if r, a := post(t, h.URL+"/v1/completions", fmt.Sprintf(body, field, "null")); r.StatusCode != 200 || r.Header.Get("Foundling-Ignored") != "" {
			t.Errorf("%s null: %d, ignored %q: %s", field, r.StatusCode, r.Header.Get("Foundling-Ignored"), a)
		}
		r, a := post(t, h.URL+"/v1/completions", fmt.Sprintf(body, field, c.bad))
		if e := at(decoded(t, a), "error"); r.StatusCode != 400 || at(e, "code") != "invalid_type" || at(e, "param") != c.param {
			t.Errorf("%s %s: %d %s", field, c.bad, r.StatusCode, a)
		}
	}
}

// A token has one log-probability, wherever it stands.
func TestOneLogProb(t *testing.T) {
	h := start(t, nil)
	_, a := post(t, h.URL+"/v1/chat/completions", `{"messages":[{"role":"user","content":"hi"}],"temperature":0,"max_tokens":8,"logprobs":true,"top_logprobs":2}`)
	tokens, _ := at(decoded(t, a), "choices", 0, "logprobs", "content").([]any)
	for _, x := range tokens {
		if at(x, "logprob") != at(x, "top_logprobs", 0, "logprob") {
			t.Errorf("%v and %v", at(x, "logprob"), at(x, "top_logprobs", 0, "logprob"))
		}
	}
	_, a = post(t, h.URL+"/v1/completions", `{"model":"base","prompt":"hi","temperature":0,"max_tokens":8,"logprobs":2}`)
	l := at(decoded(t, a), "choices", 0, "logprobs")
	names, _ := at(l, "tokens").([]any)
	for i, name := range names {
		if at(l, "token_logprobs", i) != at(l, "top_logprobs", i, name) {
			t.Errorf("%v: %v and %v", name, at(l, "token_logprobs", i), at(l, "top_logprobs", i))
		}
	}
	if len(tokens) == 0 || len(names) == 0 {
		t.Errorf("no tokens: %s", a)
	}
}

// A prompt that is too long is so by one code, wherever it is read; the answer has no
// headers of the texts that are not written.
func TestTooLong(t *testing.T) {
	h := start(t, nil)
	long := strings.Repeat("long ", 200)
	for _, c := range []struct{ path, body, param string }{
		{"/v1/completions", `{"model":"base","prompt":%q}`, "prompt"},
		{"/v1/chat/completions", `{"messages":[{"role":"user","content":%q}],"user":"me"}`, "messages"},
		{"/v1/responses", `{"input":%q}`, "input"},
		{"/v1/embeddings", `{"input":%q}`, "input[0]"},
		{"/v1/score", `{"model":"base","input":%q}`, "input[0]"},
		{"/v1/score", `{"model":"base","input":[{"prompt":%q,"completion":"a"}]}`, "input[0]"},
		{"/v1/rerank", `{"model":"base","query":"a","documents":[%q]}`, "documents[0]"},
		{"/v1/explain", `{"model":"base","prompt":%q}`, "prompt"},
		{"/v1/explain", `{"messages":[{"role":"user","content":%q}]}`, "messages"},
		{"/v1/attention", `{"model":"base","text":%q}`, "text"},
		{"/v1/attention", `{"messages":[{"role":"user","content":%q}]}`, "messages"},
		{"/v1/mask", `{"model":"base","prompt":%q,"regex":"a*"}`, "prompt"},
		{"/v1/mask", `{"messages":[{"role":"user","content":%q}],"regex":"a*"}`, "messages"},
		{"/v1/mask", `{"model":"base","prompt":"a","text":%q,"regex":"(long )*"}`, "text"},
	} {
		r, a := post(t, h.URL+c.path, fmt.Sprintf(c.body, long))
		e := at(decoded(t, a), "error")
		if r.StatusCode != 400 || at(e, "code") != "context_length_exceeded" || at(e, "param") != c.param {
			t.Errorf("%s %.40s: %d %s", c.path, c.body, r.StatusCode, a)
		}
		for name := range r.Header {
			if strings.HasPrefix(name, "Foundling-") {
				t.Errorf("%s: an error with %s", c.path, name)
			}
		}
	}
}

// A model's default may be sent as it is told.
func TestDefaultsAreTaken(t *testing.T) {
	h := start(t, nil)
	_, a := ask(t, "GET", h.URL+"/v1/models/base", "")
	d, _ := at(decoded(t, a), "defaults").(map[string]any)
	if d["top_p"] != 1.0 {
		t.Errorf("defaults %v, want top_p 1", d)
	}
	for name, value := range d {
		if r, a := post(t, h.URL+"/v1/completions", fmt.Sprintf(`{"model":"base","prompt":"a","max_tokens":1,%q:%v}`, name, value)); r.StatusCode != 200 {
			t.Errorf("%s %v: %d %s", name, value, r.StatusCode, a)
		}
	}
}
