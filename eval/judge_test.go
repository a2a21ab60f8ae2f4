package eval_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/internal/rng"
)

// simulated pairs of a scorer that knows the true reward, and labels drawn from it
// by Bradley-Terry; the reward grows by slope with each token.
func simulated(n int, slope float64) []eval.Judged {
	out := make([]eval.Judged, n)
	for i := range out {
		at := uint64(i) * 8
		score := func(k uint64) (float64, int) {
			length := 10 + rng.Intn(1, 2, at+k, 90)
			return rng.Normal(3, 4, at+k) + slope*float64(length), length
		}
		a, la := score(0)
		b, lb := score(1)
		if rng.Float64(5, 6, at) < 1/(1+math.Exp(b-a)) {
			out[i] = eval.Judged{Chosen: a, Rejected: b, ChosenLength: la, RejectLength: lb}
		} else {
			out[i] = eval.Judged{Chosen: b, Rejected: a, ChosenLength: lb, RejectLength: la}
		}
	}
	return out
}

// TestRewardReport checks that a scorer which knows the true reward is calibrated,
// reaches its own ceiling, and shows the length in its reward.
func TestRewardReport(t *testing.T) {
	for _, slope := range []float64{0, 0.03} {
		r := eval.NewRewardReport(simulated(20000, slope))
		if math.Abs(r.Accuracy.Value-r.Ceiling) > 0.01 {
			t.Errorf("slope %g: accuracy %.4f, ceiling %.4f", slope, r.Accuracy.Value, r.Ceiling)
		}
		if r.ECE > 0.015 || len(r.Calibration) != 10 {
			t.Errorf("slope %g: calibration error %.4f over %d bins", slope, r.ECE, len(r.Calibration))
		}
		if math.Abs(r.LengthSlope.Value-slope) > 0.02 || !(r.LengthSlope.Low < r.LengthSlope.Value) {
			t.Errorf("length slope %+v, want %g", r.LengthSlope, slope)
		}
		if biased := slope > 0; biased != (r.LengthRule.Low > 0.55) || biased != (r.LongerWins.Value > r.ShorterWins.Value+0.1) {
			t.Errorf("slope %g: length rule %+v, right where the longer won %.3f, the shorter %.3f", slope, r.LengthRule, r.LongerWins.Value, r.ShorterWins.Value)
		}
	}
	if r := eval.NewRewardReport([]eval.Judged{{}, {}}); r.Ties != 2 || r.Accuracy.Value != 0.5 || math.Abs(r.LogLoss-math.Ln2) > 1e-12 {
		t.Errorf("two ties: %+v", r)
	}
}

// TestRewardReportIsJSON writes the report of pairs whose chosen completion is
// always the longer one: what cannot be said of the others is null.
func TestRewardReportIsJSON(t *testing.T) {
	for _, pairs := range [][]eval.Judged{
		{{Chosen: 1, ChosenLength: 3, RejectLength: 2}, {Rejected: 1, ChosenLength: 4, RejectLength: 2}},
		{{Chosen: 1, ChosenLength: 3, RejectLength: 3}},
	} {
		r := eval.NewRewardReport(pairs)
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var again eval.RewardReport
		if err := json.Unmarshal(data, &again); err != nil {
			t.Fatal(err)
		}
		same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
		for _, x := range [][2]eval.Interval{{r.Accuracy, again.Accuracy}, {r.ShorterWins, again.ShorterWins}, {r.OverLength, again.OverLength}, {r.LengthSlope, again.LengthSlope}} {
			if a, b := x[0], x[1]; !same(a.Value, b.Value) || !same(a.Low, b.Low) || !same(a.High, b.High) || a.N != b.N {
				t.Errorf("%s: wrote %+v, read %+v", data, a, b)
			}
		}
		if !math.IsNaN(r.ShorterWins.Value) {
			t.Errorf("no shorter completion was chosen, and the model is right in %+v of them", r.ShorterWins)
		}
	}
}

// TestLabelCeiling recovers the noise of simulated judges.
func TestLabelCeiling(t *testing.T) {
	for _, right := range []float64{0.6, 0.8, 1} {
		votes := make([][2]int, 4000)
		for i := range votes {
			for k := range 3 {
				side := 0
				if rng.Float64(7, 8, uint64(3*i+k)) >= right {
					side = 1
				}
				votes[i][side]++
			}
		}
		if got := eval.LabelCeiling(votes); math.Abs(got-right) > 0.03 {
			t.Errorf("judges right with %g: ceiling %.3f", right, got)
		}
	}
	if got := eval.LabelCeiling([][2]int{{1, 0}}); !math.IsNaN(got) {
		t.Errorf("one judgement a pair: ceiling %g, want NaN", got)
	}
}

// TestProbesChangeTheAnswer runs every probe over one answer.
func TestProbesChangeTheAnswer(t *testing.T) {
	const answer, other = "one two three four five six", "seven"
	seen := map[string]bool{answer: true}
	for _, p := range eval.Probes() {
		got := p.Change(answer, other, 1)
		if seen[got] || got != p.Change(answer, other, 1) {
			t.Errorf("%s: %q is not new, or not the same again", p.Name, got)
		}
		seen[got] = true
	}
	if !seen["one two three"] || !seen[other] {
		t.Errorf("probes gave %v", seen)
	}
}
