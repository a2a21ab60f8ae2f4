// Package batch keeps token ids on disk and lays them out as batches for
// training and evaluation.
//
// WriteShards stores documents as ids in files that OpenShards maps into
// memory. A Loader cuts them into batches of rows; which batch a step gets is a
// function of seed and step alone, so resuming a run is asking for its next
// step. Eval covers held-out documents with overlapping windows, every token a
// counted target exactly once. PackExamples does the same for short examples
// with a loss mask, as in supervised fine-tuning.
//
// The central type is Batch. Rows hold several documents one after another;
// Batch.Start bounds attention to each token's own document.
//
// Not here: text (ids come from the tokenizer), mixing of several data sets.
package batch

// Batch is B rows of T tokens. All slices have B*T elements, row by row.
type Batch struct {
	B, T int
	// IDs are the inputs.
	IDs []int32
	// Targets are the ids to predict from each position; -1 is not trained on.
	Targets []int32
	// Pos counts positions from 0 at Start: positions within the part of a
	// document that lies in this row.
	Pos []int32
	// Start is the index within the row, in [0, T), of the first position that
	// this one may attend to. Positions that fill up a row have their own
	// index, id 0 and target -1.
	Start []int32
	// Trained is the number of targets that are not -1.
	Trained int
}

// New returns a batch of padding.
func New(b, t int) *Batch {
	batch := new(Batch)
	batch.reset(b, t)
	return batch
}

// reset makes every position padding and reuses memory where it suffices.
func (b *Batch) reset(rows, t int) {
	b.B, b.T, b.Trained = rows, t, 0
	n := rows * t
	if cap(b.IDs) < n {
		b.IDs, b.Targets, b.Pos, b.Start = make([]int32, n), make([]int32, n), make([]int32, n), make([]int32, n)
	}
	b.IDs, b.Targets, b.Pos, b.Start = b.IDs[:n], b.Targets[:n], b.Pos[:n], b.Start[:n]
	clear(b.IDs)
	clear(b.Pos)
	for i := range b.Targets {
		b.Targets[i] = -1
		b.Start[i] = int32(i % t)
	}
}

// span marks n positions of a row, from at on, as one stretch that attends to
// itself.
func (b *Batch) span(row, at, n int) {
	pos, start := b.Pos[row*b.T+at:][:n], b.Start[row*b.T+at:][:n]
	for i := range pos {
		pos[i], start[i] = int32(i), int32(at)
	}
}

// Bytes returns the number of bytes that the trained targets stand for, given
// the length in bytes of every token.
func (b *Batch) Bytes(tokenBytes []int32) int64 {
	var n int64
	for _, id := range b.Targets {
		if id >= 0 {
			n += int64(tokenBytes[id])
		}
	}
	return n
}
