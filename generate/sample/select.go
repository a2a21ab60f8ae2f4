package sample

import (
	"cmp"
	"math"
	"slices"
)

// compare orders candidates by falling logit, then by rising id. No two are
// equal, so every selection has one answer.
func compare(a, b candidate) int {
	if c := cmp.Compare(b.logit, a.logit); c != 0 {
		return c
	}
	return cmp.Compare(a.id, b.id)
}

func before(a, b candidate) bool {
	return a.logit > b.logit || a.logit == b.logit && a.id < b.id
}

// topK appends to dst (empty) the k first candidates of logits by compare,
// fewer where fewer logits are above -Inf, in no useful order.
//
// One scan keeps what is above the k-th best so far. When the buffer is full
// a quickselect halves it and raises the bar, so the cost is O(V) for any
// order of logits and any k, and near one comparison per logit for small k.
func topK(dst []candidate, logits []float32, k int) []candidate {
	if k >= len(logits) {
		for i, x := range logits {
			if x > float32(math.Inf(-1)) {
				dst = append(dst, candidate{logit: x, id: int32(i)})
			}
		}
		return dst
	}
	full := max(2*k, 512)
	if cap(dst) < full {
		dst = make([]candidate, 0, full)
	}
	bar := float32(math.Inf(-1))
	for i, x := range logits {
		// An equal logit that comes later has a higher id and loses.
		if !(x > bar) {
			continue
		}
		dst = append(dst, candidate{logit: x, id: int32(i)})
		if len(dst) == full {
			partialSort(dst, k)
			dst = dst[:k]
			bar = dst[0].logit
			for _, c := range dst {
				bar = min(bar, c.logit)
			}
		}
	}
	if len(dst) > k {
		partialSort(dst, k)
		dst = dst[:k]
	}
	return dst
}

// small is the length below which sorting beats partitioning.
const small = 32

// partialSort moves the k first candidates by compare into c[:k]
// (quickselect, Hoare 1961), 0 < k < len(c).
func partialSort(c []candidate, k int) {
	for len(c) > small {
		p := partition(c)
		switch {
		case k <= p:
			c = c[:p]
		case k == p+1:
			return
		default:
			c, k = c[p+1:], k-p-1
		}
		if k == len(c) {
			return
		}
	}
	slices.SortFunc(c, compare)
}

// nucleus moves the fewest first candidates by compare whose weights reach p
// of total to the front and returns them: at least one. Weighted quickselect.
func nucleus(c []candidate, p, total float64) []candidate {
	need := p * total
	lo, hi := 0, len(c) // the border lies in c[lo:hi]; c[:lo] is in
	for hi-lo > small {
		mid := lo + partition(c[lo:hi])
		var mass float64
		for _, x := range c[lo:mid] {
			mass += x.weight
		}
		switch {
		case mass >= need:
			hi = mid
		case mass+c[mid].weight >= need:
			return c[:mid+1]
		default:
			need -= mass + c[mid].weight
			lo = mid + 1
		}
	}
	slices.SortFunc(c[lo:hi], compare)
	for i, x := range c[lo:hi] {
		if need -= x.weight; need <= 0 {
			return c[:lo+i+1]
		}
	}
	// Rounding: the sum fell short of what the partitions promised.
	return c[:max(hi, 1)]
}

// partition splits c (longer than small) around a pivot that ends at the
// returned place: those before it by compare lie to its left. The pivot is
// the median of three medians of three, which a sorted or constant-step row
// can't make bad.
func partition(c []candidate) int {
	n, s := len(c), len(c)/8
	m := median(c,
		median(c, 0, s, 2*s),
		median(c, n/2-s, n/2, n/2+s),
		median(c, n-1-2*s, n-1-s, n-1))
	c[m], c[n-1] = c[n-1], c[m]
	pivot, p := c[n-1], 0
	for i := range n - 1 {
		if before(c[i], pivot) {
			c[i], c[p] = c[p], c[i]
			p++
		}
	}
	c[p], c[n-1] = c[n-1], c[p]
	return p
}

// median returns which of the places i, j, k holds the middle candidate.
func median(c []candidate, i, j, k int) int {
	if before(c[j], c[i]) {
		i, j = j, i
	}
	switch {
	case before(c[k], c[i]):
		return i
	case before(c[k], c[j]):
		return k
	}
	return j
}
