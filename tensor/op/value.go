package op

import (
	"fmt"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// Value is an activation: a tensor of the pass and, during Backward, its
// gradient.
type Value struct {
	T        *tensor.Tensor
	grad     *tensor.Tensor
	needs    bool // some parameter or input behind it wants a gradient
	owns     bool // T's block is this Value's alone
	gaveGrad bool // the gradient's buffer went to an input
	keep     bool // T outlives Backward

	remake func(dst *tensor.Tensor) // makes T again from inputs that are kept; nil: T must be kept
}

// forget gives the buffer of v back, if it can be made again.
func (p *Pass) forget(v *Value) {
	if v.remake == nil || v.keep || !v.owns || v.T.Mem == nil {
		return
	}
	p.arena.put(v.T.Mem)
	v.T = &tensor.Tensor{Name: v.T.Name, DType: v.T.DType, Rows: v.T.Rows, Cols: v.T.Cols, Stride: v.T.Cols}
}

// data is T with its buffer, made again where it was forgotten. The gradients of
// operations read their inputs through it.
func (p *Pass) data(v *Value) *tensor.Tensor {
	if v.T.Mem == nil {
		v.T = p.tensor(v.T.DType, v.T.Rows, v.T.Cols)
		v.remake(v.T)
	}
	return v.T
}

// Input wraps host values as an activation of the pass; src has rows*cols
// elements. With grad its gradient can be read by Gradient after Backward.
func (p *Pass) Input(src []float32, rows, cols int, grad bool) *Value {
	v := p.New(p.Backend.Wide(), rows, cols)
	p.Backend.Upload(v.T, src)
	v.needs, v.keep = grad, true
	return v
}

// Keep makes the value readable after Backward.
func (v *Value) Keep() *Value {
	v.keep = true
	return v
}

// Gradient is the gradient that reached an Input, nil if none did.
func (v *Value) Gradient() *tensor.Tensor { return v.grad }

// Seed sets the gradient from which Backward starts; src has the shape of v.
func (p *Pass) Seed(v *Value, src []float32) {
	v.grad = p.tensor(p.Backend.Wide(), v.T.Rows, v.T.Cols)
	p.Backend.Upload(v.grad, src)
}

// Host returns the values as float32.
func (p *Pass) Host(t *tensor.Tensor) []float32 {
	out := make([]float32, t.Len())
	p.Backend.Download(out, t)
	return out
}

// Param is a trained tensor. T and Grad are Wide; vectors are one row.
type Param struct {
	Name  string // as in the checkpoint
	Shape []int  // as in the checkpoint: (C) or (rows, C)
	T     *tensor.Tensor
	Grad  *tensor.Tensor // nil until NeedGrad
	Fresh bool           // Grad holds nothing yet: the first gradient of a step overwrites it

	// InOut says that the rows of a matrix are its inputs, as in GPT-2's Conv1D.
	InOut bool
	// Lookup says that rows are looked up by id or position; optimizers that treat
	// matrices as linear maps leave such tables out.
	Lookup bool
	// Blocks is how many matrices lie side by side in the columns of a fused
	// projection (GPT-2's c_attn: 3); optimizers that treat matrices as such take
	// each alone. 0 means 1.
	Blocks int

	LoRA *LoRA // what linear layers over a matrix add; nil: nothing

	packs [2]tensor.Packed // by transposition
}

// NewParam allocates a zero parameter.
func NewParam(b tensor.Backend, name string, shape ...int) *Param {
	rows, cols := 1, shape[len(shape)-1]
	for _, n := range shape[:len(shape)-1] {
		rows *= n
	}
	dt := b.Wide()
	t := tensor.Over(b.Alloc(rows*cols*dt.Size()), dt, rows, cols)
	t.Name = name
	return &Param{Name: name, Shape: shape, T: t}
}

// Len is the number of elements.
func (w *Param) Len() int { return w.T.Len() }

// SetWeights replaces the values by constant ones in format dt, which stay in it:
// they can be multiplied and looked up, not trained. Data is what
// tensor.Backend.Weights takes.
func (w *Param) SetWeights(b tensor.Backend, dt dtype.Type, data []byte) error {
	t, err := b.Weights(dt, w.T.Rows, w.T.Cols, data)
	if err != nil {
		return err
	}
	w.Changed()
	b.Release(w.T.Mem)
	t.Name = w.T.Name
	w.T = t
	return nil
}

// Trainable says whether a gradient can be taken: values are Wide, not constants
// in another format.
func (w *Param) Trainable(b tensor.Backend) error {
	if w.T.DType != b.Wide() {
		return fmt.Errorf("tensor %s is kept in %v: only weights in %v can be trained, convert the model first", w.Name, w.T.DType, b.Wide())
	}
	return nil
}

// NeedGrad allocates the gradient if it is not there. The Param must be
// Trainable.
func (w *Param) NeedGrad(b tensor.Backend) {
	if err := w.Trainable(b); err != nil {
		panic("op: " + err.Error())
	}
	if w.Grad == nil {
		w.Grad = tensor.Over(b.Alloc(w.T.Len()*b.Wide().Size()), b.Wide(), w.T.Rows, w.T.Cols)
		w.Grad.Name = w.Name + ".grad"
		w.Fresh = true
	}
}

// ZeroGrad starts a new step: the next gradient overwrites the last one.
func (w *Param) ZeroGrad() { w.Fresh = true }

// Changed must be called after T was written: packed copies are stale.
func (w *Param) Changed() {
	for i, k := range w.packs {
		if k != nil {
			k.Release()
			w.packs[i] = nil
		}
	}
}

// Release gives the memory of w back; it must not be used afterwards.
func (w *Param) Release(b tensor.Backend) {
	w.Changed()
	b.Release(w.T.Mem)
	if w.Grad != nil {
		b.Release(w.Grad.Mem)
	}
}

// packed is op(T) laid out for products, nil where the pass does not keep such
// copies.
func (w *Param) packed(p *Pass, trans bool) tensor.Packed {
	if !p.CachePacks {
		return nil
	}
	i := 0
	if trans {
		i = 1
	}
	if w.packs[i] == nil {
		w.packs[i] = p.Backend.Pack(w.T, trans)
	}
	return w.packs[i]
}

// additive is Grad ready to be added to.
func (w *Param) additive(b tensor.Backend) *tensor.Tensor {
	if w == nil || w.Grad == nil {
		return nil
	}
	if w.Fresh {
		b.Zero(w.Grad)
		w.Fresh = false
	}
	return w.Grad
}

// addProduct adds op(a) op(b) to the gradient.
func (w *Param) addProduct(b tensor.Backend, x, y *tensor.Tensor, o tensor.MatMul) {
	if w.Grad == nil {
		return
	}
	o.Accumulate = !w.Fresh
	w.Fresh = false
	b.MatMul(w.Grad, x, y, o)
}

// timesMatrix computes dst = op(a) op(T), also for constant weights.
func (w *Param) timesMatrix(p *Pass, dst, a *tensor.Tensor, o tensor.MatMul) {
	t := w.T
	if o.Packed == nil && !o.TransB {
		t = w.unpacked(p)
	}
	p.Backend.MatMul(dst, a, t, o)
	if t != w.T {
		p.free(t)
	}
}

// unpacked is T for products that are not with its transpose: T itself, or for
// constant weights, which a Backend lays out for those alone, a copy in a buffer of
// the pass.
func (w *Param) unpacked(p *Pass) *tensor.Tensor {
	if w.T.DType == p.Backend.Wide() {
		return w.T
	}
	t := p.tensor(p.Backend.Narrow(), w.T.Rows, w.T.Cols)
	p.Backend.Copy(t, w.T)
	return t
}

// value is T, nil for a nil parameter.
func (w *Param) value() *tensor.Tensor {
	if w == nil {
		return nil
	}
	return w.T
}
