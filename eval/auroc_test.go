package eval

import (
	"math"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
)

// pairs is the area by its definition.
func pairs(scores []float64, positive []bool) float64 {
	won, all := 0.0, 0.0
	for i := range scores {
		for j := range scores {
			if positive[i] && !positive[j] {
				all++
				switch {
				case scores[i] > scores[j]:
					won++
				case scores[i] == scores[j]:
					won += 0.5
				}
			}
		}
	}
	return won / all
}

func TestAUROC(t *testing.T) {
	for _, c := range []struct {
		scores   []float64
		positive []bool
		want     float64
	}{
		{[]float64{1, 2, 3, 4}, []bool{false, false, true, true}, 1},
		{[]float64{1, 2, 3, 4}, []bool{true, true, false, false}, 0},
		{[]float64{5, 5, 5, 5}, []bool{true, false, true, false}, 0.5},
		{[]float64{1, 2, 2, 3}, []bool{false, false, true, true}, 0.875},
		{[]float64{math.NaN(), 1, 2}, []bool{false, true, false}, 0.5},
		{[]float64{math.Inf(-1), 0, math.Inf(1)}, []bool{false, true, true}, 1},
	} {
		got := AUROC(c.scores, c.positive)
		if math.Abs(got.Value-c.want) > 1e-12 || got.Low > got.Value || got.High < got.Value || got.N != len(c.scores) {
			t.Errorf("%v %v: got %+v, want %v", c.scores, c.positive, got, c.want)
		}
	}
	if got := AUROC([]float64{1, 2}, []bool{true, true}); !math.IsNaN(got.Value) || got.Low != 0 || got.High != 1 {
		t.Errorf("no negatives: %+v", got)
	}
	perfect := AUROC([]float64{1, 2, 3, 4}, []bool{false, false, true, true})
	if perfect.High != 1 || perfect.Low > 0.9 || perfect.Low < 0.2 {
		t.Errorf("four items: %+v", perfect)
	}
	for seed := range uint64(20) {
		n := 3 + int(seed)
		scores, positive := make([]float64, n), make([]bool, n)
		for i := range n {
			scores[i], positive[i] = float64(rng.Intn(seed, 1, uint64(i), 5)), i%2 == 0
		}
		if got, want := AUROC(scores, positive).Value, pairs(scores, positive); math.Abs(got-want) > 1e-12 {
			t.Errorf("seed %d: got %v, want %v", seed, got, want)
		}
	}
}

// The interval holds the true area about 95 times of 100: two normals whose means are
// d apart have Phi(d/sqrt 2).
func TestAUROCCovers(t *testing.T) {
	for _, d := range []float64{0, 1, 2.5} {
		want := 0.5 * math.Erfc(-d/2)
		const tests, n = 1000, 60
		inside := 0
		for k := range uint64(tests) {
			scores, positive := make([]float64, n), make([]bool, n)
			for i := range n {
				positive[i] = i%3 == 0
				scores[i] = rng.Normal(7, k, uint64(i))
				if positive[i] {
					scores[i] += d
				}
			}
			if x := AUROC(scores, positive); x.Low <= want && want <= x.High {
				inside++
			}
		}
		if share := float64(inside) / tests; share < 0.93 || share > 0.985 {
			t.Errorf("means %g apart: %.3f of the intervals hold %.3f", d, share, want)
		}
	}
}

func TestRiskCoverage(t *testing.T) {
	s := RiskCoverage([]float64{1, 2, 3, 4}, []bool{false, false, true, true})
	want := (0 + 0 + 1./3 + 2./4) / 4
	if math.Abs(s.Area-want) > 1e-12 || math.Abs(s.Best-want) > 1e-12 || s.Risk[3] != 0.5 || s.Risk[1] != 0 {
		t.Errorf("the best order: %+v", s)
	}
	s = RiskCoverage([]float64{4, 3, 2, 1}, []bool{false, false, true, true})
	if w := (1 + 1 + 2./3 + 2./4) / 4; math.Abs(s.Area-w) > 1e-12 || math.Abs(s.Best-want) > 1e-12 {
		t.Errorf("the worst order: %+v", s)
	}
	// Equal distrust: the risk is the share of wrong ones at every coverage.
	s = RiskCoverage([]float64{7, 7, 7, 7, 7}, []bool{true, false, false, true, false})
	for k, r := range s.Risk {
		if math.Abs(r-0.4) > 1e-12 {
			t.Errorf("risk of %d: %v", k+1, r)
		}
	}
	if s := RiskCoverage([]float64{math.NaN(), 1}, []bool{true, false}); s.Risk[0] != 0 || s.Risk[1] != 0.5 {
		t.Errorf("NaN is trusted least: %+v", s)
	}
	if s := RiskCoverage(nil, nil); !math.IsNaN(s.Area) {
		t.Errorf("nothing: %+v", s)
	}
	if s := RiskCoverage([]float64{1, 2}, []bool{true, true}); math.Abs(s.Area-1) > 1e-12 || math.Abs(s.Best-1) > 1e-12 {
		t.Errorf("all wrong: %+v", s)
	}
}
