package serve_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate"
)

// candidatesOf are the texts that the library writes for streams 0 to n-1.
func candidatesOf(t *testing.T, prompt string, seed uint64, n, tokens int) (texts []string, all []generate.Result) {
	t.Helper()
	for i := range n {
		var r generate.Result
		texts = append(texts, asJSON(library(t, base, prompt, foundling.Decoding{Seed: seed, Stream: uint64(i), MaxTokens: tokens, Result: &r})))
		all = append(all, r)
	}
	return texts, all
}

// The best texts are those of the selector, in the order of their scores, whole and in a
// stream.
func TestBestOf(t *testing.T) {
	h := start(t, nil)
	const prompt = "func"
	texts, all := candidatesOf(t, prompt, 9, 6, 10)
	sums := make([]float64, len(all))
	means := make([]float64, len(all))
	for i, r := range all {
		n := len(r.LogProbs)
		for _, l := range r.LogProbs {
			sums[i] += l
		}
		if r.StopID >= 0 {
			sums[i] += r.StopLogProb
			n++
		}
		means[i] = sums[i] / float64(n)
	}
	for _, c := range []struct {
		fields string
		by     []float64
		name   string
	}{{``, means, "meanlogp"}, {`,"selector":"sumlogp"`, sums, "sumlogp"}, {`,"selector":{"name":"gnmt","length_penalty":0}`, sums, "gnmt"}} {
		order := []int{0, 1, 2, 3, 4, 5}
		slices.SortStableFunc(order, func(a, b int) int {
			if c.by[a] == c.by[b] {
				return 0
			} else if c.by[a] > c.by[b] {
				return -1
			}
			return 1
		})
		body := `{"model":"base","prompt":"func","seed":9,"max_tokens":10,"n":2,"best_of":6` + c.fields
		_, a := post(t, h.URL+"/v1/completions", body+`}`)
		v := decoded(t, a)
		if n := len(at(v, "choices").([]any)); n != 2 {
			t.Fatalf("%d choices: %s", n, a)
		}
		for i := range 2 {
			if got := at(v, "choices", i, "text"); got != texts[order[i]] {
				t.Errorf("%s: choice %d is %q, want candidate %d, %q", c.name, i, got, order[i], texts[order[i]])
			}
			if got := at(v, "foundling", "selections", 0, "chosen", i); got != float64(order[i]) {
				t.Errorf("%s: choice %d is said to be candidate %v, want %d", c.name, i, got, order[i])
			}
		}
		if got := at(v, "foundling", "selections", 0, "selector"); got != c.name {
			t.Errorf("selector %v, want %s", got, c.name)
		}
		for i := range 6 {
			if got := at(v, "foundling", "selections", 0, "scores", i).(float64); math.Abs(got-c.by[i]) > 1e-6 {
				t.Errorf("%s: score %d is %v, want %v", c.name, i, got, c.by[i])
			}
		}
		tokens := 0
		for _, r := range all {
			tokens += len(r.IDs)
		}
		if got := at(v, "usage", "completion_tokens"); got != float64(tokens) {
			t.Errorf("%v tokens of texts, want those of all candidates, %d", got, tokens)
		}
		_, a = post(t, h.URL+"/v1/completions", body+`,"stream":true}`)
		var streamed [2]string
		var noted any
		for _, e := range events(t, a) {
			streamed[int(at(e, "choices", 0, "index").(float64))] += at(e, "choices", 0, "text").(string)
			if x := at(e, "foundling", "selections", 0, "choice"); x != nil {
				noted = x
			}
		}
		if streamed[0] != texts[order[0]] || streamed[1] != texts[order[1]] || noted != float64(order[0]) {
			t.Errorf("%s: the stream says %q (%v)", c.name, streamed, noted)
		}
	}
}

// Votes, verifiers and rules say what they think of several texts.
func TestSelectors(t *testing.T) {
	h := start(t, nil)
	ask := func(rest string) any {
		r, a := post(t, h.URL+"/v1/chat/completions", `{"messages":[{"role":"user","content":"hi"}],"seed":3,"max_tokens":60,"temperature":2,`+rest+`}`)
		if r.StatusCode != 200 {
			t.Fatalf("%s: %s", rest, a)
		}
		return decoded(t, a)
	}
	v := ask(`"n":7,"choices":["1","2","15"],"selectors":[{"name":"majority","extract":"text"},"first",{"name":"verifier","schema":{"type":"integer","minimum":2}},{"name":"heuristic","min_chars":2}]`)
	count := map[string]int{}
	texts := make([]string, 7)
	for i := range 7 {
		texts[i] = at(v, "choices", i, "message", "content").(string)
		count[texts[i]]++
	}
	most, _ := at(v, "foundling", "selections", 0, "answer").(string)
	for text, n := range count {
		if n > count[most] {
			t.Errorf("the vote is for %q of %v, not %q", most, count, text)
		}
	}
	if got := at(v, "foundling", "selections", 1, "choice"); got != 0.0 {
		t.Errorf("first is %v", got)
	}
	for i, fit := range []func(string) bool{func(s string) bool { return s != "1" }, func(s string) bool { return s == "15" }} {
		k := int(at(v, "foundling", "selections", 2+i, "choice").(float64))
		if any := slices.ContainsFunc(texts, fit); any != (k >= 0) || k >= 0 && !fit(texts[k]) {
			t.Errorf("%v chose %d of %q", at(v, "foundling", "selections", 2+i, "selector"), k, texts)
		}
	}
	v = ask(`"best_of":12,"n":1,"choices":["1","2","15"],"selector":{"name":"verifier","schema":{"const":15}}`)
	if got := at(v, "choices", 0, "message", "content"); got != "15" {
		t.Errorf("the verifier lets %v pass: %v", got, at(v, "foundling"))
	}
	v = ask(`"best_of":3,"choices":["1","2"],"selector":{"name":"verifier","verify":["json"],"schema":{"const":15}}`)
	if got := at(v, "foundling", "selections", 0, "choice"); got != -1.0 || at(v, "choices", 0, "message", "content") == nil {
		t.Errorf("no text is fit, and %v was chosen", got)
	}
}

// A reward model that is served beside chooses.
func TestRewardSelector(t *testing.T) {
	h, _, _ := judges(t)
	for path, asks := range map[string]string{
		"/v1/chat/completions": `"messages":[{"role":"user","content":"is it so?"}]`, "/v1/completions": `"prompt":"is it so?"`, "/v1/responses": `"input":"is it so?"`,
	} {
		_, a := post(t, h.URL+path, `{"model":"talker",`+asks+`,"seed":5,"best_of":4,"selector":{"name":"reward","model":"reward"},"choices":["yes","no, never","perhaps"],"temperature":2}`)
		v := decoded(t, a)
		text, _ := at(v, "choices", 0, "message", "content").(string)
		for _, place := range [][]any{{"choices", 0, "text"}, {"output", 0, "content", 0, "text"}} {
			if got, ok := at(v, place...).(string); ok {
				text = got
			}
		}
		_, b := post(t, h.URL+"/v1/score", fmt.Sprintf(`{"model":"reward","input":[{"prompt":"is it so?","completion":%q}]}`, text))
		want, _ := at(decoded(t, b), "data", 0, "score").(float64)
		best := math.Inf(-1)
		for i := range 4 {
			x, _ := at(v, "foundling", "selections", 0, "scores", i).(float64)
			best = max(best, x)
		}
		if text == "" || best != want {
			t.Errorf("%s: %q has the reward %v, the best is %v: %s", path, text, want, best, a)
		}
	}
}

func TestSelectErrors(t *testing.T) {
	h := start(t, nil)
	for _, c := range []struct{ rest, param string }{
		{`,"n":3,"best_of":2`, "best_of"}, {`,"best_of":129`, "best_of"}, {`,"best_of":0`, "best_of"}, {`,"selector":"sumlogp"`, "selector"},
		{`,"best_of":2,"selector":"dice"`, "selector"}, {`,"best_of":2,"selector":"majority"`, "selector.extract"}, {`,"best_of":2,"selector":{"name":"verifier"}`, "selector.verify"},
		{`,"best_of":2,"selector":{"name":"gnmt","length_penalty":-1}`, "selector"}, {`,"best_of":2,"selector":{"name":"verifier","schema":{"type":"nothing"}}`, "selector.schema"},
		{`,"best_of":2,"selector":{"name":"first","colour":1}`, "selector.colour"}, {`,"best_of":2,"selector":{"name":"majority","extract":"regex:("}`, "selector.extract"},
		{`,"best_of":2,"selector":{"name":"verifier","verify":"rm"}`, "selector.verify"}, {`,"best_of":2,"selector":{"name":"heuristic","format":"("}`, "selector.format"},
		{`,"best_of":2,"selector":{"name":"reward","model":"none"}`, "selector.model"}, {`,"best_of":2,"selector":{"name":"reward","model":"base"}`, "selector.model"}, {`,"best_of":2,"selector":{"name":"first","model":"base"}`, "selector.model"},
		{`,"selectors":["sumlogp","pick"]`, "selectors[1]"}, {`,"selectors":["reward"]`, "selectors[0].model"}, {`,"selectors":["verifier"]`, "selectors[0].verify"},
	} {
		r, a := post(t, h.URL+"/v1/completions", `{"model":"base","prompt":"a","max_tokens":2`+c.rest+`}`)
		status := 400
		if at(decoded(t, a), "error", "code") == "model_not_found" {
			status = 404
		}
		if r.StatusCode != status || at(decoded(t, a), "error", "param") != c.param {
			t.Errorf("%s: %d %s", c.rest, r.StatusCode, a)
		}
	}
}

// A prompt that is shown comes with the probabilities of its tokens, in a stream too.
func TestEcho(t *testing.T) {
	h := start(t, nil)
	score, err := base.Score(t.Context(), "héy")
	if err != nil {
		t.Fatal(err)
	}
	want := asJSON(library(t, base, "héy", foundling.Decoding{Seed: 2, MaxTokens: 3}))
	const body = `{"model":"base","prompt":"héy","seed":2,"max_tokens":%d,"echo":true,"logprobs":2%s}`
	check := func(text string, l any, n int) {
		t.Helper()
		tokens, _ := at(l, "tokens").([]any)
		if len(tokens) != 4+n || at(l, "text_offset", 0) != 0.0 || at(l, "text_offset", 3) != 2.0 {
			t.Fatalf("text %q, log-probabilities %v", text, l)
		}
		for i, want := range score.LogProbs {
			if got := at(l, "token_logprobs", i).(float64); math.Abs(got-want) > 1e-9 {
				t.Errorf("token %d has %v, the score is %v", i, got, want)
			}
			top := at(l, "top_logprobs", i).(map[string]any)
			best := math.Inf(-1)
			for _, x := range top {
				best = max(best, x.(float64))
			}
			if len(top) != 2 || best < want-1e-6 {
				t.Errorf("token %d: the most probable are %v, it has %v", i, top, want)
			}
		}
	}
	for _, tokens := range []int{0, 3} {
		_, a := post(t, h.URL+"/v1/completions", fmt.Sprintf(body, tokens, ""))
		v := decoded(t, a)
		text, n := "héy", int(at(v, "usage", "completion_tokens").(float64))
		if tokens > 0 {
			text += want
		}
		if at(v, "choices", 0, "text") != text || tokens == 0 && n != 0 {
			t.Errorf("%d tokens: text %q, want %q", tokens, at(v, "choices", 0, "text"), text)
		}
		check(text, at(v, "choices", 0, "logprobs"), n)
		_, a = post(t, h.URL+"/v1/completions", fmt.Sprintf(body, tokens, `,"stream":true`))
		all := events(t, a)
		if at(all[0], "choices", 0, "text") != "héy" {
			t.Errorf("the stream begins with %v", all[0])
		}
		check("héy", at(all[0], "choices", 0, "logprobs"), 0)
		if tokens > 0 && at(all[1], "choices", 0, "logprobs", "text_offset", 0) != 3.0 {
			t.Errorf("the text begins at %v, want 3", at(all[1], "choices", 0, "logprobs", "text_offset", 0))
		}
	}
	// The first of ids has nothing before it.
	_, a := post(t, h.URL+"/v1/completions", `{"model":"base","prompt":[104,105],"max_tokens":0,"min_tokens":5,"echo":true,"logprobs":0}`)
	v := decoded(t, a)
	if at(v, "choices", 0, "text") != "hi" || at(v, "choices", 0, "logprobs", "token_logprobs", 0) != nil || at(v, "choices", 0, "logprobs", "token_logprobs", 1) == nil {
		t.Errorf("%s", a)
	}
	_, a = post(t, h.URL+"/v1/completions", `{"model":"base","prompt":["a","b"],"n":2,"seed":1,"max_tokens":2,"echo":true}`)
	for i := range 4 {
		if got, _ := at(decoded(t, a), "choices", i, "text").(string); got == "" || got[0] != "ab"[i/2] {
			t.Errorf("choice %d is %q", i, got)
		}
	}
	r, a := post(t, h.URL+"/v1/completions", `{"model":"base","prompt":"a","max_tokens":0}`)
	if r.StatusCode != 400 || at(decoded(t, a), "error", "param") != "max_tokens" {
		t.Errorf("no text and no prompt: %s", a)
	}
}

// A suffix is for models that have learned to fill in.
func TestSuffix(t *testing.T) {
	h, m := startLong(t, "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
	_, a := post(t, h.URL+"/v1/completions", `{"prompt":"ab","suffix":"yz<|fim_middle|>","seed":5,"max_tokens":6}`)
	ids, err := m.Bundle.Infill("ab", "yz<|fim_middle|>")
	if err != nil || m.Bundle.Tokenizer.DecodeSpecial(ids) != "<|endoftext|><|fim_prefix|>ab<|fim_suffix|>yz<|fim_middle|><|fim_middle|>" || len(ids) != 4+2+2+len("<|fim_middle|>") {
		t.Fatalf("%v, %v", ids, err)
	}
	r, err := m.Engine.Generate(t.Context(), ids, m.Options(foundling.Decoding{Seed: 5, MaxTokens: 6}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := at(decoded(t, a), "choices", 0, "text"); got != asJSON(r.Text) {
		t.Errorf("%s, want %q", a, r.Text)
	}
	h = start(t, nil)
	for _, body := range []string{`"prompt":"a","suffix":"b"`, `"prompt":[1],"suffix":"b"`} {
		r, a := post(t, h.URL+"/v1/completions", `{"model":"base",`+body+`}`)
		if r.StatusCode != 400 || at(decoded(t, a), "error", "param") != "suffix" {
			t.Errorf("%s: %s", body, a)
		}
	}
}
