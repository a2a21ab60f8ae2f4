package serve

import (
	"fmt"
	"maps"
	"slices"
)

// presets are words put before a conversation, as its system message, or a prompt.
var presets = map[string]string{
	"concise":  "Answer in as few words as the question allows. Give the answer itself first, without an introduction, without repeating the question, and without a summary.",
	"truthful": "Say only what you know or what stands in the text you were given. Where you are not sure, say so; where you do not know, say: I don't know. Make nothing up: no names, numbers, quotations or sources.",
}

// words are those of the preset, "" where there is none.
func (f *judging) words() (string, error) {
	if f.Preset == "" {
		return "", nil
	}
	words, ok := presets[f.Preset]
	if !ok {
		return "", wrong("preset", fmt.Sprintf("%q is none of %s", f.Preset, commas(slices.Sorted(maps.Keys(presets)))))
	}
	return words, nil
}

// before puts the words of a preset before each prompt.
func (p *prompts) before(f *writing) error {
	words, err := f.words()
	if err != nil || words == "" {
		return err
	}
	if p.ids != nil {
		return wrong("preset", "words go before texts: the prompt is ids")
	}
	if p.texts == nil {
		p.texts = []string{""}
	}
	for i, text := range p.texts {
		p.texts[i] = words + between + text
	}
	return nil
}
