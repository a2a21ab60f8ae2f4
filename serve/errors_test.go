package serve_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/serve"
)

// Errors have OpenAI's shape and name the field.
func TestErrors(t *testing.T) {
	h := start(t, func(o *serve.Options) {
		o.MaxBody, o.MaxMessages, o.MaxTexts, o.MaxTokens, o.Queue = 20_000, 3, 4, 100, 3
	})
	const chats, texts = "/v1/chat/completions", "/v1/completions"
	user := func(rest string) string { return `{"messages":[{"role":"user","content":"hi"}]` + rest + `}` }
	content := func(c string) string { return `{"messages":[{"role":"user","content":` + c + `}]}` }
	for _, c := range []struct {
		path, body  string
		status      int
		param, code string
	}{
		{chats, `{"messages":`, 400, "", "invalid_json"},
		{chats, `[]`, 400, "", "invalid_type"},
		{chats, user(`,"messages":[]`), 400, "", "invalid_json"},
		{chats, strings.Repeat("[", 15_000), 400, "", "invalid_json"},
		{chats, user(`,"response_format":` + strings.Repeat(`{"a":`, 256) + "1" + strings.Repeat("}", 256)), 400, "", "invalid_json"},
		{chats, user(`,"colour":1`), 400, "colour", "unknown_parameter"},
		{chats, user(`,"Temperature":1`), 400, "Temperature", "unknown_parameter"},
		{chats, user(`,"temperature":"hot"`), 400, "temperature", "invalid_type"},
		{chats, user(`,"temperature":3`), 400, "temperature", "invalid_value"},
		{chats, user(`,"top_p":0`), 400, "top_p", "invalid_value"},
		{chats, user(`,"presence_penalty":-3`), 400, "presence_penalty", "invalid_value"},
		{chats, user(`,"seed":1e99`), 400, "seed", "invalid_type"},
		{chats, user(`,"n":0`), 400, "n", "invalid_value"},
		{chats, user(`,"n":5`), 400, "n", "invalid_value"},
		{chats, user(`,"n":4`), 400, "n", "invalid_value"}, // more than the queue
		{chats, user(`,"max_tokens":0`), 400, "max_tokens", "invalid_value"},
		{chats, user(`,"max_tokens":101`), 400, "max_tokens", "invalid_value"},
		{chats, user(`,"max_tokens":5,"max_completion_tokens":6`), 400, "max_tokens", "invalid_value"},
		{chats, user(`,"min_tokens":-1`), 400, "min_tokens", "invalid_value"},
		{chats, user(`,"max_tokens":5,"min_tokens":6`), 400, "min_tokens", "invalid_value"},
		{texts, `{"prompt":"a","min_tokens":17}`, 400, "min_tokens", "invalid_value"}, // 16 is the default limit
		{chats, user(`,"stop":5`), 400, "stop", "invalid_type"},
		{chats, user(`,"stop":["a",""]`), 400, "stop", "invalid_value"},
		{chats, user(`,"stop_regex":"("`), 400, "stop_regex", "invalid_value"},
		{chats, user(`,"top_logprobs":2`), 400, "top_logprobs", "invalid_value"},
		{chats, user(`,"logit_bias":{"99999":1}`), 400, "logit_bias", "invalid_value"},
		{chats, user(`,"logit_bias":{"9":101}`), 400, "logit_bias", "invalid_value"},
		{chats, user(`,"samplers":["dice"]`), 400, "samplers", "invalid_value"},
		{chats, user(`,"stream_options":{"include_usage":true}`), 400, "stream_options", "invalid_value"},
		{chats, user(`,"modalities":["audio"]`), 400, "modalities", "invalid_value"},
		{chats, user(`,"response_format":{"type":"xml"}`), 400, "response_format.type", "invalid_value"},
		{chats, user(`,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"nothing"}}}`), 400, "response_format.json_schema.schema", "invalid_value"},
		{chats, user(`,"grammar":"root ::= undefined"`), 400, "grammar", "invalid_value"},
		{chats, user(`,"choices":["a"],"regex":"a"`), 400, "choices", "invalid_value"},
		{chats, user(`,"choices":["a long text"],"max_tokens":2`), 400, "max_tokens", "max_tokens_too_low"},
		{chats, user(`,"stream":true,"choices":["a long text"],"max_tokens":2`), 400, "max_tokens", "max_tokens_too_low"},
		{chats, user(`,"model":"none"`), 404, "model", "model_not_found"},
		{chats, user(`,"model":"base"`), 400, "model", "model_not_chat"},
		{chats, `{"messages":[]}`, 400, "messages", "invalid_value"},
		{chats, `{"messages":[{"role":"tool","content":"x"}]}`, 400, "messages[0].tool_call_id", "invalid_value"},
		{chats, `{"messages":[{"role":"user","content":"x","colour":1}]}`, 400, "messages[0].colour", "unknown_parameter"},
		{chats, content(`5`), 400, "messages[0].content", "invalid_type"},
		{chats, content(`[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"data:"}}]`), 400, "messages[0].content[1].image_url", "unsupported_content"},
		{chats, content(`[{"type":"input_audio","input_audio":{}}]`), 400, "messages[0].content[0].input_audio", "unsupported_content"},
		{chats, content(`"` + strings.Repeat("long ", 200) + `"`), 400, "messages", "context_length_exceeded"},
		{chats, content(`"` + strings.Repeat("long ", 20_000) + `"`), 413, "", "body_too_large"},
		{texts, `{"model":"base","prompt":[-1]}`, 400, "prompt", "invalid_value"},
		{texts, `{"model":"base","prompt":[[]]}`, 400, "prompt", "invalid_value"},
		{texts, `{"model":"base","prompt":[1.5]}`, 400, "prompt[0]", "invalid_type"},
		{texts, `{"model":"base","prompt":["a",1]}`, 400, "prompt[1]", "invalid_type"},
		{texts, `{"model":"base","prompt":["a","b","c","d","e"]}`, 400, "prompt", "invalid_value"},
		{texts, `{"model":"base","prompt":"a","logprobs":50}`, 400, "logprobs", "invalid_value"},
		{"/tokenize", `{}`, 400, "prompt", "invalid_value"},
		{"/detokenize", `{"tokens":[99999]}`, 400, "tokens", "invalid_value"},
		{"/v1/explain", `{}`, 400, "messages", "invalid_value"},
		{"/v1/explain", user(`,"prompt":"a"`), 400, "messages", "invalid_value"},
		{"/v1/explain", user(`,"completion_ids":[99999]`), 400, "completion_ids", "invalid_value"},
		{"/v1/explain", user(`,"completion_ids":[7],"position":2`), 400, "position", "invalid_value"},
		{"/v1/explain", user(`,"top":201`), 400, "top", "invalid_value"},
		{"/v1/explain", user(`,"choice":4`), 400, "choice", "invalid_value"},
		{"/v1/explain", user(`,"regex":"[0-9]","completion_ids":[65,66]`), 400, "completion_ids", "invalid_value"},
		{"/v1/explain", user(`,"colour":1`), 400, "colour", "unknown_parameter"},
		{"/v1/explain", `{"model":"base","prompt":["a","b"]}`, 400, "prompt", "invalid_value"},
		{"/v1/completions", `{"prompt":"a","top_k":-4}`, 400, "top_k", "invalid_value"},
		{"/v1/completions", `{"prompt":"a","samplers":["top_k"],"top_p":0.5}`, 400, "top_p", "invalid_value"},
		{"/v1/completions", `{"prompt":"a","samplers":["no"]}`, 400, "samplers", "invalid_value"},
		{"/v1/completions", `{"prompt":"a","mirostat":3}`, 400, "mirostat", "invalid_value"},
		{"/v1/completions", `{"prompt":"a","mirostat":2,"mirostat_tau":-1}`, 400, "mirostat_tau", "invalid_value"},
		{"/v1/completions", `{"prompt":"a","dry_base":-1,"dry_multiplier":1}`, 400, "dry_base", "invalid_value"},
		{"/v1/completions", `{"prompt":"a","stop_regex":"("}`, 400, "stop_regex", "invalid_value"},
		{chats, user(`,"functions":[]`), 400, "functions", "unsupported_parameter"},
		{chats, user(`,"prediction":{}`), 400, "prediction", "unsupported_parameter"},
		{chats, user(`,"web_search_options":{}`), 400, "web_search_options", "unsupported_parameter"},
		{chats, user(`,"choices":["a long text"],"max_completion_tokens":2`), 400, "max_completion_tokens", "max_tokens_too_low"},
		{chats, user(`,"max_completion_tokens":101`), 400, "max_completion_tokens", "invalid_value"},
		{chats, user(`,"best_of":2,"selector":"pick"`), 400, "selector", "invalid_value"},
		{chats, `{"messages":[{"role":"boss","content":"x"}]}`, 400, "messages[0].role", "invalid_value"},
		{"/v1/embeddings", `{"input":[[]]}`, 400, "input[0]", "invalid_value"},
		{"/v1/embeddings", `{"input":["a",5]}`, 400, "input[1]", "invalid_type"},
		{"/v1/embeddings", `{"input":[[1,99999]]}`, 400, "input[0]", "invalid_value"},
		{"/v1/score", `{"input":[{"prompt":"a"}]}`, 400, "input[0].completion", "invalid_value"},
		{"/v1/score", `{"model":"base","input":[{"prompt":"a","completion":""}]}`, 400, "input[0].completion", "invalid_value"},
		{"/v1/nothing", `{}`, 404, "", "unknown_url"},
		{"/health", `{}`, 405, "", "method_not_allowed"},
	} {
		r, a := post(t, h.URL+c.path, c.body)
		v := decoded(t, a)
		param, _ := at(v, "error", "param").(string)
		code, _ := at(v, "error", "code").(string)
		if r.StatusCode != c.status || param != c.param || c.code != "" && code != c.code || at(v, "error", "type") != "invalid_request_error" || at(v, "error", "message") == "" {
			t.Errorf("%s %.80s: %d %s", c.path, c.body, r.StatusCode, a)
		}
		if text, _ := at(v, "error", "message").(string); param != "" && strings.Contains(text, param+": "+param+": ") || strings.Contains(text, "selector: selector ") || strings.Contains(text, "[system") || optionWords.MatchString(text) {
			t.Errorf("%s %.80s: the message is %q", c.path, c.body, text)
		}
	}
}

// optionWords are names of the command's options, which are none of fields.
var optionWords = regexp.MustCompile(`\b(top-k|repeat-penalty|min-p|max-tokens|stop-regex|mirostat-tau) `)

// What a web page could send is refused.
func TestForeign(t *testing.T) {
	h := start(t, nil)
	for name, c := range map[string]struct {
		change func(r *http.Request)
		status int
	}{
		"none":       {func(*http.Request) {}, 200},
		"form":       {func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, 415},
		"plain":      {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415},
		"origin":     {func(r *http.Request) { r.Header.Set("Origin", "https://example.com") }, 403},
		"cross-site": {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"rebound":    {func(r *http.Request) { r.Host = "example.com:8080" }, 403},
		"localhost":  {func(r *http.Request) { r.Host = "localhost:8080" }, 200},
	} {
		r, err := http.NewRequest("POST", h.URL+"/tokenize", strings.NewReader(`{"prompt":"ab"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		c.change(r)
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", name, a.StatusCode, c.status)
		}
	}
}

// No body brings the server down, or gets anything but an answer or a client's error.
func FuzzBody(f *testing.F) {
	s, err := serve.New(serve.Options{Models: []serve.Model{{Name: "talker", Model: talker}}, MaxTokens: 3, MaxTexts: 3, MaxBody: 1 << 16})
	if err != nil {
		f.Fatal(err)
	}
	for _, body := range []string{
		`{"messages":[{"role":"user","content":"hi"}],"seed":1,"n":2,"stream":true}`,
		`{"messages":[{"role":"user","content":[{"type":"text","text":"<|end|>"}],"name":"a"}],"logprobs":true,"top_logprobs":3}`,
		`{"messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_schema","json_schema":{"schema":{"enum":[1]}}},"logit_bias":{"5":1}}`,
		`{"prompt":["a","b"],"stop":"x","top_k":4,"min_p":0.1,"mirostat":2}`, `{"prompt":[[1,2],[3]],"logprobs":2,"choices":["a"]}`, `{"tokens":[1,2]}`,
		`{"messages":[{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"a","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"x"}],"tools":[{"type":"function","function":{"name":"a","parameters":{"properties":{"x":{"type":"integer"}}}}}],"tool_choice":"required"}`,
		`{"input":[{"role":"user","content":"hi"},{"type":"function_call","call_id":"1","name":"a","arguments":"{}"},{"type":"function_call_output","call_id":"1","output":"x"}],"text":{"format":{"type":"json_object"}},"instructions":"b"}`,
		`{"prompt":"a","best_of":3,"selector":{"name":"verifier","schema":true},"selectors":["first"],"echo":true,"logprobs":1}`,
	} {
		for endpoint := range uint8(5) {
			f.Add(endpoint, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, endpoint uint8, body []byte) {
		path := []string{"/v1/chat/completions", "/v1/completions", "/tokenize", "/detokenize", "/v1/responses"}[endpoint%5]
		r := httptest.NewRequest("POST", "http://127.0.0.1"+path, strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		switch w.Code {
		case 200, 400, 404, 413:
		default:
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
		if w.Code != 200 && at(decoded(t, w.Body.Bytes()), "error", "type") != "invalid_request_error" {
			t.Errorf("error %s", w.Body)
		}
	})
}
