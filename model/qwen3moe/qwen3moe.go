// Package qwen3moe is Qwen 3's mixture of experts (Yang et al. 2025, arXiv
// 2505.09388): a Qwen 3 whose MLPs are many small experts, without a shared one;
// the weights of the chosen experts are normalised where the file says so, as
// all published ones do.
package qwen3moe

import (
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/nn"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Config is config.json of a Qwen 3 MoE.
type Config struct {
	nn.Config
	nn.Sparse
	UseSlidingWindow bool `json:"use_sliding_window"`
	AttentionBias    bool `json:"attention_bias"`
}

// Default is the configuration that absent keys of config.json mean.
func Default() Config {
	return Config{
		Config: nn.Config{
			ModelType: "qwen3_moe", Architectures: []string{"Qwen3MoeForCausalLM"},
			VocabSize: 151936, MaxPositionEmbeddings: 32768, HiddenSize: 2048, IntermediateSize: 6144,
			NumHiddenLayers: 24, NumAttentionHeads: 32, NumKeyValueHeads: 4, HiddenAct: "silu", RMSNormEps: 1e-6,
			Rope: nn.Rope{RopeTheta: 10000}, SlidingWindow: nn.Some(4096), InitializerRange: 0.02,
		},
		Sparse: nn.Sparse{
			NumExperts: 128, NumExpertsPerTok: 8, MoEIntermediateSize: 768, DecoderSparseStep: 1, RouterAuxLossCoef: 0.001,
		},
	}
}

// Validate says which key is impossible and what it may be.
func (c *Config) Validate() error {
	if err := c.Config.Validate("silu"); err != nil {
		return err
	}
	return c.ValidateSparse(c.NumHiddenLayers)
}

// Model is a Qwen 3 MoE.
type Model struct {
	nn.Decoder
	cfg    Config
	rotary *tensor.Rotary

	Embed  nn.Embedding `weight:"model.embed_tokens"`
	Layers []block      `weight:"model.layers"`
	Norm   nn.RMSNorm   `weight:"model.norm"`
	Head   nn.Linear    `weight:"lm_head"` // empty when tied
}

// block has a dense MLP or a mixture.
type block struct {
	InputNorm nn.RMSNorm       `weight:"input_layernorm"`
	Attention nn.SelfAttention `weight:"self_attn"`
	PostNorm  nn.RMSNorm       `weight:"post_attention_layernorm"`
	MLP       nn.GatedMLP      `weight:"mlp"`
	Experts   nn.Experts       `weight:"mlp"`
}

var _ model.Model = (*Model)(nil)

// New allocates a model with zero weights on b; with a nil b the parameters have
// names and shapes only.
func New(b tensor.Backend, c Config) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	rotary, err := c.Turns().Rotary()
	if err != nil {
		return nil, err
	}
	m := &Model{cfg: c, rotary: rotary, Layers: make([]block, c.NumHiddenLayers)}
	m.Sees(c.Windows(func(int) bool { return c.UseSlidingWindow }))
	m.Embed = nn.NewEmbedding(b, c.VocabSize, c.HiddenSize)
	for i := range m.Layers {
		a := nn.NewSelfAttention(b, &c.Config, c.AttentionBias, c.AttentionBias)
		a.QNorm, a.KNorm = nn.NewRMSNorm(b, c.HeadWidth()), nn.NewRMSNorm(b, c.HeadWidth())
		m.Layers[i] = block{
			InputNorm: nn.NewRMSNorm(b, c.HiddenSize),
			Attention: a,
			PostNorm:  nn.NewRMSNorm(b, c.HiddenSize),
		}
		l := &m.Layers[i]
		if !c.Has(i) {
			l.MLP = nn.NewGatedMLP(b, c.HiddenSize, c.IntermediateSize, false)
			continue
		}
		l.Experts = nn.NewExperts(b, c.HiddenSize, &c.Sparse)
	}
	m.Norm = nn.NewRMSNorm(b, c.HiddenSize)
	m.Head = nn.NewHead(b, &c.Config)
	m.Finish(m, &m.cfg.Config, &m.Embed, &m.Head, 0)
	return m, nil
}

// Config is config.json.
func (m *Model) Config() any { return &m.cfg }

// Dims are the model's sizes.
func (m *Model) Dims() model.Dims {
	d := m.Decoder.Dims()
	d.Experts, d.ExpertsPerToken = m.cfg.NumExperts, m.cfg.NumExpertsPerTok
	return d
}

// Hidden runs the network.
func (m *Model) Hidden(p *op.Pass, in *model.Input) *op.Value {
	eps, drop := m.cfg.RMSNormEps, nn.Dropper(p, in)
	x := drop(m.Embed.Tokens(p, in))
	mixture := m.cfg.Mixture(m.cfg.NumHiddenLayers)
	attn := nn.NewWindows(in, m.Dims(), m.Windows())
	for i := range m.Layers {
		l := &m.Layers[i]
		x = p.Scope(func() *op.Value {
			h := l.Attention.Attend(p, l.InputNorm.Apply(p, x, eps), i, attn.Layer(i), m.rotary, eps)
			x := l.Attention.O.AddTo(p, x, drop(h))
			h = l.PostNorm.Apply(p, x, eps)
			if l.Experts.Each == nil {
				return l.MLP.Down.AddTo(p, x, drop(l.MLP.Gated(p, h, tensor.SiLU)))
			}
			return op.Add(p, x, drop(l.Experts.Apply(p, in, h, mixture)))
		})
	}
	attn.Done()
	return m.Norm.Apply(p, x, eps)
}
