package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/eval"
)

func look(t *testing.T, problems []Problem, o TestTimeOptions) *TestTimeResult {
	t.Helper()
	r, err := TestTime(t.Context(), problems, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *TestTimeResult) curve(t *testing.T, name string) Curve {
	t.Helper()
	for _, c := range r.Curves {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no curve %s", name)
	return Curve{}
}

// spread is the standard error of a mean over problems, from its 95 % band.
func spread(c Curve, i int) float64 { return (c.High[i] - c.Low[i]) / 2 / eval.Z95 }

// integrate is the mean of f(p) over Beta(a, b), by the midpoint rule in a variable
// in which the density has no poles.
func integrate(a, b float64, f func(p float64) float64) float64 {
	const steps = 5000
	var sum, all float64
	for i := range steps {
		u := (float64(i) + 0.5) / steps
		p := math.Pow(u, 1/a) // dp p^(a-1) = du / a
		w := math.Pow(1-p, b-1)
		sum += w * f(p)
		all += w
	}
	return sum / all
}

// TestSyntheticTruth: measured coverage is that of the distribution, to the error
// of the sample, and choosing by a gameable verifier is what theory says: it is
// right where no sample got through the hole and one is right.
func TestSyntheticTruth(t *testing.T) {
	for _, shape := range [][2]float64{{0.5, 2}, {1, 3}, {3, 2}} {
		s := Synthetic{Problems: 200, Candidates: 64, Alpha: shape[0], Beta: shape[1], Seed: 5}
		problems := s.Pool()
		const exploit = 0.02
		AddVerifiers(problems, 0, exploit, 1)
		r := look(t, problems, TestTimeOptions{Orders: 4, Draws: 200, Truth: &s})
		cover, gamed, honest := r.curve(t, coverage), r.curve(t, GameableVerifier), r.curve(t, NoisyVerifier)
		for i, k := range cover.K {
			n := float64(k)
			truth := s.Coverage(k)
			if exact := integrate(shape[0], shape[1], func(p float64) float64 { return 1 - math.Pow(1-p, n) }); math.Abs(truth-exact) > 1e-3 {
				t.Errorf("Beta%v: coverage of %d is %v, integrated %v", shape, k, truth, exact)
			}
			if d := math.Abs(cover.Accuracy[i] - truth); d > 4*spread(cover, i)+0.001 || r.Truth[i] != truth {
				t.Errorf("Beta%v: coverage of %d: measured %v, truth %v", shape, k, cover.Accuracy[i], truth)
			}
			if math.Abs(honest.Accuracy[i]-cover.Accuracy[i]) > 1e-9 {
				t.Errorf("Beta%v: a verifier without noise reaches %v of %v at %d", shape, honest.Accuracy[i], cover.Accuracy[i], k)
			}
			want := integrate(shape[0], shape[1], func(p float64) float64 {
				return math.Pow(1-(1-p)*exploit, n) - math.Pow((1-p)*(1-exploit), n)
			})
			if d := math.Abs(gamed.Accuracy[i] - want); d > 4*spread(gamed, i)+0.003 {
				t.Errorf("Beta%v: gamed at %d: measured %v, theory %v", shape, k, gamed.Accuracy[i], want)
			}
		}
	}
}

// TestGamingMakesAccuracyFall: after its peak, surely, and only where there is a
// hole.
func TestGamingMakesAccuracyFall(t *testing.T) {
	s := Synthetic{Problems: 120, Candidates: 128, Seed: 2}
	problems := s.Pool()
	AddVerifiers(problems, 0.5, 0.02, 3)
	r := look(t, problems, TestTimeOptions{Orders: 10, Draws: 200, Truth: &s})
	gamed := r.curve(t, GameableVerifier)
	last := len(gamed.K) - 1
	if !(gamed.Peak > 1 && gamed.Peak < 64 && gamed.FallLow > 0.1) || math.Abs(gamed.Accuracy[last]-r.BestScore[GameableVerifier]) > 0 {
		t.Errorf("the gameable verifier peaks at %d and falls by %v, at least %v", gamed.Peak, gamed.Fall, gamed.FallLow)
	}
	for _, name := range []string{coverage, NoisyVerifier, "first"} {
		if c := r.curve(t, name); c.FallLow > 0 {
			t.Errorf("%s falls by %v", name, c.Fall)
		}
	}
	for _, c := range r.Curves { // the ceiling
		for i := range c.K {
			if c.Accuracy[i] > r.Curves[0].Accuracy[i]+1e-9 && c.Name != "majority" && c.Name != "weighted" {
				t.Errorf("%s at %d exceeds the coverage", c.Name, c.K[i])
			}
		}
	}
	if r.Law == nil || !(r.Law.A < 0 && r.Law.B < 0 && r.Law.Error < 0.1) {
		t.Errorf("law of coverage: %+v", r.Law)
	}
	if len(r.Early) == 0 || r.Early[0].Accuracy != r.Early[0].Whole || !(r.Early[2].Samples < r.Early[0].Samples) {
		t.Errorf("early stopping: %+v", r.Early)
	}
	if first, sum := r.curve(t, "first"), r.curve(t, "meanlogp"); !(sum.Accuracy[last] > first.Accuracy[last]) {
		t.Error("probabilities per token, which are higher for right samples, do not help")
	}
}

// TestReportIsReproducible: the same pool gives the same bytes, and they hold the
// curves.
func TestReportIsReproducible(t *testing.T) {
	render := func() (string, string) {
		s := Synthetic{Problems: 12, Candidates: 16, Seed: 9}
		problems := s.Pool()
		AddVerifiers(problems, 1, 0.1, 3)
		r := look(t, problems, TestTimeOptions{Orders: 5, Draws: 50, Truth: &s})
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var page bytes.Buffer
		if err := r.Page("a <pool>").Render(&page); err != nil {
			t.Fatal(err)
		}
		return string(data), page.String()
	}
	a, pa := render()
	b, pb := render()
	if a != b || pa != pb {
		t.Error("two runs of one seed differ")
	}
	for _, want := range []string{"a &lt;pool&gt;", "gameable verifier", "coverage (pass@k)", "log c = a k^b", "beta 0.95"} {
		if !strings.Contains(pa, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestPoolsWithLittleInThem: no answers, no probabilities, no right candidate, one
// candidate.
func TestPoolsWithLittleInThem(t *testing.T) {
	r := look(t, []Problem{{Candidates: []Sample{{}, {}}}, {Candidates: []Sample{{}}}}, TestTimeOptions{})
	if len(r.Curves) != 2 || r.PoolSize != 1 || r.Law != nil || r.LawError == "" || len(r.Early) != 0 {
		t.Errorf("got %+v", r)
	}
	if err := r.Page("x").Render(&bytes.Buffer{}); err != nil {
		t.Error(err)
	}
	if _, err := TestTime(t.Context(), nil, TestTimeOptions{}, nil); err == nil {
		t.Error("a pool without problems has a result")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := TestTime(ctx, (&Synthetic{Problems: 1, Candidates: 1}).Pool(), TestTimeOptions{}, nil); err == nil {
		t.Error("a result after the end of the context")
	}
}

func TestGrid(t *testing.T) {
	for n := 1; n < 70; n++ {
		ks := grid(n)
		for i := range ks {
			if i > 0 && ks[i] <= ks[i-1] {
				t.Errorf("grid(%d) = %v does not rise", n, ks)
			}
		}
		if ks[0] != 1 || ks[len(ks)-1] != n {
			t.Errorf("grid(%d) = %v", n, ks)
		}
	}
}
