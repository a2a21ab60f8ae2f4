package posttrain

import "github.com/foundling-lm/foundling/internal/rng"

// Order yields the items of each step of a run: n a step, every item once in an
// epoch, in an order that is a function of seed and epoch.
func Order[T any](items []T, n int, seed uint64) func(step int) []T {
	stream := rng.Stream("posttrain: order")
	var order []int
	epoch := -1
	return func(step int) []T {
		out := make([]T, n)
		for i := range out {
			at := step*n + i
			if e := at / len(items); e != epoch {
				epoch, order = e, rng.Perm(seed, stream+uint64(e), len(items))
			}
			out[i] = items[order[at%len(items)]]
		}
		return out
	}
}
