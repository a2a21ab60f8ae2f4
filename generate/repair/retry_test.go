package repair

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"text/template"

	"github.com/foundling-lm/foundling/internal/rng"
)

// coin generates "good" with probability p, else "bad".
func coin(p float64, item uint64) func(context.Context, string, int) (Answer, error) {
	return func(_ context.Context, _ string, try int) (Answer, error) {
		if rng.Float64(3, item, uint64(try)) < p {
			return Answer{"good", 5}, nil
		}
		return Answer{"bad", 5}, nil
	}
}

func wantGood(_ context.Context, text string) error {
	if text != "good" {
		return errors.New("it is " + text)
	}
	return nil
}

// TestRetryStatistics compares the loop with 1-(1-p)^k and 1/p.
func TestRetryStatistics(t *testing.T) {
	for _, c := range []struct {
		p    float64
		k    int
		want float64
	}{{0.7, 2, 0.91}, {0.7, 3, 0.973}, {0.3, 5, 0.83193}} {
		if got := ValidWithin(c.p, c.k); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("ValidWithin(%v, %d) = %v, want %v", c.p, c.k, got, c.want)
		}
		const n = 20000
		valid, tries := 0, 0
		for i := range uint64(n) {
			r := Retry{Tries: c.k, Generate: coin(c.p, i), Validate: wantGood}
			out, err := r.Run(context.Background(), "p")
			if err != nil {
				t.Fatal(err)
			}
			if out.Valid {
				valid++
			}
			tries += len(out.Tries)
			if out.Tokens != 5*len(out.Tries) {
				t.Fatalf("%d tokens in %d tries of 5", out.Tokens, len(out.Tries))
			}
		}
		share := float64(valid) / n
		if sd := math.Sqrt(c.want * (1 - c.want) / n); math.Abs(share-c.want) > 4*sd {
			t.Errorf("p %v, %d tries: %v valid, want %v", c.p, c.k, share, c.want)
		}
		if mean := float64(tries) / n; math.Abs(mean-ExpectedTries(c.p, c.k)) > 0.05 {
			t.Errorf("p %v, at most %d tries: %v on average, want %v", c.p, c.k, mean, ExpectedTries(c.p, c.k))
		}
	}
	tries, n := 0, 5000
	for i := range n {
		r := Retry{Tries: 1000, Generate: coin(0.25, uint64(i)), Validate: wantGood}
		out, err := r.Run(context.Background(), "p")
		if err != nil || !out.Valid {
			t.Fatal(out.Valid, err)
		}
		tries += len(out.Tries)
	}
	if mean, want := float64(tries)/float64(n), ExpectedTries(0.25, 0); want != 4 || math.Abs(mean-want) > 4*math.Sqrt(12/float64(n)) {
		t.Errorf("%v tries on average, want %v", mean, want)
	}
}

func TestRetryFeedsBack(t *testing.T) {
	answers := []string{"{'a': oops", "Sure! {'a': 1}"}
	var prompts []string
	r := Retry{
		Tries: 4,
		Generate: func(_ context.Context, prompt string, try int) (Answer, error) {
			prompts = append(prompts, prompt)
			return Answer{answers[try], 7}, nil
		},
		Repair: func(text string) (Result, error) { return JSON(text, Options{}) },
		Validate: func(_ context.Context, text string) error {
			if !strings.Contains(text, "1") {
				return errors.New("a must be a number")
			}
			return nil
		},
	}
	out, err := r.Run(context.Background(), "Write JSON.")
	if err != nil || !out.Valid || out.Text != `{"a": 1}` || len(out.Tries) != 2 || out.Tokens != 14 {
		t.Fatalf("%+v %v", out, err)
	}
	if out.Tries[0].Error != "a must be a number" || len(out.Tries[1].Changes) == 0 {
		t.Errorf("the record is %+v", out.Tries)
	}
	if !strings.HasPrefix(prompts[1], "Write JSON.") || !strings.Contains(prompts[1], answers[0]) || !strings.Contains(prompts[1], "a must be a number") {
		t.Errorf("the second prompt is %q", prompts[1])
	}
	prompts = nil
	r.Template = template.Must(template.New("").Parse("{{.Error}} ({{.Try}})"))
	if _, err := r.Run(context.Background(), "Write JSON."); err != nil || prompts[1] != "a must be a number (1)" {
		t.Errorf("with a template: %q %v", prompts, err)
	}
}

func TestSecondOpinion(t *testing.T) {
	ask := func(_ context.Context, q string) (string, error) {
		if q != "Is 4 even?" {
			return "", errors.New(q)
		}
		return " Yes, it is.", nil
	}
	judge := SecondOpinion("Is %s even?", ask)
	if err := judge(context.Background(), "4"); err != nil {
		t.Error(err)
	}
	if err := judge(context.Background(), "5"); err == nil {
		t.Error("an error of the model passes")
	}
	no := SecondOpinion("%s?", func(context.Context, string) (string, error) { return "No: too long", nil })
	if err := no(context.Background(), "x"); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Error(err)
	}
}
