package eval

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
)

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

// Wilson's limits are the shares p at which k/n is exactly z standard errors
// away: the defining equation, checked directly.
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		k, n      int
		low, high float64
	}{
		{81, 263, 0.2553, 0.3662}, // Newcombe 1998, table I
		{15, 148, 0.0624, 0.1605},
		{0, 20, 0, 0.1611},
		{1, 29, 0.0061, 0.1718},
		{20, 20, 0.8389, 1},
	} {
		got := Wilson(c.k, c.n, Z95)
		if !near(got.Low, c.low, 5e-5) || !near(got.High, c.high, 5e-5) {
			t.Errorf("Wilson(%d, %d) = %.4f to %.4f, want %.4f to %.4f", c.k, c.n, got.Low, got.High, c.low, c.high)
		}
		for _, p := range []float64{got.Low, got.High} {
			if p == 0 || p == 1 {
				continue
			}
			score := math.Abs(got.Value-p) / math.Sqrt(p*(1-p)/float64(c.n))
			if !near(score, Z95, 1e-9) {
				t.Errorf("Wilson(%d, %d): limit %g lies %g standard errors off", c.k, c.n, p, score)
			}
		}
	}
	if got := Wilson(0, 0, Z95); !math.IsNaN(got.Value) || got.Low != 0 || got.High != 1 {
		t.Errorf("Wilson(0, 0) = %+v", got)
	}
}

func TestNewcombe(t *testing.T) { // Newcombe 1998, table II, method 10
	for _, c := range []struct {
		k1, n1, k2, n2 int
		low, high      float64
	}{
		{56, 70, 48, 80, 0.0524, 0.3339},
		{9, 10, 3, 10, 0.1705, 0.8090},
		{10, 10, 0, 20, 0.6791, 1},
		{10, 10, 0, 10, 0.6075, 1},
	} {
		got := Newcombe(c.k1, c.n1, c.k2, c.n2, Z95)
		if !near(got.Low, c.low, 5e-5) || !near(got.High, c.high, 5e-5) {
			t.Errorf("Newcombe(%d/%d, %d/%d) = %.4f to %.4f, want %.4f to %.4f", c.k1, c.n1, c.k2, c.n2, got.Low, got.High, c.low, c.high)
		}
	}
}

func TestBootstrapRatioCoversTheTruth(t *testing.T) {
	const trials, docs = 200, 60
	covered := 0
	for trial := range uint64(trials) {
		num, den := make([]float64, docs), make([]float64, docs)
		for i := range den {
			den[i] = 100 + 900*rng.Float64(9, trial, uint64(2*i))
			num[i] = den[i] * (2 + 0.3*rng.Normal(10, trial, uint64(i)))
		}
		r := BootstrapRatio(num, den, 400, 0.95, trial)
		if r.Low <= 2 && 2 <= r.High {
			covered++
		}
		if r.Low > r.Value || r.Value > r.High || r.N != docs {
			t.Fatalf("interval %+v", r)
		}
	}
	if covered < trials*88/100 || covered > trials*99/100 {
		t.Errorf("a 95 %% interval covered the truth in %d of %d trials", covered, trials)
	}
	num := []float64{1, 2, 3}
	a, b := BootstrapRatio(num, num, 50, 0.9, 1), BootstrapRatio(num, num, 50, 0.9, 1)
	if a != b || a.Value != 1 || a.Low != 1 || a.High != 1 {
		t.Errorf("ratio of equal sums: %+v and %+v", a, b)
	}
}

// What is not known is null in JSON, which has no number for it, and comes back.
func TestIntervalJSON(t *testing.T) {
	same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
	for want, x := range map[string]Interval{
		`{"Value":0.5,"Low":0.25,"High":1,"N":4}`:     {Value: 0.5, Low: 0.25, High: 1, N: 4},
		`{"Value":null,"Low":0,"High":1,"N":0}`:       Wilson(0, 0, Z95),
		`{"Value":null,"Low":null,"High":null,"N":0}`: Paired(nil, nil),
	} {
		got, err := json.Marshal(x)
		if err != nil || string(got) != want {
			t.Errorf("%s (%v), want %s", got, err, want)
		}
		var back Interval
		if err := json.Unmarshal(got, &back); err != nil || !same(back.Value, x.Value) || !same(back.Low, x.Low) || !same(back.High, x.High) || back.N != x.N {
			t.Errorf("%+v became %s and %+v (%v)", x, got, back, err)
		}
	}
}
