// Package gemma2 is Gemma 2 (Gemma team 2024, arXiv 2408.00118, section 2): norms
// before and after attention and MLP with a scale of 1 + w, GeGLU, embeddings
// times the root of the width, scores and logits soft-capped, and every other
// layer with a sliding window.
package gemma2

import (
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/nn"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Config is config.json of a Gemma 2.
type Config struct {
	nn.Config
	HiddenActivation      string   `json:"hidden_activation"`
	AttentionBias         bool     `json:"attention_bias"`
	QueryPreAttnScalar    float64  `json:"query_pre_attn_scalar"` // scores are divided by its root
	AttnLogitSoftcapping  *float64 `json:"attn_logit_softcapping"`
	FinalLogitSoftcapping *float64 `json:"final_logit_softcapping"`
}

// Default is the configuration that absent keys of config.json mean.
func Default() Config {
	scores, logits := 50.0, 30.0
	return Config{
		Config: nn.Config{
			ModelType: "gemma2", Architectures: []string{"Gemma2ForCausalLM"},
			VocabSize: 256000, MaxPositionEmbeddings: 8192, HiddenSize: 2304, IntermediateSize: 9216,
			NumHiddenLayers: 26, NumAttentionHeads: 8, NumKeyValueHeads: 4, HeadDim: 256, RMSNormEps: 1e-6,
			Rope: nn.Rope{RopeTheta: 10000}, SlidingWindow: nn.Some(4096), InitializerRange: 0.02, TieWordEmbeddings: true,
		},
		HiddenActivation: "gelu_pytorch_tanh", QueryPreAttnScalar: 256,
		AttnLogitSoftcapping: &scores, FinalLogitSoftcapping: &logits,
	}
}

// Validate says which key is impossible and what it may be.
func (c *Config) Validate() error {
	if err := c.Config.Validate(); err != nil {
		return err
	}
	if _, err := nn.Activation("hidden_activation", c.HiddenActivation, "gelu_pytorch_tanh"); err != nil {
		return err
	}
	if !(c.QueryPreAttnScalar > 0) {
		return fmt.Errorf("query_pre_attn_scalar is %g: it must be positive", c.QueryPreAttnScalar)
	}
	for name, limit := range map[string]*float64{"attn_logit_softcapping": c.AttnLogitSoftcapping, "final_logit_softcapping": c.FinalLogitSoftcapping} {
		if limit != nil && !(*limit > 0) {
			return fmt.Errorf("%s is %g: it must be positive, or null for none", name, *limit)
		}
	}
	return nil
}

// limit is a soft cap, 0 for none.
func limit(c *float64) float64 {
	if c == nil {
		return 0
	}
	return *c
}

// Model is a Gemma 2.
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
	PreMLP    nn.RMSNorm       `weight:"pre_feedforward_layernorm"`
	MLP       nn.GatedMLP      `weight:"mlp"`
	PostMLP   nn.RMSNorm       `weight:"post_feedforward_layernorm"`
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
	m.Sees(c.Windows(func(i int) bool { return i%2 == 0 }))
	norm := func(n int) nn.RMSNorm { return nn.RMSNorm{W: nn.NewParam(b, n), Offset: true} }
	m.Embed = nn.NewEmbedding(b, c.VocabSize, c.HiddenSize)
	for i := range m.Layers {
		m.Layers[i] = block{
			InputNorm: norm(c.HiddenSize),
			Attention: nn.NewSelfAttention(b, &c.Config, c.AttentionBias, c.AttentionBias),
			PostNorm:  norm(c.HiddenSize),
			PreMLP:    norm(c.HiddenSize),
			MLP:       nn.NewGatedMLP(b, c.HiddenSize, c.IntermediateSize, false),
			PostMLP:   norm(c.HiddenSize),
		}
	}
	m.Norm = norm(c.HiddenSize)
	m.Head = nn.NewHead(b, &c.Config)
	m.Finish(m, &m.cfg.Config, &m.Embed, &m.Head, limit(c.FinalLogitSoftcapping))
	return m, nil
}

// Config is config.json.
func (m *Model) Config() any { return &m.cfg }

// Init draws the initial weights; norms begin with the scale 1 + 0.
func (m *Model) Init(b tensor.Backend, seed uint64) { m.InitWeights(b, seed, 0) }

// Hidden runs the network.
func (m *Model) Hidden(p *op.Pass, in *model.Input) *op.Value {
	eps, drop := m.cfg.RMSNormEps, nn.Dropper(p, in)
	x := drop(op.Scale(p, m.Embed.Tokens(p, in), math.Sqrt(float64(m.cfg.HiddenSize))))
	attn := nn.NewWindows(in, m.Dims(), m.Windows())
	attn.Scores(1/math.Sqrt(m.cfg.QueryPreAttnScalar), limit(m.cfg.AttnLogitSoftcapping))
	for i := range m.Layers {
		l := &m.Layers[i]
		x = p.Scope(func() *op.Value {
			h := l.Attention.Attend(p, l.InputNorm.Apply(p, x, eps), i, attn.Layer(i), m.rotary, eps)
			h = l.PostNorm.Apply(p, l.Attention.O.Apply(p, h), eps)
			x := op.Add(p, x, drop(h))
			h = l.MLP.Apply(p, l.PreMLP.Apply(p, x, eps), tensor.GELUTanh)
			return op.Add(p, x, drop(l.PostMLP.Apply(p, h, eps)))
		})
	}
	attn.Done()
	return m.Norm.Apply(p, x, eps)
}
