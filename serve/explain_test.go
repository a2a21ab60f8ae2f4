package serve_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate"
)

// near says that two numbers of JSON agree.
func near(got any, want float64) bool {
	x, ok := got.(float64)
	return ok && math.Abs(x-want) <= 1e-9
}

func count(v any, path ...any) int {
	l, _ := at(v, path...).([]any)
	return len(l)
}

// Each token of a text is explained with the numbers that it was drawn with.
func TestExplain(t *testing.T) {
	h := start(t, nil)
	topK, topP := 20, 0.9
	var r generate.Result
	d := foundling.Decoding{Seed: 5, MaxTokens: 8, Temperature: seven(), TopK: &topK, TopP: &topP, Result: &r}
	library(t, talker, "hello", d)
	prompt, err := talker.Bundle.Ask([]foundling.Message{{Role: "user", Content: "hello"}})
	if err != nil {
		t.Fatal(err)
	}
	o := talker.Options(d)
	o.StopIDs, o.LogProbs = talker.Bundle.Stops(), 7
	details, err := talker.Engine.Details(t.Context(), append(prompt, r.IDs...), len(prompt), o)
	if err != nil {
		t.Fatal(err)
	}
	ids, _ := json.Marshal(r.IDs)
	const settings = `{"messages":[{"role":"user","content":"hello"}],"seed":5,"temperature":0.7,"top_k":20,"top_p":0.9,"top":7`
	for i := range len(r.IDs) + 1 {
		response, a := post(t, h.URL+"/v1/explain", fmt.Sprintf(settings+`,"completion_ids":%s,"position":%d,"n":2,"stream":true,"user":"u"}`, ids, i))
		v := decoded(t, a)
		if got := response.Header.Get("Foundling-Ignored"); got != "n, stream, user" {
			t.Errorf("ignored: %q", got)
		}
		var names []any
		kept := 0.0
		for k := range count(v, "steps") {
			s := at(v, "steps", k)
			names = append(names, at(s, "name"))
			now, removed := at(s, "kept").(float64), at(s, "removed").(float64)
			if k == 0 && now != float64(talker.Bundle.Model.Dims().Vocab) || k > 0 && now+removed != kept {
				t.Errorf("token %d, %v: %v kept, %v removed of %v", i, at(s, "name"), now, removed, kept)
			}
			kept = now
			if removed == 0 && !near(at(s, "removed_mass"), 0) || count(s, "tokens") != count(v, "steps", 0, "tokens") {
				t.Errorf("token %d: step %v", i, s)
			}
			for n := range count(s, "tokens") {
				token := at(s, "tokens", n)
				if at(token, "kept") != (at(token, "rank").(float64) > 0) || k == 0 && n > 0 && at(token, "rank").(float64) <= at(s, "tokens", n-1, "rank").(float64) {
					t.Errorf("token %d, %v: candidate %v", i, at(s, "name"), token)
				}
			}
		}
		if got := fmt.Sprint(names); got != "[logits top_k top_p temperature]" {
			t.Errorf("token %d: steps %v", i, names)
		}
		if i == len(r.IDs) {
			if at(v, "chosen") != nil || at(v, "position") != float64(i) {
				t.Errorf("the next token: %s", a)
			}
			break
		}
		if at(v, "chosen", "id") != float64(r.IDs[i]) || !near(at(v, "chosen", "logprob"), details[len(prompt)-1+i].Top[0].LogProb) && at(v, "chosen", "rank") == 1.0 {
			t.Errorf("token %d: %v was chosen, want %d", i, at(v, "chosen"), r.IDs[i])
		}
		if got := at(v, "chosen", "logprob").(float64); math.Abs(got-r.LogProbs[i]) > 1e-5 {
			t.Errorf("token %d: log-probability %v, %v when written", i, got, r.LogProbs[i])
		}
		chain := details[len(prompt)-1+i].Chain
		if count(v, "final") != len(chain) {
			t.Fatalf("token %d: drawn from %v, want %v", i, at(v, "final"), chain)
		}
		for k, want := range chain {
			if at(v, "final", k, "id") != float64(want.ID) || !near(at(v, "final", k, "probability"), math.Exp(want.LogProb)) {
				t.Errorf("token %d: drawn from %v, want %v", i, at(v, "final"), chain)
			}
		}
	}
	// Without a position it is the next token, and settings are the model's.
	_, a := post(t, h.URL+"/v1/explain", `{"model":"base","prompt":"ab"}`)
	v := decoded(t, a)
	if at(v, "position") != 0.0 || at(v, "settings", "temperature") != 0.8 || count(v, "steps", 0, "tokens") != 20 || at(v, "model") != "base" {
		t.Errorf("the next token: %s", a)
	}
}

// The mask of a format, or of min_tokens, is the step behind the logits.
func TestExplainWithin(t *testing.T) {
	h := start(t, nil)
	_, a := post(t, h.URL+"/v1/explain", `{"prompt":"ab","regex":"[0-9]{2}-x","completion_ids":[49],"seed":1}`)
	v := decoded(t, a)
	if at(v, "steps", 1, "name") != "mask" || at(v, "steps", 1, "kept") != 10.0 || at(v, "forced") != false || count(v, "final") != 10 {
		t.Errorf("a digit: %s", a)
	}
	_, a = post(t, h.URL+"/v1/explain", `{"prompt":"ab","regex":"[0-9]{2}-x","completion_ids":[49,50,45],"position":2,"seed":1}`)
	v = decoded(t, a)
	if at(v, "forced") != true || at(v, "chosen", "token") != "-" || !near(at(v, "final", 0, "probability"), 1) {
		t.Errorf("a dash: %s", a)
	}
	for tokens, second := range map[int]string{1: "temperature", 2: "mask"} {
		_, a = post(t, h.URL+"/v1/explain", fmt.Sprintf(`{"prompt":"ab","temperature":0.5,"min_tokens":%d,"completion_ids":[49],"seed":1}`, tokens))
		if at(decoded(t, a), "steps", 1, "name") != second {
			t.Errorf("behind 1 of at least %d tokens: %s", tokens, a)
		}
	}
}
