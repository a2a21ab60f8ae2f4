package cache

import "github.com/foundling-lm/foundling/tensor"

// Batch is one step of a model over some sequences of a pool, each with its own
// number of new tokens. Their rows follow each other in the order of Add.
type Batch struct {
	pool   *Pool
	seqs   []*Seq
	rows   []int
	n      int
	groups [][]tensor.CachedSeq
	layer  tensor.Cached
}

// NewBatch makes an empty step.
func (p *Pool) NewBatch() *Batch {
	return &Batch{pool: p, groups: make([][]tensor.CachedSeq, len(p.groups))}
}

// Reset empties the batch for the next step.
func (b *Batch) Reset() {
	clear(b.seqs)
	b.seqs, b.rows, b.n = b.seqs[:0], b.rows[:0], 0
	for g := range b.groups {
		clear(b.groups[g])
		b.groups[g] = b.groups[g][:0]
	}
}

// Add takes rows new tokens of s into the step and makes room for them.
func (b *Batch) Add(s *Seq, rows int) {
	s.grow(rows)
	for g := range b.groups {
		b.groups[g] = append(b.groups[g], tensor.CachedSeq{Row: b.n, Rows: rows, Past: s.n, Pages: s.tables[g].mems})
	}
	b.seqs, b.rows = append(b.seqs, s), append(b.rows, rows)
	b.n += rows
}

// Rows is the number of new tokens of all sequences.
func (b *Batch) Rows() int { return b.n }

// Layer describes layer i to attention, which fills in the rest: heads, scale,
// soft cap and window. It is valid until the next call.
func (b *Batch) Layer(i int) *tensor.Cached {
	at := b.pool.place[i]
	b.layer = tensor.Cached{
		K: b.pool.o.KVHeads, D: b.pool.o.HeadDim, Format: b.pool.format,
		Offset: at.offset, Seqs: b.groups[at.group],
	}
	return &b.layer
}

// Advance counts the new tokens as held, after every layer has written them.
func (b *Batch) Advance() {
	for i, s := range b.seqs {
		s.n += b.rows[i]
	}
}
