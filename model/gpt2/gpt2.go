// Package gpt2 is GPT-2 (Radford et al. 2019, "Language models are unsupervised
// multitask learners"): a decoder-only transformer with LayerNorm before each
// block, learned positions, GELU (tanh approximation) and a tied unembedding.
//
// Weight names and layouts are those of Hugging Face's GPT2LMHeadModel; linear
// weights are input-major (Conv1D).
package gpt2

import (
	"fmt"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/nn"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Config is config.json of a GPT-2.
type Config struct {
	ModelType          string   `json:"model_type"` // "gpt2"
	Architectures      []string `json:"architectures,omitempty"`
	VocabSize          int      `json:"vocab_size"`
	NPositions         int      `json:"n_positions"` // context, tokens
	NEmbd              int      `json:"n_embd"`
	NLayer             int      `json:"n_layer"`
	NHead              int      `json:"n_head"`
	NInner             int      `json:"n_inner,omitempty"` // feed-forward width; 0: 4 * n_embd
	ActivationFunction string   `json:"activation_function"`
	LayerNormEpsilon   float64  `json:"layer_norm_epsilon"`
	InitializerRange   float64  `json:"initializer_range"` // deviation of initial weights
	ResidPdrop         float64  `json:"resid_pdrop"`
	EmbdPdrop          float64  `json:"embd_pdrop"`
	AttnPdrop          float64  `json:"attn_pdrop"`                    // must be 0 here: attention weights never exist as a whole
	TieWordEmbeddings  *bool    `json:"tie_word_embeddings,omitempty"` // absent: true
	TorchDType         string   `json:"torch_dtype,omitempty"`
	BOSTokenID         *int32   `json:"bos_token_id,omitempty"`
	EOSTokenID         *int32   `json:"eos_token_id,omitempty"`
	PadTokenID         *int32   `json:"pad_token_id,omitempty"`
}

// Default is the configuration that absent keys of config.json mean.
func Default() Config {
	return Config{
		ModelType: "gpt2", Architectures: []string{"GPT2LMHeadModel"},
		VocabSize: 50257, NPositions: 1024, NEmbd: 768, NLayer: 12, NHead: 12,
		ActivationFunction: "gelu_new", LayerNormEpsilon: 1e-5, InitializerRange: 0.02,
	}
}

var activations = map[string]tensor.Func{
	"gelu_new": tensor.GELUTanh, "gelu_pytorch_tanh": tensor.GELUTanh, "gelu": tensor.GELUErf,
	"relu": tensor.ReLU, "silu": tensor.SiLU, "swish": tensor.SiLU,
}

// Validate says which key is impossible and what it may be.
func (c *Config) Validate() error {
	if err := nn.Sizes([]string{"vocab_size", "n_positions", "n_embd"}, c.VocabSize, c.NPositions, c.NEmbd); err != nil {
		return err
	}
	if err := nn.Counts([]string{"n_layer", "n_head"}, c.NLayer, c.NHead); err != nil {
		return err
	}
	if c.NEmbd%c.NHead != 0 {
		return fmt.Errorf("n_head %d does not divide n_embd %d", c.NHead, c.NEmbd)
	}
	if c.NInner < 0 || c.NInner > 1<<24 {
		return fmt.Errorf("n_inner is %d: it must be positive, or 0 for 4 * n_embd", c.NInner)
	}
	if _, ok := activations[c.ActivationFunction]; !ok {
		return fmt.Errorf("activation_function %q is unknown: gelu_new, gelu, relu and silu are supported", c.ActivationFunction)
	}
	if c.TieWordEmbeddings != nil && !*c.TieWordEmbeddings {
		return fmt.Errorf("tie_word_embeddings is false: GPT-2 has no separate unembedding here")
	}
	return nil
}

func (c *Config) inner() int {
	if c.NInner > 0 {
		return c.NInner
	}
	return 4 * c.NEmbd
}

// Model is a GPT-2.
type Model struct {
	cfg    Config
	params []*op.Param

	WTE    nn.Embedding `weight:"transformer.wte"`
	WPE    nn.Embedding `weight:"transformer.wpe"`
	Layers []block      `weight:"transformer.h"`
	LNF    nn.LayerNorm `weight:"transformer.ln_f"`
}

type block struct {
	LN1      nn.LayerNorm `weight:"ln_1"`
	AttnQKV  nn.Conv1D    `weight:"attn.c_attn"`
	AttnProj nn.Conv1D    `weight:"attn.c_proj"`
	LN2      nn.LayerNorm `weight:"ln_2"`
	FC       nn.Conv1D    `weight:"mlp.c_fc"`
	Proj     nn.Conv1D    `weight:"mlp.c_proj"`
}

var _ model.Model = (*Model)(nil)

// New allocates a model with zero weights on b; with a nil b the parameters have
// names and shapes only.
func New(b tensor.Backend, c Config) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m := &Model{cfg: c, Layers: make([]block, c.NLayer)}
	m.WTE = nn.NewEmbedding(b, c.VocabSize, c.NEmbd)
	m.WPE = nn.NewEmbedding(b, c.NPositions, c.NEmbd)
	for i := range m.Layers {
		m.Layers[i] = block{
			LN1:      nn.NewLayerNorm(b, c.NEmbd),
			AttnQKV:  nn.NewConv1D(b, c.NEmbd, 3*c.NEmbd),
			AttnProj: nn.NewConv1D(b, c.NEmbd, c.NEmbd),
			LN2:      nn.NewLayerNorm(b, c.NEmbd),
			FC:       nn.NewConv1D(b, c.NEmbd, c.inner()),
			Proj:     nn.NewConv1D(b, c.inner(), c.NEmbd),
		}
	}
	for i := range m.Layers {
		m.Layers[i].AttnQKV.W.Blocks = 3
	}
	m.LNF = nn.NewLayerNorm(b, c.NEmbd)
	m.params = nn.Params(m)
	return m, nil
}

// Init draws the initial weights (Radford et al. 2019, section 2.3).
func (m *Model) Init(b tensor.Backend, seed uint64) {
	std := m.cfg.InitializerRange
	nn.Normal(b, m.WTE.W, seed, std)
	nn.Normal(b, m.WPE.W, seed, std/2)
	residual := nn.ResidualStd(std, m.cfg.NLayer)
	for i := range m.Layers {
		l := &m.Layers[i]
		nn.Fill(b, l.LN1.W, 1)
		nn.Fill(b, l.LN2.W, 1)
		nn.Normal(b, l.AttnQKV.W, seed, std)
		nn.Normal(b, l.AttnProj.W, seed, residual)
		nn.Normal(b, l.FC.W, seed, std)
		nn.Normal(b, l.Proj.W, seed, residual)
	}
	nn.Fill(b, m.LNF.W, 1)
}

// Family is "gpt2".
func (m *Model) Family() string { return "gpt2" }

// Config is config.json.
func (m *Model) Config() any { return &m.cfg }

// Params are all parameters.
func (m *Model) Params() []*op.Param { return m.params }

// Unembedding is the token embedding.
func (m *Model) Unembedding() *op.Param { return m.WTE.W }

// Dims are the model's sizes.
func (m *Model) Dims() model.Dims {
	c := &m.cfg
	return model.Dims{
		Layers: c.NLayer, Width: c.NEmbd, Heads: c.NHead, KVHeads: c.NHead, HeadDim: c.NEmbd / c.NHead,
		FF: c.inner(), Vocab: c.VocabSize, Context: c.NPositions,
	}
}

// Hidden runs the network.
func (m *Model) Hidden(p *op.Pass, in *model.Input) *op.Value {
	site := uint64(0) // dropout masks are numbered by place and step
	drop := func() tensor.Dropout {
		site++
		return tensor.Dropout{P: in.Dropout, Seed: in.Seed, Stream: rng.Stream("dropout") ^ in.Step<<16 ^ site}
	}
	eps, act := m.cfg.LayerNormEpsilon, activations[m.cfg.ActivationFunction]
	x := op.Add(p, m.WTE.Tokens(p, in), op.Embedding(p, m.WPE.W, in.Pos))
	x = op.Dropout(p, x, drop())
	attn := nn.NewAttention(in, m.Dims(), 0)
	for i := range m.Layers {
		l := &m.Layers[i]
		x = p.Scope(func() *op.Value {
			h := l.LN1.Apply(p, x, eps)
			h = attn.ApplyQKV(p, i, l.AttnQKV.Apply(p, h))
			x := l.AttnProj.AddTo(p, x, h, drop())
			h = l.LN2.Apply(p, x, eps)
			h = op.Unary(p, act, l.FC.Apply(p, h))
			return l.Proj.AddTo(p, x, h, drop())
		})
	}
	attn.Done()
	return m.LNF.Apply(p, x, eps)
}

// Repair maps the names of the older files on the hub, which lack the
// "transformer." prefix and hold constant attention masks, to those of the
// model; "" drops a tensor.
func (m *Model) Repair(name string) string {
	return repair(name)
}
