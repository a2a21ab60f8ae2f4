package phi3

import (
	"github.com/foundling-lm/foundling/model/gguf"
)

// GGUF is what GGUF files call the parts of a Phi-3.
func GGUF() gguf.Family {
	f := gguf.Decoder("phi3", "phi3", gguf.PreNorms(), []gguf.Name{
		{GGUF: "blk.*.attn_qkv", HF: "model.layers.*.self_attn.qkv_proj"},
		{GGUF: "blk.*.attn_output", HF: "model.layers.*.self_attn.o_proj"},
		{GGUF: "blk.*.ffn_up", HF: "model.layers.*.mlp.gate_up_proj"},
		{GGUF: "blk.*.ffn_down", HF: "model.layers.*.mlp.down_proj"},
	})
	f.Read = func(md gguf.Metadata, config map[string]any) error {
		n, ok, err := md.Int("attention.sliding_window")
		if err != nil {
			return err
		}
		config["sliding_window"] = nil
		if ok && n > 0 {
			config["sliding_window"] = n
		}
		if o, ok, err := md.Int("rope.scaling.original_context_length"); err != nil {
			return err
		} else if ok {
			config["original_max_position_embeddings"] = o
		}
		return nil
	}
	f.Write = func(c gguf.Values, out map[string]any) error {
		out["attention.sliding_window"] = uint32(c.Int("sliding_window"))
		out["rope.scaling.original_context_length"] = uint32(c.Int("original_max_position_embeddings"))
		return nil
	}
	return f
}
