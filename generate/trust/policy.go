package trust

import (
	"fmt"
	"math"
)

// Action is what to do with an answer.
type Action string

// The actions.
const (
	Answer     Action = "answer"
	Warn       Action = "warn"       // answer, and say that it may be wrong
	Abstain    Action = "abstain"    // say "I don't know" instead
	Regenerate Action = "regenerate" // ask again
)

// Limit is where one signal becomes bad, in its own unit: at least Warn is trusted, or
// at most, where more of the signal is worse; beyond Abstain the answer is not given.
type Limit struct {
	Signal  Signal  `json:"signal"`
	Warn    float64 `json:"warn"`
	Abstain float64 `json:"abstain"`
}

// defaults are the limits that foundling lab trust finds in its world, rounded, towards
// caution where there is a gap.
var defaults = map[Signal]Limit{
	Consistency:    {Consistency, 0.5, 0.25},
	Truth:          {Truth, 0.5, 0.2},
	MeaningEntropy: {MeaningEntropy, 0.2, 0.7},
}

// DefaultLimit is where a signal becomes bad if nothing better is known: where answers
// of a small model whose facts are known were rarely wrong (Warn) and mostly wrong
// (Abstain). A model, a task or longer answers may have other limits: calibrate. Signals
// that depend on the words of an answer, and not on its meaning alone, have no default.
func DefaultLimit(s Signal) (l Limit, ok bool) {
	l, ok = defaults[s]
	return l, ok
}

// Policy makes actions of signals. The zero value answers always.
type Policy struct {
	Limits []Limit `json:"limits"`
	Tries  int     `json:"tries"` // answers asked for again before abstaining
}

// Validate names the first impossible field.
func (p Policy) Validate() error {
	if p.Tries < 0 {
		return fmt.Errorf("tries is %d: it must be at least 0", p.Tries)
	}
	for i, l := range p.Limits {
		up, ok := rising[l.Signal]
		switch {
		case !ok:
			return fmt.Errorf("limit %d: there is no signal %q", i+1, l.Signal)
		case math.IsNaN(l.Warn) || math.IsNaN(l.Abstain):
			return fmt.Errorf("limit %d: warn and abstain of %s must be numbers", i+1, l.Signal)
		case up && l.Abstain > l.Warn:
			return fmt.Errorf("limit %d: abstain is %g: more of %s is better, so it must be at most warn, %g", i+1, l.Abstain, l.Signal, l.Warn)
		case !up && l.Abstain < l.Warn:
			return fmt.Errorf("limit %d: abstain is %g: more of %s is worse, so it must be at least warn, %g", i+1, l.Abstain, l.Signal, l.Warn)
		}
	}
	return nil
}

// Decision is an action with a reason for each limit that was passed.
type Decision struct {
	Action  Action   `json:"action"`
	Reasons []string `json:"reasons,omitempty"`
}

// Decide applies a valid policy to the answer that was asked for again so many times.
// A signal that was not measured, or is no number, warns.
func (p Policy) Decide(c *Confidence, again int) Decision {
	d := Decision{Action: Answer}
	for _, l := range p.Limits {
		x, ok := c.Value(l.Signal)
		side := "above"
		if rising[l.Signal] {
			side = "below"
		}
		worse := func(limit float64) bool { return rising[l.Signal] && x < limit || !rising[l.Signal] && x > limit }
		switch {
		case !ok || math.IsNaN(x):
			d.Reasons = append(d.Reasons, fmt.Sprintf("%s was not measured", l.Signal))
		case worse(l.Abstain):
			d.Action = Abstain
			d.Reasons = append(d.Reasons, fmt.Sprintf("%s is %.3g, %s %g", l.Signal, x, side, l.Abstain))
			continue
		case worse(l.Warn):
			d.Reasons = append(d.Reasons, fmt.Sprintf("%s is %.3g, %s %g", l.Signal, x, side, l.Warn))
		default:
			continue
		}
		if d.Action == Answer {
			d.Action = Warn
		}
	}
	if d.Action == Abstain && again < p.Tries {
		d.Action = Regenerate
	}
	return d
}
