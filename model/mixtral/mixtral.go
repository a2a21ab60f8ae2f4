// Package mixtral is Mixtral (Jiang et al. 2024, arXiv 2401.04088): a Mistral whose
// MLPs are mixtures of experts. A token goes to the best two of eight, weighted
// by the softmax over those two (eq. 2: the softmax over all, normalised, is the
// same).
package mixtral

import (
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/nn"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Config is config.json of a Mixtral.
type Config struct {
	nn.Config
	NumLocalExperts   int     `json:"num_local_experts"`
	NumExpertsPerTok  int     `json:"num_experts_per_tok"`
	RouterAuxLossCoef float64 `json:"router_aux_loss_coef"` // of the load-balancing loss in training
}

// Default is the configuration that absent keys of config.json mean.
func Default() Config {
	return Config{NumLocalExperts: 8, NumExpertsPerTok: 2, RouterAuxLossCoef: 0.001, Config: nn.Config{
		ModelType: "mixtral", Architectures: []string{"MixtralForCausalLM"},
		VocabSize: 32000, MaxPositionEmbeddings: 131072, HiddenSize: 4096, IntermediateSize: 14336,
		NumHiddenLayers: 32, NumAttentionHeads: 32, NumKeyValueHeads: 8, HiddenAct: "silu", RMSNormEps: 1e-5,
		Rope: nn.Rope{RopeTheta: 1e6}, InitializerRange: 0.02,
	}}
}

func (c *Config) mixture() nn.Mixture {
	return nn.Mixture{
		Experts: c.NumLocalExperts, K: c.NumExpertsPerTok, Normalise: true,
		Balance: c.RouterAuxLossCoef / float64(c.NumHiddenLayers),
	}
}

// Model is a Mixtral.
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
	Gate      nn.Linear        `weight:"block_sparse_moe.gate"`
	Experts   []expert         `weight:"block_sparse_moe.experts"`
}

// expert is w2(silu(w1 x) * w3 x).
type expert struct {
	W1 nn.Linear `weight:"w1"`
	W2 nn.Linear `weight:"w2"`
	W3 nn.Linear `weight:"w3"`
}

var _ model.Model = (*Model)(nil)

// New allocates a model with zero weights on b; with a nil b the parameters have
// names and shapes only.
func New(b tensor.Backend, c Config) (*Model, error) {
	if err := c.Validate("silu"); err != nil {
		return nil, err
	}
	if err := c.mixture().Validate(c.NumHiddenLayers, "num_local_experts", "num_experts_per_tok"); err != nil {
		return nil, err
	}
	rotary, err := c.Turns().Rotary()
	if err != nil {
		return nil, err
	}
	m := &Model{cfg: c, rotary: rotary, Layers: make([]block, c.NumHiddenLayers)}
	m.Sees(c.Windows(func(int) bool { return true }))
	m.Embed = nn.NewEmbedding(b, c.VocabSize, c.HiddenSize)
	for i := range m.Layers {
		m.Layers[i] = block{
			InputNorm: nn.NewRMSNorm(b, c.HiddenSize),
			Attention: nn.NewSelfAttention(b, &c.Config, false, false),
			PostNorm:  nn.NewRMSNorm(b, c.HiddenSize),
			Gate:      nn.NewLinear(b, c.HiddenSize, c.NumLocalExperts, false),
			Experts:   make([]expert, c.NumLocalExperts),
		}
		for e := range m.Layers[i].Experts {
			m.Layers[i].Experts[e] = expert{
				W1: nn.NewLinear(b, c.HiddenSize, c.IntermediateSize, false),
				W2: nn.NewLinear(b, c.IntermediateSize, c.HiddenSize, false),
				W3: nn.NewLinear(b, c.HiddenSize, c.IntermediateSize, false),
			}
		}
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
	d.Experts, d.ExpertsPerToken = m.cfg.NumLocalExperts, m.cfg.NumExpertsPerTok
	return d
}

// Hidden runs the network.
func (m *Model) Hidden(p *op.Pass, in *model.Input) *op.Value {
	eps, drop := m.cfg.RMSNormEps, nn.Dropper(p, in)
	x := drop(m.Embed.Tokens(p, in))
	mixture := m.cfg.mixture()
	attn := nn.NewWindows(in, m.Dims(), m.Windows())
	for i := range m.Layers {
		l := &m.Layers[i]
		x = p.Scope(func() *op.Value {
			h := l.Attention.Attend(p, l.InputNorm.Apply(p, x, eps), i, attn.Layer(i), m.rotary, eps)
			x := l.Attention.O.AddTo(p, x, drop(h))
			h = mixture.Apply(p, in, l.PostNorm.Apply(p, x, eps), &l.Gate, func(e int, x *op.Value) *op.Value {
				w := &l.Experts[e]
				return w.W2.Apply(p, op.SwiGLU(p, w.W1.Apply(p, x), w.W3.Apply(p, x)))
			})
			return op.Add(p, x, drop(h))
		})
	}
	attn.Done()
	return m.Norm.Apply(p, x, eps)
}
