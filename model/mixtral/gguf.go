package mixtral

import (
	"errors"

	"github.com/foundling-lm/foundling/model/gguf"
)

// GGUF is what GGUF files call the parts of a Mixtral: a Llama with experts.
func GGUF() gguf.Family {
	moe := "model.layers.*.block_sparse_moe."
	f := gguf.Decoder("mixtral", "llama", gguf.Attention(gguf.RotaryQ, gguf.RotaryK), gguf.PreNorms(), []gguf.Name{
		{GGUF: "blk.*.ffn_gate_inp", HF: moe + "gate"},
		{GGUF: "blk.*.ffn_gate_exps", HF: moe + "experts.#.w1", Change: gguf.Experts},
		{GGUF: "blk.*.ffn_down_exps", HF: moe + "experts.#.w2", Change: gguf.Experts},
		{GGUF: "blk.*.ffn_up_exps", HF: moe + "experts.#.w3", Change: gguf.Experts},
	}).With(
		gguf.Key{GGUF: "expert_count", HF: "num_local_experts", Required: true},
		gguf.Key{GGUF: "expert_used_count", HF: "num_experts_per_tok", Required: true},
	)
	f.Is = func(md gguf.Metadata) bool {
		n, _, _ := md.Int("expert_count")
		return n > 0
	}
	f.Read = func(_ gguf.Metadata, config map[string]any) error {
		config["sliding_window"] = nil
		return nil
	}
	f.Write = func(c gguf.Values, out map[string]any) error {
		if c.Int("sliding_window") != 0 && c.Int("sliding_window") < c.Int("max_position_embeddings") {
			return errors.New("sliding_window: GGUF has no key for that of a Mixtral")
		}
		return nil
	}
	return f
}
