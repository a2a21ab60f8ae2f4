// Package gguf maps what GGUF files call the parts of a model to what Hugging
// Face calls them, in both directions: metadata and config.json, names of
// tensors, and the few tensors that are stored in another order. Each family
// has a Family in a file gguf.go of its own; package zoo collects them.
//
// The facts are those of llama.cpp: gguf-py/gguf/constants.py has the names,
// convert_hf_to_gguf.py the changes to values, src/llama-quant.cpp the mixes of
// formats. Not here: the bytes of files (model/checkpoint) and vocabularies,
// whose metadata text/tokenizer reads.
package gguf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/foundling-lm/foundling/model/checkpoint"
)

// Keys of metadata that belong to no architecture.
const (
	ArchitectureKey = "general.architecture"
	NameKey         = "general.name"
	FileTypeKey     = "general.file_type"
	QuantizationKey = "general.quantization_version"
	BOSKey          = "tokenizer.ggml.bos_token_id"
	EOSKey          = "tokenizer.ggml.eos_token_id"
	EOTKey          = "tokenizer.ggml.eot_token_id" // ends a turn
	EOMKey          = "tokenizer.ggml.eom_token_id" // ends a message, before a tool answers
	PadKey          = "tokenizer.ggml.padding_token_id"
	TemplateKey     = "tokenizer.chat_template"
)

// Family is what GGUF calls the parts of one family of models.
type Family struct {
	ModelType    string // of config.json
	Architecture string // general.architecture; several families may share one
	Keys         []Key
	Names        []Name
	// Fixed are the values of config.json that GGUF has no key for: the runtime
	// assumes them, so a model that has others cannot be written.
	Fixed map[string]any
	// OwnHead says that files must have an unembedding: a tied model's embedding
	// is written twice.
	OwnHead bool
	// Is tells the family from others of the same architecture; nil: it is the
	// one for files that no other wants.
	Is func(md Metadata) bool
	// Read adds to config what needs more than a key.
	Read func(md Metadata, config map[string]any) error
	// Write adds to out what needs more than a key, without the prefix of the
	// architecture.
	Write func(config Values, out map[string]any) error
}

// Key is one number of the configuration by both its names.
type Key struct {
	GGUF     string // without the prefix of the architecture
	HF       string
	Float    bool
	Required bool // an error where a file lacks it; else Absent
	Absent   any  // what a missing key means; nil: the family's default
}

// shared are the keys of all families after Llama.
var shared = []Key{
	{GGUF: "block_count", HF: "num_hidden_layers", Required: true},
	{GGUF: "context_length", HF: "max_position_embeddings", Required: true},
	{GGUF: "embedding_length", HF: "hidden_size", Required: true},
	{GGUF: "feed_forward_length", HF: "intermediate_size", Required: true},
	{GGUF: "attention.head_count", HF: "num_attention_heads", Required: true},
	{GGUF: "attention.head_count_kv", HF: "num_key_value_heads"},
	{GGUF: "attention.layer_norm_rms_epsilon", HF: "rms_norm_eps", Float: true, Required: true},
	{GGUF: "rope.freq_base", HF: "rope_theta", Float: true, Absent: 10000.0},
}

// Names that the families after Llama share.
var (
	Embedding = Name{"token_embd", "model.embed_tokens", Same}
	FinalNorm = Name{"output_norm", "model.norm", Same}
	Head      = Name{"output", "lm_head", Same}
)

// Attention are the projections of a layer; q and k say how rows of queries and
// keys are ordered.
func Attention(q, k Change) []Name {
	return []Name{
		{"blk.*.attn_q", "model.layers.*.self_attn.q_proj", q},
		{"blk.*.attn_k", "model.layers.*.self_attn.k_proj", k},
		{"blk.*.attn_v", "model.layers.*.self_attn.v_proj", Same},
		{"blk.*.attn_output", "model.layers.*.self_attn.o_proj", Same},
	}
}

// HeadNorms are the norms of queries and keys.
func HeadNorms(c Change) []Name {
	return []Name{
		{"blk.*.attn_q_norm", "model.layers.*.self_attn.q_norm", c},
		{"blk.*.attn_k_norm", "model.layers.*.self_attn.k_norm", c},
	}
}

// PreNorms stand before attention and MLP.
func PreNorms() []Name {
	return []Name{
		{"blk.*.attn_norm", "model.layers.*.input_layernorm", Same},
		{"blk.*.ffn_norm", "model.layers.*.post_attention_layernorm", Same},
	}
}

// GatedMLP is the feed-forward part of a layer.
func GatedMLP() []Name {
	return []Name{
		{"blk.*.ffn_gate", "model.layers.*.mlp.gate_proj", Same},
		{"blk.*.ffn_up", "model.layers.*.mlp.up_proj", Same},
		{"blk.*.ffn_down", "model.layers.*.mlp.down_proj", Same},
	}
}

// Decoder is a family with the shared keys and the given names beside embedding,
// final norm and unembedding.
func Decoder(modelType, architecture string, names ...[]Name) Family {
	f := Family{
		ModelType: modelType, Architecture: architecture, Keys: shared,
		Names: []Name{Embedding, FinalNorm, Head}, Fixed: map[string]any{"hidden_act": "silu"},
	}
	for _, n := range names {
		f.Names = append(f.Names, n...)
	}
	return f
}

// With is f with more keys.
func (f Family) With(keys ...Key) Family {
	f.Keys = append(f.Keys[:len(f.Keys):len(f.Keys)], keys...)
	return f
}

// Import reads the metadata of a file: the config.json of its model, and its
// tensors under the names that the model has.
func (f *Family) Import(file *checkpoint.File) (config []byte, weights *Weights, err error) {
	md := Metadata{f.Architecture, file.GGUF(), file}
	c := map[string]any{"model_type": f.ModelType}
	for _, k := range f.Keys {
		if err := k.read(md, c); err != nil {
			return nil, nil, err
		}
	}
	weights, err = newWeights(f, md, c)
	if err != nil {
		return nil, nil, err
	}
	for key, name := range map[string]string{BOSKey: "bos_token_id", EOSKey: "eos_token_id", PadKey: "pad_token_id"} {
		if id, ok := md.ID(key); ok {
			c[name] = id
		}
	}
	if f.isDecoder() {
		if err := importHeads(md, c); err != nil {
			return nil, nil, err
		}
		if err := importRope(md, c); err != nil {
			return nil, nil, err
		}
	}
	if f.Read != nil {
		if err := f.Read(md, c); err != nil {
			return nil, nil, err
		}
	}
	config, err = json.Marshal(c)
	return config, weights, err
}

func (f *Family) isDecoder() bool { return f.Keys[0].HF == shared[0].HF }

// Export is the metadata of a model: general.architecture and the keys of its
// architecture. Config is the model's config.json. What the format has no key
// for is an error.
func (f *Family) Export(config any) (map[string]any, Values, error) {
	c, err := ValuesOf(config)
	if err != nil {
		return nil, nil, err
	}
	for key, want := range f.Fixed {
		if got, ok := c[key]; ok && got != nil && !equal(got, want) {
			return nil, nil, fmt.Errorf("config.json: %s is %v: GGUF files of architecture %s can only hold models with %v", key, got, f.Architecture, want)
		}
	}
	out := map[string]any{}
	for _, k := range f.Keys {
		k.write(c, out)
	}
	if f.isDecoder() {
		d := uint32(c.HeadDim())
		out["attention.key_length"], out["attention.value_length"], out["rope.dimension_count"] = d, d, d
		if p := c.Float("partial_rotary_factor"); p != 0 {
			out["rope.dimension_count"] = uint32(float64(d) * p)
		}
		out["vocab_size"] = uint32(c.Int("vocab_size"))
		if err := exportRope(c, out); err != nil {
			return nil, nil, err
		}
	}
	if f.Write != nil {
		if err := f.Write(c, out); err != nil {
			return nil, nil, fmt.Errorf("config.json: %w", err)
		}
	}
	md := map[string]any{ArchitectureKey: f.Architecture}
	for k, v := range out {
		md[f.Architecture+"."+k] = v
	}
	return md, c, nil
}

// equal compares a value of JSON with one of Go.
func equal(got, want any) bool {
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	return bytes.Equal(a, b)
}

// Find is the family of a file among all.
func Find(all []*Family, file *checkpoint.File) (*Family, error) {
	arch, ok := file.GGUF()[ArchitectureKey].(string)
	if !ok {
		return nil, fmt.Errorf("metadata %q is missing: it is no GGUF file of a model", ArchitectureKey)
	}
	var known []string
	var found *Family
	for _, f := range all {
		if f.Architecture != arch {
			known = append(known, f.Architecture)
			continue
		}
		if f.Is == nil && found == nil || f.Is != nil && f.Is(Metadata{arch, file.GGUF(), file}) {
			found = f
		}
	}
	if found == nil {
		return nil, fmt.Errorf("metadata %q is %q, which is not supported: %s are", ArchitectureKey, arch, strings.Join(sortedUnique(known), ", "))
	}
	return found, nil
}
