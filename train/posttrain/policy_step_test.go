package posttrain

import (
	"fmt"
	"math"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/objective"
	"github.com/foundling-lm/foundling/train/optim"
)

// bigram is a model small enough to be written again in a few lines: the hidden
// state of a place is the embedding of its token.
type bigram struct {
	embed, out *op.Param
	vocab      int
}

const bigramWidth = 6

func newBigram(b tensor.Backend, vocab int) *bigram {
	m := &bigram{op.NewParam(b, "embed", vocab, bigramWidth), op.NewParam(b, "out", vocab, bigramWidth), vocab}
	m.Init(b, 1)
	return m
}

func (m *bigram) Family() string { return "llama" }
func (m *bigram) Dims() model.Dims {
	return model.Dims{Layers: 1, Width: bigramWidth, Heads: 1, KVHeads: 1, HeadDim: 2, FF: 4, Vocab: m.vocab, Context: 32}
}
func (m *bigram) Config() any            { return nil }
func (m *bigram) Params() []*op.Param    { return []*op.Param{m.embed, m.out} }
func (m *bigram) Unembedding() *op.Param { return m.out }
func (m *bigram) Hidden(p *op.Pass, in *model.Input) *op.Value {
	return op.Embedding(p, m.embed, in.IDs)
}
func (m *bigram) Init(b tensor.Backend, seed uint64) {
	for _, w := range m.Params() {
		x := make([]float32, w.Len())
		for i := range x {
			x[i] = float32(rng.Normal(seed, rng.Stream(w.Name), uint64(i)))
		}
		b.Upload(w.T, x)
		w.Changed()
	}
}

// weights64 are the parameters of a bigram with its head as plain numbers.
type weights64 struct{ embed, out, head []float64 }

// plainSample is a sample as the reference sees it.
type plainSample struct {
	prompt, ids      []int32
	old, ref, values []float64
	score            float64
	ended            bool
}

// logSoftmax is of row id's logits divided by the temperature.
func (w *weights64) logSoftmax(vocab int, id int32, temperature float64) []float64 {
	logits, z := make([]float64, vocab), 0.0
	for v := range logits {
		for c := range bigramWidth {
			logits[v] += w.embed[int(id)*bigramWidth+c] * w.out[v*bigramWidth+c] / temperature
		}
	}
	for _, l := range logits {
		z += math.Exp(l)
	}
	for v := range logits {
		logits[v] -= math.Log(z)
	}
	return logits
}

func (w *weights64) value(id int32) (v float64) {
	for c := range bigramWidth {
		v += w.embed[int(id)*bigramWidth+c] * w.head[c]
	}
	return v
}

// plainRollout is a step as the reference sees it: the policy's numbers and what it knows
// of the samples.
type plainRollout struct {
	*PolicyOptions
	samples      []plainSample
	logp, values [][]float64 // of each token now
	tokens       int
}

// plainLoss is the loss of a step, written from the papers.
func plainLoss(o *PolicyOptions, w *weights64, vocab int, samples []plainSample) float64 {
	x := &plainRollout{o, samples, make([][]float64, len(samples)), make([][]float64, len(samples)), 0}
	for i, s := range samples {
		before := append(append([]int32{}, s.prompt...), s.ids...)
		for t, id := range s.ids {
			from := before[len(s.prompt)+t-1]
			x.logp[i] = append(x.logp[i], w.logSoftmax(vocab, from, o.Temperature)[id])
			x.values[i] = append(x.values[i], w.value(from))
			x.tokens++
		}
	}
	switch o.Method {
	case "ppo":
		return x.ppo()
	case "rloo":
		return x.rloo()
	}
	return x.grpo()
}

func (x *plainRollout) score(s plainSample) float64 {
	if s.ended {
		return s.score
	}
	return s.score - x.EndPenalty
}

// surrogate is minus the objective of Schulman et al. 2017, eq. 7.
func (x *plainRollout) surrogate(r, a float64) float64 {
	c := math.Min(math.Max(r, 1-x.Clip.Low), 1+x.Clip.High)
	return -math.Min(r*a, c*a)
}

// rewards are those of tokens, scaled to unit variance where that is asked for.
func (x *plainRollout) rewards() (all [][]float64) {
	mean, sq := 0.0, 0.0
	for _, s := range x.samples {
		var r []float64
		for t := range s.ids {
			r = append(r, -x.KL.Coef*(s.old[t]-s.ref[t]))
		}
		r[len(r)-1] += x.score(s)
		for _, v := range r {
			mean += v / float64(x.tokens)
		}
		all = append(all, r)
	}
	for _, r := range all {
		for _, v := range r {
			sq += (v - mean) * (v - mean) / float64(x.tokens-1)
		}
	}
	for _, r := range all {
		for t := range r {
			if x.WhitenRewards {
				r[t] = (r[t]-mean)/math.Sqrt(sq+1e-8) + mean
			}
		}
	}
	return all
}

// ppo is eq. 9 there; the advantages are GAE by its definition, a sum over the
// future.
func (x *plainRollout) ppo() (loss float64) {
	var advantages [][]float64
	var all []float64
	rewards := x.rewards()
	for i, s := range x.samples {
		T := len(s.ids)
		delta, adv := make([]float64, T), make([]float64, T)
		for t := range T {
			next := 0.0
			if t < T-1 {
				next = s.values[t+1]
			}
			delta[t] = rewards[i][t] + x.Gamma*next - s.values[t]
		}
		for t := range T {
			for l := t; l < T; l++ {
				adv[t] += math.Pow(x.Gamma*x.Lambda, float64(l-t)) * delta[l]
			}
		}
		advantages, all = append(advantages, adv), append(all, adv...)
	}
	mean, sq := 0.0, 0.0
	for _, a := range all {
		mean += a / float64(len(all))
	}
	for _, a := range all {
		sq += (a - mean) * (a - mean) / float64(len(all)-1)
	}
	for i, s := range x.samples {
		for t := range s.ids {
			a := (advantages[i][t] - mean) / math.Sqrt(sq+1e-8)
			loss += x.surrogate(math.Exp(x.logp[i][t]-s.old[t]), a) / float64(x.tokens)
			v, ret := x.values[i][t], advantages[i][t]+s.values[t]
			near := math.Min(math.Max(v, s.values[t]-x.ValueClip), s.values[t]+x.ValueClip)
			loss += x.ValueCoef * 0.5 * math.Max((v-ret)*(v-ret), (near-ret)*(near-ret)) / float64(x.tokens)
		}
	}
	return loss
}

// grpo is Shao et al. 2024, eq. 3 and 4; Liu et al. 2025, section 3; Yu et al. 2025,
// eq. 8.
func (x *plainRollout) grpo() (loss float64) {
	n := float64(len(x.samples))
	for i, s := range x.samples {
		group := x.samples[i/x.Completions*x.Completions:][:x.Completions]
		mean, sq := 0.0, 0.0
		for _, g := range group {
			mean += x.score(g) / float64(len(group))
		}
		for _, g := range group {
			sq += (x.score(g) - mean) * (x.score(g) - mean) / float64(len(group)-1)
		}
		a := x.score(s) - mean
		if x.Method != "dr_grpo" {
			a /= math.Sqrt(sq) + 1e-4
		}
		sum := 0.0
		for t := range s.ids {
			d := s.ref[t] - x.logp[i][t]
			sum += x.surrogate(math.Exp(x.logp[i][t]-s.old[t]), a) + x.KL.Coef*(math.Exp(d)-1-d)
		}
		switch x.Method {
		case "grpo":
			loss += sum / float64(len(s.ids)) / n
		case "dapo":
			loss += sum / float64(x.tokens)
		case "dr_grpo":
			loss += sum / float64(x.MaxTokens) / n
		}
	}
	return loss
}

// rloo is Ahmadian et al. 2024, eq. 10, with the ratio of whole completions.
func (x *plainRollout) rloo() (loss float64) {
	total := func(s plainSample) float64 {
		r := x.score(s)
		for t := range s.ids {
			r -= x.KL.Coef * (s.old[t] - s.ref[t])
		}
		return r
	}
	for i, s := range x.samples {
		first := i / x.Completions * x.Completions
		others, ratio := 0.0, 0.0
		for j := first; j < first+x.Completions; j++ {
			if j != i {
				others += total(x.samples[j]) / float64(x.Completions-1)
			}
		}
		for t := range s.ids {
			ratio += x.logp[i][t] - s.old[t]
		}
		loss += x.surrogate(math.Exp(ratio), total(s)-others) / float64(len(x.samples))
	}
	return loss
}

// host are the values of a parameter.
func host(b tensor.Backend, t *tensor.Tensor) []float64 {
	x := make([]float32, t.Len())
	b.Download(x, t)
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// TestStepsAgainstPlain compares loss and gradient of a step with a plain float64
// implementation and its central differences, for policies that have moved away
// from their rollout so that ratios and values are clipped.
func TestStepsAgainstPlain(t *testing.T) {
	b, err := cpu.New(cpu.Options{Precision: "f32"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, method := range []string{"ppo", "grpo", "dr_grpo", "dapo", "rloo"} {
		for _, temperature := range []float64{1, 0.7} {
			t.Run(fmt.Sprint(method, " ", temperature), func(t *testing.T) { compareStep(t, b, method, temperature) })
		}
	}
}

func compareStep(t *testing.T, b tensor.Backend, method string, temperature float64) {
	const vocab = 11
	o, err := DefaultPolicy(method)
	if err != nil {
		t.Fatal(err)
	}
	o.Rollout, o.Completions, o.MaxTokens, o.Temperature, o.EndPenalty = 3, 2, 7, temperature, 0.5
	o.Epochs, o.Places = 1, 20 // several micro-batches
	o.WhitenRewards = temperature != 1
	if o.KL.Coef == 0 {
		o.KL.Coef = 0.03
	}
	m := newBigram(b, vocab)
	run := &policyRun{Policy: &Policy{PolicyOptions: o, Base: &bundle.Bundle{Model: m}, Value: NewValue(b, m)}, b: b}
	run.method, _ = objective.NamedPolicyMethod(method)
	run.estimator, _ = objective.NamedEstimator(o.Estimator)
	run.Value.Head.Init(b, 4)
	w := &weights64{host(b, m.embed.T), host(b, m.out.T), host(b, run.Value.Head.W.T)}

	r := &Rollout{State: State{KL: o.KL}}
	var seen []plainSample
	for i := range o.Rollout * o.Completions {
		q := i / o.Completions
		if i%o.Completions == 0 {
			run.Prompts = append(run.Prompts, Prompt{IDs: []int32{int32(q), int32(q + 4), int32(q + 2)}[:1+q]})
		}
		s := &Sample{Prompt: q, Score: rng.Normal(2, 0, uint64(i)), Ended: i%3 != 0}
		before := run.Prompts[q].IDs[q]
		for k := range 2 + (i*5)%6 {
			at := uint64(i*10 + k)
			id := int32(rng.Intn(2, 1, at, vocab))
			now := w.logSoftmax(vocab, before, temperature)[id]
			s.IDs = append(s.IDs, id)
			s.LogProbs = append(s.LogProbs, now+0.3*rng.Normal(2, 2, at))
			s.Reference = append(s.Reference, now+0.5*rng.Normal(2, 3, at))
			s.Values = append(s.Values, w.value(before)+0.3*rng.Normal(2, 4, at))
			before = id
		}
		r.Samples = append(r.Samples, s)
		seen = append(seen, plainSample{run.Prompts[q].IDs, s.IDs, s.LogProbs, s.Reference, s.Values, s.Score, s.Ended})
	}
	run.learn(r)
	params := m.Params()
	if run.method.Critic {
		params = append(params, run.Value.params()...)
	}
	tr, err := train.New(b, params, m.out, train.Options{Schedule: optim.Schedule{Peak: 1e-3, Steps: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	micro := run.micro(r, 0)
	if len(micro) < 2 {
		t.Fatalf("%d micro-batches, want several", len(micro))
	}
	loss, _ := tr.Accumulate(micro)
	want := plainLoss(&o, w, vocab, seen)
	if math.Abs(loss-want) > 1e-5*math.Max(1, math.Abs(want)) {
		t.Errorf("loss %.8f, want %.8f", loss, want)
	}
	for i, x := range [][]float64{w.embed, w.out, w.head}[:len(params)] {
		got := host(b, params[i].Grad)
		for j := range x {
			const h = 1e-5
			was := x[j]
			x[j] = was + h
			up := plainLoss(&o, w, vocab, seen)
			x[j] = was - h
			down := plainLoss(&o, w, vocab, seen)
			x[j] = was
			if d := (up - down) / (2 * h); math.Abs(got[j]-d) > 1e-5*math.Max(1, math.Abs(d)) {
				t.Fatalf("%s[%d]: gradient %.8f, want %.8f", params[i].Name, j, got[j], d)
			}
		}
	}
}
