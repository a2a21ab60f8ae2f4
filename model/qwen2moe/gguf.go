package qwen2moe

import "github.com/foundling-lm/foundling/model/gguf"

// GGUF is what GGUF files call the parts of the family.
func GGUF() gguf.Family {
	mlp := "model.layers.*.mlp."
	f := gguf.Decoder("qwen2_moe", "qwen2moe", gguf.Attention(gguf.Same, gguf.Same), gguf.PreNorms(), gguf.ExpertMLPs(), []gguf.Name{
		{GGUF: "blk.*.ffn_gate_inp_shexp", HF: mlp + "shared_expert_gate", Change: gguf.Flat},
		{GGUF: "blk.*.ffn_gate_shexp", HF: mlp + "shared_expert.gate_proj"},
		{GGUF: "blk.*.ffn_down_shexp", HF: mlp + "shared_expert.down_proj"},
		{GGUF: "blk.*.ffn_up_shexp", HF: mlp + "shared_expert.up_proj"},
	}).With(
		gguf.Key{GGUF: "expert_shared_feed_forward_length", HF: "shared_expert_intermediate_size"},
	)
	f.OwnHead = true
	return f.Sparse(false, map[string]string{
		"moe_intermediate_size": gguf.ExpertWidth, "shared_expert_intermediate_size": "blk.0.ffn_up_shexp.weight",
	})
}
