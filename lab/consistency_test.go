package lab_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/lab"
)

func consistencyOptions(t *testing.T) lab.ConsistencyOptions {
	t.Helper()
	number, err := search.ParseExtractor("number")
	if err != nil {
		t.Fatal(err)
	}
	return lab.ConsistencyOptions{
		Prompt: "6 x 7?", Paraphrases: []string{"six times seven?", "seven sixes?"}, K: 10, Extract: number,
		Ways: []lab.Way{{Name: "given", Sample: sample.Options{Temperature: 1}}, {Name: "greedy"}},
	}
}

// trial finds one by its experiment and name.
func trial(t *testing.T, r *lab.ConsistencyResult, experiment, name string) lab.Agreement {
	t.Helper()
	for _, x := range r.Trials {
		if x.Experiment == experiment && strings.Contains(x.Name, name) {
			return x.Agreement
		}
	}
	t.Fatalf("no trial %s: %s", experiment, name)
	return lab.Agreement{}
}

// TestConsistency plants instabilities of every kind and finds each where it is.
func TestConsistency(t *testing.T) {
	o := consistencyOptions(t)
	// A model that always says the same, in two wordings of the same answer.
	steady := func(_ context.Context, _ lab.Way, qs []lab.Question) (out []string, err error) {
		for _, q := range qs {
			out = append(out, []string{"The sum is 42.", "The result is 42.0"}[q.Stream%2])
		}
		return out, nil
	}
	r, err := lab.Consistency(context.Background(), o, steady, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := trial(t, r, "same prompt", "given")
	if r.Score != 1 || !r.SameBits || a.Answers != 1 || a.Distinct != 1 || a.Entropy != 0 || a.Majority != "42" {
		t.Errorf("a steady model: score %v, %+v", r.Score, a)
	}
	if want := 20. / 45; math.Abs(a.Exact-want) > 1e-12 || a.Similarity <= want || a.Similarity >= 1 {
		t.Errorf("two wordings: %v of pairs the same, want %v; similarity %v", a.Exact, want, a.Similarity)
	}
	// Half of the answers are others: entropy ln 2, as in 5 of 10.
	halves := func(ctx context.Context, w lab.Way, qs []lab.Question) (out []string, err error) {
		for _, q := range qs {
			out = append(out, fmt.Sprint(42+q.Stream%2))
		}
		return out, nil
	}
	if r, err = lab.Consistency(context.Background(), o, halves, nil); err != nil {
		t.Fatal(err)
	}
	if a := trial(t, r, "same prompt", "given"); math.Abs(a.Entropy-math.Ln2) > 1e-12 || math.Abs(a.Answers-20./45) > 1e-12 || a.Share.Value != .5 {
		t.Errorf("two answers: %+v", a)
	}
	if !r.SameBits {
		t.Error("chance was taken for the machine")
	}
	// One paraphrase is understood differently, one number of threads and one way
	// answer otherwise.
	planted := func(_ context.Context, w lab.Way, qs []lab.Question) (out []string, err error) {
		for _, q := range qs {
			answer := "42"
			if q.Prompt == "seven sixes?" {
				answer = "76"
			}
			if w.Threads == 2 && q.Stream == 3 {
				answer = "41"
			}
			if w.Name == "greedy" {
				answer = "none"
			}
			out = append(out, answer)
		}
		return out, nil
	}
	if r, err = lab.Consistency(context.Background(), o, planted, nil); err != nil {
		t.Fatal(err)
	}
	if a := trial(t, r, "paraphrases", "3 wordings"); math.Abs(a.Answers-1./3) > 1e-12 {
		t.Errorf("a paraphrase: %+v", a)
	}
	if a := trial(t, r, "samplers", "2 ways"); a.Answers != 0 || a.Exact != 0 {
		t.Errorf("a way without answers: %+v", a)
	}
	if a := trial(t, r, "same prompt", "greedy"); a.Answers != 0 || a.Exact != 1 || a.Distinct != 10 {
		t.Errorf("no answer is no agreement: %+v", a)
	}
	if r.SameBits || len(r.Different) != 1 || r.Different[0] != "threads: 2" || trial(t, r, "machine", "threads: 2").Exact != .9 {
		t.Errorf("threads: %v", r.Different)
	}
	var page bytes.Buffer
	if err := r.Page("planted").Render(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"differs", "threads: 2", "seven sixes?", "76"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

func TestConsistencyErrors(t *testing.T) {
	ctx := context.Background()
	for want, change := range map[string]func(*lab.ConsistencyOptions){
		"k is 1":            func(o *lab.ConsistencyOptions) { o.K = 1 },
		"k is 10000":        func(o *lab.ConsistencyOptions) { o.K = 10000 },
		"65 paraphrases":    func(o *lab.ConsistencyOptions) { o.Paraphrases = make([]string, 65) },
		"no way to sample":  func(o *lab.ConsistencyOptions) { o.Ways = nil },
		"no extractor":      func(o *lab.ConsistencyOptions) { o.Extract = nil },
		"threads is 0":      func(o *lab.ConsistencyOptions) { o.Threads = []int{0} },
		"given: the end":    func(*lab.ConsistencyOptions) {},
		"0 answers to 10 q": func(o *lab.ConsistencyOptions) { o.Ways[0].Name = "lazy" },
	} {
		o := consistencyOptions(t)
		change(&o)
		_, err := lab.Consistency(ctx, o, func(_ context.Context, w lab.Way, _ []lab.Question) ([]string, error) {
			if w.Name == "lazy" {
				return nil, nil
			}
			return nil, errors.New("the end")
		}, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
