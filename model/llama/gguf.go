package llama

import (
	"errors"

	"github.com/foundling-lm/foundling/model/gguf"
)

// GGUF is what GGUF files call the parts of a Llama.
func GGUF() gguf.Family {
	f := gguf.Decoder("llama", "llama", gguf.Attention(gguf.RotaryQ, gguf.RotaryK), gguf.PreNorms(), gguf.GatedMLP())
	f.Read = func(md gguf.Metadata, config map[string]any) error {
		_, config["attention_bias"] = md.File.Tensor("blk.0.attn_q.bias")
		_, config["mlp_bias"] = md.File.Tensor("blk.0.ffn_gate.bias")
		return nil
	}
	return f
}

// MistralGGUF writes a Mistral as the Llama that it is there. A file comes back
// as a Llama: nothing tells them apart.
func MistralGGUF() gguf.Family {
	f := GGUF()
	f.ModelType = "mistral"
	f.Is = func(gguf.Metadata) bool { return false }
	f.Write = func(c gguf.Values, out map[string]any) error {
		if c.Int("sliding_window") != 0 && c.Int("sliding_window") < c.Int("max_position_embeddings") {
			return errors.New("sliding_window: GGUF has no key for that of a Mistral")
		}
		return nil
	}
	return f
}
