package sample_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/foundling-lm/foundling/generate/sample"
)

func TestExplain(t *testing.T) {
	fruit := logs(.5, .25, .125, .0625, .0625)
	s := sampler(t, sample.Options{Temperature: .5, TopK: 4, TopP: .9, LogitBias: map[int32]float64{4: math.Log(4)}})
	r := s.Explain(fruit, sample.At{Mask: []uint64{0b11101}}, 2, []int32{0, 4})
	var steps []string
	for _, x := range r {
		steps = append(steps, x.Step)
	}
	if len(r) != 5 || steps[0] != "mask" || steps[1] != "logit_bias" || steps[2] != "top_k" || steps[3] != "top_p" || steps[4] != "temperature" {
		t.Fatalf("steps %v", steps)
	}
	close := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	close("entropy of the model", r[0].Before.Entropy, 1.875*math.Ln2)
	close("bits of the model", r[0].Before.Bits, 1.875)
	close("mass of the mask", r[0].Kept, .75)
	close("mass taken by the mask", r[0].Removed, .25)
	if r[0].Before.Candidates != 5 || r[0].After.Candidates != 4 || r[0].Before.Rank != 3 || r[0].After.Rank != 2 {
		t.Errorf("mask: %+v", r[0])
	}
	// .5, .125, .0625 and .25 of .9375 after the bias.
	close("probability after the bias", r[1].After.Prob, .125/.9375)
	close("mass of the bias", r[1].Kept, 1)
	close("watched", r[1].After.Probs[1], .25/.9375)
	if got := fmt.Sprint(r[0].Before.Ranks, r[0].After.Ranks, r[1].After.Ranks); got != "[1 5] [1 4] [1 2]" {
		t.Errorf("ranks of those watched: %s", got)
	}
	if r[1].After.Rank != 3 || r[2].After.Candidates != 4 {
		t.Errorf("bias: %+v", r[1])
	}
	close("mass of top-p", r[3].Kept, .875/.9375)
	close("a square of probabilities", r[4].After.Prob, .125*.125/(.5*.5+.25*.25+.125*.125))
	if r[3].After.Candidates != 3 || r[4].After.Rank != 3 {
		t.Errorf("end: %+v", r[4])
	}
	if gone := s.Explain(fruit, sample.At{}, 3, nil); gone[4].After.Rank != 0 || gone[4].After.Prob != 0 || gone[0].Before.Rank != 4 {
		t.Errorf("an id that is left out: %+v", gone)
	}
	if none := s.Explain([]float32{nan, -inf}, sample.At{}, 0, []int32{1}); none[0].After.Candidates != 0 || none[4].After.Prob != 0 {
		t.Errorf("nothing to draw: %+v", none)
	}
}

// What Explain says at the end is what Distribution gives; masses multiply to what
// is left; the sampler is as before.
func TestExplainAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := row(t)
		at, o := place(t, len(x)), options(t)
		if o.Temperature > 0 && rapid.Bool().Draw(t, "mirostat") {
			o.TopK, o.TopP, o.TypicalP, o.MinP, o.XTCProbability, o.XTCThreshold, o.Samplers = 0, 0, 0, 0, 0, 0, nil
			o.Mirostat = 2
		}
		s := drawn(t, o)
		d := s.Distribution(x, at)
		id := d[len(d)-1].ID
		mu := s.Mu()
		r := s.Explain(x, at, id, []int32{d[0].ID, id})
		last := r[len(r)-1].After
		if math.Abs(last.Prob-math.Exp(d[len(d)-1].LogProb)) > 1e-9 || math.Abs(last.Probs[0]-math.Exp(d[0].LogProb)) > 1e-9 {
			t.Fatalf("%+v, the distribution says %v", last, d)
		}
		if last.Candidates < len(d) || last.Rank < 1 || last.Rank > last.Candidates {
			t.Fatalf("%+v of %d", last, len(d))
		}
		for i, z := range r {
			if z.After.Ranks[1] != z.After.Rank || z.Before.Ranks[1] != z.Before.Rank || z.After.Probs[1] != z.After.Prob {
				t.Fatalf("%s: chosen and watched: %+v", z.Step, z)
			}
			if i > 0 && z.Before.Entropy != r[i-1].After.Entropy || z.Kept+z.Removed < 1-1e-12 || z.Kept < 0 || z.Kept > 1+1e-12 {
				t.Fatalf("%s: %+v", z.Step, z)
			}
			if z.After.Candidates > z.Before.Candidates || z.After.Candidates == 0 {
				t.Fatalf("%s: %d candidates of %d", z.Step, z.After.Candidates, z.Before.Candidates)
			}
			if z.After.Entropy > math.Log(float64(z.After.Candidates))+1e-9 || math.Abs(z.After.Bits*math.Ln2-z.After.Entropy) > 1e-12 {
				t.Fatalf("%s: an entropy of %v among %d", z.Step, z.After.Entropy, z.After.Candidates)
			}
		}
		if s.Mu() != mu {
			t.Fatal("Explain changed mu")
		}
	})
}
