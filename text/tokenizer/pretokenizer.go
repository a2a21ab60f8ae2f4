package tokenizer

import (
	"encoding/json"
	"fmt"
)

// preTokenizer is the pre_tokenizer field of tokenizer.json.
type preTokenizer struct {
	Type             string            `json:"type"`
	AddPrefixSpace   *bool             `json:"add_prefix_space,omitempty"`
	TrimOffsets      *bool             `json:"trim_offsets,omitempty"`
	UseRegex         *bool             `json:"use_regex,omitempty"`
	Pattern          map[string]string `json:"pattern,omitempty"`
	Behavior         string            `json:"behavior,omitempty"`
	Invert           *bool             `json:"invert,omitempty"`
	IndividualDigits bool              `json:"individual_digits,omitempty"`
	Replacement      string            `json:"replacement,omitempty"`
	PrependScheme    string            `json:"prepend_scheme,omitempty"`
	Split            *bool             `json:"split,omitempty"`
	PreTokenizers    []preTokenizer    `json:"pretokenizers,omitempty"`
}

// preTokenizing is what a pre_tokenizer field says.
type preTokenizing struct {
	steps     []step
	byteLevel bool // pieces are bytes for the model
}

// readPreTokenizer finds the steps of a pre_tokenizer field.
func readPreTokenizer(raw json.RawMessage) (p preTokenizing, err error) {
	if isNull(raw) {
		return p, nil
	}
	var top preTokenizer
	if err := json.Unmarshal(raw, &top); err != nil {
		return p, fmt.Errorf("pre_tokenizer: %w", err)
	}
	err = p.add(&top, "pre_tokenizer")
	return p, err
}

// add appends the steps of s, which stands at the path field.
func (p *preTokenizing) add(s *preTokenizer, field string) error {
	if p.byteLevel {
		return fmt.Errorf("%s: a step after ByteLevel is not supported", field)
	}
	cut := func(c cutter) { p.steps = append(p.steps, step{cut: c}) }
	switch s.Type {
	case "Sequence":
		for i := range s.PreTokenizers {
			if err := p.add(&s.PreTokenizers[i], fmt.Sprintf("%s.pretokenizers[%d]", field, i)); err != nil {
				return err
			}
		}
	case "ByteLevel":
		p.byteLevel = true
		p.byteLevelSteps(s)
	case "Split":
		c, err := s.splitter(field)
		if err != nil {
			return err
		}
		cut(c)
	case "Digits":
		b := contiguous
		if s.IndividualDigits {
			b = isolated
		}
		cut(cutAt{eachChar{charset{mask: number}}, b})
	case "Punctuation":
		b, err := readBehavior(s.Behavior, isolated, field)
		if err != nil {
			return err
		}
		cut(cutAt{eachChar{charset{mask: punct, table: asciiSymbols}}, b})
	case "WhitespaceSplit":
		cut(cutAt{eachChar{charset{mask: space}}, removed})
	case "Whitespace":
		cut(onlyMatches{words{}})
	case "BertPreTokenizer":
		cut(bertWords{})
	case "Metaspace":
		return p.metaspace(s, field)
	default:
		return fmt.Errorf("%s.type: %q is not supported: known are ByteLevel, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer, Metaspace and Sequence", field, s.Type)
	}
	return nil
}

// asciiSymbols are the ASCII characters that count as punctuation besides \p{P}.
var asciiSymbols = rangeTable('!', '/', ':', '@', '[', '`', '{', '~')

func (p *preTokenizing) byteLevelSteps(s *preTokenizer) {
	if s.AddPrefixSpace == nil || *s.AddPrefixSpace {
		p.steps = append(p.steps, step{lead: &leadSpace{space: " ", when: leadAlways}})
	}
	if s.UseRegex != nil && !*s.UseRegex {
		return
	}
	gpt2 := splitter{rule: splitGPT2, classes: classes()}
	if n := len(p.steps); n == 1 {
		// Digits cut out one by one before GPT-2's expression is one scanner.
		if c, ok := p.steps[0].cut.(cutAt); ok && c == (cutAt{eachChar{charset{mask: number}}, isolated}) {
			gpt2.lone = true
			p.steps = nil
		}
	}
	p.steps = append(p.steps, step{cut: &gpt2})
}

// splitter finds what cuts as a Split step does.
func (s *preTokenizer) splitter(field string) (cutter, error) {
	inverted := s.Invert != nil && *s.Invert
	b, err := readBehavior(s.Behavior, isolated, field)
	if err != nil {
		return nil, err
	}
	if text, ok := s.Pattern["String"]; ok {
		if text == "" {
			return nil, fmt.Errorf("%s.pattern.String is empty: remove the step", field)
		}
		c, err := newCutAt(literal(text), b, inverted)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
		return c, nil
	}
	regex, ok := s.Pattern["Regex"]
	if !ok {
		return nil, fmt.Errorf("%s.pattern has neither Regex nor String", field)
	}
	c, err := cutterOf(regex, b, inverted)
	if err != nil {
		return nil, fmt.Errorf("%s.pattern.Regex: %.200q: %w", field, regex, err)
	}
	return c, nil
}

func readBehavior(name string, unset behavior, field string) (behavior, error) {
	switch b := behavior(name); b {
	case "":
		return unset, nil
	case isolated, removed, contiguous, mergedWithPrevious, mergedWithNext:
		return b, nil
	}
	return "", fmt.Errorf("%s.behavior: %q is unknown: use Isolated, Removed, Contiguous, MergedWithPrevious or MergedWithNext", field, name)
}

// metaspace adds the steps of Metaspace: U+2581 for spaces and before the text.
func (p *preTokenizing) metaspace(s *preTokenizer, field string) error {
	if s.Replacement != metaspace {
		return fmt.Errorf("%s.replacement: %q is not supported, only %q", field, s.Replacement, metaspace)
	}
	lead := leadSpace{space: metaspace}
	switch {
	case s.PrependScheme == "always", s.PrependScheme == "" && (s.AddPrefixSpace == nil || *s.AddPrefixSpace):
		lead.when = leadAlways
	case s.PrependScheme == "first":
		lead.when = leadFirst
	case s.PrependScheme == "never", s.PrependScheme == "":
		lead.when = leadNever
	default:
		return fmt.Errorf("%s.prepend_scheme: %q is unknown: use always, first or never", field, s.PrependScheme)
	}
	p.steps = append(p.steps, step{lead: &lead})
	if s.Split == nil || *s.Split {
		p.steps = append(p.steps, step{cut: &splitter{rule: splitMetaspace, classes: classes()}})
	}
	return nil
}
