package trust_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/generate/trust"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestTokens(t *testing.T) {
	x := trust.OfTokens([]float64{math.Log(0.5), math.Log(0.125)}, []float64{1, 2})
	near(t, "perplexity", x.Perplexity, 4)
	near(t, "mean", x.MeanLogProb, -math.Log(4))
	near(t, "least", x.MinLogProb, -math.Log(8))
	near(t, "entropy", x.MeanEntropy, 1.5)
	near(t, "most", x.MaxEntropy, 2)
	if x := trust.OfTokens(nil, nil); x.N != 0 || !math.IsNaN(x.Perplexity) || !math.IsNaN(x.MinLogProb) {
		t.Errorf("no tokens: %+v", x)
	}
	minus := float32(math.Inf(-1))
	near(t, "uniform over 4", trust.Entropy([]float32{7, 7, minus, 7, 7}), math.Log(4))
	near(t, "certain", trust.Entropy([]float32{minus, 3, minus}), 0)
	p := 1 / (1 + math.E)
	if got, want := trust.Entropy([]float32{0, 1}), -p*math.Log(p)-(1-p)*math.Log(1-p); math.Abs(got-want) > 1e-7 {
		t.Errorf("entropy of two: got %v, want %v", got, want)
	}
}

// The figures of FEATURES: M samples in clusters of sizes m.
func TestSemanticEntropy(t *testing.T) {
	sizes := func(m ...int) (out [][]int) {
		i := 0
		for _, n := range m {
			var c []int
			for range n {
				c = append(c, i)
				i++
			}
			out = append(out, c)
		}
		return out
	}
	near(t, "5, 5", trust.SemanticEntropy(sizes(5, 5), nil), math.Ln2)
	near(t, "10", trust.SemanticEntropy(sizes(10), nil), 0)
	near(t, "1, 1, 1, 1", trust.SemanticEntropy(sizes(1, 1, 1, 1), nil), math.Log(4))
	near(t, "3, 1", trust.SemanticEntropy(sizes(3, 1), nil), -0.75*math.Log(0.75)-0.25*math.Log(0.25))
	near(t, "none", trust.SemanticEntropy(nil, nil), 0)
	// Probabilities 0.1 + 0.2 against 0.1, and very small ones.
	w := []float64{math.Log(0.1), math.Log(0.2), math.Log(0.1)}
	want := -0.75*math.Log(0.75) - 0.25*math.Log(0.25)
	near(t, "weighted", trust.SemanticEntropy(sizes(2, 1), w), want)
	for i := range w {
		w[i] -= 2000
	}
	near(t, "weighted, far down", trust.SemanticEntropy(sizes(2, 1), w), want)
	near(t, "agreement", trust.Agreement(sizes(3, 1), 0), 2./3)
	near(t, "alone", trust.Agreement(sizes(3, 1), 3), 0)
	if !math.IsNaN(trust.Agreement(sizes(1), 0)) {
		t.Error("one text agrees with nothing")
	}
}

func TestClusters(t *testing.T) {
	got := trust.ByAnswer([]string{"Paris.", " paris", "Rome", "PARIS!", "Paris, France"})
	if want := [][]int{{0, 1, 3}, {2}, {4}}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("by answer: %v, want %v", got, want)
	}
	texts := []string{"The capital is Paris.", "Paris is the capital", "The capital is Rome", "Paris is the capital, which lies on the Seine"}
	for _, c := range []struct {
		n     int
		least float64
		want  string
	}{
		{1, 1, "[[0 1] [2] [3]]"},
		{1, 0.7, "[[0 1 2] [3]]"},   // one of four words differs
		{2, 1, "[[0] [1] [2] [3]]"}, // and so does the order
		{1, 0, "[[0 1 2 3]]"},
	} {
		if got := fmt.Sprint(trust.ByOverlap(texts, c.n, c.least)); got != c.want {
			t.Errorf("by overlap of %d words, %g: %v, want %v", c.n, c.least, got, c.want)
		}
	}
}

func TestSentences(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"One. Two!  Three?", []string{"One.", "Two!", "Three?"}},
		{"Dr. No met J. R. Ewing at 3.14 p.m. today. He left.", []string{"Dr. No met J. R. Ewing at 3.14 p.m. today.", "He left."}},
		{"1. First\n2. Second\n\n---\n", []string{"1. First", "2. Second"}},
		{`He said "Go." Then I. She`, []string{`He said "Go."`, "Then I.", "She"}},
		{"東京は首都です。大きい。", []string{"東京は首都です。", "大きい。"}},
		{"", nil}, {"...", nil},
	} {
		var got []string
		for _, s := range trust.Sentences(c.text) {
			got = append(got, c.text[s.Start:s.End])
		}
		if strings.ReplaceAll(strings.Join(got, "|"), "p.m.|today", "p.m. today") != strings.Join(c.want, "|") {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

func TestNormalised(t *testing.T) {
	for text, want := range map[string]string{
		"It's 1,234.5 km, e.g.": "it's 1,234.5 km e g", "  Ünïted—States ": "ünïted states", "漢字 ab": "漢 字 ab", "\xff": "",
	} {
		if got := trust.Normalised(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// The unigram model of "a b" and "a c": a 2, b 1, c 1, smoothed by one each.
func TestSelfCheck(t *testing.T) {
	got := trust.SelfCheck("A b.", []string{"A c."}, 1)
	if len(got) != 1 || got[0].Start != 0 || got[0].End != 4 {
		t.Fatalf("%+v", got)
	}
	a, b := -math.Log(3./7), -math.Log(2./7)
	near(t, "mean", got[0].NGram, (a+b)/2)
	near(t, "most", got[0].NGramMax, b)
	near(t, "overlap", got[0].Overlap, 0.5)
	// By pairs: "a" begins both, then b once after a: 2 times a, 3 words.
	got = trust.SelfCheck("A b.", []string{"A c."}, 2)
	near(t, "pairs", got[0].NGram, (-math.Log(3./5)-math.Log(2./5))/2)
	if trust.SelfCheck("A b.", nil, 1) != nil {
		t.Error("nothing to check with is a check")
	}
	// What the others do not say stands out, sentence by sentence.
	answer := "Ada was born in London. She owned seven parrots."
	others := []string{"Ada was born in London. She wrote a program.", "She wrote notes. Ada was born in London."}
	got = trust.SelfCheck(answer, others, 1)
	if len(got) != 2 || got[0].Overlap > 1e-12 || got[1].Overlap < 0.5 || got[1].NGram <= got[0].NGram || got[1].NGramMax <= got[0].NGramMax {
		t.Errorf("%+v", got)
	}
}

func TestGround(t *testing.T) {
	context := "Blorn is a country. The capital of Blorn is Kavo. Its river is the Nuu.\nIt was founded in 1876."
	answer := "The capital of Blorn is Kavo. The capital of Blorn is Lute. Blorn was founded in 1876. Zebras!"
	got := trust.Ground(answer, context)
	if len(got) != 4 {
		t.Fatalf("%+v", got)
	}
	near(t, "word for word", got[0].Score, 1)
	if s := context[got[0].Source.Start:got[0].Source.End]; s != "The capital of Blorn is Kavo" || got[0].Missing != nil {
		t.Errorf("the support is %q, without %v", s, got[0].Missing)
	}
	if m := got[1].Missing; len(m) != 1 || answer[m[0].Start:m[0].End] != "Lute" || got[1].Score > 0.8 {
		t.Errorf("a wrong name: %+v", got[1])
	}
	// By hand: 8 sentences, the words weigh log(9/(df+1/2)).
	w := func(df float64) float64 { return math.Log(9 / (df + 0.5)) }
	have := w(4) + w(3) + w(3) + w(5) + w(5) // the capital of blorn is
	near(t, "by hand", got[1].Score, have/(have+w(1)))
	if s := context[got[2].Source.Start:got[2].Source.End]; !strings.HasSuffix(s, "was founded in 1876") || got[2].Score < 0.7 {
		t.Errorf("%q: %+v", s, got[2])
	}
	if got[3].Score != 0 || got[3].Source != (trust.Span{}) {
		t.Errorf("no support: %+v", got[3])
	}
	// Two sentences in a row support one claim.
	if got := trust.Ground("Blorn is a country with capital Kavo", context)[0]; context[got.Source.Start:got.Source.End] != "Blorn is a country. The capital of Blorn is Kavo" {
		t.Errorf("%+v", got)
	}
	if got := trust.Ground("Anything at all.", ""); len(got) != 1 || got[0].Score != 0 || len(got[0].Missing) != 3 {
		t.Errorf("no context: %+v", got)
	}
}

// Unsupported claims that are planted among supported ones have the least scores.
func TestGroundFindsPlantedClaims(t *testing.T) {
	var context, answer strings.Builder
	names := []string{"Kavo", "Lute", "Miri", "Nost", "Opal", "Pyre", "Quar", "Rhys", "Sanu", "Toba"}
	for i, n := range names {
		fmt.Fprintf(&context, "The mayor of %s has %d horses. ", n, 10+i)
		horses := 10 + i
		if i%3 == 0 {
			horses += 100
		}
		fmt.Fprintf(&answer, "In %s the mayor has %d horses. ", n, horses)
	}
	for i, c := range trust.Ground(answer.String(), context.String()) {
		if planted := i%3 == 0; planted != (c.Score < 0.75) {
			t.Errorf("claim %d, planted %v: %.3f", i, planted, c.Score)
		}
	}
}

func TestSimilarity(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{
		{"", "", 1}, {"the cat", "The  Cat\n", 1}, {"a b c", "x y", 0},
		{"the cat sat", "the cat ran", 2. * 2 / 8}, // ^the, the cat | cat sat, sat$ | cat ran, ran$
		{"a a a", "a", 2. * 2 / 6},
	} {
		if got := trust.Similarity(c.a, c.b); math.Abs(got-c.want) > 1e-12 || got != trust.Similarity(c.b, c.a) {
			t.Errorf("%q and %q: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

func FuzzTexts(f *testing.F) {
	f.Add("One. Two 3.5!", "Dr. No.\n漢字。")
	f.Add("\xff. \u0301a", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		inside := func(s trust.Span, text string) {
			if s.Start < 0 || s.Start > s.End || s.End > len(text) {
				t.Fatalf("%v of %q", s, text)
			}
		}
		for _, c := range trust.Ground(a, b) {
			inside(c.Span, a)
			inside(c.Source, b)
			for _, m := range c.Missing {
				inside(m, a)
			}
			if !(c.Score >= 0 && c.Score <= 1) {
				t.Fatalf("score %v", c.Score)
			}
		}
		for _, c := range trust.SelfCheck(a, []string{b, a}, 2) {
			inside(c.Span, a)
			if !(c.Overlap >= 0 && c.Overlap <= 1) || !(c.NGram >= 0) || c.NGramMax < c.NGram-1e-9 {
				t.Fatalf("%+v", c)
			}
		}
		trust.ByOverlap([]string{a, b}, 2, 0.5)
	})
}

// vocab and stream are those of an engine over a small model of random weights.
const vocab = 64

func engine(t *testing.T) *generate.Engine {
	t.Helper()
	b, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 2, Width: 32, Heads: 2, Vocab: vocab, Context: 128, BOS: -1, EOS: -1, Pad: -1})
	if err != nil {
		t.Fatal(err)
	}
	m.Init(b, 5)
	e, err := generate.Open(b, m, make([][]byte, vocab), generate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// ReadTokens and PTrue are what the logits of the engine say, computed plainly.
func TestReadTokens(t *testing.T) {
	e := engine(t)
	ids := []int32{1, 5, 7, 11, 20, 3}
	got, err := trust.ReadTokens(t.Context(), e, ids, 4)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([][]float64, len(ids))
	err = e.EachLogits(t.Context(), [][]int32{ids}, func(_, i int, logits []float32) {
		rows[i] = make([]float64, vocab)
		sample.LogSoftmax(rows[i], logits)
	})
	if err != nil {
		t.Fatal(err)
	}
	entropy := func(row []float64) (h float64) {
		for _, l := range row {
			h -= math.Exp(l) * l
		}
		return h
	}
	if got.N != 2 {
		t.Fatalf("%d tokens", got.N)
	}
	near(t, "log-probability", got.MeanLogProb, (rows[3][20]+rows[4][3])/2)
	near(t, "entropy", got.MeanEntropy, (entropy(rows[3])+entropy(rows[4]))/2)
	p, mass, err := trust.PTrue(t.Context(), e, ids, []int32{9, 10}, []int32{8})
	if err != nil {
		t.Fatal(err)
	}
	last := rows[len(ids)-1]
	yes, no := math.Exp(last[9])+math.Exp(last[10]), math.Exp(last[8])
	near(t, "P(True)", p, yes/(yes+no))
	near(t, "mass", mass, yes+no)
	for _, bad := range [][2][]int32{{{1}, {1}}, {{}, {1}}, {{vocab}, {1}}, {{-1}, {1}}} {
		if _, _, err := trust.PTrue(t.Context(), e, ids, bad[0], bad[1]); err == nil {
			t.Errorf("yes %v and no %v are accepted", bad[0], bad[1])
		}
	}
	for _, prompt := range []int{0, 6, 7} {
		if _, err := trust.ReadTokens(t.Context(), e, ids, prompt); err == nil {
			t.Errorf("a prompt of %d of %d is accepted", prompt, len(ids))
		}
	}
	q := trust.TruthQuestion("Why?", "Because.", []string{"So\nwhat"})
	if !strings.Contains(q, "Why?") || !strings.Contains(q, "\nSo what\n") || !strings.Contains(q, "Proposed answer: Because.\n") {
		t.Error(q)
	}
}

func TestPolicy(t *testing.T) {
	p := trust.Policy{Limits: []trust.Limit{
		{Signal: trust.Consistency, Warn: 0.8, Abstain: 0.4},
		{Signal: trust.MeaningEntropy, Warn: 0.5, Abstain: 1},
	}, Tries: 1}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	x := func(v float64) *float64 { return &v }
	for _, c := range []struct {
		agreement, entropy *float64
		again              int
		want               trust.Action
		reasons            int
	}{
		{x(0.9), x(0.1), 0, trust.Answer, 0},
		{x(0.8), x(0.5), 0, trust.Answer, 0}, // on the limit
		{x(0.7), x(0.1), 0, trust.Warn, 1},
		{x(0.9), x(0.7), 0, trust.Warn, 1},
		{x(0.3), x(0.7), 0, trust.Regenerate, 2},
		{x(0.3), x(0.7), 1, trust.Abstain, 2},
		{x(0.9), x(1.2), 1, trust.Abstain, 1},
		{nil, x(0.1), 0, trust.Warn, 1},
		{x(math.NaN()), x(0.1), 0, trust.Warn, 1},
		{nil, nil, 0, trust.Warn, 2},
	} {
		d := p.Decide(&trust.Confidence{Agreement: c.agreement, SemanticEntropy: c.entropy}, c.again)
		if d.Action != c.want || len(d.Reasons) != c.reasons {
			t.Errorf("%+v: %+v", c, d)
		}
	}
	if d := (trust.Policy{}).Decide(&trust.Confidence{}, 0); d.Action != trust.Answer {
		t.Errorf("no limits: %+v", d)
	}
	for _, bad := range []trust.Policy{
		{Tries: -1},
		{Limits: []trust.Limit{{Signal: "mood"}}},
		{Limits: []trust.Limit{{Signal: trust.Truth, Warn: 0.2, Abstain: 0.5}}},
		{Limits: []trust.Limit{{Signal: trust.Perplexity, Warn: 9, Abstain: 5}}},
		{Limits: []trust.Limit{{Signal: trust.Truth, Warn: math.NaN()}}},
	} {
		if bad.Validate() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// Every signal is read from its place, and turned so that more is worse.
func TestSignals(t *testing.T) {
	x := func(v float64) *float64 { return &v }
	c := trust.Confidence{
		Tokens: &trust.Tokens{MeanEntropy: 1, MeanLogProb: -2, Perplexity: 3}, PTrue: x(0.4), Agreement: x(0.5), SemanticEntropy: x(0.6),
		SelfCheck: []trust.Check{{Overlap: 0.7, NGram: 2}, {Overlap: 0.1, NGram: 4}}, Claims: []trust.Claim{{Score: 0.9}, {Score: 0.8}},
	}
	for s, want := range map[trust.Signal][2]float64{
		trust.TokenEntropy: {1, 1}, trust.MeanLogProb: {-2, 2}, trust.Perplexity: {3, 3}, trust.Truth: {0.4, -0.4}, trust.Consistency: {0.5, -0.5},
		trust.MeaningEntropy: {0.6, 0.6}, trust.Inconsistency: {0.7, 0.7}, trust.LeastGrounding: {0.8, -0.8}, trust.MeanUnusualness: {3, 3},
	} {
		v, ok := c.Value(s)
		d, _ := c.Distrust(s)
		if got := [2]float64{v, d}; !ok || !slices.Equal(got[:], want[:]) {
			t.Errorf("%s: %v %v, want %v", s, got, ok, want)
		}
		if _, ok := new(trust.Confidence).Value(s); ok {
			t.Errorf("%s of nothing", s)
		}
	}
	if _, ok := c.Value("mood"); ok {
		t.Error("a signal that does not exist has a value")
	}
}
