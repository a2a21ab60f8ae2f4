package sample

import (
	"cmp"
	"slices"
)

// ranked is a candidate in a selection: the smallest keys come first, then the
// lowest ids. No two are equal, so every selection has one answer.
type ranked struct {
	key, weight float64
	id          int32
}

func compare(a, b ranked) int {
	if c := cmp.Compare(a.key, b.key); c != 0 {
		return c
	}
	return cmp.Compare(a.id, b.id)
}

func before(a, b ranked) bool {
	return a.key < b.key || a.key == b.key && a.id < b.id
}

// rank copies c for a selection by falling logit.
func (p *pool) rank(c []candidate) []ranked {
	p.ranks = p.ranks[:0]
	for _, x := range c {
		p.ranks = append(p.ranks, ranked{-x.logit, x.weight, x.id})
	}
	return p.ranks
}

// kth is the k-th of c by falling logit and rising id, 0 < k <= len(c).
func (p *pool) kth(c []candidate, k int) ranked {
	r := p.rank(c)
	if k < len(r) {
		partialSort(r, k)
		r = r[:k]
	}
	return slices.MaxFunc(r, compare)
}

// through leaves of c those that come up to last by falling logit.
func through(c []candidate, last ranked) []candidate {
	out := c[:0]
	for _, x := range c {
		if -x.logit < last.key || -x.logit == last.key && x.id <= last.id {
			out = append(out, x)
		}
	}
	return out
}

// small is the length below which sorting beats partitioning.
const small = 32

// partialSort moves the k first by compare into c[:k] (quickselect, Hoare 1961),
// 0 < k < len(c).
func partialSort(c []ranked, k int) {
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

// reach is the last of the fewest first by compare whose weights sum to need, the
// very last where they all fall short: weighted quickselect. C is not empty.
func reach(c []ranked, need float64) ranked {
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
			return c[mid]
		default:
			need -= mass + c[mid].weight
			lo = mid + 1
		}
	}
	slices.SortFunc(c[lo:hi], compare)
	for _, x := range c[lo:hi] {
		if need -= x.weight; need <= 0 {
			return x
		}
	}
	// Rounding: the sum fell short of what the partitions promised.
	return c[max(hi, 1)-1]
}

// partition splits c (longer than small) around a pivot that ends at the
// returned place: those before it by compare lie to its left. The pivot is
// the median of three medians of three, which a sorted or constant-step row
// can't make bad.
func partition(c []ranked) int {
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

// median returns which of the places i, j, k holds the middle one.
func median(c []ranked, i, j, k int) int {
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
