package olmo2

import "github.com/foundling-lm/foundling/model/gguf"

// GGUF is what GGUF files call the parts of an OLMo 2.
func GGUF() gguf.Family {
	f := gguf.Decoder("olmo2", "olmo2", gguf.Attention(gguf.Same, gguf.Same), gguf.HeadNorms(gguf.Same), gguf.GatedMLP(), []gguf.Name{
		{GGUF: "blk.*.post_attention_norm", HF: "model.layers.*.post_attention_layernorm"},
		{GGUF: "blk.*.post_ffw_norm", HF: "model.layers.*.post_feedforward_layernorm"},
	})
	f.Fixed["attention_bias"], f.OwnHead = false, true
	return f
}
