package search_test

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/grammar"
	"github.com/foundling-lm/foundling/generate/grammar/language"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

const vocab, context = 64, 128

// tiny is an engine over a small model of random weights.
func tiny(t *testing.T, threads int) *generate.Engine {
	t.Helper()
	b, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 2, Width: 32, Heads: 2, Vocab: vocab, Context: context, BOS: -1, EOS: -1, Pad: -1})
	if err != nil {
		t.Fatal(err)
	}
	m.Init(b, 5)
	tokens := make([][]byte, vocab)
	for i := range tokens {
		tokens[i] = []byte{byte(' ' + i)}
	}
	e, err := generate.Open(b, m, tokens, generate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// stops are enough ids that texts of random weights end with them.
var stops = []int32{3, 9, 27, 40}

var prompt = []int32{1, 5, 7, 11}

// TestDraw: candidate i is the same however many are drawn, in rounds or not, and
// its log-probabilities are those of the model, end token included.
func TestDraw(t *testing.T) {
	o := generate.Options{MaxTokens: 12, StopIDs: stops, Sample: sample.Options{Temperature: 1, Seed: 4}}
	e := tiny(t, 2)
	all, err := search.Draw(t.Context(), e, prompt, o, 0, 12, nil)
	if err != nil {
		t.Fatal(err)
	}
	some, err := search.Draw(t.Context(), tiny(t, 1), prompt, o, 5, 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := 0
	for i, c := range some {
		if want := all[5+i]; !slices.Equal(c.IDs, want.IDs) || !slices.Equal(c.LogProbs, want.LogProbs) {
			t.Errorf("candidate %d: %v alone, %v among 12", 5+i, c.IDs, want.IDs)
		}
	}
	for i, c := range all {
		if c.Finish != generate.FinishStop {
			continue
		}
		ended++
		if len(c.LogProbs) != len(c.IDs)+1 {
			t.Fatalf("candidate %d: %d log-probabilities of %d ids and an end", i, len(c.LogProbs), len(c.IDs))
		}
		text := slices.Concat(prompt, c.IDs)
		s, err := e.Score(text, vocab)
		if err != nil {
			t.Fatal(err)
		}
		isEnd := false
		for _, x := range s.Top {
			isEnd = isEnd || slices.Contains(stops, x.ID) && math.Abs(x.LogProb-c.LogProbs[len(c.IDs)]) < 1e-6
		}
		if !isEnd {
			t.Errorf("candidate %d: its end has log-probability %v, which no end token has", i, c.LogProbs[len(c.IDs)])
		}
	}
	if ended == 0 {
		t.Error("no candidate ended with an end token")
	}
}

// TestBeamOnEngine: width 1 is what Generate writes at temperature 0, and the
// log-probabilities of wider beams are those of the full pass.
func TestBeamOnEngine(t *testing.T) {
	for _, threads := range []int{1, 3} {
		e := tiny(t, threads)
		greedy, err := e.Generate(t.Context(), prompt, generate.Options{MaxTokens: 20, StopIDs: stops}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, width := range []int{1, 6} {
			set, err := search.OnEngine(t.Context(), e, prompt, 20, context)
			if err != nil {
				t.Fatal(err)
			}
			got, err := search.Beam(t.Context(), set, search.BeamOptions{Width: width, Groups: max(1, width/3), Diversity: 0.5, MaxTokens: set.Room(), StopIDs: stops})
			set.Close()
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != width {
				t.Errorf("%d hypotheses of width %d", len(got), width)
			}
			if width == 1 {
				if !slices.Equal(got[0].IDs, greedy.IDs) || got[0].Finish != greedy.Finish {
					t.Errorf("width 1: %v (%s), greedy %v (%s)", got[0].IDs, got[0].Finish, greedy.IDs, greedy.Finish)
				}
				continue
			}
			for _, h := range got {
				s, err := e.Score(slices.Concat(prompt, h.IDs), 0)
				if err != nil {
					t.Fatal(err)
				}
				for i, x := range s.LogProbs[len(prompt)-1:] {
					if math.Abs(x-h.LogProbs[i]) > 1e-6 {
						t.Errorf("token %d of %v: log-probability %v in the beam, %v in the full pass", i, h.IDs, h.LogProbs[i], x)
					}
				}
			}
		}
	}
}

// TestBeamInAGrammar: width 1 is what Generate writes at temperature 0 in the same
// grammar, wider beams find texts of it at least as probable, and all are complete
// at any limit.
func TestBeamInAGrammar(t *testing.T) {
	e := tiny(t, 2)
	tokens, special := make([][]byte, vocab), make([]bool, vocab)
	for i := range tokens {
		tokens[i] = []byte{byte(' ' + i)}
	}
	const end = 3
	tokens[end], special[end] = nil, true
	v, err := grammar.NewVocabulary(tokens, special, []int32{end})
	if err != nil {
		t.Fatal(err)
	}
	const expression = `[A-F]{2,6}(!|[0-9]{3})`
	l, err := (&language.Source{Regex: expression}).Compile()
	if err != nil {
		t.Fatal(err)
	}
	g, err := grammar.New(v, l.Start, grammar.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text := func(ids []int32) string {
		var b strings.Builder
		for _, id := range ids {
			b.Write(tokens[id])
		}
		return b.String()
	}
	fits := regexp.MustCompile("^" + expression + "$")
	for limit := g.Minimum(); limit <= 12; limit++ {
		c := generate.Within(g.Session())
		greedy, err := e.Generate(t.Context(), prompt, generate.Options{MaxTokens: limit, StopIDs: []int32{end}, Constraint: c}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, width := range []int{1, 8} {
			set, err := search.OnEngine(t.Context(), e, prompt, limit, context)
			if err != nil {
				t.Fatal(err)
			}
			got, err := search.Beam(t.Context(), set, search.BeamOptions{Width: width, MaxTokens: limit, StopIDs: []int32{end}, Constraint: c, Text: text})
			set.Close()
			if err != nil {
				t.Fatal(err)
			}
			if width == 1 && !slices.Equal(got[0].IDs, greedy.IDs) {
				t.Errorf("%d tokens: width 1 writes %q, greedy %q", limit, got[0].Text, greedy.Text)
			}
			for _, h := range got {
				if !fits.MatchString(h.Text) || !h.Complete() {
					t.Errorf("%d tokens, width %d: %q (%s)", limit, width, h.Text, h.Finish)
				}
			}
		}
	}
}
