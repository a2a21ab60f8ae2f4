package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/generate/sample"
)

// samplingFlags are the steps of the sampling chain beside temperature, top-k and
// top-p. Those that are nil follow the model's own wishes.
type samplingFlags struct {
	MinP      *float64          `name:"min-p" group:"sampling" help:"Sample among the tokens with at least this share of the largest probability; 0 among all. Default: the model's generation_config.json, else 0."`
	TypicalP  *float64          `name:"typical-p" group:"sampling" help:"Sample among the tokens whose surprise is nearest to the average and that together reach this probability; 0 and 1 among all. Default as for --min-p."`
	LogitBias map[int32]float64 `group:"sampling" mapsep:"," help:"Add to the logit of an id, as ID=NUMBER; repeat for more. -1e9 leaves it out." placeholder:"ID=NUMBER"`

	RepeatPenalty    *float64 `group:"sampling" help:"Divide the logits of what occurred lately (multiply negative ones); 0 and 1 do nothing, 1.1 is mild. Default: the model's repetition_penalty, over the whole text."`
	FrequencyPenalty float64  `group:"sampling" help:"Subtract this for every occurrence."`
	PresencePenalty  float64  `group:"sampling" help:"Subtract this from what occurred at all."`
	RepeatLastN      int      `group:"sampling" help:"The three penalties look at so many last tokens, prompt included; 0 at 64, -1 at all."`

	DryMultiplier       float64  `group:"sampling" help:"Make a token less probable that would make a repeat longer (DRY); 0 does nothing, 0.8 is usual."`
	DryBase             float64  `group:"sampling" help:"The penalty grows by this factor with each token of the repeat; 0: 1.75."`
	DryAllowedLength    int      `group:"sampling" help:"Repeats may have so many tokens; 0: 2."`
	DryPenaltyLastN     int      `group:"sampling" help:"Look for repeats in so many last tokens; 0 and -1 in all."`
	DrySequenceBreakers []string `group:"sampling" sep:"none" help:"A text that no repeat reaches across; repeat for more, none for none. Default: newline, colon, quotation mark, asterisk." placeholder:"TEXT"`

	XTCProbability float64 `name:"xtc-probability" group:"sampling" help:"How often to leave out all probable tokens but the least of them; 0 never."`
	XTCThreshold   float64 `name:"xtc-threshold" group:"sampling" help:"From which probability on that is; 0: 0.1."`

	DynatempRange    float64 `group:"sampling" help:"Temperature from --temperature less this, where the model is sure, to --temperature plus this, where it is not; 0 keeps it."`
	DynatempExponent float64 `group:"sampling" help:"Bends the way between the two; 0: 1."`

	Mirostat    int     `group:"sampling" help:"2 holds the surprise of the text at --mirostat-tau, in the place of all that truncates; 0 does not."`
	MirostatTau float64 `group:"sampling" help:"Surprise to aim at, in bits a token; 0: 5."`
	MirostatEta float64 `group:"sampling" help:"How fast it is reached; 0: 0.1."`

	Samplers []string `group:"sampling" help:"Order of the steps: ${samplers}. Steps that are not named are left out." placeholder:"STEP,..."`
}

// samplerNames is the default order, for the help.
func samplerNames() string { return strings.Join(sample.Order(), ",") }

// chain is the flags as the library takes them.
func (f *samplingFlags) chain() sample.Options {
	o := sample.Options{
		LogitBias:        f.LogitBias,
		FrequencyPenalty: f.FrequencyPenalty, PresencePenalty: f.PresencePenalty, RepeatLastN: f.RepeatLastN,
		DRYMultiplier: f.DryMultiplier, DRYBase: f.DryBase, DRYAllowedLength: f.DryAllowedLength, DRYLastN: f.DryPenaltyLastN, DRYBreakers: f.DrySequenceBreakers,
		XTCProbability: f.XTCProbability, XTCThreshold: f.XTCThreshold,
		DynatempRange: f.DynatempRange, DynatempExponent: f.DynatempExponent,
		Mirostat: f.Mirostat, MirostatTau: f.MirostatTau, MirostatEta: f.MirostatEta,
		Samplers: f.Samplers,
	}
	if slices.Equal(o.DRYBreakers, []string{"none"}) {
		o.DRYBreakers = []string{}
	}
	return o
}

// idle says which flag has no effect without another one that is not given.
func (f *samplingFlags) idle() error {
	// A model may wish for a repeat penalty of its own.
	penalises := f.FrequencyPenalty != 0 || f.PresencePenalty != 0 || f.RepeatPenalty == nil || *f.RepeatPenalty != 0 && *f.RepeatPenalty != 1
	for _, x := range []struct {
		flag        string
		given, used bool
		of          string
	}{
		{"repeat-last-n", f.RepeatLastN != 0, penalises, "--repeat-penalty, --frequency-penalty or --presence-penalty"},
		{"dry-base", f.DryBase != 0, f.DryMultiplier != 0, "--dry-multiplier"},
		{"dry-allowed-length", f.DryAllowedLength != 0, f.DryMultiplier != 0, "--dry-multiplier"},
		{"dry-penalty-last-n", f.DryPenaltyLastN != 0, f.DryMultiplier != 0, "--dry-multiplier"},
		{"dry-sequence-breakers", f.DrySequenceBreakers != nil, f.DryMultiplier != 0, "--dry-multiplier"},
		{"xtc-threshold", f.XTCThreshold != 0, f.XTCProbability != 0, "--xtc-probability"},
		{"dynatemp-exponent", f.DynatempExponent != 0, f.DynatempRange != 0, "--dynatemp-range"},
		{"mirostat-tau", f.MirostatTau != 0, f.Mirostat != 0, "--mirostat 2"},
		{"mirostat-eta", f.MirostatEta != 0, f.Mirostat != 0, "--mirostat 2"},
	} {
		if x.given && !x.used {
			return fmt.Errorf("--%s does nothing without %s", x.flag, x.of)
		}
	}
	return nil
}

// within says which id of --logit-bias a vocabulary lacks.
func (f *samplingFlags) within(vocab int) error {
	for _, id := range slices.Sorted(maps.Keys(f.LogitBias)) {
		if id < 0 || int(id) >= vocab {
			return usageError{fmt.Errorf("--logit-bias: id %d: the vocabulary has %d", id, vocab)}
		}
	}
	return nil
}
