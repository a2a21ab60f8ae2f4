package gemma2

import (
	"fmt"

	"github.com/foundling-lm/foundling/model/gguf"
)

// GGUF is what GGUF files call the parts of a Gemma 2.
func GGUF() gguf.Family {
	layer := "model.layers.*."
	f := gguf.Decoder("gemma2", "gemma2", gguf.Attention(gguf.Same, gguf.Same), gguf.GatedMLP(), []gguf.Name{
		{GGUF: "blk.*.attn_norm", HF: layer + "input_layernorm", Change: gguf.PlusOne},
		{GGUF: "blk.*.post_attention_norm", HF: layer + "post_attention_layernorm", Change: gguf.PlusOne},
		{GGUF: "blk.*.ffn_norm", HF: layer + "pre_feedforward_layernorm", Change: gguf.PlusOne},
		{GGUF: "blk.*.post_ffw_norm", HF: layer + "post_feedforward_layernorm", Change: gguf.PlusOne},
	}).With(
		gguf.Key{GGUF: "attention.sliding_window", HF: "sliding_window"},
		gguf.Key{GGUF: "attn_logit_softcapping", HF: "attn_logit_softcapping", Float: true},
		gguf.Key{GGUF: "final_logit_softcapping", HF: "final_logit_softcapping", Float: true},
	)
	for i := range f.Names {
		if f.Names[i].GGUF == gguf.FinalNorm.GGUF {
			f.Names[i].Change = gguf.PlusOne
		}
	}
	f.Fixed = map[string]any{"hidden_activation": "gelu_pytorch_tanh", "attention_bias": false}
	f.Read = func(_ gguf.Metadata, config map[string]any) error {
		c := gguf.Values{}
		for k, v := range config {
			if n, ok := v.(int); ok {
				c[k] = float64(n)
			}
		}
		config["query_pre_attn_scalar"] = scalar(c)
		return nil
	}
	f.Write = func(c gguf.Values, out map[string]any) error {
		if got, want := c.Float("query_pre_attn_scalar"), scalar(c); got != want {
			return fmt.Errorf("query_pre_attn_scalar is %g: GGUF files of such a model mean %g", got, want)
		}
		for _, key := range []string{"attn_logit_softcapping", "final_logit_softcapping"} {
			if c[key] == nil {
				return fmt.Errorf("%s is null: GGUF files of this architecture have one", key)
			}
		}
		if c["layer_types"] != nil && !alternating(c["layer_types"]) {
			return fmt.Errorf("layer_types: GGUF files of this architecture mean every other layer")
		}
		return nil
	}
	return f
}

// scalar is query_pre_attn_scalar, which GGUF has no key for: the width of a
// head, but in the largest model the width that heads would have if they shared
// the model's.
func scalar(c gguf.Values) float64 {
	if q, _ := c.Heads(); c.Int("num_hidden_layers") == 46 && q > 0 {
		return float64(c.Int("hidden_size") / q)
	}
	return float64(c.HeadDim())
}

func alternating(types any) bool {
	list, _ := types.([]any)
	for i, t := range list {
		if want := []string{"sliding_attention", "full_attention"}[i%2]; t != want {
			return false
		}
	}
	return true
}
