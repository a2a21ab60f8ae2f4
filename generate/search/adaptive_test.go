package search

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/internal/rng"
)

var draw0 generate.Options

func TestBetaLead(t *testing.T) {
	// Unanimous votes: 1 - 2^-(a+1).
	for a := 1; a < 12; a++ {
		if got, want := betaLead(a, 0), 1-math.Pow(2, -float64(a+1)); math.Abs(got-want) > 1e-12 {
			t.Errorf("%d to 0: got %v, want %v", a, got, want)
		}
	}
	// Against the integral of x^b (1-x)^a over [0, 1/2].
	for _, v := range [][2]int{{5, 3}, {10, 9}, {30, 10}, {7, 7}} {
		var below, all float64
		const steps = 200000
		for i := range steps {
			x := (float64(i) + 0.5) / steps
			f := math.Pow(x, float64(v[1])) * math.Pow(1-x, float64(v[0]))
			all += f
			if x < 0.5 {
				below += f
			}
		}
		if got := betaLead(v[0], v[1]); math.Abs(got-below/all) > 1e-6 {
			t.Errorf("%v: got %v, want %v", v, got, below/all)
		}
	}
}

// sampled answers "right" with probability p, else one of three others.
func sampled(seed uint64, p float64) func(ctx context.Context, first, n int) ([]Candidate, error) {
	return func(_ context.Context, first, n int) ([]Candidate, error) {
		out := make([]Candidate, n)
		for i := range out {
			k := uint64(first + i)
			out[i].Text = fmt.Sprint("wrong", rng.Intn(seed, 1, k, 3))
			if rng.Float64(seed, 0, k) < p {
				out[i].Text = "right"
			}
		}
		return out, nil
	}
}

// TestAdaptive: stopping when the vote is decided gives the winner of all
// candidates with fewer of them, for every seed; the Beta rule nearly always, with
// fewer still.
func TestAdaptive(t *testing.T) {
	const n, seeds = 40, 400
	var whole, sure, beta, agree int
	right := [3]int{}
	for seed := range uint64(seeds) {
		draw := sampled(seed, 0.5)
		all, _ := draw(t.Context(), 0, n)
		want := choose(t, Majority(Whole), all)
		for i, rule := range []StopRule{CannotBeOvertaken, BetaStop(DefaultConfidence)} {
			got, err := Adaptive(t.Context(), n, 1, Whole, rule, draw)
			if err != nil {
				t.Fatal(err)
			}
			ch := choose(t, Majority(Whole), got)
			if ch.Answer == "right" {
				right[i+1]++
			}
			if i == 0 {
				sure += len(got)
				if ch.Answer != want.Answer || ch.Index != want.Index {
					t.Errorf("seed %d: %q after %d candidates, %q after all", seed, ch.Answer, len(got), want.Answer)
				}
				continue
			}
			beta += len(got)
			if ch.Answer == want.Answer {
				agree++
			}
		}
		whole += n
		if want.Answer == "right" {
			right[0]++
		}
	}
	t.Logf("candidates: all %d, until decided %d, Beta rule %d (agrees in %d of %d); right %v", whole, sure, beta, agree, seeds, right)
	if !(sure < whole*8/10 && beta < sure*8/10) || agree < seeds*9/10 || right[0] != right[1] {
		t.Error("the rules do not save candidates, or change the vote")
	}
}

// TestCannotBeOvertaken compares with all ways in which a vote can go on.
func TestCannotBeOvertaken(t *testing.T) {
	answers := []string{"a", "b", "c"}
	var rec func(votes []string, left int)
	winner := func(votes []string) string {
		var t Tally
		for i, v := range votes {
			t.Add(i, v, 1)
		}
		a, _, _ := t.Leader()
		return a
	}
	changes := func(votes []string, left int) bool {
		now := winner(votes)
		var any func(votes []string, left int) bool
		any = func(votes []string, left int) bool {
			if left == 0 {
				return winner(votes) != now
			}
			for _, a := range append(answers, "new") {
				if any(append(votes[:len(votes):len(votes)], a), left-1) {
					return true
				}
			}
			return false
		}
		return any(votes, left)
	}
	rec = func(votes []string, left int) {
		if len(votes) > 0 {
			var tally Tally
			for i, v := range votes {
				tally.Add(i, v, 1)
			}
			if got, want := CannotBeOvertaken(&tally, left), !changes(votes, left); got != want {
				t.Errorf("%v with %d to come: decided %v, want %v", votes, left, got, want)
			}
		}
		if left > 0 {
			for _, a := range answers {
				rec(append(votes[:len(votes):len(votes)], a), left-1)
			}
		}
	}
	rec(nil, 5)
}

func TestAdaptiveErrors(t *testing.T) {
	for _, x := range [][2]int{{0, 1}, {MaxCandidates + 1, 1}, {5, 0}} {
		if _, err := Adaptive(t.Context(), x[0], x[1], Whole, CannotBeOvertaken, sampled(1, 1)); err == nil {
			t.Errorf("%d candidates in rounds of %d: no error", x[0], x[1])
		}
	}
}
