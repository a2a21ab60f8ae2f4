package lab

import (
	"strings"
	"testing"
)

// Tuning with "I don't know" makes wrong answers about the unknown fewer and leaves
// what is known; counterfactual contexts are obeyed once they were shown.
func TestTruthfulness(t *testing.T) {
	t.Parallel()
	o := TruthOptions{Subjects: 200, Steps: 800, Tuning: 120, Seed: 3}
	r, err := TruthfulnessLab(t.Context(), exactBackend(t, 1), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	// So small a world is learned more or less well, by the rounding of this machine: what
	// is held to is what tuning changes.
	base, plain, idk, counter := r.Rows[0], r.Rows[1], r.Rows[2], r.Rows[3]
	if r.Right < 0.75 {
		t.Errorf("asking finds %.3f of the states", r.Right)
	}
	if base.Known.Value < 0.8 || base.Invented.Value < 0.8 {
		t.Errorf("the base model does not remember, or does not invent: %+v", base)
	}
	if !(plain.Invented.Low > 0.6) || idk.Invented.High > 0.3 || idk.Fewer.High > -0.5 || idk.Abstains.Low < 0.7 || idk.Known.Value < 0.4 {
		t.Errorf("\"I don't know\" does not make wrong answers fewer, or known ones:\nwithout %+v\nwith    %+v", plain, idk)
	}
	if counter.Obeys.Low <= idk.Obeys.High || counter.Reads.Low < 0.5 || counter.Invented.High > 0.3 || counter.Known.Value < 0.4 {
		t.Errorf("contexts are not obeyed:\nwithout %+v\nwith    %+v", idk, counter)
	}
	page := new(strings.Builder)
	if err := r.Page().Render(page); err != nil || !strings.Contains(page.String(), "counterfactual contexts") {
		t.Errorf("page: %v", err)
	}
	for _, o := range []TruthOptions{{Subjects: 3}, {Steps: -1}, {Asked: 1}} {
		if o.Validate() == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}
