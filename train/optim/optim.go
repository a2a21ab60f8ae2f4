// Package optim is the optimizers and the schedules of the learning rate.
//
// An Optimizer owns the state of its parameters (moments), which checkpoints
// save and restore by name. Not here: clipping and accumulation (train) and the
// gradients themselves (tensor/op).
package optim

import (
	"fmt"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Options of an optimizer. Zero fields take the defaults named.
type Options struct {
	Name        string  // "muon" (default) or "adamw"
	Beta1       float64 // decay of AdamW's first moment, default 0.9
	Beta2       float64 // decay of AdamW's second moment, default 0.95
	Eps         float64 // default 1e-8
	WeightDecay float64 // of matrices only, per unit of learning rate; 0: none
	Momentum    float64 // Muon's, default 0.95
}

func (o *Options) defaults() {
	set := func(x *float64, d float64) {
		if *x == 0 {
			*x = d
		}
	}
	if o.Name == "" {
		o.Name = "muon"
	}
	set(&o.Beta1, 0.9)
	set(&o.Beta2, 0.95)
	set(&o.Eps, 1e-8)
	set(&o.Momentum, 0.95)
}

// Validate names the first impossible option.
func (o Options) Validate() error {
	o.defaults()
	if o.Name != "adamw" && o.Name != "muon" {
		return fmt.Errorf("optimizer %q is unknown: adamw and muon exist", o.Name)
	}
	for _, k := range []struct {
		name   string
		x, max float64
	}{{"beta1", o.Beta1, 1}, {"beta2", o.Beta2, 1}, {"momentum", o.Momentum, 1}, {"eps", o.Eps, 1}, {"weight-decay", o.WeightDecay, 10}} {
		if !(k.x >= 0 && k.x < k.max) {
			return fmt.Errorf("%s is %g: it must lie in [0, %g)", k.name, k.x, k.max)
		}
	}
	return nil
}

// State is a named tensor that a checkpoint must hold for a run to go on.
type State struct {
	Name string
	T    *tensor.Tensor
}

// Optimizer moves parameters against their gradients.
type Optimizer struct {
	b tensor.Backend
	o Options

	adam []*adamw
	muon []*muon
	work *orthogonalizer
}

// New allocates the state for params, all zero. Embeddings, unembeddings and
// vectors take AdamW under either name; hidden says which parameters are hidden
// matrices.
func New(b tensor.Backend, params []*op.Param, hidden func(*op.Param) bool, o Options) (*Optimizer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.defaults()
	z := &Optimizer{b: b, o: o, work: &orthogonalizer{b: b}}
	for _, w := range params {
		if err := w.Trainable(b); err != nil {
			return nil, err
		}
		w.NeedGrad(b)
		if o.Name == "muon" && hidden(w) {
			z.muon = append(z.muon, &muon{w, zeros(b, w)})
		} else {
			z.adam = append(z.adam, &adamw{w, zeros(b, w), zeros(b, w)})
		}
	}
	return z, nil
}

func zeros(b tensor.Backend, w *op.Param) *tensor.Tensor {
	return tensor.Over(b.Alloc(w.T.Len()*b.Wide().Size()), b.Wide(), w.T.Rows, w.T.Cols)
}

// States are the tensors that a checkpoint must hold besides the parameters.
func (z *Optimizer) States() []State {
	var out []State
	for _, a := range z.adam {
		out = append(out, State{a.w.Name + ".adam_m", a.m}, State{a.w.Name + ".adam_v", a.v})
	}
	for _, u := range z.muon {
		out = append(out, State{u.w.Name + ".momentum", u.m})
	}
	return out
}

// Close gives the state's memory back.
func (z *Optimizer) Close() {
	for _, s := range z.States() {
		z.b.Release(s.T.Mem)
	}
	z.adam, z.muon = nil, nil
	z.work.close()
}

// Step applies the gradients, each multiplied by gradScale, with learning rate
// lr. Step counts from 1.
func (z *Optimizer) Step(step int, lr, gradScale float64) {
	for _, a := range z.adam {
		decay := z.o.WeightDecay
		if a.w.T.Rows == 1 {
			decay = 0
		}
		if a.w.Fresh { // nothing depended on it
			continue
		}
		z.b.AdamW(a.w.T, a.m, a.v, a.w.Grad, tensor.AdamW{
			LR: lr, Beta1: z.o.Beta1, Beta2: z.o.Beta2, Eps: z.o.Eps, WeightDecay: decay,
			GradScale: gradScale, Step: step,
		})
		a.w.Changed()
	}
	for _, u := range z.muon {
		if u.w.Fresh {
			continue
		}
		u.step(z, lr, gradScale)
		u.w.Changed()
	}
}

// adamw is one parameter under AdamW (Loshchilov & Hutter 2019, arXiv
// 1711.05101, algorithm 2).
type adamw struct {
	w    *op.Param
	m, v *tensor.Tensor
}
