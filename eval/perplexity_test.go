package eval_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

// stories opens a real model and ids of a text it knows, with their mean loss
// from an independent implementation.
func stories(t *testing.T) (e *generate.Engine, ids []int32, nll float64, most int) {
	t.Helper()
	data, err := os.ReadFile(golden.Data(t, "models", "stories260K", "reference_stories260K.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Files map[string]struct {
			Text struct {
				IDs  []int32 `json:"ids"`
				Mean float64 `json:"mean_nll"`
			} `json:"text_nll"`
		}
	}
	if err := json.Unmarshal(data, &ref); err != nil {
		t.Fatal(err)
	}
	b, err := cpu.New(cpu.Options{Precision: "f32"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	z, err := bundle.Open(b, golden.Data(t, "models", "stories260K", "hf"))
	if err != nil {
		t.Fatal(err)
	}
	e = generate.New(b, z.Model, nil)
	t.Cleanup(e.Close)
	text := ref.Files["stories260K-f32.gguf"].Text
	return e, text.IDs, text.Mean, z.Model.Dims().Context
}

// long is text over and over, until it has n ids.
func long(ids []int32, n int) []int32 {
	var out []int32
	for len(out) < n {
		out = append(out, ids[1:]...)
	}
	return out[:n]
}

func measure(t *testing.T, e *generate.Engine, ids []int32, most int, o eval.PerplexityOptions) *eval.Perplexity {
	t.Helper()
	p, err := eval.MeasurePerplexity(context.Background(), e, ids, most, func(int32) int { return 3 }, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPerplexityOfARealModel(t *testing.T) {
	e, ids, nll, most := stories(t)
	p := measure(t, e, ids, most, eval.PerplexityOptions{})
	if math.Abs(p.NLL-nll) > 1e-4 || p.Tokens != len(ids)-1 || p.Windows != 1 || math.Abs(p.PerToken.Value/math.Exp(nll)-1) > 1e-3 {
		t.Errorf("%+v, want a mean loss of %.6f over %d tokens", p, nll, len(ids)-1)
	}
	if math.Abs(p.BitsPerByte.Value-nll/math.Ln2/3) > 1e-4 {
		t.Errorf("%v bits a byte at 3 bytes a token, want %v", p.BitsPerByte.Value, nll/math.Ln2/3)
	}
	x := long(ids, 600)
	slow := measure(t, e, x, most, eval.PerplexityOptions{Context: 128, Stride: 16})
	fast := measure(t, e, x, most, eval.PerplexityOptions{Context: 128, Stride: 128})
	// Windows side by side do not foretell their first tokens.
	if slow.Tokens != 599 || fast.Tokens != 595 || !(slow.NLL < fast.NLL) {
		t.Errorf("more context should help: %.4f over %d tokens with a stride of 16, %.4f over %d with 128", slow.NLL, slow.Tokens, fast.NLL, fast.Tokens)
	}
	if !(fast.PerToken.Low < fast.PerToken.Value && fast.PerToken.Value < fast.PerToken.High) {
		t.Errorf("interval %+v", fast.PerToken)
	}
}

// TestPerplexityAsLlamaCpp follows the rule of llama.cpp's tool with scores of
// single chunks.
func TestPerplexityAsLlamaCpp(t *testing.T) {
	e, ids, _, most := stories(t)
	const size = 64
	x := long(ids, 5*size+17)
	got := measure(t, e, x, most, eval.PerplexityOptions{Context: size, Halves: true, Start: 1})
	var sum, squares float64
	n := 0.0
	for i := range 5 {
		chunk := append([]int32{1}, x[i*size+1:(i+1)*size]...)
		s, err := e.Score(chunk, 0)
		if err != nil {
			t.Fatal(err)
		}
		for pos := size / 2; pos < size-1; pos++ { // logits at pos foretell pos+1
			lp := s.LogProbs[pos]
			sum, squares, n = sum-lp, squares+lp*lp, n+1
		}
	}
	mean := sum / n
	deviation := math.Sqrt((squares/n - mean*mean) / (n - 1))
	if got.Tokens != int(n) || math.Abs(got.NLL-mean) > 1e-12 || math.Abs(got.StandardError-deviation*math.Exp(mean)) > 1e-9 {
		t.Errorf("%+v, want a mean of %v over %v tokens, deviation %v", got, mean, n, deviation*math.Exp(mean))
	}
}

// TestPerplexityAgreesWithLlamaCpp compares with what llama.cpp itself counted for
// the same model and text; testdata/llamacpp_perplexity.cpp made the values.
func TestPerplexityAgreesWithLlamaCpp(t *testing.T) {
	e, _, _, most := stories(t)
	data, err := os.ReadFile("testdata/llamacpp_perplexity.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Context, Count int
		Perplexity     float64
		StandardError  float64 `json:"standard_error"`
		IDs            []int32
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	got := measure(t, e, want.IDs, most, eval.PerplexityOptions{Context: want.Context, Halves: true, Start: 1})
	if got.Tokens != want.Count || math.Abs(got.PerToken.Value/want.Perplexity-1) > 1e-3 || math.Abs(got.StandardError/want.StandardError-1) > 1e-3 {
		t.Errorf("perplexity %.6f +/- %.6f over %d tokens, llama.cpp has %.6f +/- %.6f over %d", got.PerToken.Value, got.StandardError, got.Tokens,
			want.Perplexity, want.StandardError, want.Count)
	}
	t.Logf("perplexity %.6f, llama.cpp %.6f", got.PerToken.Value, want.Perplexity)
}

// TestPerplexityOfStoredFormats is the same for files in every format, over the
// first 60,000 bytes of tiny Shakespeare: with few tokens the rounding of
// activations, which both do in their own way, does not average out.
func TestPerplexityOfStoredFormats(t *testing.T) {
	packed, err := os.Open(golden.Data(t, "corpora", "tinyshakespeare.txt.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	z, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 60_000)
	if _, err := io.ReadFull(z, text); err != nil {
		t.Fatal(err)
	}
	b, err := cpu.New(cpu.Options{Precision: "f32"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for name, want := range map[string]float64{"f32": 106.519541, "F16": 106.496428, "Q8_0": 106.575719, "Q4_0": 109.512469, "Q4_K_M": 107.223849} {
		m, err := bundle.OpenStored(b, golden.Data(t, "models", "stories260K", "stories260K-"+name+".gguf"))
		if err != nil {
			t.Fatal(err)
		}
		e := generate.New(b, m.Model, nil)
		ids := append([]int32{1}, m.Tokenizer.Encode(string(text))...)
		got := measure(t, e, ids, 128, eval.PerplexityOptions{Context: 128, Halves: true, Start: 1})
		if got.Tokens != 18207 || math.Abs(got.PerToken.Value/want-1) > 1e-3 {
			t.Errorf("%s: perplexity %.6f over %d tokens, llama.cpp has %.6f over 18207", name, got.PerToken.Value, got.Tokens, want)
		}
		e.Close()
	}
}

func TestPerplexityErrors(t *testing.T) {
	for want, c := range map[string]struct {
		n int
		o eval.PerplexityOptions
	}{
		"needs two windows": {100, eval.PerplexityOptions{Context: 64, Halves: true}},
		"needs two":         {1, eval.PerplexityOptions{}},
		"takes 2 to":        {100, eval.PerplexityOptions{Context: 4096}},
		"a stride of 80":    {100, eval.PerplexityOptions{Context: 64, Stride: 80}},
		"has no stride":     {200, eval.PerplexityOptions{Context: 64, Stride: 8, Halves: true}},
	} {
		_, err := eval.MeasurePerplexity(context.Background(), nil, make([]int32, c.n), 128, nil, c.o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}

// Forgetting is paired window by window: of a model from itself it is exactly 0, and
// of texts with a planted change it is that.
func TestForgotten(t *testing.T) {
	before := &eval.Perplexity{}
	after := &eval.Perplexity{}
	for i := range 40 {
		w := eval.WindowPart{From: 10 * i, To: 10*i + 10, Bits: 50 + 30*math.Sin(float64(i)), Bytes: 40}
		before.Parts = append(before.Parts, w)
		w.Bits += 8 + math.Cos(float64(3*i))
		after.Parts = append(after.Parts, w)
	}
	x, ok := eval.Forgotten(before, after)
	if !ok || x.Low > 0.2 || x.High < 0.2 || x.High-x.Low > 0.02 || x.N != 40 {
		t.Errorf("%+v, %v: planted 0.2 bits a byte", x, ok)
	}
	if x, ok := eval.Forgotten(before, before); !ok || x.Value != 0 || x.High != 0 {
		t.Errorf("of a model from itself: %+v", x)
	}
	after.Parts[3].Bytes++
	if _, ok := eval.Forgotten(before, after); ok {
		t.Error("windows of other texts are paired")
	}
	e, ids, _, most := stories(t)
	if p := measure(t, e, long(ids, 700), most, eval.PerplexityOptions{}); len(p.Parts) != p.Windows || p.Parts[1].From != p.Parts[0].To {
		t.Errorf("windows %+v of %d", p.Parts, p.Windows)
	}
}
