package eval

import (
	"math"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
)

// Answers of three tokens over four words, where the divergence can be summed.
func TestMeasureDivergence(t *testing.T) {
	p, q := []float64{0.5, 0.3, 0.15, 0.05}, []float64{0.25, 0.25, 0.3, 0.2}
	var want float64
	for i := range p {
		want += 3 * p[i] * math.Log(p[i]/q[i])
	}
	held, trials := 0, 200
	for trial := range trials {
		var a, b [][]float64
		for n := range 300 {
			var x, y []float64
			for k := range 3 {
				u, w := rng.Float64(uint64(trial), 1, uint64(3*n+k)), 0
				for u >= p[w] && w < 3 {
					u -= p[w]
					w++
				}
				x, y = append(x, math.Log(p[w])), append(y, math.Log(q[w]))
			}
			a, b = append(a, x), append(b, y)
		}
		d := MeasureDivergence(a, b)
		if d.K1.Low <= want && want <= d.K1.High {
			held++
		}
		if trial == 0 {
			if math.Abs(d.K3.Value-want) > 0.12 || math.Abs(d.PerToken-d.K1.Value/3) > 1e-12 {
				t.Errorf("%+v, want %g an answer", d, want)
			}
			if d.K3.High-d.K3.Low >= d.K1.High-d.K1.Low {
				t.Errorf("k3 varies more than k1: %+v", d)
			}
		}
	}
	if held < 180 || held == trials {
		t.Errorf("%d of %d intervals hold the divergence", held, trials)
	}
	if d := MeasureDivergence([][]float64{{-1, -2}, {-3}}, [][]float64{{-1, -2}, {-3}}); d.K1.Value != 0 || d.K3.Value != 0 || d.K1.High != 0 {
		t.Errorf("of a model from itself: %+v", d)
	}
}
