package lab

import (
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/objective"
)

// rollout is sequences that the policy sampled, with what it learns from them.
type rollout struct {
	t         *tabular
	sequence  bool // the ratio is that of whole sequences, with an advantage each
	clip      objective.Clip
	ids       []int32   // (n,P)
	old       []float64 // log-probability of each token under the policy that sampled, as op.LogProbs has it
	advantage []float64 // of each token, or sequence
	// PPO: values at the rollout and returns, of each token.
	values, returns []float64
}

// PPO's weight and clipping of values, the published defaults (Ouyang et al. 2022 and
// TRL).
const (
	valueWeight = 0.1
	valueWidth  = 0.2
)

// Size counts sequences.
func (r *rollout) Size() (units, places int) { return len(r.ids) / r.t.P, len(r.ids) }

// Forward is the clipped policy loss, and that of the values if there are any.
func (r *rollout) Forward(p *op.Pass, f train.Forward) float64 {
	t, n := r.t, len(r.ids)/r.t.P
	h := t.hidden(p, n)
	logp := op.LogProbs(p, h, t.w, r.ids, 0)
	if r.old == nil { // the first epoch
		r.old = logp
	}
	old, now, per := r.old, logp, 1.0/float64(t.P)
	if r.sequence {
		old, now, per = sums(old, t.P), sums(logp, t.P), 1
	}
	l := objective.Policy(now, old, r.advantage, r.clip)
	var total float64
	weights := make([]float64, len(r.ids))
	for i := range weights {
		g := l.Grad[i*len(l.Grad)/len(weights)]
		weights[i] = -g * per
	}
	for _, x := range l.Loss {
		total += x * per
	}
	op.Loss(p, h, t.w, r.ids, op.CrossEntropy{Scale: f.Scale, Weights: weights})
	s := l.Stats(now, old)
	f.Note("clip_fraction", s.ClipFraction*float64(n), n)
	f.Note("approx_kl", s.ApproxKL*float64(n), n)
	if r.values != nil {
		total += r.fitValues(p, h, f, per)
	}
	return total
}

// fitValues is the clipped loss of the critic.
func (r *rollout) fitValues(p *op.Pass, h *op.Value, f train.Forward, per float64) (total float64) {
	v := op.Linear{W: r.t.critic, Wide: true}.Apply(p, h).Keep()
	now := make([]float64, len(r.values))
	for i, x := range p.Host(v.T) {
		now[i] = float64(x)
	}
	loss, grad, _ := objective.Value(now, r.values, r.returns, valueWidth)
	seed := make([]float32, len(grad))
	for i := range grad {
		total += valueWeight * per * loss[i]
		seed[i] = float32(valueWeight * per * f.Scale * grad[i])
	}
	p.Seed(v, seed)
	return total
}

// values are the critic's of n sequences.
func (t *tabular) values(n int) []float64 {
	v := make([]float32, t.P)
	t.b.Download(v, t.critic.T)
	out := make([]float64, n*t.P)
	for i := range out {
		out[i] = float64(v[i%t.P])
	}
	return out
}

// reinforcement is a method of learning from the score of sampled sequences.
type reinforcement struct {
	method objective.PolicyMethod
	coef   float64 // of the divergence in the reward
	batch  int     // sequences of a rollout
	group  int     // sequences that are each other's baseline
	epochs int     // of each rollout
	rounds int     // rollouts
	rate   float64 // learning rate
	seed   uint64
	score  func(ids []int32) []float64 // of sequences (n,P)
	// each, if not nil, is told how the policy is before each round and at the end.
	each func(round int, logp [][]float64) error
}

// run trains t.
func (r reinforcement) run(t *tabular) error {
	tr, err := t.trainer(r.method.Critic, r.rounds*r.epochs, r.rate)
	if err != nil {
		return err
	}
	defer tr.Close()
	for round := range r.rounds {
		logp := t.logProbs()
		if r.each != nil {
			if err := r.each(round, logp); err != nil {
				return err
			}
		}
		micro := []train.Micro{r.rollout(t, logp, uint64(round))}
		for range r.epochs {
			if _, err := tr.StepOn(micro); err != nil {
				return err
			}
		}
	}
	if r.each != nil {
		return r.each(r.rounds, t.logProbs())
	}
	return nil
}

// rollout samples and scores sequences and takes their advantages.
func (r reinforcement) rollout(t *tabular, logp [][]float64, round uint64) *rollout {
	ids := drawIDs(logp, r.batch, r.seed, round)
	score := r.score(ids)
	now, ref := tokens(logp, ids), tokens(t.ref, ids)
	kl := make([]float64, len(ids))
	for i := range kl {
		kl[i], _ = objective.K1.Of(now[i], ref[i])
	}
	out := &rollout{t: t, ids: ids, clip: r.method.Clip, sequence: r.method.Sequence}
	if r.method.Critic {
		out.values = t.values(r.batch)
		for i := range r.batch {
			lo, hi := i*t.P, (i+1)*t.P
			a, ret := objective.GAE(objective.TokenRewards(kl[lo:hi], score[i], r.coef), out.values[lo:hi], 0, 1, 0.95)
			out.advantage, out.returns = append(out.advantage, a...), append(out.returns, ret...)
		}
		return out
	}
	for i, k := range sums(kl, t.P) {
		score[i] -= r.coef * k
	}
	for lo := 0; lo < r.batch; lo += r.group {
		out.advantage = append(out.advantage, objective.RLOO(score[lo:lo+r.group])...)
	}
	return out
}
