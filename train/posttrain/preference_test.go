package posttrain

import (
	"math"
	"slices"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/tensor/ref"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/objective"
	"github.com/foundling-lm/foundling/train/optim"
)

const tinyVocab = 11

// tiny is a model with random weights that are large enough to matter.
func tiny(t *testing.T, b tensor.Backend, seed uint64) model.Model {
	t.Helper()
	m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 1, Width: 8, Heads: 2, Vocab: tinyVocab, Context: 24, BOS: -1, EOS: -1, Pad: -1})
	if err != nil {
		t.Fatal(err)
	}
	for k, w := range m.Params() {
		x := make([]float32, w.Len())
		for i := range x {
			x[i] = float32(0.4 * rng.Normal(seed, uint64(k), uint64(i)))
			if w.T.Rows == 1 {
				x[i]++
			}
		}
		b.Upload(w.T, x)
		w.Changed()
	}
	return m
}

// somePreferred are n pairs with random ids and lengths.
func somePreferred(n int) []Preferred {
	completion := func(i, k uint64) *Completion {
		var c Completion
		prompt, answer := 2+rng.Intn(1, i, 0, 3), 1+rng.Intn(2, i, k, 5)
		for j := range prompt + answer {
			side := k
			if j < prompt {
				side = 0
			}
			c.IDs = append(c.IDs, int32(rng.Intn(3, 2*i+side, uint64(j), tinyVocab)))
			c.Train = append(c.Train, j >= prompt)
		}
		return &c
	}
	out := make([]Preferred, n)
	for i := range out {
		out[i] = Preferred{Chosen: completion(uint64(i), 0), Rejected: completion(uint64(i), 1)}
	}
	return out
}

// plainLogProb is the log-probability of an answer, from the logits of a pass over
// it alone, in float64.
func plainLogProb(m model.Model, c Completion) (sum float64) {
	p := op.NewPass(ref.New(), op.Options{})
	defer p.Close()
	n := len(c.IDs) - 1
	h := m.Hidden(p, &model.Input{B: 1, T: n, IDs: c.IDs[:n], Pos: model.Positions(0, n)})
	x, w := tensor.Data[float64](h.T), tensor.Data[float64](m.Unembedding().T)
	width := m.Dims().Width
	for i := range n {
		if !c.Train[i+1] {
			continue
		}
		total, own := 0.0, 0.0
		for v := range tinyVocab {
			dot := 0.0
			for k := range width {
				dot += x[i*width+k] * w[v*width+k]
			}
			total += math.Exp(dot)
			if int32(v) == c.IDs[i+1] {
				own = dot
			}
		}
		sum += own - math.Log(total)
	}
	return sum
}

// plainStep is what the papers make of a step: log-probabilities of chosen and
// rejected answers, their log-ratios to the reference, their lengths.
type plainStep struct {
	pc, pr, rc, rr []float64
	nc, nr         []float64
	z              float64 // KTO's point of reference
}

func plainSigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// plainLosses are the losses of a whole step, a mean over pairs or, of thumbs,
// over completions.
var plainLosses = map[string]struct {
	o    objective.PreferenceOptions
	loss func(s plainStep) float64
}{
	"sigmoid": {objective.PreferenceOptions{Beta: 0.3, Smoothing: 0.2}, plainMean(func(s plainStep, i int) float64 {
		m := 0.3 * (s.pc[i] - s.rc[i] - s.pr[i] + s.rr[i])
		return -0.8*math.Log(plainSigmoid(m)) - 0.2*math.Log(plainSigmoid(-m))
	})},
	"robust": {objective.PreferenceOptions{Beta: 0.3, Smoothing: 0.1}, plainMean(func(s plainStep, i int) float64 {
		m := 0.3 * (s.pc[i] - s.rc[i] - s.pr[i] + s.rr[i])
		return (-0.9*math.Log(plainSigmoid(m)) + 0.1*math.Log(plainSigmoid(-m))) / 0.8
	})},
	"ipo": {objective.PreferenceOptions{Beta: 0.5}, plainMean(func(s plainStep, i int) float64 {
		return math.Pow((s.pc[i]-s.rc[i])/s.nc[i]-(s.pr[i]-s.rr[i])/s.nr[i]-1, 2)
	})},
	"hinge": {objective.PreferenceOptions{Beta: 0.3}, plainMean(func(s plainStep, i int) float64 {
		return math.Max(0, 1-0.3*(s.pc[i]-s.rc[i]-s.pr[i]+s.rr[i]))
	})},
	"kto": {objective.PreferenceOptions{Beta: 0.3, Desirable: 1.2}, plainMean(func(s plainStep, i int) float64 {
		return (1.2*(1-plainSigmoid(0.3*(s.pc[i]-s.rc[i]-s.z))) + 1 - plainSigmoid(0.3*(s.z-s.pr[i]+s.rr[i]))) / 2
	})},
	"orpo": {objective.PreferenceOptions{Beta: 0.3}, plainMean(func(s plainStep, i int) float64 {
		odds := func(mean float64) float64 { return math.Exp(mean) / (1 - math.Exp(mean)) }
		return -s.pc[i]/s.nc[i] - 0.3*math.Log(plainSigmoid(math.Log(odds(s.pc[i]/s.nc[i])/odds(s.pr[i]/s.nr[i]))))
	})},
	"simpo": {objective.PreferenceOptions{Beta: 2, Gamma: 0.7}, plainMean(func(s plainStep, i int) float64 {
		return -math.Log(plainSigmoid(2*s.pc[i]/s.nc[i] - 2*s.pr[i]/s.nr[i] - 0.7))
	})},
	"cpo": {objective.PreferenceOptions{Beta: 0.3, NLL: 0.5}, plainMean(func(s plainStep, i int) float64 {
		return -math.Log(plainSigmoid(0.3*(s.pc[i]-s.pr[i]))) - 0.5*s.pc[i]/s.nc[i]
	})},
	"rpo": {objective.PreferenceOptions{Beta: 0.3, NLL: 0.5}, plainMean(func(s plainStep, i int) float64 {
		return -math.Log(plainSigmoid(0.3*(s.pc[i]-s.rc[i]-s.pr[i]+s.rr[i]))) - 0.5*s.pc[i]/s.nc[i]
	})},
	"apo_zero": {objective.PreferenceOptions{Beta: 0.3}, plainMean(func(s plainStep, i int) float64 {
		return (1 - plainSigmoid(0.3*(s.pc[i]-s.rc[i])) + plainSigmoid(0.3*(s.pr[i]-s.rr[i]))) / 2
	})},
	"apo_down": {objective.PreferenceOptions{Beta: 0.3}, plainMean(func(s plainStep, i int) float64 {
		return plainSigmoid(0.3*(s.pc[i]-s.rc[i])) + 1 - plainSigmoid(0.3*(s.pc[i]-s.rc[i]-s.pr[i]+s.rr[i]))
	})},
	"aot": {objective.PreferenceOptions{Beta: 0.3}, func(s plainStep) float64 {
		policy, reference := make([]float64, len(s.pc)), make([]float64, len(s.pc))
		for i := range policy {
			policy[i], reference[i] = s.pc[i]-s.pr[i], s.rc[i]-s.rr[i]
		}
		return plainQuantiles(policy, reference)
	}},
	"aot_unpaired": {objective.PreferenceOptions{Beta: 0.3}, func(s plainStep) float64 {
		chosen, rejected := make([]float64, len(s.pc)), make([]float64, len(s.pc))
		for i := range chosen {
			chosen[i], rejected[i] = s.pc[i]-s.rc[i], s.pr[i]-s.rr[i]
		}
		return plainQuantiles(chosen, rejected)
	}},
	"exo_pair": {objective.PreferenceOptions{Beta: 0.3, Smoothing: 0.01}, plainMean(func(s plainStep, i int) float64 {
		q := plainSigmoid(0.3 * (s.pc[i] - s.rc[i] - s.pr[i] + s.rr[i]))
		return q*math.Log(q/0.99) + (1-q)*math.Log((1-q)/0.01)
	})},
	"nca_pair": {objective.PreferenceOptions{Beta: 0.3}, plainMean(func(s plainStep, i int) float64 {
		a, b := 0.3*(s.pc[i]-s.rc[i]), 0.3*(s.pr[i]-s.rr[i])
		return -math.Log(plainSigmoid(a)) - 0.5*math.Log(plainSigmoid(-a)) - 0.5*math.Log(plainSigmoid(-b))
	})},
	"sppo_hard": {objective.PreferenceOptions{Beta: 0.5}, plainMean(func(s plainStep, i int) float64 {
		return (math.Pow(s.pc[i]-s.rc[i]-1, 2) + math.Pow(s.pr[i]-s.rr[i]+1, 2)) / 2
	})},
}

func plainMean(f func(s plainStep, i int) float64) func(s plainStep) float64 {
	return func(s plainStep) (sum float64) {
		for i := range s.pc {
			sum += f(s, i) / float64(len(s.pc))
		}
		return sum
	}
}

func plainQuantiles(a, b []float64) (sum float64) {
	slices.Sort(a)
	slices.Sort(b)
	for i := range a {
		sum -= math.Log(plainSigmoid(0.3*(a[i]-b[i]))) / float64(len(a))
	}
	return sum
}

// plain is a step with nothing of this package but its data.
func plain(m, reference model.Model, step []Preferred) (s plainStep) {
	others := 0
	for _, p := range step {
		s.pc, s.pr = append(s.pc, plainLogProb(m, *p.Chosen)), append(s.pr, plainLogProb(m, *p.Rejected))
		s.rc, s.rr = append(s.rc, plainLogProb(reference, *p.Chosen)), append(s.rr, plainLogProb(reference, *p.Rejected))
		s.nc, s.nr = append(s.nc, float64(p.Chosen.Length())), append(s.nr, float64(p.Rejected.Length()))
		for _, o := range p.Others {
			s.z += plainLogProb(m, o) - plainLogProb(reference, o)
			others++
		}
	}
	s.z = math.Max(0, s.z/math.Max(1, float64(others)))
	return s
}

// preferences are those of a loss for a policy and a frozen reference.
func preferences(t *testing.T, b tensor.Backend, policy, reference model.Model, name string, o objective.PreferenceOptions) *Preferences {
	t.Helper()
	l, err := objective.NewPreference(name, o)
	if err != nil {
		t.Fatal(err)
	}
	p := &Preferences{
		Losses: []WeightedLoss{{l, 1}}, Policy: policy, Row: 20, Places: 1 << 20,
		Scorer: NewScorer(b, policy, nil), Reference: NewScorer(b, reference, nil),
	}
	t.Cleanup(func() {
		p.Scorer.Close()
		p.Reference.Close()
	})
	return p
}

func accumulator(t *testing.T, b tensor.Backend, m model.Model) *train.Trainer {
	t.Helper()
	tr, err := train.New(b, m.Params(), m.Unembedding(), train.Options{Schedule: optim.Schedule{Peak: 1e-3, Steps: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr
}

// TestLossesAndGradients compares loss and gradient of a step of every method
// with the papers' formulas over plain log-probabilities and their central
// differences, and one micro-batch with several.
func TestLossesAndGradients(t *testing.T) {
	b := ref.New()
	step := somePreferred(5)
	Mismatch(step, 20)
	for _, method := range objective.PreferenceMethods() {
		t.Run(method.Name, func(t *testing.T) {
			want, ok := plainLosses[method.Name]
			if !ok {
				t.Fatal("there is no plain formula of it")
			}
			policy, reference := tiny(t, b, 2), tiny(t, b, 1)
			p := preferences(t, b, policy, reference, method.Name, want.o)
			tr := accumulator(t, b, policy)
			z := plain(policy, reference, step).z // carries no gradient, by the paper
			if method.Baseline && z == 0 {
				t.Fatal("the baseline is 0: it shows nothing")
			}
			value := func() float64 {
				s := plain(policy, reference, step)
				s.z = z
				return want.loss(s)
			}
			gradient := func(places int) (g [][]float64) {
				for _, w := range policy.Params() {
					w.ZeroGrad()
				}
				p.Places = places
				micro := p.Micro(step)
				if (len(micro) > 1) != (places == 20) {
					t.Fatalf("%d micro-batches", len(micro))
				}
				if loss, _ := tr.Accumulate(micro); math.Abs(loss-value()) > 1e-9 {
					t.Errorf("%d micro-batches: loss %.12f, by the plain formula %.12f", len(micro), loss, value())
				}
				for _, w := range policy.Params() {
					g = append(g, slices.Clone(tensor.Data[float64](w.Grad)))
				}
				return g
			}
			one, several := gradient(1000), gradient(20)
			for k, w := range policy.Params() {
				for i := range one[k] {
					if math.Abs(one[k][i]-several[k][i]) > 1e-9 {
						t.Fatalf("%s[%d]: gradient %.12f in one micro-batch, %.12f in several", w.Name, i, one[k][i], several[k][i])
					}
				}
				x := tensor.Data[float64](w.T)
				i := rng.Intn(7, uint64(k), 0, len(x))
				const h = 1e-5
				old := x[i]
				x[i] = old + h
				up := value()
				x[i] = old - h
				down := value()
				x[i] = old
				if diff := (up - down) / (2 * h); math.Abs(one[k][i]-diff) > 1e-5*math.Max(1, math.Abs(diff)) {
					t.Errorf("%s[%d]: gradient %.9f, by differences %.9f", w.Name, i, one[k][i], diff)
				}
			}
		})
	}
}

// TestInFloat32 compares the step of the fast backend with that of the reference.
func TestInFloat32(t *testing.T) {
	fast, err := cpu.New(cpu.Options{Precision: "f32"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fast.Close)
	step := somePreferred(5)
	Mismatch(step, 20)
	for _, method := range objective.PreferenceMethods() {
		var losses []float64
		var grads [][]float32
		for _, b := range []tensor.Backend{ref.New(), fast} {
			policy := tiny(t, b, 2)
			p := preferences(t, b, policy, tiny(t, b, 1), method.Name, plainLosses[method.Name].o)
			loss, _ := accumulator(t, b, policy).Accumulate(p.Micro(step))
			losses = append(losses, loss)
			var g []float32
			for _, w := range policy.Params() {
				x := make([]float32, w.Len())
				b.Download(x, w.Grad)
				g = append(g, x...)
			}
			grads = append(grads, g)
		}
		if math.Abs(losses[0]-losses[1]) > 1e-5*math.Max(1, losses[0]) {
			t.Errorf("%s: loss %.9f, in float32 %.9f", method.Name, losses[0], losses[1])
		}
		var off, norm float64
		for i, x := range grads[0] {
			off += math.Pow(float64(x-grads[1][i]), 2)
			norm += float64(x) * float64(x)
		}
		if math.Sqrt(off/norm) > 1e-5 {
			t.Errorf("%s: the gradient in float32 is %.2g of its norm off", method.Name, math.Sqrt(off/norm))
		}
	}
}

// TestStart has the values that losses have where the policy is the reference.
func TestStart(t *testing.T) {
	b := ref.New()
	for name, want := range map[string]float64{"sigmoid": math.Ln2, "aot_unpaired": math.Ln2, "ipo": 25, "hinge": 1, "kto": 0.5, "apo_zero": 0.5} {
		p := preferences(t, b, tiny(t, b, 1), tiny(t, b, 1), name, objective.PreferenceOptions{Beta: 0.1})
		f := p.Measure(somePreferred(4))
		if math.Abs(f["loss"]-want) > 1e-12 {
			t.Errorf("%s begins at %.12f, want %.12f", name, f["loss"], want)
		}
		if f[RewardsMargins] != 0 || f[RewardsAccuracy] != 0.5 {
			t.Errorf("%s begins with margins %g, accuracy %g", name, f[RewardsMargins], f[RewardsAccuracy])
		}
	}
}

// TestPackedIsAlone compares answers that share rows with each in a pass of its own.
func TestPackedIsAlone(t *testing.T) {
	b, err := cpu.New(cpu.Options{Precision: "f32"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	m := tiny(t, b, 1)
	s := NewScorer(b, m, nil)
	t.Cleanup(s.Close)
	var all []Completion
	for _, p := range somePreferred(12) {
		all = append(all, *p.Chosen, *p.Rejected)
	}
	if l := lay(all, 20); l.batch.B < 3 || l.places() > 24*9 {
		t.Errorf("%d completions lie in %d rows of %d", len(all), l.batch.B, l.batch.T)
	}
	packed, alone := s.LogProbs(all, 20, 1000), s.LogProbs(all, 20, 1)
	for i := range packed {
		if math.Abs(packed[i]-alone[i]) > 1e-5 {
			t.Errorf("completion %d: %.7f packed, %.7f alone", i, packed[i], alone[i])
		}
	}
}
