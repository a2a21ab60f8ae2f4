package gpt2

import (
	"fmt"

	"github.com/foundling-lm/foundling/model/gguf"
)

// GGUF is what GGUF files call the parts of a GPT-2.
func GGUF() gguf.Family {
	h := "transformer.h.*."
	return gguf.Family{
		ModelType: "gpt2", Architecture: "gpt2",
		Fixed: map[string]any{"activation_function": "gelu_new"},
		Keys: []gguf.Key{
			{GGUF: "block_count", HF: "n_layer", Required: true},
			{GGUF: "context_length", HF: "n_positions", Required: true},
			{GGUF: "embedding_length", HF: "n_embd", Required: true},
			{GGUF: "feed_forward_length", HF: "n_inner"},
			{GGUF: "attention.head_count", HF: "n_head", Required: true},
			{GGUF: "attention.layer_norm_epsilon", HF: "layer_norm_epsilon", Float: true, Required: true},
		},
		Names: []gguf.Name{
			{GGUF: "token_embd", HF: "transformer.wte"},
			{GGUF: "position_embd", HF: "transformer.wpe"},
			{GGUF: "blk.*.attn_norm", HF: h + "ln_1"},
			{GGUF: "blk.*.attn_qkv", HF: h + "attn.c_attn", Change: gguf.Transposed},
			{GGUF: "blk.*.attn_output", HF: h + "attn.c_proj", Change: gguf.Transposed},
			{GGUF: "blk.*.ffn_norm", HF: h + "ln_2"},
			{GGUF: "blk.*.ffn_up", HF: h + "mlp.c_fc", Change: gguf.Transposed},
			{GGUF: "blk.*.ffn_down", HF: h + "mlp.c_proj", Change: gguf.Transposed},
			{GGUF: "output_norm", HF: "transformer.ln_f"},
		},
		Read: func(md gguf.Metadata, config map[string]any) error {
			if config["tie_word_embeddings"] == false {
				return fmt.Errorf(`tensor "output.weight" differs from the embedding: GPT-2 has no separate unembedding here`)
			}
			return nil
		},
		Write: func(c gguf.Values, out map[string]any) error {
			out["vocab_size"] = uint32(c.Int("vocab_size"))
			if c.Int("n_inner") == 0 {
				out["feed_forward_length"] = uint32(4 * c.Int("n_embd"))
			}
			return nil
		},
	}
}
