// Package qwen3 is the dense Qwen 3 (Yang et al. 2025, arXiv 2505.09388): a Llama
// whose queries and keys are normalised head by head before they turn, with a
// head width of its own and a sliding window in its upper layers where the file
// asks for it.
package qwen3

import (
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/nn"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Config is config.json of a Qwen 3.
type Config struct {
	nn.Config
	AttentionBias    bool `json:"attention_bias"`
	UseSlidingWindow bool `json:"use_sliding_window"`
	MaxWindowLayers  int  `json:"max_window_layers"` // layers below see everything
}

// Default is the configuration that absent keys of config.json mean.
func Default() Config {
	return Config{MaxWindowLayers: 28, Config: nn.Config{
		ModelType: "qwen3", Architectures: []string{"Qwen3ForCausalLM"},
		VocabSize: 151936, MaxPositionEmbeddings: 32768, HiddenSize: 4096, IntermediateSize: 22016,
		NumHiddenLayers: 32, NumAttentionHeads: 32, NumKeyValueHeads: 32, HeadDim: 128, HiddenAct: "silu", RMSNormEps: 1e-6,
		Rope: nn.Rope{RopeTheta: 10000}, SlidingWindow: nn.Some(4096), InitializerRange: 0.02,
	}}
}

// Model is a Qwen 3.
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
	m := &Model{cfg: c, rotary: rotary, Layers: make([]block, c.NumHiddenLayers)}
	m.Sees(c.Windows(func(i int) bool { return c.UseSlidingWindow && i >= c.MaxWindowLayers }))
	m.Embed = nn.NewEmbedding(b, c.VocabSize, c.HiddenSize)
	for i := range m.Layers {
		a := nn.NewSelfAttention(b, &c.Config, c.AttentionBias, c.AttentionBias)
		a.QNorm, a.KNorm = nn.NewRMSNorm(b, c.HeadWidth()), nn.NewRMSNorm(b, c.HeadWidth())
		m.Layers[i] = block{
			InputNorm: nn.NewRMSNorm(b, c.HiddenSize),
			Attention: a,
			PostNorm:  nn.NewRMSNorm(b, c.HiddenSize),
			MLP:       nn.NewGatedMLP(b, c.HiddenSize, c.IntermediateSize, false),
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
