package serve_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// numbers is a list of a decoded answer as JSON.
func numbers(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A text that begins with a part of itself goes on as it did; one that begins otherwise
// keeps what it begins with.
func TestPrefixIDs(t *testing.T) {
	h := start(t, nil)
	for name, c := range map[string]struct{ path, body string }{
		"chat":        {"/v1/chat/completions", `"model":"talker","messages":[{"role":"user","content":"hello"}]`},
		"completion":  {"/v1/completions", `"model":"base","prompt":"func"`},
		"chain":       {"/v1/completions", `"model":"base","prompt":"func","top_k":40,"top_p":0.9,"min_p":0.01,"repeat_penalty":1.2,"frequency_penalty":0.3`},
		"several":     {"/v1/completions", `"model":"base","prompt":"func","n":3`},
		"within":      {"/v1/completions", `"model":"base","prompt":"func","regex":"[a-z ]{24,30}x"`},
		"stop string": {"/v1/completions", `"model":"base","prompt":"func","regex":"[a-z]{30}","stop":["q","e"]`},
	} {
		t.Run(name, func(t *testing.T) {
			ask := func(more string) any {
				r, a := post(t, h.URL+c.path, fmt.Sprintf(`{%s,"seed":7,"temperature":0.9,"max_tokens":32,"return_token_ids":true%s}`, c.body, more))
				if r.StatusCode != 200 {
					t.Fatalf("status %d: %s", r.StatusCode, a)
				}
				return decoded(t, a)
			}
			want := ask("")
			ids := at(want, "choices", 0, "token_ids").([]any)
			for _, n := range []int{1, len(ids) / 2, len(ids) - 1} {
				if n < 1 {
					continue
				}
				got := ask(`,"prefix_ids":` + numbers(t, ids[:n]))
				if g, w := at(got, "choices", 0), at(want, "choices", 0); !reflect.DeepEqual(g, w) {
					t.Errorf("%d of %d ids given: %v, want %v", n, len(ids), g, w)
				}
			}
			if name == "within" || name == "stop string" {
				return
			}
			other := []any{float64('z'), float64('?')}
			got := at(ask(`,"prefix_ids":`+numbers(t, other)), "choices", 0, "token_ids").([]any)
			if len(got) <= 2 || !reflect.DeepEqual(got[:2], other) {
				t.Errorf("forced %v, the text is %v", other, got)
			}
		})
	}
}

// Events have the ids of their pieces, and all of them make the text's.
func TestStreamedTokenIDs(t *testing.T) {
	h := start(t, nil)
	for path, body := range map[string]string{
		"/v1/chat/completions": `"model":"talker","messages":[{"role":"user","content":"hello"}]`,
		"/v1/completions":      `"model":"base","prompt":"func"`,
	} {
		body = fmt.Sprintf(`{%s,"seed":7,"max_tokens":24,"return_token_ids":true,"prefix_ids":[195,40]`, body)
		_, a := post(t, h.URL+path, body+"}")
		want := at(decoded(t, a), "choices", 0, "token_ids").([]any)
		var got []any
		_, a = post(t, h.URL+path, body+`,"stream":true}`)
		for _, e := range events(t, a) {
			if ids, ok := at(e, "choices", 0, "token_ids").([]any); ok {
				got = append(got, ids...)
			}
		}
		if !reflect.DeepEqual(got, want) || len(got) < 4 {
			t.Errorf("%s: the events have the ids %v, the answer %v", path, got, want)
		}
		_, a = post(t, h.URL+path, strings.Replace(body, `"return_token_ids":true,`, "", 1)+"}")
		if ids := at(decoded(t, a), "choices", 0, "token_ids"); ids != nil {
			t.Errorf("%s: ids without being asked for: %v", path, ids)
		}
	}
}

func TestPrefixErrors(t *testing.T) {
	h := start(t, nil)
	for name, c := range map[string]struct{ fields, code, says string }{
		"outside":      {`"prefix_ids":[1,100000]`, "invalid_value", "id 100000 at place 1"},
		"negative":     {`"prefix_ids":[-1]`, "invalid_value", "id -1 at place 0"},
		"no number":    {`"prefix_ids":["a"]`, "invalid_type", "prefix_ids[0]"},
		"too many":     {`"prefix_ids":[1,2,3],"max_tokens":3`, "invalid_value", "3 tokens at most"},
		"mirostat":     {`"prefix_ids":[1],"mirostat":2`, "invalid_value", "mirostat"},
		"format":       {`"prefix_ids":[97,98],"regex":"a[0-9]+"`, "invalid_value", "id 98 at place 1"},
		"context":      {`"prefix_ids":[` + strings.Repeat("1,", 510) + `1],"max_tokens":600`, "context_length_exceeded", "begins with 511"},
		"ids for none": {`"return_token_ids":1`, "invalid_type", "return_token_ids"},
	} {
		t.Run(name, func(t *testing.T) {
			r, a := post(t, h.URL+"/v1/completions", `{"model":"base","prompt":"func",`+c.fields+`}`)
			v := decoded(t, a)
			if text, _ := at(v, "error", "message").(string); r.StatusCode != http.StatusBadRequest || at(v, "error", "code") != c.code || !strings.Contains(text, c.says) {
				t.Errorf("status %d: %s, want 400, %s and %q", r.StatusCode, a, c.code, c.says)
			}
		})
	}
}

// An answer that is kept is not given for one that begins otherwise.
func TestPrefixIDsInCache(t *testing.T) {
	url := caching(t)
	const body = `{"model":"base","prompt":"func","temperature":0,"max_tokens":8,"return_token_ids":true%s}`
	for range 2 {
		for _, prefix := range []string{"", "[122,63]", "[63,122]"} {
			more := ""
			if prefix != "" {
				more = `,"prefix_ids":` + prefix
			}
			_, a := post(t, url+"/v1/completions", fmt.Sprintf(body, more))
			ids, _ := at(decoded(t, a), "choices", 0, "token_ids").([]any)
			if got := numbers(t, ids); len(ids) == 0 || prefix != "" && !strings.HasPrefix(got, strings.TrimSuffix(prefix, "]")) {
				t.Errorf("with prefix %q the ids are %s", prefix, got)
			}
		}
	}
}
