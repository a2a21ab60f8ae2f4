package sample

import "math/bits"

// The scans below read rows of a hundred thousand logits: eight at a time with
// one branch where few are wanted, nearly never taken once the bar is high, and 64 at a
// time past ids that the mask forbids.

// anyAbove says whether one of eight is above bar. NaN never is.
func anyAbove(c *[8]float32, bar float32) bool {
	return c[0] > bar || c[1] > bar || c[2] > bar || c[3] > bar ||
		c[4] > bar || c[5] > bar || c[6] > bar || c[7] > bar
}

// word is the bits of the 64 ids from id on; a mask of nil allows all.
func word(mask []uint64, id int) uint64 {
	if mask == nil {
		return ^uint64(0)
	}
	return mask[id/64]
}

// argmax is the place of the largest value that the mask allows, the first of
// equals, -1 where none is above -Inf.
func argmax(x []float32, mask []uint64) int {
	best, top := -1, float32(never)
	for from := 0; from < len(x); from += 64 {
		w := word(mask, from)
		if w == 0 {
			continue
		}
		for i := from; i < min(from+64, len(x)); i += 8 {
			if len(x)-i >= 8 && !anyAbove((*[8]float32)(x[i:]), top) {
				continue
			}
			for j := i; j < min(i+8, len(x)); j++ {
				if x[j] > top && w>>(j%64)&1 != 0 {
					best, top = j, x[j]
				}
			}
		}
	}
	return best
}

// above lists in ids (len(x) of them) the places of the values above bar that the mask
// allows, and returns how many. Where some of the last 64 were, every place is written,
// and kept by a count without a branch: it takes the same time however many they are.
func above(ids []int32, x []float32, mask []uint64, bar float32) (n int) {
	few := true
	for from := 0; from < len(x); from += 64 {
		w, before := word(mask, from), n
		if w == 0 {
			continue
		}
		for i := from; i < min(from+64, len(x)); i += 8 {
			if few && len(x)-i >= 8 && !anyAbove((*[8]float32)(x[i:]), bar) {
				w >>= 8
				continue
			}
			for j, y := range x[i:min(i+8, len(x))] {
				ids[n] = int32(i + j)
				next := n + int(w&1)
				if !(y > bar) {
					next = n
				}
				n, w = next, w>>1
			}
		}
		few = n-before < 3
	}
	return n
}

// leading appends to dst (empty) at least the k first values by falling logit and
// rising id, by rising id, and no more than about 2k. Bar is below all of them.
//
// When the list is full it is cut down to k, which raises the bar: the cost is
// O(V) for any order of values and any k.
func (p *pool) leading(dst []candidate, x []float32, mask []uint64, k int, bar float32) []candidate {
	full := max(2*k, 512)
	for from := 0; from < len(x); from += 64 {
		w := word(mask, from)
		if w == 0 {
			continue
		}
		for i := from; i < min(from+64, len(x)); i += 8 {
			if len(x)-i >= 8 && !anyAbove((*[8]float32)(x[i:]), bar) {
				continue
			}
			for j := i; j < min(i+8, len(x)); j++ {
				if !(x[j] > bar) || w>>(j%64)&1 == 0 {
					continue // an equal value that comes later has a higher id and loses
				}
				if dst = append(dst, candidate{logit: float64(x[j]), id: int32(j)}); len(dst) == full {
					last := p.kth(dst, k)
					dst = through(dst, last)
					bar = float32(-last.key)
				}
			}
		}
	}
	return dst
}

// The sample that leading's first bar is taken from: so many values of each
// stretch. A row in any order, rising ones too, then fills the list a few times
// at most.
const sampled, stretch = 16, 512

// bar is below the k largest values of the row: the k-th of a sample of them.
func (p *pool) bar(k int) float32 {
	if len(p.row) < 16*stretch {
		return float32(never)
	}
	few := p.few[:0]
	for from := 0; from+sampled <= len(p.row); from += stretch {
		w := word(p.allowed, from)
		if bits.TrailingZeros64(w) >= sampled {
			continue
		}
		for i := from; i < from+sampled; i++ {
			if w>>(i%64)&1 != 0 {
				few = append(few, p.row[i])
			}
		}
	}
	p.few = few
	c := p.leading(p.merged[:0], few, nil, k, float32(never))
	p.merged = c[:0]
	if len(c) < k {
		return float32(never)
	}
	return below(-p.kth(c, k).key)
}
