package batch

import (
	"fmt"

	"github.com/foundling-lm/foundling/internal/rng"
)

// EvalOptions says how held-out documents are covered.
type EvalOptions struct {
	B, T int // rows of a batch, tokens of a row (the context)
	// Stride is how far each window lies behind the one before, in [1, T];
	// 0 is T/2. Smaller strides give targets more context and cost more.
	Stride int
	// Whole takes all documents as one text, across their borders.
	Whole bool
	// Plain is LoaderOptions.Plain, and follows from Whole.
	Plain bool
}

// Eval covers documents with windows of at most T tokens, such that every token
// is a counted target exactly once: the first window of a document counts all
// its targets, each later one only those that no window before has reached.
// The other positions are context, with target -1. Windows are packed into rows
// without attention across them, and rows are in a fixed random order, so that
// the first batches are a fair sample.
//
// With an end token at the front (see LoaderOptions.Plain) really every token
// is counted; else the first of each document has nothing to be predicted from
// and Uncounted tells how many.
type Eval struct {
	s         *Shards
	o         EvalOptions
	windows   []window
	rows      [][]int32 // windows of each row
	counted   int64
	uncounted int64
}

// window is the pairs [from, from+n) of a document, of which the last fresh
// count. Under Whole, doc is 0 and from a position in all documents.
type window struct {
	from     int64
	doc      int32
	n, fresh int32
}

// NewEval plans the windows; 24 bytes each are kept.
func NewEval(s *Shards, o EvalOptions) (*Eval, error) {
	if o.B < 1 || o.T < 1 {
		return nil, fmt.Errorf("batch: %d rows of %d tokens: both must be positive", o.B, o.T)
	}
	if o.Stride == 0 {
		o.Stride = max(1, o.T/2)
	}
	if o.Stride < 1 || o.Stride > o.T {
		return nil, fmt.Errorf("batch: stride is %d: want a number from 1 to the context %d", o.Stride, o.T)
	}
	if s.manifest.End == NoEnd || o.Whole {
		o.Plain = true
	}
	e := &Eval{s: s, o: o}
	if o.Whole {
		e.cover(0, s.Tokens())
	} else {
		for doc := range s.Documents() {
			e.cover(doc, int64(s.Len(doc)))
		}
	}
	if e.counted == 0 {
		return nil, fmt.Errorf("batch: no token of %d documents can be a target: give longer documents", s.Documents())
	}
	lengths := make([]int, len(e.windows))
	for i, w := range e.windows {
		lengths[i] = int(w.n)
	}
	rows := fit(lengths, o.T)
	e.rows = make([][]int32, len(rows))
	for i, j := range permutation(0, rng.Stream("batch evaluation"), len(rows)) {
		e.rows[i] = rows[j]
	}
	return e, nil
}

// cover plans the windows of a document of the given number of tokens.
func (e *Eval) cover(doc int, tokens int64) {
	pairs := tokens
	if e.o.Plain {
		pairs-- // the first token is no target
		e.uncounted++
	}
	t, reached := int64(e.o.T), int64(0)
	for from := int64(0); reached < pairs; from += int64(e.o.Stride) {
		end := min(from+t, pairs)
		e.windows = append(e.windows, window{from: from, doc: int32(doc), n: int32(end - from), fresh: int32(end - reached)})
		reached = end
	}
	e.counted += pairs
}

// Batches returns the number of batches; rows of the last one may be padding.
func (e *Eval) Batches() int64 {
	return int64((len(e.rows) + e.o.B - 1) / e.o.B)
}

// Stride returns the stride used.
func (e *Eval) Stride() int { return e.o.Stride }

// Counted returns the number of targets of all batches.
func (e *Eval) Counted() int64 { return e.counted }

// Uncounted returns the number of tokens that are no target in any batch.
func (e *Eval) Uncounted() int64 { return e.uncounted }

// At returns batch i, in [0, Batches()).
func (e *Eval) At(i int64) *Batch {
	if i < 0 || i >= e.Batches() {
		panic(fmt.Sprintf("batch: evaluation batch %d of %d", i, e.Batches()))
	}
	b := New(e.o.B, e.o.T)
	for row := range e.o.B {
		r := int(i)*e.o.B + row
		if r >= len(e.rows) {
			break
		}
		at := 0
		for _, k := range e.rows[r] {
			e.fill(b, row, at, e.windows[k])
			at += int(e.windows[k].n)
		}
	}
	return b
}

func (e *Eval) fill(b *Batch, row, at int, w window) {
	n := int(w.n)
	if e.o.Whole {
		e.s.ReadAt(b.IDs[row*b.T+at:][:n], w.from)
		e.s.ReadAt(b.Targets[row*b.T+at:][:n], w.from+1)
		b.span(row, at, n)
		b.Trained += n
	} else {
		fillSpan(b, row, at, e.s, int(w.doc), w.from, n, e.o.Plain)
	}
	context := b.Targets[row*b.T+at:][:w.n-w.fresh]
	for i := range context {
		context[i] = -1
	}
	b.Trained -= len(context)
}
