package posttrain

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/text/dataset"
)

// What a model says of its own answers is what it said when it drew them, and the
// divergence from itself is 0.
func TestAnswerLogProbs(t *testing.T) {
	b := fastBackend(t, 0)
	z := stories(t, b)
	w, err := NewWriter(z)
	if err != nil {
		t.Fatal(err)
	}
	e := generate.New(b, z.Model, z.TokenBytes())
	t.Cleanup(e.Close)
	prompts := []dataset.Record{{Prompt: dataset.Text{Plain: "Once"}}, {Prompt: dataset.Text{Plain: strings.Repeat("too long ", 300)}}, {Prompt: dataset.Text{Plain: "A dog"}}}
	d := &Drawer{Engine: e, Writer: w, N: 3, Options: generate.Options{MaxTokens: 24, StopIDs: z.Stops(), Sample: sample.Options{Temperature: 1, Seed: 5}}}
	j, err := OpenJournal(t.TempDir() + "/j")
	if err != nil {
		t.Fatal(err)
	}
	name := func(first int, part []dataset.Record) string { return "answers" }
	tries, err := d.DrawAll(t.Context(), j, name, prompts, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if c := Common([][]*Tries{tries, {tries[0], tries[0], {}}}); len(c) != 1 || c[0] != 0 {
		t.Errorf("prompts that both answered: %v", c)
	}
	xs, err := AnswerLogProbs(t.Context(), e, tries)
	if err != nil || len(xs) != 6 {
		t.Fatalf("%d answers, %v", len(xs), err)
	}
	n := 0
	for _, tr := range tries {
		for _, a := range tr.Answers {
			if sum := total(xs[n]); len(xs[n]) != len(a.IDs) || math.Abs(sum-a.LogProb) > 1e-9 {
				t.Errorf("answer %d: log-probability %g over %d tokens, drawn with %g over %d", n, sum, len(xs[n]), a.LogProb, len(a.IDs))
			}
			n++
		}
	}
	again, err := d.DrawAll(t.Context(), j, name, prompts, func(int) {})
	if err != nil || again[2].Answers[1].Text != tries[2].Answers[1].Text || j.Len() != 1 {
		t.Errorf("the journal: %v", err)
	}
	if d := eval.MeasureDivergence(xs, xs); d.K1.Value != 0 || d.K3.Value != 0 {
		t.Errorf("%+v", d)
	}
}

// side is a model whose answer to each prompt has the given text.
func answering(texts ...string) (out []*Tries) {
	for i, s := range texts {
		out = append(out, &Tries{Prompt: i, IDs: []int32{1}, Answers: []*Try{{IDs: []int32{2}, Text: s, Finish: generate.FinishStop}}})
	}
	return out
}

// A judge with a taste finds the better model, one that likes the first place finds
// none, and replies that are no verdict are left out.
func TestJudgedMatch(t *testing.T) {
	m := &Match{
		Prompts: make([]dataset.Record, 4),
		Sides:   [][]*Tries{answering("poor", "poor", "same", "good"), answering("good", "good", "same", "odd"), answering("poor", "good", "same", "poor")},
	}
	court := func(say func(ctx context.Context, a, b string) (string, error)) *Court {
		return &Court{Judge: scripted(say), Name: "test", Constitution: DefaultConstitution()}
	}
	games, left, report, err := m.Judged(t.Context(), court(func(_ context.Context, a, b string) (string, error) {
		switch {
		case a == "odd" || b == "odd":
			return "who knows", nil
		case a == b:
			t.Error("asked about equal answers")
		case a == "good":
			return "A", nil
		}
		return "B", nil
	}))
	if err != nil || left != 2 || len(games) != 10 || report.Nonsense != 4 {
		t.Fatalf("%d games, %d left out, %+v, %v", len(games), left, report, err)
	}
	r := eval.PairRates(games, 3)
	if a := r[1][0]; a.Wins != 2 || a.Draws != 1 || a.Losses != 0 || a.Rate.N != 3 {
		t.Errorf("model 1 against 0: %+v", a)
	}
	if a := r[1][2]; a.Wins != 1 || a.Draws != 2 {
		t.Errorf("model 1 against 2: %+v", a)
	}
	games, _, report, err = m.Judged(t.Context(), court(func(context.Context, string, string) (string, error) { return "A", nil }))
	if err != nil || report.FirstPlace != 1 || report.Swapped != report.Comparisons {
		t.Fatalf("%+v, %v", report, err)
	}
	for _, g := range games {
		if g.Score != 0.5 {
			t.Errorf("a judge of places decided: %+v", g)
		}
	}
}

// Rewards compare by score, and an answer without one is left out.
func TestRewardedMatch(t *testing.T) {
	m := &Match{Prompts: make([]dataset.Record, 3), Sides: [][]*Tries{answering("a", "bbb", "c"), answering("aa", "b", "c")}}
	j, err := OpenJournal(t.TempDir() + "/j")
	if err != nil {
		t.Fatal(err)
	}
	length := func(_ context.Context, answers []Answer) ([]Score, error) {
		out := make([]Score, len(answers))
		for i, a := range answers {
			if out[i].Value = float64(len(a.Text)); a.Text == "aa" {
				out[i].Skip = "none"
			}
		}
		return out, nil
	}
	games, left, err := m.Rewarded(t.Context(), Rewarded([]Term{{Name: "length", Weight: 1, Reward: length}}, j, nil))
	if err != nil || left != 1 || len(games) != 2 || games[0].Score != 1 || games[1].Score != 0.5 || games[0].Group != 1 {
		t.Errorf("%+v, %d left out, %v", games, left, err)
	}
	if got := Refusals(answering("Yes.", "I can't help with that."), []int{0, 1}); got[0] != 0 || got[1] != 1 {
		t.Errorf("refusals %v", got)
	}
}
