// Package llama is the Llama family (Touvron et al. 2023, arXiv 2302.13971 and
// 2307.09288; Llama 3, arXiv 2407.21783): RMSNorm before each block, rotary
// positions, SwiGLU, grouped-query attention, no biases.
//
// Weight names are those of Hugging Face's LlamaForCausalLM; rotary pairs are
// (i, i+D/2) as there.
package llama

import (
	"fmt"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/nn"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Config is config.json of a Llama.
type Config struct {
	ModelType             string   `json:"model_type"` // "llama"
	Architectures         []string `json:"architectures,omitempty"`
	VocabSize             int      `json:"vocab_size"`
	MaxPositionEmbeddings int      `json:"max_position_embeddings"` // context, tokens
	HiddenSize            int      `json:"hidden_size"`
	IntermediateSize      int      `json:"intermediate_size"`
	NumHiddenLayers       int      `json:"num_hidden_layers"`
	NumAttentionHeads     int      `json:"num_attention_heads"`
	NumKeyValueHeads      int      `json:"num_key_value_heads,omitempty"` // 0: as many as heads
	HeadDim               int      `json:"head_dim,omitempty"`            // 0: hidden_size / heads
	HiddenAct             string   `json:"hidden_act"`
	RMSNormEps            float64  `json:"rms_norm_eps"`
	RopeTheta             float64  `json:"rope_theta"`
	RopeScaling           any      `json:"rope_scaling,omitempty"`
	InitializerRange      float64  `json:"initializer_range"`
	TieWordEmbeddings     bool     `json:"tie_word_embeddings"`
	AttentionBias         bool     `json:"attention_bias"`
	MLPBias               bool     `json:"mlp_bias"`
	TorchDType            string   `json:"torch_dtype,omitempty"`
	BOSTokenID            any      `json:"bos_token_id,omitempty"` // a number or a list
	EOSTokenID            any      `json:"eos_token_id,omitempty"`
	PadTokenID            any      `json:"pad_token_id,omitempty"`
}

// Default is the configuration that absent keys of config.json mean.
func Default() Config {
	return Config{
		ModelType: "llama", Architectures: []string{"LlamaForCausalLM"},
		VocabSize: 32000, MaxPositionEmbeddings: 2048, HiddenSize: 4096, IntermediateSize: 11008,
		NumHiddenLayers: 32, NumAttentionHeads: 32, HiddenAct: "silu", RMSNormEps: 1e-6,
		RopeTheta: 10000, InitializerRange: 0.02,
	}
}

// Validate says which key is impossible and what it may be.
func (c *Config) Validate() error {
	for _, k := range []struct {
		name  string
		value int
	}{
		{"vocab_size", c.VocabSize}, {"max_position_embeddings", c.MaxPositionEmbeddings}, {"hidden_size", c.HiddenSize},
		{"intermediate_size", c.IntermediateSize}, {"num_hidden_layers", c.NumHiddenLayers}, {"num_attention_heads", c.NumAttentionHeads},
	} {
		if k.value <= 0 {
			return fmt.Errorf("%s is %d: it must be positive", k.name, k.value)
		}
	}
	if c.HeadDim == 0 && c.HiddenSize%c.NumAttentionHeads != 0 {
		return fmt.Errorf("num_attention_heads %d does not divide hidden_size %d", c.NumAttentionHeads, c.HiddenSize)
	}
	if k := c.kvHeads(); k <= 0 || c.NumAttentionHeads%k != 0 {
		return fmt.Errorf("num_key_value_heads %d does not divide num_attention_heads %d", k, c.NumAttentionHeads)
	}
	if d := c.headDim(); d <= 0 || d%2 != 0 {
		return fmt.Errorf("head_dim %d: rotary positions need an even head width", d)
	}
	if c.HiddenAct != "silu" {
		return fmt.Errorf("hidden_act %q is unknown: silu is supported", c.HiddenAct)
	}
	if c.RopeScaling != nil {
		return fmt.Errorf("rope_scaling is not supported: only models without it can be loaded")
	}
	return nil
}

func (c *Config) kvHeads() int {
	if c.NumKeyValueHeads != 0 {
		return c.NumKeyValueHeads
	}
	return c.NumAttentionHeads
}

func (c *Config) headDim() int {
	if c.HeadDim != 0 {
		return c.HeadDim
	}
	return c.HiddenSize / c.NumAttentionHeads
}

// Model is a Llama.
type Model struct {
	cfg    Config
	params []*op.Param
	rotary *tensor.Rotary

	Embed  nn.Embedding `weight:"model.embed_tokens"`
	Layers []block      `weight:"model.layers"`
	Norm   nn.RMSNorm   `weight:"model.norm"`
	Head   nn.Linear    `weight:"lm_head"` // empty when tied
}

type block struct {
	InputNorm nn.RMSNorm `weight:"input_layernorm"`
	Q         nn.Linear  `weight:"self_attn.q_proj"`
	K         nn.Linear  `weight:"self_attn.k_proj"`
	V         nn.Linear  `weight:"self_attn.v_proj"`
	O         nn.Linear  `weight:"self_attn.o_proj"`
	PostNorm  nn.RMSNorm `weight:"post_attention_layernorm"`
	Gate      nn.Linear  `weight:"mlp.gate_proj"`
	Up        nn.Linear  `weight:"mlp.up_proj"`
	Down      nn.Linear  `weight:"mlp.down_proj"`
}

var _ model.Model = (*Model)(nil)

// New allocates a model with zero weights on b; with a nil b the parameters have
// names and shapes only.
func New(b tensor.Backend, c Config) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m := &Model{cfg: c, Layers: make([]block, c.NumHiddenLayers)}
	w, hd, kd := c.HiddenSize, c.NumAttentionHeads*c.headDim(), c.kvHeads()*c.headDim()
	m.Embed = nn.NewEmbedding(b, c.VocabSize, w)
	for i := range m.Layers {
		m.Layers[i] = block{
			InputNorm: nn.RMSNorm{W: nn.NewParam(b, w)},
			Q:         nn.NewLinear(b, w, hd, c.AttentionBias),
			K:         nn.NewLinear(b, w, kd, c.AttentionBias),
			V:         nn.NewLinear(b, w, kd, c.AttentionBias),
			O:         nn.NewLinear(b, hd, w, c.AttentionBias),
			PostNorm:  nn.RMSNorm{W: nn.NewParam(b, w)},
			Gate:      nn.NewLinear(b, w, c.IntermediateSize, c.MLPBias),
			Up:        nn.NewLinear(b, w, c.IntermediateSize, c.MLPBias),
			Down:      nn.NewLinear(b, c.IntermediateSize, w, c.MLPBias),
		}
	}
	m.Norm.W = nn.NewParam(b, w)
	if !c.TieWordEmbeddings {
		m.Head.W = nn.NewParam(b, c.VocabSize, w)
	}
	if b != nil {
		m.rotary = op.NewRotary(c.headDim(), c.RopeTheta, false)
	}
	m.params = nn.Params(m)
	return m, nil
}

// Init draws the initial weights: normal with initializer_range, projections
// into the residual stream scaled down as in GPT-2.
func (m *Model) Init(b tensor.Backend, seed uint64) {
	std := m.cfg.InitializerRange
	residual := nn.ResidualStd(std, m.cfg.NumHiddenLayers)
	nn.Normal(b, m.Embed.W, seed, std)
	for i := range m.Layers {
		l := &m.Layers[i]
		nn.Fill(b, l.InputNorm.W, 1)
		nn.Fill(b, l.PostNorm.W, 1)
		for _, w := range []*op.Param{l.Q.W, l.K.W, l.V.W, l.Gate.W, l.Up.W} {
			nn.Normal(b, w, seed, std)
		}
		nn.Normal(b, l.O.W, seed, residual)
		nn.Normal(b, l.Down.W, seed, residual)
	}
	nn.Fill(b, m.Norm.W, 1)
	if m.Head.W != nil {
		nn.Normal(b, m.Head.W, seed, std)
	}
}

// Family is "llama".
func (m *Model) Family() string { return "llama" }

// Config is config.json.
func (m *Model) Config() any { return &m.cfg }

// Params are all parameters.
func (m *Model) Params() []*op.Param { return m.params }

// Unembedding is lm_head, or the token embedding when tied.
func (m *Model) Unembedding() *op.Param {
	if m.Head.W != nil {
		return m.Head.W
	}
	return m.Embed.W
}

// Dims are the model's sizes.
func (m *Model) Dims() model.Dims {
	c := &m.cfg
	return model.Dims{
		Layers: c.NumHiddenLayers, Width: c.HiddenSize, Heads: c.NumAttentionHeads, KVHeads: c.kvHeads(),
		HeadDim: c.headDim(), FF: c.IntermediateSize, Vocab: c.VocabSize, Context: c.MaxPositionEmbeddings,
	}
}

// Hidden runs the network.
func (m *Model) Hidden(p *op.Pass, in *model.Input) *op.Value {
	site := uint64(0) // dropout masks are numbered by place and step
	drop := func(x *op.Value) *op.Value {
		site++
		return op.Dropout(p, x, tensor.Dropout{P: in.Dropout, Seed: in.Seed, Stream: rng.Stream("dropout") ^ in.Step<<16 ^ site})
	}
	eps := m.cfg.RMSNormEps
	x := drop(op.Embedding(p, m.Embed.W, in.IDs))
	attn := nn.NewAttention(in, m.Dims(), 0)
	for i := range m.Layers {
		l := &m.Layers[i]
		x = p.Scope(func() *op.Value {
			h := l.InputNorm.Apply(p, x, eps)
			q := op.RoPE(p, l.Q.Apply(p, h), in.Pos, m.rotary)
			k := op.RoPE(p, l.K.Apply(p, h), in.Pos, m.rotary)
			h = attn.Apply(p, i, q, k, l.V.Apply(p, h))
			x := l.O.AddTo(p, x, drop(h))
			h = l.PostNorm.Apply(p, x, eps)
			h = op.SwiGLU(p, l.Gate.Apply(p, h), l.Up.Apply(p, h))
			return l.Down.AddTo(p, x, drop(h))
		})
	}
	attn.Done()
	return m.Norm.Apply(p, x, eps)
}
