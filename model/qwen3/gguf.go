package qwen3

import (
	"errors"

	"github.com/foundling-lm/foundling/model/gguf"
)

// GGUF is what GGUF files call the parts of a Qwen 3.
func GGUF() gguf.Family {
	f := gguf.Decoder("qwen3", "qwen3", gguf.Attention(gguf.Same, gguf.Same), gguf.HeadNorms(gguf.Same), gguf.PreNorms(), gguf.GatedMLP())
	f.Read = func(md gguf.Metadata, config map[string]any) error {
		config["use_sliding_window"] = false
		return nil
	}
	f.Write = func(c gguf.Values, out map[string]any) error {
		if c["use_sliding_window"] == true {
			return errors.New("use_sliding_window: GGUF has no key for it")
		}
		return nil
	}
	return f
}
