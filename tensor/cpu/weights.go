package cpu

import (
	"fmt"
	"unsafe"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/kernel"
)

// weights is the memory of constant matrices: laid out for products, by blocks
// or in bf16. Exactly one of the two is set.
type weights struct {
	mem    *tensor.Host
	blocks *kernel.Blocks
	packed *kernel.Packed
}

// Bytes is the size of the block.
func (w *weights) Bytes() int { return w.mem.Bytes() }

// Laid is the block itself, in the layout of the backend's kernels.
func (w *weights) Laid() []byte { return w.mem.Data }

// Weights lays rows out for products. Block formats and bf16 stay as they are
// (bf16 takes four bytes a value in sets without products of bf16); f16 becomes
// f32.
func (b *Backend) Weights(dt dtype.Type, rows, cols int, data []byte) (*tensor.Tensor, error) {
	if values, _ := dt.Block(); cols%values != 0 {
		return nil, fmt.Errorf("rows of %d values are not whole blocks of %v, which have %d", cols, dt, values)
	}
	if want := rows * dt.RowBytes(cols); len(data) != want {
		return nil, fmt.Errorf("%d rows of %d values in %v take %d bytes, not %d", rows, cols, dt, want, len(data))
	}
	t := &tensor.Tensor{DType: dt, Rows: rows, Cols: cols, Stride: cols}
	switch {
	case kernel.HasBlocks(dt):
		mem := tensor.NewHost(b.set.BlocksBytes(dt, rows, cols))
		w := &weights{mem: mem, blocks: &kernel.Blocks{Data: mem.Data}}
		t.Mem = w
		if err := b.set.LayBlocks(b.pool, dt, rows, cols, data, w.blocks); err != nil {
			mem.Free()
			return nil, err
		}
	case dt == dtype.BF16 && rows > 1:
		mem := tensor.NewHost(b.set.PackedBytes(cols, rows, kernel.BF16))
		w := &weights{mem: mem, packed: &kernel.Packed{Data: mem.Data}}
		t.Mem = w
		m := kernel.Matrix{BF16: words(data), Rows: cols, Cols: rows, Stride: cols, Trans: true}
		b.set.PackB(b.pool, m, kernel.BF16, w.packed)
	default:
		t.DType = dtype.F32
		t.Mem = tensor.NewHost(rows * cols * 4)
		b.each(rows, cols, func(_, i int) {
			dtype.Dequantize(dt, tensor.Row[float32](t, i), data[i*dt.RowBytes(cols):(i+1)*dt.RowBytes(cols)])
		})
	}
	return t, nil
}

// words is little-endian 16-bit values. Data at an odd address is copied.
func words(data []byte) []uint16 {
	if len(data) == 0 {
		return nil
	}
	p := unsafe.Pointer(unsafe.SliceData(data))
	if uintptr(p)%2 != 0 {
		data = append(make([]byte, 0, len(data)+1), data...)
		p = unsafe.Pointer(unsafe.SliceData(data))
	}
	return unsafe.Slice((*uint16)(p), len(data)/2)
}

// weightRow writes row i.
func (b *Backend) weightRow(w *weights, i int, dst []float32) {
	if w.blocks != nil {
		w.blocks.Row(i, dst)
		return
	}
	b.set.Column(w.packed, i, dst)
}

// unpack writes rows of w, which is in bf16, from the given one on to dst.
func (b *Backend) unpack(dst *tensor.Tensor, w *weights, first int) {
	const group = 32 // rows of a task
	data := tensor.Data[uint16](dst)
	b.pool.Run((dst.Rows+group-1)/group, func(task, _ int) {
		lo, hi := task*group, min(dst.Rows, (task+1)*group)
		b.set.Columns(w.packed, first+lo, first+hi, data[lo*dst.Stride:], dst.Stride)
	})
}

// multiplyWeights computes C = A Wᵀ.
func (b *Backend) multiplyWeights(c, a, t *tensor.Tensor, w *weights, o tensor.MatMul) {
	if !o.TransB || o.TransA || t.Off != 0 || t.Rows != w.rows() {
		panic(fmt.Sprintf("cpu: product of %v and %v: constant weights are whole and multiplied as they lie, without gradient", a, t))
	}
	var bias []float32
	if o.Bias != nil {
		bias = tensor.Data[float32](o.Bias)
	}
	if w.blocks != nil {
		b.set.GemmBlocks(b.pool, b.scratch, &kernel.BlockGemm{
			A: matrix(a, false), B: w.blocks, C: matrix(c, false), Accumulate: o.Accumulate, Bias: bias,
		})
		return
	}
	b.set.Gemm(b.pool, b.scratch, &kernel.Gemm{
		A: matrix(a, false), Packed: w.packed, C: matrix(c, false), Accumulate: o.Accumulate, Bias: bias, Precision: kernel.BF16,
	})
}

func (w *weights) rows() int {
	if w.blocks != nil {
		return w.blocks.N
	}
	return w.packed.N
}
