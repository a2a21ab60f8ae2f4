package lab

import (
	"math"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

func exactBackend(t *testing.T, threads int) *cpu.Backend {
	t.Helper()
	b, err := cpu.New(cpu.Options{Precision: "f32", Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// PPO, RLOO and DPO end at the reference times exp(reward/beta), best-of-n has the
// divergence of its exact distribution.
func TestTilt(t *testing.T) {
	t.Parallel()
	o := TiltOptions{Betas: []float64{0.3, 0.05}, Rounds: 150, Batch: 512, Draws: 100_000}
	r, err := Tilt(t.Context(), exactBackend(t, 1), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	published := map[float64][2]float64{0.3: {0.4000, 0.7635}, 0.05: {1.9893, 0.9761}}
	for _, x := range r.Rows {
		if x.Variation >= 0.02 {
			t.Errorf("%s with beta %g is %.4f away from the optimum", x.Method, x.Beta, x.Variation)
		}
		if want := published[x.Beta]; math.Abs(x.BestKL-want[0]) > 6e-5 || math.Abs(x.BestR-want[1]) > 6e-5 {
			t.Errorf("the optimum with beta %g has KL %.4f and reward %.4f, want %v", x.Beta, x.BestKL, x.BestR, want)
		}
	}
	for _, x := range r.Best {
		if math.Abs(x.Sampled-x.KL) > 0.01 || x.KL > x.Bound+1e-12 || x.KL < x.Frontier-1e-9 || x.Bound != eval.BestOfNKL(x.N) {
			t.Errorf("best-of-n: %+v", x)
		}
		if x.N <= 4 && x.Bound-x.KL > 0.01 {
			t.Errorf("best of %d: ties take %.4f nats", x.N, x.Bound-x.KL)
		}
	}
	page := new(strings.Builder)
	if err := r.Page().Render(page); err != nil || !strings.Contains(page.String(), "RLOO") {
		t.Errorf("page: %v", err)
	}
}

// A policy that learns from a wrong beta, or from labels turned round, is seen.
func TestTiltSeesWrongOptima(t *testing.T) {
	b := exactBackend(t, 1)
	uniform, reward := outcomes(16)
	wins := compare(reward, 1_000_000, 1)
	for i := range wins {
		for j := range i {
			wins[i][j], wins[j][i] = wins[j][i], wins[i][j]
		}
	}
	p := newTabular(b, [][]float64{uniform})
	defer p.close()
	if err := prefer(t.Context(), p, 0.3, wins); err != nil {
		t.Fatal(err)
	}
	probs := exps(p.logProbs()[0])
	if v := eval.TotalVariation(probs, tilt(uniform, reward, 0.3)); v < 0.5 {
		t.Errorf("labels turned round are %.3f away from the optimum", v)
	}
	for i := range reward {
		reward[i] = -reward[i]
	}
	if v := eval.TotalVariation(probs, tilt(uniform, reward, 0.3)); v > 0.02 {
		t.Errorf("labels turned round are %.3f away from the optimum of the reward turned round", v)
	}
}

// One thread and two train the same policy.
func TestTiltThreads(t *testing.T) {
	o := TiltOptions{Betas: []float64{0.1}, Rounds: 10, Batch: 256, Labels: 10000, Draws: 10}
	one, err := Tilt(t.Context(), exactBackend(t, 1), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Tilt(t.Context(), exactBackend(t, 2), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range one.Rows {
		if one.Rows[i] != two.Rows[i] {
			t.Errorf("one thread: %+v, two: %+v", one.Rows[i], two.Rows[i])
		}
	}
	for _, bad := range []TiltOptions{{Betas: []float64{-1}}, {Outcomes: 1}, {Batch: 6}, {Labels: -1}} {
		if _, err := Tilt(t.Context(), exactBackend(t, 1), bad, nil); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}
