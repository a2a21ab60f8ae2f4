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
	"sync/atomic"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
)

func TestParseVerdict(t *testing.T) {
	for text, want := range map[string]float64{
		"A": 1, " b": -1, "B": 0, "(A)": 1, "**B**\n": 0, "B.": 0, "A) It is shorter.": 1, "[[A]]": 1, "I weigh both. [[B]]": 0, "[[C]]": 0.5, "Tie": 0.5,
		"The better answer is B.": 0, "Answer: A": 1, "Answer A is better, since it is true.": 1, "My verdict: **B**": 0, "B is better than A.": 0, "A is the best": 1,
		"": -1, "A better answer would be nice.": -1, "Answer A is good, but answer B is good, too.": -1, "both": -1, "I cannot say": -1, "AB": -1, "Option B — it refuses.": 0,
		"B\nIt is kind.": 0, "the answer is a": -1, "[[A]] or [[B]]": -1,
	} {
		got, ok := ParseVerdict(text)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q is read as %g, %v, want %g", text, got, ok, want)
		}
	}
}

func FuzzParseVerdict(f *testing.F) {
	f.Add("The better answer is A.")
	f.Add("[[B]]")
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := ParseVerdict(s)
		if a != 0 && a != 0.5 && a != 1 || !ok && a != 0.5 {
			t.Errorf("%q is read as %g, %v", s, a, ok)
		}
		if ok && !strings.ContainsAny(s, "ABCTtDd") {
			t.Errorf("%q has no verdict, read as %g", s, a)
		}
	})
}

// shown is which of two answers a question shows as A.
func shown(q []chat.Message) (a, b string) {
	_, rest, _ := strings.Cut(q[0].Content, "Answer A:\n")
	a, rest, _ = strings.Cut(rest, "\n\nAnswer B:\n")
	b, _, _ = strings.Cut(rest, "\n\n")
	return a, b
}

func someComparisons(n int) []Comparison {
	out := make([]Comparison, n)
	for i := range out {
		out[i] = Comparison{
			Prompt: dataset.Text{Plain: fmt.Sprint("question ", i)}, First: dataset.Text{Plain: fmt.Sprint("good ", i)}, Second: dataset.Text{Plain: fmt.Sprint("a bad one ", i)}, Gold: 1,
		}
		if i%3 == 0 {
			out[i].First, out[i].Second, out[i].Gold = out[i].Second, out[i].First, -1
		}
	}
	return out
}

// scripted is a judge of the given function.
func scripted(say func(ctx context.Context, a, b string) (string, error)) *Service {
	return &Service{
		Say: func(ctx context.Context, q []chat.Message) (Said, error) {
			a, b := shown(q)
			text, err := say(ctx, a, b)
			return Said{Text: text, PromptTokens: 10, CompletionTokens: 1}, err
		},
		Timeout: 50 * time.Millisecond, Retries: 2, Pause: time.Millisecond, Concurrent: 3,
	}
}

// judgeFunc is a judge whose replies are probabilities.
type judgeFunc func(q []chat.Message) float64

func (f judgeFunc) Ask(_ context.Context, questions [][]chat.Message, tell func(i int, r Reply)) error {
	for i, q := range questions {
		tell(i, Reply{A: f(q)})
	}
	return nil
}

func good(_ context.Context, a, _ string) (string, error) {
	if strings.HasPrefix(a, "good") {
		return "A", nil
	}
	return "B", nil
}

func compare(t *testing.T, j Judge, n int) ([]Opinion, *JudgeReport) {
	t.Helper()
	c := Court{Judge: j, Constitution: DefaultConstitution(), Seed: 1, Batch: 4}
	opinions, r, err := c.Compare(context.Background(), someComparisons(n))
	if err != nil {
		t.Fatal(err)
	}
	return opinions, r
}

func TestCourt(t *testing.T) {
	opinions, r := compare(t, scripted(good), 9)
	if r.Decided != 9 || r.Agrees != 9 || r.AgreesOf != 9 || r.FirstPlace != 0.5 || r.Longer != 0 || r.LongerOf != 9 || r.PromptTokens != 180 {
		t.Errorf("a good judge: %+v", r)
	}
	for i, c := range someComparisons(9) {
		p, ok := opinions[i].Preference(c)
		if !ok || !strings.HasPrefix(p.Chosen.Plain, "good") || !strings.HasPrefix(p.Rejected.Plain, "a bad") || p.Prompt.Plain != c.Prompt.Plain {
			t.Errorf("comparison %d becomes %+v, %v", i, p, ok)
		}
	}
	_, r = compare(t, scripted(func(context.Context, string, string) (string, error) { return "A", nil }), 9)
	if r.Decided != 0 || r.Swapped != 9 || r.FirstPlace != 1 {
		t.Errorf("a judge that looks at places: %+v", r)
	}
	// Weak probabilities, with a strong bias of place: the mean decides.
	weak := judgeFunc(func(q []chat.Message) float64 {
		if a, _ := shown(q); strings.HasPrefix(a, "good") {
			return 0.9
		}
		return 0.8
	})
	if _, r = compare(t, weak, 9); r.Decided != 0 || r.Swapped != 9 || math.Abs(r.FirstPlace-0.85) > 1e-12 {
		t.Errorf("a judge with a bias, both orders must agree: %+v", r)
	}
	c := Court{Judge: weak, Constitution: DefaultConstitution(), Mean: true}
	if _, r, err := c.Compare(context.Background(), someComparisons(9)); err != nil || r.Decided != 9 || r.Agrees != 9 || r.Swapped != 9 {
		t.Errorf("a judge with a bias, the mean decides: %+v, %v", r, err)
	}
	_, r = compare(t, scripted(func(_ context.Context, a, b string) (string, error) {
		if len(a) > len(b) {
			return "A", nil
		}
		return "B", nil
	}), 9)
	if r.Longer != 9 || r.Agrees != 0 || r.Decided != 9 {
		t.Errorf("a judge that looks at lengths: %+v", r)
	}
	_, r = compare(t, scripted(func(_ context.Context, a, _ string) (string, error) {
		if strings.HasSuffix(a, "4") {
			return "as you like it", nil
		}
		return good(context.Background(), a, "")
	}), 9)
	if r.Nonsense != 2 || r.Decided != 8 || r.Said != "as you like it" {
		t.Errorf("a judge that talks nonsense once: %+v", r)
	}
}

// TestHangingJudge has a service that hangs at the first try, fails at the second,
// and one that hangs for good.
func TestHangingJudge(t *testing.T) {
	tries := map[string]*atomic.Int32{}
	for _, c := range someComparisons(3) {
		tries[c.First.Plain], tries[c.Second.Plain] = &atomic.Int32{}, &atomic.Int32{}
	}
	opinions, r := compare(t, scripted(func(ctx context.Context, a, b string) (string, error) {
		switch tries[a].Add(1) {
		case 1:
			<-ctx.Done()
			return "", ctx.Err()
		case 2:
			return "", errors.New("500")
		}
		return good(ctx, a, b)
	}), 3)
	if r.Decided != 3 || r.Retries != 12 || opinions[0].Orders[0].Tries != 3 {
		t.Errorf("a judge that replies at the third try: %+v", r)
	}
	hangs := scripted(func(ctx context.Context, _, _ string) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	})
	c := Court{Judge: hangs, Constitution: DefaultConstitution()}
	_, _, err := c.Compare(context.Background(), someComparisons(20))
	if err == nil || !strings.Contains(err.Error(), "no reply within 50ms") || !strings.Contains(err.Error(), "5 times in a row") {
		t.Errorf("a judge that is gone: %v", err)
	}
	once := scripted(func(ctx context.Context, a, b string) (string, error) {
		if a == "good 1" {
			<-ctx.Done()
			return "", ctx.Err()
		}
		return good(ctx, a, b)
	})
	_, r = compare(t, once, 9)
	if r.Failed != 1 || r.Decided != 8 || r.Said != "no reply within 50ms" {
		t.Errorf("a judge that hangs at one question: %+v", r)
	}
}

// TestJudgeIsReplayed stops a run in the middle: what was answered is not asked
// again.
func TestJudgeIsReplayed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "judge.jsonl")
	want, _ := compare(t, scripted(good), 9)
	var asked atomic.Int32
	for round := range 3 {
		j, err := OpenJournal(path)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		service := scripted(func(own context.Context, a, b string) (string, error) {
			if asked.Add(1) == 11 {
				stop()
				<-own.Done()
				return "", own.Err()
			}
			return good(own, a, b)
		})
		service.Concurrent, service.Timeout = 1, time.Minute
		c := Court{Judge: service, Name: "x", Constitution: DefaultConstitution(), Seed: 1, Batch: 4, Journal: j}
		got, _, err := c.Compare(ctx, someComparisons(9))
		stop()
		if (round == 0) != errors.Is(err, context.Canceled) || round > 0 && err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if n := asked.Load(); n != []int32{11, 19, 19}[round] {
			t.Errorf("round %d: %d questions were asked in all", round, n)
		}
		for i := range got {
			if got[i].First != want[i].First {
				t.Errorf("round %d: opinion %d is %v, want %v", round, i, got[i], want[i])
			}
		}
	}
}

// TestFailuresAreSettled has a judge that never replies to one question: a run that
// goes on asks it again, until records were made without the reply.
func TestFailuresAreSettled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "judge.jsonl")
	for round, want := range []int{7, 7, 8} { // decided; the judge replies to all from the second round on
		j, err := OpenJournal(path)
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		service := scripted(func(_ context.Context, a, b string) (string, error) {
			if asked++; round == 0 && a == "good 1" {
				return "", errors.New("busy")
			}
			return good(context.Background(), a, b)
		})
		service.Concurrent, service.Retries = 1, 0
		if round == 2 { // a run whose failures were not settled
			j.Close()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.SplitAfter(string(data), "\n")
			lines = slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, "busy") })
			if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o644); err != nil {
				t.Fatal(err)
			}
			if j, err = OpenJournal(path); err != nil {
				t.Fatal(err)
			}
		}
		c := Court{Judge: service, Name: "x", Constitution: DefaultConstitution(), Seed: 1, Journal: j}
		_, r, err := c.Compare(context.Background(), someComparisons(8))
		if err != nil {
			t.Fatal(err)
		}
		if r.Decided != want || asked != []int{16, 0, 1}[round] {
			t.Errorf("round %d: %d decided, want %d; %d questions were asked", round, r.Decided, want, asked)
		}
		if round == 0 {
			if n := j.Len(); n != 15 {
				t.Errorf("%d replies are in the journal before it is settled, want 15", n)
			}
		}
		if err := errors.Join(j.Settle(), j.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestJournalledRewards replays scores for the same answers, and asks again for
// others in their place.
func TestJournalledRewards(t *testing.T) {
	j, err := OpenJournal(filepath.Join(t.TempDir(), "answers.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	asked := 0
	term := Term{Name: "service", Outside: true, Batch: 2, Reward: One(func(_ context.Context, a *Answer) (float64, error) {
		asked++
		return float64(len(a.Text)), nil
	})}
	answers := func(texts ...string) (out []Answer) {
		for _, s := range texts {
			out = append(out, Answer{Prompt: &Prompt{}, Candidate: search.Candidate{Text: s}})
		}
		return out
	}
	for _, x := range []struct {
		answers []Answer
		asked   int
	}{{answers("a", "bb", "ccc"), 3}, {answers("a", "bb", "ccc"), 3}, {answers("a", "bbbb", "ccc"), 5}} {
		scores, err := term.scores(context.Background(), j, x.answers, func(int) {})
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range scores {
			if want := float64(len(x.answers[i].Text)); s.Value != want {
				t.Errorf("the score of %q is %g, want %g", x.answers[i].Text, s.Value, want)
			}
		}
		if asked != x.asked {
			t.Errorf("the service was asked for %d scores in all, want %d", asked, x.asked)
		}
	}
}

func TestModelJudge(t *testing.T) {
	b := fastBackend(t, 0)
	z := stories(t, b)
	w, err := NewWriter(z)
	if err != nil {
		t.Fatal(err)
	}
	e := generate.New(b, z.Model, z.TokenBytes())
	t.Cleanup(e.Close)
	long := []chat.Message{{Role: chat.RoleUser, Content: strings.Repeat("much too long ", 300)}}
	q := question("Choose.", dataset.Text{Plain: "Hi"}, dataset.Text{Plain: "x"}, dataset.Text{Plain: "y"})
	rs := make([]Reply, 3)
	if err := (&ModelJudge{e, w}).Ask(context.Background(), [][]chat.Message{q, long, q}, func(i int, r Reply) { rs[i] = r }); err != nil {
		t.Fatal(err)
	}
	if rs[1].Failed == "" || !(rs[0].A > 0 && rs[0].A < 1) || rs[0].A != rs[2].A || rs[0].PromptTokens < 100 {
		t.Errorf("%+v", rs)
	}
}

func TestConstitution(t *testing.T) {
	if n := len(DefaultConstitution().Principles); n != 8 {
		t.Errorf("%d principles, want 8", n)
	}
	if _, err := ParseConstitution("# nothing\n\n"); err == nil {
		t.Error("a constitution without a principle is taken")
	}
}
