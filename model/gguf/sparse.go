package gguf

import (
	"errors"
	"fmt"
)

// ExpertMLPs are the experts of a layer and their gate, as the Qwen families name
// them.
func ExpertMLPs() []Name {
	mlp := "model.layers.*.mlp."
	return []Name{
		{"blk.*.ffn_gate_inp", mlp + "gate", Same},
		{"blk.*.ffn_gate_exps", mlp + "experts.#.gate_proj", Experts},
		{"blk.*.ffn_down_exps", mlp + "experts.#.down_proj", Experts},
		{"blk.*.ffn_up_exps", mlp + "experts.#.up_proj", Experts},
	}
}

// ExpertWidth is a tensor whose rows tell how wide an expert is.
const ExpertWidth = "blk.0.ffn_up_exps.weight"

// Sparse is f with the keys of a model that has experts in every layer. The
// architecture implies norm_topk_prob, which GGUF has no key for. Older files lack
// the widths of config.json; they are those of the tensors.
func (f Family) Sparse(normalised bool, widths map[string]string) Family {
	f = f.With(
		Key{GGUF: "expert_count", HF: "num_experts", Required: true},
		Key{GGUF: "expert_used_count", HF: "num_experts_per_tok", Required: true},
		Key{GGUF: "expert_feed_forward_length", HF: "moe_intermediate_size"},
	)
	f.Read = func(md Metadata, config map[string]any) error {
		config["use_sliding_window"], config["norm_topk_prob"] = false, normalised
		for key, name := range widths {
			t, ok := md.File.Tensor(name)
			if !ok || len(t.Shape) < 2 {
				return fmt.Errorf("tensor %q is missing or no matrix: every layer must have experts", name)
			}
			config[key] = t.Shape[len(t.Shape)-2]
		}
		return nil
	}
	f.Write = func(c Values, _ map[string]any) error {
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
