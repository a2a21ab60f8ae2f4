package serve_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/serve"
)

// fitsDescription compares with OpenAI's description.
func fitsDescription(t *testing.T, name string, v any) {
	t.Helper()
	if os.Getenv("FOUNDLING_DATA") == "" {
		t.Log("no description of the interface to compare with: set FOUNDLING_DATA")
		return
	}
	if err := openAPI(t).schema(t, name).Validate(v); err != nil {
		t.Errorf("%v is no %s: %v", v, name, err)
	}
}

// responseEvents reads a stream of named events.
func responseEvents(t *testing.T, stream []byte) (all []any) {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(stream))
	lines.Buffer(nil, 1<<20)
	name := ""
	for lines.Scan() {
		line := lines.Text()
		if n, ok := strings.CutPrefix(line, "event: "); ok {
			name = n
		} else if data, ok := strings.CutPrefix(line, "data: "); ok {
			v := decoded(t, []byte(data))
			if at(v, "type") != name || at(v, "sequence_number") != float64(len(all)) {
				t.Fatalf("event %d is named %q: %s", len(all), name, data)
			}
			all = append(all, v)
		} else if line != "" {
			t.Fatalf("line %q of a stream", line)
		}
	}
	return all
}

// eventShapes are the descriptions of events.
var eventShapes = map[string]string{
	"response.created": "ResponseCreatedEvent", "response.in_progress": "ResponseInProgressEvent", "response.output_item.added": "ResponseOutputItemAddedEvent",
	"response.output_item.done": "ResponseOutputItemDoneEvent", "response.content_part.added": "ResponseContentPartAddedEvent", "response.content_part.done": "ResponseContentPartDoneEvent",
	"response.output_text.delta": "ResponseTextDeltaEvent", "response.output_text.done": "ResponseTextDoneEvent", "response.function_call_arguments.delta": "ResponseFunctionCallArgumentsDeltaEvent",
	"response.function_call_arguments.done": "ResponseFunctionCallArgumentsDoneEvent", "response.completed": "ResponseCompletedEvent", "response.incomplete": "ResponseIncompleteEvent",
}

// unnamed is a response without what differs between two of them.
func unnamed(v any) any {
	data, _ := json.Marshal(v)
	var x map[string]any
	json.Unmarshal(data, &x)
	for _, k := range []string{"id", "created_at", "completed_at"} {
		delete(x, k)
	}
	if u, ok := x["usage"].(map[string]any); ok {
		delete(u, "input_tokens_details")
	}
	for _, o := range x["output"].([]any) {
		delete(o.(map[string]any), "id")
		delete(o.(map[string]any), "call_id")
	}
	return x
}

// readResponse checks the events of a stream, and is the response that they end with.
func readResponse(t *testing.T, stream []byte) any {
	t.Helper()
	all := responseEvents(t, stream)
	texts, arguments := map[float64]string{}, map[float64]string{}
	for _, e := range all {
		kind := at(e, "type").(string)
		if eventShapes[kind] == "" {
			t.Fatalf("an event of the type %s", kind)
		}
		fitsDescription(t, eventShapes[kind], e)
		i, _ := at(e, "output_index").(float64)
		switch kind {
		case "response.output_text.delta":
			texts[i] += at(e, "delta").(string)
		case "response.function_call_arguments.delta":
			arguments[i] += at(e, "delta").(string)
		case "response.output_item.added":
			if c, _ := at(e, "item", "content").([]any); len(c) != 0 || at(e, "item", "arguments") != nil && at(e, "item", "arguments") != "" {
				t.Errorf("an item begins with %v", e)
			}
		case "response.output_item.done":
			if c, _ := at(e, "item", "content", 0, "text").(string); c != texts[i] {
				t.Errorf("the pieces are %q, the item %q", texts[i], c)
			}
			if c, _ := at(e, "item", "arguments").(string); c != arguments[i] {
				t.Errorf("the pieces are %q, the arguments %q", arguments[i], c)
			}
		}
	}
	return at(all[len(all)-1], "response")
}

// A response is the text of a chat with the same seed, whole and put together from its
// events.
func TestResponses(t *testing.T) {
	h, m := startLong(t)
	want := asJSON(library(t, m, "hello", foundling.Decoding{Seed: 7, MaxTokens: 24, Temperature: seven()}))
	const tools = `"tools":[{"type":"function","name":"weather","strict":true,"parameters":{"type":"object","properties":{"city":{"type":"string","maxLength":6},"days":{"type":"integer","minimum":1,"maximum":9}},"required":["city","days"],"additionalProperties":false}},{"type":"function","name":"now","parameters":null}]`
	for name, body := range map[string]string{
		"text":     `"input":"hello","seed":7,"max_output_tokens":24,"temperature":0.7`,
		"items":    `"input":[{"role":"user","content":[{"type":"input_text","text":"hel"},{"type":"input_text","text":"lo"}]}],"seed":7,"max_output_tokens":24,"temperature":0.7,"store":false`,
		"logprobs": `"input":"hello","seed":7,"max_output_tokens":24,"temperature":0.7,"include":["message.output_text.logprobs"],"top_logprobs":2`,
		"schema":   `"input":"hello","seed":1,"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object","properties":{"n":{"type":"boolean"}},"required":["n"],"additionalProperties":false}}},"metadata":{"a":"b"}`,
		"tools":    `"input":"hello","seed":3,"max_output_tokens":200,"tool_choice":"required",` + tools,
		"named":    `"input":"hello","seed":3,"max_output_tokens":200,"tool_choice":{"type":"function","name":"now"},` + tools,
		"allowed":  `"input":"hello","seed":3,"max_output_tokens":200,"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"weather"}]},` + tools,
		"auto":     `"input":"hello","seed":3,"max_output_tokens":40,"instructions":"Be brief.",` + tools,
		"policy":   `"input":"hello","seed":3,"max_output_tokens":10,"policy":"abstain","preset":"truthful"`,
		"best":     `"input":"hello","seed":3,"max_output_tokens":10,"best_of":3`,
	} {
		r, a := post(t, h.URL+"/v1/responses", `{`+body+`}`)
		v := decoded(t, a)
		if r.StatusCode != 200 {
			t.Errorf("%s: %s", name, a)
			continue
		}
		fitsDescription(t, "Response", v)
		first := at(v, "output", 0)
		text, _ := at(first, "content", 0, "text").(string)
		switch name {
		case "text", "items", "logprobs":
			if text != want {
				t.Errorf("%s: %q, the library says %q", name, text, want)
			}
			if n, _ := at(first, "content", 0, "logprobs").([]any); name == "logprobs" && (float64(len(n)) != at(v, "usage", "output_tokens") || len(at(n[0], "top_logprobs").([]any)) != 2) {
				t.Errorf("%d log-probabilities: %s", len(n), a)
			}
		case "schema":
			if json.Unmarshal([]byte(text), &struct{ N bool }{}) != nil || at(v, "status") != "completed" || at(v, "metadata", "a") != "b" {
				t.Errorf("schema: %s", a)
			}
		case "tools", "named", "allowed":
			for _, o := range at(v, "output").([]any) {
				function, _ := at(o, "name").(string)
				arguments, _ := at(o, "arguments").(string)
				if err := fits(function, arguments); err != nil || at(o, "type") != "function_call" || name == "named" && function != "now" || name == "allowed" && function != "weather" {
					t.Errorf("%s: %v: %v", name, o, err)
				}
			}
		case "policy":
			if text != serve.DontKnow || at(v, "output", 0, "foundling", "decision") == nil {
				t.Errorf("policy: %s", a)
			}
		case "best":
			if len(at(v, "foundling", "selections", 0, "scores").([]any)) != 3 {
				t.Errorf("best: %s", a)
			}
		}
		_, a = post(t, h.URL+"/v1/responses", `{`+body+`,"stream":true}`)
		if last := readResponse(t, a); !reflect.DeepEqual(unnamed(last), unnamed(v)) {
			t.Errorf("%s: the stream ends with\n%v, whole it is\n%v", name, unnamed(last), unnamed(v))
		}
	}
	r, a := post(t, h.URL+"/v1/responses", `{"input":"hello","max_output_tokens":3,"logit_bias":null}`)
	if r.StatusCode != 400 || at(decoded(t, a), "error", "param") != "logit_bias" {
		t.Errorf("%s", a)
	}
	r, _ = post(t, h.URL+"/v1/responses", `{"input":"hello","max_output_tokens":3,"store":true,"reasoning":{"effort":"low"},"user":"u"}`)
	if got := r.Header.Get("Foundling-Ignored"); got != "user, store, reasoning" {
		t.Errorf("ignored is %q", got)
	}
}

// What was output may be input, with what calls gave.
func TestResponsesTurns(t *testing.T) {
	h, _ := startLong(t)
	const input = `[{"role":"developer","content":"Be kind."},{"type":"message","role":"user","content":"Paris?"},
		{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"I look.","annotations":[],"logprobs":[]}]},
		{"type":"function_call","id":"fc_1","call_id":"call_1","status":"completed","name":"now","arguments":"{}"},{"type":"function_call","call_id":"call_2","name":"now","arguments":"{}"},
		{"type":"function_call_output","call_id":"call_1","output":"noon"},{"type":"function_call_output","call_id":"call_2","output":[{"type":"input_text","text":"night"}]}]`
	body := `{"seed":2,"max_output_tokens":9,"instructions":"Be brief.","input":` + input + `}`
	_, a := post(t, h.URL+"/v1/responses", body)
	got := at(decoded(t, a), "output", 0, "content", 0, "text")
	chat := `{"seed":2,"max_tokens":9,"messages":[{"role":"system","content":"Be brief.\n\nBe kind."},{"role":"user","content":"Paris?"},
		{"role":"assistant","content":"I look.","tool_calls":[{"id":"call_1","type":"function","function":{"name":"now","arguments":"{}"}},{"id":"call_2","type":"function","function":{"name":"now","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"call_1","content":"noon"},{"role":"tool","tool_call_id":"call_2","content":"night"}]}`
	_, b := post(t, h.URL+"/v1/chat/completions", chat)
	if want := at(decoded(t, b), "choices", 0, "message", "content"); got != want || got == nil {
		t.Errorf("the response is %s, the chat %s", a, b)
	}
	if n := at(decoded(t, a), "usage", "input_tokens"); n != at(decoded(t, b), "usage", "prompt_tokens") || math.IsNaN(n.(float64)) {
		t.Errorf("%v tokens of input", n)
	}
}

func TestResponsesErrors(t *testing.T) {
	h := start(t, nil)
	input := func(items string) string { return `"input":[{"role":"user","content":"hi"},` + items + `]` }
	for _, c := range []struct{ body, param string }{
		{``, "input"}, {`"input":5`, "input"}, {`"input":[]`, "input"}, {`"input":"a","previous_response_id":"resp_1"`, "previous_response_id"},
		{`"input":"a","conversation":"c"`, "conversation"}, {`"input":"a","background":true`, "background"}, {`"input":"a","prompt":{"id":"p"}`, "prompt"},
		{`"input":"a","truncation":"auto"`, "truncation"}, {`"input":"a","include":["file_search_call.results"]`, "include"}, {`"input":"a","n":2`, "n"}, {`"input":"a","stop":"x"`, "stop"},
		{`"input":"a","top_logprobs":2`, "top_logprobs"}, {`"input":"a","max_output_tokens":0`, "max_output_tokens"}, {`"input":"a","return_token_ids":true`, "return_token_ids"},
		{`"input":"a","tools":[{"type":"web_search"}]`, "tools[0].type"}, {`"input":"a","tools":[{"type":"function","name":"a b"}]`, "tools[0].name"},
		{`"input":"a","tools":[{"type":"function","name":"a","parameters":{"type":"string"}}]`, "tools[0].parameters"}, {`"input":"a","tool_choice":"required"`, "tool_choice"},
		{`"input":"a","tools":[{"type":"function","name":"a"}],"tool_choice":{"type":"mcp"}`, "tool_choice"},
		{`"input":"a","text":{"format":{"type":"json_schema","name":"x","schema":{"type":"nothing"}}}`, "text.format.schema"}, {`"input":"a","text":{"format":{"type":"xml"}}`, "text.format.type"},
		{`"input":"a","text":{"format":{"type":"json_schema","name":"x"}}`, "text.format.schema"},
		{input(`{"role":"user","content":[{"type":"input_image","image_url":"x"}]}`), "input[1].content[0].input_image"}, {input(`{"role":"user","content":5}`), "input[1].content"},
		{input(`{"role":"user","content":[{"type":"input_text"}]}`), "input[1].content[0].text"}, {input(`{"role":"user","content":[{"type":"input_text","text":5}]}`), "input[1].content[0].text"},
		{input(`{"role":"user","content":"a","colour":1}`), "input[1].colour"}, {input(`{"role":"robot","content":"a"}`), "input[1].role"}, {input(`{"role":"tool","content":"a"}`), "input[1].role"},
		{input(`{"type":"item_reference","id":"x"}`), "input[1]"}, {input(`{"type":"reasoning","id":"x"}`), "input[1].type"},
		{input(`{"type":"function_call","call_id":"c","name":"f","arguments":"{"}`), "input[1].arguments"}, {input(`{"role":"assistant","content":"a"},{"type":"function_call","name":"f","arguments":"{}"}`), "input[2].call_id"},
		{input(`{"type":"function_call_output","call_id":"c","output":"x"}`), "input[1].call_id"}, {input(`{"type":"function_call_output","call_id":"c"}`), "input[1].output"},
		{`"input":"` + strings.Repeat("long ", 200) + `"`, "input"}, {`"input":"a","model":"base"`, "model"},
	} {
		r, a := post(t, h.URL+"/v1/responses", `{`+c.body+`}`)
		if r.StatusCode != 400 || at(decoded(t, a), "error", "param") != c.param {
			t.Errorf("%.100s: %d %s, want %s", c.body, r.StatusCode, a, c.param)
		}
	}
	if r, a := post(t, h.URL+"/v1/responses", fmt.Sprintf(`{"input":"a","stream":true,"regex":"%s","max_output_tokens":3}`, strings.Repeat("a", 20))); r.StatusCode != 400 || at(decoded(t, a), "error", "param") != "max_output_tokens" {
		t.Errorf("%d %s", r.StatusCode, a)
	}
}
