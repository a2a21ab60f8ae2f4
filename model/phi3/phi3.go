// Package phi3 is Phi-3 and Phi-4 (Abdin et al. 2024, arXiv 2404.14219): a Llama
// with one projection for queries, keys and values and one for gate and up, a
// sliding window, and LongRoPE in its long-context models.
package phi3

import (
	"cmp"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/nn"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Config is config.json of a Phi-3.
type Config struct {
	nn.Config
	OriginalMaxPositionEmbeddings int `json:"original_max_position_embeddings"` // context of pre-training, for LongRoPE
}

// Default is the configuration that absent keys of config.json mean.
func Default() Config {
	return Config{OriginalMaxPositionEmbeddings: 4096, Config: nn.Config{
		ModelType: "phi3", Architectures: []string{"Phi3ForCausalLM"},
		VocabSize: 32064, MaxPositionEmbeddings: 4096, HiddenSize: 3072, IntermediateSize: 8192,
		NumHiddenLayers: 32, NumAttentionHeads: 32, HiddenAct: "silu", RMSNormEps: 1e-5,
		Rope: nn.Rope{RopeTheta: 10000}, InitializerRange: 0.02,
	}}
}

// turns is the settings of the rotations. The first files call LongRoPE "su", or
// wrongly "yarn".
func (c *Config) turns() nn.Turns {
	t := c.Turns()
	if t.Scaling != nil {
		s := *t.Scaling
		if k := cmp.Or(s.RopeType, s.Type); k == "yarn" && s.ShortFactor != nil {
			s.RopeType = "longrope"
		}
		s.OriginalMaxPositionEmbeddings = cmp.Or(s.OriginalMaxPositionEmbeddings, c.OriginalMaxPositionEmbeddings)
		t.Scaling = &s
	}
	return t
}

// Model is a Phi-3.
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
	InputNorm nn.RMSNorm `weight:"input_layernorm"`
	QKV       nn.Linear  `weight:"self_attn.qkv_proj"` // queries, keys, values
	O         nn.Linear  `weight:"self_attn.o_proj"`
	PostNorm  nn.RMSNorm `weight:"post_attention_layernorm"`
	GateUp    nn.Linear  `weight:"mlp.gate_up_proj"` // gate, then up
	Down      nn.Linear  `weight:"mlp.down_proj"`
}

var _ model.Model = (*Model)(nil)

// New allocates a model with zero weights on b; with a nil b the parameters have
// names and shapes only.
func New(b tensor.Backend, c Config) (*Model, error) {
	if err := c.Validate("silu"); err != nil {
		return nil, err
	}
	rotary, err := c.turns().Rotary()
	if err != nil {
		return nil, err
	}
	m := &Model{cfg: c, rotary: rotary, Layers: make([]block, c.NumHiddenLayers)}
	m.Sees(c.Windows(func(int) bool { return true }))
	q, kv := c.NumAttentionHeads*c.HeadWidth(), c.KVHeads()*c.HeadWidth()
	m.Embed = nn.NewEmbedding(b, c.VocabSize, c.HiddenSize)
	for i := range m.Layers {
		m.Layers[i] = block{
			InputNorm: nn.NewRMSNorm(b, c.HiddenSize),
			QKV:       nn.NewLinear(b, c.HiddenSize, q+2*kv, false),
			O:         nn.NewLinear(b, q, c.HiddenSize, false),
			PostNorm:  nn.NewRMSNorm(b, c.HiddenSize),
			GateUp:    nn.NewLinear(b, c.HiddenSize, 2*c.IntermediateSize, false),
			Down:      nn.NewLinear(b, c.IntermediateSize, c.HiddenSize, false),
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
	d.Context = m.cfg.turns().Longest()
	return d
}

// Hidden runs the network.
func (m *Model) Hidden(p *op.Pass, in *model.Input) *op.Value {
	eps, drop, ff, d := m.cfg.RMSNormEps, nn.Dropper(p, in), m.cfg.IntermediateSize, m.Dims()
	hd, kd := d.Heads*d.HeadDim, d.KVHeads*d.HeadDim
	x := drop(m.Embed.Tokens(p, in))
	attn := nn.NewWindows(in, d, m.Windows())
	for i := range m.Layers {
		l := &m.Layers[i]
		x = p.Scope(func() *op.Value {
			qkv := l.QKV.Apply(p, l.InputNorm.Apply(p, x, eps))
			q := op.RoPE(p, op.Columns(p, qkv, 0, hd), in.Pos, m.rotary)
			k := op.RoPE(p, op.Columns(p, qkv, hd, hd+kd), in.Pos, m.rotary)
			h := attn.Layer(i).Apply(p, i, q, k, op.Columns(p, qkv, hd+kd, hd+2*kd))
			x := l.O.AddTo(p, x, drop(h))
			gateUp := l.GateUp.Apply(p, l.PostNorm.Apply(p, x, eps))
			h = op.SwiGLU(p, op.Columns(p, gateUp, 0, ff), op.Columns(p, gateUp, ff, 2*ff))
			return l.Down.AddTo(p, x, drop(h))
		})
	}
	attn.Done()
	return m.Norm.Apply(p, x, eps)
}
