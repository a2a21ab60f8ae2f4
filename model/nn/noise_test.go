package nn

import (
	"math"
	"slices"
	"testing"

	"github.com/foundling-lm/foundling/model"
)

// TestNoise checks bounds, spread and independence of NEFTune's noise for rows of
// one and of several documents.
func TestNoise(t *testing.T) {
	const B, T, C, alpha = 2, 50, 64, 5.0
	in := &model.Input{B: B, T: T, Noise: alpha, Seed: 3, Step: 7, Start: make([]int32, B*T)}
	for i := range in.Start {
		if i%T >= 10 && i < T { // the first row has documents of 10 and 40 tokens
			in.Start[i] = 10
		}
	}
	x := noise(in, C)
	for _, part := range []struct{ from, to, length int }{{0, 10, 10}, {10, 50, 40}, {50, 100, 50}} {
		bound, sum, square := alpha/math.Sqrt(float64(part.length*C)), 0.0, 0.0
		for _, v := range x[part.from*C : part.to*C] {
			if !(math.Abs(float64(v)) <= bound*(1+1e-6)) {
				t.Fatalf("tokens %d to %d: noise of %g, want at most %g", part.from, part.to, v, bound)
			}
			sum += float64(v)
			square += float64(v) * float64(v)
		}
		n := float64((part.to - part.from) * C)
		if got, want := square/n, bound*bound/3; math.Abs(got/want-1) > 0.15 { // variance of a uniform number
			t.Errorf("tokens %d to %d: variance %g, want %g", part.from, part.to, got, want)
		}
		if mean := sum / n; math.Abs(mean) > 4*bound/math.Sqrt(3*n) {
			t.Errorf("tokens %d to %d: mean %g", part.from, part.to, mean)
		}
	}
	if !slices.Equal(x, noise(in, C)) {
		t.Error("the same step has other noise")
	}
	in.Step++
	if slices.Equal(x, noise(in, C)) {
		t.Error("two steps have the same noise")
	}
}
