package qwen2moe

import (
	"errors"
	"fmt"

	"github.com/foundling-lm/foundling/model/gguf"
)

// GGUF is what GGUF files call the parts of the family.
func GGUF() gguf.Family {
	mlp := "model.layers.*.mlp."
	f := gguf.Decoder("qwen2_moe", "qwen2moe", gguf.Attention(gguf.Same, gguf.Same), gguf.PreNorms(), []gguf.Name{
		{GGUF: "blk.*.ffn_gate_inp", HF: mlp + "gate"},
		{GGUF: "blk.*.ffn_gate_exps", HF: mlp + "experts.#.gate_proj", Change: gguf.Experts},
		{GGUF: "blk.*.ffn_down_exps", HF: mlp + "experts.#.down_proj", Change: gguf.Experts},
		{GGUF: "blk.*.ffn_up_exps", HF: mlp + "experts.#.up_proj", Change: gguf.Experts},
		{GGUF: "blk.*.ffn_gate_inp_shexp", HF: mlp + "shared_expert_gate", Change: gguf.Flat},
		{GGUF: "blk.*.ffn_gate_shexp", HF: mlp + "shared_expert.gate_proj"},
		{GGUF: "blk.*.ffn_down_shexp", HF: mlp + "shared_expert.down_proj"},
		{GGUF: "blk.*.ffn_up_shexp", HF: mlp + "shared_expert.up_proj"},
	}).With(
		gguf.Key{GGUF: "expert_count", HF: "num_experts", Required: true},
		gguf.Key{GGUF: "expert_used_count", HF: "num_experts_per_tok", Required: true},
		gguf.Key{GGUF: "expert_feed_forward_length", HF: "moe_intermediate_size"},
		gguf.Key{GGUF: "expert_shared_feed_forward_length", HF: "shared_expert_intermediate_size"},
	)
	f.OwnHead = true
	f.Read = func(md gguf.Metadata, config map[string]any) error {
		config["use_sliding_window"], config["norm_topk_prob"] = false, normalised
		// Older files do not say how wide an expert is.
		for key, name := range map[string]string{
			"shared_expert_intermediate_size": "blk.0.ffn_up_shexp.weight",
			"moe_intermediate_size":           "blk.0.ffn_up_exps.weight",
		} {
			t, ok := md.File.Tensor(name)
			if !ok || len(t.Shape) < 2 {
				return fmt.Errorf("tensor %q is missing or no matrix: every layer must have experts", name)
			}
			config[key] = t.Shape[len(t.Shape)-2]
		}
		return nil
	}
	f.Write = func(c gguf.Values, out map[string]any) error {
		switch {
		case c["use_sliding_window"] == true:
			return errors.New("use_sliding_window: GGUF has no key for it")
		case c.Int("decoder_sparse_step") != 1 || c["mlp_only_layers"] != nil:
			return errors.New("decoder_sparse_step, mlp_only_layers: GGUF files have experts in every layer")
		case c["norm_topk_prob"] != normalised:
			return fmt.Errorf("norm_topk_prob is %v: GGUF files of this architecture mean %v", c["norm_topk_prob"], normalised)
		}
		return nil
	}
	return f
}

// normalised is norm_topk_prob, which GGUF has no key for.
const normalised = false
