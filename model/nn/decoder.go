package nn

import (
	"strings"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Decoder is what a model keeps beside its layers. A family embeds it, calls
// Finish at the end of New, and has all of model.Model but Config and Hidden.
type Decoder struct {
	base        *Config
	params      []*op.Param
	unembedding *op.Param
	logitCap    float64
	windows     []int
}

// Finish names the parameters of m, a pointer to the family's struct. An empty
// head is tied to embed; logits are soft-capped at logitCap, 0 for not.
func (d *Decoder) Finish(m any, c *Config, embed *Embedding, head *Linear, logitCap float64) {
	d.base, d.params, d.unembedding, d.logitCap = c, Params(m), embed.W, logitCap
	if head.W != nil {
		d.unembedding = head.W
	}
}

// Sees says how far back each layer looks (0: no limit).
func (d *Decoder) Sees(windows []int) { d.windows = windows }

// Windows is how far back each layer looks (0: no limit); nil: none has one.
func (d *Decoder) Windows() []int { return d.windows }

// NewHead is the unembedding, empty where it is tied.
func NewHead(b tensor.Backend, c *Config) Linear {
	if c.TieWordEmbeddings {
		return Linear{}
	}
	return NewLinear(b, c.HiddenSize, c.VocabSize, false)
}

// Family is the model_type of config.json.
func (d *Decoder) Family() string { return d.base.ModelType }

// Params are all parameters.
func (d *Decoder) Params() []*op.Param { return d.params }

// Unembedding is lm_head, or the token embedding when tied.
func (d *Decoder) Unembedding() *op.Param { return d.unembedding }

// Dims are the model's sizes.
func (d *Decoder) Dims() model.Dims {
	dims := d.base.Dims()
	dims.LogitCap = d.logitCap
	return dims
}

// residual are the endings of projections into the residual stream.
var residual = []string{"o_proj.weight", "down_proj.weight", "w2.weight"}

// InitWeights draws the initial weights: normal with initializer_range,
// projections into the residual stream scaled down as in GPT-2, biases 0, scales
// of norms the given number.
func (d *Decoder) InitWeights(b tensor.Backend, seed uint64, norms float64) {
	std := d.base.InitializerRange
	for _, w := range d.params {
		switch {
		case strings.HasSuffix(w.Name, ".bias"):
			Fill(b, w, 0)
		case len(w.Shape) == 1:
			Fill(b, w, norms)
		case endsIn(w.Name, residual):
			Normal(b, w, seed, ResidualStd(std, d.base.NumHiddenLayers))
		default:
			Normal(b, w, seed, std)
		}
	}
}

// Init is InitWeights for norms whose weight is the scale.
func (d *Decoder) Init(b tensor.Backend, seed uint64) { d.InitWeights(b, seed, 1) }

func endsIn(name string, endings []string) bool {
	for _, e := range endings {
		if strings.HasSuffix(name, e) {
			return true
		}
	}
	return false
}

// Dropper returns the dropout of one pass: its masks are numbered by place, in
// the order of the calls, and step.
func Dropper(p *op.Pass, in *model.Input) func(x *op.Value) *op.Value {
	site := uint64(0)
	return func(x *op.Value) *op.Value {
		site++
		return op.Dropout(p, x, tensor.Dropout{P: in.Dropout, Seed: in.Seed, Stream: rng.Stream("dropout") ^ in.Step<<16 ^ site})
	}
}
