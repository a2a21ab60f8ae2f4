package sample_test

import (
	"math"
	"testing"

	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/internal/rng"
)

// The surprise of what Mirostat draws comes to be the one it aims at, on rows that
// would surprise more by themselves.
func TestMirostatReachesItsAim(t *testing.T) {
	const v, steps = 2000, 1500
	var rows [40][]float32
	for i := range rows {
		for j := range v {
			rows[i] = append(rows[i], float32(1.2*rng.Normal(uint64(i), 1, uint64(j)))) // about 9.9 bits
		}
	}
	for _, tau := range []float64{2, 4, 6} {
		s := sampler(t, sample.Options{Temperature: 1, Mirostat: 2, MirostatTau: tau, Seed: 3})
		var sum float64
		n := 0
		for i := range uint64(steps) {
			tok := s.Draw(rows[i%40], sample.At{Index: i})
			if i > 200 {
				sum -= tok.LogProb / math.Ln2
				n++
			}
		}
		if mean := sum / float64(n); math.Abs(mean-tau) > 0.1 {
			t.Errorf("tau %v: a surprise of %.3f bits on average", tau, mean)
		}
	}
}

// One step by hand: mu 2 tau, candidates above it left out, mu moved.
func TestMirostatStep(t *testing.T) {
	x := logs(.5, .25, .125, .0625, .0625) // 1, 2, 3, 4, 4 bits
	s := sampler(t, sample.Options{Temperature: 1, Mirostat: 2, MirostatTau: 1.5, MirostatEta: .5, MirostatMu: 3.0001})
	d := s.Distribution(x, sample.At{})
	if got := ids(d); len(got) != 3 || math.Abs(math.Exp(d[0].LogProb)-.5/.875) > 1e-6 {
		t.Fatalf("kept %v", d)
	}
	if s.Mu() != 3.0001 {
		t.Error("Distribution changed mu")
	}
	f := s.Fork()
	tok := s.Draw(x, sample.At{})
	if want := 3.0001 - .5*(-tok.LogProb/math.Ln2-1.5); math.Abs(s.Mu()-want) > 1e-12 {
		t.Errorf("mu %v, want %v", s.Mu(), want)
	}
	if f.Mu() != 3.0001 {
		t.Error("a fork shares mu")
	}
	f.Accept(x, sample.At{}, tok.ID)
	if math.Abs(f.Mu()-s.Mu()) > 1e-12 {
		t.Errorf("mu %v after Accept, %v after the draw", f.Mu(), s.Mu())
	}
	// Whatever mu, the first stays.
	low := sampler(t, sample.Options{Temperature: 1, Mirostat: 2, MirostatMu: -40})
	if d := low.Distribution(x, sample.At{}); len(d) != 1 || d[0].ID != 0 {
		t.Errorf("a low mu keeps %v", d)
	}
	// An id that cannot be drawn teaches nothing.
	low.Accept(x, sample.At{}, 4)
	if low.Mu() != -40 {
		t.Errorf("mu %v", low.Mu())
	}
}

// Another sampler that begins with mu goes on with the same draws.
func TestMirostatGoesOn(t *testing.T) {
	x := make([]float32, 300)
	for i := range x {
		x[i] = float32(2 * rng.Normal(8, 0, uint64(i)))
	}
	o := sample.Options{Temperature: .9, Mirostat: 2, MirostatTau: 3, Seed: 5}
	s := sampler(t, o)
	for i := range uint64(40) {
		if i == 17 {
			o.MirostatMu = s.Mu()
		}
		want := s.Sample(x, sample.At{Index: i})
		if i < 17 {
			continue
		}
		again := sampler(t, o)
		if got := again.Sample(x, sample.At{Index: i}); got != want {
			t.Fatalf("draw %d is %d, alone %d", i, want, got)
		}
		o.MirostatMu = again.Mu()
	}
}
