package batch

import (
	"fmt"
	"math/bits"
	"slices"
)

// fit divides items of the given lengths among rows of t places, best fit
// decreasing: each item, the longest first, goes to the fullest row that has
// room for it. Ties go by index. It returns the items of each row. Every
// length must lie in [1, t].
func fit(lengths []int, t int) [][]int32 {
	order := make([]int32, len(lengths))
	for i := range order {
		order[i] = int32(i)
		if lengths[i] < 1 || lengths[i] > t {
			panic(fmt.Sprintf("batch: item of length %d for rows of %d", lengths[i], t))
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int { return lengths[b] - lengths[a] })
	var rows [][]int32
	open := make([][]int32, t+1)      // room left -> rows
	some := make([]uint64, (t+64)/64) // bit r: open[r] has rows
	for _, item := range order {
		n := lengths[item]
		room := nextBit(some, n)
		var row int32
		if room < 0 {
			room = t
			row = int32(len(rows))
			rows = append(rows, nil)
		} else {
			last := len(open[room]) - 1
			row = open[room][last]
			if open[room] = open[room][:last]; last == 0 {
				some[room/64] &^= 1 << (room % 64)
			}
		}
		rows[row] = append(rows[row], item)
		if left := room - n; left > 0 {
			open[left] = append(open[left], row)
			some[left/64] |= 1 << (left % 64)
		}
	}
	return rows
}

// nextBit returns the lowest set bit at or above from, or -1.
func nextBit(set []uint64, from int) int {
	k := from / 64
	if k >= len(set) {
		return -1
	}
	word := set[k] >> (from % 64) << (from % 64)
	for word == 0 {
		if k++; k == len(set) {
			return -1
		}
		word = set[k]
	}
	return 64*k + bits.TrailingZeros64(word)
}
