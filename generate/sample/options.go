package sample

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Options says how to draw. The zero value takes the most probable token. The
// names in JSON are those of OpenAI's interface and of llama.cpp's server; there
// as here, a field that is left out does nothing or has the default below.
type Options struct {
	// Temperature divides the logits. 0 takes the largest logit after bias and
	// penalties, the lowest id of equals, and draws nothing: what truncates is
	// passed over. 1 samples the model's distribution.
	Temperature float64 `json:"temperature"`
	// DynatempRange makes the temperature depend on the entropy: from Temperature
	// less the range (0 at least) where the model is sure, to Temperature plus the
	// range where it knows nothing. DynatempExponent bends the way between; 0: 1.
	DynatempRange    float64 `json:"dynatemp_range,omitempty"`
	DynatempExponent float64 `json:"dynatemp_exponent,omitempty"`

	// TopK keeps the K largest logits (of equals at the border the lowest ids);
	// 0 keeps all.
	TopK int `json:"top_k"`
	// TypicalP keeps the fewest tokens, those first whose surprise is nearest to
	// the entropy, whose probability reaches P. 0 and 1 keep all.
	TypicalP float64 `json:"typical_p,omitempty"`
	// TopP keeps the fewest tokens, most probable first, whose probability reaches
	// P, the one that crosses it included. 0 and 1 keep all.
	TopP float64 `json:"top_p"`
	// MinP keeps the tokens with at least P times the largest probability; 0
	// keeps all.
	MinP float64 `json:"min_p,omitempty"`
	// XTCProbability is how often the tokens of probability XTCThreshold or more
	// are left out, save the least probable of them; 0: never. XTCThreshold 0: 0.1.
	XTCProbability float64 `json:"xtc_probability,omitempty"`
	XTCThreshold   float64 `json:"xtc_threshold,omitempty"`

	// LogitBias is added to the logits of these ids. A large negative number leaves
	// an id out as long as another may follow.
	LogitBias map[int32]float64 `json:"logit_bias,omitempty"`
	// RepeatPenalty divides positive logits, and multiplies others, of ids that
	// occur among the last RepeatLastN of the text so far, prompt included.
	// FrequencyPenalty is subtracted for each occurrence there, PresencePenalty
	// once. 0 and 1: no repeat penalty. RepeatLastN 0: 64; -1: the whole text.
	RepeatPenalty    float64 `json:"repeat_penalty,omitempty"`
	FrequencyPenalty float64 `json:"frequency_penalty,omitempty"`
	PresencePenalty  float64 `json:"presence_penalty,omitempty"`
	RepeatLastN      int     `json:"repeat_last_n,omitempty"`

	// DRYMultiplier subtracts multiplier x base^(n - allowed) from the logit of a
	// token that would make a repeat of n tokens longer, n at least the allowed
	// length; 0: nothing. DRYBase 0: 1.75. DRYAllowedLength 0: 2. DRYLastN is the
	// end of the text that is looked at; 0 and -1: all of it.
	DRYMultiplier    float64 `json:"dry_multiplier,omitempty"`
	DRYBase          float64 `json:"dry_base,omitempty"`
	DRYAllowedLength int     `json:"dry_allowed_length,omitempty"`
	DRYLastN         int     `json:"dry_penalty_last_n,omitempty"`
	// DRYBreakers are texts that no repeat reaches across; nil: newline, colon,
	// quotation mark and asterisk, an empty list: none. They need Vocabulary.
	DRYBreakers []string `json:"dry_sequence_breakers,omitempty"`

	// Mirostat 2 aims at a surprise of MirostatTau bits a token and takes the place
	// of all that truncates; 0: off. MirostatTau 0: 5. MirostatEta is how fast it
	// learns; 0: 0.1. MirostatMu is the bound it begins with, bits; 0: twice tau.
	Mirostat    int     `json:"mirostat,omitempty"`
	MirostatTau float64 `json:"mirostat_tau,omitempty"`
	MirostatEta float64 `json:"mirostat_eta,omitempty"`
	MirostatMu  float64 `json:"mirostat_mu,omitempty"`

	// Samplers is the order of the steps, of the names of Order; nil: Order, or
	// its part that goes with Mirostat. A step that is left out must not be asked
	// for by its option. The mask comes before all of them and the draw after.
	Samplers []string `json:"samplers,omitempty"`

	// Seed chooses the random numbers.
	Seed uint64 `json:"seed"`

	// Vocabulary is the bytes of each id; nil: unknown.
	Vocabulary [][]byte `json:"-"`
}

// The steps by name.
const (
	StepBias        = "logit_bias"
	StepPenalties   = "penalties" // repetition, frequency, presence
	StepDRY         = "dry"
	StepTopK        = "top_k"
	StepTypicalP    = "typical_p"
	StepTopP        = "top_p"
	StepMinP        = "min_p"
	StepXTC         = "xtc"
	StepTemperature = "temperature" // also by entropy
)

// Order is the steps in their default order.
func Order() []string {
	return []string{StepBias, StepPenalties, StepDRY, StepTopK, StepTypicalP, StepTopP, StepMinP, StepXTC, StepTemperature}
}

// truncates says that a step leaves candidates out.
func truncates(step string) bool {
	return slices.Contains([]string{StepTopK, StepTypicalP, StepTopP, StepMinP, StepXTC}, step)
}

// Filled is o with every number that stands for a default replaced by it, as a
// report wants it.
func (o Options) Filled() Options {
	number := func(x *float64, value float64) {
		if *x == 0 {
			*x = value
		}
	}
	count := func(x *int, value int) {
		if *x == 0 {
			*x = value
		}
	}
	number(&o.TopP, 1)
	number(&o.TypicalP, 1)
	number(&o.DynatempExponent, 1)
	number(&o.XTCThreshold, 0.1)
	number(&o.RepeatPenalty, 1)
	count(&o.RepeatLastN, 64)
	number(&o.DRYBase, 1.75)
	count(&o.DRYAllowedLength, 2)
	count(&o.DRYLastN, -1)
	if o.DRYBreakers == nil {
		o.DRYBreakers = []string{"\n", ":", `"`, "*"}
	}
	number(&o.MirostatTau, 5)
	number(&o.MirostatEta, 0.1)
	number(&o.MirostatMu, 2*o.MirostatTau)
	if o.Samplers == nil {
		for _, step := range Order() {
			if o.Mirostat == 0 || !truncates(step) {
				o.Samplers = append(o.Samplers, step)
			}
		}
	}
	return o
}

// uses lists the steps that the options ask for, with the option that does.
func (o Options) uses() map[string]string {
	used := map[string]string{}
	use := func(yes bool, step, option string, value any) {
		if _, known := used[step]; yes && !known {
			used[step] = fmt.Sprintf("%s %v", option, value)
		}
	}
	use(len(o.LogitBias) > 0, StepBias, "logit-bias of", fmt.Sprint(len(o.LogitBias), " ids"))
	use(o.RepeatPenalty != 0 && o.RepeatPenalty != 1, StepPenalties, "repeat-penalty", o.RepeatPenalty)
	use(o.FrequencyPenalty != 0, StepPenalties, "frequency-penalty", o.FrequencyPenalty)
	use(o.PresencePenalty != 0, StepPenalties, "presence-penalty", o.PresencePenalty)
	use(o.DRYMultiplier != 0, StepDRY, "dry-multiplier", o.DRYMultiplier)
	use(o.TopK != 0, StepTopK, "top-k", o.TopK)
	use(o.TypicalP != 0 && o.TypicalP != 1, StepTypicalP, "typical-p", o.TypicalP)
	use(o.TopP != 0 && o.TopP != 1, StepTopP, "top-p", o.TopP)
	use(o.MinP != 0, StepMinP, "min-p", o.MinP)
	use(o.XTCProbability != 0, StepXTC, "xtc-probability", o.XTCProbability)
	use(o.Temperature != 1 && o.Temperature != 0, StepTemperature, "temperature", o.Temperature)
	use(o.DynatempRange != 0, StepTemperature, "dynatemp-range", o.DynatempRange)
	return used
}

// Validate names the first option out of range, or two that exclude each other.
func (o Options) Validate() error {
	for _, check := range []func() error{o.checkTruncation, o.checkPenalties, o.checkTemperature, o.checkMirostat, o.checkOrder} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (o Options) checkTruncation() error {
	switch {
	case !(o.Temperature >= 0) || math.IsInf(o.Temperature, 1):
		return fmt.Errorf("temperature %v: want a number from 0 (always the most probable token) up, 1 for the model's own distribution", o.Temperature)
	case o.TopK < 0:
		return fmt.Errorf("top-k %d: want 0 (keep all) or the number of tokens to keep", o.TopK)
	case !probability(o.TypicalP):
		return fmt.Errorf("typical-p %v: want a probability from 0 to 1 (0 and 1 keep all)", o.TypicalP)
	case !probability(o.TopP):
		return fmt.Errorf("top-p %v: want a probability from 0 to 1 (0 and 1 keep all)", o.TopP)
	case !probability(o.MinP):
		return fmt.Errorf("min-p %v: want a share of the largest probability from 0 (keep all) to 1", o.MinP)
	case !probability(o.XTCProbability):
		return fmt.Errorf("xtc-probability %v: want a probability from 0 (never) to 1", o.XTCProbability)
	case !(o.XTCThreshold >= 0 && o.XTCThreshold <= 0.5):
		return fmt.Errorf("xtc-threshold %v: want a probability from 0 (for 0.1) to 0.5, above which no two tokens can be", o.XTCThreshold)
	}
	return nil
}

func (o Options) checkPenalties() error {
	for id, b := range o.LogitBias {
		if !finite(b) {
			return fmt.Errorf("logit-bias %v of id %d: want a finite number (-1e9 leaves an id out)", b, id)
		}
		if id < 0 {
			return fmt.Errorf("logit-bias of id %d: ids are 0 or more", id)
		}
	}
	switch {
	case !(o.RepeatPenalty >= 0) || !finite(o.RepeatPenalty):
		return fmt.Errorf("repeat-penalty %v: want a factor above 0 (0 and 1 do nothing, 1.1 is mild)", o.RepeatPenalty)
	case !finite(o.FrequencyPenalty):
		return fmt.Errorf("frequency-penalty %v: want a finite number (0 does nothing)", o.FrequencyPenalty)
	case !finite(o.PresencePenalty):
		return fmt.Errorf("presence-penalty %v: want a finite number (0 does nothing)", o.PresencePenalty)
	case o.RepeatLastN < -1:
		return fmt.Errorf("repeat-last-n %d: want a number of tokens, 0 for 64 or -1 for the whole text", o.RepeatLastN)
	case !(o.DRYMultiplier >= 0) || !finite(o.DRYMultiplier):
		return fmt.Errorf("dry-multiplier %v: want a number from 0 (off) up; 0.8 is usual", o.DRYMultiplier)
	case o.DRYBase != 0 && !(o.DRYBase >= 1 && finite(o.DRYBase)):
		return fmt.Errorf("dry-base %v: want a number from 1 up, or 0 for 1.75", o.DRYBase)
	case o.DRYAllowedLength < 0:
		return fmt.Errorf("dry-allowed-length %d: want a number of tokens, or 0 for 2", o.DRYAllowedLength)
	case o.DRYLastN < -1:
		return fmt.Errorf("dry-penalty-last-n %d: want a number of tokens, or 0 or -1 for the whole text", o.DRYLastN)
	case slices.Contains(o.DRYBreakers, ""):
		return fmt.Errorf("dry-sequence-breakers has an empty text: leave it out")
	}
	return nil
}

func (o Options) checkTemperature() error {
	switch {
	case !(o.DynatempRange >= 0) || !finite(o.DynatempRange):
		return fmt.Errorf("dynatemp-range %v: want a number from 0 (off) up", o.DynatempRange)
	case !(o.DynatempExponent >= 0) || !finite(o.DynatempExponent):
		return fmt.Errorf("dynatemp-exponent %v: want a number above 0, or 0 for 1", o.DynatempExponent)
	case o.DynatempRange > 0 && o.Temperature == 0:
		return fmt.Errorf("dynatemp-range %v at temperature 0: 0 always takes the most probable token, give the temperature in the middle of the range", o.DynatempRange)
	}
	return nil
}

func (o Options) checkMirostat() error {
	switch {
	case o.Mirostat != 0 && o.Mirostat != 2:
		return fmt.Errorf("mirostat %d: want 0 (off) or 2, the version that needs no guess of the vocabulary's law", o.Mirostat)
	case !(o.MirostatTau >= 0) || !finite(o.MirostatTau):
		return fmt.Errorf("mirostat-tau %v: want a surprise in bits above 0, or 0 for 5", o.MirostatTau)
	case !(o.MirostatEta >= 0 && o.MirostatEta <= 1):
		return fmt.Errorf("mirostat-eta %v: want a learning rate above 0 and at most 1, or 0 for 0.1", o.MirostatEta)
	case !finite(o.MirostatMu):
		return fmt.Errorf("mirostat-mu %v: want a finite surprise in bits, or 0 for twice mirostat-tau", o.MirostatMu)
	case o.Mirostat == 0:
		return nil
	case o.Temperature == 0:
		return fmt.Errorf("mirostat 2 at temperature 0: 0 always takes the most probable token, give a temperature such as 1")
	}
	used := o.uses()
	for _, step := range Order() {
		if truncates(step) && used[step] != "" {
			return fmt.Errorf("mirostat 2 and %s: mirostat takes the place of all that truncates, leave one of them out", used[step])
		}
		if truncates(step) && slices.Contains(o.Samplers, step) {
			return fmt.Errorf("mirostat 2 and samplers with %s: mirostat takes the place of all that truncates, leave one of them out", step)
		}
	}
	return nil
}

func (o Options) checkOrder() error {
	for i, step := range o.Samplers {
		switch {
		case !slices.Contains(Order(), step):
			return fmt.Errorf("samplers: there is no step %q: the steps are %s", step, strings.Join(Order(), ", "))
		case slices.Contains(o.Samplers[:i], step):
			return fmt.Errorf("samplers: %s stands there twice: a step runs once", step)
		}
	}
	if o.Samplers == nil {
		return nil
	}
	used := o.uses()
	for _, step := range Order() {
		if used[step] != "" && !slices.Contains(o.Samplers, step) {
			return fmt.Errorf("%s, but samplers has no %s: add it there or leave the option out", used[step], step)
		}
	}
	return nil
}

func probability(x float64) bool { return x >= 0 && x <= 1 }

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
