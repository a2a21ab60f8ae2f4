package op

import (
	"sort"

	"github.com/foundling-lm/foundling/tensor"
)

// LoRA is a low-rank change of a matrix (Hu et al. 2022, arXiv 2106.09685,
// section 4.1): a linear layer over it computes x W + Scale (x Aᵀ) Bᵀ. W may be
// constant and in any format (QLoRA, Dettmers et al. 2023, arXiv 2305.14314).
type LoRA struct {
	A, B  *Param         // (R,C) and (F,R)
	Scale float64        // alpha / R
	Drop  tensor.Dropout // of x on its way into A; another mask for each Pass.Draw
	Off   bool           // the layer computes x W only
}

// Changes are those of one adapter, by matrix.
type Changes map[*Param]*LoRA

// ChangedRows are rows [From, To) of a run, as far as it has them, that take an adapter's
// changes. They are bit for bit what they would be if the adapter were the model's, and so are the rows
// that take none. There is no gradient.
type ChangedRows struct {
	From, To int
	Changes
}

// adapter is the LoRA that the layer uses, nil for none.
func (l Linear) adapter() *LoRA {
	if a := l.W.LoRA; a != nil && !a.Off {
		return a
	}
	return nil
}

// changes says whether rows of this run take changes of their own from the layer.
func (l Linear) changes(p *Pass) bool {
	for i := range p.Changes {
		if p.Changes[i].Changes[l.W] != nil {
			return true
		}
	}
	return false
}

// change adds to rows of y (N,F), which must be Wide, the changes that they take.
func (l Linear) change(p *Pass, y, x *tensor.Tensor) {
	for i := range p.Changes {
		c := &p.Changes[i]
		to := min(c.To, x.Rows)
		if a := c.Changes[l.W]; a != nil && c.From < to {
			p.free(a.apply(p, y.RowRange(c.From, to), x.RowRange(c.From, to)))
		}
	}
}

// OfRows is what f makes of the given rows of x, which rise. They keep the changes that
// they take in x.
func OfRows(p *Pass, x *Value, rows []int32, f func(x *Value) *Value) *Value {
	x = Gather(p, x, rows)
	all := p.Changes
	if len(all) == 0 {
		return f(x)
	}
	defer func() { p.Changes = all }()
	p.Changes = nil
	before := func(row int) int { return sort.Search(len(rows), func(i int) bool { return int(rows[i]) >= row }) }
	for _, c := range all {
		if from, to := before(c.From), before(c.To); from < to {
			p.Changes = append(p.Changes, ChangedRows{from, to, c.Changes})
		}
	}
	return f(x)
}

// dropped is x after dropout, in a buffer of its own where there is any.
func (a *LoRA) dropped(p *Pass, x *tensor.Tensor) *tensor.Tensor {
	if a.Drop.P == 0 || !p.Record {
		return x
	}
	d := p.tensor(x.DType, x.Rows, x.Cols)
	p.Backend.Dropout(d, x, a.mask(p))
	return d
}

// mask is the dropout of this run.
func (a *LoRA) mask(p *Pass) tensor.Dropout {
	d := a.Drop
	d.Stream ^= p.Draw << 16
	return d
}

// apply adds the change for x (N,C) to y (N,F), which must be Wide, and returns
// Scale x Aᵀ (N,R).
func (a *LoRA) apply(p *Pass, y, x *tensor.Tensor) *tensor.Tensor {
	u := p.tensor(p.Backend.Wide(), x.Rows, a.A.T.Rows)
	d := a.dropped(p, x)
	p.Backend.MatMul(u, d, a.A.T, tensor.MatMul{TransB: true, Packed: a.A.packed(p, true)})
	if d != x {
		p.free(d)
	}
	p.Backend.Scale(u, u, a.Scale)
	p.Backend.MatMul(y, u, a.B.T, tensor.MatMul{TransB: true, Accumulate: true, Packed: a.B.packed(p, true)})
	return u
}

// back gives the gradients of A, B and x for dy (N,F); u is what apply returned.
func (a *LoRA) back(p *Pass, x *Value, u, dy *tensor.Tensor) {
	b := p.Backend
	a.B.addProduct(b, dy, u, tensor.MatMul{TransA: true})
	du := p.tensor(b.Wide(), u.Rows, u.Cols)
	b.MatMul(du, dy, a.B.T, tensor.MatMul{Packed: a.B.packed(p, false)})
	b.Scale(du, du, a.Scale)
	d := a.dropped(p, p.data(x))
	a.A.addProduct(b, du, d, tensor.MatMul{TransA: true})
	if d == x.T {
		p.giveProduct(x, du, a.A, tensor.MatMul{Packed: a.A.packed(p, false)})
	} else {
		p.free(d)
		dx := p.like(x.T)
		b.MatMul(dx, du, a.A.T, tensor.MatMul{Packed: a.A.packed(p, false)})
		b.Dropout(dx, dx, a.mask(p))
		p.giveBuffer(x, dx)
	}
	p.free(du)
	p.free(u)
}
