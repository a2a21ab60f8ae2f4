// Package olmo2 is OLMo 2 (OLMo team 2024, arXiv 2501.00656, section 2): a Llama
// whose norms stand after attention and MLP, before their results enter the
// residual stream, and which normalises queries and keys over the whole row.
package olmo2

import (
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/nn"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Config is config.json of an OLMo 2.
type Config struct {
	nn.Config
	AttentionBias bool `json:"attention_bias"`
}

// Default is the configuration that absent keys of config.json mean.
func Default() Config {
	return Config{Config: nn.Config{
		ModelType: "olmo2", Architectures: []string{"Olmo2ForCausalLM"},
		VocabSize: 50304, MaxPositionEmbeddings: 2048, HiddenSize: 4096, IntermediateSize: 11008,
		NumHiddenLayers: 32, NumAttentionHeads: 32, HiddenAct: "silu", RMSNormEps: 1e-5,
		Rope: nn.Rope{RopeTheta: 10000}, InitializerRange: 0.02,
	}}
}

// Model is an OLMo 2.
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
	Attention     nn.SelfAttention `weight:"self_attn"`
	AttentionNorm nn.RMSNorm       `weight:"post_attention_layernorm"`
	MLP           nn.GatedMLP      `weight:"mlp"`
	MLPNorm       nn.RMSNorm       `weight:"post_feedforward_layernorm"`
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
	m := &Model{cfg: c, rotary: rotary, Layers: make([]block, c.NumHiddenLayers)}
	m.Embed = nn.NewEmbedding(b, c.VocabSize, c.HiddenSize)
	for i := range m.Layers {
		a := nn.NewSelfAttention(b, &c.Config, c.AttentionBias, c.AttentionBias)
		a.QNorm, a.KNorm = nn.NewRMSNorm(b, a.Q.W.Shape[0]), nn.NewRMSNorm(b, a.K.W.Shape[0])
		m.Layers[i] = block{
			Attention:     a,
			AttentionNorm: nn.NewRMSNorm(b, c.HiddenSize),
			MLP:           nn.NewGatedMLP(b, c.HiddenSize, c.IntermediateSize, false),
			MLPNorm:       nn.NewRMSNorm(b, c.HiddenSize),
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
	attn := nn.NewAttention(in, m.Dims(), 0)
	for i := range m.Layers {
		l := &m.Layers[i]
		x = p.Scope(func() *op.Value {
			h := l.Attention.O.Apply(p, l.Attention.Attend(p, x, i, attn, m.rotary, eps))
			x := op.Add(p, x, drop(l.AttentionNorm.Apply(p, h, eps)))
			h = l.MLP.Apply(p, x, tensor.SiLU)
			return op.Add(p, x, drop(l.MLPNorm.Apply(p, h, eps)))
		})
	}
	attn.Done()
	return m.Norm.Apply(p, x, eps)
}
