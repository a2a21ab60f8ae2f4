package cpu

import "github.com/foundling-lm/foundling/tensor/kernel"

// softCap turns the scores of a row into cap*tanh(scale*score/cap) where the
// keys [lo, hi) of [first, last) lie. Whole groups are computed, so that an
// element's bits do not depend on where the range ends; what else is in them is
// hidden afterwards.
func softCap(set *kernel.Set, row []float32, lo, hi, first, last int, scale, limit float32) {
	lo, hi = max(lo, first)/keyGroup*keyGroup, roundUp(min(hi, last), keyGroup)
	if lo >= hi {
		return
	}
	s := row[lo:hi]
	set.Scale(s, s, scale/limit)
	set.Tanh(s, s)
	set.Scale(s, s, limit)
}

// softCapBack multiplies the gradients ds of capped scores by the slope of the
// cap, 1 - (s/limit)^2; s are the capped scores and become garbage.
func softCapBack(set *kernel.Set, ds, s []float32, limit float32) {
	set.Scale(s, s, 1/limit)
	set.Mul(s, s, s)
	set.Mul(s, s, ds)
	set.AddScaled(ds, s, -1)
}
