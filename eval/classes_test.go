package eval_test

import (
	"math"
	"testing"

	"github.com/foundling-lm/foundling/eval"
)

// TestClassReport compares with figures worked out by hand.
func TestClassReport(t *testing.T) {
	r := eval.NewClassReport([]string{"a", "b", "c"}, []eval.Guess{
		{0, []float64{2, 1, 0}}, {0, []float64{3, 1, 0}}, {0, []float64{0, 1, 0}},
		{1, []float64{0, 5, 0}}, {1, []float64{4, 0, 0}},
		{2, []float64{1, 1, 1}}, // a tie goes to the first
	})
	near := func(what string, got, want float64) {
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s = %g, want %g", what, got, want)
		}
	}
	near("accuracy", r.Accuracy.Value, 3./6)
	near("precision of a", r.Classes[0].Precision, 2./4)
	near("recall of a", r.Classes[0].Recall, 2./3)
	near("F1 of a", r.Classes[0].F1, 2*.5*2/3/(.5+2./3))
	near("F1 of b", r.Classes[1].F1, .5)
	near("F1 of c", r.Classes[2].F1, 0)
	near("macro F1", r.MacroF1, (r.Classes[0].F1+.5)/3)
	near("majority", r.MajorityShare, .5)
	if r.Majority != "a" || r.Confusion[1][0] != 1 || r.Confusion[2][0] != 1 {
		t.Errorf("majority %q, confusion %v", r.Majority, r.Confusion)
	}
	lse := func(x ...float64) (z float64) {
		for _, v := range x {
			z += math.Exp(v)
		}
		return math.Log(z)
	}
	near("log loss", r.LogLoss, (lse(2, 1, 0)-2+lse(3, 1, 0)-3+lse(0, 1, 0)+lse(0, 5, 0)-5+lse(4, 0, 0)+math.Log(3))/6)
	if d := eval.Paired([]float64{1, 1, 0, 1}, []float64{0, 1, 0, 0}); d.Value != 0.5 || math.Abs(d.High-0.5-eval.Z95*math.Sqrt(1./3/4)) > 1e-12 {
		t.Errorf("paired difference %+v", d)
	}
}
