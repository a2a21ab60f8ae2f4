// Package zoo is the table of architectures: it makes a model from its
// config.json, or from the sizes that a plan chose, by the family's name. A new
// family is one package and one line in the table.
package zoo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/gpt2"
	"github.com/foundling-lm/foundling/model/llama"
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
	Family               string // "gpt2", "llama"
	Layers, Width, Heads int
	KVHeads, FF          int // 0: as heads; 4 * width (gpt2) or about 8/3 * width (llama)
	Vocab, Context       int
	Untied               bool  // llama: an unembedding of its own
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
	"llama": {
		func(b tensor.Backend, config []byte) (Trainable, error) {
			c := llama.Default()
			if err := decode(config, &c); err != nil {
				return nil, err
			}
			return trainable(llama.New(b, c))
		},
		func(b tensor.Backend, s Shape) (Trainable, error) {
			c := llama.Default()
			c.VocabSize, c.MaxPositionEmbeddings, c.HiddenSize, c.NumHiddenLayers = s.Vocab, s.Context, s.Width, s.Layers
			c.NumAttentionHeads, c.NumKeyValueHeads, c.IntermediateSize = s.Heads, s.KVHeads, s.FF
			if c.IntermediateSize == 0 {
				c.IntermediateSize = (s.Width*8/3 + 31) / 32 * 32
			}
			c.TieWordEmbeddings, c.RMSNormEps = !s.Untied, 1e-5
			c.BOSTokenID, c.EOSTokenID, c.PadTokenID = any(id(s.BOS)), any(id(s.EOS)), any(id(s.Pad))
			return trainable(llama.New(b, c))
		},
	},
}

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
	if err := json.NewDecoder(bytes.NewReader(config)).Decode(c); err != nil {
		return fmt.Errorf("config.json: %w", err)
	}
	return nil
}

// Families are the supported model types, sorted.
func Families() []string { return slices.Sorted(maps.Keys(families)) }

// FromConfig makes the model that a config.json describes, with zero weights.
// With a nil backend it has names and shapes only.
func FromConfig(b tensor.Backend, config []byte) (Trainable, error) {
	var head struct {
		ModelType string `json:"model_type"`
	}
	if err := decode(config, &head); err != nil {
		return nil, err
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
