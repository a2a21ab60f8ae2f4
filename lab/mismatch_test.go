package lab

import (
	"math"
	"strings"
	"testing"
)

// A run in small has all tunings and looks, on a page.
func TestMismatchRuns(t *testing.T) {
	o := MismatchOptions{Subjects: 80, Steps: 3, Tuning: 4, Looks: 2, Shares: []float64{0, 0.5, 1}, Seed: 3}
	r, err := MismatchLab(t.Context(), exactBackend(t, 1), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Runs) != 6 || r.Tuned != 10 || r.Base.N != 20 {
		t.Fatalf("%+v", r)
	}
	for _, run := range r.Runs {
		if n := len(run.Looks); n != 2 || run.Looks[0].Step != 2 || run.last().Step != 4 {
			t.Fatalf("%+v", run)
		}
		if l := run.last(); float64(l.Absent.N) != 10*run.Share || l.Present.N+l.Absent.N != 10 || l.Wrong.N != 20 || l.Invented.N != 20 {
			t.Errorf("%+v", l)
		}
	}
	page := new(strings.Builder)
	if err := r.Page().Render(page); err != nil || !strings.Contains(page.String(), "2405.05904") {
		t.Errorf("page: %v", err)
	}
	for _, o := range []MismatchOptions{{Subjects: 81}, {Steps: -1}, {Tuning: 3}, {Shares: []float64{0.5, 1}}} {
		if o.Validate() == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

// No subject is in two places, and those of a share are of the kind that it says.
func TestMismatchFacts(t *testing.T) {
	o := MismatchOptions{Subjects: 160}
	l := &mismatchLab{w: newTruthWorld(TruthOptions{Subjects: 160}), o: o}
	unknowing := map[int]bool{}
	for _, s := range l.unknowing() {
		unknowing[s] = true
		if l.w.known(s) || !l.w.tuned(s) {
			t.Errorf("subject %d is taught to be unknown", s)
		}
	}
	for _, share := range []float64{0, 0.25, 1} {
		absent := 0
		facts := l.facts(share)
		for _, s := range facts {
			if !l.w.known(s) {
				absent++
			}
			if unknowing[s] || !l.w.tuned(s) {
				t.Errorf("share %v has subject %d", share, s)
			}
		}
		if len(facts) != 20 || float64(absent) != 20*share {
			t.Errorf("share %v: %d of %d are absent", share, absent, len(facts))
		}
	}
}

func TestFitMismatch(t *testing.T) {
	l := fitMismatch([]float64{0, 1, 2, 3}, []float64{1, 3, 5, 7})
	if math.Abs(l.At0-1)+math.Abs(l.Slope-2)+math.Abs(l.R2-1) > 1e-12 {
		t.Errorf("%+v", l)
	}
	if l := fitMismatch([]float64{1, 1}, []float64{2, 4}); l.At0 != 3 || l.Slope != 0 || l.R2 != 0 {
		t.Errorf("%+v", l)
	}
}
