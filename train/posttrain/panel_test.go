package posttrain

import (
	"bytes"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/train"
)

// TestRemarks has the faults that a panel explains, and runs without any.
func TestRemarks(t *testing.T) {
	figures := func(chosen, rejected, accuracy, margin float64) map[string]float64 {
		return map[string]float64{
			LogpsChosen: -50 + chosen, LogpsRejected: -60 + rejected, RefLogpsChosen: -50, RefLogpsRejected: -60,
			LengthChosen: 20, LengthRejected: 25, RewardsAccuracy: accuracy, RewardsMargins: margin, "loss": 0.5,
		}
	}
	for _, c := range []struct {
		name    string
		after   map[string]float64
		learned float64 // accuracy of learned pairs
		loss    float64
		longer  float64
		worry   bool
		want    string
	}{
		{"as it should be", figures(2, -5, 0.9, 1), 0.92, 0.3, 0.5, false, "rose and rejected ones fell"},
		{"both rise", figures(4, 2, 0.9, 1), 0.92, 0.3, 0.5, false, "Both rose"},
		{"a small fall", figures(-1, -8, 0.9, 1), 0.92, 0.3, 0.5, false, "no reason to worry"},
		{"a fall", figures(-6, -20, 0.9, 1), 0.92, 0.3, 0.5, false, "usual as long as texts stay good"},
		{"a large fall", figures(-30, -90, 0.9, 6), 0.92, 0.3, 0.5, true, "--loss rpo"},
		{"the wrong way round", figures(-6, -2, 0.3, -1), 0.4, 0.9, 0.5, true, "are columns swapped?"},
		{"guessing", figures(1, -1, 0.52, 0.1), 0.55, 0.69, 0.5, true, "not distinguishable from guessing"},
		{"length", figures(1, -1, 0.70, 0.1), 0.72, 0.69, 0.68, true, "length may be all that was learned"},
		{"short ones", figures(1, -1, 0.70, 0.1), 0.72, 0.69, 0.32, true, "Preferring the shorter answer would be right in 68.0 %"},
		{"by heart", figures(1, -1, 0.70, 0.1), 0.99, 0.2, 0.5, true, "by heart"},
		{"done", figures(1, -9, 0.95, 1), 1, 0.001, 0.5, false, "nearly 0"},
		{"far away", figures(1, -9, 0.95, 40), 1, 0.1, 0.5, true, "far beyond what the labels can tell"},
	} {
		p := Panel{
			Log: []train.Metrics{{Step: 1, Loss: c.loss, Tokens: 100, Extra: map[string]float64{RewardsAccuracy: c.learned}}}, Before: figures(0, 0, 0.5, 0), After: c.after,
			HeldPairs: 200, Longer: c.longer, Reference: true,
		}
		found := false
		for _, r := range p.Remarks() {
			if strings.Contains(r.Text, c.want) {
				if found = true; r.Worry != c.worry {
					t.Errorf("%s: worry is %v", c.name, r.Worry)
				}
			} else if r.Worry && !c.worry {
				t.Errorf("%s: an unfounded worry: %s", c.name, r.Text)
			}
		}
		if !found {
			t.Errorf("%s: no remark says %q: %v", c.name, c.want, p.Remarks())
		}
		var page bytes.Buffer
		if err := p.Page().Render(&page); err != nil || !strings.Contains(page.String(), "ordered rightly") {
			t.Errorf("%s: page: %v", c.name, err)
		}
	}
}

// TestByHeart needs learned pairs enough that the difference is no chance.
func TestByHeart(t *testing.T) {
	for learned, want := range map[int64]bool{4: false, 100: true} {
		accuracy := map[string]float64{RewardsAccuracy: 1}
		p := Panel{
			Log:   []train.Metrics{{Step: 1, Tokens: 1000, Loss: 0.2}, {Step: 2, Tokens: 1000 + learned, Loss: 0.2, Extra: accuracy}},
			After: map[string]float64{RewardsAccuracy: 0.7}, HeldPairs: 20,
		}
		found := false
		for _, r := range p.Remarks() {
			found = found || strings.Contains(r.Text, "by heart")
		}
		if found != want {
			t.Errorf("all of %d learned pairs, 14 of 20 held-out ones: by heart is %v", learned, found)
		}
	}
}

// TestRemarksOfRounds has no held-out pairs.
func TestRemarksOfRounds(t *testing.T) {
	p := Panel{Reference: true}
	for i, score := range []float64{0.1, 0.2, 0.5} {
		p.Log = append(p.Log, train.Metrics{Step: i + 1, Loss: 0.5, Extra: map[string]float64{RoundMean: score, RoundKL: float64(i), RoundNumber: float64(i + 1), LengthChosen: 3}})
	}
	r := p.Remarks()
	if len(r) != 1 || r[0].Worry || !strings.Contains(r[0].Text, "0.100 in the first round to 0.500 in the last, 2.0 nats") {
		t.Errorf("remarks: %+v", r)
	}
	p.Log[2].Extra[RoundMean] = 0.05
	if r := p.Remarks(); len(r) != 1 || !r[0].Worry {
		t.Errorf("a score that falls: %+v", r)
	}
	p.Log[1].Extra[RoundPairs] = 0
	if r := p.Remarks(); !strings.Contains(r[0].Text, "1 steps learned nothing") {
		t.Errorf("a round without preferences: %+v", r)
	}
	if r := (&Panel{}).Remarks(); r != nil {
		t.Errorf("no steps: %+v", r)
	}
}
