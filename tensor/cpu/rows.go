package cpu

import (
	"fmt"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/kernel"
)

// taskElements is how many elements one task of a row kernel covers: well
// under 200 us of work, well over the cost of handing it out.
const taskElements = 16 << 10

// rowSlots is the number of rows that one kernel call may hold converted.
const rowSlots = 6

// rowBuffers holds, for one worker, the f32 copies of narrow rows.
type rowBuffers [rowSlots][]float32

// each calls f(w, i) for rows i in [0, rows), split into tasks by shape.
func (b *Backend) each(rows, cols int, f func(w, i int)) {
	per := max(1, taskElements/max(1, cols))
	b.pool.Run((rows+per-1)/per, func(task, w int) {
		for i := task * per; i < min(rows, (task+1)*per); i++ {
			f(w, i)
		}
	})
}

// in is row i of t as f32: the row itself, or its conversion in the worker's
// slot.
func (b *Backend) in(w, slot int, t *tensor.Tensor, i int) []float32 {
	if k, ok := t.Mem.(*weights); ok {
		buf := b.temporary(w, slot, t.Cols)
		b.weightRow(k, t.Off/t.Stride+i, buf)
		return buf
	}
	if t.DType == dtype.F32 {
		return tensor.Row[float32](t, i)
	}
	buf := b.slot(w, slot, t)
	b.set.FromBF16(buf, tensor.Row[uint16](t, i))
	return buf
}

// out is where row i of t is to be written: the row itself or the worker's
// slot; store moves the latter into the row.
func (b *Backend) out(w, slot int, t *tensor.Tensor, i int) []float32 {
	if t.DType == dtype.F32 {
		return tensor.Row[float32](t, i)
	}
	return b.slot(w, slot, t)
}

// store completes out.
func (b *Backend) store(t *tensor.Tensor, i int, row []float32) {
	if t.DType != dtype.F32 {
		b.set.ToBF16(tensor.Row[uint16](t, i), row)
	}
}

func (b *Backend) slot(w, slot int, t *tensor.Tensor) []float32 {
	if _, ok := t.Mem.(*tensor.Host); !ok || t.DType != dtype.BF16 {
		panic("cpu: row kernel over " + t.String())
	}
	return b.temporary(w, slot, t.Cols)
}

// temporary is n elements of the worker's slot.
func (b *Backend) temporary(w, slot, n int) []float32 {
	buf := &b.rows[w][slot]
	if cap(*buf) < n {
		*buf = make([]float32, n)
	}
	return (*buf)[:n]
}

// same panics unless all tensors have the shape of the first.
func same(op string, t *tensor.Tensor, us ...*tensor.Tensor) {
	for _, u := range us {
		if !t.SameShape(u) {
			panic(fmt.Sprintf("cpu: %s of %v and %v", op, t, u))
		}
	}
}

// Upload copies src to dst row by row.
func (b *Backend) Upload(dst *tensor.Tensor, src []float32) {
	b.each(dst.Rows, dst.Cols, func(w, i int) {
		y := b.out(w, 0, dst, i)
		copy(y, src[i*dst.Cols:])
		b.store(dst, i, y)
	})
}

// Download copies src to dst row by row.
func (b *Backend) Download(dst []float32, src *tensor.Tensor) {
	b.each(src.Rows, src.Cols, func(w, i int) {
		copy(dst[i*src.Cols:], b.in(w, 0, src, i))
	})
}

// Zero sets every element to zero.
func (b *Backend) Zero(t *tensor.Tensor) {
	b.each(t.Rows, t.Cols, func(_, i int) {
		if t.DType == dtype.F32 {
			clear(tensor.Row[float32](t, i))
		} else {
			clear(tensor.Row[uint16](t, i))
		}
	})
}

// Copy copies a to dst and converts where the formats differ.
func (b *Backend) Copy(dst, a *tensor.Tensor) {
	same("copy", dst, a)
	k, laid := a.Mem.(*weights)
	if laid && k.packed != nil && dst.DType == dtype.BF16 {
		b.unpack(dst, k, a.Off/a.Stride)
		return
	}
	b.each(dst.Rows, dst.Cols, func(w, i int) {
		if dst.DType == a.DType && dst.DType == dtype.BF16 && !laid {
			copy(tensor.Row[uint16](dst, i), tensor.Row[uint16](a, i))
			return
		}
		y := b.out(w, 0, dst, i)
		copy(y, b.in(w, 1, a, i))
		b.store(dst, i, y)
	})
}

// map1 writes f(dst, x) row by row.
func (b *Backend) map1(op string, dst, x *tensor.Tensor, f func(y, x []float32)) {
	same(op, dst, x)
	b.each(dst.Rows, dst.Cols, func(w, i int) {
		y := b.out(w, 0, dst, i)
		f(y, b.in(w, 1, x, i))
		b.store(dst, i, y)
	})
}

// map2 writes f(dst, x, z) row by row.
func (b *Backend) map2(op string, dst, x, z *tensor.Tensor, f func(y, x, z []float32)) {
	same(op, dst, x, z)
	b.each(dst.Rows, dst.Cols, func(w, i int) {
		y := b.out(w, 0, dst, i)
		f(y, b.in(w, 1, x, i), b.in(w, 2, z, i))
		b.store(dst, i, y)
	})
}

// Add is dst = a + z.
func (b *Backend) Add(dst, a, z *tensor.Tensor) { b.map2("add", dst, a, z, b.set.Add) }

// Mul is dst = a * z.
func (b *Backend) Mul(dst, a, z *tensor.Tensor) { b.map2("multiply", dst, a, z, b.set.Mul) }

// AddScaled is dst += s a; dst is f32.
func (b *Backend) AddScaled(dst, a *tensor.Tensor, s float64) {
	b.map1("add scaled", dst, a, func(y, x []float32) { b.set.AddScaled(y, x, float32(s)) })
}

// Scale is dst = s a.
func (b *Backend) Scale(dst, a *tensor.Tensor, s float64) {
	b.map1("scale", dst, a, func(y, x []float32) { b.set.Scale(y, x, float32(s)) })
}

// ScaleRows multiplies each row by its own factor.
func (b *Backend) ScaleRows(dst, a, s *tensor.Tensor) {
	same("scale rows", dst, a)
	b.each(dst.Rows, dst.Cols, func(w, i int) {
		y := b.out(w, 0, dst, i)
		b.set.Scale(y, b.in(w, 1, a, i), tensor.Row[float32](s, i)[0])
		b.store(dst, i, y)
	})
}

// DotRows multiplies row with row; dst is f32.
func (b *Backend) DotRows(dst, a, z *tensor.Tensor) {
	same("dot rows", a, z)
	b.each(a.Rows, a.Cols, func(w, i int) {
		tensor.Row[float32](dst, i)[0] = b.set.Dot(b.in(w, 0, a, i), b.in(w, 1, z, i))
	})
}

// Dropout multiplies by the mask of tensor.Dropout.
func (b *Backend) Dropout(dst, a *tensor.Tensor, o tensor.Dropout) {
	same("dropout", dst, a)
	m := kernel.Mask{Seed: o.Seed, Stream: o.Stream, Limit: o.Limit(), Scale: float32(1 / (1 - o.P))}
	b.each(dst.Rows, dst.Cols, func(w, i int) {
		y, x := b.out(w, 0, dst, i), b.in(w, 1, a, i)
		b.set.Mask(y, uint64(i)*uint64(a.Cols), &m)
		b.set.Mul(y, y, x)
		b.store(dst, i, y)
	})
}

// Embed gathers rows of table.
func (b *Backend) Embed(dst, table *tensor.Tensor, ids []int32) {
	b.each(dst.Rows, dst.Cols, func(w, i int) {
		y := b.out(w, 0, dst, i)
		copy(y, b.in(w, 1, table, int(ids[i])))
		b.store(dst, i, y)
	})
}

// embedColumns is the width of one task of EmbedBack: tasks own columns, so
// that every element of the table has one writer, in row order.
const embedColumns = 64

// EmbedBack scatters rows of dy.
func (b *Backend) EmbedBack(dtable, dy *tensor.Tensor, ids []int32) {
	tasks := (dy.Cols + embedColumns - 1) / embedColumns
	b.pool.Run(tasks, func(task, w int) {
		lo, hi := task*embedColumns, min(dy.Cols, (task+1)*embedColumns)
		part := dy.ColRange(lo, hi)
		for i, id := range ids {
			y := tensor.Row[float32](dtable, int(id))[lo:hi]
			b.set.Add(y, y, b.in(w, 0, part, i))
		}
	})
}

// RoPE rotates the heads of x in place.
func (b *Backend) RoPE(x *tensor.Tensor, pos []int32, r *tensor.Rotary, inverse bool) {
	rotate := b.set.RoPEHalf
	if r.Pairs {
		rotate = b.set.RoPEPair
	}
	b.each(x.Rows, x.Cols, func(w, i int) {
		c, s := r.Float32(pos[i])
		if inverse {
			s = b.negated(w, s)
		}
		row := b.in(w, 0, x, i)
		for h := 0; h < x.Cols; h += r.Width() {
			rotate(row[h:h+r.D], c, s)
		}
		b.store(x, i, row)
	})
}

// negated is -s in the worker's slot.
func (b *Backend) negated(w int, s []float32) []float32 {
	buf := b.temporary(w, 1, len(s))
	b.set.Scale(buf, s, -1)
	return buf
}
