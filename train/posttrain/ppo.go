package posttrain

import (
	"cmp"
	"context"
	"slices"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/objective"
)

// sheet is samples in a batch, each in a row of its own from its beginning on, so
// that its numbers are the same bits whatever it is computed with.
type sheet struct {
	*batch.Batch
	samples []*Sample
	rows    []int32 // of the batch that predict tokens of samples, one sample's after another's
	targets []int32 // those tokens
}

// newSheet lays out samples.
func (p *policyRun) newSheet(samples []*Sample) *sheet {
	t := 0
	for _, s := range samples {
		t = max(t, p.places(s))
	}
	z := &sheet{Batch: batch.New(len(samples), t), samples: samples}
	for i, s := range samples {
		prompt := p.Prompts[s.Prompt].IDs
		n, at := p.places(s), i*t
		copy(z.IDs[at:], prompt)
		copy(z.IDs[at+len(prompt):at+n], s.IDs)
		for j := range n {
			z.Pos[at+j], z.Start[at+j] = int32(j), 0
		}
		for j, id := range s.IDs {
			row := at + len(prompt) - 1 + j
			z.Targets[row] = id
			z.rows, z.targets = append(z.rows, int32(row)), append(z.targets, id)
		}
		z.Trained += len(s.IDs)
	}
	return z
}

// places is what a sample takes of a row: its last token is a target only.
func (p *policyRun) places(s *Sample) int { return len(p.Prompts[s.Prompt].IDs) + len(s.IDs) - 1 }

// sheets lays out samples in batches of at most Places, those of a length together.
func (p *policyRun) sheets(samples []*Sample) []*sheet {
	sorted := slices.Clone(samples)
	slices.SortStableFunc(sorted, func(a, b *Sample) int { return cmp.Compare(p.places(b), p.places(a)) })
	var out []*sheet
	for len(sorted) > 0 {
		n := min(max(1, p.Places/p.places(sorted[0])), len(sorted))
		out = append(out, p.newSheet(sorted[:n]))
		sorted = sorted[n:]
	}
	return out
}

// states are the hidden states of m that predict the tokens of samples.
func (z *sheet) states(p *op.Pass, m model.Model, f train.Forward) *op.Value {
	return op.Gather(p, m.Hidden(p, f.Input(z.Batch)), z.rows)
}

// tempered divides hidden states so that their logits are those of the policy at
// its temperature; limit is their soft cap.
func (p *policyRun) tempered(pass *op.Pass, m model.Model, h *op.Value) (_ *op.Value, limit float64) {
	limit = m.Dims().LogitCap / p.Temperature
	if p.Temperature != 1 {
		h = op.Scale(pass, h, 1/p.Temperature)
	}
	return h, limit
}

// logProbs are the log-probabilities of the tokens under m.
func (p *policyRun) logProbs(pass *op.Pass, m model.Model, h *op.Value, targets []int32) []float64 {
	h, limit := p.tempered(pass, m, h)
	return op.LogProbs(pass, h, m.Unembedding(), targets, limit)
}

// values are the critic's, given the policy's hidden states; v is what they are
// read from.
func (p *policyRun) values(pass *op.Pass, z *sheet, h *op.Value, f train.Forward) (v *op.Value, values []float64) {
	if p.Value.Model != nil {
		h = z.states(pass, p.Value.Model, f)
	}
	v = p.Value.Head.Apply(pass, h)
	for _, x := range pass.Host(v.T) {
		values = append(values, float64(x))
	}
	return v, values
}

// score computes what the trainer says of samples before the first update: their
// log-probabilities under policy and reference, values.
func (p *policyRun) score(ctx context.Context, r *Rollout) error {
	pass := op.NewPass(p.b, op.Options{CachePacks: true})
	defer pass.Close()
	policy := p.Base.Model
	sheets := p.sheets(r.Samples)
	for i, z := range sheets {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.tell("score", i, len(sheets))
		pass.Reset()
		h := z.states(pass, policy, train.Forward{})
		logp := p.logProbs(pass, policy, h, z.targets)
		z.each(func(s *Sample, lo, hi int) { s.LogProbs = logp[lo:hi] })
		if p.method.Critic {
			_, values := p.values(pass, z, h, train.Forward{})
			z.each(func(s *Sample, lo, hi int) { s.Values = values[lo:hi] })
		}
		if !p.Reference.known() {
			continue
		}
		pass.Reset()
		ref := p.Reference.Model
		if off := p.Reference.Off; off != nil {
			ref = policy
			off(true)
		}
		before := p.logProbs(pass, ref, z.states(pass, ref, train.Forward{}), z.targets)
		if off := p.Reference.Off; off != nil {
			off(false)
		}
		z.each(func(s *Sample, lo, hi int) { s.Reference = before[lo:hi] })
	}
	if ref := p.Reference.Model; ref != nil { // packed weights are kept until they change
		for _, w := range ref.Params() {
			w.Changed()
		}
	}
	return nil
}

// each calls f with the rows of each sample.
func (z *sheet) each(f func(s *Sample, lo, hi int)) {
	at := 0
	for _, s := range z.samples {
		f(s, at, at+len(s.IDs))
		at += len(s.IDs)
	}
}

// lesson is what a sample teaches.
type lesson struct {
	advantages []float64 // of each token
	returns    []float64 // that values are fitted to; nil without a critic
}

// scored are the samples of a rollout that can be learned from.
func (r *Rollout) scored() []*Sample {
	return slices.DeleteFunc(slices.Clone(r.Samples), func(s *Sample) bool { return s.Skip != "" })
}

// learn works out the advantages of a rollout and its figures.
func (p *policyRun) learn(r *Rollout) {
	r.learned = map[*Sample]*lesson{}
	samples := r.scored()
	if p.method.Critic {
		p.learnCritic(r, samples)
	} else {
		p.learnGroups(r)
	}
	r.figures = p.figuresOf(r)
}

// learnCritic gives samples the advantages of PPO: the divergence from the
// reference is a cost of each token, the score comes with the last one, and the
// critic says what of it was to be expected (Stiennon et al. 2020, arXiv
// 2009.01325; Ouyang et al. 2022, arXiv 2203.02155, eq. 2).
func (p *policyRun) learnCritic(r *Rollout, samples []*Sample) {
	var rewards, advantages []float64
	for _, s := range samples {
		rewards = append(rewards, objective.TokenRewards(p.divergence(s), p.scoreOf(s), r.State.KL.Coef)...)
	}
	if p.WhitenRewards {
		rewards = objective.Whiten(rewards, false)
	}
	for _, s := range samples {
		n := len(s.IDs)
		a, returns := objective.GAE(rewards[:n], s.Values, 0, p.Gamma, p.Lambda)
		rewards = rewards[n:]
		advantages = append(advantages, a...)
		r.learned[s] = &lesson{returns: returns}
	}
	if p.Whiten {
		advantages = objective.Whiten(advantages, true)
	}
	for _, s := range samples {
		n := len(s.IDs)
		r.learned[s].advantages, advantages = advantages[:n:n], advantages[n:]
	}
}

// divergence is the estimate at each token, 0 without a reference.
func (p *policyRun) divergence(s *Sample) []float64 {
	kl := make([]float64, len(s.IDs))
	for t := range kl {
		if s.Reference != nil {
			kl[t], _ = p.estimator.Of(s.LogProbs[t], s.Reference[t])
		}
	}
	return kl
}

// scoreOf is a sample's score, the penalty of one that does not end taken off.
func (p *policyRun) scoreOf(s *Sample) float64 {
	return objective.EndPenalty(s.Score, s.Ended, p.EndPenalty)
}

// micro are the micro-batches of a step of a rollout.
func (p *policyRun) micro(r *Rollout, step int) []train.Micro {
	samples := r.scored()
	epoch, part := step/p.Minibatches, step%p.Minibatches
	stream := rng.Stream("minibatches") + uint64(r.Number)<<20 + uint64(epoch)
	order := rng.Perm(p.Seed, stream, len(samples))
	lo, hi := part*len(order)/p.Minibatches, (part+1)*len(order)/p.Minibatches
	chosen := make([]*Sample, 0, hi-lo)
	for _, i := range order[lo:hi] {
		chosen = append(chosen, samples[i])
	}
	var out []train.Micro
	weights := p.weights(chosen)
	for _, z := range p.sheets(chosen) {
		out = append(out, &policyMicro{sheet: z, run: p, rollout: r, weights: weights})
	}
	if step == 0 && len(out) > 0 {
		out[0].(*policyMicro).reports = true
	}
	return out
}

// weights are the factors of the samples' tokens in the loss, whose units are
// tokens: their mean is what the method's weighting says.
func (p *policyRun) weights(samples []*Sample) map[*Sample]float64 {
	lengths, total := make([]int, len(samples)), 0
	for i, s := range samples {
		lengths[i] = len(s.IDs)
		total += len(s.IDs)
	}
	out := map[*Sample]float64{}
	for i, w := range p.method.Weights.Weights(lengths, p.MaxTokens) {
		out[samples[i]] = w[0] * float64(total)
	}
	return out
}

// policyMicro is a micro-batch of samples to learn from.
type policyMicro struct {
	*sheet
	run     *policyRun
	rollout *Rollout
	weights map[*Sample]float64
	reports bool // the rollout's figures too
}

// Size is the tokens of samples and the places that the policy computes.
func (m *policyMicro) Size() (units, places int) { return m.Trained, m.B * m.T }

// Forward computes the log-probabilities of the tokens under the policy as it is
// now, the losses, and from their derivatives the gradient.
func (m *policyMicro) Forward(p *op.Pass, f train.Forward) float64 {
	x := m.run
	policy := x.Base.Model
	h := m.states(p, policy, f)
	hot, limit := x.tempered(p, policy, h)
	logp := op.LogProbs(p, hot, policy.Unembedding(), m.targets, limit)
	loss, grad := m.losses(logp, f.Note)
	for i := range grad {
		grad[i] = -grad[i] // cross-entropy is the negative log-probability
	}
	op.Loss(p, hot, policy.Unembedding(), m.targets, op.CrossEntropy{Scale: f.Scale, Weights: grad, LogitCap: limit})
	entropies := op.Entropies(p, hot, policy.Unembedding(), limit)
	f.Note(Entropy, sum(entropies), len(entropies))
	if x.method.Critic {
		v, values := x.values(p, m.sheet, h, f)
		l, grad := m.valueLosses(values, f.Note)
		seed := make([]float32, len(grad))
		for i, g := range grad {
			seed[i] = float32(f.Scale * x.ValueCoef * g)
		}
		p.Seed(v, seed)
		loss += x.ValueCoef * l
	}
	if m.reports {
		for _, g := range m.rollout.figures {
			f.Note(g.name, g.value, 1)
		}
		for name, s := range m.rollout.took {
			f.Note(name, s, 1)
		}
	}
	return loss
}

// losses are the policy's, with their derivatives by logp.
func (m *policyMicro) losses(logp []float64, note func(string, float64, int)) (loss float64, grad []float64) {
	x := m.run
	grad = make([]float64, len(logp))
	var now, old, advantages, weights []float64 // of actions: tokens, or whole completions
	var spans [][2]int
	action := func(s *Sample, lo, hi int, a, w float64) {
		now, old = append(now, sum(logp[lo:hi])), append(old, 0)
		advantages, weights, spans = append(advantages, a), append(weights, w), append(spans, [2]int{lo, hi})
	}
	m.each(func(s *Sample, lo, hi int) {
		l, w := m.rollout.learned[s], m.weights[s]
		if x.method.Sequence {
			action(s, lo, hi, l.advantages[0], w*float64(hi-lo))
			old[len(old)-1] = sum(s.LogProbs)
			return
		}
		for t := range s.IDs {
			action(s, lo+t, lo+t+1, l.advantages[t], w)
			old[len(old)-1] = s.LogProbs[t]
		}
	})
	l := objective.Policy(now, old, advantages, x.Clip)
	policy := 0.0
	for i, span := range spans {
		policy += weights[i] * l.Loss[i]
		for t := span[0]; t < span[1]; t++ {
			grad[t] = weights[i] * l.Grad[i]
		}
	}
	note(PolicyLoss, policy, len(logp))
	n, s := len(now), l.Stats(now, old)
	note(ApproxKL, s.ApproxKL*float64(n), n)
	x.moved = average{x.moved.sum + s.ApproxKL*float64(n), x.moved.n + n}
	note(ClipFraction, s.ClipFraction*float64(n), n)
	note(Ratio, s.Ratio*float64(n), n)
	note(RatioVar, s.RatioVar*float64(n), n)
	return policy + m.divergenceLoss(logp, grad), grad
}

// divergenceLoss adds to grad the derivatives of the divergence from the
// reference, where the method has it in the loss.
func (m *policyMicro) divergenceLoss(logp, grad []float64) (loss float64) {
	x := m.run
	coef := m.rollout.State.KL.Coef
	if x.method.InReward || coef == 0 {
		return 0
	}
	m.each(func(s *Sample, lo, hi int) {
		for t := lo; t < hi; t++ {
			kl, d := x.estimator.Of(logp[t], s.Reference[t-lo])
			loss += coef * m.weights[s] * kl
			grad[t] += coef * m.weights[s] * d
		}
	})
	return loss
}

// valueLosses are the critic's, with their derivatives; every token counts the
// same.
func (m *policyMicro) valueLosses(values []float64, note func(string, float64, int)) (loss float64, grad []float64) {
	var old, returns []float64
	for _, s := range m.samples {
		old, returns = append(old, s.Values...), append(returns, m.rollout.learned[s].returns...)
	}
	losses, grad, clipped := objective.Value(values, old, returns, m.run.ValueClip)
	n := 0
	for _, c := range clipped {
		if c {
			n++
		}
	}
	loss = sum(losses)
	note(ValueLoss, loss, len(values))
	note(ValueClipFraction, float64(n), len(values))
	return loss, grad
}

func sum(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}
