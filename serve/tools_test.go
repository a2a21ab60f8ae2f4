package serve_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/servetest"
)

// twoTools are functions; arguments of the first are held to some bounds.
const twoTools = `"tools":[
	{"type":"function","function":{"name":"weather","description":"Of a <city>","strict":true,"parameters":{"type":"object","properties":{"city":{"type":"string","maxLength":6},"days":{"type":"integer","minimum":1,"maximum":9}},"required":["city","days"],"additionalProperties":false}}},
	{"type":"function","function":{"name":"now"}}]`

// startLong serves a model of conversations with room for tools.
func startLong(t testing.TB, special ...string) (*httptest.Server, *foundling.Model) {
	t.Helper()
	m, err := servetest.Model(filepath.Join(t.TempDir(), "long"), servetest.Shape{Chat: true, Context: 2048, Special: special})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return start(t, func(o *serve.Options) { o.Models = []serve.Model{{Name: "talker", Model: m}} }), m
}

func calling(rest string) string {
	return `{"messages":[{"role":"user","content":"Paris?"}],` + twoTools + rest + `}`
}

// made is the calls of a message, as name and arguments.
func made(t *testing.T, message any) (out []string) {
	t.Helper()
	list, _ := at(message, "tool_calls").([]any)
	seen := map[any]bool{}
	for _, c := range list {
		name, _ := at(c, "function", "name").(string)
		arguments, _ := at(c, "function", "arguments").(string)
		if id, _ := at(c, "id").(string); !strings.HasPrefix(id, "call_") || seen[id] || at(c, "type") != "function" {
			t.Errorf("call %v", c)
		}
		seen[at(c, "id")] = true
		if err := fits(name, arguments); err != nil {
			t.Errorf("%s(%s): %v", name, arguments, err)
		}
		out = append(out, name+arguments)
	}
	return out
}

func fits(name, arguments string) error {
	d := json.NewDecoder(strings.NewReader(arguments))
	d.DisallowUnknownFields()
	switch name {
	case "now":
		return d.Decode(&struct{}{})
	case "weather":
		var a struct {
			City *string
			Days *float64
		}
		if err := d.Decode(&a); err != nil {
			return err
		}
		if a.City == nil || len([]rune(*a.City)) > 6 || a.Days == nil || *a.Days < 1 || *a.Days > 9 {
			return fmt.Errorf("outside the schema")
		}
		return nil
	}
	return fmt.Errorf("no function of this name")
}

// Where a call must come it comes, whole and valid, with any limit of tokens that it fits
// into, also from a model that knows nothing of functions.
func TestToolsRequired(t *testing.T) {
	h, _ := startLong(t)
	for _, c := range []struct {
		rest string
		ok   func(calls []string) bool
	}{
		{`,"tool_choice":"required"`, func(calls []string) bool { return len(calls) >= 1 }},
		{`,"tool_choice":"required","parallel_tool_calls":false`, func(calls []string) bool { return len(calls) == 1 }},
		{`,"tool_choice":{"type":"function","function":{"name":"now"}}`, func(calls []string) bool { return len(calls) == 1 && strings.HasPrefix(calls[0], "now{") }},
		{`,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"weather"}}]}}`, func(calls []string) bool {
			for _, c := range calls {
				if !strings.HasPrefix(c, "weather{") {
					return false
				}
			}
			return len(calls) > 0
		}},
	} {
		for _, limit := range []int{90, 100, 150, 300} {
			_, a := post(t, h.URL+"/v1/chat/completions", calling(fmt.Sprintf(`,"seed":%d,"temperature":1.5,"max_tokens":%d%s`, limit, limit, c.rest)))
			v := decoded(t, a)
			got := made(t, at(v, "choices", 0, "message"))
			if !c.ok(got) || at(v, "choices", 0, "finish_reason") != "tool_calls" || at(v, "choices", 0, "message", "content") != nil {
				t.Errorf("%s, %d tokens: %s", c.rest, limit, a)
			}
		}
	}
	_, a := post(t, h.URL+"/v1/chat/completions", calling(`,"tool_choice":"required","max_tokens":20`))
	if got := at(decoded(t, a), "error", "code"); got != "max_tokens_too_low" {
		t.Errorf("20 tokens: %s", a)
	}
}

// A stream has the calls of the whole answer.
func TestToolsStream(t *testing.T) {
	h, _ := startLong(t)
	for _, rest := range []string{`,"tool_choice":"required"`, `,"tool_choice":"required","logprobs":true`, ``, `,"logit_bias":{"60":100}`} {
		body := `,"seed":4,"n":2,"max_tokens":160` + rest
		_, a := post(t, h.URL+"/v1/chat/completions", calling(body))
		whole := decoded(t, a)
		_, a = post(t, h.URL+"/v1/chat/completions", calling(body+`,"stream":true`))
		var content [2]string
		var calls [2][]string
		var ended [2]any
		for _, e := range events(t, a) {
			n := int(at(e, "choices", 0, "index").(float64))
			text, _ := at(e, "choices", 0, "delta", "content").(string)
			content[n] += text
			list, _ := at(e, "choices", 0, "delta", "tool_calls").([]any)
			for _, d := range list {
				k := int(at(d, "index").(float64))
				if id, there := at(d, "id").(string); there != (k == len(calls[n])) || there && at(d, "type") != "function" {
					t.Fatalf("call %d with id %q behind %d calls", k, id, len(calls[n]))
				}
				if name, there := at(d, "function", "name").(string); there {
					calls[n] = append(calls[n], name)
				}
				calls[n][k] += at(d, "function", "arguments").(string)
			}
			ended[n] = at(e, "choices", 0, "finish_reason")
		}
		for n := range 2 {
			want, _ := at(whole, "choices", n, "message", "content").(string)
			if got := made(t, at(whole, "choices", n, "message")); !reflect.DeepEqual(calls[n], got) || content[n] != want || ended[n] != at(whole, "choices", n, "finish_reason") {
				t.Errorf("%s: the stream calls %q and says %q (%v), the whole answer calls %q and says %q", rest, calls[n], content[n], ended[n], got, want)
			}
		}
	}
}

// Free text may have calls, and then these are valid: here the model is pushed to begin
// one, by a special token, as models have it that learned to call.
func TestToolsAuto(t *testing.T) {
	h, m := startLong(t, "<tool_call>", "</tool_call>")
	open, _ := m.Bundle.Tokenizer.SpecialID("<tool_call>")
	called := 0
	for seed := range 8 {
		_, a := post(t, h.URL+"/v1/chat/completions", calling(fmt.Sprintf(`,"seed":%d,"max_tokens":200,"logit_bias":{"%d":-100}`, seed, open)))
		if v := decoded(t, a); len(made(t, at(v, "choices", 0, "message"))) > 0 || at(v, "choices", 0, "message", "content") == nil {
			t.Errorf("a call without its mark: %s", a)
		}
		_, a = post(t, h.URL+"/v1/chat/completions", calling(fmt.Sprintf(`,"seed":%d,"max_tokens":200,"parallel_tool_calls":%v,"logit_bias":{"%d":5}`, seed, seed%2 == 0, open)))
		v := decoded(t, a)
		n := len(made(t, at(v, "choices", 0, "message")))
		if called += n; n == 0 || seed%2 == 1 && n > 1 || at(v, "choices", 0, "finish_reason") != "tool_calls" {
			t.Errorf("%d calls: %s", n, a)
		}
		if content, _ := at(v, "choices", 0, "message", "content").(string); strings.Contains(content, "tool_call") {
			t.Errorf("%q", content)
		}
	}
	if called < 10 {
		t.Errorf("%d calls in 8 answers", called)
	}
	_, a := post(t, h.URL+"/v1/chat/completions", calling(`,"tool_choice":"none","seed":1,"max_tokens":20`))
	if at(decoded(t, a), "choices", 0, "message", "tool_calls") != nil {
		t.Errorf("none: %s", a)
	}
}

// What stops a text is looked for before a call, and never cuts one.
func TestToolsStop(t *testing.T) {
	for name, special := range map[string][]string{"tokens": {"<tool_call>", "</tool_call>"}, "bytes": nil} {
		h, m := startLong(t, special...)
		begin := m.Bundle.Tokenizer.EncodeSpecial("<tool_call>")
		ids, _ := json.Marshal(begin)
		begun := `"prefix_ids":` + string(ids)
		const ofTag = `"stop":["<","tool"]`
		for _, stop := range []string{`"stop":[":","x"]`, `"stop_regex":"[\\[{]"`, `"stop":"\"","stop_regex":"n.m"`, ofTag} {
			for _, rest := range []string{`"tool_choice":"required"`, begun, begun + `,"response_format":{"type":"json_object"}`} {
				if rest == begun && stop == ofTag {
					continue // it may be text until the tag is whole
				}
				_, a := post(t, h.URL+"/v1/chat/completions", calling(fmt.Sprintf(`,"seed":4,"max_tokens":300,%s,%s`, stop, rest)))
				v := decoded(t, a)
				if len(made(t, at(v, "choices", 0, "message"))) == 0 || at(v, "choices", 0, "finish_reason") != "tool_calls" || at(v, "choices", 0, "message", "content") != nil {
					t.Errorf("%s, %s, %s: %s", name, stop, rest, a)
				}
			}
		}
		free := fmt.Sprintf(`,"seed":6,"max_tokens":40,"logit_bias":{"%d":-100}`, begin[0])
		_, a := post(t, h.URL+"/v1/chat/completions", calling(free))
		whole, _ := at(decoded(t, a), "choices", 0, "message", "content").(string)
		cut := 4 // to before a letter that is new
		for cut < len(whole) && (whole[cut]|32 < 'a' || whole[cut]|32 > 'z' || strings.Contains(whole[:cut], whole[cut:cut+1])) {
			cut++
		}
		if cut == len(whole) {
			t.Fatalf("%s: %q says little", name, whole)
		}
		before, stop := whole[:cut], whole[cut:cut+1]
		stops, _ := json.Marshal(stop)
		_, a = post(t, h.URL+"/v1/chat/completions", calling(free+`,"stop":`+string(stops)))
		if v := decoded(t, a); at(v, "choices", 0, "message", "content") != before || at(v, "choices", 0, "finish_reason") != "stop" {
			t.Errorf("%s: %q before %q, got %s", name, before, stop, a)
		}
	}
}

// A call that is not whole when its time is over is none.
func TestToolsTime(t *testing.T) {
	h, _ := startLong(t)
	cut := 0
	for i := range 6 {
		_, a := post(t, h.URL+"/v1/chat/completions", calling(fmt.Sprintf(`,"seed":4,"tool_choice":"required","timeout":%v`, 0.0001*float64(1+i*i*i))))
		v := decoded(t, a)
		if at(v, "error", "code") == "timeout" { // before it began
			cut++
			continue
		}
		n := len(made(t, at(v, "choices", 0, "message")))
		if reason := at(v, "choices", 0, "finish_reason"); reason == "length" || at(v, "error", "code") == "timeout" {
			cut++
		} else if reason != "tool_calls" || n == 0 {
			t.Errorf("%s", a)
		}
	}
	if cut == 0 {
		t.Log("no call was cut")
	}
}

// Where the text must be JSON it is that, or calls.
func TestToolsOrJSON(t *testing.T) {
	h, m := startLong(t, "<tool_call>", "</tool_call>")
	open, _ := m.Bundle.Tokenizer.SpecialID("<tool_call>")
	for _, bias := range []int{-100, 100} { // of the token, or a letter, that begins a call
		for _, format := range []string{`{"type":"json_object"}`, `{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","properties":{"s":{"type":"integer"}},"required":["s"],"additionalProperties":false}}}`} {
			_, a := post(t, h.URL+"/v1/chat/completions", calling(fmt.Sprintf(`,"seed":3,"max_tokens":300,"logit_bias":{"%d":%d,"60":%d},"response_format":%s`, open, bias, min(bias, 0), format)))
			v := decoded(t, a)
			content, text := at(v, "choices", 0, "message", "content").(string)
			calls := made(t, at(v, "choices", 0, "message"))
			if bias > 0 && (len(calls) == 0 || text) || bias < 0 && (len(calls) > 0 || json.Unmarshal([]byte(content), &map[string]any{}) != nil) {
				t.Errorf("%s", a)
			}
		}
	}
}

// What was called and what it gave comes before the next answer.
func TestToolMessages(t *testing.T) {
	h, talker := startLong(t)
	const conversation = `"messages":[{"role":"user","content":"Paris?"},
		{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris<|end|>\",\"days\":1}"}}]},
		{"role":"tool","tool_call_id":"call_1","content":"sunny<|end|>"}]`
	_, a := post(t, h.URL+"/tokenize", `{`+conversation+`,`+twoTools+`}`)
	var tokens struct{ Tokens []int32 }
	if err := json.Unmarshal(a, &tokens); err != nil || len(tokens.Tokens) == 0 {
		t.Fatalf("%v: %s", err, a)
	}
	text := talker.Bundle.Tokenizer.DecodeSpecial(tokens.Tokens)
	for _, want := range []string{
		`Of a <city>`, "<|assistant|><tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\":\"Paris<|end|>\",\"days\":1}}\n</tool_call><|end|>",
		"<|user|><tool_response>\nsunny<|end|>\n</tool_response><|end|><|assistant|>",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
	specials := 0
	for _, id := range tokens.Tokens {
		if _, ok := talker.Bundle.Tokenizer.Special(id); ok {
			specials++
		}
	}
	if specials != 9 { // four messages and the next answer
		t.Errorf("%d special tokens, want 9: what arguments and results spell is none", specials)
	}
	r, a := post(t, h.URL+"/v1/chat/completions", `{`+conversation+`,`+twoTools+`,"max_tokens":4}`)
	if r.StatusCode != 200 {
		t.Errorf("%s", a)
	}
}

func TestToolErrors(t *testing.T) {
	h, _ := startLong(t)
	tool := func(f string) string { return `,"tools":[{"type":"function","function":` + f + `}]` }
	message := func(m string) string { return `{"messages":[{"role":"user","content":"hi"},` + m + `]}` }
	user := func(rest string) string { return `{"messages":[{"role":"user","content":"hi"}]` + rest + `}` }
	for _, c := range []struct{ body, param string }{
		{user(`,"tool_choice":"required"`), "tool_choice"},
		{user(`,"parallel_tool_calls":true`), "parallel_tool_calls"},
		{user(`,"tools":[{"type":"custom","custom":{"name":"x"}}]`), "tools[0]"},
		{user(`,"tools":[{"type":"retrieval"}]`), "tools[0].type"},
		{user(`,"tools":[{"type":"function"}]`), "tools[0].function"},
		{user(`,"tools":[{"type":"function","function":{"name":"a"},"colour":1}]`), "tools[0].colour"},
		{user(tool(`{"name":"a b"}`)), "tools[0].function.name"},
		{user(`,"tools":[{"type":"function","function":{"name":"a"}},{"type":"function","function":{"name":"a"}}]`), "tools[1].function.name"},
		{user(tool(`{"name":"a","parameters":{"type":"string"}}`)), "tools[0].function.parameters"},
		{user(tool(`{"name":"a","parameters":{"type":"object","properties":{"x":{"type":"nothing"}}}}`)), "tools[0].function.parameters"},
		{user(tool(`{"name":"a"}`) + `,"tool_choice":"some"`), "tool_choice"},
		{user(tool(`{"name":"a"}`) + `,"tool_choice":5`), "tool_choice"},
		{user(tool(`{"name":"a"}`) + `,"tool_choice":{"type":"function","function":{"name":"b"}}`), "tool_choice"},
		{user(tool(`{"name":"a"}`) + `,"tool_choice":{"type":"custom","custom":{"name":"a"}}`), "tool_choice.custom"},
		{user(tool(`{"name":"a"}`) + `,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[]}}`), "tool_choice"},
		{user(tool(`{"name":"a"}`) + `,"regex":"x"`), "regex"},
		{user(tool(`{"name":"a"}`) + `,"stop_regex":"("`), "stop_regex"},
		{user(tool(`{"name":"a"}`) + `,"stop_regex":"(","tool_choice":"required"`), "stop_regex"},
		{user(tool(`{"name":"a"}`) + `,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"nothing"}}}`), "response_format.json_schema.schema"},
		{message(`{"role":"tool","content":"x","tool_call_id":"y"}`), "messages[1].tool_call_id"},
		{message(`{"role":"user","content":"x","tool_call_id":"y"}`), "messages[1].tool_call_id"},
		{message(`{"role":"user","content":"x","tool_calls":[{}]}`), "messages[1].tool_calls"},
		{message(`{"role":"assistant"}`), "messages[1].content"},
		{message(`{"role":"assistant","function_call":{"name":"a","arguments":""}}`), "messages[1].function_call"},
		{message(`{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"a","arguments":"{"}}]}`), "messages[1].tool_calls[0].function.arguments"},
		{message(`{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"a","arguments":"{}"}}]}`), "messages[1].tool_calls[0].id"},
		{message(`{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"a<","arguments":"{}"}}]}`), "messages[1].tool_calls[0].function.name"},
		{message(`{"role":"assistant","tool_calls":[{"id":"1","type":"function"}]}`), "messages[1].tool_calls[0]"},
	} {
		r, a := post(t, h.URL+"/v1/chat/completions", c.body)
		if r.StatusCode != 400 || at(decoded(t, a), "error", "param") != c.param {
			t.Errorf("%s: %d %s, want %s", c.body, r.StatusCode, a, c.param)
		}
	}
}
