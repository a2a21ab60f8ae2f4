package qwen3moe

import "github.com/foundling-lm/foundling/model/gguf"

// GGUF is what GGUF files call the parts of the family.
func GGUF() gguf.Family {
	f := gguf.Decoder("qwen3_moe", "qwen3moe", gguf.Attention(gguf.Same, gguf.Same), gguf.HeadNorms(gguf.Same), gguf.PreNorms(), gguf.ExpertMLPs())
	return f.Sparse(true, map[string]string{"moe_intermediate_size": gguf.ExpertWidth})
}
