package bundle

import "fmt"

// infillTokens are those by which models that fill in know what is before a gap, behind
// it, and where the text for it begins: of Qwen, StarCoder, SantaCoder, CodeLlama and
// DeepSeek.
var infillTokens = [][3]string{
	{"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"},
	{"<fim_prefix>", "<fim_suffix>", "<fim_middle>"},
	{"<fim-prefix>", "<fim-suffix>", "<fim-middle>"},
	{"▁<PRE>", "▁<SUF>", "▁<MID>"},
	{"<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"},
}

// Infill returns the ids after which the model writes what belongs between two texts
// (Bavarian et al. 2022, arXiv 2207.14255, in the order prefix, suffix, middle). A model that has not
// learned that is an error.
func (z *Bundle) Infill(prefix, suffix string) ([]int32, error) {
	if z.Tokenizer == nil {
		return nil, fmt.Errorf("%s has no tokenizer to read text with: %w", z.Dir, z.NoTokens)
	}
	for _, names := range infillTokens {
		var ids [3]int32
		found := 0
		for i, name := range names {
			id, ok := z.Tokenizer.SpecialID(name)
			if !ok {
				id, ok = z.Tokenizer.TokenID(name)
			}
			if ok {
				ids[i], found = id, found+1
			}
		}
		if found < len(names) {
			continue
		}
		out := z.Tokenizer.EncodeAppend(append(z.Start(), ids[0]), prefix)
		out = z.Tokenizer.EncodeAppend(append(out, ids[1]), suffix)
		return append(out, ids[2]), nil
	}
	return nil, fmt.Errorf("the model has no tokens for texts with a gap, such as %s: it did not learn to fill in", infillTokens[0][0])
}
