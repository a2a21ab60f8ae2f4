package nn

import (
	"encoding/json"
	"fmt"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
)

// Config is the keys of config.json that the families after Llama share; the
// configuration of each embeds it and adds its own.
type Config struct {
	ModelType             string   `json:"model_type"`
	Architectures         []string `json:"architectures,omitempty"`
	VocabSize             int      `json:"vocab_size"`
	MaxPositionEmbeddings int      `json:"max_position_embeddings"` // context, tokens
	HiddenSize            int      `json:"hidden_size"`
	IntermediateSize      int      `json:"intermediate_size"`
	NumHiddenLayers       int      `json:"num_hidden_layers"`
	NumAttentionHeads     int      `json:"num_attention_heads"`
	NumKeyValueHeads      int      `json:"num_key_value_heads,omitempty"` // 0: as many as heads
	HeadDim               int      `json:"head_dim,omitempty"`            // 0: hidden_size / heads
	HiddenAct             string   `json:"hidden_act,omitempty"`
	RMSNormEps            float64  `json:"rms_norm_eps"`
	Rope
	SlidingWindow     Optional `json:"sliding_window,omitzero"` // keys that a token sees in a sliding layer; null: all
	LayerTypes        []string `json:"layer_types,omitempty"`   // "full_attention" or "sliding_attention" for each layer
	InitializerRange  float64  `json:"initializer_range"`
	TieWordEmbeddings bool     `json:"tie_word_embeddings"`
	TorchDType        string   `json:"torch_dtype,omitempty"`
	BOSTokenID        any      `json:"bos_token_id,omitempty"` // a number or a list
	EOSTokenID        any      `json:"eos_token_id,omitempty"`
	PadTokenID        any      `json:"pad_token_id,omitempty"`
}

// Base is the shared part of a family's configuration.
func (c *Config) Base() *Config { return c }

// Sizes beyond these are lies: nothing is allocated for them.
const (
	mostLayers  = 1 << 12
	mostSize    = 1 << 24 // of one dimension
	mostWeights = 1 << 34 // of one matrix
	mostExperts = 1 << 16 // of all layers
)

// Sizes says which of the named widths, vocabularies or lengths is impossible.
func Sizes(names []string, values ...int) error { return within(mostSize, names, values...) }

// Counts says which of the named numbers of layers, heads or experts is
// impossible.
func Counts(names []string, values ...int) error { return within(mostLayers, names, values...) }

// within says which of the named values is not in [1, limit].
func within(limit int, names []string, values ...int) error {
	for i, v := range values {
		if v <= 0 {
			return fmt.Errorf("%s is %d: it must be positive", names[i], v)
		}
		if v > limit {
			return fmt.Errorf("%s is %d: at most %d is possible", names[i], v, limit)
		}
	}
	return nil
}

// Validate says which shared key is impossible and what it may be; act are the
// activations that the family knows.
func (c *Config) Validate(act ...string) error {
	if err := Sizes([]string{"vocab_size", "max_position_embeddings", "hidden_size", "intermediate_size"},
		c.VocabSize, c.MaxPositionEmbeddings, c.HiddenSize, c.IntermediateSize); err != nil {
		return err
	}
	if err := Counts([]string{"num_hidden_layers", "num_attention_heads"}, c.NumHiddenLayers, c.NumAttentionHeads); err != nil {
		return err
	}
	if c.HeadDim == 0 && c.HiddenSize%c.NumAttentionHeads != 0 {
		return fmt.Errorf("num_attention_heads %d does not divide hidden_size %d", c.NumAttentionHeads, c.HiddenSize)
	}
	if k := c.KVHeads(); k <= 0 || c.NumAttentionHeads%k != 0 {
		return fmt.Errorf("num_key_value_heads %d does not divide num_attention_heads %d", k, c.NumAttentionHeads)
	}
	if d := c.HeadWidth(); d <= 0 || d%2 != 0 || d > mostSize/c.NumAttentionHeads {
		return fmt.Errorf("head_dim %d: rotary positions need an even head width, of a possible size", d)
	}
	for _, n := range []int{c.VocabSize, c.IntermediateSize, c.NumAttentionHeads * c.HeadWidth()} {
		if n > mostWeights/c.HiddenSize {
			return fmt.Errorf("a matrix of %d x hidden_size %d is too large: at most %d weights are possible", n, c.HiddenSize, mostWeights)
		}
	}
	if len(act) > 0 {
		if _, err := Activation("hidden_act", c.HiddenAct, act...); err != nil {
			return err
		}
	}
	if !(c.RMSNormEps >= 0) {
		return fmt.Errorf("rms_norm_eps is %g: it must not be negative", c.RMSNormEps)
	}
	if c.LayerTypes != nil && len(c.LayerTypes) != c.NumHiddenLayers {
		return fmt.Errorf("layer_types names %d layers, num_hidden_layers is %d", len(c.LayerTypes), c.NumHiddenLayers)
	}
	for i, t := range c.LayerTypes {
		if t != full && t != sliding {
			return fmt.Errorf("layer_types[%d] is %q: %s and %s are supported", i, t, full, sliding)
		}
		if t == sliding && c.Window() == 0 {
			return fmt.Errorf("layer_types[%d] is %q: sliding_window must say how far it sees", i, t)
		}
	}
	if c.Window() < 0 {
		return fmt.Errorf("sliding_window is %d: it must be positive, or null for none", c.Window())
	}
	return nil
}

const full, sliding = "full_attention", "sliding_attention"

// Activation is the function that a key names, one of the known names.
func Activation(key, name string, known ...string) (tensor.Func, error) {
	for _, k := range known {
		if k == name {
			return functions[name], nil
		}
	}
	return 0, fmt.Errorf("%s %q is unknown: %v is supported", key, name, known)
}

// functions are the activations by their names in config.json.
var functions = map[string]tensor.Func{
	"silu": tensor.SiLU, "gelu": tensor.GELUErf, "gelu_new": tensor.GELUTanh, "gelu_pytorch_tanh": tensor.GELUTanh, "relu": tensor.ReLU,
}

// KVHeads is the number of key/value heads.
func (c *Config) KVHeads() int {
	if c.NumKeyValueHeads != 0 {
		return c.NumKeyValueHeads
	}
	return c.NumAttentionHeads
}

// HeadWidth is the width of a head.
func (c *Config) HeadWidth() int {
	if c.HeadDim != 0 {
		return c.HeadDim
	}
	return c.HiddenSize / c.NumAttentionHeads
}

// Window is sliding_window, 0 for none.
func (c *Config) Window() int { return c.SlidingWindow.n }

// Optional is a number of config.json that may be null. Null is written back as
// null, an absent key stays absent: a reader's default may be neither.
type Optional struct {
	n    int
	null bool
}

// Some is the number n.
func Some(n int) Optional { return Optional{n: n} }

// None is null.
func None() Optional { return Optional{null: true} }

// MarshalJSON writes the number or null.
func (o Optional) MarshalJSON() ([]byte, error) {
	if o.null {
		return []byte("null"), nil
	}
	return json.Marshal(o.n)
}

// UnmarshalJSON reads the number or null.
func (o *Optional) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*o = None()
		return nil
	}
	*o = Optional{}
	return json.Unmarshal(data, &o.n)
}

// Windows is how far back each layer sees (0: no limit): by layer_types, or by
// slides where the file has none.
func (c *Config) Windows(slides func(layer int) bool) []int {
	w := make([]int, c.NumHiddenLayers)
	for i := range w {
		slide := slides(i)
		if c.LayerTypes != nil {
			slide = c.LayerTypes[i] == sliding
		}
		if slide {
			w[i] = c.Window()
		}
	}
	return w
}

// Dims are the model's sizes.
func (c *Config) Dims() model.Dims {
	return model.Dims{
		Layers: c.NumHiddenLayers, Width: c.HiddenSize, Heads: c.NumAttentionHeads, KVHeads: c.KVHeads(),
		HeadDim: c.HeadWidth(), FF: c.IntermediateSize, Vocab: c.VocabSize, Context: c.Turns().Longest(),
	}
}
