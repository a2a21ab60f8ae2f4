//go:build slow

package lab

import "testing"

// Behind a wrong answer reasons that must be found are false, and known to be; those
// that are there are told truly; who has read answers taken back takes it back.
func TestSnowball(t *testing.T) {
	o := SnowballOptions{Towns: 24, Steps: 600, TakenBack: 0.2, Seed: 2}
	r, err := SnowballLab(t.Context(), exactBackend(t, 1), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Facts.Value < 0.9 {
		t.Fatalf("the model does not know its texts: %+v", r.Facts)
	}
	found, given := r.row(snowPlain, snowFound, snowWrong), r.row(snowPlain, snowGiven, snowWrong)
	if found.False.Value < 0.6 || found.Right.Value > 0.3 || found.Known == nil || found.Known.Value < 0.6 {
		t.Errorf("a reason that must be found: %+v", found)
	}
	if given.False.High > 0.2 || given.Doubted == nil || given.Doubted.Value > 0.1 {
		t.Errorf("a reason that is there: %+v", given)
	}
	if x := r.row(snowDenied, snowFound, snowReasons); x.False.Value > 0.2 || x.Right.Value < 0.8 {
		t.Errorf("texts that tell of nobody, reason first: %+v", x)
	}
	for _, question := range []string{snowGiven, snowFound} {
		if x := r.row(snowPlain, question, snowRight); x.False.Value > 0.1 || x.Right.Value < 0.9 {
			t.Errorf("%s, right answer forced: %+v", question, x)
		}
		plain, back := r.row(snowPlain, question, snowWrong), r.row(snowBack, question, snowWrong)
		if back.Right.Value < 0.6 || back.Right.Value < plain.Right.Value || back.False.Value > plain.False.Value {
			t.Errorf("%s: taken back %+v, without such texts %+v", question, back, plain)
		}
	}
	if x := r.row(snowDenied, snowFound, snowWrong); x.False.Value > found.False.Value {
		t.Errorf("texts that tell of nobody make it worse: %+v", x)
	}
}
