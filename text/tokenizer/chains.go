package tokenizer

import (
	"encoding/json"
	"slices"
)

// chained are pre-tokenisers that cut in several steps, and those that only the
// slow engine can match, by the names of tokenizer.ggml.pre. Each expression
// cuts what the one before left; matches and the text between them are pieces
// (ggml-org/llama.cpp, llama-vocab.cpp; the tokenizer.json files of DeepSeek).
var chained = []struct {
	names   []string
	regexes []string
}{
	{[]string{"deepseek-llm"}, []string{regexLineEnd, regexCased, regexCasedMarks, `\s+$`, regexCJK, `\p{N}+`}},
	{[]string{"deepseek-coder"}, []string{regexLineEnd, `\s?\p{L}+`, `\s?\p{P}+`, regexCJK, `\p{N}`}},
	{[]string{"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"}, []string{`\p{N}{1,3}`, regexKana, regexDeepSeek}},
	{[]string{"falcon"}, []string{"[\\p{P}\\$\\+<=>\\^~\\|`]+", regexGPT2, `[0-9][0-9][0-9]`}},
	{[]string{"default"}, []string{`[\p{P}\$\+<=>\^~\|]+`, regexGPT2, `\p{N}+`, `[0-9][0-9][0-9]`}},
	{[]string{"bloom", "poro-chat", "gpt3-finnish"}, []string{regexBloom}},
	{[]string{"viking"}, []string{regexBloom, `\p{N}`}},
	{[]string{"laguna"}, []string{`[^\n]+|[\n]+`, regexQwen2}},
	{[]string{"minicpm5"}, []string{`\p{N}{1,3}`, regexMiniCPM}},
	{[]string{"jais-2"}, []string{`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}`}},
	{[]string{"exaone-moe"}, []string{`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+`}},
	{[]string{"tiny_aya", "cohere2moe"}, []string{`\d{1,3}(?=(?:\d{3})*\b)`, regexGPT4o}},
	{[]string{"superbpe"}, []string{`\p{N}+`, `(?=(\d{3})+(?!\d))`}},
	{[]string{"chameleon"}, []string{`<sentinel:[0-9]+>`, `(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z`, `([\t\n]|    |  )`, `\p{N}`, "[\\p{P}!-/:-@\\[-`{-~]", regexGPT2}},
}

// Expressions of the chains.
const (
	regexLineEnd    = `[\r\n]`
	regexCasedMarks = "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"
	regexCJK        = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
	regexKana       = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
	regexBloom      = " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"
	regexMiniCPM    = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// regexCased is a run of letters of scripts with upper and lower case, as of
// Unicode 12.
const regexCased = "\\s?[A-Za-z" +
	"\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373" +
	"\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481" +
	"\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf" +
	"\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d" +
	"\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4" +
	"\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107" +
	"\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f" +
	"\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d" +
	"\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17" +
	"\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb" +
	"\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943" +
	"]+"

// ggufSteps returns the pre-tokeniser of a name of tokenizer.ggml.pre, and its
// form in tokenizer.json.
func ggufSteps(name string) (steps []step, raw json.RawMessage, ok bool) {
	for i := range patterns {
		if slices.Contains(patterns[i].gguf, name) {
			return patterns[i].steps(), patterns[i].raw(), true
		}
	}
	for _, c := range chained {
		if slices.Contains(c.names, name) {
			no := false
			var all []preTokenizer
			for _, regex := range c.regexes {
				all = append(all, splitBy(regex))
			}
			all = append(all, preTokenizer{Type: "ByteLevel", AddPrefixSpace: &no, TrimOffsets: &no, UseRegex: &no})
			return mustSteps(c.regexes), marshal(preTokenizer{Type: "Sequence", PreTokenizers: all}), true
		}
	}
	return nil, nil, false
}

// ggufNames lists the names that ggufSteps knows.
func ggufNames() (names []string) {
	for i := range patterns {
		names = append(names, patterns[i].gguf...)
	}
	for _, c := range chained {
		names = append(names, c.names...)
	}
	slices.Sort(names)
	return names
}

// mustSteps makes steps of expressions that are known to be right.
func mustSteps(regexes []string) (steps []step) {
	for _, regex := range regexes {
		c, err := cutterOf(regex, isolated, false)
		if err != nil {
			panic("tokenizer: " + regex + ": " + err.Error())
		}
		steps = append(steps, step{cut: c})
	}
	return steps
}
