package nn

import (
	"fmt"

	"github.com/foundling-lm/foundling/model"
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
			outs[e] = expert(e, op.Gather(p, x, rows))
		}
	}
	return op.Combine(p, x.T.Rows, r, weights, outs)
}
