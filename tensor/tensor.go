// Package tensor holds the Tensor type and the Backend interface.
//
// A Tensor is a matrix: rows of equal width in memory that a Backend owns.
// Higher ranks are a matter of interpretation: activations of B sequences of T
// tokens are a tensor of B*T rows, heads lie side by side in a row. A view of
// some rows or columns is a Tensor too, on the same memory.
//
// Letters for dimensions, the same in the whole program: B batch, T tokens,
// C channels (model width), H heads, K key/value heads, D head width, F
// feed-forward width, V vocabulary, E experts, L layers, N rows.
//
// Not here: arithmetic (tensor/kernel), its implementation for a processor
// (tensor/cpu), gradients (tensor/op).
package tensor

import (
	"fmt"
	"unsafe"

	"github.com/foundling-lm/foundling/tensor/dtype"
)

// Memory is a block of memory of a Backend. Its bytes are addressable by Go
// only where it is a *Host.
type Memory interface {
	Bytes() int // size of the block
}

// Host is memory that Go can address, 64-byte aligned.
type Host struct{ Data []byte }

// Bytes is the size of the block.
func (h *Host) Bytes() int { return len(h.Data) }

// Tensor is a matrix of Rows x Cols elements in row-major order.
type Tensor struct {
	Name   string // for error texts; may be empty
	DType  dtype.Type
	Rows   int
	Cols   int
	Stride int // elements from the start of a row to the start of the next
	Mem    Memory
	Off    int // elements before the first one
}

// Over returns a tensor of rows x cols elements at the start of m.
func Over(m Memory, dt dtype.Type, rows, cols int) *Tensor {
	if need := rows * cols * dt.Size(); m == nil || m.Bytes() < need {
		panic(fmt.Sprintf("tensor: %dx%d %v does not fit into its memory", rows, cols, dt))
	}
	return &Tensor{DType: dt, Rows: rows, Cols: cols, Stride: cols, Mem: m}
}

// Len is the number of elements.
func (t *Tensor) Len() int { return t.Rows * t.Cols }

// RowRange is the view of rows [lo, hi).
func (t *Tensor) RowRange(lo, hi int) *Tensor {
	if lo < 0 || hi < lo || hi > t.Rows {
		panic(fmt.Sprintf("tensor: rows [%d, %d) of %v", lo, hi, t))
	}
	v := *t
	v.Off += lo * t.Stride
	v.Rows = hi - lo
	return &v
}

// ColRange is the view of columns [lo, hi).
func (t *Tensor) ColRange(lo, hi int) *Tensor {
	if lo < 0 || hi < lo || hi > t.Cols {
		panic(fmt.Sprintf("tensor: columns [%d, %d) of %v", lo, hi, t))
	}
	v := *t
	v.Off += lo
	v.Cols = hi - lo
	return &v
}

// Split is the view of a dense t in which each row is cut into rows of the given
// width.
func (t *Tensor) Split(width int) *Tensor {
	if !t.Dense() || width <= 0 || t.Cols%width != 0 {
		panic(fmt.Sprintf("tensor: %v split into rows of %d", t, width))
	}
	v := *t
	v.Rows, v.Cols, v.Stride = t.Rows*(t.Cols/width), width, width
	return &v
}

// Dense says that the rows follow each other without gaps.
func (t *Tensor) Dense() bool { return t.Stride == t.Cols || t.Rows <= 1 }

// SameShape says that both have as many rows and columns.
func (t *Tensor) SameShape(u *Tensor) bool { return t.Rows == u.Rows && t.Cols == u.Cols }

func (t *Tensor) String() string {
	name := t.Name
	if name == "" {
		name = "tensor"
	}
	return fmt.Sprintf("%s(%dx%d %v)", name, t.Rows, t.Cols, t.DType)
}

// Number is a Go type that the elements of a host tensor may have.
type Number interface {
	float32 | float64 | uint16 | int32
}

// Data is the host view of t: element (i, j) is Data(t)[i*t.Stride+j]. It
// panics where the memory is not a *Host or E is not as wide as the format.
func Data[E Number](t *Tensor) []E {
	var e E
	if int(unsafe.Sizeof(e)) != t.DType.Size() {
		panic(fmt.Sprintf("tensor: %v read as %T", t, e))
	}
	h, ok := t.Mem.(*Host)
	if !ok {
		panic(fmt.Sprintf("tensor: %v is not in host memory", t))
	}
	if t.Rows == 0 || t.Cols == 0 {
		return nil
	}
	n := (t.Rows-1)*t.Stride + t.Cols
	all := unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(h.Data))), len(h.Data)/t.DType.Size())
	return all[t.Off : t.Off+n]
}

// Row is the host view of row i.
func Row[E Number](t *Tensor, i int) []E {
	d := Data[E](t)
	return d[i*t.Stride : i*t.Stride+t.Cols]
}
