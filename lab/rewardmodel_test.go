package lab

import (
	"math"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
)

// A reward model reaches the ceiling that its labels have; a bias towards length is
// learned as it was injected, one towards the position is noise.
func TestRewardModels(t *testing.T) {
	t.Parallel()
	o := RewardOptions{Labels: 12_000, Tests: 3000, Noise: []float64{0, 0.2}, Seed: 3}
	r, err := RewardModels(t.Context(), exactBackend(t, 1), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	exact, noisy, longer, first := r.Rows[0], r.Rows[1], r.Rows[2], r.Rows[3]
	for _, x := range r.Rows {
		if x.Share() < 0.95 || x.Accuracy.Low > x.Ceiling {
			t.Errorf("labels %q: accuracy %+v, ceiling %g", x.Labels, x.Accuracy, x.Ceiling)
		}
	}
	if want := 0.8*exact.Ceiling + 0.2*(1-exact.Ceiling); math.Abs(noisy.Ceiling-want) > 1e-12 {
		t.Errorf("with 20 %% turned round the ceiling is %g, want %g", noisy.Ceiling, want)
	}
	if noisy.Real < 0.85 {
		t.Errorf("noise hides the reward: %g", noisy.Real)
	}
	if math.Abs(longer.Length-r.Length) > 0.1*r.Length || math.Abs(exact.Length) > 0.1*r.Length {
		t.Errorf("length: injected %g, found %g; without %g", r.Length, longer.Length, exact.Length)
	}
	if first.First < 0.57 || math.Abs(first.ScoreFirst-0.5) > 0.04 || first.Seeing-first.Ceiling < 0.02 || exact.Ceiling-first.Ceiling < 0.02 {
		t.Errorf("position: %+v", first)
	}
	page := new(strings.Builder)
	if err := r.Page().Render(page); err != nil || !strings.Contains(page.String(), "first preferred") {
		t.Errorf("page: %v", err)
	}
}

// Ceilings agree with the accuracy of the best guess on drawn labels, and a fit of
// planted weights finds them.
func TestCeilings(t *testing.T) {
	for _, l := range []labeller{{}, {noise: 0.3}, {length: 0.3}, {position: 1}} {
		cs := l.label(20_000, 1, "ceilings")
		right := 0.0
		for i := range cs {
			if (l.first(&cs[i]) > 0.5) != cs[i].second {
				right += 1 / float64(len(cs))
			}
		}
		if want := l.ceiling(cs, false); math.Abs(right-want) > 0.012 {
			t.Errorf("%+v: the best guess is right in %g, ceiling %g", l, right, want)
		}
		if l.ceiling(cs, true) > l.ceiling(cs, false)+1e-12 {
			t.Errorf("%+v: not to know is better", l)
		}
	}
	var score, reward, length []float64
	for i := range 500 {
		reward, length = append(reward, rng.Normal(1, 1, uint64(i))), append(length, rng.Normal(1, 2, uint64(i)))
		score = append(score, 3+2*reward[i]+0.5*length[i])
	}
	if got := exchange(score, reward, length); math.Abs(got-0.25) > 1e-12 {
		t.Errorf("a token is worth %g, planted 0.25", got)
	}
	for _, o := range []RewardOptions{{Labels: 3}, {Tests: 1}, {Noise: []float64{0.5}}, {Length: 9}, {Position: math.NaN()}} {
		if o.Validate() == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}
