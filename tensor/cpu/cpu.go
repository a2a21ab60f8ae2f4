// Package cpu is the Backend for this processor: it owns the threads and the
// scratch memory, splits work by shape and hands rows and blocks to the kernels
// of one kernel.Set.
//
// Values are f32. With Options.Precision BF16 the operands of every matrix
// product are rounded to bf16 (sums stay f32) and activations on their way into
// a product are kept in bf16; parameters, gradients and the residual stream
// stay f32.
//
// Not here: the arithmetic itself (tensor/kernel) and gradients (tensor/op).
package cpu

import (
	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/kernel"
)

// Options choose how a Backend computes; the zero value is the best of this
// machine.
type Options struct {
	Threads   int    // compute threads; 0 means GOMAXPROCS. Results do not depend on it
	Kernels   string // kernel set: purego, avx2, avx512, avx512bf16, amx; "" means the best of this machine
	Precision string // matrix products: "f32", "bf16"; "" means bf16 where the set multiplies bf16 faster (avx512bf16, amx), else f32
}

// Backend implements tensor.Backend.
type Backend struct {
	set       *kernel.Set
	pool      *parallel.Pool
	scratch   *kernel.Scratch
	precision kernel.Precision
	narrow    dtype.Type
	rows      []rowBuffers // by worker
	attn      []*attentionScratch
	cached    []cachedTask // of one call of CacheAttention
	rowSeq    []int32      // sequence of each row, in one call of CacheStore
	partial   []float64    // sums of tasks
	partials  []float32    // row vectors of tasks
	spare     spare
}

var _ tensor.Backend = (*Backend)(nil)

// New starts the threads of a backend. The error names the kernel sets or
// precisions that exist.
func New(o Options) (*Backend, error) {
	set, err := kernel.ByName(o.Kernels)
	if err != nil {
		return nil, err
	}
	b := &Backend{set: set, narrow: dtype.F32, precision: kernel.F32}
	if o.Precision == "" && set.FastBF16() {
		o.Precision = "bf16"
	}
	if o.Precision != "" {
		dt, err := dtype.Parse(o.Precision)
		if err != nil || dt != dtype.F32 && dt != dtype.BF16 {
			return nil, &PrecisionError{o.Precision}
		}
		if dt == dtype.BF16 {
			b.narrow, b.precision = dtype.BF16, kernel.BF16
		}
	}
	b.pool = parallel.New(o.Threads)
	n := b.pool.Threads()
	b.scratch = kernel.NewScratch(n)
	b.rows = make([]rowBuffers, n)
	b.attn = make([]*attentionScratch, n)
	for i := range b.attn {
		b.attn[i] = &attentionScratch{}
	}
	return b, nil
}

// PrecisionError reports a precision that products do not have.
type PrecisionError struct{ Name string }

func (e *PrecisionError) Error() string {
	return `precision "` + e.Name + `" is not one of "f32", "bf16"`
}

// Close stops the threads.
func (b *Backend) Close() {
	b.pool.Close()
	b.spare.free()
}

// Run calls fn(task, worker) once for each task in [0, tasks) on the threads of
// the backend, as parallel.Pool does. It must not be called from inside fn.
func (b *Backend) Run(tasks int, fn func(task, worker int)) { b.pool.Run(tasks, fn) }

// Name is "cpu".
func (b *Backend) Name() string { return "cpu" }

// Kernels names the kernel set and, where it is not f32, the precision.
func (b *Backend) Kernels() string {
	if b.precision == kernel.BF16 {
		return b.set.Name + "+bf16"
	}
	return b.set.Name
}

// Threads is the number of compute threads.
func (b *Backend) Threads() int { return b.pool.Threads() }

// Wide is f32.
func (b *Backend) Wide() dtype.Type { return dtype.F32 }

// Narrow is the format of activations that enter a product.
func (b *Backend) Narrow() dtype.Type { return b.narrow }

// Alloc returns n zero bytes outside the Go heap.
func (b *Backend) Alloc(n int) tensor.Memory { return tensor.NewHost(n) }

// Release frees a block.
func (b *Backend) Release(m tensor.Memory) {
	if w, ok := m.(*weights); ok {
		m = w.mem
	}
	m.(*tensor.Host).Free()
}

// matrix is the kernel's view of t, transposed where asked.
func matrix(t *tensor.Tensor, trans bool) kernel.Matrix {
	m := kernel.Matrix{Rows: t.Rows, Cols: t.Cols, Stride: t.Stride, Trans: trans}
	if trans {
		m.Rows, m.Cols = t.Cols, t.Rows
	}
	switch t.DType {
	case dtype.F32:
		m.F32 = tensor.Data[float32](t)
	case dtype.BF16:
		m.BF16 = tensor.Data[uint16](t)
	default:
		panic("cpu: product of " + t.String())
	}
	return m
}

// MatMul computes C = op(A) op(B).
func (b *Backend) MatMul(c, a, w *tensor.Tensor, o tensor.MatMul) {
	if k, ok := w.Mem.(*weights); ok {
		b.multiplyWeights(c, a, w, k, o)
		return
	}
	g := kernel.Gemm{
		A: matrix(a, o.TransA), C: matrix(c, false),
		Accumulate: o.Accumulate, Precision: b.precision,
	}
	if o.Packed != nil {
		g.Packed = &o.Packed.(*packed).p
	} else {
		g.B = matrix(w, o.TransB)
	}
	if o.Bias != nil {
		g.Bias = tensor.Data[float32](o.Bias)
	}
	b.set.Gemm(b.pool, b.scratch, &g)
}

type packed struct {
	p   kernel.Packed
	mem *tensor.Host
	b   *Backend
}

func (p *packed) Bytes() int { return len(p.mem.Data) }
func (p *packed) Release()   { p.b.spare.put(p) }

// spareBytes bounds the memory of released packed weights that is kept.
const spareBytes = 256 << 20

// spare keeps released packed weights by size: those of a step are released when
// the weights change and are packed again in the next one.
type spare struct {
	bySize map[int][]*packed
	bytes  int
}

func (s *spare) put(p *packed) {
	n := p.Bytes()
	if s.bytes+n > spareBytes {
		p.mem.Free()
		return
	}
	if s.bySize == nil {
		s.bySize = map[int][]*packed{}
	}
	s.bySize[n] = append(s.bySize[n], p)
	s.bytes += n
}

// get returns one of exactly n bytes, nil if there is none.
func (s *spare) get(n int) *packed {
	list := s.bySize[n]
	if len(list) == 0 {
		return nil
	}
	p := list[len(list)-1]
	s.bySize[n] = list[:len(list)-1]
	s.bytes -= n
	return p
}

// free gives all memory back, from now on also that of later releases.
func (s *spare) free() {
	for _, list := range s.bySize {
		for _, p := range list {
			p.mem.Free()
		}
	}
	s.bySize, s.bytes = nil, spareBytes
}

// Pack lays op(w) out for the product kernels. Weights are laid out already.
func (b *Backend) Pack(w *tensor.Tensor, trans bool) tensor.Packed {
	if _, ok := w.Mem.(*weights); ok {
		return nil
	}
	m := matrix(w, trans)
	n := b.set.PackedBytes(m.Rows, m.Cols, b.precision)
	p := b.spare.get(n)
	if p == nil {
		mem := tensor.NewHost(n)
		p = &packed{kernel.Packed{Data: mem.Data}, mem, b}
	}
	b.set.PackB(b.pool, m, b.precision, &p.p)
	return p
}
