// Package ngram is the counting baseline: a language model by interpolated
// modified Kneser-Ney smoothing over integer symbols (bytes, or the tokens of
// a model). Train counts once; the Model then answers for every order from 1
// to the order it was trained at, each as a Kneser-Ney model of its own: raw
// counts at its top order, continuation counts below.
//
// Sources: Kneser & Ney 1995, "Improved backing-off for m-gram language
// modeling"; Chen & Goodman 1998, TR-10-98, section 4.1.6 (interpolated form)
// and equation 26 (three discounts an order). For a context h = w1..wn-1,
//
//	P_n(w|h) = (max(c(hw)-D(c(hw)), 0) + g(h) P_n-1(w|w2..wn-1)) / c(h.)
//	g(h)     = D1 N1(h.) + D2 N2(h.) + D3 N3+(h.)
//	c(hw)    = occurrences of hw at the top order,
//	           distinct symbols seen before hw at a lower one
//	P_0(w)   = 1/V
//
// A context that was never seen gives P_n = P_n-1. Each sequence is preceded
// by a pad symbol that is context only and never predicted, so that the first
// symbol of a sequence counts like any other. A pad counts as one symbol seen
// before (SRILM and KenLM take raw counts for n-grams that begin a sentence).
package ngram

import (
	"fmt"
	"iter"
	"math"
	"math/bits"

	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/internal/rng"
)

// Options of Train. The zero value counts everything on one thread.
type Options struct {
	// MaxSymbols bounds the training symbols; 0 means all. Where the
	// sequences hold more, a seeded sample of whole sequences is counted, the
	// last one cut at the bound.
	MaxSymbols int64
	// TotalSymbols is the number of symbols in all sequences, where known. If
	// it is 0 and MaxSymbols is set, the sequences are walked once more, to
	// count them.
	TotalSymbols int64
	// Seed chooses the sample.
	Seed uint64
	// Pool runs the counting; nil is one thread. The result does not depend
	// on it.
	Pool *parallel.Pool
}

// Validate reports an option outside its range.
func (o Options) Validate() error {
	if o.MaxSymbols < 0 || o.TotalSymbols < 0 {
		return fmt.Errorf("ngram: max symbols %d, total symbols %d: want 0 or more", o.MaxSymbols, o.TotalSymbols)
	}
	return nil
}

// Counted says what a Model was trained on.
type Counted struct {
	Symbols   int64   // symbols counted
	Sequences int64   // sequences they came from
	Offered   int64   // symbols in all sequences offered; 0 if not known
	Rate      float64 // share of the sequences drawn, 1 without a sample
	NGrams    []int64 // NGrams[n-1] is the number of distinct n-grams
}

// Model is a trained set of counts seen at one order. It is safe for
// concurrent use.
type Model struct {
	*counts
	order int // the order that LogProb and Score answer for
}

// counts is what all orders share.
type counts struct {
	top     int  // highest order
	vocab   int  // V
	bits    uint // width of a symbol in a packed n-gram
	levels  []level
	grams   shards // the n-grams of the top order with their raw counts
	rawD    []discount
	contD   []discount
	counted Counted
}

// keyBits is the room for a packed n-gram; see key.
const keyBits = 96

// MaxOrder is the highest order that n-grams over a vocabulary can have: 10
// for bytes, 5 up to 524,287 symbols.
func MaxOrder(vocab int) int { return keyBits / bits.Len(uint(vocab)) }

// Train counts the sequences, whose symbols are in [0, vocab), and returns the
// model of the given order. A sequence is read before the next one is asked
// for, so the iterator may reuse its slice.
func Train(order int, seqs iter.Seq[[]int32], vocab int, o Options) (*Model, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if vocab < 1 {
		return nil, fmt.Errorf("ngram: vocabulary of %d symbols: want 1 or more", vocab)
	}
	if order < 1 || order > MaxOrder(vocab) {
		return nil, fmt.Errorf("ngram: order %d: want 1 to %d for a vocabulary of %d", order, MaxOrder(vocab), vocab)
	}
	c := &counts{top: order, vocab: vocab, bits: uint(bits.Len(uint(vocab)))}
	if err := c.count(seqs, o); err != nil {
		return nil, err
	}
	c.derive()
	return &Model{c, order}, nil
}

// At is the model of a lower (or the same) order from the same counts.
func (m *Model) At(order int) *Model {
	if order < 1 || order > m.top {
		panic(fmt.Sprintf("ngram: order %d of a model counted to order %d", order, m.top))
	}
	return &Model{m.counts, order}
}

// Order is the order that LogProb and Score answer for.
func (m *Model) Order() int { return m.order }

// MaxOrder is the highest order that At can give.
func (m *Model) MaxOrder() int { return m.top }

// Counted says what the model was trained on.
func (m *Model) Counted() Counted { return m.counted }

// Bytes makes sequences of byte values from texts. The slice is reused.
func Bytes(texts iter.Seq[string]) iter.Seq[[]int32] {
	return func(yield func([]int32) bool) {
		var buf []int32
		for s := range texts {
			buf = buf[:0]
			for i := range len(s) {
				buf = append(buf, int32(s[i]))
			}
			if !yield(buf) {
				return
			}
		}
	}
}

// count fills c.grams with the n-grams of the top order: one for each symbol,
// ending in it.
func (c *counts) count(seqs iter.Seq[[]int32], o Options) error {
	limit := int64(math.MaxUint32) // counts are 32 bits wide
	rate := 1.0
	total := o.TotalSymbols
	if o.MaxSymbols > 0 {
		if total == 0 {
			for s := range seqs {
				total += int64(len(s))
			}
		}
		limit = min(limit, o.MaxSymbols)
		if total > limit {
			rate = float64(limit) / float64(total)
		}
	}
	stream := rng.Stream("eval/ngram: sample of sequences")
	in := newCounter(&c.grams, o.Pool)
	var n, used int64
	seen := uint64(0)
	for s := range seqs {
		seen++
		if rate < 1 && rng.Float64(o.Seed, stream, seen) >= rate {
			continue
		}
		if room := limit - n; int64(len(s)) > room {
			if o.MaxSymbols == 0 {
				return fmt.Errorf("ngram: more than %d symbols: set MaxSymbols", limit)
			}
			s = s[:room]
		}
		k := c.padding(c.top)
		for i, w := range s {
			if uint32(w) >= uint32(c.vocab) {
				return fmt.Errorf("ngram: symbol %d at position %d of sequence %d: want 0 to %d", w, i, seen-1, c.vocab-1)
			}
			k = c.push(k, w, c.top)
			in.add(k)
		}
		n += int64(len(s))
		used++
		if n == limit && o.MaxSymbols > 0 {
			break
		}
	}
	in.flush()
	c.counted = Counted{Symbols: n, Sequences: used, Offered: total, Rate: rate, NGrams: make([]int64, c.top)}
	if total == 0 {
		c.counted.Offered = n
	}
	return nil
}
