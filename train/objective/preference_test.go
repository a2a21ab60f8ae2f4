package objective

import (
	"math"
	"slices"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
)

// near fails unless got is want up to the tolerance, relative above 1.
func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*math.Max(1, math.Abs(want))) {
		t.Errorf("%s is %.15g, want %.15g", what, got, want)
	}
}

// somePairs are random pairs of plausible log-probabilities.
func somePairs(n int, seed uint64) Pairs {
	at := uint64(0)
	draw := func() float64 { at++; return rng.Normal(seed, 1, at) }
	var p Pairs
	for range n {
		lc, lr := 1+int(3*math.Abs(draw())), 1+int(3*math.Abs(draw()))
		rc, rr := -float64(lc)*(0.3+math.Abs(draw())), -float64(lr)*(0.3+math.Abs(draw()))
		p.ChosenLength, p.RejectedLength = append(p.ChosenLength, lc), append(p.RejectedLength, lr)
		p.RefChosen, p.RefRejected = append(p.RefChosen, rc), append(p.RefRejected, rr)
		p.Chosen = append(p.Chosen, rc*math.Exp(0.4*draw()))
		p.Rejected = append(p.Rejected, rr*math.Exp(0.4*draw()))
	}
	p.Baseline = 0.7
	return p
}

// plain has the losses as their papers write them, pair by pair.
var plain = map[string]func(p Pairs, i int, o PreferenceOptions) float64{
	"sigmoid": func(p Pairs, i int, o PreferenceOptions) float64 {
		m := p.odds(i)
		return -(1-o.Smoothing)*math.Log(win(o.Beta*m)) - o.Smoothing*math.Log(1-win(o.Beta*m))
	},
	"robust": func(p Pairs, i int, o PreferenceOptions) float64 {
		right, wrong := -math.Log(win(o.Beta*p.odds(i))), -math.Log(win(-o.Beta*p.odds(i)))
		return ((1-o.Smoothing)*right - o.Smoothing*wrong) / (1 - 2*o.Smoothing)
	},
	"ipo": func(p Pairs, i int, o PreferenceOptions) float64 {
		h := (p.Chosen[i]-p.RefChosen[i])/float64(p.ChosenLength[i]) - (p.Rejected[i]-p.RefRejected[i])/float64(p.RejectedLength[i])
		return math.Pow(h-1/(2*o.Beta), 2)
	},
	"hinge": func(p Pairs, i int, o PreferenceOptions) float64 { return math.Max(0, 1-o.Beta*p.odds(i)) },
	"kto": func(p Pairs, i int, o PreferenceOptions) float64 {
		up := win(o.Beta * (p.Chosen[i] - p.RefChosen[i] - p.Baseline))
		down := win(o.Beta * (p.Baseline - (p.Rejected[i] - p.RefRejected[i])))
		return o.Desirable*(1-up) + o.Undesirable*(1-down)
	},
	"orpo": func(p Pairs, i int, o PreferenceOptions) float64 {
		pc, pr := p.perToken(i)
		odds := pc / (1 - pc) / (pr / (1 - pr))
		return -o.NLL*math.Log(pc) - o.Beta*math.Log(win(math.Log(odds)))
	},
	"simpo": func(p Pairs, i int, o PreferenceOptions) float64 {
		pc, pr := p.perToken(i)
		x := o.Beta*math.Log(pc) - o.Beta*math.Log(pr) - o.Gamma
		return -(1-o.Smoothing)*math.Log(win(x)) - o.Smoothing*math.Log(win(-x))
	},
	"cpo": func(p Pairs, i int, o PreferenceOptions) float64 {
		pc, _ := p.perToken(i)
		return -math.Log(win(o.Beta*(p.Chosen[i]-p.Rejected[i]))) - o.NLL*math.Log(pc)
	},
	"rpo": func(p Pairs, i int, o PreferenceOptions) float64 {
		return -math.Log(win(o.Beta*p.odds(i))) - o.NLL*p.Chosen[i]/float64(p.ChosenLength[i])
	},
	"apo_zero": func(p Pairs, i int, o PreferenceOptions) float64 {
		return 1 - win(o.Beta*(p.Chosen[i]-p.RefChosen[i])) + win(o.Beta*(p.Rejected[i]-p.RefRejected[i]))
	},
	"apo_down": func(p Pairs, i int, o PreferenceOptions) float64 {
		return win(o.Beta*(p.Chosen[i]-p.RefChosen[i])) + 1 - win(o.Beta*p.odds(i))
	},
	"aot": func(p Pairs, i int, o PreferenceOptions) float64 {
		var ours, theirs []float64
		for j := range p.Chosen {
			ours = append(ours, p.Chosen[j]-p.Rejected[j])
			theirs = append(theirs, p.RefChosen[j]-p.RefRejected[j])
		}
		return -math.Log(win(o.Beta * (ours[i] - quantile(theirs, rank(ours, i)))))
	},
	"aot_unpaired": func(p Pairs, i int, o PreferenceOptions) float64 {
		var up, down []float64
		for j := range p.Chosen {
			up = append(up, p.Chosen[j]-p.RefChosen[j])
			down = append(down, p.Rejected[j]-p.RefRejected[j])
		}
		return -math.Log(win(o.Beta * (up[i] - quantile(down, rank(up, i)))))
	},
	"exo_pair": func(p Pairs, i int, o PreferenceOptions) float64 {
		f := win(o.Beta * p.odds(i))
		return f*math.Log(f/(1-o.Smoothing)) + (1-f)*math.Log((1-f)/o.Smoothing)
	},
	"nca_pair": func(p Pairs, i int, o PreferenceOptions) float64 {
		x, y := win(o.Beta*(p.Chosen[i]-p.RefChosen[i])), win(o.Beta*(p.Rejected[i]-p.RefRejected[i]))
		return -math.Log(x) - 0.5*math.Log(1-x) - 0.5*math.Log(1-y)
	},
	"sppo_hard": func(p Pairs, i int, o PreferenceOptions) float64 {
		half := 0.5 / o.Beta
		return math.Pow(p.Chosen[i]-p.RefChosen[i]-half, 2) + math.Pow(p.Rejected[i]-p.RefRejected[i]+half, 2)
	},
}

// smoothedPlain are the plain losses with label smoothing.
var smoothedPlain = []string{"sigmoid", "robust", "simpo", "exo_pair"}

func win(x float64) float64 { return math.Exp(x) / (math.Exp(x) + 1) }

func (p Pairs) odds(i int) float64 {
	return math.Log(math.Exp(p.Chosen[i]) / math.Exp(p.RefChosen[i]) / (math.Exp(p.Rejected[i]) / math.Exp(p.RefRejected[i])))
}

func (p Pairs) perToken(i int) (chosen, rejected float64) {
	return math.Pow(math.Exp(p.Chosen[i]), 1/float64(p.ChosenLength[i])), math.Pow(math.Exp(p.Rejected[i]), 1/float64(p.RejectedLength[i]))
}

// rank is the number of values below x[i].
func rank(x []float64, i int) (n int) {
	for _, v := range x {
		if v < x[i] {
			n++
		}
	}
	return n
}

func quantile(x []float64, rank int) float64 {
	y := slices.Clone(x)
	slices.Sort(y)
	return y[rank]
}

// sum is the total loss, which gradients are of.
func sum(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}

// slope is the central difference of f by *x.
func slope(x *float64, f func() float64) float64 {
	const h = 1e-5
	at := *x
	*x = at + h
	up := f()
	*x = at - h
	down := f()
	*x = at
	return (up - down) / (2 * h)
}

// Every row of the table has the loss of its paper and the gradient of that loss.
func TestPreferenceLosses(t *testing.T) {
	for _, m := range PreferenceMethods() {
		t.Run(m.Name, func(t *testing.T) {
			reference := plain[m.Name]
			if reference == nil {
				t.Fatal("no plain implementation to compare with")
			}
			options := []PreferenceOptions{{}, {Beta: 0.37}}
			if m.Smooth {
				options = append(options, PreferenceOptions{Beta: 0.5, Smoothing: 0.2})
			}
			if m.Name == "kto" {
				options = append(options, PreferenceOptions{Desirable: 1.3, Undesirable: 0.8})
			}
			for k, o := range options {
				p, err := NewPreference(m.Name, o)
				if err != nil {
					t.Fatal(err)
				}
				pairs := somePairs(9, uint64(k))
				got := p.Pairs(pairs)
				full := p.Options()
				for i := range got.Loss {
					if full.Smoothing == 0 || slices.Contains(smoothedPlain, m.Name) {
						near(t, "loss", got.Loss[i], reference(pairs, i, full), 1e-12)
					}
				}
				total := func() float64 { return sum(p.Pairs(pairs).Loss) }
				for i := range got.Loss {
					near(t, "gradient of chosen", got.GradChosen[i], slope(&pairs.Chosen[i], total), 1e-8)
					near(t, "gradient of rejected", got.GradRejected[i], slope(&pairs.Rejected[i], total), 1e-8)
				}
			}
		})
	}
}

// With Smoothing the losses of AOT, CPO and RPO are mixtures with those of the
// pairs turned round.
func TestSmoothingIsAMixture(t *testing.T) {
	const e = 0.15
	pairs := somePairs(1, 3) // one pair: AOT sorts nothing
	turned := Pairs{Chosen: pairs.Rejected, Rejected: pairs.Chosen, RefChosen: pairs.RefRejected, RefRejected: pairs.RefChosen,
		ChosenLength: pairs.RejectedLength, RejectedLength: pairs.ChosenLength}
	for _, name := range []string{"sigmoid", "cpo", "rpo", "aot", "aot_unpaired"} {
		with, _ := NewPreference(name, PreferenceOptions{Smoothing: e, NLL: Off})
		without, _ := NewPreference(name, PreferenceOptions{NLL: Off})
		near(t, name, with.Pairs(pairs).Loss[0], (1-e)*without.Pairs(pairs).Loss[0]+e*without.Pairs(turned).Loss[0], 1e-12)
	}
}

// DPO begins with ln 2 and half the gradient, whatever the pair; then the weight of
// a pair is sigmoid(-margin). IPO is at rest where the margin is 1/(2 beta).
func TestPreferenceIdentities(t *testing.T) {
	pairs := somePairs(5, 1)
	start := pairs
	start.Chosen, start.Rejected = pairs.RefChosen, pairs.RefRejected
	dpo, _ := NewPreference("sigmoid", PreferenceOptions{Beta: 0.3})
	for i, l := range dpo.Pairs(start).Loss {
		near(t, "DPO at the start", l, math.Ln2, 1e-15)
		near(t, "its gradient", dpo.Pairs(start).GradChosen[i], -0.3/2, 1e-15)
	}
	r := dpo.Pairs(pairs)
	for i := range r.Loss {
		margin := r.Chosen[i] - r.Rejected[i]
		near(t, "weight", r.GradChosen[i], -0.3*win(-margin), 1e-13)
		near(t, "weight", r.GradRejected[i], 0.3*win(-margin), 1e-13)
		near(t, "implicit reward", r.Chosen[i], 0.3*(pairs.Chosen[i]-pairs.RefChosen[i]), 1e-15)
	}
	ipo, _ := NewPreference("ipo", PreferenceOptions{Beta: 0.3, Averaging: Sum})
	one := Pairs{Chosen: []float64{-5}, Rejected: []float64{-5 - 1/0.6}, RefChosen: []float64{-4}, RefRejected: []float64{-4}}
	at := ipo.Pairs(one)
	near(t, "IPO at its margin", at.Loss[0], 0, 1e-15)
	near(t, "IPO's gradient", at.GradChosen[0], 0, 1e-14)
	hinge, _ := NewPreference("hinge", PreferenceOptions{Beta: 1})
	if got := hinge.Pairs(one); got.Loss[0] != 0 || got.GradChosen[0] != 0 {
		t.Errorf("the hinge beyond its margin is %v", got)
	}
}

// A single completion with a thumb has the part of the pair that is its own.
func TestUnpaired(t *testing.T) {
	pairs := somePairs(6, 2)
	for _, m := range PreferenceMethods() {
		if !m.Unpaired {
			continue
		}
		p, err := NewPreference(m.Name, PreferenceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		both := p.Pairs(pairs)
		good, bad := make([]bool, 6), make([]bool, 6)
		for i := range good {
			good[i] = true
		}
		up := p.Completions(Completions{Policy: pairs.Chosen, Reference: pairs.RefChosen, Length: pairs.ChosenLength, Good: good, Baseline: pairs.Baseline})
		down := p.Completions(Completions{Policy: pairs.Rejected, Reference: pairs.RefRejected, Length: pairs.RejectedLength, Good: bad, Baseline: pairs.Baseline})
		for i := range good {
			near(t, m.Name, up.Loss[i]+down.Loss[i], both.Loss[i], 1e-14)
			near(t, m.Name, up.Grad[i], both.GradChosen[i], 1e-14)
			near(t, m.Name, down.Grad[i], both.GradRejected[i], 1e-14)
			near(t, m.Name, up.Reward[i], both.Chosen[i], 1e-14)
		}
	}
	near(t, "baseline", Baseline([]float64{-1, -2}, []float64{-2, -4}), 1.5, 1e-15)
	near(t, "baseline below 0", Baseline([]float64{-3}, []float64{-2}), 0, 0)
}

// Without averaging lengths are not needed, and with it a gradient is shared out.
func TestAveraging(t *testing.T) {
	pairs := somePairs(4, 5)
	sumOf, _ := NewPreference("sigmoid", PreferenceOptions{Beta: 2})
	meanOf, _ := NewPreference("sigmoid", PreferenceOptions{Beta: 2, Averaging: Mean})
	long := pairs
	long.ChosenLength, long.RejectedLength = slices.Repeat([]int{4}, 4), slices.Repeat([]int{4}, 4)
	quarter := pairs
	for _, x := range []*[]float64{&quarter.Chosen, &quarter.Rejected, &quarter.RefChosen, &quarter.RefRejected} {
		*x = scaled(*x, 0.25)
	}
	quarter.ChosenLength, quarter.RejectedLength = nil, nil
	a, b := meanOf.Pairs(long), sumOf.Pairs(quarter)
	for i := range a.Loss {
		near(t, "loss of means", a.Loss[i], b.Loss[i], 1e-14)
		near(t, "gradient of means", a.GradChosen[i], b.GradChosen[i]/4, 1e-14)
	}
}

func TestExtremePairs(t *testing.T) {
	p := Pairs{Chosen: []float64{0, -1e5}, Rejected: []float64{-1e5, 0}, RefChosen: []float64{-1e5, 0}, RefRejected: []float64{0, -1e5},
		ChosenLength: []int{1, 7}, RejectedLength: []int{3, 1}}
	for _, m := range PreferenceMethods() {
		l, err := NewPreference(m.Name, PreferenceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got := l.Pairs(p)
		for _, x := range [][]float64{got.Loss, got.GradChosen, got.GradRejected, got.Chosen, got.Rejected} {
			for _, v := range x {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Errorf("%s of certain completions has %v", m.Name, x)
				}
			}
		}
	}
}

func TestPreferenceOptionsAreChecked(t *testing.T) {
	for _, c := range []struct {
		name string
		o    PreferenceOptions
	}{
		{"dpo", PreferenceOptions{}}, {"sigmoid", PreferenceOptions{Beta: -0.1}}, {"sigmoid", PreferenceOptions{Beta: math.Inf(1)}},
		{"sigmoid", PreferenceOptions{Smoothing: 0.5}}, {"ipo", PreferenceOptions{Smoothing: 0.1}}, {"exo_pair", PreferenceOptions{Smoothing: Off}},
		{"sigmoid", PreferenceOptions{Gamma: 1}}, {"rpo", PreferenceOptions{NLL: -2}}, {"sigmoid", PreferenceOptions{Desirable: 2}},
		{"aot", PreferenceOptions{Averaging: Mean}}, {"sigmoid", PreferenceOptions{Beta: math.NaN()}},
	} {
		if _, err := NewPreference(c.name, c.o); err == nil {
			t.Errorf("%s with %+v is accepted", c.name, c.o)
		}
	}
	p, err := NewPreference("rpo", PreferenceOptions{NLL: Off})
	if err != nil || p.Options().NLL != 0 || p.Options().Beta != 0.1 {
		t.Errorf("RPO without likelihood: %+v, %v", p, err)
	}
	if acc := (PairLosses{Chosen: []float64{1, 2}, Rejected: []float64{0, 2}}).Accuracy(); acc != 0.5 {
		t.Errorf("accuracy %g, want 0.5", acc)
	}
}
