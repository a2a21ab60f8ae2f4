package serve

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate/sample"
)

// writing is the fields that all requests for text have. Those below More are not
// OpenAI's; they are called as the options of the library are (generate/sample).
type writing struct {
	Model            string             `json:"model"`
	N                *int               `json:"n"`
	Seed             *int64             `json:"seed"` // nil: one by chance, told in the header Foundling-Seed
	Stop             stops              `json:"stop"`
	Temperature      *float64           `json:"temperature"` // nil: the model's
	TopP             *float64           `json:"top_p"`       // nil: the model's
	FrequencyPenalty *float64           `json:"frequency_penalty"`
	PresencePenalty  *float64           `json:"presence_penalty"`
	LogitBias        map[string]float64 `json:"logit_bias"` // by id
	Stream           *bool              `json:"stream"`
	StreamOptions    *streamOptions     `json:"stream_options"`
	ResponseFormat   *responseFormat    `json:"response_format"`
	choosing
	judging
	More
	ignored

	more       []string // names of other fields that change nothing
	onlyPrompt bool     // nothing is written
	calling    *calling // the functions that may be called; nil: none
}

// More is what OpenAI's interface does not have. A field that is left out has the
// model's value where the model has one, else does nothing.
type More struct {
	TopK          *int     `json:"top_k"`
	MinP          *float64 `json:"min_p"`
	TypicalP      *float64 `json:"typical_p"`
	RepeatPenalty *float64 `json:"repeat_penalty"`
	RepeatLastN   int      `json:"repeat_last_n"`

	DRYMultiplier    float64  `json:"dry_multiplier"`
	DRYBase          float64  `json:"dry_base"`
	DRYAllowedLength int      `json:"dry_allowed_length"`
	DRYLastN         int      `json:"dry_penalty_last_n"`
	DRYBreakers      []string `json:"dry_sequence_breakers"`

	XTCProbability   float64 `json:"xtc_probability"`
	XTCThreshold     float64 `json:"xtc_threshold"`
	DynatempRange    float64 `json:"dynatemp_range"`
	DynatempExponent float64 `json:"dynatemp_exponent"`

	Mirostat    int     `json:"mirostat"`
	MirostatTau float64 `json:"mirostat_tau"`
	MirostatEta float64 `json:"mirostat_eta"`

	Samplers  []string `json:"samplers"`   // the steps and their order
	MinTokens int      `json:"min_tokens"` // the model does not end the text before
	StopRegex string   `json:"stop_regex"` // the text ends before the first match

	Grammar string   `json:"grammar"` // GBNF that the text must fit
	Regex   string   `json:"regex"`   // RE2 that the text must match from end to end
	Choices []string `json:"choices"` // the text is one of these

	Cache   *cacheField  `json:"cache"`   // which answers are given again
	Memory  *memoryField `json:"memory"`  // what is known of the user comes into the prompt
	LoRA    string       `json:"lora"`    // the adapter of the model
	Timeout *float64     `json:"timeout"` // seconds until the texts end as they are

	PrefixIDs      []int32 `json:"prefix_ids"`       // the text begins with them, as if they had been drawn
	ReturnTokenIDs bool    `json:"return_token_ids"` // choices have token_ids, those of events too
}

// ignored is the fields that clients send routinely and that change no text here. An
// answer names those that were there. Their types are OpenAI's.
type ignored struct {
	User                 *string           `json:"user"`
	SafetyIdentifier     *string           `json:"safety_identifier"`
	Store                *bool             `json:"store"`
	Metadata             map[string]string `json:"metadata"`
	ServiceTier          *string           `json:"service_tier"`
	PromptCacheKey       *string           `json:"prompt_cache_key"`
	PromptCacheRetention *string           `json:"prompt_cache_retention"`
	Verbosity            *string           `json:"verbosity"`
	ReasoningEffort      *string           `json:"reasoning_effort"`
}

// names are those of the fields that were sent.
func (i *ignored) names() (names []string) {
	v := reflect.ValueOf(*i)
	for k := range v.NumField() {
		if !v.Field(k).IsNil() {
			names = append(names, v.Type().Field(k).Tag.Get("json"))
		}
	}
	return names
}

// given says that a field is there, and not null.
func given(v jsontext.Value) bool { return len(v) > 0 && v.Kind() != 'n' }

type streamOptions struct {
	IncludeUsage       bool `json:"include_usage"`
	IncludeObfuscation bool `json:"include_obfuscation"`
}

// stops is one stop string or several.
type stops []string

// UnmarshalJSON reads a string, a list of strings or null.
func (s *stops) UnmarshalJSON(data []byte) (err error) {
	*s, err = oneOrMore(data)
	return err
}

// Limits of OpenAI's description; of the stop strings more are taken.
const (
	maxStops       = 16
	maxTopLogProbs = 20
	maxTimeout     = 24 * 60 * 60 // seconds; not OpenAI's
)

// texts is how many are asked for of each prompt.
func (f *writing) texts() int {
	if f.N == nil {
		return 1
	}
	return *f.N
}

// constrained says that the text must fit a format.
func (f *writing) constrained() bool {
	_, field, err := f.format()
	return err == nil && field != ""
}

func (f *writing) streams() bool { return f.Stream != nil && *f.Stream }

func (f *writing) check() error {
	type bound struct {
		name     string
		value    *float64
		from, to float64
	}
	for _, b := range []bound{
		{"temperature", f.Temperature, 0, 2}, {"top_p", f.TopP, 0, 1}, {"min_p", f.MinP, 0, 1}, {"typical_p", f.TypicalP, 0, 1},
		{"frequency_penalty", f.FrequencyPenalty, -2, 2}, {"presence_penalty", f.PresencePenalty, -2, 2},
	} {
		if b.value != nil && !(*b.value >= b.from && *b.value <= b.to) {
			return wrong(b.name, fmt.Sprintf("%v lies outside %v to %v", *b.value, b.from, b.to))
		}
	}
	switch {
	case f.TopP != nil && *f.TopP == 0:
		return wrong("top_p", "0 leaves no token: temperature 0 takes the most probable one")
	case f.N != nil && *f.N < 1:
		return wrong("n", "it must be 1 or more")
	case f.MinTokens < 0:
		return wrong("min_tokens", "it must be 0 or more")
	case len(f.Stop) > maxStops:
		return wrong("stop", fmt.Sprintf("%d strings, at most %d are taken", len(f.Stop), maxStops))
	case slices.Contains(f.Stop, ""):
		return wrong("stop", "a stop string is empty")
	case f.Timeout != nil && !(*f.Timeout > 0 && *f.Timeout <= maxTimeout):
		return wrong("timeout", fmt.Sprintf("%v seconds lie outside 0 to %d", *f.Timeout, maxTimeout))
	case f.StreamOptions != nil && !f.streams():
		return wrong("stream_options", "it needs stream to be true")
	case f.StreamOptions != nil && f.StreamOptions.IncludeObfuscation:
		return wrong("stream_options.include_obfuscation", "streams have none here, false is the only value")
	}
	return nil
}

// decoding is the fields as the library takes them.
func (f *writing) decoding(vocab int) (d foundling.Decoding, err error) {
	if err := f.check(); err != nil {
		return d, err
	}
	m := &f.More
	d = foundling.Decoding{
		Temperature: f.Temperature, TopP: f.TopP, TopK: m.TopK, MinP: m.MinP, TypicalP: m.TypicalP, RepeatPenalty: m.RepeatPenalty,
		MinTokens: m.MinTokens, Stop: f.Stop, StopRegex: m.StopRegex,
		Chain: sample.Options{
			RepeatLastN: m.RepeatLastN, DRYMultiplier: m.DRYMultiplier, DRYBase: m.DRYBase, DRYAllowedLength: m.DRYAllowedLength,
			DRYLastN: m.DRYLastN, DRYBreakers: m.DRYBreakers, XTCProbability: m.XTCProbability, XTCThreshold: m.XTCThreshold,
			DynatempRange: m.DynatempRange, DynatempExponent: m.DynatempExponent, Mirostat: m.Mirostat, MirostatTau: m.MirostatTau,
			MirostatEta: m.MirostatEta, Samplers: m.Samplers,
		},
	}
	if f.FrequencyPenalty != nil {
		d.Chain.FrequencyPenalty = *f.FrequencyPenalty
	}
	if f.PresencePenalty != nil {
		d.Chain.PresencePenalty = *f.PresencePenalty
	}
	if m.RepeatLastN == 0 && (d.Chain.FrequencyPenalty != 0 || d.Chain.PresencePenalty != 0) {
		d.Chain.RepeatLastN = -1 // OpenAI's look at the whole text
	}
	if d.Chain.LogitBias, err = biases(f.LogitBias, vocab); err != nil {
		return d, err
	}
	if f.Seed != nil {
		d.Seed = uint64(*f.Seed)
	} else {
		d.Seed = chance()
	}
	chain := d.Chain
	chain.Temperature = *cmp.Or(f.Temperature, new(1.0)) // the model's is above 0
	if err := chain.Validate(); err != nil {
		return d, ofOption(err)
	}
	return d, nil
}

// biases are those of OpenAI: an object of ids, -100 to 100.
func biases(in map[string]float64, vocab int) (map[int32]float64, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make(map[int32]float64, len(in))
	for key, bias := range in {
		id, err := strconv.ParseInt(strings.TrimSpace(key), 10, 32)
		if err != nil || id < 0 || int(id) >= vocab {
			return nil, wrong("logit_bias", fmt.Sprintf("%q is no id of the vocabulary of %d", key, vocab))
		}
		if math.Abs(bias) > 100 {
			return nil, wrong("logit_bias", fmt.Sprintf("%v for id %d lies outside -100 to 100", bias, id))
		}
		out[int32(id)] = bias
	}
	return out, nil
}

// chance is a seed that nobody chose. It fits into the numbers of JavaScript.
func chance() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:]) >> 11
}
