package lab

import (
	"math"
	"strings"
	"testing"
)

// The published shape at a small scale: the proxy rises, gold rises and falls, more
// so for the smaller reward model.
func TestOveroptimisation(t *testing.T) {
	t.Parallel()
	o := OverOptions{Widths: []int{0, 16}, Labels: []int{300, 3000}, Models: 1, Pool: 1 << 14, Rounds: 200, Penalty: []float64{0.03}, Seed: 1}
	r, err := Overoptimisation(t.Context(), exactBackend(t, 1), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.curves() {
		last := len(c.D) - 1
		if !rising(c.Proxy, 0.1) || c.Proxy[last] < 1 {
			t.Errorf("the proxy of %d parameters does not rise: %v", c.Params, c.Proxy)
		}
		if c.D[0] > 1e-3 || math.Abs(c.Gold[0]) > 0.03 {
			t.Errorf("the reference is at distance %g with gold %g", c.D[0], c.Gold[0])
		}
		if c.Law.R2 < 0.85 || !c.RL && c.Law.R2 < 0.93 {
			t.Errorf("a curve of %d parameters, RL %v: R2 %g", c.Params, c.RL, c.Law.R2)
		}
	}
	small, large := r.of(r.Best, 3000)[0], r.of(r.Best, 3000)[1]
	if small.Gold[len(small.Gold)-1] > small.Peak-0.1 || small.PeakAt < 1 || large.Law.Beta >= small.Law.Beta || large.Peak <= small.Peak {
		t.Errorf("best-of-n: small %+v, large %+v", small, large)
	}
	if few := r.of(r.Best, 300)[1]; few.Peak >= large.Peak {
		t.Errorf("300 labels have the peak %g, 3000 %g", few.Peak, large.Peak)
	}
	rl := r.of(r.RL, 3000)
	if fall := rl[0].Peak - rl[0].Gold[len(rl[0].Gold)-1]; fall < 0.2 || rl[1].Law.Beta >= rl[0].Law.Beta {
		t.Errorf("RL: gold falls by %g; small %+v, large %+v", fall, rl[0].Law, rl[1].Law)
	}
	if a := rl[0].Alarms[0]; a.Gold < rl[0].PeakAt || a.Lost > 0.3*rl[0].Peak {
		t.Errorf("the alarm is %+v, the peak at %g", a, rl[0].PeakAt)
	}
	if crossing(rl[0], small.Peak/2) <= crossing(small, small.Peak/2) {
		t.Error("RL spends no more divergence than best-of-n")
	}
	page := new(strings.Builder)
	if err := r.Page().Render(page); err != nil || !strings.Contains(page.String(), "more labels: a higher peak") {
		t.Errorf("page: %v", err)
	}
}

// Gold has mean 0 and deviation 1 under the reference, and its exact mean is that of
// samples.
func TestGoldWorld(t *testing.T) {
	w := newWorld(1)
	pool := drawIDs(w.ref, 1<<13, 1, 1)
	gold := w.golds(pool)
	mean, se := meanError(gold)
	variance := se * se * float64(len(gold))
	if math.Abs(mean) > 4*se || math.Abs(variance-1) > 0.1 {
		t.Errorf("gold has mean %g and variance %g under the reference", mean, variance)
	}
	if got := w.expected(w.ref); math.Abs(got) > 1e-9 {
		t.Errorf("the exact mean is %g", got)
	}
	p := newTabular(exactBackend(t, 1), w.ref)
	defer p.close()
	if d := p.divergence(p.logProbs()); math.Abs(d) > 1e-6 {
		t.Errorf("the reference diverges from itself by %g", d)
	}
	logp := tabularTilt(w.ref, w.gold, 0.5)
	ids := drawIDs(logp, 1<<13, 1, 2)
	if mean, se := meanError(w.golds(ids)); mean < 0.5 || math.Abs(mean-w.expected(logp)) > 4*se {
		t.Errorf("tilted by gold the mean is %g, of samples %g", w.expected(logp), mean)
	}
}

// tabularTilt is the reference times exp(gold/beta) at each place.
func tabularTilt(ref, gold [][]float64, beta float64) [][]float64 {
	var out [][]float64
	for j, row := range ref {
		x := append([]float64{}, row...)
		if j < len(gold) {
			for k := range x {
				x[k] += gold[j][k] / beta
			}
		}
		normalise(x)
		out = append(out, x)
	}
	return out
}

func TestOverOptionsAreChecked(t *testing.T) {
	for _, o := range []OverOptions{{Widths: []int{4, 0}}, {Labels: []int{0}}, {Pool: 3}, {Rounds: 1}, {Penalty: []float64{-1}}, {Widths: []int{5000}}} {
		if o.Validate() == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	if err := (OverOptions{}).Validate(); err != nil {
		t.Error(err)
	}
}
