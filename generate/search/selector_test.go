package search

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
)

// logs is n log-probabilities.
func logs(each float64, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = each
	}
	return x
}

func choose(t *testing.T, s Selector, c []Candidate) Choice {
	t.Helper()
	ch, err := s.Select(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// TestLikelihoods: the three ways to read probabilities disagree on the same
// candidates, each by its own rule.
func TestLikelihoods(t *testing.T) {
	c := []Candidate{
		{Text: "middling", LogProbs: logs(-0.82, 4)}, // sum -3.28
		{Text: "short", LogProbs: logs(-1.2, 2)},     // sum -2.4
		{Text: "long", LogProbs: logs(-0.8, 30)},     // sum -24
		{Text: "long again", LogProbs: logs(-0.8, 30)},
		{Text: "empty"},
	}
	c[4].LogProbs = []float64{-7} // its end token
	for _, x := range []struct {
		s    Selector
		want int
	}{{SumLogProb(), 1}, {MeanLogProb(), 2}, {GNMT(0), 1}, {GNMT(1.35), 0}, {First(), 0}} {
		if got := choose(t, x.s, c).Index; got != x.want {
			t.Errorf("%s: got %d, want %d", x.s.Name, got, x.want)
		}
	}
	if got, want := c[2].Likelihood(GNMTNorm(0.6)), -24/math.Pow(35.0/6, 0.6); math.Abs(got-want) > 1e-12 {
		t.Errorf("length penalty: got %v, want %v", got, want)
	}
	none := []Candidate{{}}
	if x := none[0].Likelihood(MeanNorm); !math.IsInf(x, -1) {
		t.Errorf("mean of no token: %v", x)
	}
}

func texts(s ...string) []Candidate {
	c := make([]Candidate, len(s))
	for i := range s {
		c[i] = Candidate{Text: s[i], LogProbs: logs(-1, 1+i%3), Finish: "stop"}
	}
	return c
}

func TestMajority(t *testing.T) {
	for _, x := range []struct {
		texts []string
		want  int
		why   string
	}{
		{[]string{"#### 3", "#### 4", "it is 4.0"}, 1, "2 of 3 votes"},
		{[]string{"none", "#### 5", "#### 4", "$4", "5.00"}, 1, "2 of 4 votes"}, // a tie: 5 came first
		{[]string{"a", "b"}, -1, "no candidate has an answer"},
	} {
		ch := choose(t, Majority(Number), texts(x.texts...))
		if ch.Index != x.want || ch.Why != x.why {
			t.Errorf("%v: got %d (%s), want %d (%s)", x.texts, ch.Index, ch.Why, x.want, x.why)
		}
	}
}

func TestWeighted(t *testing.T) {
	c := texts("4", "5", "5")
	c[0].LogProbs, c[1].LogProbs, c[2].LogProbs = logs(-0.1, 3), logs(-2, 3), logs(-3, 3)
	ch := choose(t, Weighted(Number, ByMean), c)
	if ch.Index != 0 || ch.Answer != "4" {
		t.Errorf("got %+v", ch)
	}
	want := []float64{1, math.Exp(-1.9) + math.Exp(-2.9), math.Exp(-1.9) + math.Exp(-2.9)}
	for i, s := range ch.Scores {
		if math.Abs(s-want[i]) > 1e-12 {
			t.Errorf("score %d: got %v, want %v", i, s, want[i])
		}
	}
	// Log-probabilities far below the range of exp still count against each other.
	for i := range c {
		c[i].LogProbs = logs(-5000-float64(i), 1)
	}
	sum := func(_ context.Context, c *Candidate) (float64, error) { return c.Likelihood(SumNorm), nil }
	if ch := choose(t, Weighted(Number, sum), c); ch.Index != 0 {
		t.Errorf("long texts: got %+v", ch)
	}
	// A reward is a weight; what it does not like does not vote.
	reward := func(_ context.Context, c *Candidate) (float64, error) {
		return map[string]float64{"4": -1, "5": 0.5, "6": 2}[c.Text], nil
	}
	s, err := Named("weighted", Options{Extract: Number, Reward: reward})
	if err != nil {
		t.Fatal(err)
	}
	if ch := choose(t, s, texts("4", "4", "4", "5", "5", "6")); ch.Answer != "6" || !math.IsNaN(ch.Scores[0]) {
		t.Errorf("reward as weight: %+v", ch)
	}
}

func TestTiesGoToTheLowestIndex(t *testing.T) {
	c := texts("4", "4", "4")
	for i := range c {
		c[i].LogProbs = logs(-1, 2)
	}
	for _, name := range Names() {
		o := Options{Extract: Number, Verify: ParsesAsGo, Reward: func(context.Context, *Candidate) (float64, error) { return 1, nil },
			Ask: func(context.Context, []Candidate) (int, error) { return 0, nil }}
		s, err := Named(name, o)
		if err != nil {
			t.Fatal(err)
		}
		if s.Name != name {
			t.Errorf("selector %s calls itself %s", name, s.Name)
		}
		if got := choose(t, s, c).Index; got != 0 {
			t.Errorf("%s: got %d", name, got)
		}
		if name != "pick" {
			if got := choose(t, s, nil).Index; got != -1 {
				t.Errorf("%s of no candidates: got %d", name, got)
			}
		}
	}
}

func TestNamedErrors(t *testing.T) {
	bad := -1.0
	for _, x := range []struct {
		name string
		o    Options
		want string
	}{
		{"majority", Options{}, "how to extract"}, {"verifier", Options{}, "needs a verifier"}, {"reward", Options{}, "needs a reward"},
		{"pick", Options{}, "nobody to ask"}, {"best", Options{}, "there are sumlogp"}, {"gnmt", Options{Alpha: &bad}, "exponent -1"},
		{"heuristic", Options{Heuristics: Heuristics{MinChars: 5, MaxChars: 3}}, "cannot both hold"},
	} {
		if _, err := Named(x.name, x.o); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: error %v, want %q", x.name, err, x.want)
		}
	}
	if _, err := Draw(t.Context(), nil, nil, draw0, 0, 0, nil); err == nil || !strings.Contains(err.Error(), "1 to 4096") {
		t.Errorf("no candidates: %v", err)
	}
	if _, err := Draw(t.Context(), nil, nil, draw0, 0, 10000, nil); err == nil || !strings.Contains(err.Error(), "1 to 4096") {
		t.Errorf("10,000 candidates: %v", err)
	}
	boom := errors.New("boom")
	_, err := Reward(func(context.Context, *Candidate) (float64, error) { return 0, boom }).Select(t.Context(), texts("a"))
	if !errors.Is(err, boom) || !strings.Contains(err.Error(), "candidate 0") {
		t.Errorf("error of a reward: %v", err)
	}
}

func TestHeuristics(t *testing.T) {
	loop := strings.Repeat("so it goes on and on ", 20)
	c := texts(loop, "cut off here", "A fine answer.")
	c[1].Finish = "length"
	h := Heuristics{MinChars: 5, MaxChars: 300, MaxRepetition: 0.3}
	if ch := choose(t, h.Select(), c); ch.Index != 2 || ch.Why != "keeps all rules" || ch.Scores[0] != -2 || ch.Scores[1] != -1 {
		t.Errorf("got %+v", ch)
	}
	if r := Repetition(loop); r < 0.8 {
		t.Errorf("repetition of a loop: %v", r)
	}
	if r := Repetition("one two three four five six"); r != 0 {
		t.Errorf("repetition of a sentence: %v", r)
	}
}
