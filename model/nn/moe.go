package nn

import (
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Mixture is the options of a mixture of experts.
type Mixture struct {
	Experts   int
	K         int     // experts of a token
	Normalise bool    // the weights of the chosen ones are divided by their sum
	Balance   float64 // coefficient of the load-balancing loss, already divided by the number of layers that have one
}

// Validate says which key is impossible in a model of so many layers; the names
// are those of config.json.
func (o Mixture) Validate(layers int, experts, k string) error {
	if err := Counts([]string{experts, k}, o.Experts, o.K); err != nil {
		return err
	}
	if o.Experts > mostExperts/layers {
		return fmt.Errorf("%s is %d in %d layers: at most %d experts are possible", experts, o.Experts, layers, mostExperts)
	}
	if o.K > o.Experts {
		return fmt.Errorf("%s is %d: there are %d experts", k, o.K, o.Experts)
	}
	return nil
}

// Apply routes each row of x by gate and adds what its experts make of it,
// weighted by the softmax over all experts. expert computes the given expert for
// some rows. A row's result does not depend on the other rows, and none is
// dropped.
func (o Mixture) Apply(p *op.Pass, in *model.Input, x *op.Value, gate *Linear, expert func(e int, x *op.Value) *op.Value) *op.Value {
	probs := op.Softmax(p, op.Linear{W: gate.W, Wide: true}.Apply(p, x))
	top := op.TopK{K: o.K, Normalise: o.Normalise}
	if in.Balance != nil {
		top.Balance = o.Balance * in.Balance.Weight
	}
	r, weights := top.Apply(p, probs)
	if in.Balance != nil {
		in.Balance.Losses = append(in.Balance.Losses, r.Balance())
	}
	outs := make([]*op.Value, o.Experts)
	for e := range outs {
		if rows := r.Expert(e); len(rows) > 0 {
			outs[e] = op.OfRows(p, x, rows, func(x *op.Value) *op.Value { return expert(e, x) })
		}
	}
	return op.Combine(p, x.T.Rows, r, weights, outs)
}

// Sparse is the part of config.json that says which layers have experts and how
// they are chosen, as in the Qwen families.
type Sparse struct {
	NumExperts          int     `json:"num_experts"`
	NumExpertsPerTok    int     `json:"num_experts_per_tok"`
	MoEIntermediateSize int     `json:"moe_intermediate_size"`
	NormTopKProb        bool    `json:"norm_topk_prob"`
	DecoderSparseStep   int     `json:"decoder_sparse_step"`       // each so-many-th layer has experts
	MLPOnlyLayers       []int   `json:"mlp_only_layers,omitempty"` // layers without
	RouterAuxLossCoef   float64 `json:"router_aux_loss_coef"`      // of the load-balancing loss in training
}

// Has says that layer i has experts.
func (c *Sparse) Has(i int) bool {
	return c.NumExperts > 0 && (i+1)%c.DecoderSparseStep == 0 && !slices.Contains(c.MLPOnlyLayers, i)
}

// Mixture is how the experts of a model of so many layers are chosen.
func (c *Sparse) Mixture(layers int) Mixture {
	sparse := 0
	for i := range layers {
		if c.Has(i) {
			sparse++
		}
	}
	return Mixture{
		Experts: c.NumExperts, K: c.NumExpertsPerTok, Normalise: c.NormTopKProb,
		Balance: c.RouterAuxLossCoef / float64(max(1, sparse)),
	}
}

// ValidateSparse says which key is impossible in a model of so many layers.
func (c *Sparse) ValidateSparse(layers int) error {
	if err := Sizes([]string{"decoder_sparse_step", "moe_intermediate_size"}, c.DecoderSparseStep, c.MoEIntermediateSize); err != nil {
		return err
	}
	return c.Mixture(layers).Validate(layers, "num_experts", "num_experts_per_tok")
}

// Experts is an MLP of many small ones.
type Experts struct {
	Gate Linear     `weight:"gate"`
	Each []GatedMLP `weight:"experts"`
}

// NewExperts makes the experts of c.
func NewExperts(b tensor.Backend, width int, c *Sparse) Experts {
	x := Experts{Gate: NewLinear(b, width, c.NumExperts, false)}
	for range c.NumExperts {
		x.Each = append(x.Each, NewGatedMLP(b, width, c.MoEIntermediateSize, false))
	}
	return x
}

// Apply computes the layer.
func (e *Experts) Apply(p *op.Pass, in *model.Input, x *op.Value, o Mixture) *op.Value {
	return o.Apply(p, in, x, &e.Gate, func(i int, x *op.Value) *op.Value { return e.Each[i].Apply(p, x, tensor.SiLU) })
}
