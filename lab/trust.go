package lab

import (
	"context"
	"errors"
	"fmt"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate/trust"
	"github.com/foundling-lm/foundling/tensor"
)

// TrustOptions of the experiment; zero fields are the defaults.
type TrustOptions struct {
	Subjects int    // that the model learns about; 0: 400
	Samples  int    // other answers to each question; 0: 10
	Steps    int    // of training; 0: 1500
	Data     string // folder of sets of real answers; "": none
	Seed     uint64
}

func (o *TrustOptions) defaults() {
	for _, f := range []struct {
		x   *int
		def int
	}{{&o.Subjects, 400}, {&o.Samples, 10}, {&o.Steps, 1500}} {
		if *f.x == 0 {
			*f.x = f.def
		}
	}
}

// Validate names the first impossible option.
func (o TrustOptions) Validate() error {
	o.defaults()
	switch {
	case o.Subjects < 20 || o.Subjects > 10000:
		return fmt.Errorf("%d subjects: there must be 20 to 10000", o.Subjects)
	case o.Samples < 1 || o.Samples > MaxAnswers:
		return fmt.Errorf("%d samples: there must be 1 to %d", o.Samples, MaxAnswers)
	case o.Steps < 1:
		return errors.New("the steps of training must be at least 1")
	}
	return nil
}

// Detector is how well one figure finds wrong answers.
type Detector struct {
	Name  string        `json:"name"`
	AUROC eval.Interval `json:"auroc"` // wrong against right
	// Honest is AUROC without the questions about which the training data is wrong;
	// nil outside the constructed world.
	Honest *eval.Interval `json:"auroc_without_mistakes,omitempty"`
	Area   float64        `json:"risk_coverage_area"`
	Best   float64        `json:"least_area"`
	Half   float64        `json:"risk_at_half"` // share of wrong among the half that is trusted most
	// Curve is pairs of coverage and risk.
	Curve [][2]float64 `json:"curve"`
}

// curvePoints is how many points of a curve are kept.
const curvePoints = 50

// newDetector measures; there is at least one answer.
func newDetector(name string, distrust []float64, wrong []bool) Detector {
	s, n := eval.RiskCoverage(distrust, wrong), len(wrong)
	d := Detector{Name: name, AUROC: eval.AUROC(distrust, wrong), Area: s.Area, Best: s.Best, Half: s.Risk[(n-1)/2]}
	for i := range curvePoints {
		if k := (i + 1) * n / curvePoints; k > 0 {
			d.Curve = append(d.Curve, [2]float64{float64(k) / float64(n), s.Risk[k-1]})
		}
	}
	return d
}

// Outcome is what a policy did with answers.
type Outcome struct {
	Action trust.Action  `json:"action"`
	Share  float64       `json:"share"` // of all questions
	Right  eval.Interval `json:"right"` // of the answers, also of those that were not given
}

// TrustResult is the experiment's.
type TrustResult struct {
	Subjects int           `json:"subjects"`
	Samples  int           `json:"samples"`
	Params   int           `json:"params"`
	Right    eval.Interval `json:"right"`    // of the model's answers
	Expected float64       `json:"expected"` // by the training data
	// Ceiling is the AUROC of the exact probability of an answer in the training data,
	// in expectation over answers drawn from it.
	Ceiling   float64    `json:"exact_auroc"`
	Malformed int        `json:"malformed"` // answers that name nothing
	Detectors []Detector `json:"detectors"`
	Limits    []Limits   `json:"limits"`
	Again     int        `json:"regenerated"`
	Policy    []Outcome  `json:"policy"`
	Sets      []TrustSet `json:"sets"` // real ones
}

// Trust measures detectors of wrong answers where the truth is known: on a small
// model that learned facts which its data tells surely, doubtfully, not at all, or
// wrongly, and on real answers that people judged, as far as texts and probabilities
// are enough. Progress may be nil.
func Trust(ctx context.Context, b tensor.Backend, o TrustOptions, progress func(done, total int)) (*TrustResult, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.defaults()
	r := &TrustResult{Subjects: o.Subjects, Samples: o.Samples}
	var err error
	if o.Data != "" {
		if r.Sets, err = trustSets(o.Data); err != nil {
			return nil, err
		}
	}
	w := newTrustWorld(o.Subjects, o.Seed)
	m, err := w.train(ctx, b, o, progress)
	if err != nil {
		return nil, err
	}
	defer m.close()
	r.Params = m.params
	said, err := m.ask(ctx, o)
	if err != nil {
		return nil, err
	}
	r.Expected, r.Ceiling = w.expected()
	r.measure(w, said)
	r.limits(w, said)
	r.apply(said)
	return r, nil
}

// worldSignals are the figures of trust.Confidence that are measured in the world.
var worldSignals = []struct {
	name   string
	signal trust.Signal
}{
	{"token entropy", trust.TokenEntropy}, {"mean log-probability", trust.MeanLogProb}, {"P(True)", trust.Truth},
	{"agreement", trust.Consistency}, {"semantic entropy, equal answers", trust.MeaningEntropy},
	{"SelfCheck, overlap", trust.Inconsistency}, {"SelfCheck, words", trust.MeanUnusualness}, {"grounding in a context", trust.LeastGrounding},
}

// measure fills in the detectors.
func (r *TrustResult) measure(w *trustWorld, said []reply) {
	var wrong, mistaken []bool
	right := 0
	for _, a := range said {
		wrong = append(wrong, !a.right)
		mistaken = append(mistaken, w.facts[a.subject].kind == mistake)
		if a.right {
			right++
		}
		if a.answer < 0 {
			r.Malformed++
		}
	}
	r.Right = eval.Wilson(right, len(said), eval.Z95)
	add := func(name string, distrust func(a *reply) float64) {
		var all, some []float64
		var honest []bool
		for i := range said {
			all = append(all, distrust(&said[i]))
			if !mistaken[i] {
				some, honest = append(some, all[i]), append(honest, wrong[i])
			}
		}
		d := newDetector(name, all, wrong)
		x := eval.AUROC(some, honest)
		d.Honest = &x
		r.Detectors = append(r.Detectors, d)
	}
	add("exact probability, for comparison", func(a *reply) float64 { return -w.share(a.subject, a.answer) })
	for _, s := range worldSignals {
		add(s.name, func(a *reply) float64 {
			x, _ := a.confidence[0].Distrust(s.signal)
			return x
		})
	}
	add("semantic entropy, overlap", func(a *reply) float64 { return a.overlap })
}

// trustPolicy is tried on the world: the default by the agreement with the other answers.
func trustPolicy() trust.Policy {
	l, _ := trust.DefaultLimit(trust.Consistency)
	return trust.Policy{Limits: []trust.Limit{l}, Tries: 1}
}

// apply decides every answer by the policy; one that is asked for again is the next
// of the samples.
func (r *TrustResult) apply(said []reply) {
	policy := trustPolicy()
	count, right := map[trust.Action]int{}, map[trust.Action]int{}
	for i := range said {
		a := &said[i]
		d := policy.Decide(&a.confidence[0], 0)
		good := a.right
		if d.Action == trust.Regenerate {
			r.Again++
			d, good = policy.Decide(&a.confidence[1], 1), a.rightAgain
		}
		count[d.Action]++
		if good {
			right[d.Action]++
		}
	}
	for _, x := range []trust.Action{trust.Answer, trust.Warn, trust.Abstain} {
		r.Policy = append(r.Policy, Outcome{x, float64(count[x]) / float64(len(said)), eval.Wilson(right[x], count[x], eval.Z95)})
	}
}
