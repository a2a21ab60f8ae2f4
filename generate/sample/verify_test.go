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
	if testing.Short() {
		t.Skip("many draws")
	}
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

// TestAcceptance compares the share of accepted guesses with 1 - TV(p, q), and the
// tokens that a step of gamma guesses gives with (1-a^(gamma+1))/(1-a) (Leviathan
// et al. 2023, corollary 3.6 and eq. 1).
func TestAcceptance(t *testing.T) {
	const steps = 20000
	for _, c := range []struct {
		p, q   []float32
		accept float64
		gamma  int
		tokens float64
	}{
		{logs(.6, .4), logs(.8, .2), .8, 5, 3.6893},
		{logs(.3, .7), logs(.7, .3), .6, 3, 2.176},
		{logs(.5, .3, .2), logs(.55, .35, .1), .9, 7, 5.6953},
	} {
		s := sampler(t, sample.Options{Temperature: 1, Seed: 8})
		q := s.Distribution(c.q, sample.At{})
		tokens, drafted, accepted := 0.0, 0.0, 0.0
		for step := range uint64(steps) {
			tokens++ // the one that replaces the first wrong guess, or follows the last
			for i := range c.gamma {
				at := sample.At{Stream: step, Index: uint64(i)}
				drafted++
				if _, ok := s.Verify(c.p, at, s.Guess(c.q, at), q); !ok {
					break
				}
				accepted++
				tokens++
			}
		}
		if sd := math.Sqrt(c.accept * (1 - c.accept) / drafted); math.Abs(accepted/drafted-c.accept) > 3.3*sd {
			t.Errorf("%.4f of guesses accepted, want %v", accepted/drafted, c.accept)
		}
		if want := (1 - math.Pow(c.accept, float64(c.gamma+1))) / (1 - c.accept); math.Abs(want-c.tokens) > 5e-5 {
			t.Errorf("the formula gives %v, want %v", want, c.tokens)
		}
		if sd := float64(c.gamma) / 2 / math.Sqrt(steps); math.Abs(tokens/steps-c.tokens) > 3.3*sd {
			t.Errorf("%.4f tokens a step, want %v", tokens/steps, c.tokens)
		}
	}
}

// Guesses and Verify with the whole chain keep the distribution of the chain, with
// the coin of XTC and the history of the place.
func TestVerifyTheChain(t *testing.T) {
	const draws = 20000
	target, draft := logs(.3, .25, .2, .15, .08, .02), logs(.05, .4, .05, .2, .05, .25)
	o := sample.Options{Temperature: .9, RepeatPenalty: 1.2, MinP: .05, XTCProbability: .5, XTCThreshold: .2, Seed: 3}
	history := []int32{0, 4}
	s := sampler(t, o)
	count, want := make([]float64, len(target)), make([]float64, len(target))
	for i := range uint64(draws) {
		at := sample.At{Stream: i, Index: 2, History: history}
		f := s.Fork()
		q := f.Distribution(draft, at)
		id, _ := s.Verify(target, at, f.Guess(draft, at), q)
		count[id]++
		for _, tok := range s.Distribution(target, at) {
			want[tok.ID] += math.Exp(tok.LogProb)
		}
	}
	chi, cells := 0.0, 0
	for i, w := range want {
		if w > 0 {
			chi += (count[i] - w) * (count[i] - w) / w
			cells++
		} else if count[i] > 0 {
			t.Errorf("id %d cannot be drawn", i)
		}
	}
	if bound := quantile(cells - 1); chi > bound {
		t.Errorf("chi-square %.1f, bound %.1f", chi, bound)
	}
}
