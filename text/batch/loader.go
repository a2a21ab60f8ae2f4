package batch

import (
	"fmt"
	"math"
	"sort"
	"sync"

	"github.com/foundling-lm/foundling/internal/rng"
)

// Mode is how a Loader cuts documents into rows.
type Mode string

const (
	// Packed fills rows with documents one after another, without padding and
	// without attention across documents. A document that does not fit goes on
	// in the next row as a stretch of its own. The zero Mode is Packed.
	//
	// In each epoch the documents are shuffled, laid end to end, cut into rows
	// of T, and the rows are shuffled, so that the rows of a long document lie
	// in many batches. The last row of an epoch may be padded; otherwise every
	// token is in exactly one place of an epoch.
	Packed Mode = "packed"
	// Windows takes each row from a random place of all documents laid end to
	// end, across their borders, as for a corpus that is one long text.
	Windows Mode = "windows"
)

// LoaderOptions says what a Loader yields.
type LoaderOptions struct {
	B, T int // rows of a batch, tokens of a row
	Seed uint64
	Mode Mode
	// Plain gives a document's ids as inputs just as stored. By default, where
	// documents end with an end token, that token is moved to the front of the
	// inputs: a document of L ids is L pairs of input and target
	//
	//	(end, d[0]) (d[0], d[1]) ... (d[L-2], d[L-1] = end)
	//
	// so that its first token is learned too, and a text can begin after the
	// end token alone. Plain pairs are (d[0], d[1]) ... (d[L-1], none): the
	// first token is never a target.
	Plain bool
}

// Loader yields batches from shards. It may be used from several goroutines.
type Loader struct {
	s    *Shards
	o    LoaderOptions
	rows int64 // of an epoch

	mu     sync.Mutex
	epochs [2]*epoch // by the parity of their number
}

// epoch is one pass over the documents, laid end to end in its own order.
type epoch struct {
	number int64
	docs   []uint32 // documents in order
	starts []int64  // first slot of each; one more for the end
	rows   []uint32 // rows in order
}

// NewLoader checks that the shards can fill rows.
func NewLoader(s *Shards, o LoaderOptions) (*Loader, error) {
	if o.Mode == "" {
		o.Mode = Packed
	}
	if s.manifest.End == NoEnd {
		o.Plain = true
	}
	l := &Loader{s: s, o: o}
	switch {
	case o.B < 1 || o.T < 1:
		return nil, fmt.Errorf("batch: %d rows of %d tokens: both must be positive", o.B, o.T)
	case o.Mode == Windows:
		if s.Tokens() <= int64(o.T) {
			return nil, fmt.Errorf("batch: %d tokens cannot fill a window of %d and its targets: use a smaller context or more text",
				s.Tokens(), o.T)
		}
		l.rows = max(1, (s.Tokens()-1)/int64(o.T))
		return l, nil
	case o.Mode != Packed:
		return nil, fmt.Errorf("batch: mode is %q: use packed or windows", string(o.Mode))
	case s.manifest.Documents > math.MaxUint32 || s.Tokens()/int64(o.T) >= math.MaxUint32:
		return nil, fmt.Errorf("batch: %d documents in rows of %d tokens are too many to shuffle", s.Documents(), o.T)
	}
	l.rows = (s.Tokens() + int64(o.T) - 1) / int64(o.T)
	return l, nil
}

// RowsPerEpoch returns the rows that hold every token once; in Windows mode,
// those that hold as many tokens as there are.
func (l *Loader) RowsPerEpoch() int64 { return l.rows }

// Epoch returns how many epochs the first step batches are.
func (l *Loader) Epoch(step int64) float64 {
	return float64(step) * float64(l.o.B) / float64(l.rows)
}

// At returns the batch of a step, counted from 0. It is a function of the
// shards, the options and step: to resume is to ask for the next step.
func (l *Loader) At(step int64) *Batch {
	b := new(Batch)
	l.Fill(b, step)
	return b
}

// Fill is At with the memory of an earlier batch.
func (l *Loader) Fill(b *Batch, step int64) {
	if step < 0 {
		panic(fmt.Sprintf("batch: step %d", step))
	}
	b.reset(l.o.B, l.o.T)
	for row := range l.o.B {
		g := step*int64(l.o.B) + int64(row)
		if l.o.Mode == Windows {
			l.window(b, row, g)
			continue
		}
		e := l.epoch(g / l.rows)
		l.packed(b, row, e, int64(e.rows[g%l.rows]))
	}
}

// window fills a row with T+1 tokens from a random place.
func (l *Loader) window(b *Batch, row int, g int64) {
	t := l.o.T
	at := int64(rng.Intn(l.o.Seed, rng.Stream("batch windows"), uint64(g), int(l.s.Tokens()-int64(t))))
	ids := make([]int32, t+1)
	l.s.ReadAt(ids, at)
	copy(b.IDs[row*t:], ids[:t])
	copy(b.Targets[row*t:][:t], ids[1:])
	b.span(row, 0, t)
	b.Trained += t
}

// packed fills a row with slots [r*T, r*T+T) of an epoch.
func (l *Loader) packed(b *Batch, row int, e *epoch, r int64) {
	slot := r * int64(l.o.T)
	last := min(slot+int64(l.o.T), l.s.Tokens())
	k := sort.Search(len(e.docs), func(k int) bool { return e.starts[k+1] > slot })
	for at := 0; slot < last; k++ {
		from := slot - e.starts[k]
		n := min(e.starts[k+1], last) - slot
		fillSpan(b, row, at, l.s, int(e.docs[k]), from, int(n), l.o.Plain)
		at += int(n)
		slot += n
	}
}

// fillSpan puts the pairs [from, from+n) of a document at column at of a row.
func fillSpan(b *Batch, row, at int, s *Shards, doc int, from int64, n int, plain bool) {
	p, first, end := s.locate(doc)
	ids, targets := b.IDs[row*b.T+at:][:n], b.Targets[row*b.T+at:][:n]
	if plain {
		p.read(ids, first+from)
		m := min(int64(n), end-first-from-1) // the last id has no target
		p.read(targets[:m], first+from+1)
		b.Trained += int(m)
	} else {
		p.read(targets, first+from)
		if from == 0 {
			ids[0] = p.header.end
			p.read(ids[1:], first)
		} else {
			p.read(ids, first+from-1)
		}
		b.Trained += n
	}
	b.span(row, at, n)
}

// epoch returns an epoch's order, which takes a few hundred nanoseconds a
// document to make; the last two are kept.
func (l *Loader) epoch(number int64) *epoch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.epochs[number%2]; e != nil && e.number == number {
		return e
	}
	e := &epoch{number: number,
		docs: permutation(l.o.Seed, rng.Stream("batch documents")+uint64(number), l.s.Documents()),
		rows: permutation(l.o.Seed, rng.Stream("batch rows")+uint64(number), int(l.rows))}
	e.starts = make([]int64, len(e.docs)+1)
	for k, doc := range e.docs {
		e.starts[k+1] = e.starts[k] + int64(l.s.Len(int(doc)))
	}
	l.epochs[number%2] = e
	return e
}

func permutation(seed, stream uint64, n int) []uint32 {
	p := make([]uint32, n)
	for i := range p {
		p[i] = uint32(i)
	}
	for i := n - 1; i > 0; i-- {
		j := rng.Intn(seed, stream, uint64(i), i+1)
		p[i], p[j] = p[j], p[i]
	}
	return p
}
