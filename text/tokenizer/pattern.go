package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// pattern is a way to cut text into pieces, by the name that TrainOptions and
// error texts use.
type pattern struct {
	name string
	// regexes are the spellings met in published files; the first is written.
	// None of them: the pattern is ByteLevel's own, or digits before it.
	regexes  []string
	splitter splitter
}

const regexGPT2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// patterns lists what the scanners can match exactly. Sources of the
// expressions: OpenAI tiktoken (r50k_base, cl100k_base, o200k_base) and the
// tokenizer.json files of GPT-2, Llama 3, Qwen2 and StarCoder.
var patterns = []pattern{
	{
		name: "gpt2",
		regexes: []string{
			regexGPT2,
			`'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
			`'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s`,
		},
		splitter: splitter{rule: splitGPT2},
	},
	{
		name: "gpt4",
		regexes: []string{
			`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
			`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`,
		},
		splitter: splitter{rule: splitGPT4, maxDigits: 3},
	},
	{
		name: "gpt4-tail",
		regexes: []string{
			`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s`,
		},
		splitter: splitter{rule: splitGPT4, maxDigits: 3, tail: true},
	},
	{
		name: "qwen2",
		regexes: []string{
			`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
		},
		splitter: splitter{rule: splitGPT4, maxDigits: 1},
	},
	{
		name: "gpt4o",
		regexes: []string{
			`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
		},
		splitter: splitter{rule: splitGPT4o, maxDigits: 3},
	},
	{name: "chars", regexes: []string{`[\s\S]`}, splitter: splitter{rule: splitChars}},
	{name: "starcoder", splitter: splitter{rule: splitGPT2, lone: true}},
	{name: "whole", splitter: splitter{rule: splitWhole}},
}

// findPattern returns the pattern of that name.
func findPattern(name string) (*pattern, error) {
	var names []string
	for i := range patterns {
		if patterns[i].name == name {
			return &patterns[i], nil
		}
		names = append(names, patterns[i].name)
	}
	return nil, fmt.Errorf("unknown pattern %q: choose one of %s", name, strings.Join(names, ", "))
}

func patternOfRegex(regex string) (*pattern, bool) {
	for i := range patterns {
		if slices.Contains(patterns[i].regexes, regex) {
			return &patterns[i], true
		}
	}
	return nil, false
}

// preTokenizer is the pre_tokenizer field of tokenizer.json, in the forms of it
// that byte-level BPE models use.
type preTokenizer struct {
	Type             string            `json:"type"`
	AddPrefixSpace   *bool             `json:"add_prefix_space,omitempty"`
	TrimOffsets      *bool             `json:"trim_offsets,omitempty"`
	UseRegex         *bool             `json:"use_regex,omitempty"`
	Pattern          map[string]string `json:"pattern,omitempty"`
	Behavior         string            `json:"behavior,omitempty"`
	Invert           *bool             `json:"invert,omitempty"`
	IndividualDigits bool              `json:"individual_digits,omitempty"`
	PreTokenizers    []preTokenizer    `json:"pretokenizers,omitempty"`
}

// raw returns the pattern as a pre_tokenizer that other tools understand.
func (p *pattern) raw() json.RawMessage {
	no, yes := false, true
	bytes := preTokenizer{Type: "ByteLevel", AddPrefixSpace: &no, TrimOffsets: &no, UseRegex: &no}
	var first preTokenizer
	switch {
	case p.name == "whole":
		return marshal(bytes)
	case p.name == "gpt2":
		bytes.UseRegex = &yes
		return marshal(bytes)
	case p.name == "starcoder":
		bytes.UseRegex = &yes
		first = preTokenizer{Type: "Digits", IndividualDigits: true}
	default:
		first = preTokenizer{Type: "Split", Pattern: map[string]string{"Regex": p.regexes[0]}, Behavior: "Isolated", Invert: &no}
	}
	return marshal(preTokenizer{Type: "Sequence", PreTokenizers: []preTokenizer{first, bytes}})
}

// readPreTokenizer finds the scanner for a pre_tokenizer field.
func readPreTokenizer(raw json.RawMessage) (p *pattern, prefixSpace bool, err error) {
	var top preTokenizer
	if isNull(raw) {
		return nil, false, fmt.Errorf("pre_tokenizer is null: only byte-level models (pre_tokenizer ByteLevel) can be read")
	}
	if err := json.Unmarshal(raw, &top); err != nil {
		return nil, false, fmt.Errorf("pre_tokenizer: %w", err)
	}
	steps := []preTokenizer{top}
	if top.Type == "Sequence" {
		steps = top.PreTokenizers
	}
	field := func(i int) string {
		if top.Type == "Sequence" {
			return fmt.Sprintf("pre_tokenizer.pretokenizers[%d]", i)
		}
		return "pre_tokenizer"
	}
	byteLevel := false
	digits := false
	for i, step := range steps {
		if byteLevel {
			return nil, false, fmt.Errorf("%s: a step after ByteLevel is not supported", field(i))
		}
		switch step.Type {
		case "ByteLevel":
			byteLevel = true
			prefixSpace = step.AddPrefixSpace == nil || *step.AddPrefixSpace
			if step.UseRegex != nil && !*step.UseRegex {
				break
			}
			if p != nil {
				return nil, false, fmt.Errorf("%s.use_regex: true after a Split is not supported", field(i))
			}
			p, err = findPattern("gpt2")
			if digits {
				p, err = findPattern("starcoder")
			}
		case "Digits":
			if digits = step.IndividualDigits; !digits || i > 0 {
				return nil, false, fmt.Errorf("%s: Digits is supported only as the first step and with individual_digits true", field(i))
			}
		case "Split":
			if p != nil || digits {
				return nil, false, fmt.Errorf("%s: a second split is not supported", field(i))
			}
			p, err = step.split(field(i))
		default:
			err = fmt.Errorf("%s.type: %q is not supported: byte-level models use ByteLevel, Split and Digits", field(i), step.Type)
		}
		if err != nil {
			return nil, false, err
		}
	}
	switch {
	case !byteLevel:
		return nil, false, fmt.Errorf("pre_tokenizer has no ByteLevel step: only byte-level models can be read")
	case p == nil && digits:
		return nil, false, fmt.Errorf("pre_tokenizer: Digits without a pattern after it is not supported")
	case p == nil:
		p, err = findPattern("whole")
	}
	return p, prefixSpace, err
}

// split finds the scanner for a Split step. The known expressions match every
// character, so that keeping the matches and isolating them are the same.
func (s *preTokenizer) split(field string) (*pattern, error) {
	invert := s.Invert != nil && *s.Invert
	if s.Behavior != "Isolated" && !(s.Behavior == "Removed" && invert) {
		return nil, fmt.Errorf("%s.behavior: %q (invert %v) is not supported: use Isolated", field, s.Behavior, invert)
	}
	regex, ok := s.Pattern["Regex"]
	if !ok {
		return nil, fmt.Errorf("%s.pattern has no Regex: splitting at a fixed string is not supported", field)
	}
	p, ok := patternOfRegex(regex)
	if !ok {
		return nil, fmt.Errorf("%s.pattern.Regex: no scanner for this expression: known are those of GPT-2, GPT-4, GPT-4o, Llama 3 and Qwen2; got %.200q", field, regex)
	}
	return p, nil
}
