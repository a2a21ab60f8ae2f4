package serve_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate/trust"
)

// judgedAnswer is what the tests read of an answer, of chat or completions.
type judgedAnswer struct {
	Choices []struct {
		Message struct{ Content string } `json:"message"`
		Delta   struct{ Content string } `json:"delta"`
		Text    string                   `json:"text"`
		IDs     []int32                  `json:"token_ids"`
		Known   *struct {
			Confidence struct {
				trust.Confidence
				Signals map[trust.Signal]float64 `json:"signals"`
				Mass    float64                  `json:"p_true_mass"`
				Samples []struct {
					Text string `json:"text"`
					Same bool   `json:"same"`
				} `json:"samples"`
				Unmeasured map[trust.Signal]string `json:"not_measured"`
			} `json:"confidence"`
			Decision *trust.Decision `json:"decision"`
			Again    int             `json:"again"`
		} `json:"foundling"`
	} `json:"choices"`
	Usage struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
	} `json:"usage"`
}

func askJudged(t *testing.T, url, body string) judgedAnswer {
	t.Helper()
	r, raw := post(t, url, body)
	var a judgedAnswer
	if err := json.Unmarshal(raw, &a); r.StatusCode != http.StatusOK || err != nil {
		t.Fatalf("%s: %s %v\n%s", body, r.Status, err, raw)
	}
	return a
}

func almost(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-6*(1+math.Abs(want))) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// The figures are those of package trust for the same text and samples, the text is the
// library's, and a seed gives all of it again.
func TestConfidence(t *testing.T) {
	h := start(t, nil)
	const ask = `{"model":"talker","messages":[{"role":"user","content":"hi"}],"seed":7,"max_tokens":12,"return_token_ids":true`
	a := askJudged(t, h.URL+"/v1/chat/completions", ask+`,"confidence":true}`)
	c := a.Choices[0]
	if want := asJSON(library(t, talker, "hi", foundling.Decoding{Seed: 7, MaxTokens: 12})); c.Message.Content != want {
		t.Errorf("the text is %q, the library's %q", c.Message.Content, want)
	}
	if again := askJudged(t, h.URL+"/v1/chat/completions", ask+`,"confidence":true}`); !reflect.DeepEqual(a, again) {
		t.Errorf("the same request again: %+v\n%+v", a, again)
	}
	k := c.Known.Confidence
	if len(k.Samples) != 5 || len(k.Signals)+len(k.Unmeasured) != len(trust.Signals())-1 || k.Tokens == nil || k.PTrue == nil || len(k.Unmeasured) > 2 {
		t.Fatalf("%+v", k)
	}
	prompt, err := talker.Bundle.Ask([]foundling.Message{{Role: "user", Content: "hi"}})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := trust.ReadTokens(t.Context(), talker.Engine, append(prompt, c.IDs...), len(prompt))
	if err != nil {
		t.Fatal(err)
	}
	almost(t, "mean log-probability", k.Signals[trust.MeanLogProb], tokens.MeanLogProb)
	almost(t, "entropy", k.Signals[trust.TokenEntropy], tokens.MeanEntropy)
	texts, raw := []string{c.Message.Content}, []string{}
	for _, s := range k.Samples {
		texts, raw = append(texts, s.Text), append(raw, s.Text)
	}
	almost(t, "agreement", *k.Agreement, trust.Agreement(trust.ByOverlap(texts, 1, 0.9), 0))
	if a.Usage.Completion <= len(c.IDs) || raw[0] == raw[1] {
		t.Errorf("%d tokens for a text of %d and samples %q", a.Usage.Completion, len(c.IDs), raw)
	}
	if !(*k.PTrue > 0 && *k.PTrue < 1 && k.Mass > 0 && k.Mass <= 1) {
		t.Errorf("P(True) %v of mass %v", *k.PTrue, k.Mass)
	}
	// A stream has the same text and figures, at its end.
	text, last := streamed(t, h.URL+"/v1/chat/completions", ask+`,"confidence":true,"stream":true}`)
	if text != c.Message.Content || !reflect.DeepEqual(last.Choices[0].Known, c.Known) {
		t.Errorf("streamed: %q %+v\nwhole: %q %+v", text, last.Choices[0].Known, c.Message.Content, c.Known)
	}
}

// streamed is the text of an answer's events and the event that ends it.
func streamed(t *testing.T, url, body string) (text string, last judgedAnswer) {
	t.Helper()
	r, raw := post(t, url, body)
	if r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s\n%s", body, r.Status, raw)
	}
	for line := range strings.Lines(string(raw)) {
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		last = judgedAnswer{}
		if err := json.Unmarshal([]byte(data), &last); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
		text += last.Choices[0].Delta.Content + last.Choices[0].Text
	}
	return text, last
}

// A greedy text is compared with samples that differ, P(True) of a completion is that
// of the library, and of each choice of each prompt all is measured.
func TestConfidenceOfCompletions(t *testing.T) {
	h := start(t, nil)
	a := askJudged(t, h.URL+"/v1/completions", `{"model":"base","prompt":["ab","cd"],"n":2,"temperature":0,"seed":3,"choices":["the first","a second","one more","yet another","no","yes"],"confidence":{"signals":["agreement","p_true"],"samples":3}}`)
	if len(a.Choices) != 4 {
		t.Fatalf("%d choices", len(a.Choices))
	}
	for i, c := range a.Choices {
		k := c.Known.Confidence
		if len(k.Samples) != 3 || k.Samples[0].Text == k.Samples[1].Text && k.Samples[1].Text == k.Samples[2].Text || k.Tokens != nil || len(k.Signals) != 2 {
			t.Errorf("choice %d: %+v", i, c)
		}
		if first := a.Choices[i/2*2].Known.Confidence; !reflect.DeepEqual(first.Samples, k.Samples) {
			t.Errorf("choice %d has other samples than its prompt's first", i)
		}
	}
	k := a.Choices[2].Known.Confidence
	var others []string
	for _, s := range k.Samples {
		others = append(others, s.Text)
	}
	ids, err := base.Bundle.TextPrompt(trust.TruthQuestion("cd", a.Choices[2].Text, others))
	if err != nil {
		t.Fatal(err)
	}
	p, mass, err := trust.PTrue(t.Context(), base.Engine, ids, []int32{'Y', 'y'}, []int32{'N', 'n'})
	if err != nil {
		t.Fatal(err)
	}
	almost(t, "P(True)", *k.PTrue, p)
	almost(t, "its mass", k.Mass, mass)
}

// Claims are found in the context by their spans.
func TestGrounding(t *testing.T) {
	h := start(t, nil)
	const text, context = "Bob lives in Paris. He owns 17 yachts.", "All of us know it. Bob lives in Paris, near Ann."
	a := askJudged(t, h.URL+"/v1/chat/completions", fmt.Sprintf(`{"model":"talker","messages":[{"role":"user","content":"hi"}],"choices":[%q],"confidence":{"signals":["grounding"],"context":%q},"policy":{"action":"warn","limits":[{"signal":"grounding","warn":0.5}]}}`, text, context))
	c := a.Choices[0]
	claims := c.Known.Confidence.Claims
	if c.Message.Content != text || len(claims) != 2 {
		t.Fatalf("%+v", c)
	}
	if got := context[claims[0].Source.Start:claims[0].Source.End]; claims[0].Score != 1 || got != "Bob lives in Paris" {
		t.Errorf("%+v: %q", claims[0], got)
	}
	if got := text[claims[1].Start:claims[1].End]; claims[1].Score > 0.5 || got != "He owns 17 yachts." {
		t.Errorf("%+v: %q", claims[1], got)
	}
	if d := c.Known.Decision; d == nil || d.Action != trust.Warn || len(d.Reasons) != 1 {
		t.Errorf("%+v", d)
	}
}

// Policies act: nothing of a text that is held back is shown.
func TestPolicies(t *testing.T) {
	h := start(t, nil)
	const begin = `{"model":"talker","messages":[{"role":"user","content":"hi"}],"seed":5,"max_tokens":8,"logprobs":true,"return_token_ids":true,`
	plain := askJudged(t, h.URL+"/v1/chat/completions", begin+`"n":1}`)
	if plain.Choices[0].Known != nil {
		t.Errorf("nothing was asked for: %+v", plain.Choices[0].Known)
	}
	const never, always = `{"signal":"perplexity","warn":1e9,"abstain":1e9}`, `{"signal":"perplexity","warn":0,"abstain":0}`
	for _, c := range []struct {
		name, policy string
		action       trust.Action
		text         string // "": the plain one
		again        int
		texts        int // tokens, in texts of 8
	}{
		{"answer", `"answer"`, trust.Answer, "", 0, 1},
		{"trusted", `{"limits":[` + never + `]}`, trust.Answer, "", 0, 1},
		{"warn", `{"action":"warn","limits":[` + always + `]}`, trust.Warn, "", 0, 1},
		{"abstain", `{"limits":[` + always + `]}`, trust.Abstain, "I don't know.", 0, 1},
		{"abstain in other words", `{"action":"abstain","limits":[` + always + `],"say":"Pass."}`, trust.Abstain, "Pass.", 0, 1},
		{"regenerate", `{"action":"regenerate","tries":3,"limits":[` + always + `]}`, trust.Abstain, "I don't know.", 3, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := begin + `"policy":` + c.policy
			a := askJudged(t, h.URL+"/v1/chat/completions", body+`}`)
			x, want := a.Choices[0], c.text
			if want == "" {
				want = plain.Choices[0].Message.Content
			}
			if d := x.Known.Decision; x.Message.Content != want || d == nil || d.Action != c.action || x.Known.Again != c.again {
				t.Errorf("%q, %+v", x.Message.Content, x.Known)
			}
			if held := c.action == trust.Abstain; held != (len(x.IDs) == 0) || a.Usage.Completion < c.texts || a.Usage.Completion > 8*c.texts {
				t.Errorf("%d ids, %d tokens", len(x.IDs), a.Usage.Completion)
			}
			text, last := streamed(t, h.URL+"/v1/chat/completions", body+`,"stream":true}`)
			if text != want || !reflect.DeepEqual(last.Choices[0].Known, x.Known) {
				t.Errorf("streamed: %q %+v", text, last.Choices[0].Known)
			}
		})
	}
	// A text that is written again is another one, and is measured itself.
	a := askJudged(t, h.URL+"/v1/completions", `{"model":"base","prompt":"ab","seed":1,"max_tokens":6,"return_token_ids":true,"policy":{"tries":8,"limits":[{"signal":"mean_logprob","warn":-5.5,"abstain":-5.5}]}}`)
	x := a.Choices[0]
	if m := x.Known.Confidence.Signals[trust.MeanLogProb]; x.Known.Decision.Action == trust.Answer && m < -5.5 || x.Known.Decision.Action == trust.Abstain && x.Known.Again != 8 {
		t.Errorf("%+v", x.Known)
	}
	if x := askJudged(t, h.URL+"/v1/completions", `{"model":"base","prompt":"ab","seed":1,"max_tokens":6,"policy":"abstain"}`).Choices[0]; x.Known.Confidence.Agreement == nil || len(x.Known.Confidence.Signals) != 1 {
		t.Errorf("by name: %+v", x.Known)
	}
}

// A preset is a system message, or stands before the one there is, or before the prompt.
func TestPresets(t *testing.T) {
	h := start(t, nil)
	count := func(url, body string) int { return askJudged(t, h.URL+url, body).Usage.Prompt }
	const plain = `{"model":"talker","max_tokens":1,"messages":[%s{"role":"user","content":"hi"}]%s}`
	const system = `{"role":"system","content":"Be kind."},`
	none, some := count("/v1/chat/completions", fmt.Sprintf(plain, "", "")), count("/v1/chat/completions", fmt.Sprintf(plain, "", `,"preset":"concise"`))
	with, both := count("/v1/chat/completions", fmt.Sprintf(plain, system, "")), count("/v1/chat/completions", fmt.Sprintf(plain, system, `,"preset":"concise"`))
	// The system sign is a token besides; between both texts stand two line ends.
	if some <= none+50 || both-with != some-none-1+2 && both-with != some-none-2+2 {
		t.Errorf("tokens without %d, with %d; beside a system message %d and %d", none, some, with, both)
	}
	if a, b := count("/v1/completions", `{"model":"base","prompt":"ab","max_tokens":1}`), count("/v1/completions", `{"model":"base","prompt":"ab","max_tokens":1,"preset":"truthful"}`); b < a+50 {
		t.Errorf("prompts of %d and %d tokens", a, b)
	}
}

// Responses say of their one text what choices say, and judge it in the same way.
func TestConfidenceOfResponses(t *testing.T) {
	h := start(t, nil)
	const rest = `"seed":7,"confidence":["agreement","p_true","perplexity"],"policy":{"limits":[{"signal":"perplexity","warn":0,"abstain":0}]},"preset":"concise"}`
	c := askJudged(t, h.URL+"/v1/chat/completions", `{"model":"talker","messages":[{"role":"user","content":"hi"}],"max_tokens":12,`+rest).Choices[0]
	r, raw := post(t, h.URL+"/v1/responses", `{"model":"talker","input":"hi","max_output_tokens":12,`+rest)
	a := decoded(t, raw)
	if r.StatusCode != http.StatusOK || at(a, "output", 0, "content", 0, "text") != "I don't know." || c.Message.Content != "I don't know." {
		t.Fatalf("%s %s\n%+v", r.Status, raw, c)
	}
	if at(a, "foundling", "decision", "action") != "abstain" || at(a, "foundling", "confidence", "p_true") != *c.Known.Confidence.PTrue {
		t.Errorf("%s, chat: %+v", raw, c.Known)
	}
	if r, raw := post(t, h.URL+"/v1/responses", `{"model":"talker","input":[{"role":"wizard","content":"hi"}],"preset":"concise"}`); r.StatusCode != http.StatusBadRequest || !strings.Contains(string(raw), "input[0]") {
		t.Errorf("%s %s", r.Status, raw)
	}
}

// A text from the cache is judged as it was.
func TestConfidenceFromCache(t *testing.T) {
	url := caching(t) + "/v1/chat/completions"
	const body = `{"model":"talker","messages":[{"role":"user","content":"hi"}],"seed":9,"max_tokens":8,"confidence":["agreement","perplexity"]}`
	r, first := ask(t, "POST", url, body)
	r2, second := ask(t, "POST", url, body)
	if from(r) != "miss" || from(r2) != "hit" || same(t, first) != same(t, second) {
		t.Errorf("%s: %s\n%s: %s", from(r), first, from(r2), second)
	}
}

func TestJudgingErrors(t *testing.T) {
	h := start(t, nil)
	for _, c := range []struct{ fields, param string }{
		{`"confidence":5`, "confidence"},
		{`"confidence":["mood"]`, "confidence.signals[0]"},
		{`"confidence":{"signals":["grounding"]}`, "confidence.context"},
		{`"confidence":{"samples":33}`, "confidence.samples"},
		{`"confidence":{"samples":0}`, "confidence.samples"},
		{`"confidence":{"temperature":0}`, "confidence.temperature"},
		{`"confidence":{"overlap":2}`, "confidence.overlap"},
		{`"confidence":{"colour":1}`, "confidence.colour"},
		{`"confidence":true,"n":124`, "confidence"},
		{`"policy":"abstain","best_of":124`, "policy"},
		{`"policy":"abstain","tools":[{"type":"function","function":{"name":"f"}}]`, "policy"},
		{`"policy":"hope"`, "policy.action"},
		{`"policy":{"tries":2,"action":"warn"}`, "policy.tries"},
		{`"policy":{"tries":9}`, "policy.tries"},
		{`"policy":{"limits":[{"signal":"mood"}]}`, "policy.limits[0].signal"},
		{`"policy":{"limits":[{"signal":"perplexity"}]}`, "policy.limits[0]"},
		{`"policy":{"limits":[{"signal":"agreement","warn":0.1,"abstain":0.5}]}`, "policy.limits"},
		{`"policy":"abstain","choices":["a","b"]`, "policy"},
		{`"preset":"loud"`, "preset"},
	} {
		r, raw := post(t, h.URL+"/v1/chat/completions", `{"model":"talker","messages":[{"role":"user","content":"hi"}],"max_tokens":1,`+c.fields+`}`)
		var e struct{ Error struct{ Param string } }
		if err := json.Unmarshal(raw, &e); err != nil || r.StatusCode != http.StatusBadRequest || e.Error.Param != c.param {
			t.Errorf("%s: %s %s, want %s", c.fields, r.Status, raw, c.param)
		}
	}
	r, raw := post(t, h.URL+"/v1/completions", `{"model":"base","prompt":[1,2],"preset":"concise"}`)
	if r.StatusCode != http.StatusBadRequest || !strings.Contains(string(raw), "preset") {
		t.Errorf("%s %s", r.Status, raw)
	}
}
