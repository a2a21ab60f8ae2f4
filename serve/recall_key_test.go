package serve_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/store"
)

// keyed is a cache that holds nothing and notes what is looked for.
type keyed struct{ last *store.Key }

func (c *keyed) Find(_ context.Context, _ string, key store.Key) (*store.Answer, error) {
	c.last = &key
	return nil, nil
}

func (c *keyed) Near(context.Context, string, store.Key, []float32, float64) (*store.Answer, float64, error) {
	return nil, 0, nil
}
func (c *keyed) Keep(context.Context, *store.Answer) error      { return nil }
func (c *keyed) Forget(context.Context, *string) (int64, error) { return 0, nil }
func (c *keyed) key(t *testing.T, url string, body map[string]any) (key store.Key) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	c.last = nil
	r, answer := ask(t, "POST", url, string(text), "Foundling-Cache", "only")
	if r.StatusCode != http.StatusNotFound || c.last == nil {
		t.Fatalf("%s: got %d %s, want that it is looked for", text, r.StatusCode, answer)
	}
	return *c.last
}

// field is a value that a field of a request may have, and whether the texts are others
// with it than without.
type field struct {
	value string
	with  string // fields that it needs, which are there in both requests
	why   string // it changes no text; "": it does
	alone bool   // it says what the text must be, and goes not with the constraint
}

// Why fields change no text.
const (
	shown   = "what is shown of the texts"
	judged  = "what becomes of texts that were written, or found"
	passed  = "it is ignored"
	refused = "nothing but this is taken"
	looked  = "how the cache is used"
	bounded = "texts that time ended are not kept"
)

// textFields are those of all requests for texts.
var textFields = map[string]field{
	"temperature": {value: `0.5`}, "top_p": {value: `0.5`}, "seed": {value: `2`},
	"stream": {value: `true`, why: shown}, "stream_options": {value: `{"include_usage":true}`, with: `"stream":true`, why: shown},
	"best_of": {value: `2`}, "selector": {value: `"sumlogp"`, with: `"best_of":2`, why: judged}, "selectors": {value: `["first"]`, why: judged},
	"confidence": {value: `["perplexity"]`, why: judged}, "policy": {value: `{"limits":[{"signal":"perplexity","warn":0,"abstain":0}]}`, why: judged, alone: true},
	"preset": {value: `"concise"`},
	"top_k":  {value: `5`}, "min_p": {value: `0.1`}, "typical_p": {value: `0.5`}, "repeat_penalty": {value: `1.5`}, "repeat_last_n": {value: `5`},
	"dry_multiplier": {value: `0.5`}, "dry_base": {value: `1.5`}, "dry_allowed_length": {value: `3`}, "dry_penalty_last_n": {value: `9`}, "dry_sequence_breakers": {value: `["x"]`},
	"xtc_probability": {value: `0.5`}, "xtc_threshold": {value: `0.2`}, "dynatemp_range": {value: `0.2`}, "dynatemp_exponent": {value: `2`},
	"mirostat": {value: `2`}, "mirostat_tau": {value: `4`, with: `"mirostat":2`}, "mirostat_eta": {value: `0.2`, with: `"mirostat":2`},
	"samplers": {value: `["temperature"]`}, "min_tokens": {value: `3`}, "stop_regex": {value: `"x"`},
	"grammar": {value: `"root ::= \"a\"\n"`, alone: true}, "regex": {value: `"[ab]"`, alone: true}, "choices": {value: `["a"]`, alone: true},
	"cache": {value: `{"ttl":5,"likeness":0}`, why: looked}, "memory": {value: `true`, why: "facts are in the prompt, and what has some is not kept"},
	"lora": {value: `"one"`}, "timeout": {value: `60`, why: bounded},
	"prefix_ids": {value: `[57]`}, "return_token_ids": {value: `true`, why: shown},
	"user": {value: `"x"`, why: passed}, "safety_identifier": {value: `"x"`, why: passed}, "store": {value: `true`, why: passed}, "metadata": {value: `{}`, why: passed},
	"service_tier": {value: `"auto"`, why: passed}, "prompt_cache_key": {value: `"x"`, why: passed}, "prompt_cache_retention": {value: `"24h"`, why: passed},
	"verbosity": {value: `"low"`, why: passed}, "reasoning_effort": {value: `"low"`, why: passed},
}

// modelFields are those that responses lack.
var modelFields = map[string]field{
	"n": {value: `2`}, "stop": {value: `["x"]`}, "max_tokens": {value: `9`}, "logit_bias": {value: `{"57":1}`},
	"frequency_penalty": {value: `0.5`}, "presence_penalty": {value: `0.5`},
	"response_format": {value: `{"type":"json_object"}`, alone: true},
}

const (
	someTool  = `{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"x":{"type":"integer"}}}}}`
	otherTool = `{"type":"function","name":"f","parameters":{"type":"object","properties":{"x":{"type":"integer"}}}}`
)

var chatFields = map[string]field{
	"model": {value: `"twin"`, why: "the same weights write the same"}, "messages": {value: `[{"role":"user","content":"hello"}]`},
	"max_completion_tokens": {value: `9`}, "logprobs": {value: `true`, why: shown}, "top_logprobs": {value: `2`, with: `"logprobs":true`},
	"modalities": {value: `["text"]`, why: refused}, "tools": {value: `[` + someTool + `]`, alone: true},
	"tool_choice": {value: `"required"`, with: `"tools":[` + someTool + `]`, alone: true}, "parallel_tool_calls": {value: `false`, with: `"tools":[` + someTool + `]`, alone: true},
}

var completionFields = map[string]field{
	"model": {value: `"base"`, why: "the same weights write the same, but end formats as conversations do or not", alone: true}, "prompt": {value: `"hello"`}, "logprobs": {value: `2`}, "echo": {value: `true`, why: shown}, "suffix": {value: `""`, why: "models here fill nothing in"},
}

var responseFields = map[string]field{
	"model": {value: `"twin"`, why: "the same weights write the same"}, "input": {value: `"hello"`}, "instructions": {value: `"Be brief."`}, "max_output_tokens": {value: `9`},
	"text":  {value: `{"format":{"type":"json_object"}}`, alone: true},
	"tools": {value: `[` + otherTool + `]`, alone: true}, "tool_choice": {value: `"required"`, with: `"tools":[` + otherTool + `]`, alone: true},
	"parallel_tool_calls": {value: `false`, with: `"tools":[` + otherTool + `]`, alone: true},
	"include":             {value: `["message.output_text.logprobs"]`, why: shown}, "top_logprobs": {value: `2`, with: `"include":["message.output_text.logprobs"]`},
	"truncation": {value: `"disabled"`, why: refused}, "background": {value: `false`, why: refused}, "return_token_ids": {value: `false`, why: refused},
	"reasoning": {value: `{}`, why: passed}, "max_tool_calls": {value: `1`, why: passed}, "prompt_cache_options": {value: `{}`, why: passed},
	"moderation": {value: `{}`, why: passed}, "context_management": {value: `[]`, why: passed},
	"previous_response_id": {value: `null`, why: refused}, "conversation": {value: `null`, why: refused},
}

// Each field of a request for texts counts where it can change them, and nowhere else:
// with and without a constraint on the text.
func TestKeyHasEveryField(t *testing.T) {
	c := &keyed{}
	with, err := talker.With(adapter(t, talker, 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(with.Close)
	h := start(t, func(o *serve.Options) {
		o.Models = append(o.Models, serve.Model{Name: "twin", Model: talker}, serve.Model{Name: "talker:one", Model: with})
		o.Caching.Cache, o.Store = c, keeping(t)
	})
	of := func(parts ...map[string]field) map[string]field {
		all := map[string]field{}
		for _, p := range parts {
			for name, f := range p {
				all[name] = f
			}
		}
		return all
	}
	for path, e := range map[string]struct {
		base   string
		fields map[string]field
	}{
		"/v1/chat/completions": {`"messages":[{"role":"user","content":"hi"}],"max_tokens":8`, of(textFields, modelFields, chatFields)},
		"/v1/completions":      {`"prompt":"hi","max_tokens":8`, of(textFields, modelFields, completionFields)},
		"/v1/responses":        {`"input":"hi","max_output_tokens":8`, of(textFields, responseFields, map[string]field{"prompt": {value: `null`, why: refused}})},
	} {
		names := serve.RequestFields[path]
		for name := range e.fields {
			if !slices.Contains(names, name) {
				t.Errorf("%s has no field %s", path, name)
			}
		}
		for _, name := range names {
			f, ok := e.fields[name]
			if !ok {
				t.Errorf("%s: does the field %s change texts?", path, name)
				continue
			}
			for _, constraint := range []string{"", `"regex":"[a-z9]+"`} {
				if constraint != "" && f.alone {
					continue
				}
				body := map[string]any{}
				parts := []string{e.base, `"seed":1,"temperature":0.7`, constraint, f.with}
				text := "{" + strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ",") + "}"
				if err := json.Unmarshal([]byte(text), &body); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				if name == "max_completion_tokens" {
					delete(body, "max_tokens")
				}
				plain := c.key(t, h.URL+path, body)
				body[name] = json.RawMessage(f.value)
				if changes := c.key(t, h.URL+path, body) != plain; changes != (f.why == "") {
					t.Errorf("%s %s, field %s: another key %t, want %t (%s)", path, text, name, changes, f.why == "", f.why)
				}
			}
		}
	}
}

// Two constraints are the same where they are of the same texts as far as can be told, and
// only there.
func TestKeyOfFormats(t *testing.T) {
	c := &keyed{}
	h := start(t, func(o *serve.Options) { o.Caching.Cache = c })
	schema := func(s string) string {
		return `"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":` + s + `}}`
	}
	key := func(fields string) store.Key {
		t.Helper()
		c.last = nil
		body := `{"messages":[{"role":"user","content":"hi"}],"max_tokens":40,"seed":1,` + fields + `}`
		if r, answer := ask(t, "POST", h.URL+"/v1/chat/completions", body, "Foundling-Cache", "only"); r.StatusCode != http.StatusNotFound || c.last == nil {
			t.Fatalf("%s: %d %s", body, r.StatusCode, answer)
		}
		return *c.last
	}
	for _, x := range []struct {
		name, one, two string
		same           bool
	}{
		{"white space and escapes", schema(`{"enum":["a","b"]}`), schema(`{ "enum" : ["\u0061", "b"] }`), true},
		{"a name", schema(`{"enum":["a"]}`), strings.Replace(schema(`{"enum":["a"]}`), `"n"`, `"m"`, 1), true},
		{"the fields it stands beside", `"regex":"[ab]"`, `"regex":"[ab]","stream":true,"n":1,"user":"me","confidence":["perplexity"]`, true},
		{"defaults that are said", `"regex":"[ab]"`, `"regex":"[ab]","top_p":1,"presence_penalty":0,"top_k":0`, true},
		{"the order of properties", schema(`{"properties":{"a":{},"b":{}}}`), schema(`{"properties":{"b":{},"a":{}}}`), false},
		{"digits", schema(`{"const":9007199254740992}`), schema(`{"const":9007199254740993}`), false},
		{"choices that are joined", `"choices":["a","b"]`, `"choices":["ab"]`, false},
		{"an expression and a choice", `"choices":["a"]`, `"regex":"a"`, false},
		{"ids before the text", `"regex":"[a-z9]+"`, `"regex":"[a-z9]+","prefix_ids":[57]`, false},
		{"other ids before it", `"regex":"[a-z9]+","prefix_ids":[57,57]`, `"regex":"[a-z9]+","prefix_ids":[57]`, false},
	} {
		if same := key(x.one) == key(x.two); same != x.same {
			t.Errorf("%s: the same %t, want %t", x.name, same, x.same)
		}
	}
}
