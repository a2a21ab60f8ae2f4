package cpu

import (
	"math"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/kernel"
)

// sumTasks is how many tasks at most share a reduction over rows. Partial sums
// are added in task order, so the split must be a function of the shape alone.
const sumTasks = 64

// rowsPerTask is the length of one task of a reduction over rows.
func rowsPerTask(rows int) int { return max(16, (rows+sumTasks-1)/sumTasks) }

// Sum adds all elements.
func (b *Backend) Sum(t *tensor.Tensor) float64 {
	return b.reduce(t, func(x []float32) float32 { return b.set.Sum(x) })
}

// SumSquares adds the squares of all elements of all tensors.
func (b *Backend) SumSquares(ts []*tensor.Tensor) (s float64) {
	for _, t := range ts {
		s += b.reduce(t, b.set.SumSquares)
	}
	return s
}

// reduceWidth bounds the f32 sums: longer rows are summed in pieces in f64.
const reduceWidth = 4096

func (b *Backend) reduce(t *tensor.Tensor, f func([]float32) float32) (s float64) {
	per := max(1, taskElements/max(1, t.Cols))
	tasks := (t.Rows + per - 1) / per
	if cap(b.partial) < tasks {
		b.partial = make([]float64, tasks)
	}
	part := b.partial[:tasks]
	b.pool.Run(tasks, func(task, w int) {
		var s float64
		for i := task * per; i < min(t.Rows, (task+1)*per); i++ {
			x := b.in(w, 0, t, i)
			for len(x) > 0 {
				n := min(len(x), reduceWidth)
				s += float64(f(x[:n]))
				x = x[n:]
			}
		}
		part[task] = s
	})
	for _, p := range part {
		s += p
	}
	return s
}

// rowVectors runs f over tasks of rows; each task adds into its own vectors
// (two of the given width, zeroed), which are then added to d1 and d2 (nil to
// skip) in task order.
func (b *Backend) rowVectors(rows, width int, d1, d2 *tensor.Tensor, f func(w, lo, hi int, v1, v2 []float32)) {
	per := rowsPerTask(rows)
	tasks := (rows + per - 1) / per
	if n := 2 * tasks * width; cap(b.partials) < n {
		b.partials = make([]float32, n)
	}
	part := b.partials[:2*tasks*width]
	clear(part)
	b.pool.Run(tasks, func(task, w int) {
		v := part[2*task*width:]
		f(w, task*per, min(rows, (task+1)*per), v[:width], v[width:2*width])
	})
	for task := range tasks {
		v := part[2*task*width:]
		if d1 != nil {
			y := tensor.Row[float32](d1, 0)
			b.set.Add(y, y, v[:width])
		}
		if d2 != nil {
			y := tensor.Row[float32](d2, 0)
			b.set.Add(y, y, v[width:2*width])
		}
	}
}

// SumRows adds the sum of a's rows to dst.
func (b *Backend) SumRows(dst, a *tensor.Tensor) {
	b.rowVectors(a.Rows, a.Cols, dst, nil, func(w, lo, hi int, v, _ []float32) {
		for i := lo; i < hi; i++ {
			b.set.Add(v, v, b.in(w, 0, a, i))
		}
	})
}

// vector is the values of a (1,C) tensor, nil for nil.
func vector(t *tensor.Tensor) []float32 {
	if t == nil {
		return nil
	}
	return tensor.Row[float32](t, 0)
}

// Norm normalises each row.
func (b *Backend) Norm(k tensor.NormKind, dst, stats, x, w, bias *tensor.Tensor, eps float64) {
	same("norm", dst, x)
	wv, bv := vector(w), vector(bias)
	b.each(x.Rows, x.Cols, func(worker, i int) {
		y, row := b.out(worker, 0, dst, i), b.in(worker, 1, x, i)
		s := tensor.Row[float32](stats, i)
		if k == tensor.LayerNorm {
			s[0], s[1] = b.set.LayerNorm(y, row, wv, bv, float32(eps))
		} else {
			s[0], s[1] = 0, b.set.RMSNorm(y, row, wv, float32(eps))
		}
		b.store(dst, i, y)
	})
}

// NormBack is the gradient of Norm.
func (b *Backend) NormBack(k tensor.NormKind, dx, dw, db, dy, x, w, stats *tensor.Tensor) {
	same("norm gradient", dx, dy, x)
	wv := vector(w)
	b.rowVectors(x.Rows, x.Cols, dw, db, func(worker, lo, hi int, v, u []float32) {
		if dw == nil {
			v = nil
		}
		if db == nil {
			u = nil
		}
		for i := lo; i < hi; i++ {
			g := b.out(worker, 0, dx, i)
			d, row, s := b.in(worker, 1, dy, i), b.in(worker, 2, x, i), tensor.Row[float32](stats, i)
			if k == tensor.LayerNorm {
				b.set.LayerNormBack(g, v, u, d, row, wv, s[0], s[1])
			} else {
				b.set.RMSNormBack(g, v, d, row, wv, s[1])
			}
			b.store(dx, i, g)
		}
	})
}

// Softmax normalises exp(x) over each row.
func (b *Backend) Softmax(dst, x *tensor.Tensor) {
	same("softmax", dst, x)
	b.each(x.Rows, x.Cols, func(w, i int) {
		y, row := b.out(w, 0, dst, i), b.in(w, 1, x, i)
		sum := b.set.ExpSub(y, row, b.set.Max(row))
		b.set.Scale(y, y, 1/sum)
		b.store(dst, i, y)
	})
}

// SoftmaxBack is dx = y (dy - sum(dy y)).
func (b *Backend) SoftmaxBack(dx, dy, y *tensor.Tensor) {
	same("softmax gradient", dx, dy, y)
	b.each(y.Rows, y.Cols, func(w, i int) {
		g, d, p := b.out(w, 0, dx, i), b.in(w, 1, dy, i), b.in(w, 2, y, i)
		b.set.SoftmaxBack(g, d, p, b.set.Dot(d, p))
		b.store(dx, i, g)
	})
}

// CrossEntropy turns logits (f32) into gradients and writes the losses.
func (b *Backend) CrossEntropy(losses []float64, logits *tensor.Tensor, targets []int32, o tensor.CrossEntropy) {
	b.pool.Run(logits.Rows, func(i, _ int) {
		row := tensor.Row[float32](logits, i)
		if targets == nil {
			max := b.set.Max(row)
			losses[i] = float64(max) + math.Log(float64(b.set.ExpSub(row, row, max)))
			return
		}
		t := targets[i]
		if t < 0 {
			losses[i] = 0
			clear(row)
			return
		}
		max, target := b.set.Max(row), row[t]
		sum := b.set.ExpSub(row, row, max)
		lse := float64(max) + math.Log(float64(sum))
		losses[i] = lse - float64(target) + o.ZLoss*lse*lse
		if o.NoGrad {
			return
		}
		scale := o.Scale
		if o.Weights != nil {
			scale *= o.Weights[i]
		}
		b.set.Scale(row, row, float32(scale*(1+2*o.ZLoss*lse)/float64(sum)))
		row[t] -= float32(scale)
	})
}

// AdamW updates p, m and v.
func (b *Backend) AdamW(p, m, v, g *tensor.Tensor, o tensor.AdamW) {
	same("AdamW", p, m, v, g)
	s := kernel.AdamWStep{
		GradScale: float32(o.GradScale), Beta1: float32(o.Beta1), Beta2: float32(o.Beta2),
		Eps: float32(o.Eps), LR: float32(o.LR), WeightDecay: float32(o.WeightDecay),
		Correction1: float32(1 - math.Pow(o.Beta1, float64(o.Step))),
		Correction2: float32(1 - math.Pow(o.Beta2, float64(o.Step))),
	}
	b.each(p.Rows, p.Cols, func(_, i int) {
		b.set.AdamW(tensor.Row[float32](p, i), tensor.Row[float32](m, i),
			tensor.Row[float32](v, i), tensor.Row[float32](g, i), &s)
	})
}
