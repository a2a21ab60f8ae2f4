package zoo

import (
	"fmt"

	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/model/gemma2"
	"github.com/foundling-lm/foundling/model/gemma3"
	"github.com/foundling-lm/foundling/model/gguf"
	"github.com/foundling-lm/foundling/model/gpt2"
	"github.com/foundling-lm/foundling/model/llama"
	"github.com/foundling-lm/foundling/model/mixtral"
	"github.com/foundling-lm/foundling/model/olmo2"
	"github.com/foundling-lm/foundling/model/phi3"
	"github.com/foundling-lm/foundling/model/qwen2"
	"github.com/foundling-lm/foundling/model/qwen2moe"
	"github.com/foundling-lm/foundling/model/qwen3"
	"github.com/foundling-lm/foundling/model/qwen3moe"
	"github.com/foundling-lm/foundling/tensor"
)

// ggufs are what GGUF files call the parts of the families.
func ggufs() []*gguf.Family {
	var out []*gguf.Family
	for _, f := range []gguf.Family{
		gpt2.GGUF(), llama.GGUF(), llama.MistralGGUF(), mixtral.GGUF(), qwen2.GGUF(), qwen3.GGUF(), qwen2moe.GGUF(), qwen3moe.GGUF(),
		gemma2.GGUF(), gemma3.GGUF(), phi3.GGUF(), olmo2.GGUF(),
	} {
		out = append(out, &f)
	}
	return out
}

// FromGGUF makes the model that a GGUF file describes, with zero weights, and
// finds its tensors in the file. With a nil backend it has names and shapes only.
func FromGGUF(b tensor.Backend, f *checkpoint.File) (Trainable, *gguf.Weights, error) {
	family, err := gguf.Find(ggufs(), f)
	if err != nil {
		return nil, nil, err
	}
	config, weights, err := family.Import(f)
	if err != nil {
		return nil, nil, err
	}
	m, err := FromConfig(b, config)
	if err != nil {
		return nil, nil, fmt.Errorf("its metadata as a %w", err)
	}
	return m, weights, nil
}

// GGUF is what GGUF files call the parts of a family.
func GGUF(modelType string) (*gguf.Family, error) {
	for _, f := range ggufs() {
		if f.ModelType == modelType {
			return f, nil
		}
	}
	return nil, fmt.Errorf("models of type %s cannot be written as GGUF", modelType)
}
