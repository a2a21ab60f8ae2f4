// Package op is the differentiable operations: one file holds an operation's
// forward, its gradient and the paper it follows.
//
// A Pass is one run of a model. It owns every intermediate buffer (an arena
// reused from step to step) and, when it records, the tape: operations append
// their gradient, Backward runs them in reverse. There is no global gradient
// switch; a Pass records or it does not.
//
// Parameters (Param) outlive passes. Activations (Value) die with Reset.
package op

import (
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// Options of a Pass; the zero value is inference.
type Options struct {
	Record     bool // keep the tape for Backward
	CachePacks bool // keep weights packed until they change: worth their memory when a weight is used more than once between changes
	Recompute  bool // give the results of norms and activations back at the end of their Scope and make them again for the gradients
}

// Pass is one run of a model on a Backend.
type Pass struct {
	Backend tensor.Backend
	Options
	Draw uint64 // numbers the run for the dropout masks of LoRA: different in every run of a training
	// Changes are of rows of the run, in rising order and apart; nil: none. The rows are
	// those of the input of the model.
	Changes []ChangedRows
	arena   arena
	tape    []node
}

// node is one step of the tape: the gradient of out flows to its inputs.
type node struct {
	out  *Value
	back func(dy *tensor.Tensor)
}

// NewPass returns an empty pass.
func NewPass(b tensor.Backend, o Options) *Pass {
	return &Pass{Backend: b, Options: o, arena: arena{b: b, used: map[tensor.Memory]struct{}{}}}
}

// Reset forgets the tape and takes back every buffer; Values of the pass must
// not be used afterwards. The memory stays for the next run.
func (p *Pass) Reset() {
	clear(p.tape)
	p.tape = p.tape[:0]
	p.arena.reset()
}

// Close gives the memory back.
func (p *Pass) Close() {
	p.Reset()
	p.arena.close()
}

// Bytes is the memory that the pass holds.
func (p *Pass) Bytes() int { return p.arena.bytes }

// Scope runs f and then takes back every buffer that f made, except that of the
// Value it returns. A recording pass keeps all of them, since the tape needs
// them, but for those that are recomputed. Layers run in scopes so that inference
// holds one layer's activations.
func (p *Pass) Scope(f func() *Value) *Value {
	if p.Record {
		first := len(p.tape)
		v := f()
		for _, n := range p.tape[first:] {
			if p.Recompute && n.out != v {
				p.forget(n.out)
			}
		}
		return v
	}
	before := p.arena.mark()
	v := f()
	p.arena.release(before, v.T.Mem)
	return v
}

// Backward runs the tape in reverse. Gradients of Params are added to; a
// node's buffers are reused as soon as its gradient has flowed on.
func (p *Pass) Backward() {
	for i := len(p.tape) - 1; i >= 0; i-- {
		n := p.tape[i]
		dy := n.out.grad
		if dy == nil {
			continue // no loss depends on it
		}
		n.out.grad = nil
		n.back(dy)
		if n.out.grad == nil && !n.out.gaveGrad {
			p.arena.put(dy.Mem)
		}
		if n.out.owns && !n.out.keep {
			p.arena.put(n.out.T.Mem)
		}
		p.tape[i] = node{}
	}
	p.tape = p.tape[:0]
}

// New returns a Value with an uninitialised buffer of the pass.
func (p *Pass) New(dt dtype.Type, rows, cols int) *Value {
	return &Value{T: p.tensor(dt, rows, cols), owns: true}
}

func (p *Pass) tensor(dt dtype.Type, rows, cols int) *tensor.Tensor {
	return tensor.Over(p.arena.get(rows*cols*dt.Size()), dt, rows, cols)
}

func (p *Pass) free(t *tensor.Tensor) { p.arena.put(t.Mem) }

// record appends the gradient of out to the tape.
func (p *Pass) record(out *Value, back func(dy *tensor.Tensor)) *Value {
	if p.Record {
		out.needs = true
		p.tape = append(p.tape, node{out, back})
	}
	return out
}

// give adds to the gradient of v what fill writes.
func (p *Pass) give(v *Value, fill func(dst *tensor.Tensor)) {
	if !v.needs {
		return
	}
	if v.grad == nil {
		v.grad = p.like(v.T)
		fill(v.grad)
		return
	}
	tmp := p.like(v.T)
	fill(tmp)
	p.Backend.Add(v.grad, v.grad, tmp)
	p.free(tmp)
}

// giveBuffer adds d, a buffer of the pass that nothing else uses, to the
// gradient of v.
func (p *Pass) giveBuffer(v *Value, d *tensor.Tensor) {
	switch {
	case !v.needs:
		p.free(d)
	case v.grad == nil:
		v.grad = d
	default:
		p.Backend.Add(v.grad, v.grad, d)
		p.free(d)
	}
}

// like is an uninitialised Wide buffer of the shape of t.
func (p *Pass) like(t *tensor.Tensor) *tensor.Tensor {
	return p.tensor(p.Backend.Wide(), t.Rows, t.Cols)
}

// pass hands the gradient dy of out on to v, unchanged and without a copy
// where v has none yet.
func (p *Pass) pass(out, v *Value, dy *tensor.Tensor) {
	switch {
	case !v.needs:
	case v.grad == nil:
		v.grad = dy
		out.gaveGrad = true
	default:
		p.Backend.Add(v.grad, v.grad, dy)
	}
}

// giveProduct adds op(a) op(w) to the gradient of v.
func (p *Pass) giveProduct(v *Value, a *tensor.Tensor, w *Param, o tensor.MatMul) {
	if !v.needs {
		return
	}
	if o.Accumulate = v.grad != nil; !o.Accumulate {
		v.grad = p.like(v.T)
	}
	w.timesMatrix(p, v.grad, a, o)
}
