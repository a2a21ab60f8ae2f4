package generate_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

// noisy is m with its weights disturbed: a draft model that is often right.
func noisy(t testing.TB, b tensor.Backend, m model.Model, share float32) model.Model {
	t.Helper()
	d := small(t, b, m.Family())
	for i, w := range d.Params() {
		x, y := make([]float32, w.Len()), make([]float32, w.Len())
		b.Download(x, m.Params()[i].T)
		b.Download(y, w.T)
		for j := range x {
			x[j] += share * y[(j+7)%len(y)]
		}
		b.Upload(w.T, x)
		w.Changed()
	}
	return d
}

// repetitive prompts give n-grams something to find.
func repetitive() []generate.Request {
	rs := requests(12)
	for i := range rs {
		rs[i].Prompt = append(append(slices.Clone(ids(20)), ids(20)...), rs[i].Prompt[:min(40, len(rs[i].Prompt))]...)
		rs[i].MaxTokens = 60
		if rs[i].Sample.Mirostat == 0 {
			rs[i].Sample.Temperature = []float64{0, 0.01, 1}[i%3]
		}
	}
	return rs
}

// TestSpeculationChangesNoBit compares coupled speculation with none, and checks
// that it does guess and that guesses are accepted.
func TestSpeculationChangesNoBit(t *testing.T) {
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	rs := repetitive()
	want := alone(t, b, m, generate.Config{}, rs)
	for name, s := range map[string]generate.Speculation{
		"ngram":            {NGram: true},
		"ngram, 9 guesses": {NGram: true, Tokens: 9},
		"near draft":       {Draft: noisy(t, b, m, 0.01)},
		"far draft":        {Draft: noisy(t, b, m, 1), Tokens: 2},
		"the model itself": {Draft: m, Tokens: 7},
	} {
		for _, c := range []generate.Config{{Speculation: s}, {Speculation: s, Chunk: 16, CacheFormat: "f32"}} {
			e := engine(t, b, m, c)
			got, err := e.GenerateAll(context.Background(), rs, nil)
			if err != nil {
				t.Fatal(err)
			}
			var x generate.Speculated
			for i := range got {
				same(t, fmt.Sprint(name, ", request ", i), got[i], want[i])
				g := got[i].Speculated
				x.Drafted, x.Accepted, x.Steps = x.Drafted+g.Drafted, x.Accepted+g.Accepted, x.Steps+g.Steps
			}
			tokens := 0
			for _, r := range got {
				tokens += len(r.IDs) - 1
			}
			if x.Steps+x.Accepted != tokens {
				t.Errorf("%s: %d steps and %d accepted guesses for %d tokens", name, x.Steps, x.Accepted, tokens)
			}
			share := x.Acceptance()
			if x.Drafted == 0 || x.Accepted == 0 || name == "the model itself" && share != 1 || name == "near draft" && share < 0.3 {
				t.Errorf("%s: %d of %d guesses accepted", name, x.Accepted, x.Drafted)
			}
		}
	}
}

func TestSpeculationErrors(t *testing.T) {
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	other, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 1, Width: 16, Heads: 2, Vocab: 300, Context: 64})
	if err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]generate.Speculation{
		"vocabulary of 300": {Draft: other},
		"choose one":        {Draft: m, NGram: true},
		"1 to 64":           {NGram: true, Tokens: 65},
	} {
		if _, err := generate.Open(b, m, nil, generate.Config{Speculation: s}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
	// A draft model with a shorter context stops guessing, not the text.
	short, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 1, Width: 16, Heads: 2, Vocab: 256, Context: 40})
	if err != nil {
		t.Fatal(err)
	}
	short.Init(b, 1)
	o := generate.Options{MaxTokens: 50}
	want, err := engine(t, b, m, generate.Config{}).Generate(context.Background(), ids(20), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := engine(t, b, m, generate.Config{Speculation: generate.Speculation{Draft: short}}).Generate(context.Background(), ids(20), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "short draft", got, want)
}

// TestRejectionKeepsTheDistribution compares the third and fourth tokens, the
// first that can be guessed, with their exact probabilities: a chi-square test
// over all pairs. Seeds are fixed, so it passes always or never.
func TestRejectionKeepsTheDistribution(t *testing.T) {
	if testing.Short() {
		t.Skip("many draws")
	}
	const v, draws = 6, 6000
	b := backend(t, cpu.Options{Threads: 1, Precision: "f32"})
	random := func(seed uint64) model.Model {
		m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 1, Width: 16, Heads: 2, Vocab: v, Context: 32, Untied: true})
		if err != nil {
			t.Fatal(err)
		}
		m.Init(b, seed)
		w := m.Unembedding()
		x := make([]float32, w.Len())
		b.Download(x, w.T)
		for i := range x {
			x[i] *= 25 // probabilities far from even
		}
		b.Upload(w.T, x)
		w.Changed()
		return m
	}
	m, draft := random(1), random(2)
	o := sample.Options{Temperature: 1, Seed: 5}
	prompt := []int32{1, 2, 3, 1, 2, 3, 1, 2}
	exact := pairs(t, engineOf(t, b, m), prompt, v)
	for name, s := range map[string]generate.Speculation{
		"draft": {Draft: draft, Tokens: 3, Rejection: true},
		"ngram": {NGram: true, Tokens: 2, Rejection: true},
	} {
		e, err := generate.Open(b, m, nil, generate.Config{Speculation: s})
		if err != nil {
			t.Fatal(err)
		}
		var rs []generate.Request
		for i := range draws {
			rs = append(rs, generate.Request{Prompt: prompt, Options: generate.Options{MaxTokens: 5, Stream: uint64(i), Sample: o}})
		}
		got, err := e.GenerateAll(context.Background(), rs, nil)
		if err != nil {
			t.Fatal(err)
		}
		count, x := [v * v]float64{}, generate.Speculated{}
		for _, r := range got {
			count[r.IDs[2]*v+r.IDs[3]]++
			x.Drafted, x.Accepted = x.Drafted+r.Speculated.Drafted, x.Accepted+r.Speculated.Accepted
		}
		chi, cells := 0.0, 0
		for i, p := range exact {
			if want := p * draws; want >= 5 {
				chi += (count[i] - want) * (count[i] - want) / want
				cells++
			}
		}
		f := float64(cells - 1)
		if bound := f * math.Pow(1-2/(9*f)+3.09*math.Sqrt(2/(9*f)), 3); chi > bound {
			t.Errorf("%s: chi-square %.1f over %d cells, bound %.1f", name, chi, cells, bound)
		}
		if x.Accepted < 200 || x.Drafted-x.Accepted < 200 {
			t.Errorf("%s: %d of %d guesses accepted: the test needs both outcomes", name, x.Accepted, x.Drafted)
		}
		e.Close()
	}
}

func engineOf(t testing.TB, b *cpu.Backend, m model.Model) *generate.Engine {
	t.Helper()
	e, err := generate.Open(b, m, nil, generate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// pairs is the exact probability of each pair of third and fourth tokens after
// prompt.
func pairs(t *testing.T, e *generate.Engine, prompt []int32, v int) []float64 {
	t.Helper()
	p := make([]float64, v*v)
	var texts [][]int32
	for i := range v * v * v * v {
		texts = append(texts, append(slices.Clone(prompt), int32(i/v/v/v), int32(i/v/v%v), int32(i/v%v), int32(i%v)))
	}
	scores, err := e.ScoreAll(context.Background(), texts, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range scores {
		sum := 0.0
		for _, lp := range s.LogProbs[len(prompt)-1:] {
			sum += lp
		}
		p[i%(v*v)] += math.Exp(sum)
	}
	return p
}
