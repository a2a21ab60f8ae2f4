package objective

import "slices"

// AOT matches quantiles: the i-th smallest margin is compared with the i-th
// smallest of the other distribution, whichever pairs they belong to. The loss of
// a pair is that of the quantile where its margin (unpaired: its chosen
// completion) lies. Equal values keep the order of the batch.

// aotLoss compares the margins under the policy with those under the reference.
func aotLoss(p Pairs, _, _ []float64, o *PreferenceOptions) (loss, da, db []float64) {
	n := len(p.Chosen)
	policy, reference := make([]float64, n), make([]float64, n)
	for i := range n {
		policy[i], reference[i] = p.Chosen[i]-p.Rejected[i], p.RefChosen[i]-p.RefRejected[i]
	}
	loss, da, db = make([]float64, n), make([]float64, n), make([]float64, n)
	slices.Sort(reference)
	for rank, i := range order(policy) {
		l, dx := smoothed(o.Beta*(policy[i]-reference[rank]), o.Smoothing)
		loss[i], da[i], db[i] = l, o.Beta*dx, -o.Beta*dx
	}
	return loss, da, db
}

// aotUnpairedLoss compares the log-ratios of chosen completions with those of
// rejected ones.
func aotUnpairedLoss(_ Pairs, a, b []float64, o *PreferenceOptions) (loss, da, db []float64) {
	n := len(a)
	loss, da, db = make([]float64, n), make([]float64, n), make([]float64, n)
	worse := order(b)
	for rank, i := range order(a) {
		j := worse[rank]
		l, dx := smoothed(o.Beta*(a[i]-b[j]), o.Smoothing)
		loss[i], da[i], db[j] = l, o.Beta*dx, -o.Beta*dx
	}
	return loss, da, db
}

// order are the indices of x from the smallest to the largest value.
func order(x []float64) []int {
	at := make([]int, len(x))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(i, j int) int {
		switch {
		case x[i] < x[j]:
			return -1
		case x[i] > x[j]:
			return 1
		}
		return 0
	})
	return at
}
