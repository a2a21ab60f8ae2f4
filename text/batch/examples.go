package batch

import (
	"fmt"

	"github.com/foundling-lm/foundling/internal/rng"
)

// Example is one conversation or other short text to learn from as a whole.
type Example struct {
	IDs []int32
	// Train says for each id whether the model shall learn to produce it.
	Train []bool
}

// TooLong is what happens to examples that do not fit into a row.
type TooLong string

const (
	// Drop leaves the example out. The zero TooLong is Drop.
	Drop TooLong = "drop"
	// Truncate keeps the beginning.
	Truncate TooLong = "truncate"
)

// PackOptions says how examples are laid out.
type PackOptions struct {
	TooLong TooLong
	// Single gives every example a row of its own.
	Single bool
}

// PackStats counts what became of the examples.
type PackStats struct {
	Examples  int `json:"examples"`  // that lie in rows
	Dropped   int `json:"dropped"`   // too long
	Truncated int `json:"truncated"` // too long, cut and kept
	Empty     int `json:"empty"`     // with no id to learn, some after being cut
	Rows      int `json:"rows"`
	Tokens    int `json:"tokens"`  // places of rows in use
	Trained   int `json:"trained"` // targets learned from
}

// Examples is a set of examples packed into rows of T tokens.
type Examples struct {
	t        int
	examples []Example
	rows     [][]int32
	stats    PackStats
}

// PackExamples lays examples out in rows of t tokens, each example whole in one
// row and without attention across examples (best fit decreasing, a function of
// the lengths alone). An example of n ids takes n-1 places, since its last id
// is only a target; n may be up to t+1. The examples' slices are kept.
func PackExamples(examples []Example, t int, o PackOptions) (*Examples, error) {
	if t < 1 {
		return nil, fmt.Errorf("batch: rows of %d tokens: want a positive number", t)
	}
	switch o.TooLong {
	case "", Drop, Truncate:
	default:
		return nil, fmt.Errorf("batch: too long is %q: use drop or truncate", string(o.TooLong))
	}
	p := &Examples{t: t}
	var lengths []int
	for i, e := range examples {
		if len(e.IDs) != len(e.Train) {
			panic(fmt.Sprintf("batch: example %d has %d ids and %d train flags", i, len(e.IDs), len(e.Train)))
		}
		long := len(e.IDs) > t+1
		if long && o.TooLong != Truncate {
			p.stats.Dropped++
			continue
		}
		if long {
			e.IDs, e.Train = e.IDs[:t+1], e.Train[:t+1]
		}
		trained := 0
		for i := 1; i < len(e.IDs); i++ {
			if e.Train[i] {
				trained++
			}
		}
		if trained == 0 {
			p.stats.Empty++
			continue
		}
		if long {
			p.stats.Truncated++
		}
		p.stats.Trained += trained
		p.stats.Tokens += len(e.IDs) - 1
		p.examples = append(p.examples, e)
		lengths = append(lengths, len(e.IDs)-1)
	}
	p.stats.Examples = len(p.examples)
	if p.stats.Examples == 0 {
		return nil, fmt.Errorf("batch: of %d examples none can be learned from (%d longer than %d tokens, %d without anything to learn): use a larger context or other data",
			len(examples), p.stats.Dropped, t+1, p.stats.Empty)
	}
	if o.Single {
		for i := range lengths {
			p.rows = append(p.rows, []int32{int32(i)})
		}
	} else {
		p.rows = fit(lengths, t)
	}
	p.stats.Rows = len(p.rows)
	return p, nil
}

// Stats counts what became of the examples.
func (p *Examples) Stats() PackStats { return p.stats }

// Loader returns batches of b rows. Each epoch takes every row once, in a
// shuffled order; batches run on from one epoch into the next.
func (p *Examples) Loader(b int, seed uint64) *ExampleLoader {
	if b < 1 {
		panic(fmt.Sprintf("batch: %d rows", b))
	}
	return &ExampleLoader{p: p, b: b, seed: seed}
}

// ExampleLoader yields batches of packed examples. It is not safe for use from
// several goroutines.
type ExampleLoader struct {
	p     *Examples
	b     int
	seed  uint64
	epoch int64
	order []uint32 // of epoch
}

// RowsPerEpoch returns the rows that hold every example once.
func (l *ExampleLoader) RowsPerEpoch() int64 { return int64(len(l.p.rows)) }

// Epoch returns how many epochs the first step batches are.
func (l *ExampleLoader) Epoch(step int64) float64 {
	return float64(step) * float64(l.b) / float64(len(l.p.rows))
}

// At returns the batch of a step, counted from 0: a function of the packed
// examples, b, the seed and step.
func (l *ExampleLoader) At(step int64) *Batch {
	if step < 0 {
		panic(fmt.Sprintf("batch: step %d", step))
	}
	b := New(l.b, l.p.t)
	n := int64(len(l.p.rows))
	for row := range l.b {
		g := step*int64(l.b) + int64(row)
		if l.order == nil || l.epoch != g/n {
			l.epoch = g / n
			l.order = permutation(l.seed, rng.Stream("batch examples")+uint64(l.epoch), int(n))
		}
		l.p.fill(b, row, l.p.rows[l.order[g%n]])
	}
	return b
}

func (p *Examples) fill(b *Batch, row int, items []int32) {
	at := 0
	for _, item := range items {
		e := p.examples[item]
		n := len(e.IDs) - 1
		copy(b.IDs[row*b.T+at:], e.IDs[:n])
		targets := b.Targets[row*b.T+at:][:n]
		for i := range targets {
			if e.Train[i+1] {
				targets[i] = e.IDs[i+1]
				b.Trained++
			}
		}
		b.span(row, at, n)
		at += n
	}
}
