// Package zoo is the table of architectures: it makes a model from its
// config.json, or from the sizes that a plan chose, by the family's name. A new
// family is one package and one line in the table.
package zoo

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/gemma2"
	"github.com/foundling-lm/foundling/model/gemma3"
	"github.com/foundling-lm/foundling/model/gpt2"
	"github.com/foundling-lm/foundling/model/llama"
	"github.com/foundling-lm/foundling/model/mixtral"
	"github.com/foundling-lm/foundling/model/nn"
	"github.com/foundling-lm/foundling/model/olmo2"
	"github.com/foundling-lm/foundling/model/phi3"
	"github.com/foundling-lm/foundling/model/qwen2"
	"github.com/foundling-lm/foundling/model/qwen2moe"
	"github.com/foundling-lm/foundling/model/qwen3"
	"github.com/foundling-lm/foundling/model/qwen3moe"
	"github.com/foundling-lm/foundling/tensor"
)

// Trainable is a model that can start from random weights.
type Trainable interface {
	model.Model
	// Init draws the initial weights: a function of the seed alone.
	Init(b tensor.Backend, seed uint64)
}

// Shape is what a plan or the command line says of a new model; zero fields
// take the family's custom.
type Shape struct {
	Family               string // a model_type: see Families
	Layers, Width, Heads int
	KVHeads, FF          int // 0: as heads; 4 * width (gpt2) or about 8/3 * width
	HeadDim              int // 0: width / heads; not gpt2
	Experts              int // of a mixture; 0: 8
	ExpertsPerToken      int // 0: 2
	ExpertFF, SharedFF   int // inner widths; 0: a token's experts are together as wide as FF
	Vocab, Context       int
	Untied               bool  // an unembedding of its own; not gpt2
	BOS, EOS, Pad        int32 // token ids; negative: none
}

type family struct {
	fromConfig func(b tensor.Backend, config []byte) (Trainable, error)
	fromShape  func(b tensor.Backend, s Shape) (Trainable, error)
}

var families = map[string]family{
	"gpt2": {
		func(b tensor.Backend, config []byte) (Trainable, error) {
			c := gpt2.Default()
			if err := decode(config, &c); err != nil {
				return nil, err
			}
			return trainable(gpt2.New(b, c))
		},
		func(b tensor.Backend, s Shape) (Trainable, error) {
			c := gpt2.Default()
			c.VocabSize, c.NPositions, c.NEmbd, c.NLayer, c.NHead, c.NInner = s.Vocab, s.Context, s.Width, s.Layers, s.Heads, s.FF
			c.BOSTokenID, c.EOSTokenID, c.PadTokenID = id(s.BOS), id(s.EOS), id(s.Pad)
			return trainable(gpt2.New(b, c))
		},
	},
	"llama": decoder(llama.Default, llama.New, func(c *llama.Config, _ Shape) { c.RMSNormEps = 1e-5 }),
	"mistral": decoder(llama.Mistral, llama.New, func(c *llama.Config, _ Shape) {
		c.RMSNormEps, c.SlidingWindow = 1e-5, nn.None()
	}),
	"qwen2": decoder(qwen2.Default, qwen2.New, func(*qwen2.Config, Shape) {}),
	"qwen3": decoder(qwen3.Default, qwen3.New, func(*qwen3.Config, Shape) {}),
	"olmo2": decoder(olmo2.Default, olmo2.New, func(*olmo2.Config, Shape) {}),
	"phi3": decoder(phi3.Default, phi3.New, func(c *phi3.Config, s Shape) {
		c.OriginalMaxPositionEmbeddings = s.Context
	}),
	"gemma2": decoder(gemma2.Default, gemma2.New, func(c *gemma2.Config, s Shape) {
		c.SlidingWindow, c.QueryPreAttnScalar = nn.Some(max(1, s.Context/2)), float64(c.HeadWidth())
	}),
	"gemma3_text": decoder(gemma3.Default, gemma3.New, func(c *gemma3.Config, s Shape) {
		c.SlidingWindow, c.QueryPreAttnScalar = nn.Some(max(1, s.Context/2)), float64(c.HeadWidth())
		c.SlidingWindowPattern = min(6, s.Layers) // the last layer sees everything
	}),
	"mixtral": decoder(mixtral.Default, mixtral.New, func(c *mixtral.Config, s Shape) {
		c.NumLocalExperts, c.NumExpertsPerTok = s.experts()
		c.IntermediateSize = cmp.Or(s.ExpertFF, share(c.IntermediateSize, c.NumExpertsPerTok))
	}),
	"qwen2_moe": decoder(qwen2moe.Default, qwen2moe.New, func(c *qwen2moe.Config, s Shape) {
		c.NumExperts, c.NumExpertsPerTok = s.experts()
		c.SharedExpertIntermediateSize = cmp.Or(s.SharedFF, share(c.IntermediateSize, 2))
		c.MoEIntermediateSize = cmp.Or(s.ExpertFF, share(c.IntermediateSize, 2*c.NumExpertsPerTok))
	}),
	"qwen3_moe": decoder(qwen3moe.Default, qwen3moe.New, func(c *qwen3moe.Config, s Shape) {
		c.NumExperts, c.NumExpertsPerTok = s.experts()
		c.MoEIntermediateSize = cmp.Or(s.ExpertFF, share(c.IntermediateSize, c.NumExpertsPerTok))
		c.NormTopKProb = true
	}),
}

// decoder is a family whose configuration embeds nn.Config. adapt gives the keys
// of its own the sizes of a new model.
func decoder[C any, P interface {
	*C
	Base() *nn.Config
}, M Trainable](custom func() C, build func(tensor.Backend, C) (M, error), adapt func(*C, Shape)) family {
	return family{
		func(b tensor.Backend, config []byte) (Trainable, error) {
			c := custom()
			if err := decode(config, &c); err != nil {
				return nil, err
			}
			return trainable(build(b, c))
		},
		func(b tensor.Backend, s Shape) (Trainable, error) {
			c := custom()
			if s.Heads < 1 {
				return nil, fmt.Errorf("%d attention heads: there must be one", s.Heads)
			}
			s.fill(P(&c).Base())
			adapt(&c, s)
			return trainable(build(b, c))
		},
	}
}

// fill writes the sizes of a new model to the shared keys of its configuration.
func (s Shape) fill(c *nn.Config) {
	c.VocabSize, c.MaxPositionEmbeddings, c.HiddenSize, c.NumHiddenLayers = s.Vocab, s.Context, s.Width, s.Layers
	c.NumAttentionHeads, c.NumKeyValueHeads, c.IntermediateSize = s.Heads, s.KVHeads, s.FF
	if c.IntermediateSize == 0 {
		c.IntermediateSize = (s.Width*8/3 + 31) / 32 * 32
	}
	if c.NumKeyValueHeads == 0 {
		c.NumKeyValueHeads = s.Heads
	}
	if c.HeadDim != 0 || s.HeadDim != 0 { // never left to the family's default
		c.HeadDim = cmp.Or(s.HeadDim, s.Width/s.Heads)
	}
	c.TieWordEmbeddings = !s.Untied
	c.BOSTokenID, c.EOSTokenID, c.PadTokenID = any(id(s.BOS)), any(id(s.EOS)), any(id(s.Pad))
}

// experts are those of a layer and of a token.
func (s Shape) experts() (all, each int) {
	all, each = cmp.Or(s.Experts, 8), cmp.Or(s.ExpertsPerToken, 2)
	return all, min(all, each)
}

// share is the inner width of one of n experts that together are as wide as ff.
func share(ff, n int) int { return max(1, (ff/n+7)/8*8) }

// id is a token id of config.json, absent when negative.
func id(n int32) *int32 {
	if n < 0 {
		return nil
	}
	return &n
}

// trainable keeps a nil model out of the interface.
func trainable[M Trainable](m M, err error) (Trainable, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}

func decode(config []byte, c any) error {
	err := json.NewDecoder(bytes.NewReader(config)).Decode(c)
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err
	}
	var key []string // without the names of embedded structs
	for _, part := range strings.Split(wrong.Field, ".") {
		if part != "" && !unicode.IsUpper(rune(part[0])) {
			key = append(key, part)
		}
	}
	name := cmp.Or(strings.Join(key, "."), "the whole")
	return fmt.Errorf("%s is %s: it must be %s", name, cmp.Or(found[wrong.Value], "the "+wrong.Value), wanted[wrong.Type.Kind()])
}

// found are the kinds of values that are there instead; of others the decoder
// gives the value.
var found = map[string]string{"string": "a string", "number": "a number", "array": "a list", "object": "an object", "bool": "true or false"}

// wanted are the kinds of values that config.json has.
var wanted = map[reflect.Kind]string{
	reflect.Int: "a whole number", reflect.Float64: "a number", reflect.String: "a string", reflect.Bool: "true or false",
	reflect.Slice: "a list", reflect.Struct: "an object", reflect.Map: "an object",
}

// Families are the supported model types, sorted.
func Families() []string { return slices.Sorted(maps.Keys(families)) }

// FromConfig makes the model that a config.json describes, with zero weights.
// With a nil backend it has names and shapes only.
func FromConfig(b tensor.Backend, config []byte) (Trainable, error) {
	var head struct {
		ModelType  string          `json:"model_type"`
		TextConfig json.RawMessage `json:"text_config"`
	}
	if err := decode(config, &head); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	if head.ModelType == "gemma3" && head.TextConfig != nil { // the text model of one that sees
		head.ModelType, config = "gemma3_text", head.TextConfig
	}
	f, ok := families[head.ModelType]
	if !ok {
		return nil, fmt.Errorf("config.json: model_type %q is not supported: %s are", head.ModelType, strings.Join(Families(), ", "))
	}
	m, err := f.fromConfig(b, config)
	if err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	return m, nil
}

// FromShape makes a new model of the given sizes, with zero weights. With a nil
// backend it has names and shapes only.
func FromShape(b tensor.Backend, s Shape) (Trainable, error) {
	f, ok := families[s.Family]
	if !ok {
		return nil, fmt.Errorf("architecture %q is not supported: %s are", s.Family, strings.Join(Families(), ", "))
	}
	return f.fromShape(b, s)
}
