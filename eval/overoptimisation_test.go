package eval

import (
	"math"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
)

// Planted laws are found again, with their peaks.
func TestFitGold(t *testing.T) {
	for _, want := range []GoldLaw{{Alpha: 0.9, Beta: 0.2}, {RL: true, Alpha: 0.7, Beta: 0.4}, {Alpha: 0.5, Beta: -0.1}} {
		var d, r []float64
		for x := 0.0; x < 4; x += 0.25 {
			d, r = append(d, x), append(r, want.At(x))
		}
		got, err := FitGold(d, r, want.RL)
		if err != nil || math.Abs(got.Alpha-want.Alpha)+math.Abs(got.Beta-want.Beta)+math.Abs(got.R2-1) > 1e-9 {
			t.Errorf("fit %+v of %+v, %v", got, want, err)
		}
		peak := want.Peak()
		if want.Beta < 0 {
			if !math.IsInf(peak, 1) {
				t.Errorf("a law that never falls has its peak at %g", peak)
			}
			continue
		}
		for _, x := range []float64{peak * 0.99, peak * 1.01} {
			if want.At(x) >= want.At(peak) {
				t.Errorf("%+v is larger at %g than at its peak %g", want, x, peak)
			}
		}
		for i := range r {
			r[i] += 0.02 * rng.Normal(1, 2, uint64(i))
		}
		if got, _ := FitGold(d, r, want.RL); got.R2 >= 1 || got.R2 < 0.95 {
			t.Errorf("with noise R2 is %g", got.R2)
		}
	}
	if _, err := FitGold([]float64{0, 1, 1, 1}, []float64{0, 1, 1, 1}, false); err == nil {
		t.Error("one distance is enough for two coefficients")
	}
}

func TestFindKnee(t *testing.T) {
	se := []float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.1}
	for _, c := range []struct {
		y    []float64
		want Knee
	}{
		{[]float64{0, 1, 2, 3, 4, 5}, Knee{5, -1}},
		{[]float64{0, 1, 2, 1.9, 1.5, 9}, Knee{2, 4}},
		{[]float64{0, 1, 0.8, 1.1, 1, 1}, Knee{3, -1}}, // within the noise
	} {
		if got := FindKnee(c.y, se, 2); got != c.want {
			t.Errorf("knee of %v: got %+v, want %+v", c.y, got, c.want)
		}
	}
}
