// Package lora is low-rank adapters (Hu et al. 2022, arXiv 2106.09685): a model
// whose weights stay as they are learns a small change of some matrices. The
// layers compute it (op.LoRA); an Adapter is all of a model's changes together,
// to be trained, switched off, merged into the weights, saved and opened in the
// layout of PEFT.
//
// The weights below may be in any constant format (QLoRA, Dettmers et al. 2023,
// arXiv 2305.14314). Not here: training (train), and adapters of embeddings.
package lora

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// AllLinear as a target is every matrix between embedding and unembedding, which
// is what the QLoRA paper found to be needed (section 4, figure 2).
const AllLinear = "all-linear"

// Options of a new adapter. Zero fields take the defaults named.
type Options struct {
	Rank    int      // of each change; default 16
	Alpha   float64  // changes are multiplied by Alpha / Rank; default 2 * Rank
	Targets []string // ends of names of layers ("q_proj", "mlp.c_proj"), or AllLinear; default AllLinear
	Dropout float64  // probability, of a layer's input on its way into the change; default 0
	Seed    uint64   // of the initial values and of the dropout masks
}

func (o *Options) defaults() {
	if o.Rank == 0 {
		o.Rank = 16
	}
	if o.Alpha == 0 {
		o.Alpha = 2 * float64(o.Rank)
	}
	if len(o.Targets) == 0 {
		o.Targets = []string{AllLinear}
	}
}

const mostRank = 1 << 14

// Validate names the first impossible option.
func (o Options) Validate() error {
	switch {
	case o.Rank < 0 || o.Rank > mostRank:
		return fmt.Errorf("rank is %d: it must lie between 1 and %d", o.Rank, mostRank)
	case !(o.Alpha >= 0) || math.IsInf(o.Alpha, 0):
		return fmt.Errorf("alpha is %g: it must be positive", o.Alpha)
	case !(o.Dropout >= 0 && o.Dropout < 1):
		return fmt.Errorf("dropout is %g: it must lie in [0, 1)", o.Dropout)
	}
	return nil
}

// Adapter is the changes of the matrices of one model.
type Adapter struct {
	Options
	b       tensor.Backend
	changed []*op.Param // the matrices, in the order of the network
	changes []*op.LoRA  // of each
}

// Attach gives the targets of m changes that are zero: A is drawn (Kaiming
// uniform: within 1/sqrt(inputs)), B is zero. The model's parameters stay as they
// are; only the Adapter's are to be trained.
func Attach(b tensor.Backend, m model.Model, o Options) (*Adapter, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.defaults()
	all, err := matrices(m)
	if err != nil {
		return nil, err
	}
	a := &Adapter{Options: o, b: b}
	for _, t := range o.Targets {
		n := 0
		for _, w := range all {
			if isTarget(w, t) {
				n++
			}
		}
		if n == 0 {
			return nil, fmt.Errorf("target %q is no layer of this %s model: it has %s, and %q stands for all", t, m.Family(), strings.Join(kinds(all), ", "), AllLinear)
		}
	}
	for _, w := range all {
		if !slices.ContainsFunc(o.Targets, func(t string) bool { return isTarget(w, t) }) {
			continue
		}
		l := a.change(w, o.Rank, o.Alpha/float64(o.Rank))
		bound, stream := 1/math.Sqrt(float64(l.A.T.Cols)), rng.Stream(l.A.Name)
		x := make([]float32, l.A.Len())
		for i := range x {
			x[i] = float32(bound * (2*rng.Float64(o.Seed, stream, uint64(i)) - 1))
		}
		b.Upload(l.A.T, x)
	}
	a.attach()
	return a, nil
}

// attach makes the changes those of the model.
func (a *Adapter) attach() {
	for i, w := range a.changed {
		w.LoRA = a.changes[i]
	}
}

// Changes are those of an adapter that is not attached, for rows of op.Pass.Changes.
func (a *Adapter) Changes() op.Changes {
	out := make(op.Changes, len(a.changed))
	for i, w := range a.changed {
		out[w] = a.changes[i]
	}
	return out
}

// change gives w an empty change.
func (a *Adapter) change(w *op.Param, rank int, scale float64) *op.LoRA {
	in, out := w.T.Cols, w.T.Rows
	if w.InOut {
		in, out = out, in
	}
	name := peftPrefix + layer(w)
	l := &op.LoRA{
		A: op.NewParam(a.b, name+suffixA, rank, in), B: op.NewParam(a.b, name+suffixB, out, rank), Scale: scale,
		Drop: tensor.Dropout{P: a.Dropout, Seed: a.Seed, Stream: rng.Stream(name)},
	}
	a.changed, a.changes = append(a.changed, w), append(a.changes, l)
	return l
}

// matrices are what can be changed: those that layers multiply with.
func matrices(m model.Model) (all []*op.Param, err error) {
	for _, w := range m.Params() {
		if len(w.Shape) != 2 || w.Lookup || w == m.Unembedding() {
			continue
		}
		if w.LoRA != nil {
			return nil, fmt.Errorf("%s has an adapter already: merge it first", layer(w))
		}
		all = append(all, w)
	}
	return all, nil
}

// layer is the name of the layer whose matrix is w.
func layer(w *op.Param) string { return strings.TrimSuffix(w.Name, ".weight") }

func isTarget(w *op.Param, target string) bool {
	name := layer(w)
	return target == AllLinear || name == target || strings.HasSuffix(name, "."+target)
}

// kinds are the last parts of the names of layers.
func kinds(all []*op.Param) []string {
	var out []string
	for _, w := range all {
		name := layer(w)
		out = append(out, name[strings.LastIndexByte(name, '.')+1:])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Params are what is to be trained, in the order of the network.
func (a *Adapter) Params() []*op.Param {
	var out []*op.Param
	for _, l := range a.changes {
		out = append(out, l.A, l.B)
	}
	return out
}

// Off switches all changes off, or on again. Without them the model computes the
// bits of the model below: the reference of preference and policy methods.
func (a *Adapter) Off(off bool) {
	for _, l := range a.changes {
		l.Off = off
	}
}

// Detach takes the changes away from the model, if they are attached, and their memory.
func (a *Adapter) Detach() {
	for i, w := range a.changed {
		if w.LoRA == a.changes[i] {
			w.LoRA = nil
		}
	}
	model.Release(a.b, a.Params())
	a.changed, a.changes = nil, nil
}
