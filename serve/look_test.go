package serve_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/tensor/op"
)

type masked struct {
	IDs      []int32 `json:"completion_ids"`
	Valid    bool    `json:"valid_so_far"`
	Fits     int     `json:"fits_bytes"`
	Complete bool    `json:"complete"`
	Error    *string `json:"error"`
	Minimum  int     `json:"minimum_tokens"`
	Allowed  int     `json:"allowed_count"`
	Mass     float64 `json:"allowed_mass"`
	Tokens   []struct {
		ID      int32   `json:"id"`
		Token   string  `json:"token"`
		LogProb float64 `json:"logprob"`
		Allowed bool    `json:"allowed"`
		Ends    bool    `json:"ends"`
		Share   float64 `json:"share"`
	} `json:"tokens"`
}

// What may follow is what the format allows, with the model's probabilities; the vocabulary
// of the test models has a token a byte.
func TestMask(t *testing.T) {
	h := start(t, nil)
	const words = `"choices":["yes","yellow","no"]`
	for _, c := range []struct {
		name, body string
		want       string // valid complete fits, and what may come
	}{
		{"nothing yet", words, "true false 0 ny"},
		{"a beginning", words + `,"text":"ye"`, "true false 2 ls"},
		{"the whole", words + `,"text":"no"`, "true true 2 $"},
		{"the same as ids", words + `,"completion_ids":[110,111]`, "true true 2 $"},
		{"behind the end", words + `,"completion_ids":[110,111,%d]`, "true true 2 $"},
		{"what does not fit", words + `,"text":"yep"`, "false false 2 "},
		{"too much", words + `,"text":"no!"`, "false false 2 "},
		{"a schema", `"response_format":{"type":"json_schema","json_schema":{"name":"b","schema":{"type":"boolean"}}},"text":"t"`, "true false 1 r"},
		{"an expression", `"regex":"[0-3]+","text":"12"`, "true true 2 0123$"},
		{"a grammar", `"grammar":"root ::= \"(\" root \")\" | \"x\"","text":"("`, "true false 1 (x"},
	} {
		if strings.Contains(c.body, "%d") {
			c.body = fmt.Sprintf(c.body, base.Bundle.Generation.EOS[0])
		}
		_, a := post(t, h.URL+"/v1/mask", `{"model":"base","prompt":"answer: ","top":200,`+c.body+`}`)
		var m masked
		if err := json.Unmarshal(a, &m); err != nil {
			t.Fatalf("%s: %v in %s", c.name, err, a)
		}
		var may []byte
		shares, mass := 0.0, 0.0
		for b := range 256 {
			for _, x := range m.Tokens {
				if x.Allowed && !x.Ends && x.Token == string(rune(b)) {
					may = append(may, byte(b))
				}
			}
		}
		for _, x := range m.Tokens {
			if x.Allowed {
				shares, mass = shares+x.Share, mass+math.Exp(x.LogProb)
			} else if x.Share != 0 {
				t.Errorf("%s: %q is not allowed and has the share %g", c.name, x.Token, x.Share)
			}
			if x.Ends && x.Allowed {
				may = append(may, '$')
			}
		}
		if got := fmt.Sprintf("%t %t %d %s", m.Valid, m.Complete, m.Fits, may); got != c.want {
			t.Errorf("%s: got %q, want %q: %s", c.name, got, c.want, a)
		}
		if m.Valid == (m.Error != nil) {
			t.Errorf("%s: valid %t with the error %v", c.name, m.Valid, m.Error)
		}
		if m.Valid && (math.Abs(shares-1) > 1e-6 || math.Abs(mass-m.Mass) > 1e-6) {
			t.Errorf("%s: shares sum to %g, probabilities to %g of %g", c.name, shares, mass, m.Mass)
		}
	}
}

// The probabilities are those that the model gives behind prompt and answer.
func TestMaskProbabilities(t *testing.T) {
	h := start(t, nil)
	_, a := post(t, h.URL+"/v1/mask", `{"model":"talker","messages":[{"role":"user","content":"hi"}],"regex":"[ab]+","text":"ab","top":5}`)
	var m masked
	if err := json.Unmarshal(a, &m); err != nil {
		t.Fatal(err)
	}
	ids, err := talker.Bundle.Ask([]foundling.Message{{Role: "user", Content: "hi"}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := talker.Engine.Score(append(ids, 'a', 'b'), 5)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range s.Top {
		if got := m.Tokens[i]; got.ID != want.ID || math.Abs(got.LogProb-want.LogProb) > 1e-9 {
			t.Errorf("token %d: got %d with %g, want %d with %g", i, got.ID, got.LogProb, want.ID, want.LogProb)
		}
	}
	if len(m.IDs) != 2 || m.IDs[0] != 'a' {
		t.Errorf("ids %v of the answer", m.IDs)
	}
}

func TestMaskErrors(t *testing.T) {
	h := start(t, nil)
	for _, c := range []struct{ body, param string }{
		{`{"prompt":"a"}`, "response_format"},
		{`{"regex":"a"}`, "prompt"},
		{`{"prompt":"a","regex":"a","choices":["a"]}`, "choices"},
		{`{"prompt":"a","regex":"(","text":"a"}`, "regex"},
		{`{"prompt":"a","regex":"a","text":"a","completion_ids":[97]}`, "text"},
		{`{"prompt":"a","regex":"a","completion_ids":[-1]}`, "completion_ids"},
		{`{"prompt":"a","regex":"a","top":0}`, "top"},
		{`{"prompt":"a","regex":"a","top":201}`, "top"},
		{`{"prompt":"a","regex":"a","tip":1}`, "tip"},
		{`{"prompt":"a","response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"nothing"}}}}`, "response_format.json_schema.schema"},
	} {
		r, a := post(t, h.URL+"/v1/mask", c.body)
		if got := at(decoded(t, a), "error", "param"); r.StatusCode != 400 || got != c.param {
			t.Errorf("%s: status %d, param %v, want 400 and %q: %s", c.body, r.StatusCode, got, c.param, a)
		}
	}
}

// Attention is what eval observes.
func TestAttention(t *testing.T) {
	h := start(t, nil)
	p := op.NewPass(base.Backend, op.Options{})
	defer p.Close()
	ids, err := base.Bundle.TextPrompt("a cat")
	if err != nil {
		t.Fatal(err)
	}
	want, err := eval.ObserveAttention(p, base.Bundle.Model, ids, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		rest  string
		heads string
	}{{``, "00 01 10 11 "}, {`,"layer":1`, "10 11 "}, {`,"head":0`, "00 10 "}, {`,"layer":1,"head":0`, "10 "}} {
		_, a := post(t, h.URL+"/v1/attention", `{"model":"base","text":"a cat"`+c.rest+`}`)
		var got struct {
			IDs     []int32
			Tokens  []string
			Layers  int
			Heads   int
			Weights []struct {
				Layer, Head int
				Weights     [][]float64
			}
		}
		if err := json.Unmarshal(a, &got); err != nil {
			t.Fatal(err)
		}
		heads := ""
		for _, x := range got.Weights {
			heads += fmt.Sprintf("%d%d ", x.Layer, x.Head)
			for i, row := range x.Weights {
				if len(row) != i+1 {
					t.Fatalf("row %d has %d weights", i, len(row))
				}
				for j, w := range row {
					if math.Abs(w-want[x.Layer][x.Head].Weights[i][j]) > 5.1e-5 {
						t.Errorf("layer %d, head %d, %d on %d: got %g, want %g", x.Layer, x.Head, i, j, w, want[x.Layer][x.Head].Weights[i][j])
					}
				}
			}
		}
		if heads != c.heads || got.Layers != 2 || got.Heads != 2 || len(got.Tokens) != len(ids) || got.Tokens[len(ids)-1] != "t" {
			t.Errorf("%s: got heads %s of %d layers of %d, tokens %q; want %s", c.rest, heads, got.Layers, got.Heads, got.Tokens, c.heads)
		}
	}
	for _, c := range []struct{ body, param string }{
		{`{"model":"base"}`, "text"},
		{`{"model":"base","text":"a","layer":2}`, "layer"},
		{`{"model":"base","text":"a","head":-1}`, "head"},
		{`{"model":"base","text":"` + strings.Repeat("a", 513) + `"}`, "text"},
		{`{"model":"talker","messages":[{"role":"user","content":"` + strings.Repeat("a", 513) + `"}]}`, "messages"},
	} {
		r, a := post(t, h.URL+"/v1/attention", c.body)
		if got := at(decoded(t, a), "error", "param"); r.StatusCode != 400 || got != c.param {
			t.Errorf("status %d, param %v, want 400 and %q: %s", r.StatusCode, got, c.param, a)
		}
	}
}

// A look into a model changes nothing of what is written beside it.
func TestAttentionBeside(t *testing.T) {
	h := start(t, nil)
	want := asJSON(library(t, base, "func", foundling.Decoding{Seed: 7, MaxTokens: 120, Temperature: seven()}))
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				post(t, h.URL+"/v1/attention", `{"model":"base","text":"what is beside it"}`)
			}
		}
	}()
	for range 3 {
		_, a := post(t, h.URL+"/v1/completions", `{"model":"base","prompt":"func","seed":7,"max_tokens":120,"temperature":0.7}`)
		if got := at(decoded(t, a), "choices", 0, "text"); got != want {
			t.Errorf("beside looks the text is %q, alone %q", got, want)
		}
	}
	close(stop)
	<-ended
}

func TestPieces(t *testing.T) {
	h := start(t, nil)
	_, a := post(t, h.URL+"/tokenize", `{"model":"base","prompt":"é!","pieces":true}`)
	v := decoded(t, a)
	var bytes []any
	for i := range 3 {
		bytes = append(bytes, at(v, "pieces", i+1, "bytes", 0))
	}
	if got := fmt.Sprint(bytes, at(v, "pieces", 1, "special")); got != "[195 169 33] false" {
		t.Errorf("got %s of %s", got, a)
	}
	_, a = post(t, h.URL+"/tokenize", `{"model":"talker","messages":[{"role":"user","content":"a"}],"pieces":true}`)
	if !strings.Contains(string(a), `"bytes":null,"special":true`) {
		t.Errorf("no special token in %s", a)
	}
}
