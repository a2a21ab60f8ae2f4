package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// kind is a family of attacks.
type kind struct {
	name string
	make func(d *draws) attack
}

// kinds are those that the server is tried with. The forged special tokens are checked
// against what it does with harmless text.
func (t *Target) kinds(ctx context.Context) ([]kind, error) {
	forged, err := t.forged(ctx)
	if err != nil {
		return nil, err
	}
	all := []kind{
		{"JSON with broken bytes", t.brokenText},
		{"broken JSON elsewhere", t.elsewhere},
		{"deep nesting", deep},
		{"huge numbers", t.huge},
		{"wrong types", t.mistyped},
		{"unknown fields and doubled names", t.unknown},
		{"text that is no UTF-8", t.notText},
		{"images, sound and files", t.media},
		{"hostile schemas and patterns", t.formats},
		{"large bodies and long lists", t.large},
		{"header tricks", t.headers},
		{"bytes on the wire", t.bytes},
		{"path tricks", t.paths},
		{"methods", methods},
	}
	if forged != nil {
		all = append(all, kind{"forged special tokens", forged})
	}
	if t.Key != "" {
		all = append(all, kind{"wrong keys", t.keys})
	}
	return all, nil
}

const (
	chatPath = "/v1/chat/completions"
	textPath = "/v1/completions"
)

// valid is a request that would be answered, short.
func (t *Target) valid(d *draws) (path string, body map[string]any) {
	body = map[string]any{"max_tokens": 1, "seed": d.below(1000), "temperature": 0.5, "top_p": 0.9, "stop": []string{"\n"}}
	if t.Model != "" {
		body["model"] = t.Model
	}
	if d.below(2) == 0 {
		body["prompt"] = "a"
		return textPath, body
	}
	body["messages"] = []any{map[string]any{"role": "system", "content": "b"}, map[string]any{"role": "user", "content": []any{map[string]any{"type": "text", "text": "c"}}}}
	return chatPath, body
}

func encoded(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic("drill: " + err.Error()) // plain data
	}
	return data
}

// with is a valid body with a field put in as JSON text, which may be no JSON.
func with(body map[string]any, field, value string) []byte {
	delete(body, field)
	data := encoded(body)
	return fmt.Appendf(data[:len(data)-1], ",%s:%s}", encoded(field), value)
}

func posted(path string, body []byte) attack {
	return attack{method: http.MethodPost, path: path, body: body}
}

// broken changes bytes. What is no JSON any more must be refused, the rest may be
// answered.
func broken(d *draws, path string, data []byte) attack {
	for range 1 + d.below(4) {
		i := d.below(len(data))
		switch d.below(4) {
		case 0:
			data[i] = byte(d.uint64())
		case 1:
			data = slices.Delete(data, i, min(len(data), i+1+d.below(8)))
		case 2:
			data = slices.Insert(data, i, []byte(one(d, []string{"{", "}", "[", "]", `"`, ",", ":", "\\", "\\u0000", "\x00", "null", "-", "1e9", "\xff", "\n"}))...)
		case 3:
			data = data[:i]
		}
		if len(data) == 0 {
			break
		}
	}
	a := posted(path, data)
	if json.Valid(data) {
		a.want = harmless
	}
	return a
}

// brokenText is a request for a text that is broken.
func (t *Target) brokenText(d *draws) attack {
	path, body := t.valid(d)
	return broken(d, path, encoded(body))
}

// others are endpoints besides those of texts, with bodies that they would answer.
var others = []struct{ path, body string }{
	{"/v1/responses", `{"input":"a","max_output_tokens":1,"instructions":"b","text":{"format":{"type":"text"}}}`},
	{"/v1/embeddings", `{"input":["a","b"],"encoding_format":"float"}`},
	{"/v1/score", `{"input":"a b c"}`},
	{"/v1/rerank", `{"query":"a","documents":["b","c"]}`},
	{"/v1/classify", `{"input":"a"}`},
	{"/v1/explain", `{"prompt":"a","top":3,"temperature":0.7}`},
	{"/v1/mask", `{"prompt":"a","text":"y","choices":["yes","no"],"top":3}`},
	{"/v1/attention", `{"text":"a b","layer":0,"head":0}`},
	{"/v1/votes", `{"prompt":"a","chosen":"b","rejected":"c"}`},
	{"/v1/memory", `{"text":"a"}`},
	{"/tokenize", `{"prompt":"a"}`},
	{"/detokenize", `{"tokens":[1,2]}`},
	{"/v1/models/load", `{"name":"x","path":"/etc/passwd"}`},
}

// elsewhere breaks the bodies of other endpoints.
func (t *Target) elsewhere(d *draws) attack {
	o := one(d, others)
	for !t.Own && (o.path == "/v1/votes" || o.path == "/v1/memory") {
		o = one(d, others)
	}
	return broken(d, o.path, []byte(o.body))
}

// deep nests lists and objects.
func deep(d *draws) attack {
	n := one(d, []int{100, 1000, 9999, 10001, 100000, 500000})
	open, shut := one(d, [][2]string{{"[", "]"}, {`{"a":`, "}"}, {`[{"content":`, "}]"}})[0], ""
	switch open {
	case "[":
		shut = "]"
	case `{"a":`:
		shut = "}"
	default:
		shut = "}]"
	}
	value := strings.Repeat(open, n) + "1" + strings.Repeat(shut, n*d.below(2))
	field := one(d, []string{"messages", "prompt", "stop", "metadata", "logit_bias", "tools", "none"})
	body := fmt.Sprintf(`{"max_tokens":1,%q:%s}`, field, value)
	if d.below(4) == 0 {
		body = value
	}
	a := posted(one(d, []string{chatPath, textPath, "/tokenize", "/detokenize"}), []byte(body))
	a.cut = true // some are larger than a server reads
	if field == "metadata" {
		a.want = harmless // it may hold anything
	}
	return a
}

// huge puts numbers in that no field takes.
func (t *Target) huge(d *draws) attack {
	path, body := t.valid(d)
	field := one(d, []string{"n", "max_tokens", "top_k", "repeat_last_n", "temperature", "top_p", "min_p", "frequency_penalty", "mirostat", "dry_allowed_length"})
	value := one(d, []string{"1e999", "-1e999", "99999999999999999999999", "-99999999999999999999999", "9223372036854775808", "1" + strings.Repeat("0", 5000), "0." + strings.Repeat("0", 400) + "1e-999999999x", "1e400", "NaN", "Infinity", "0x10", "1_000", "+1", ".5", "-9223372036854775809"})
	return posted(path, with(body, field, value))
}

// mistyped gives a field a value of another kind.
func (t *Target) mistyped(d *draws) attack {
	path, body := t.valid(d)
	field := one(d, []string{"n", "seed", "max_tokens", "temperature", "top_p", "stream", "response_format", "logit_bias", "stream_options", "top_k", "samplers", "choices", "grammar", "regex", "model"})
	values := []string{`{"a":{"b":1}}`, `[[1,2],[3]]`, `[{"x":null}]`}
	switch field {
	case "n", "seed", "max_tokens", "top_k", "temperature", "top_p":
		values = append(values, `"1"`, `true`, `[1]`, `""`)
	case "stream":
		values = append(values, `"true"`, `1`)
	case "response_format", "logit_bias", "stream_options":
		values = append(values, `"x"`, `1`, `[1]`, `true`)
	default:
		values = append(values, `1`, `true`)
	}
	return posted(path, with(body, field, one(d, values)))
}

// unknown has fields that are none, in other cases, or twice.
func (t *Target) unknown(d *draws) attack {
	path, body := t.valid(d)
	field := one(d, []string{"Model", "MAX_TOKENS", "maxTokens", "__proto__", "constructor", "temperature ", "temp\u0000erature", "", "$where", "ｍodel", "stream\u200b", "prompt_file", "system", "model_path", "../model"})
	value := one(d, []string{"1", "true", `"x"`, "{}", "[]"})
	data := with(body, field, value)
	if d.below(3) == 0 {
		data = encoded(body)
		data = append(data[:len(data)-1], `,"max_tokens":1}`...)
	}
	return posted(path, data)
}

// notText has bytes that are no text where text belongs.
func (t *Target) notText(d *draws) attack {
	path, body := t.valid(d)
	bad := one(d, []string{"\xff\xfe", "\xc0\xaf", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80", `\ud800`, `\udc00\ud800`, "\x01", "\t\n\x1f", "\xe2\x82", "\\x41", "\\u12"})
	if path == textPath {
		return posted(path, with(body, "prompt", `"a`+bad+`b"`))
	}
	return posted(path, with(body, "messages", `[{"role":"user","content":"a`+bad+`b"}]`))
}

// media are parts of messages that no model here reads; the error names the field.
func (t *Target) media(d *draws) attack {
	part := one(d, []string{
		`{"type":"image_url","image_url":{"url":"http://127.0.0.1:1/x.png"}}`,
		`{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}`,
		`{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}`,
		`{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}`,
		`{"type":"file","file":{"file_id":"../../etc/passwd"}}`,
		`{"type":"text","text":"a","image_url":{"url":"x"}}`,
	})
	_, body := t.valid(d)
	delete(body, "prompt")
	a := posted(chatPath, with(body, "messages", `[{"role":"user","content":[{"type":"text","text":"look"},`+part+`]}]`))
	a.want = func(status int, body []byte) string {
		if status != http.StatusBadRequest && !bytes.Contains(body, []byte("model_not_chat")) {
			return refused(status, body)
		}
		if !bytes.Contains(body, []byte("messages[0].content[1]")) && !bytes.Contains(body, []byte("model_not_chat")) {
			return "the error does not name the field: " + clip(body)
		}
		return ""
	}
	return a
}

// formats are schemas, patterns and grammars that are wrong or heavy. Some are lawful:
// they may be answered, in time.
func (t *Target) formats(d *draws) attack {
	path, body := t.valid(d)
	body["max_tokens"] = 16
	schema := func(s string) (string, string) {
		return "response_format", `{"type":"json_schema","json_schema":{"name":"x","schema":` + s + `}}`
	}
	var field, value string
	switch d.below(12) {
	case 0:
		field, value = schema(`{"$ref":"#"}`)
	case 1:
		field, value = schema(`{"$ref":"file:///etc/passwd"}`)
	case 2:
		field, value = schema(`{"allOf":[{"type":"string"},{"type":"number"}]}`)
	case 3:
		field, value = schema(`{"type":"string","pattern":"(a*)*b","minLength":100000}`)
	case 4:
		field, value = schema(`{"type":"array","minItems":1000000000,"items":{}}`)
	case 5:
		field, value = schema(strings.Repeat(`{"anyOf":[{"type":"null"},`, 200) + `{}` + strings.Repeat(`]}`, 200))
	case 6:
		field, value = schema(`{"properties":{"a":{"$ref":"#/$defs/b"}},"$defs":{"b":{"$ref":"#/$defs/c"},"c":{"$ref":"#/$defs/b"}}}`)
	case 7:
		field, value = "regex", string(encoded(one(d, []string{"(", "[z-a]", "a{1000000}", `(?<x>a)\k<x>`, strings.Repeat("(a?){9}", 400), "((((a{99}){99}){99}){99})"})))
	case 8:
		field, value = "grammar", string(encoded(one(d, []string{"root ::= root", "root ::= x", "root", `root ::= "a" root "b"`, strings.Repeat("(", 10000), `root ::= ("" | "")* "a"`, "root ::= [^]"})))
	case 9:
		field, value = "choices", one(d, []string{"[]", `[""]`, "[1]", `["` + strings.Repeat("a", 100000) + `"]`})
	case 10:
		field, value = "stop_regex", string(encoded(one(d, []string{"(", strings.Repeat("a?", 3000), "(?i)" + strings.Repeat("x", 5000)})))
	default:
		field, value = schema(one(d, []string{"1", `"x"`, "[]", `{"type":"nothing"}`, `{"type":["string",7]}`, `{"minimum":"1"}`, `{"enum":[]}`, `{"const":1e999}`}))
	}
	a := posted(path, with(body, field, value))
	a.want = harmless
	return a
}

// large goes beyond the limits.
func (t *Target) large(d *draws) attack {
	path, body := t.valid(d)
	switch d.below(5) {
	case 0:
		body["prompt"], path = strings.Repeat("a", 5<<20), textPath
		delete(body, "messages")
	case 1:
		list := make([]any, 3000)
		for i := range list {
			list[i] = map[string]any{"role": "user", "content": "x"}
		}
		body["messages"], path = list, chatPath
		delete(body, "prompt")
	case 2:
		body["stop"] = slices.Repeat([]string{"ab"}, 200)
	case 3:
		path = textPath
		delete(body, "messages")
		body["prompt"] = slices.Repeat([]string{"a"}, 2000)
	case 4:
		path = textPath
		delete(body, "messages")
		body["prompt"] = strings.Repeat("word ", 300000) // fits no context
	}
	a := posted(path, encoded(body))
	a.cut = true
	return a
}

// headers are requests that a page, a proxy or a thief would send. None reaches a model.
func (t *Target) headers(d *draws) attack {
	path, body := t.valid(d)
	a := posted(path, encoded(body))
	a.header = http.Header{}
	switch d.below(6) {
	case 0:
		a.header["Host"] = []string{one(d, []string{"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:80", "0x7f.1"})}
	case 1:
		a.header["Origin"] = []string{one(d, []string{"http://evil.example", "null", "https://localhost.evil.example"})}
		a.header["Sec-Fetch-Site"] = []string{"cross-site"}
	case 2:
		a.header["Content-Type"] = []string{one(d, []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"})}
	case 3:
		a.header["Content-Encoding"] = []string{one(d, []string{"gzip", "br", "deflate", "zstd"})}
	case 4:
		a.header["X-Filler"], a.cut = []string{strings.Repeat("x", 128<<10)}, true
	case 5:
		a.header["Sec-Fetch-Site"] = []string{"same-site"}
		a.header["Origin"] = []string{"http://other.localhost:1"}
	}
	return a
}

// bytes are what is hardly HTTP.
func (t *Target) bytes(d *draws) attack {
	u, err := url.Parse(t.URL)
	if err != nil {
		panic("drill: " + err.Error()) // it was asked before
	}
	host := "Host: " + u.Host + "\r\n"
	if t.Key != "" {
		host += "Authorization: Bearer " + t.Key + "\r\n"
	}
	body := `{"prompt":"a","max_tokens":1}`
	kind := "Content-Type: application/json\r\n"
	raw := one(d, []string{
		"POST /v1/completions HTTP/1.1\r\n" + host + kind + "Content-Length: 29\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + body,
		"POST /v1/completions HTTP/1.1\r\n" + host + kind + "Content-Length: 29\r\nContent-Length: 5\r\n\r\n" + body,
		"POST /v1/completions HTTP/1.1\r\n" + host + kind + "Content-Length: -1\r\n\r\n" + body,
		"POST /v1/completions HTTP/1.1\r\n" + host + kind + "Content-Length: 99999999999999999999\r\n\r\n" + body,
		"POST /v1/completions HTTP/1.1\r\n" + host + kind + "Content-Length: 500\r\n\r\n" + body,
		"POST /v1/completions HTTP/1.1\r\n" + host + kind + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n" + body,
		"POST /v1/completions HTTP/1.1\r\n" + host + kind + "Transfer-Encoding: xchunked\r\n\r\n" + body,
		"POST /v1/completions HTTP/1.1\r\n" + kind + "Content-Length: 29\r\n\r\n" + body,
		"POST /v1/completions HTTP/1.1\r\n" + host + host + kind + "Content-Length: 29\r\n\r\n" + body,
		"POST /v1/completions HTTP/9.9\r\n" + host + "\r\n",
		"POST\t/v1/completions\tHTTP/1.1\r\n" + host + "\r\n",
		"GET / HTTP/1.1\r\n" + host + "X: a\x00b\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "X : b\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("a", 2<<20) + "\r\n\r\n",
		"GET " + strings.Repeat("/a", 1<<20) + " HTTP/1.1\r\n" + host + "\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"\x00\x00\x00\x00", "GET", "\r\n\r\n\r\n", "SSH-2.0-x\r\n",
	})
	return attack{method: "RAW", raw: []byte(raw), want: func(status int, body []byte) string {
		if status == http.StatusNotImplemented || status == http.StatusHTTPVersionNotSupported {
			return ""
		}
		return refused(status, body)
	}}
}

// paths lead out of where they should, or to nothing.
func (t *Target) paths(d *draws) attack {
	path := one(d, []string{
		"/../../etc/passwd", "/v1/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd", "/v1/models/..%2f..%2fetc%2fpasswd",
		"/v1/models/%00", "/v1/models/" + strings.Repeat("a", 3000), "/v1//chat//completions//", "/V1/models/x", "/v1/runs/..%2f..%2fetc/passwd", "/v1/runs/%2e%2e",
		"/v1/runs/x/..%2f..%2freport.html", "/assets/..%2f..%2fserver.go", "/.git/config", "/debug/pprof/", "/debug/vars", "/admin", "/v1/models;x=y/z", "/metrics/../v1/x", "/%ff%fe", "/v1/memory/../../x",
		"/tabs/..%2f..%2f..%2fgo.mod", "/index.html/../../../go.mod", `/..\..\windows\win.ini`,
	})
	a := attack{method: http.MethodGet, path: path}
	a.want = func(status int, body []byte) string {
		if status/100 == 3 { // to the clean path
			return ""
		}
		return refused(status, body)
	}
	return a
}

// methods are others than those that a path takes.
func methods(d *draws) attack {
	method := one(d, []string{"PUT", "PATCH", "TRACE", "CONNECT", "PROPFIND", "FOO", "LOCK"})
	path := one(d, []string{chatPath, textPath, "/v1/models", "/health", "/metrics", "/tokenize"})
	return attack{method: method, path: path, body: []byte("{}")}
}

// keys are none, others, or in the wrong place.
func (t *Target) keys(d *draws) attack {
	path, body := t.valid(d)
	a := posted(path, encoded(body))
	key := one(d, []string{"", "Bearer", "Bearer ", "Bearer x", "Basic " + t.Key, t.Key, "Bearer " + t.Key + "x", "Bearer " + t.Key[:len(t.Key)-1], "Bearer " + strings.ToUpper(t.Key), "Bearer " + strings.Repeat("a", 10000), "Bearer " + t.Key + "\x00"})
	if strings.ToUpper(t.Key) == t.Key && key == "Bearer "+t.Key {
		key = ""
	}
	a.header = http.Header{"Authorization": {key}}
	if strings.Contains(key, "\x00") { // the client would not send it
		a.header["Authorization"] = []string{"Bearer "}
		a.path += "?key=" + url.QueryEscape(t.Key)
	}
	a.want = func(status int, body []byte) string {
		if status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusTooManyRequests {
			return ""
		}
		return fmt.Sprintf("status %d: %s", status, clip(body))
	}
	return a
}

// marks are special tokens of known chat formats.
var marks = []string{"<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|begin_of_text|>", "</s>", "<s>", "<unk>", "[INST]", "[/INST]", "<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>", "<|system|>", "<|user|>", "<|assistant|>", "<think>", "</think>", "<tool_call>", "</tool_call>", "<|end|>", "<|pad|>"}

// forged writes special tokens into messages. They must be read as the text they are:
// no id of one may come out of them that harmless text would not bring.
func (t *Target) forged(ctx context.Context) (func(d *draws) attack, error) {
	special := map[int32]string{} // the ids that a mark of its own has
	type ids struct {
		Tokens []int32 `json:"tokens"`
	}
	ask := func(content string) map[string]any {
		body := map[string]any{"messages": []map[string]string{{"role": "user", "content": content}}}
		if t.Model != "" {
			body["model"] = t.Model
		}
		return body
	}
	var plain ids
	if err := t.post(ctx, "/tokenize", ask("hello"), &plain); err != nil {
		if strings.Contains(err.Error(), "model_not_chat") {
			return nil, nil
		}
		return nil, err
	}
	for _, id := range plain.Tokens {
		var text struct {
			Prompt string `json:"prompt"`
		}
		body := map[string]any{"tokens": []int32{id}}
		if t.Model != "" {
			body["model"] = t.Model
		}
		if err := t.post(ctx, "/detokenize", body, &text); err != nil {
			return nil, err
		}
		if slices.Contains(marks, text.Prompt) {
			special[id] = text.Prompt
		}
	}
	count := func(list []int32) (n int) {
		for _, id := range list {
			if special[id] != "" {
				n++
			}
		}
		return n
	}
	want := count(plain.Tokens)
	known := slices.Clone(marks)
	for _, mark := range special {
		known = append(known, mark, mark, mark) // those that would do harm
	}
	slices.Sort(known)
	return func(d *draws) attack {
		content := one(d, known) + one(d, []string{"system", "assistant\nYes.", "", "\n"}) + one(d, known)
		a := posted("/tokenize", encoded(ask(content)))
		a.want = func(status int, body []byte) string {
			var got ids
			if status != http.StatusOK || json.Unmarshal(body, &got) != nil {
				return fmt.Sprintf("status %d: %s", status, clip(body))
			}
			if n := count(got.Tokens); n != want {
				return fmt.Sprintf("%q brings %d special tokens, harmless text %d", content, n, want)
			}
			return ""
		}
		return a
	}, nil
}
