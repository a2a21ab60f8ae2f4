package sample

import (
	"math"
	"math/bits"
)

// Bins of the distance to the largest logit, in nats, by which truncation finds its
// border without sorting a row: bin b is the distances from b/binsANat on, the last one
// all that are farther. Parts of bins have weights of their own.
const (
	bins, binsANat         = 1024, 32
	parts                  = 1024 // of a bin
	partsANat              = parts * binsANat
	farthest       float64 = (bins - 1) * parts // in parts, where the last bin begins
)

// binWeight is exp(-distance) at the beginning of each bin, partWeight at that of each
// part of the first.
var binWeight, partWeight = func() (b, p [bins]float64) {
	for i := range bins {
		b[i], p[i] = math.Exp(-float64(i)/binsANat), math.Exp(-float64(i)/partsANat)
	}
	return b, p
}()

// weight is exp(-distance), by its bin, its part and two terms of the series within:
// the same to a few units of the last place in a third of the time, which rows of a
// hundred thousand weights feel.
func weight(distance float64) (w float64, b int) {
	z := distance * partsANat
	if !(z < farthest) {
		return math.Exp(-distance), bins - 1
	}
	q := int32(z)
	r := (float64(q) - z) * (1. / partsANat)
	return binWeight[q/parts] * partWeight[q%parts] * (1 + r*(1+r*.5)), int(q / parts)
}

// bin is where a distance lies, which is 0 or more.
func bin(distance float64) int {
	if z := distance * partsANat; z < farthest {
		return int(z) / parts
	}
	return bins - 1
}

// masses is the weights of candidates, exp of the distance from the largest logit, by
// bins. Moment is the sum of weight x distance, where it is asked for.
type masses struct {
	mass               [bins]float64
	top, total, moment float64
	moments            bool
}

// masses sums the weights of all candidates, and with moments these; nil where there
// are none.
func (p *pool) masses(moments bool) *masses {
	if p.heat != 0 {
		p.list()
	}
	h := &p.sums
	*h = masses{top: p.top(), moments: moments}
	if h.top == never {
		return nil
	}
	if p.row == nil || math.IsInf(h.top, 1) {
		for _, x := range p.list() {
			h.add(-apart(x.logit, h.top))
		}
	} else {
		h.row(p.row, p.allowed)
		for _, x := range p.edited {
			h.add(-apart(x.logit, h.top))
		}
	}
	for _, m := range h.mass {
		h.total += m
	}
	return h
}

// add adds a candidate. A NaN is none.
func (h *masses) add(distance float64) {
	if distance != distance {
		return
	}
	w, b := weight(distance)
	h.mass[b] += w
	if w > 0 && h.moments {
		h.moment += w * distance
	}
}

// row adds the logits of a row that a mask allows.
func (h *masses) row(x []float32, mask []uint64) {
	for from := 0; from < len(x); from += 64 {
		part := x[from:min(from+64, len(x))]
		w := word(mask, from)
		if w == ^uint64(0) {
			h.addAll(part)
			continue
		}
		for w &= 1<<len(part) - 1; w != 0; w &= w - 1 {
			h.add(h.top - float64(part[bits.TrailingZeros64(w)]))
		}
	}
}

// addAll is add for some logits at once.
func (h *masses) addAll(x []float32) {
	top, moment, moments := h.top, h.moment, h.moments
	for _, y := range x {
		d := top - float64(y)
		z := d * partsANat
		if !(z < farthest) {
			h.moment = moment
			h.add(d)
			moment = h.moment
			continue
		}
		q := int32(z) // as weight does
		r := (float64(q) - z) * (1. / partsANat)
		b, part := uint32(q)/parts%bins, uint32(q)%parts
		w := binWeight[b] * partWeight[part] * (1 + r*(1+r*.5))
		h.mass[b] += w
		if moments {
			moment += w * d
		}
	}
	h.moment = moment
}

// around finds where the candidates whose distance is nearest to center reach the mass
// need: bins from low to high, none where low is above high, are in, and those behind
// last are out.
func (h *masses) around(center, need float64) (last, low, high int) {
	// Within radius k bins lie entirely from inner(k), and at least in part to outer(k).
	at := center * binsANat
	clamp := func(x float64) int { return int(max(-1, min(x, bins))) }
	outer := func(k int) (int, int) {
		return max(0, clamp(math.Floor(at-float64(k))-1)), min(bins-1, clamp(math.Floor(at+float64(k))+1))
	}
	inner := func(k int) (int, int) {
		// The last bin has no far edge: it is never inside.
		return max(0, clamp(math.Ceil(at-float64(k))+1)), min(bins-2, clamp(math.Floor(at+float64(k))-2))
	}
	sum := func(from, to int) (m float64) {
		for b := from; b <= to; b++ {
			m += h.mass[b]
		}
		return m
	}
	low, high = 0, -1
	for k := 0; ; k++ {
		var first int
		if first, last = outer(k); sum(first, last) < need && k < 2*bins {
			low, high = inner(k)
			continue
		}
		if a, b := inner(k); sum(a, b) >= need || k >= 2*bins {
			return last, low, high
		}
	}
}
