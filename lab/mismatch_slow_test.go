//go:build slow

package lab

import "testing"

// Answers that the model did not know teach it to make up others, and are learned more
// slowly than those that it knew.
func TestMismatch(t *testing.T) {
	o := MismatchOptions{Subjects: 80, Steps: 400, Tuning: 100, Looks: 5, Shares: []float64{0, 1}, Seed: 3}
	r, err := MismatchLab(t.Context(), exactBackend(t, 1), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Base.Value > 0.1 || r.Tuned != 10 || len(r.Runs) != 4 {
		t.Fatalf("the base model does not know its texts: %+v", r)
	}
	old, other := r.run(0, true), r.run(1, true)
	if old.last().Invented.Value > 0.3 || other.More.Low <= 0 {
		t.Errorf("invented with old facts %+v, with new ones %+v, more %+v", old.last().Invented, other.last().Invented, other.More)
	}
	if r.Half[0] == 0 || r.Half[1] != 0 && r.Half[1] < r.Half[0] {
		t.Errorf("half of the old facts after %v steps, of the new ones after %v", r.Half[0], r.Half[1])
	}
}
