package serve_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/foundling-lm/foundling/internal/golden"
)

// data is a file of the data directory.
func data(t testing.TB, name ...string) string {
	t.Helper()
	return golden.Data(t, append([]string{"api"}, name...)...)
}

// description is OpenAI's description of its interface.
type description struct {
	root     map[string]any
	compiler *jsonschema.Compiler
}

// openAPI reads it, once.
func openAPI(t testing.TB) *description {
	t.Helper()
	reading.Lock()
	defer reading.Unlock()
	if read == nil {
		read = readOpenAPI(t)
	}
	return read
}

var (
	reading sync.Mutex
	read    *description
)

func readOpenAPI(t testing.TB) *description {
	t.Helper()
	f, err := os.Open(data(t, "openai_openapi.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(z)
	if err != nil {
		t.Fatal(err)
	}
	d := &description{root: v.(map[string]any), compiler: jsonschema.NewCompiler()}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	schemas := at(v, "components", "schemas")
	doc := map[string]any{"components": map[string]any{"schemas": asSchema(schemas)}}
	if err := d.compiler.AddResource("api.json", doc); err != nil {
		t.Fatal(err)
	}
	return d
}

// asSchema makes plain JSON Schema of what OpenAPI adds: nullable, and alternatives that
// a discriminator tells apart, which may overlap.
func asSchema(v any) any {
	switch x := v.(type) {
	case []any:
		for i := range x {
			x[i] = asSchema(x[i])
		}
	case map[string]any:
		for key := range x {
			x[key] = asSchema(x[key])
		}
		for _, older := range []string{"$recursiveRef", "$recursiveAnchor"} { // of the draft before
			delete(x, older)
		}
		if one, ok := x["oneOf"].([]any); ok && x["anyOf"] == nil {
			delete(x, "oneOf")
			x["anyOf"] = one
		}
		if x["nullable"] == true {
			delete(x, "nullable")
			return map[string]any{"anyOf": []any{x, map[string]any{"type": "null"}}}
		}
	}
	return v
}

// schema is one of the description, by its name.
func (d *description) schema(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	s, err := d.compiler.Compile("api.json#/components/schemas/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// answers is the name of the schema of a path's answer of some kind of content.
func (d *description) answers(t testing.TB, method, path, content string) string {
	t.Helper()
	path = strings.TrimPrefix(path, "/v1")
	if strings.HasPrefix(path, "/models/") {
		path = "/models/{model}"
	}
	ref, _ := at(d.root, "paths", path, strings.ToLower(method), "responses", "200", "content", content, "schema", "$ref").(string)
	if ref == "" && content == "text/event-stream" && path == "/completions" {
		return d.answers(t, method, path, "application/json") // its events have the same shape
	}
	name, ok := strings.CutPrefix(ref, "#/components/schemas/")
	if !ok {
		t.Fatalf("the description has no answer of %s to %s %s", content, method, path)
	}
	return name
}

// lines are the values of a stream of events: what stands behind data.
func lines(t testing.TB, stream []byte) (all []any) {
	t.Helper()
	s := bufio.NewScanner(bytes.NewReader(stream))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		line := strings.TrimPrefix(s.Text(), "data: ")
		if strings.HasPrefix(line, "{") {
			v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, v)
		}
	}
	return all
}

const weatherTool = `,"tools":[{"type":"function","function":{"name":"weather","description":"Tells the weather.","parameters":{"type":"object","properties":{"city":{"type":"string","enum":["Oslo","Rome"]}},"required":["city"],"additionalProperties":false}}}]`

// Answers and events are as OpenAI's description of its interface has them.
func TestOpenAPI(t *testing.T) {
	d := openAPI(t)
	h := start(t, nil)
	const hello = `{"messages":[{"role":"user","content":"hello"}],"seed":3,"max_tokens":8`
	long := strings.Replace(hello, `"max_tokens":8`, `"max_tokens":128`, 1)
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/v1/models", ""},
		{"GET", "/v1/models/base", ""},
		{"POST", "/v1/chat/completions", hello + `}`},
		{"POST", "/v1/chat/completions", hello + `,"n":2,"logprobs":true,"top_logprobs":3}`},
		{"POST", "/v1/chat/completions", hello + `,"stream":true}`},
		{"POST", "/v1/chat/completions", hello + `,"n":2,"stream":true,"logprobs":true,"top_logprobs":2,"stream_options":{"include_usage":true}}`},
		{"POST", "/v1/chat/completions", long + weatherTool + `,"tool_choice":"required"}`},
		{"POST", "/v1/chat/completions", long + weatherTool + `,"tool_choice":"required","stream":true}`},
		{"POST", "/v1/completions", `{"model":"base","prompt":["a","b"],"seed":1,"n":2,"max_tokens":5}`},
		{"POST", "/v1/completions", `{"model":"base","prompt":"a","seed":1,"logprobs":2,"max_tokens":5}`},
		{"POST", "/v1/completions", `{"model":"base","prompt":"a","seed":1,"max_tokens":5,"stream":true,"logprobs":1,"stream_options":{"include_usage":true}}`},
		{"POST", "/v1/embeddings", `{"input":["a","b"]}`},
		{"POST", "/v1/responses", `{"input":"hello","max_output_tokens":8,"store":false}`},
		{"POST", "/v1/responses", `{"input":"hello","max_output_tokens":8,"store":false,"stream":true}`},
	} {
		request, err := http.NewRequest(c.method, h.URL+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		r, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		var answer bytes.Buffer
		answer.ReadFrom(r.Body)
		r.Body.Close()
		name := fmt.Sprintf("%s %s %.90s", c.method, c.path, c.body)
		if r.StatusCode != 200 {
			t.Errorf("%s: %d %s", name, r.StatusCode, &answer)
			continue
		}
		kind := r.Header.Get("Content-Type")
		schema := d.schema(t, d.answers(t, c.method, c.path, kind))
		all := lines(t, answer.Bytes())
		if len(all) == 0 || kind == "text/event-stream" && len(all) < 3 {
			t.Errorf("%s: %d values in %s", name, len(all), &answer)
		}
		for _, v := range all {
			if kind == "text/event-stream" && c.path == "/v1/completions" {
				unfinished(v.(map[string]any))
			}
			if err := schema.Validate(v); err != nil {
				t.Errorf("%s: %s\n%v", name, must(json.Marshal(v)), err)
			}
		}
	}
	// Errors, of each kind.
	schema := d.schema(t, "ErrorResponse")
	for _, c := range []struct{ path, body string }{{"/v1/chat/completions", `{}`}, {"/v1/completions", `{"prompt":"a","model":"none"}`}, {"/v1/nothing", `{}`}, {"/v1/embeddings", `{"input":5}`}} {
		r, a := post(t, h.URL+c.path, c.body)
		if err := schema.Validate(lines(t, a)[0]); err != nil || r.StatusCode < 400 {
			t.Errorf("%s %s: %d %s: %v", c.path, c.body, r.StatusCode, a, err)
		}
	}
}

// unfinished makes an event of a text completion what a whole one is: it may have null
// for what comes with the last, which the description says in words alone.
func unfinished(event map[string]any) {
	if v, ok := event["usage"]; ok && v == nil {
		delete(event, "usage")
	}
	for _, choice := range event["choices"].([]any) {
		if c := choice.(map[string]any); c["finish_reason"] == nil {
			c["finish_reason"] = "stop"
		}
	}
}

// The check knows what is wrong, and takes what OpenAI's own server answered.
func TestOpenAPICheck(t *testing.T) {
	d := openAPI(t)
	whole, chunk := d.schema(t, "CreateChatCompletionResponse"), d.schema(t, "CreateChatCompletionStreamResponse")
	recorded, err := os.ReadFile(data(t, "recorded", "openai", "openai-text.json"))
	if err != nil {
		t.Fatal(err)
	}
	for key, bad := range map[string]any{"choices": nil, "id": 5, "object": "chat.completion.chunk", "created": "today"} {
		v := must(jsonschema.UnmarshalJSON(bytes.NewReader(recorded))).(map[string]any)
		if err := whole.Validate(v); err != nil {
			t.Fatalf("what was recorded does not fit: %v", err)
		}
		if v[key] = bad; bad == nil {
			delete(v, key)
		}
		if whole.Validate(v) == nil {
			t.Errorf("%s may be %v", key, bad)
		}
	}
	stream, err := os.ReadFile(data(t, "recorded", "openai", "openai-text.chunks.txt"))
	if err != nil {
		t.Fatal(err)
	}
	all := lines(t, stream)
	for _, v := range all {
		if err := chunk.Validate(v); err != nil {
			t.Errorf("recorded: %v", err)
		}
	}
	if len(all) < 10 {
		t.Errorf("%d chunks were recorded", len(all))
	}
}

// Answers have every field that recorded ones have, but for those of OpenAI's own
// service.
func TestRecorded(t *testing.T) {
	h := start(t, nil)
	_, whole := post(t, h.URL+"/v1/chat/completions", `{"messages":[{"role":"user","content":"hello"}],"max_tokens":8}`)
	_, stream := post(t, h.URL+"/v1/chat/completions", `{"messages":[{"role":"user","content":"hello"}],"max_tokens":8,"stream":true,"stream_options":{"include_usage":true}}`)
	theirs := []string{"service_tier", "obfuscation", "choices.message.annotations", "choices.delta.refusal",
		"usage.prompt_tokens_details.audio_tokens", "usage.completion_tokens_details"}
	for name, ours := range map[string][]byte{"openai-text.json": whole, "openai-text.chunks.txt": stream} {
		file, err := os.ReadFile(data(t, "recorded", "openai", name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "openai-text.json" {
			var b bytes.Buffer
			if err := json.Compact(&b, file); err != nil {
				t.Fatal(err)
			}
			file = b.Bytes()
		}
		want, got := fields(lines(t, file)), fields(lines(t, ours))
		if len(want) < 10 {
			t.Fatalf("%s: fields %v", name, want)
		}
		for _, field := range want {
			own := slices.ContainsFunc(theirs, func(s string) bool { return field == s || strings.HasPrefix(field, s+".") })
			if !own && !slices.Contains(got, field) {
				t.Errorf("%s has %s, ours has %v", name, field, got)
			}
		}
	}
}

// fields are the paths of all fields of some values.
func fields(values []any) (paths []string) {
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch x := v.(type) {
		case []any:
			for _, one := range x {
				walk(path, one)
			}
		case map[string]any:
			for key, one := range x {
				at := strings.TrimPrefix(path+"."+key, ".")
				if !slices.Contains(paths, at) {
					paths = append(paths, at)
				}
				walk(at, one)
			}
		}
	}
	for _, v := range values {
		walk("", v)
	}
	return paths
}
