package posttrain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/text/tokenizer"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
)

// talker is a model with random weights whose tokens are bytes.
func talker(t *testing.T, threads int) (*bundle.Bundle, func() (*generate.Engine, error), *Preferences) {
	t.Helper()
	b := fastBackend(t, threads)
	tok := tokenizer.Bytes(chat.SpecialTokens()...)
	open := func() zoo.Trainable {
		m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 1, Width: 32, Heads: 2, Vocab: tok.VocabSize(), Context: 64, BOS: -1, EOS: -1, Pad: -1})
		if err != nil {
			t.Fatal(err)
		}
		m.Init(b, 3)
		return m
	}
	z := &bundle.Bundle{Model: open(), Tokenizer: tok}
	p := newPreferences(t, b, z.Model, NewScorer(b, open(), nil), "sigmoid")
	return z, func() (*generate.Engine, error) { return generate.New(b, z.Model, z.TokenBytes()), nil }, p
}

// lowercase rewards the share of small letters.
func lowercase(asked *int) []Term {
	return []Term{{Name: "lowercase", Weight: 1, Outside: true, Reward: One(func(_ context.Context, a *Answer) (float64, error) {
		*asked++
		n := 0
		for _, c := range []byte(a.Text) {
			if c >= 'a' && c <= 'z' {
				n++
			}
		}
		return float64(n) / math.Max(1, float64(len(a.Text))), nil
	})}}
}

// onlineRun is four rounds of four steps.
func onlineRun(t *testing.T, ctx context.Context, dir string, threads int, asked *int, progress func(train.Metrics)) ([]float32, error) {
	t.Helper()
	j, err := OpenJournal(filepath.Join(dir, "rewards.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	return gradedRun(t, ctx, dir, threads, Rewarded(lowercase(asked), j, nil), progress)
}

func gradedRun(t *testing.T, ctx context.Context, dir string, threads int, grade Grade, progress func(train.Metrics)) ([]float32, error) {
	t.Helper()
	z, open, p := talker(t, threads)
	w, err := NewWriter(z)
	if err != nil {
		t.Fatal(err)
	}
	o := &Online{
		Preferences: p, Writer: w, Open: open, N: 4, Round: 16, Steps: 4, Batch: 8, Seed: 1, Dir: dir, Grade: grade,
		Options: generate.Options{MaxTokens: 12, StopIDs: z.Stops(), Sample: sample.Options{Temperature: 1, Seed: 1}},
	}
	for i := range 24 {
		o.Prompts = append(o.Prompts, dataset.Record{Kind: dataset.Prompts, Prompt: dataset.Text{Plain: fmt.Sprint("say ", i)}})
	}
	tr, err := train.New(p.Scorer.pass.Backend, z.Model.Params(), z.Model.Unembedding(), train.Options{
		Optimizer: optim.Options{Name: "adamw"}, Schedule: optim.Schedule{Kind: "constant", Peak: 4e-2, Steps: 16},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	err = train.Run{Dir: dir, Steps: 16, Source: o.Source(ctx), Progress: progress}.Do(ctx, tr)
	var all []float32
	for _, w := range z.Model.Params() {
		x := make([]float32, w.Len())
		p.Scorer.pass.Backend.Download(x, w.T)
		all = append(all, x...)
	}
	return all, err
}

// TestOnline wants the reward to rise from round to round, and the same bits from a
// run that is stopped inside a round and goes on with other threads.
func TestOnline(t *testing.T) {
	dir := t.TempDir()
	asked := 0
	want, err := onlineRun(t, context.Background(), dir, 1, &asked, nil)
	if err != nil {
		t.Fatal(err)
	}
	var rewards []float64
	for n := range 4 {
		var r Round
		if found, err := atomicfile.ReadJSON(roundPath(dir, n), &r); err != nil || !found {
			t.Fatalf("round %d: %v, %v", n, found, err)
		}
		rewards = append(rewards, r.Mean)
		if n == 0 && math.Abs(r.KL) > 1e-3 || n > 0 && !(r.KL > 0) {
			t.Errorf("round %d: divergence %g", n, r.KL)
		}
		if r.Pairs == 0 || len(r.References) != r.Pairs || !(r.Best > r.Mean) {
			t.Errorf("round %d: %d pairs, %d references, mean %g, best %g", n, r.Pairs, len(r.References), r.Mean, r.Best)
		}
	}
	if !(rewards[3] > rewards[0]+0.2) {
		t.Errorf("rewards of rounds are %.3f, want them to rise", rewards)
	}
	ms, err := train.ReadMetrics(filepath.Join(dir, train.MetricsFile))
	if err != nil || ms[4].Extra[RoundNumber] != 2 || ms[4].Extra[RoundMean] != rewards[1] {
		t.Errorf("metrics of step 5: %v, %v", ms[4].Extra, err)
	}
	if asked != 4*16*4 {
		t.Errorf("%d rewards were asked for, want %d", asked, 4*16*4)
	}

	dir = t.TempDir()
	ctx, stop := context.WithCancel(context.Background())
	again := 0
	_, err = onlineRun(t, ctx, dir, 1, &again, func(m train.Metrics) {
		if m.Step == 6 {
			stop()
		}
	})
	if !errors.Is(err, train.ErrInterrupted) {
		t.Fatal(err)
	}
	got, err := onlineRun(t, context.Background(), dir, 2, &again, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) || again != asked {
		t.Errorf("a stopped run ends with other weights, or asked for %d rewards instead of %d", again, asked)
	}

	// What a crash left between checkpoint and log is taken from the files.
	if err := os.Remove(filepath.Join(dir, train.CheckpointFile)); err != nil {
		t.Fatal(err)
	}
	got, err = onlineRun(t, context.Background(), dir, 2, &again, nil)
	if err != nil || !slices.Equal(got, want) || again != asked {
		t.Errorf("from its files a run ends with other weights, or asks for rewards again: %v", err)
	}
}

// TestRoundWithoutPreferences has a round whose answers are all worth the same: its
// steps change nothing, and the run goes on. A first round of that kind is an error.
func TestRoundWithoutPreferences(t *testing.T) {
	asked := 0
	for _, same := range []int{0, 1} {
		round, terms := -1, lowercase(&asked)
		terms[0].Outside = false
		real := Rewarded(terms, nil, nil)
		grade := func(ctx context.Context, prompts []dataset.Record, tries []*Tries) error {
			err := real(ctx, prompts, tries)
			if round++; round == same {
				for _, t := range tries {
					for _, a := range t.Answers {
						a.Score = new(float64)
					}
				}
			}
			return err
		}
		dir := t.TempDir()
		_, err := gradedRun(t, context.Background(), dir, 2, grade, nil)
		if same == 0 {
			if err == nil || !strings.Contains(err.Error(), "to none of 16 prompts") {
				t.Errorf("nothing to learn in the first round: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		log, err := train.ReadMetrics(filepath.Join(dir, train.MetricsFile))
		if err != nil || len(log) != 16 {
			t.Fatalf("%d steps, %v", len(log), err)
		}
		for i, m := range log {
			if nothing := i/4 == same; nothing != (m.Skipped != "") || m.Extra[RoundNumber] != float64(i/4+1) {
				t.Errorf("step %d: %+v", i+1, m)
			}
		}
	}
}

func score(xs ...float64) (t *Tries) {
	t = &Tries{IDs: []int32{1}}
	for i, x := range xs {
		a := &Try{IDs: []int32{int32(i), 2}, Text: fmt.Sprint("answer ", i), Finish: generate.FinishStop}
		if !math.IsNaN(x) {
			a.Score = &x
		}
		t.Answers = append(t.Answers, a)
	}
	return t
}

func TestTries(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		t           *Tries
		best, worst int
		ok          bool
	}{
		{score(1, 3, 2), 1, 0, true}, {score(2, 2), 0, 0, false}, {score(nan, nan), -1, -1, false}, {score(nan, 4, nan, 5), 3, 1, true}, {score(), -1, -1, false},
	} {
		p, ok := c.t.Preferred()
		if c.t.Best() != c.best || c.t.Worst() != c.worst || ok != c.ok {
			t.Errorf("best %d, worst %d, %v, want %+v", c.t.Best(), c.t.Worst(), ok, c)
		}
		if ok && (p.Chosen.IDs[1] != int32(c.best) || p.Rejected.IDs[1] != int32(c.worst) || p.Chosen.Length() != 2) {
			t.Errorf("%+v is preferred to %+v", p.Chosen, p.Rejected)
		}
	}
	cut := score(1, 5, 3)
	cut.Answers[1].Finish, cut.Answers[2].Text = generate.FinishLength, " "
	rs, lost := Rejected([]dataset.Record{{Prompt: dataset.Text{Plain: "q"}}, {}}, []*Tries{cut, score(nan)})
	if len(rs) != 1 || lost != 1 || rs[0].Completion.Plain != "answer 0" || rs[0].Prompt.Plain != "q" {
		t.Errorf("rejection sampling learns %+v, %d are cut", rs, lost)
	}
}

func TestTournament(t *testing.T) {
	court := &Court{Judge: scripted(func(_ context.Context, a, b string) (string, error) {
		if a > b {
			return "A", nil
		}
		return "B", nil
	}), Constitution: DefaultConstitution()}
	ts := []*Tries{score(0, 0, 0)}
	ts[0].Answers[2].Text = ts[0].Answers[0].Text
	var report *JudgeReport
	if err := Tournament(court, func(r *JudgeReport) { report = r })(context.Background(), make([]dataset.Record, 1), ts); err != nil {
		t.Fatal(err)
	}
	if a := ts[0].Answers; *a[0].Score != 0 || *a[1].Score != 1 || *a[2].Score != 0 || report.Comparisons != 2 {
		t.Errorf("scores %g %g %g, %+v", *a[0].Score, *a[1].Score, *a[2].Score, report)
	}
}

func TestMeasureBestOf(t *testing.T) {
	bs := MeasureBestOf([]*Tries{score(1, 2, 3, 4), score(5, 5, 5, 5), score(math.NaN(), 0)}, 1)
	var s strings.Builder
	for _, b := range bs {
		fmt.Fprintf(&s, "%d: %.4f of %d, %.4f <= %.4f\n", b.N, b.Reward.Value, b.Prompt, b.KL, b.Bound)
	}
	// Best of 2 of 1..4: (2 + 2*3 + 3*4)/6 = 10/3.
	if want := "1: 2.5000 of 3, 0.0000 <= 0.0000\n2: 4.1667 of 2, 0.0870 <= 0.1931\n4: 4.5000 of 2, 0.2952 <= 0.6363\n"; s.String() != want {
		t.Errorf("got\n%swant\n%s", s.String(), want)
	}
}
