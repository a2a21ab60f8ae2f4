// Package llama is the Llama family (Touvron et al. 2023, arXiv 2302.13971 and
// 2307.09288; Llama 3, arXiv 2407.21783): RMSNorm before each block, rotary
// positions, SwiGLU, grouped-query attention, no biases. Mistral (Jiang et al.
// 2023, arXiv 2310.06825) is the same with a sliding window; SmolLM and TinyLlama
// are Llamas.
//
// Weight names are those of Hugging Face's LlamaForCausalLM; rotary pairs are
// (i, i+D/2) as there.
package llama

import (
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/nn"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Config is config.json of a Llama or a Mistral.
type Config struct {
	nn.Config
	AttentionBias *bool `json:"attention_bias,omitempty"` // on queries, keys, values and output; Mistral has no such keys
	MLPBias       *bool `json:"mlp_bias,omitempty"`
}

// Default is the configuration that absent keys of a Llama's config.json mean.
func Default() Config {
	var attention, mlp bool
	return Config{AttentionBias: &attention, MLPBias: &mlp, Config: nn.Config{
		ModelType: "llama", Architectures: []string{"LlamaForCausalLM"},
		VocabSize: 32000, MaxPositionEmbeddings: 2048, HiddenSize: 4096, IntermediateSize: 11008,
		NumHiddenLayers: 32, NumAttentionHeads: 32, HiddenAct: "silu", RMSNormEps: 1e-6,
		Rope: nn.Rope{RopeTheta: 10000}, InitializerRange: 0.02,
	}}
}

// Mistral is the configuration that absent keys of a Mistral's config.json mean.
func Mistral() Config {
	c := Default()
	c.AttentionBias, c.MLPBias = nil, nil
	c.ModelType, c.Architectures = "mistral", []string{"MistralForCausalLM"}
	c.MaxPositionEmbeddings, c.IntermediateSize, c.NumKeyValueHeads = 131072, 14336, 8
	c.SlidingWindow = nn.Some(4096)
	return c
}

// Model is a Llama.
type Model struct {
	nn.Decoder
	cfg    Config
	rotary *tensor.Rotary

	Embed  nn.Embedding `weight:"model.embed_tokens"`
	Layers []block      `weight:"model.layers"`
	Norm   nn.RMSNorm   `weight:"model.norm"`
	Head   nn.Linear    `weight:"lm_head"` // empty when tied
}

type block struct {
	InputNorm nn.RMSNorm       `weight:"input_layernorm"`
	Attention nn.SelfAttention `weight:"self_attn"`
	PostNorm  nn.RMSNorm       `weight:"post_attention_layernorm"`
	MLP       nn.GatedMLP      `weight:"mlp"`
}

var _ model.Model = (*Model)(nil)

// New allocates a model with zero weights on b; with a nil b the parameters have
// names and shapes only.
func New(b tensor.Backend, c Config) (*Model, error) {
	if err := c.Validate("silu"); err != nil {
		return nil, err
	}
	rotary, err := c.Turns().Rotary()
	if err != nil {
		return nil, err
	}
	attention, mlp := c.AttentionBias != nil && *c.AttentionBias, c.MLPBias != nil && *c.MLPBias
	m := &Model{cfg: c, rotary: rotary, Layers: make([]block, c.NumHiddenLayers)}
	m.Sees(c.Windows(func(int) bool { return true })) // sliding_window is Mistral's
	m.Embed = nn.NewEmbedding(b, c.VocabSize, c.HiddenSize)
	for i := range m.Layers {
		m.Layers[i] = block{
			InputNorm: nn.NewRMSNorm(b, c.HiddenSize),
			Attention: nn.NewSelfAttention(b, &c.Config, attention, attention),
			PostNorm:  nn.NewRMSNorm(b, c.HiddenSize),
			MLP:       nn.NewGatedMLP(b, c.HiddenSize, c.IntermediateSize, mlp),
		}
	}
	m.Norm = nn.NewRMSNorm(b, c.HiddenSize)
	m.Head = nn.NewHead(b, &c.Config)
	m.Finish(m, &m.cfg.Config, &m.Embed, &m.Head, 0)
	return m, nil
}

// Config is config.json.
func (m *Model) Config() any { return &m.cfg }

// Hidden runs the network.
func (m *Model) Hidden(p *op.Pass, in *model.Input) *op.Value {
	eps, drop := m.cfg.RMSNormEps, nn.Dropper(p, in)
	x := drop(m.Embed.Tokens(p, in))
	attn := nn.NewWindows(in, m.Dims(), m.Windows())
	for i := range m.Layers {
		l := &m.Layers[i]
		x = p.Scope(func() *op.Value {
			h := l.Attention.Attend(p, l.InputNorm.Apply(p, x, eps), i, attn.Layer(i), m.rotary, eps)
			x := l.Attention.O.AddTo(p, x, drop(h))
			h = l.MLP.Gated(p, l.PostNorm.Apply(p, x, eps), tensor.SiLU)
			return l.MLP.Down.AddTo(p, x, drop(h))
		})
	}
	attn.Done()
	return m.Norm.Apply(p, x, eps)
}
