package eval

import (
	"math"
	"testing"
)

// digits fails where got is not want to the digits given.
func digits(t *testing.T, what string, got, want float64, n int) {
	t.Helper()
	if tol := 0.5000001 * math.Pow(10, -float64(n)); !(math.Abs(got-want) <= tol) {
		t.Errorf("%s: got %.*f, want %.*f", what, n+3, got, n, want)
	}
}

func TestPassAtK(t *testing.T) {
	for _, c := range []struct {
		n, c, k int
		want    float64
	}{
		{10, 3, 5, 0.916667}, {100, 10, 1, 0.1}, {100, 10, 5, 0.416248}, {100, 10, 10, 0.669524}, {100, 10, 50, 0.999407},
		{5, 0, 5, 0}, {5, 5, 1, 1}, {5, 1, 5, 1},
	} {
		digits(t, "pass@k", PassAtK(c.n, c.c, c.k), c.want, 6)
	}
	// One of a million: the product keeps the digits that 1 - (a number near 1) loses.
	if got := PassAtK(1_000_000, 1, 1); math.Abs(got-1e-6) > 1e-20 {
		t.Errorf("1 of a million: got %v", got)
	}
}

// TestPassAtKIsUnbiased: its mean over all outcomes of n samples is 1-(1-p)^k.
func TestPassAtKIsUnbiased(t *testing.T) {
	for _, p := range []float64{0.03, 0.4, 0.9} {
		const n = 12
		for k := 1; k <= n; k++ {
			var mean float64
			for c := range n + 1 {
				mean += binomial(n, c, p) * PassAtK(n, c, k)
			}
			if want := 1 - math.Pow(1-p, float64(k)); math.Abs(mean-want) > 1e-12 {
				t.Errorf("p %g, k %d: mean %.15f, want %.15f", p, k, mean, want)
			}
		}
	}
}

func TestMajorityAccuracy(t *testing.T) {
	for n, want := range map[int]float64{3: 0.648, 5: 0.6826, 11: 0.7535, 21: 0.8256, 51: 0.9265, 101: 0.9791} {
		digits(t, "majority of .6", MajorityAccuracy(0.6, n), want, 4)
	}
	digits(t, "majority of .55", MajorityAccuracy(0.55, 101), 0.8438, 4)
	digits(t, "majority of .45", MajorityAccuracy(0.45, 101), 0.1562, 4)
	for _, n := range []int{1, 2, 10, 1001} { // fair coins stay fair, ties included
		if got := MajorityAccuracy(0.5, n); math.Abs(got-0.5) > 1e-12 {
			t.Errorf("majority of %d fair votes: %v", n, got)
		}
	}
	if MajorityAccuracy(1, 7) != 1 || MajorityAccuracy(0, 7) != 0 {
		t.Error("votes that are always or never right")
	}
}

func TestRetry(t *testing.T) {
	digits(t, "2 tries", RetrySuccess(0.7, 2), 0.91, 9)
	digits(t, "3 tries", RetrySuccess(0.7, 3), 0.973, 9)
	digits(t, "tries", RetryTries(0.7, 0), 1/0.7, 12)
	digits(t, "tries of at most 2", RetryTries(0.7, 2), 1.3, 12) // 1, and a second in 3 of 10
	if RetrySuccess(1, 1) != 1 || RetrySuccess(0, 5) != 0 || RetryTries(0, 4) != 4 {
		t.Error("a try that always or never succeeds")
	}
}

func TestBestOfN(t *testing.T) {
	for n, want := range map[int]float64{2: 0.1931, 4: 0.6363, 8: 1.2044, 16: 1.8351, 64: 3.1745, 128: 3.8598, 400: 4.9940, 1000: 5.9088, 10000: 8.2104} {
		digits(t, "KL", BestOfNKL(n), want, 4)
	}
	uniform := make([]float64, 16)
	for i := range uniform {
		uniform[i] = 1.0 / 16
	}
	for n, want := range map[int]float64{4: 0.6334, 16: 1.7940, 64: 2.6892} {
		got := KL(BestOfNDistribution(uniform, n), uniform)
		digits(t, "KL with ties", got, want, 4)
		if got > BestOfNKL(n) {
			t.Errorf("n %d: %v is above its bound", n, got)
		}
	}
	for n, want := range map[int]float64{2: 0.6667, 4: 0.8, 8: 0.8889, 16: 0.9412, 64: 0.9846} {
		digits(t, "win rate", BestOfNWinRate(n), want, 4)
	}
}

func TestSpeculation(t *testing.T) {
	digits(t, "alpha .8", SpeculatedTokens(0.8, 5), 3.6893, 4)
	digits(t, "alpha .6", SpeculatedTokens(0.6, 3), 2.176, 4)
	digits(t, "alpha .9", SpeculatedTokens(0.9, 7), 5.6953, 4)
	digits(t, "alpha 1", SpeculatedTokens(1, 3), 4, 9)
	digits(t, "acceptance", Acceptance([]float64{0.5, 0.5, 0}, []float64{0.25, 0.25, 0.5}), 0.5, 12)
}

func TestFitCoverage(t *testing.T) {
	var ks, cs []float64
	truth := CoverageLaw{A: -2.3, B: -0.37}
	for k := 1.0; k <= 4096; k *= 2 {
		ks, cs = append(ks, k), append(cs, truth.At(k))
	}
	l, err := FitCoverage(append(ks, 3), append(cs, 0)) // a point without coverage
	if err != nil || math.Abs(l.A-truth.A) > 1e-6 || math.Abs(l.B-truth.B) > 1e-6 || l.Error > 1e-6 {
		t.Errorf("got %+v, %v, want %+v", l, err, truth)
	}
	if _, err := FitCoverage([]float64{1, 2}, []float64{0, 0.1}); err == nil {
		t.Error("one point gave a law")
	}
}
