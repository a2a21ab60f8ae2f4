package objective

import (
	"math"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
)

func normals(n int, seed uint64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.Normal(seed, 2, uint64(i))
	}
	return x
}

func TestPolicyLoss(t *testing.T) {
	const n = 200
	logp, old, adv := normals(n, 1), normals(n, 2), normals(n, 3)
	for i := range logp {
		logp[i], old[i] = 0.2*logp[i]-2, 0.2*old[i]-2
	}
	c := Clip{0.2, 0.28}
	l := Policy(logp, old, adv, c)
	clipped := 0
	for i := range logp {
		r := math.Exp(logp[i]) / math.Exp(old[i])
		surrogate := adv[i] * r // eq. 7: the smaller of the two is maximised
		if bounded := adv[i] * math.Max(0.8, math.Min(1.28, r)); bounded < surrogate {
			surrogate = bounded
			clipped++
		}
		near(t, "loss", l.Loss[i], -surrogate, 1e-12)
		at := slope(&logp[i], func() float64 { return Policy(logp, old, adv, c).Loss[i] })
		near(t, "gradient", l.Grad[i], at, 1e-8)
	}
	s := l.Stats(logp, old)
	if clipped == 0 || math.Abs(s.ClipFraction-float64(clipped)/n) > 1e-12 {
		t.Errorf("clip fraction %g, counted %d of %d", s.ClipFraction, clipped, n)
	}
	var mean, k2 float64
	for i := range logp {
		mean += l.Ratio[i] / n
		k2 += math.Pow(logp[i]-old[i], 2) / 2 / n
	}
	near(t, "mean ratio", s.Ratio, mean, 1e-12)
	near(t, "approximate KL", s.ApproxKL, k2, 1e-12)
}

// At the first epoch the ratio is exactly 1, nothing is clipped, and the gradient is
// that of REINFORCE.
func TestFirstEpoch(t *testing.T) {
	logp, adv := normals(50, 1), normals(50, 2)
	l := Policy(logp, logp, adv, Clip{})
	for i, r := range l.Ratio {
		if r != 1 || l.Clipped[i] || l.Grad[i] != -adv[i] {
			t.Fatalf("ratio %v, clipped %v, gradient %v for advantage %v", r, l.Clipped[i], l.Grad[i], adv[i])
		}
	}
	if s := l.Stats(logp, logp); s.ClipFraction != 0 || s.ApproxKL != 0 || math.Abs(s.Ratio-1) > 1e-12 || s.RatioVar > 1e-24 {
		t.Errorf("statistics of the first epoch: %+v", s)
	}
}

func TestValueLoss(t *testing.T) {
	const n, width = 200, 0.3
	v, old, ret := normals(n, 4), normals(n, 5), normals(n, 6)
	for _, w := range []float64{width, 0} {
		loss, grad, clipped := Value(v, old, ret, w)
		count := 0
		for i := range v {
			want := 0.5 * math.Pow(v[i]-ret[i], 2)
			if w > 0 {
				bounded := old[i] + math.Max(-w, math.Min(w, v[i]-old[i]))
				want = math.Max(want, 0.5*math.Pow(bounded-ret[i], 2))
			}
			near(t, "loss", loss[i], want, 1e-12)
			near(t, "gradient", grad[i], slope(&v[i], func() float64 { l, _, _ := Value(v, old, ret, w); return l[i] }), 1e-8)
			if clipped[i] {
				count++
			}
		}
		if (count > 0) != (w > 0) {
			t.Errorf("width %g: %d clipped", w, count)
		}
	}
}

// GAE against the double sum of the paper; lambda 1 is returns less values, lambda
// 0 the error of one step.
func TestGAE(t *testing.T) {
	const n, last, gamma = 17, 0.4, 0.9
	r, v := normals(n, 7), normals(n, 8)
	value := func(t int) float64 {
		if t == n {
			return last
		}
		return v[t]
	}
	for _, lambda := range []float64{0, 0.95, 1} {
		adv, ret := GAE(r, v, last, gamma, lambda)
		for s := range n {
			want, back := 0.0, 0.0
			for u := s; u < n; u++ {
				want += math.Pow(gamma*lambda, float64(u-s)) * (r[u] + gamma*value(u+1) - v[u])
				back += math.Pow(gamma, float64(u-s)) * r[u]
			}
			back += math.Pow(gamma, float64(n-s)) * last
			near(t, "advantage", adv[s], want, 1e-12)
			near(t, "return", ret[s], want+v[s], 1e-12)
			switch lambda {
			case 1:
				near(t, "lambda 1", adv[s], back-v[s], 1e-12)
			case 0:
				near(t, "lambda 0", adv[s], r[s]+gamma*value(s+1)-v[s], 1e-12)
			}
		}
	}
	for s, x := range RewardToGo(r, gamma) {
		adv, _ := GAE(r, make([]float64, n), 0, gamma, 1)
		near(t, "reward to go", x, adv[s], 1e-12)
	}
}

// Whitening does not see the scale, nor, with shift, the mean.
func TestWhiten(t *testing.T) {
	x := normals(40, 9)
	y := make([]float64, len(x))
	for i := range x {
		y[i] = 3*x[i] + 11
	}
	a, b, kept := Whiten(x, true), Whiten(y, true), Whiten(y, false)
	mean, dev := moments(a)
	near(t, "mean", mean, 0, 1e-12)
	near(t, "deviation", dev, 1, 1e-7)
	base, _ := moments(y)
	for i := range x {
		near(t, "whitened", b[i], a[i], 1e-7)
		near(t, "with its mean", kept[i], b[i]+base, 1e-12)
	}
	if one := Whiten([]float64{5}, true); one[0] != 0 {
		t.Errorf("one value whitens to %v", one)
	}
}

func TestGroupAdvantages(t *testing.T) {
	g := normals(6, 10)
	mean, square := sum(g)/6, 0.0
	for _, x := range g {
		square += (x - mean) * (x - mean)
	}
	dev := math.Sqrt(square / 5)
	rloo, grpo, plainGroup := RLOO(g), GRPO(g, true), GRPO(g, false)
	for i := range g {
		near(t, "RLOO", rloo[i], g[i]-(sum(g)-g[i])/5, 1e-12)
		near(t, "GRPO", grpo[i], (g[i]-mean)/(dev+1e-4), 1e-12)
		near(t, "Dr. GRPO", plainGroup[i], g[i]-mean, 1e-12)
		near(t, "REINFORCE", Reinforce(g, 0.5)[i], g[i]-0.5, 0)
	}
	for _, x := range append(GRPO([]float64{2, 2, 2}, true), RLOO([]float64{7})...) {
		if x != 0 {
			t.Errorf("equal scores have an advantage of %g", x)
		}
	}
	rows := [][]float64{{0.1, -0.2, 1}, {0.3}, {-1, 0.5}}
	flat := Whiten([]float64{0.9, 0.8, 1, 0.3, -0.5, 0.5}, true)
	at := 0
	for _, row := range ReinforcePP(rows, 1) {
		for _, x := range row {
			near(t, "REINFORCE++", x, flat[at], 1e-12)
			at++
		}
	}
	at = 0
	flat = Whiten([]float64{-1, 1, -2, 2}, true)
	for _, row := range ReinforcePPBaseline([][]float64{{1, 3}, {6, 10}}) {
		for _, x := range row {
			near(t, "REINFORCE++ with groups", x, flat[at], 1e-12)
			at++
		}
	}
}

func TestWeights(t *testing.T) {
	lengths := []int{1, 4, 3}
	for w, want := range map[Weighting][]float64{
		TokenMean: {1. / 8, 1. / 8, 1. / 8}, SequenceMean: {1. / 3, 1. / 12, 1. / 9}, Constant: {1. / 15, 1. / 15, 1. / 15},
	} {
		for i, row := range w.Weights(lengths, 5) {
			if len(row) != lengths[i] {
				t.Fatalf("%d weights for %d tokens", len(row), lengths[i])
			}
			for _, x := range row {
				near(t, "weight", x, want[i], 1e-15)
			}
		}
	}
}

// The table of Schulman's note: bias and standard deviation of the estimators, in
// units of the true divergence, q = N(0,1) and p = N(mean, 1).
func TestEstimators(t *testing.T) {
	for _, c := range []struct {
		mean      float64
		bias, dev [3]float64
	}{
		{0.1, [3]float64{0, 0.002, 0}, [3]float64{20, 1.42, 1.42}},
		{1, [3]float64{0, 0.25, 0}, [3]float64{2, 1.73, 1.70}},
	} {
		truth := c.mean * c.mean / 2
		for e := K1; e <= K3; e++ {
			const step = 1e-3
			var first, second, reverse float64 // moments by quadrature; mean of the derivative's product with the score
			for x := -10.0; x <= 10; x += step {
				q := math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) * step
				kl, grad := e.Of(-x*x/2, -(x-c.mean)*(x-c.mean)/2)
				first += q * kl
				second += q * kl * kl
				reverse += q * grad * x // d log q / d (mean of q) is x
			}
			near(t, Estimators[e]+" bias", first/truth-1, c.bias[e], 6e-4)
			near(t, Estimators[e]+" deviation", math.Sqrt(second-first*first)/truth, c.dev[e], 6e-3)
			// KL(q||p) has the derivative -mean by the mean of q; so has KL(p||q) here.
			near(t, Estimators[e]+" gradient", reverse, [3]float64{0, -c.mean, -c.mean}[e], 1e-6)
		}
	}
	logp := -1.3
	for e := K1; e <= K3; e++ {
		_, grad := e.Of(logp, -0.9)
		near(t, Estimators[e], grad, slope(&logp, func() float64 { k, _ := e.Of(logp, -0.9); return k }), 1e-8)
		if named, err := NamedEstimator(Estimators[e]); err != nil || named != e {
			t.Errorf("%s is %v, %v", Estimators[e], named, err)
		}
	}
	if _, err := NamedEstimator("k4"); err == nil {
		t.Error("k4 is accepted")
	}
}

func TestController(t *testing.T) {
	fixed := Controller{Coef: 0.05}
	fixed.Update(100, 64)
	near(t, "fixed", fixed.Coef, 0.05, 0)
	c := Controller{Coef: 0.2, Target: 6, Horizon: 10000}
	c.Update(6.6, 256)
	near(t, "a little above", c.Coef, 0.2*(1+0.1*256/10000), 1e-12)
	at := c.Coef
	c.Update(60, 256)
	near(t, "far above: clipped", c.Coef, at*(1+0.2*256/10000), 1e-12)
	at = c.Coef
	c.Update(-1, 256)
	near(t, "far below: clipped", c.Coef, at*(1-0.2*256/10000), 1e-12)
	for _, bad := range []Controller{{Coef: -1}, {Coef: 1, Target: 6}, {Target: 6, Horizon: 100}, {Coef: math.NaN()}} {
		if bad.Validate() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	r := TokenRewards([]float64{0.1, -0.2}, 3, 0.5)
	near(t, "reward", r[0], -0.05, 1e-15)
	near(t, "last reward", r[1], 3.1, 1e-15)
	near(t, "ended", EndPenalty(2, true, 1), 2, 0)
	near(t, "cut off", EndPenalty(2, false, 1), 1, 0)
}

func TestScores(t *testing.T) {
	c, r, m := normals(20, 11), normals(20, 12), normals(20, 13)
	const centring = 0.01
	l := BradleyTerry(c, r, m, centring)
	for i := range c {
		near(t, "Bradley-Terry", l.Loss[i], -math.Log(win(c[i]-r[i]-m[i]))+centring*math.Pow(c[i]+r[i], 2), 1e-12)
		f := func() float64 { return sum(BradleyTerry(c, r, m, centring).Loss) }
		near(t, "gradient", l.GradChosen[i], slope(&c[i], f), 1e-8)
		near(t, "gradient", l.GradRejected[i], slope(&r[i], f), 1e-8)
	}
	near(t, "at the start", BradleyTerry([]float64{1}, []float64{1}, nil, 0).Loss[0], math.Ln2, 1e-15)
	loss, grad := Regression(c, r)
	right := make([]bool, len(c))
	for i := range right {
		right[i] = i%3 == 0
	}
	steps, stepGrad := Process(c, right)
	for i := range c {
		near(t, "regression", loss[i], math.Pow(c[i]-r[i], 2), 1e-12)
		near(t, "gradient", grad[i], slope(&c[i], func() float64 { l, _ := Regression(c, r); return l[i] }), 1e-8)
		want := -math.Log(win(c[i]))
		if !right[i] {
			want = -math.Log(1 - win(c[i]))
		}
		near(t, "step", steps[i], want, 1e-12)
		near(t, "gradient", stepGrad[i], slope(&c[i], func() float64 { l, _ := Process(c, right); return l[i] }), 1e-8)
	}
}

func TestPolicyMethods(t *testing.T) {
	for _, m := range PolicyMethods() {
		if got, err := NamedPolicyMethod(m.Name); err != nil || got.Name != m.Name {
			t.Errorf("%s: %v", m.Name, err)
		}
		if err := m.Clip.Validate(); err != nil || m.Title == "" || m.Source == "" {
			t.Errorf("%s: %+v, %v", m.Name, m, err)
		}
	}
	if _, err := NamedPolicyMethod("trpo"); err == nil {
		t.Error("trpo is accepted")
	}
	if (Clip{Low: 1.5}).Validate() == nil {
		t.Error("a range below 0 is accepted")
	}
}
