package posttrain

import (
	"context"
	"fmt"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/objective"
)

// PolicyOptions are what the weights depend on, besides models, prompts, rewards
// and the options of training. DefaultPolicy gives those of a method.
type PolicyOptions struct {
	Method string `json:"method"` // a name of objective.PolicyMethods

	Rollout     int `json:"rollout"`     // prompts of a rollout
	Completions int `json:"completions"` // of each prompt
	MaxTokens   int `json:"max_tokens"`  // of a completion
	// Temperature divides the logits of policy and reference, in rollouts and in
	// losses: the policy is what is sampled from. TopK and TopP, 0 for none, leave
	// ids out in rollouts alone; losses do not see that.
	Temperature float64 `json:"temperature"`
	TopK        int     `json:"top_k,omitempty"`
	TopP        float64 `json:"top_p,omitempty"`

	Epochs      int     `json:"epochs"`            // readings of a rollout
	Minibatches int     `json:"minibatches"`       // optimizer steps of a reading
	Places      int     `json:"places"`            // of a micro-batch, at most; it changes no more than rounding
	StopKL      float64 `json:"stop_kl,omitempty"` // ends the readings of a rollout when the policy has moved by so many nats a token; 0: never
	MaxSkipped  float64 `json:"max_skipped"`       // share of a rollout that may lack a reward
	EndPenalty  float64 `json:"end_penalty"`       // subtracted from the score of a completion without an end token
	Seed        uint64  `json:"seed"`              // of the order and of the samples

	Clip      objective.Clip       `json:"clip"`
	KL        objective.Controller `json:"kl"`           // divergence from the reference
	Estimator string               `json:"kl_estimator"` // a name of objective.Estimators

	ValueClip     float64 `json:"value_clip"`     // of a critic; 0: none
	ValueCoef     float64 `json:"value_coef"`     // of its loss
	Gamma         float64 `json:"gamma"`          // discount
	Lambda        float64 `json:"lambda"`         // of GAE
	WhitenRewards bool    `json:"whiten_rewards"` // of a critic: rewards of tokens to unit variance
	Whiten        bool    `json:"whiten"`         // of a critic: advantages to mean 0 and unit variance

}

// DefaultPolicy is the published options of a method; readings of a rollout, clipping of values, gamma and lambda
// are those of TRL.
func DefaultPolicy(method string) (PolicyOptions, error) {
	m, err := objective.NamedPolicyMethod(method)
	if err != nil {
		return PolicyOptions{}, err
	}
	o := PolicyOptions{
		Method: method, Rollout: 64, Completions: 1, MaxTokens: 128, Temperature: 1,
		Epochs: 1, Minibatches: 1, Places: 16384, MaxSkipped: 0.5, Seed: 1,
		Clip: m.Clip, KL: objective.Controller{Coef: m.KL}, Estimator: "k3",
		ValueClip: 0.2, ValueCoef: 0.1, Gamma: 1, Lambda: 0.95, Whiten: true,
	}
	if m.Group {
		o.Rollout, o.Completions = 16, 8
	}
	if m.InReward {
		o.Estimator = "k1"
	}
	if m.Critic {
		o.Epochs = 4
	}
	return o, nil
}

// Validate names the first impossible option.
func (o *PolicyOptions) Validate() error {
	m, err := objective.NamedPolicyMethod(o.Method)
	if err != nil {
		return err
	}
	e, err := objective.NamedEstimator(o.Estimator)
	if err != nil {
		return err
	}
	switch {
	case o.Rollout < 1 || o.Completions < 1 || o.MaxTokens < 1:
		return fmt.Errorf("a rollout of %d prompts with %d completions of %d tokens: each must be at least 1", o.Rollout, o.Completions, o.MaxTokens)
	case m.Group && o.Completions < 2:
		return fmt.Errorf("%s compares the completions of a prompt: it needs 2 at least, not %d", o.Method, o.Completions)
	case o.Epochs < 1 || o.Minibatches < 1:
		return fmt.Errorf("%d readings in %d minibatches: each must be at least 1", o.Epochs, o.Minibatches)
	case o.Minibatches > o.Rollout*o.Completions:
		return fmt.Errorf("%d minibatches of %d completions: each needs one", o.Minibatches, o.Rollout*o.Completions)
	case !(o.Temperature > 0):
		return fmt.Errorf("a temperature of %g: a policy that learns must be sampled from, give more than 0", o.Temperature)
	case o.Places < 1:
		return fmt.Errorf("micro-batches of %d places: they must be positive", o.Places)
	case m.InReward && e == objective.K2:
		return fmt.Errorf("%s has the divergence in the reward, where k2 is no estimate without bias: give k1 or k3", o.Method)
	case !(o.MaxSkipped >= 0 && o.MaxSkipped < 1):
		return fmt.Errorf("a share of %g of a rollout without reward: it must lie in [0, 1)", o.MaxSkipped)
	case o.EndPenalty < 0 || o.StopKL < 0 || o.ValueClip < 0 || o.ValueCoef < 0:
		return fmt.Errorf("end penalty %g, divergence to stop at %g, value clip %g, value coefficient %g: none may be negative", o.EndPenalty, o.StopKL, o.ValueClip, o.ValueCoef)
	case !(o.Gamma >= 0 && o.Gamma <= 1) || !(o.Lambda >= 0 && o.Lambda <= 1):
		return fmt.Errorf("gamma %g and lambda %g: both must lie in [0, 1]", o.Gamma, o.Lambda)
	}
	s := o.sampling()
	if err := s.Validate(); err != nil {
		return err
	}
	if err := o.Clip.Validate(); err != nil {
		return err
	}
	return o.KL.Validate()
}

// Value estimates the reward that is to come from hidden states: those of the
// policy (Model nil), or of a model of its own.
type Value struct {
	Model model.Model
	Head  *model.Head
}

// NewValue is a head over the policy's own hidden states, 0 everywhere.
func NewValue(b tensor.Backend, policy model.Model) *Value {
	return &Value{Head: model.NewHead(b, policy, 1)}
}

// NewValueModel is a model of its own with its head, which may have learned
// rewards. Its parameters are renamed, since a checkpoint has the policy's beside
// them.
func NewValueModel(m model.Model, head *model.Head) *Value {
	v := &Value{Model: m, Head: head}
	for _, w := range v.params() {
		w.Name = "value." + w.Name
	}
	return v
}

func (v *Value) params() []*op.Param {
	if v.Model == nil {
		return v.Head.Params()
	}
	return append(append([]*op.Param(nil), v.Model.Params()...), v.Head.Params()...)
}

// Policy is one run of a method that learns from what it samples: PPO, GRPO and
// their kin (objective.PolicyMethods).
type Policy struct {
	PolicyOptions
	Dir       string         // state, rollouts and metrics
	Base      *bundle.Bundle // the policy; its weights are changed
	Reference Reference      // what KL is measured from; the zero value is for a KL coefficient of 0
	Value     *Value         // of a method with a critic
	Prompts   []Prompt
	Rewards   []Term

	Watch func(part string, done, total int) // within rollouts and rewards; nil: none
	Now   func() time.Time                   // nil: time.Now; for the figures of time alone
}

// Reference is the policy before training: a frozen copy, or the model whose
// adapters Off switches off and on again.
type Reference struct {
	Model model.Model
	Off   func(off bool)
}

// policyRun is a Policy at work.
type policyRun struct {
	*Policy
	method    objective.PolicyMethod
	estimator objective.Estimator
	b         tensor.Backend
	stops     []int32

	now    *Rollout                // that is learned from
	moved  average                 // nats a token that the policy had moved by at the last step
	saving float64                 // seconds since the last rollout
	made   int                     // completions of this process
	since  func() float64          // seconds since it began
	order  func(rollout int) []int // the numbers of a rollout's prompts: every reading of all takes each once
}

// Job is the run as the training loop takes it: what a Job needs besides Out, an
// Adapter, the options of training and how progress is shown.
func (p *Policy) Job(ctx context.Context, b tensor.Backend) (Job, error) {
	r, err := p.prepare(b)
	if err != nil {
		return Job{}, err
	}
	j := Job{
		Dir: p.Dir, Base: p.Base, Context: p.MaxTokens, Every: p.Epochs * p.Minibatches,
		Source: func(step int) ([]train.Micro, error) { return r.source(ctx, step) },
		Saved: func(_ int, took time.Duration) error {
			r.saving += took.Seconds()
			if r.now == nil {
				return nil
			}
			return forgetRollouts(p.Dir, r.now.Number)
		},
	}
	if r.method.Critic {
		j.More = p.Value.params()
	}
	return j, nil
}

// prepare checks that everything is there.
func (p *Policy) prepare(b tensor.Backend) (*policyRun, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	r := &policyRun{Policy: p, b: b, stops: p.Base.Stops()}
	r.method, _ = objective.NamedPolicyMethod(p.Method)
	r.estimator, _ = objective.NamedEstimator(p.Estimator)
	began, now := 0.0, r.clock()
	r.since = func() float64 { began += now(); return began }
	context := p.Base.Model.Dims().Context
	switch {
	case len(p.Prompts) == 0:
		return nil, fmt.Errorf("there are no prompts to learn from")
	case len(p.Rewards) == 0:
		return nil, fmt.Errorf("there is no reward to learn from")
	case p.KL.Coef > 0 && !p.Reference.known():
		return nil, fmt.Errorf("a KL coefficient of %g needs a reference", p.KL.Coef)
	case r.method.Critic && p.Value == nil:
		return nil, fmt.Errorf("%s needs a value head", p.Method)
	}
	for i, q := range p.Prompts {
		if len(q.IDs) == 0 || len(q.IDs)+p.MaxTokens > context {
			return nil, fmt.Errorf("prompt %d has %d tokens: with completions of %d it must fit the context of %d, and must not be empty", i, len(q.IDs), p.MaxTokens, context)
		}
	}
	numbers := make([]int, len(p.Prompts))
	for i := range numbers {
		numbers[i] = i
	}
	r.order = Order(numbers, p.Rollout, p.Seed)
	return r, nil
}

func (r Reference) known() bool { return r.Model != nil || r.Off != nil }

// source is the micro-batches of a step. Steps go through the minibatches of the
// readings of a rollout, then comes the next.
func (p *policyRun) source(ctx context.Context, step int) ([]train.Micro, error) {
	if p.now == nil {
		var err error
		if p.now, err = covering(p.Dir, step); err != nil {
			return nil, err
		}
		if p.now != nil {
			if p.moved, err = p.movedAt(step); err != nil {
				return nil, err
			}
			if err := p.fits(p.now); err != nil {
				return nil, err
			}
			p.learn(p.now)
		}
	}
	if p.now == nil || p.over(step) {
		if err := p.advance(ctx, step); err != nil {
			return nil, err
		}
	}
	p.moved = average{}
	return p.micro(p.now, step-p.now.Step), nil
}

// over says that no step is left of the rollout.
func (p *policyRun) over(step int) bool {
	done := step - p.now.Step
	return done >= p.Epochs*p.Minibatches || p.StopKL > 0 && done > 0 && !(p.moved.mean() <= p.StopKL) // the log has a bound for NaN
}

// movedAt reads from the log how far the policy had moved at a step.
func (p *policyRun) movedAt(step int) (average, error) {
	log, err := train.ReadMetrics(metricsPath(p.Dir))
	if err != nil || step == 0 {
		return average{}, nil
	}
	for _, m := range log {
		if m.Step == step {
			return average{m.Extra[ApproxKL], 1}, nil
		}
	}
	return average{}, fmt.Errorf("%s lacks step %d, which the checkpoint has: begin again in another --out", metricsPath(p.Dir), step)
}

// fits says whether a rollout that was read is one of this run.
func (p *policyRun) fits(r *Rollout) error {
	wrong := func(what string, args ...any) error {
		return fmt.Errorf("%s: %s: it is of another run, begin again in another --out", rolloutPath(p.Dir, r.Number), fmt.Sprintf(what, args...))
	}
	if len(r.Samples) != p.Rollout*p.Completions {
		return wrong("%d samples, not %d", len(r.Samples), p.Rollout*p.Completions)
	}
	vocab := int32(p.Base.Model.Dims().Vocab)
	for i, s := range r.Samples {
		n := len(s.IDs)
		switch {
		case s.Prompt < 0 || s.Prompt >= len(p.Prompts):
			return wrong("sample %d answers prompt %d of %d", i, s.Prompt, len(p.Prompts))
		case n == 0 || n > p.MaxTokens || len(s.Parts) != len(p.Rewards):
			return wrong("sample %d has %d tokens and %d rewards", i, n, len(s.Parts))
		case len(s.LogProbs) != n || p.Reference.known() != (len(s.Reference) == n) || p.method.Critic != (len(s.Values) == n):
			return wrong("sample %d: its tokens and numbers are not as many", i)
		}
		for _, id := range s.IDs {
			if id < 0 || id >= vocab {
				return wrong("sample %d has id %d, the vocabulary %d", i, id, vocab)
			}
		}
	}
	return nil
}

// average is a mean in the making.
type average struct {
	sum float64
	n   int
}

func (a average) mean() float64 { return a.sum / float64(max(1, a.n)) }

// advance makes the next rollout, or reads it where a run that was stopped had
// made it.
func (p *policyRun) advance(ctx context.Context, step int) error {
	number, state := 0, State{KL: p.KL}
	if p.now != nil {
		number, state = p.now.Number+1, p.next(p.now)
	}
	r, err := ReadRollout(p.Dir, number)
	if err != nil {
		return err
	}
	if r != nil && (r.Step != step || r.State != state) {
		return fmt.Errorf("%s is of step %d, this run is at %d: it is of another run, begin again in another --out", rolloutPath(p.Dir, number), r.Step, step)
	}
	if r == nil {
		r = &Rollout{Number: number, Step: step, State: state}
		if err := p.make(ctx, r); err != nil {
			return err
		}
	}
	if err := p.fits(r); err != nil {
		return err
	}
	p.learn(r)
	p.now = r
	return nil
}

// make samples, scores and writes a rollout.
func (p *policyRun) make(ctx context.Context, r *Rollout) (err error) {
	clock := p.clock()
	var engine [][]float64
	if r.Samples, engine, err = p.draw(ctx, p.b, r.Number); err != nil {
		return err
	}
	drawn := clock()
	if err := p.reward(ctx, r); err != nil {
		return fmt.Errorf("rollout %d: %w", r.Number, err)
	}
	rewarded := clock()
	if err := p.score(ctx, r); err != nil {
		return err
	}
	r.Gap = gap(r.Samples, engine, p.Temperature)
	scored := clock()
	if err := atomicfile.WriteJSON(rolloutPath(p.Dir, r.Number), r); err != nil {
		return err
	}
	written := clock()
	r.took = map[string]float64{
		TimeRollouts: drawn, TimeRewards: rewarded, TimeReference: scored, TimeSaving: written + p.saving,
		TimeBefore: drawn + rewarded + scored + written, EPS: p.rate(r),
	}
	p.saving = 0
	return nil
}

// clock returns a function that gives the seconds since it was asked last.
func (p *policyRun) clock() func() float64 {
	now := p.Now
	if now == nil {
		now = time.Now
	}
	last := now()
	return func() float64 {
		t := now()
		d := t.Sub(last).Seconds()
		last = t
		return d
	}
}

func (p *policyRun) tell(part string, done, total int) {
	if p.Watch != nil {
		p.Watch(part, done, total)
	}
}

// rate is the completions a second that this process made, up to and with r.
func (p *policyRun) rate(r *Rollout) float64 {
	p.made += len(r.Samples)
	return float64(p.made) / max(1e-9, p.since())
}
