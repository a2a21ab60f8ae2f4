package serve

import (
	"bytes"
	"math"
	"reflect"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
)

// Requests have the same bytes exactly if they ask for the same.
func TestCanonicalRequests(t *testing.T) {
	base := func(change func(r *generate.Request)) []generate.Request {
		r := generate.Request{Prompt: []int32{1, 2}, Options: generate.Options{
			Sample: sample.Options{Temperature: 0.5, Seed: 1, LogitBias: map[int32]float64{1: 2, 3: 4, 5: 6}}, MaxTokens: 3, Stop: []string{"a", "b"},
		}}
		if change != nil {
			change(&r)
		}
		return []generate.Request{r}
	}
	write := func(r []generate.Request, seeded bool) string {
		b, err := canonicalRequests(r, seeded, true)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	want := write(base(nil), true)
	for name, r := range map[string][]generate.Request{
		"again":            base(nil),
		"another who asks": base(func(r *generate.Request) { r.Key = "bob" }),
		"defaults said":    base(func(r *generate.Request) { r.Sample.TopP, r.Sample.RepeatLastN = 1, 64 }),
		"minus zero":       base(func(r *generate.Request) { r.Sample.MinP = math.Copysign(0, -1) }),
	} {
		if write(r, true) != want {
			t.Errorf("%s: it is another request", name)
		}
	}
	seen := map[string]string{want: "the first"}
	for name, r := range map[string][]generate.Request{
		"two":             append(base(nil), base(nil)...),
		"prompt":          base(func(r *generate.Request) { r.Prompt = []int32{12} }),
		"seed":            base(func(r *generate.Request) { r.Sample.Seed = 2 }),
		"stream":          base(func(r *generate.Request) { r.Stream = 1 }),
		"stops joined":    base(func(r *generate.Request) { r.Stop = []string{"ab"} }),
		"stops moved":     base(func(r *generate.Request) { r.Stop = []string{"a", "b", ""} }),
		"no stops":        base(func(r *generate.Request) { r.Stop = nil }),
		"stop expression": base(func(r *generate.Request) { r.Stop, r.StopRegex = nil, "a" }),
		"bias":            base(func(r *generate.Request) { r.Sample.LogitBias = map[int32]float64{1: 2, 3: 6, 5: 4} }),
		"no breakers":     base(func(r *generate.Request) { r.Sample.DRYBreakers = []string{} }),
		"log-probs":       base(func(r *generate.Request) { r.LogProbs = 1 }),
	} {
		b := write(r, true)
		if other, ok := seen[b]; ok {
			t.Errorf("%s: it is the same request as %s", name, other)
		}
		seen[b] = name
	}
	greedy := func(r *generate.Request) { r.Sample.Temperature = 0 }
	other := func(r *generate.Request) { greedy(r); r.Sample.Seed, r.Stream = 7, 1 }
	if write(base(greedy), true) != write(base(other), false) {
		t.Error("where nothing is drawn, the seed counts")
	}
	if write(base(nil), false) == want {
		t.Error("a text of any seed is the text of one")
	}
}

// Values that can be told apart have different bytes, equal ones the same.
func FuzzCanonical(f *testing.F) {
	f.Add("a", "b", int64(1), 0.5, []byte{1}, "a", "b", int64(1), 0.5, []byte{1})
	f.Add("a", "", int64(1), 0.5, []byte{}, "", "a", int64(1), 0.5, []byte(nil))
	type value struct {
		A, B string
		I    int64
		F    float64
		L    []byte
		M    map[string]string
		P    *int64
	}
	of := func(a, b string, i int64, x float64, l []byte) value {
		return value{a, b, i, x, l, map[string]string{a: b, b: a}, &i}
	}
	f.Fuzz(func(t *testing.T, a, b string, i int64, x float64, l []byte, a2, b2 string, i2 int64, x2 float64, l2 []byte) {
		if x != x || x2 != x2 {
			t.Skip("no number")
		}
		v, w := of(a, b, i, x, l), of(a2, b2, i2, x2, l2)
		got, err := canonical(nil, reflect.ValueOf(v))
		if err != nil {
			t.Fatal(err)
		}
		other, err := canonical(nil, reflect.ValueOf(w))
		if err != nil {
			t.Fatal(err)
		}
		equal := a == a2 && b == b2 && i == i2 && x == x2 && bytes.Equal(l, l2) && (l == nil) == (l2 == nil)
		if bytes.Equal(got, other) != equal {
			t.Errorf("%+v and %+v: same bytes %v, equal %v", v, w, !equal, equal)
		}
	})
}

// Bodies that are written in another way have the same bytes, and those that do not mean
// the same have not.
func FuzzCanonicalBody(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.5],"b":"x"}`), []byte(`{ "b" : "\u0078", "a": [1, 2.5] }`))
	f.Add([]byte(`{"a":{"x":1,"y":2}}`), []byte(`{"a":{"y":2,"x":1}}`))
	f.Add([]byte(`{"a":"b:1"}`), []byte(`{"a":"b","c":1}`))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		a, err := canonicalBody(one, "model")
		if err != nil {
			t.Skip("no object")
		}
		var fields map[string]jsontext.Value
		if err := json.Unmarshal(one, &fields); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := canonicalBody(again, "model"); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s, written again as %s, is another body: %v", one, again, err)
		}
		b, err := canonicalBody(two, "model")
		if err != nil {
			t.Skip("no object")
		}
		var x, y map[string]any
		if json.Unmarshal(one, &x) != nil || json.Unmarshal(two, &y) != nil {
			t.Skip("numbers beyond float64")
		}
		delete(x, "model")
		delete(y, "model")
		if bytes.Equal(a, b) && !reflect.DeepEqual(x, y) {
			t.Errorf("%s and %s have the same bytes", one, two)
		}
	})
}

// Bodies whose schemas ask for another text are told apart; those written in another way
// are not.
func TestCanonicalBody(t *testing.T) {
	write := func(body string) string {
		b, err := canonicalBody([]byte(body), "model")
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, c := range []struct {
		name, one, two string
		same           bool
	}{
		{"members of a request", `{"regex":"a","top_k":1}`, `{ "top_k":1, "regex":"\u0061", "model":"x" }`, true},
		{"the order of properties", `{"s":{"properties":{"a":{},"b":{}}}}`, `{"s":{"properties":{"b":{},"a":{}}}}`, false},
		{"numbers beyond float64", `{"s":{"const":9007199254740992}}`, `{"s":{"const":9007199254740993}}`, false},
		{"digits beyond float64", `{"s":{"const":0.1}}`, `{"s":{"const":0.10000000000000000001}}`, false},
	} {
		if same := write(c.one) == write(c.two); same != c.same {
			t.Errorf("%s: same bytes %v, want %v", c.name, same, c.same)
		}
	}
}

// What is packed comes back, bytes that are no text and infinite numbers too.
func TestPackTexts(t *testing.T) {
	detail := &generate.Detail{Top: []sample.Token{{ID: 1}}, LogProb: math.Inf(-1)}
	want := &text{
		Result: &generate.Result{IDs: []int32{1, 2}, LogProbs: []float64{-1, -0.5}, Text: "\xff\x00", Finish: generate.FinishStop, StopID: -1, Details: []*generate.Detail{nil, detail}},
		pieces: []generate.Piece{{ID: 1, Text: "\xff", LogProb: -1}, {ID: 2, Text: "\x00", LogProb: -0.5, Detail: detail}},
	}
	body, err := packTexts(1<<63, []*text{want})
	if err != nil {
		t.Fatal(err)
	}
	seed, texts, err := unpackTexts(body)
	if err != nil || seed != 1<<63 || len(texts) != 1 || !reflect.DeepEqual(texts[0], want) {
		t.Errorf("got %d, %+v, %v, want %+v", seed, texts, err, want)
	}
	if _, _, err := unpackTexts(body[:len(body)-3]); err == nil {
		t.Error("a body that is cut short is read")
	}
}

// FuzzUnpack reads anything without a panic.
func FuzzUnpack(f *testing.F) {
	body, err := packTexts(1, []*text{{Result: &generate.Result{Text: "a", IDs: []int32{1}}, pieces: []generate.Piece{{ID: 1, Text: "a"}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Fuzz(func(t *testing.T, body []byte) {
		_, texts, err := unpackTexts(body)
		for _, x := range texts {
			if err == nil && x.Result == nil {
				t.Error("a text without a result")
			}
		}
	})
}
