package posttrain_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/text/dataset/near"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// attempts are n of a model of stories, so many at a time.
func attempts(t *testing.T, threads, n, batch int, tasks bool) []posttrain.Attempt {
	t.Helper()
	b := backend(t, threads)
	z, err := bundle.Open(b, golden.Data(t, "models/stories260K/hf"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := posttrain.NewWriter(z)
	if err != nil {
		t.Fatal(err)
	}
	e := generate.New(b, z.Model, z.TokenBytes())
	defer e.Close()
	s := posttrain.Synthesis{Writer: w, Engine: e, Seed: 5, Tasks: tasks, Options: generate.Options{
		MaxTokens: 24, Stop: []string{"."}, StopIDs: z.Stops(), Sample: sample.Options{Temperature: 1, Seed: 5},
	}, Judge: func(_ context.Context, prompt string, c *search.Candidate) (search.Verdict, error) {
		return search.Verdict{Pass: len(c.Text)%2 == 0, Score: float64(len(c.Text)), Why: "odd after " + prompt}, nil
	}}
	for i, p := range []string{"Once upon a time", "The dog", "Lily was sad", "One day", "Tom had a ball"} {
		s.Prompts = append(s.Prompts, dataset.Record{Kind: dataset.Prompts, Prompt: dataset.Text{Plain: p}, Source: fmt.Sprintf("p:%d", i+1)})
	}
	var out []posttrain.Attempt
	for first := 0; first < n; first += batch {
		made, err := s.Attempts(context.Background(), first, min(batch, n-first))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, made...)
	}
	return out
}

// An attempt is the same in any batch and with any number of threads.
func TestAttemptsOfAnyBatch(t *testing.T) {
	for _, tasks := range []bool{false, true} {
		want := attempts(t, 1, 12, 12, tasks)
		answered := 0
		for i, a := range want {
			if a.Number != i {
				t.Errorf("attempt %d is number %d", i, a.Number)
			}
			if a.Answer != "" {
				answered++
			}
		}
		if answered < 3 {
			t.Fatalf("only %d answers (tasks: %v)", answered, tasks)
		}
		if got := attempts(t, 2, 12, 5, tasks); !reflect.DeepEqual(got, want) {
			t.Errorf("in batches of 5:\n%v\nin one:\n%v", got, want)
		}
		if got := attempts(t, 1, 7, 1, tasks); !reflect.DeepEqual(got, want[:7]) {
			t.Errorf("the first 7 alone differ")
		}
	}
}

func TestSieve(t *testing.T) {
	long := "a story about a dog and a cat who live in a small house near the big forest with their friend the owl and never go out at night"
	try := func(prompt, answer string) posttrain.Attempt {
		return posttrain.Attempt{Prompt: dataset.Text{Plain: prompt}, Answer: answer, Finish: generate.FinishStop, Tokens: 2, Pass: true, Score: 1}
	}
	bad := try("q", "wrong")
	bad.Pass, bad.Why = false, "it is wrong"
	cut := try("q", "cut")
	cut.Pass, cut.Why, cut.Finish = false, "unfinished", generate.FinishLength
	unusable := posttrain.Attempt{Prompt: dataset.Text{Plain: "q"}, Why: "too long"}
	tried := []posttrain.Attempt{try("p", "one"), try("p", "One "), try("p", "two"), try("q", long), try("q", long+" ever"), bad, cut, unusable, try("p", " ")}
	kept := func(s *posttrain.Sieve) (out []int) {
		for i, a := range tried {
			if s.Keep(a) {
				out = append(out, i)
			}
		}
		return out
	}
	s := posttrain.NewSieve(near.Options{}, nil)
	if got := kept(s); !slices.Equal(got, []int{0, 2, 3}) {
		t.Errorf("kept %v", got)
	}
	want := map[string]int{"repeats another": 1, "nearly repeats another": 1, "refused by the judge": 1, "unfinished": 1, "the prompt cannot be used": 1, "empty": 1}
	if !reflect.DeepEqual(s.Refused, want) || s.Attempts != 9 || s.Kept != 3 || s.Tokens != 16 || s.Score != 1 || !slices.Equal(s.Reasons, []string{"it is wrong", "too long"}) {
		t.Errorf("%+v", s)
	}
	// Made-up prompts must be new, too: p stands among the tasks, and q is kept once.
	s = posttrain.NewSieve(near.Options{}, []string{"P"})
	if got := kept(s); !slices.Equal(got, []int{3}) || s.Refused["the prompt nearly repeats another"] != 4 {
		t.Errorf("kept %v, refused %v", got, s.Refused)
	}
	r := tried[0].Record()
	if r.Kind != dataset.PromptCompletion || r.Prompt.Plain != "p" || r.Completion.Plain != "one" {
		t.Errorf("record %+v", r)
	}
}
