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
	// gguf are the names of tokenizer.ggml.pre that mean this pattern.
	gguf []string
}

// steps returns the pre-tokeniser.
func (p *pattern) steps() []step {
	split := p.splitter
	split.classes = classes()
	return []step{{cut: &split}}
}

const regexGPT2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

const (
	regexQwen2    = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	regexGPT4o    = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	regexDeepSeek = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
)

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
		gguf: []string{"gpt-2", "phi-2", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "jina-v1-en", "jina-v2-code", "roberta-bpe",
			"gigachat", "a.x-4.0", "mellum", "modern-bert", "exaone4", "mpt", "olmo", "jais", "trillion", "granite-docling"},
	},
	{
		name: "gpt4",
		regexes: []string{
			`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
			`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`,
		},
		splitter: splitter{rule: splitGPT4, maxDigits: 3},
		gguf: []string{"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano",
			"dbrx", "smaug-bpe", "glm4", "chatglm-bpe"},
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
			regexQwen2,
		},
		splitter: splitter{rule: splitGPT4, maxDigits: 1},
		gguf:     []string{"qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez", "stablelm2", "hunyuan", "solar-open", "grok-2", "bailingmoe", "bailingmoe2", "llada-moe"},
	},
	{
		name: "qwen35",
		regexes: []string{
			`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
		},
		splitter: splitter{rule: splitGPT4, maxDigits: 1, marks: true},
		gguf:     []string{"qwen35"},
	},
	{
		name: "seed-coder",
		regexes: []string{
			`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+`,
		},
		splitter: splitter{rule: splitGPT4, maxDigits: 1, noEnds: true},
		gguf:     []string{"seed-coder"},
	},
	{
		name: "ufakzeka",
		regexes: []string{
			`[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
		},
		splitter: splitter{rule: splitGPT4, maxDigits: 1, bare: true},
		gguf:     []string{"ufakzeka"},
	},
	{
		name: "gpt4o",
		regexes: []string{
			regexGPT4o,
		},
		splitter: splitter{rule: splitGPT4o, maxDigits: 3},
		gguf:     []string{"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2", "granite-embed-multi-97m"},
	},
	{
		name: "tekken",
		regexes: []string{
			`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
		},
		splitter: splitter{rule: splitGPT4o, maxDigits: 1, bare: true},
		gguf:     []string{"tekken"},
	},
	{
		name:     "deepseek",
		regexes:  []string{regexDeepSeek, strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(regexDeepSeek)},
		splitter: splitter{rule: splitDeepSeek},
	},
	{name: "chars", regexes: []string{`[\s\S]`}, splitter: splitter{rule: splitChars}},
	{
		name: "starcoder", splitter: splitter{rule: splitGPT2, lone: true},
		gguf: []string{"starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2"},
	},
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
		first = splitBy(p.regexes[0])
	}
	return marshal(preTokenizer{Type: "Sequence", PreTokenizers: []preTokenizer{first, bytes}})
}

// splitBy is the Split step of an expression.
func splitBy(regex string) preTokenizer {
	no := false
	return preTokenizer{Type: "Split", Pattern: map[string]string{"Regex": regex}, Behavior: string(isolated), Invert: &no}
}
