package batch

import "fmt"

// Place says where an example lies in a Batch: at positions [At, At+N) of all
// rows, one row after another, of which example's ids but the last are the
// inputs and all but the first the targets.
type Place struct{ At, N int }

// Lay puts examples whole into one batch of as few rows of at most t tokens as
// best fit decreasing finds, cut to the fullest row; no example attends to
// another. Examples are of 2 to t+1 ids and are given their places in order.
func Lay(examples []Example, t int) (*Batch, []Place) {
	lengths := make([]int, len(examples))
	for i, e := range examples {
		if len(e.IDs) != len(e.Train) {
			panic(fmt.Sprintf("batch: example %d has %d ids and %d train flags", i, len(e.IDs), len(e.Train)))
		}
		lengths[i] = len(e.IDs) - 1
	}
	rows := fit(lengths, t)
	width := 0
	for _, items := range rows {
		n := 0
		for _, item := range items {
			n += lengths[item]
		}
		width = max(width, n)
	}
	p := &Examples{t: width, examples: examples}
	b, places := New(len(rows), width), make([]Place, len(examples))
	for row, items := range rows {
		p.fill(b, row, items)
		at := row * width
		for _, item := range items {
			places[item] = Place{at, lengths[item]}
			at += lengths[item]
		}
	}
	return b, places
}
