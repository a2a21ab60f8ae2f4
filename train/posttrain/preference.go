package posttrain

import (
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/objective"
)

// Preferred is what people or a judge think of answers to one prompt: two of them,
// the chosen and the rejected, or one with a thumb up (Chosen) or down (Rejected).
type Preferred struct {
	Chosen, Rejected *Completion
	// Others are the answers to another prompt after this one, of Chosen and of
	// Rejected: how far the policy has come from the reference on what was not
	// asked is KTO's point of comparison.
	Others []Completion
}

// each calls f for every completion, and says whether it is the chosen one.
func (p Preferred) each(f func(c Completion, good bool)) {
	if p.Chosen != nil {
		f(*p.Chosen, true)
	}
	if p.Rejected != nil {
		f(*p.Rejected, false)
	}
}

// Size is the places of its completions.
func (p Preferred) Size() (n int) {
	p.each(func(c Completion, _ bool) { n += len(c.IDs) - 1 })
	return n
}

// WeightedLoss is one of several losses of a run.
type WeightedLoss struct {
	*objective.Preference
	Weight float64
}

// Preferences are micro-batches of preferences for one policy: direct preference
// optimisation (Rafailov et al. 2023, arXiv 2305.18290) and its family. The
// chosen and the rejected answers of a micro-batch go through the policy in one
// forward pass; losses see the log-probabilities of whole answers, and their
// derivatives by those weigh the cross-entropy of each token.
type Preferences struct {
	Losses    []WeightedLoss
	Policy    model.Model
	Scorer    *Scorer // of the policy
	Reference *Scorer // nil: no loss has a reference, or completions know their log-probability
	Row       int     // longest row, in tokens
	Places    int     // of a micro-batch, at most
}

// needs says whether some loss has the property.
func (p *Preferences) needs(f func(objective.PreferenceMethod) bool) bool {
	for _, l := range p.Losses {
		if f(l.PreferenceMethod) {
			return true
		}
	}
	return false
}

func needsReference(m objective.PreferenceMethod) bool { return m.Reference }
func needsBaseline(m objective.PreferenceMethod) bool  { return m.Baseline }

// Micro are the micro-batches of a step.
func (p *Preferences) Micro(step []Preferred) []train.Micro {
	s := &preferenceStep{Preferences: p, pairs: p.needs(func(m objective.PreferenceMethod) bool { return !m.Unpaired })}
	var micro []train.Micro
	for _, part := range split(step, p.Places, Preferred.Size) {
		m := &preferenceMicro{preferenceStep: s, judged: newJudged(part, p.Row)}
		s.parts = append(s.parts, m)
		micro = append(micro, m)
	}
	return micro
}

// judged is preferences in one batch.
type judged struct {
	*laid
	all       []Completion
	good      []bool
	preferred []Preferred
	reference []float64 // of each completion, nil where none is known yet
}

func newJudged(part []Preferred, row int) *judged {
	j := &judged{preferred: part}
	for _, p := range part {
		p.each(func(c Completion, good bool) {
			j.all = append(j.all, c)
			j.good = append(j.good, good)
		})
	}
	j.laid = lay(j.all, row)
	return j
}

// known are the log-probabilities under the reference that completions bring.
func known(cs []Completion) ([]float64, bool) {
	out := make([]float64, len(cs))
	for i, c := range cs {
		if c.Reference == nil {
			return nil, false
		}
		out[i] = *c.Reference
	}
	return out, true
}

// preferenceStep is what the micro-batches of a step share.
type preferenceStep struct {
	*Preferences
	pairs bool // units are pairs, else completions
	parts []*preferenceMicro

	ready    bool
	baseline float64
}

// preferenceMicro is one of them.
type preferenceMicro struct {
	*preferenceStep
	*judged
	ahead     []float64 // derivatives, where a loss compares all pairs of a step of several
	lossAhead float64   // then
}

// Size is the number of pairs (of completions, where the losses take thumbs) and
// the places that the policy computes.
func (m *preferenceMicro) Size() (units, places int) {
	if m.pairs {
		return len(m.preferred), m.places()
	}
	return len(m.all), m.places()
}

// Forward computes the policy's log-probabilities, the losses of whole answers,
// and from their derivatives the gradient.
func (m *preferenceMicro) Forward(p *op.Pass, f train.Forward) float64 {
	m.prepare()
	h := m.hidden(p, m.Policy, f.Input(m.judged.batch))
	w, limit := m.Policy.Unembedding(), m.Policy.Dims().LogitCap
	v := m.judge(m.sums(op.LogProbs(p, h, w, m.targets, limit)))
	weights := m.spread(v.grad)
	for i := range weights {
		weights[i] = -weights[i] // cross-entropy is the negative log-probability
	}
	op.Loss(p, h, w, m.targets, op.CrossEntropy{Scale: f.Scale, Weights: weights, LogitCap: limit})
	v.note(f.Note)
	return v.loss
}

// judge is evaluate for one micro-batch, which may know derivatives already.
func (m *preferenceMicro) judge(policy []float64) *verdicts {
	v := m.evaluate(m.judged, policy)
	if m.ahead != nil {
		v.grad, v.loss = m.ahead, m.lossAhead
	}
	return v
}

// prepare computes, once in a step, what needs all of its preferences.
func (s *preferenceStep) prepare() {
	if s.ready {
		return
	}
	s.ready = true
	if s.needs(needsBaseline) {
		var others []Completion
		for _, m := range s.parts {
			for _, p := range m.preferred {
				others = append(others, p.Others...)
			}
		}
		s.baseline = objective.Baseline(s.Scorer.LogProbs(others, s.Row, s.Places), s.references(others))
	}
	if len(s.parts) > 1 && s.needs(func(m objective.PreferenceMethod) bool { return m.Batch }) {
		s.prepareAll()
	}
}

// prepareAll takes the derivatives of a step's losses before its first gradient,
// for losses that compare all of its pairs.
func (s *preferenceStep) prepareAll() {
	all := &judged{}
	var policy []float64
	for _, m := range s.parts {
		policy = append(policy, m.sums(s.Scorer.rows(m.laid))...)
		all.all = append(all.all, m.all...)
		all.good = append(all.good, m.good...)
		all.preferred = append(all.preferred, m.preferred...)
		if m.reference == nil {
			m.reference = s.referencesOf(m.judged)
		}
		all.reference = append(all.reference, m.reference...)
	}
	v := s.evaluate(all, policy)
	for _, m := range s.parts {
		n := len(m.all)
		m.ahead = v.grad[:n:n]
		for _, x := range v.losses[:n] {
			m.lossAhead += x
		}
		v.grad, v.losses = v.grad[n:], v.losses[n:]
	}
}

// references are the log-probabilities of completions under the reference, nil
// where no loss has one.
func (s *preferenceStep) references(cs []Completion) []float64 {
	if !s.needs(needsReference) {
		return nil
	}
	if x, ok := known(cs); ok {
		return x
	}
	return s.Reference.LogProbs(cs, s.Row, s.Places)
}

// referencesOf is references for a batch that is laid out.
func (s *preferenceStep) referencesOf(j *judged) []float64 {
	if !s.needs(needsReference) {
		return nil
	}
	if x, ok := known(j.all); ok {
		return x
	}
	return j.sums(s.Reference.rows(j.laid))
}

// evaluate computes the losses of preferences whose completions have the given
// log-probabilities under the policy.
func (s *preferenceStep) evaluate(j *judged, policy []float64) *verdicts {
	if j.reference == nil {
		j.reference = s.referencesOf(j)
	}
	v := &verdicts{judged: j, policy: policy, grad: make([]float64, len(policy)), losses: make([]float64, len(policy))}
	for i, l := range s.Losses {
		var loss, reward, grad []float64
		if l.Unpaired {
			loss, reward, grad = j.unpaired(l, policy, s.baseline)
		} else {
			loss, reward, grad = j.paired(l, policy, s.baseline)
		}
		if i == 0 {
			v.rewards = reward
		}
		for k := range policy {
			v.losses[k] += l.Weight * loss[k]
			v.loss += l.Weight * loss[k]
			v.grad[k] += l.Weight * grad[k]
		}
	}
	return v
}

// unpaired are loss, reward and derivative of each completion.
func (j *judged) unpaired(l WeightedLoss, policy []float64, baseline float64) (loss, reward, grad []float64) {
	c := l.Completions(objective.Completions{
		Policy: policy, Reference: j.reference, Length: j.lengths(), Good: j.good, Baseline: baseline,
	})
	return c.Loss, c.Reward, c.Grad
}

// paired is unpaired for a loss of pairs, whose loss stands with the chosen one.
func (j *judged) paired(l WeightedLoss, policy []float64, baseline float64) (loss, reward, grad []float64) {
	lengths := j.lengths()
	var p objective.Pairs
	for i := 0; i < len(policy); i += 2 {
		p.Chosen, p.Rejected = append(p.Chosen, policy[i]), append(p.Rejected, policy[i+1])
		p.ChosenLength, p.RejectedLength = append(p.ChosenLength, lengths[i]), append(p.RejectedLength, lengths[i+1])
		if j.reference != nil {
			p.RefChosen, p.RefRejected = append(p.RefChosen, j.reference[i]), append(p.RefRejected, j.reference[i+1])
		}
	}
	p.Baseline = baseline
	x := l.Pairs(p)
	n := len(policy)
	loss, reward, grad = make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range x.Loss {
		loss[2*i] = x.Loss[i]
		reward[2*i], reward[2*i+1] = x.Chosen[i], x.Rejected[i]
		grad[2*i], grad[2*i+1] = x.GradChosen[i], x.GradRejected[i]
	}
	return loss, reward, grad
}

// lengths are the trained ids of each completion.
func (j *judged) lengths() []int {
	n := make([]int, len(j.all))
	for i, c := range j.all {
		n[i] = c.Length()
	}
	return n
}
