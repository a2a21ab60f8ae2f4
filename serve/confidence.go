package serve

import (
	"fmt"
	"math"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/generate/trust"
)

// judging is the fields by which texts are judged before they are shown.
type judging struct {
	Confidence *confidence `json:"confidence"` // what is measured of each text
	Policy     *policy     `json:"policy"`     // what becomes of texts that are little trusted
	Preset     string      `json:"preset"`     // words put before the conversation or prompt
}

// confidence is true, for all that can be measured, a list of signals, or an object.
type confidence struct {
	Signals     []trust.Signal `json:"signals"`     // empty: all that can be measured
	Samples     *int           `json:"samples"`     // other texts that are drawn for comparison; nil: 5
	Temperature *float64       `json:"temperature"` // of these; nil: the request's, 1 where that is 0
	Overlap     *float64       `json:"overlap"`     // share of words from which on texts say the same; nil: 0.9
	Context     string         `json:"context"`     // text that grounding looks for claims in
	off         bool
}

// UnmarshalJSON reads true, false, a list or an object.
func (c *confidence) UnmarshalJSON(data []byte) error {
	switch kind := jsontext.Value(data).Kind(); kind {
	case 't':
		return nil
	case 'f':
		c.off = true
		return nil
	case '[':
		return unmarshal(data, &c.Signals)
	case '{':
		type plain confidence
		return unmarshal(data, (*plain)(c))
	default:
		return needed("", "true, false, a list of signals or an object", kind)
	}
}

// Bounds and defaults of what is drawn for comparison.
const (
	defaultSamples = 5
	maxSamples     = 32
	defaultOverlap = 0.9
)

// sampled are the signals that compare a text with others.
var sampled = []trust.Signal{trust.Consistency, trust.MeaningEntropy, trust.Inconsistency, trust.MeanUnusualness}

// fromTokens are the signals of the probabilities of a text's tokens.
var fromTokens = []trust.Signal{trust.TokenEntropy, trust.MeanLogProb, trust.Perplexity}

// judge is the fields of a request, resolved.
type judge struct {
	signals     []trust.Signal
	samples     int     // 0: none are needed
	temperature float64 // of samples where the request's is 0, or where it is given
	given       bool    // temperature was
	overlap     float64
	context     string
	policy      trust.Policy
	say         string // in place of a text that is not shown
	acts        bool   // a policy was asked for
}

// judge is nil where a request asks for nothing of it.
func (f *judging) judge() (*judge, error) {
	c := f.Confidence
	if c != nil && c.off {
		c = nil
	}
	if c == nil && f.Policy == nil {
		return nil, nil
	}
	j := &judge{temperature: 1, overlap: defaultOverlap, acts: f.Policy != nil}
	if c != nil {
		if err := c.check(); err != nil {
			return nil, err
		}
		j.signals, j.context = c.Signals, c.Context
		if len(j.signals) == 0 {
			j.signals = slices.Concat(fromTokens, []trust.Signal{trust.Truth}, sampled)
			if c.Context != "" {
				j.signals = append(j.signals, trust.LeastGrounding)
			}
		}
		if c.Temperature != nil {
			j.temperature, j.given = *c.Temperature, true
		}
		if c.Overlap != nil {
			j.overlap = *c.Overlap
		}
	}
	if j.acts {
		var err error
		if j.policy, j.say, err = f.Policy.resolve(c); err != nil {
			return nil, err
		}
		for _, l := range j.policy.Limits {
			if !slices.Contains(j.signals, l.Signal) {
				j.signals = append(j.signals, l.Signal)
			}
		}
	}
	if j.needs(trust.LeastGrounding) && j.context == "" {
		return nil, wrong("confidence.context", "grounding looks for claims in a text: give it")
	}
	if j.needs(sampled...) || j.needs(trust.Truth) {
		j.samples = defaultSamples
		if c != nil && c.Samples != nil {
			j.samples = *c.Samples
		}
		if j.samples == 0 && j.needs(sampled...) {
			return nil, wrong("confidence.samples", fmt.Sprintf("signals such as %s compare a text with others: draw 1 or more", sampled[0]))
		}
	}
	return j, nil
}

// needs says whether one of the signals is measured.
func (j *judge) needs(signals ...trust.Signal) bool {
	return slices.ContainsFunc(signals, func(s trust.Signal) bool { return slices.Contains(j.signals, s) })
}

func (c *confidence) check() error {
	for i, s := range c.Signals {
		if !slices.Contains(trust.Signals(), s) {
			return wrong(fmt.Sprintf("confidence.signals[%d]", i), fmt.Sprintf("there is no signal %q, but %s", s, commas(trust.Signals())))
		}
	}
	if c.Samples != nil && (*c.Samples < 0 || *c.Samples > maxSamples) {
		return wrong("confidence.samples", fmt.Sprintf("%d lies outside 0 to %d", *c.Samples, maxSamples))
	}
	if t := c.Temperature; t != nil && !(*t > 0 && *t <= 2) {
		return wrong("confidence.temperature", fmt.Sprintf("%v lies outside 0 to 2, or is 0: equal texts say nothing", *t))
	}
	if o := c.Overlap; o != nil && !(*o > 0 && *o <= 1) {
		return wrong("confidence.overlap", fmt.Sprintf("%v lies outside 0 to 1, or is 0", *o))
	}
	return nil
}

// policy is the name of an action, for the default limits, or an object.
type policy struct {
	Action trust.Action `json:"action"` // the most that is done; "": regenerate with tries, else abstain
	Limits []limit      `json:"limits"` // empty: the defaults of the signals measured, of agreement if none were named
	Tries  *int         `json:"tries"`  // texts written again before abstaining; nil: 2 for regenerate
	Say    *string      `json:"say"`    // in place of a text that is not shown
}

// limit is a trust.Limit, whose bounds have defaults.
type limit struct {
	Signal  trust.Signal `json:"signal"`
	Warn    *float64     `json:"warn"`
	Abstain *float64     `json:"abstain"`
}

// UnmarshalJSON reads a name or an object.
func (p *policy) UnmarshalJSON(data []byte) error {
	type plain policy
	return nameOr(data, &p.Action, (*plain)(p))
}

// DontKnow is what is said in place of a text that is not trusted.
const DontKnow = "I don't know."

const (
	defaultTries = 2
	maxTries     = 8
)

// resolve is the policy as the library has it, with what is said where it abstains.
func (p *policy) resolve(c *confidence) (out trust.Policy, say string, err error) {
	action := p.Action
	if action == "" {
		action = trust.Abstain
		if p.Tries != nil && *p.Tries > 0 {
			action = trust.Regenerate
		}
	}
	switch action {
	case trust.Answer, trust.Warn, trust.Abstain:
		if p.Tries != nil && *p.Tries > 0 {
			return out, "", wrong("policy.tries", fmt.Sprintf("it goes not with the action %s: texts are written again by regenerate", action))
		}
	case trust.Regenerate:
		out.Tries = defaultTries
		if p.Tries != nil {
			out.Tries = *p.Tries
		}
		if out.Tries < 1 || out.Tries > maxTries {
			return out, "", wrong("policy.tries", fmt.Sprintf("%d lies outside 1 to %d", out.Tries, maxTries))
		}
	default:
		return out, "", wrong("policy.action", fmt.Sprintf("%q is none of answer, warn, abstain, regenerate", action))
	}
	if say = DontKnow; p.Say != nil {
		say = *p.Say
	}
	limits := p.Limits
	if len(limits) == 0 {
		for _, s := range trust.Signals() {
			if c == nil && s == trust.Consistency || c != nil && slices.Contains(c.Signals, s) || c != nil && len(c.Signals) == 0 && s == trust.Consistency {
				limits = append(limits, limit{Signal: s})
			}
		}
	}
	if action == trust.Answer {
		limits = nil
	}
	for i, l := range limits {
		full, err := l.resolve(fmt.Sprintf("policy.limits[%d]", i), action == trust.Warn)
		if err != nil {
			return out, "", err
		}
		out.Limits = append(out.Limits, full)
	}
	if err := out.Validate(); err != nil {
		return out, "", wrong("policy.limits", err.Error())
	}
	return out, say, nil
}

// resolve fills in the defaults; with onlyWarn no text is held back.
func (l *limit) resolve(field string, onlyWarn bool) (trust.Limit, error) {
	if !slices.Contains(trust.Signals(), l.Signal) {
		return trust.Limit{}, wrong(field+".signal", fmt.Sprintf("there is no signal %q, but %s", l.Signal, commas(trust.Signals())))
	}
	out, ok := trust.DefaultLimit(l.Signal)
	if !ok && (l.Warn == nil || l.Abstain == nil && !onlyWarn) {
		return out, wrong(field, fmt.Sprintf("%s has no default limits: give warn and abstain", l.Signal))
	}
	out.Signal = l.Signal
	if l.Warn != nil {
		out.Warn = *l.Warn
	}
	switch {
	case onlyWarn:
		out.Abstain = math.Inf(1)
		if trust.Rising(l.Signal) {
			out.Abstain = math.Inf(-1)
		}
	case l.Abstain != nil:
		out.Abstain = *l.Abstain
	}
	return out, nil
}

// withholds says whether texts may be replaced.
func (j *judge) withholds() bool {
	return slices.ContainsFunc(j.policy.Limits, func(l trust.Limit) bool { return !math.IsInf(l.Abstain, 0) })
}
