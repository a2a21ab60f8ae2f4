package sample

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"
)

// candidate is a token still in the draw.
type candidate struct {
	logit  float64
	weight float64 // exp(logit - largest), set by weigh
	id     int32
}

// pool is the candidates of one draw, ascending by id. It begins as the row of
// all logits, which the first steps read without listing it: a row has a hundred
// thousand candidates of which some forty stay. Ids whose logits a step changed
// lie apart.
type pool struct {
	at      At
	row     []float32 // nil once listed
	allowed []uint64  // bits of the row; nil: all
	edited  []candidate
	heat    float64 // divides the distances of the row from its largest logit; 0: 1
	c       []candidate

	// Memory that is used again.
	mask   []uint64
	counts []int32 // of ids, all 0 between uses
	ids    []int32
	places []int32
	ranks  []ranked
	few    []float32
	merged []candidate
	sums   masses
}

var pools = sync.Pool{New: func() any { return new(pool) }}

// newPool is the logits above -Inf of the ids that the mask allows.
func newPool(logits []float32, at At) *pool {
	if at.Mask != nil && len(at.Mask)*64 < len(logits) {
		panic(fmt.Sprintf("sample: a mask of %d bits for %d logits", len(at.Mask)*64, len(logits)))
	}
	p := pools.Get().(*pool)
	p.at, p.row, p.allowed, p.edited, p.heat, p.c = at, logits, at.Mask, p.edited[:0], 0, p.c[:0]
	return p
}

// free gives the memory back. Nothing of the pool may be used after it.
func (p *pool) free() {
	p.at, p.row, p.allowed = At{}, nil, nil
	pools.Put(p)
}

var never = math.Inf(-1)

// apart is x - top, 0 for the largest even where that is infinite.
func apart(x, top float64) float64 {
	if x == top {
		return 0
	}
	return x - top
}

// all is the candidates by rising id, with their logits.
func (p *pool) all() iter.Seq2[int32, float64] {
	return func(yield func(int32, float64) bool) {
		for _, x := range p.c {
			if !yield(x.id, x.logit) {
				return
			}
		}
		top, heat := 0.0, p.heat
		if heat != 0 {
			top = p.top()
		}
		next := 0 // of the edited
		for i, x := range p.row {
			y := float64(x)
			switch {
			case next < len(p.edited) && p.edited[next].id == int32(i):
				y = p.edited[next].logit
				next++
			case !(x > float32(never)) || p.allowed != nil && p.allowed[i/64]>>(i%64)&1 == 0:
				continue
			}
			if heat != 0 {
				y = apart(y, top) / heat
			}
			if !yield(int32(i), y) {
				return
			}
		}
	}
}

// list makes the row a list.
func (p *pool) list() []candidate {
	if p.row == nil {
		return p.c
	}
	c := p.c
	for id, x := range p.all() {
		c = append(c, candidate{logit: x, id: id})
	}
	p.c, p.row = c, nil
	return c
}

// top is the largest logit, -Inf where there is no candidate.
func (p *pool) top() float64 {
	top := never
	if i := argmax(p.row, p.allowed); i >= 0 {
		top = float64(p.row[i])
	}
	if p.row == nil {
		for _, x := range p.c {
			top = max(top, x.logit)
		}
		return top
	}
	for _, x := range p.edited {
		top = max(top, x.logit)
	}
	return top
}

// weigh lists the candidates, sets their weights and returns the sum of these.
func (p *pool) weigh() (total float64) {
	c := p.list()
	top := p.top()
	for i := range c {
		c[i].weight = math.Exp(apart(c[i].logit, top))
		total += c[i].weight
	}
	return total
}

// draw takes a candidate by its weight; noise is asked for where there are several.
func (p *pool) draw(noise func() float64) Token {
	c := p.list()
	switch len(c) {
	case 0:
		return Token{-1, math.NaN()}
	case 1:
		return Token{c[0].id, 0}
	}
	total := p.weigh()
	u := noise() * total
	last := -1
	for i := range c {
		if c[i].weight == 0 {
			continue
		}
		last = i
		if u -= c[i].weight; u < 0 {
			break
		}
	}
	// Rounding may take u past the end: the last one that can be drawn.
	return Token{c[last].id, math.Log(c[last].weight) - math.Log(total)}
}

// entropy of the weights that weigh has just set, in nats.
func (p *pool) entropy(total float64) float64 {
	top, sum := p.top(), 0.0
	for _, x := range p.c {
		if x.weight > 0 {
			sum += x.weight * apart(x.logit, top)
		}
	}
	return max(0, math.Log(total)-sum/total)
}

// keep leaves the candidates that hold says.
func (p *pool) keep(hold func(candidate) bool) {
	out := p.list()[:0]
	for _, x := range p.c {
		if hold(x) {
			out = append(out, x)
		}
	}
	p.c = out
}

// collect leaves the candidates with a logit of cut or more.
func (p *pool) collect(cut float64) {
	if p.row == nil || p.heat != 0 {
		p.keep(func(x candidate) bool { return x.logit >= cut })
		return
	}
	p.places = slices.Grow(p.places[:0], len(p.row))[:len(p.row)]
	c := p.c[:0]
	for _, id := range p.places[:above(p.places, p.row, p.allowed, below(cut))] {
		c = append(c, candidate{logit: float64(p.row[id]), id: id})
	}
	p.c, p.row = c, nil
	p.merge(func(x candidate) bool { return x.logit >= cut })
}

// upTo leaves the candidates in bins up to last of the distance to top, and some that
// are hardly farther.
func (p *pool) upTo(last int, top float64) {
	if last < bins-1 {
		p.collect(top - (float64(last)+2)/binsANat)
	}
	p.list()
}

// below is the largest float32 under all those that are x or more.
func below(x float64) float32 {
	f := float32(x)
	if float64(f) >= x {
		f = math.Nextafter32(f, float32(never))
	}
	return f
}

// merge adds the edited candidates that hold says to the list of the others.
func (p *pool) merge(hold func(candidate) bool) {
	if len(p.edited) == 0 {
		return
	}
	out, rest := p.merged[:0], p.c
	for _, x := range p.edited {
		if !hold(x) {
			continue
		}
		n, _ := find(rest, x.id)
		out = append(append(out, rest[:n]...), x)
		rest = rest[n:]
	}
	out = append(out, rest...)
	p.c, p.merged = out, p.c[:0]
	p.edited = p.edited[:0]
}

// find is where id stands in a list, or would.
func find(c []candidate, id int32) (int, bool) {
	return slices.BinarySearchFunc(c, id, func(x candidate, id int32) int { return int(x.id) - int(id) })
}

// edit changes the logits of the candidates among ids, which rise: f gives the
// new one of ids[i]. Sums too large for a number become the largest: a step alone
// leaves no candidate out.
func (p *pool) edit(ids []int32, f func(i int, logit float64) float64) {
	c := p.c
	switch {
	case p.row != nil && p.heat != 0:
		c = p.list()
	case p.row != nil:
		p.apart(ids)
		c = p.edited
	}
	for i, id := range ids {
		n, ok := find(c, id)
		if c = c[n:]; ok {
			c[0].logit = f(i, c[0].logit)
			if c[0].logit == never {
				c[0].logit = -math.MaxFloat64
			}
		}
	}
}

// apart takes ids, which rise, out of the row and lays them beside it.
func (p *pool) apart(ids []int32) {
	words := (len(p.row) + 63) / 64
	if p.allowed == nil {
		p.mask = slices.Grow(p.mask[:0], words)[:words]
		for i := range p.mask {
			p.mask[i] = ^uint64(0)
		}
	} else if len(p.mask) == 0 || &p.mask[0] != &p.allowed[0] {
		p.mask = append(p.mask[:0], p.allowed[:words]...)
	}
	p.allowed = p.mask
	out, rest := p.merged[:0], p.edited
	for _, id := range ids {
		if id < 0 || int(id) >= len(p.row) || p.allowed[id/64]>>(id%64)&1 == 0 || !(p.row[id] > float32(never)) {
			continue
		}
		p.allowed[id/64] &^= 1 << (id % 64)
		n, _ := find(rest, id)
		out = append(append(out, rest[:n]...), candidate{logit: float64(p.row[id]), id: id})
		rest = rest[n:]
	}
	out = append(out, rest...)
	p.edited, p.merged = out, p.edited[:0]
}
