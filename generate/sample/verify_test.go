package sample_test

import (
	"math"
	"testing"

	"github.com/foundling-lm/foundling/generate/sample"
)

// TestVerifyKeepsTheDistribution draws guesses from one distribution, verifies
// them against another and compares the counts with the second: chi-square, the
// bound is the 99.9 % quantile.
func TestVerifyKeepsTheDistribution(t *testing.T) {
	const draws = 40000
	target, draft := logs(.3, .25, .2, .15, .08, .02), logs(.05, .4, .05, .2, .05, .25)
	for _, o := range []sample.Options{{Temperature: 1, Seed: 3}, {Temperature: 1.5, TopK: 4, Seed: 4}, {Temperature: 0.7, TopP: .9, Seed: 5}} {
		s := sampler(t, o)
		for _, certain := range []bool{false, true} {
			count, accepted := make([]float64, len(target)), 0
			for i := range uint64(draws) {
				guess, q := s.Guess(draft, sample.At{Stream: i, Index: 2}), s.Distribution(draft, sample.At{Stream: i, Index: 2})
				if certain {
					guess, q = 1, []sample.Token{{ID: 1}}
				}
				id, ok := s.Verify(target, sample.At{Stream: i, Index: 2}, guess, q)
				count[id]++
				if ok {
					accepted++
					if id != guess {
						t.Fatalf("guess %d was accepted as %d", guess, id)
					}
				}
			}
			d := s.Distribution(target, sample.At{})
			var chi, seen float64
			for _, x := range d {
				want := draws * math.Exp(x.LogProb)
				chi += (count[x.ID] - want) * (count[x.ID] - want) / want
				seen += count[x.ID]
			}
			f := float64(len(d) - 1)
			if bound := f * math.Pow(1-2/(9*f)+3.09*math.Sqrt(2/(9*f)), 3); chi > bound || seen != draws {
				t.Errorf("%+v, certain %v: chi-square %.1f, bound %.1f, %v outside", o, certain, chi, bound, draws-seen)
			}
			if accepted == 0 || accepted == draws {
				t.Errorf("%+v: %d of %d accepted", o, accepted, draws)
			}
		}
	}
	// Equal distributions: everything is accepted. Temperature 0: the argmax.
	s := sampler(t, sample.Options{Temperature: 1})
	for i := range uint64(200) {
		g := s.Guess(target, sample.At{Stream: i})
		if id, ok := s.Verify(target, sample.At{Stream: i}, g, s.Distribution(target, sample.At{})); !ok || id != g {
			t.Fatalf("a guess from the target itself was rejected")
		}
	}
	s = sampler(t, sample.Options{})
	if id, ok := s.Verify(target, sample.At{}, 3, []sample.Token{{ID: 3}}); ok || id != 0 {
		t.Errorf("temperature 0: got %d, %v, want the most probable", id, ok)
	}
}
