package ngram

import (
	"fmt"
	"iter"
	"math"

	"github.com/foundling-lm/foundling/internal/parallel"
)

// walk is a place in a sequence: the contexts that end there.
type walk struct {
	c    *counts
	last key      // the last top symbols
	ctx  []*entry // ctx[n] is the context of n symbols, nil if never seen
	p    []float64
}

func (c *counts) start() *walk {
	w := &walk{c: c, last: c.padding(c.top), ctx: make([]*entry, c.top), p: make([]float64, c.top+1)}
	for n := range w.ctx {
		w.ctx[n] = c.levels[n].find(w.last.suffix(uint(n) * c.bits))
	}
	return w
}

// step moves over a symbol; p[n] is then its probability by the model of order
// n, for n in 1..order.
func (w *walk) step(sym int32, order int) {
	c := w.c
	c.check(sym)
	w.last = c.push(w.last, sym, c.top)
	lower := 1 / float64(c.vocab) // P_n-1 by continuation counts
	known := true                 // the n-gram one shorter was seen
	var e *entry
	for n := 1; n <= order; n++ {
		var raw, cont uint32
		h := w.ctx[n-1]
		w.ctx[n-1] = e // the n-gram found last is the context of the next symbol
		if n == 1 {
			w.ctx[0] = h // the empty context stays
		}
		e = nil
		if known {
			k := w.last.suffix(uint(n) * c.bits)
			if n == c.top {
				raw = c.grams.get(k)
			} else if e = c.levels[n].find(k); e != nil {
				raw, cont = e.raw, e.cont
			}
			known = raw > 0
		}
		if h == nil {
			w.p[n] = lower
			continue
		}
		w.p[n] = mix(raw, &c.rawD[n], h.rawTotal, h.rawGamma, lower)
		lower = mix(cont, &c.contD[n], h.contTotal, h.contGamma, lower)
	}
}

func (c *counts) check(sym int32) {
	if uint32(sym) >= uint32(c.vocab) {
		panic(fmt.Sprintf("ngram: symbol %d in a vocabulary of %d", sym, c.vocab))
	}
}

// mix is the interpolation of one order; a context never seen passes the lower
// order on.
func mix(count uint32, d *discount, total uint32, gamma, lower float64) float64 {
	if total == 0 {
		return lower
	}
	return (max(float64(count)-d.of(count), 0) + gamma*lower) / float64(total)
}

// LogProb is the natural logarithm of the probability of next after context.
// Only the last Order()-1 symbols of the context count; a shorter context is
// the beginning of a sequence.
func (m *Model) LogProb(context []int32, next int32) float64 {
	w := m.start()
	for _, s := range context[max(0, len(context)-m.order+1):] {
		m.check(s)
		w.last = m.push(w.last, s, m.top)
	}
	for n := range m.order {
		w.ctx[n] = m.levels[n].find(w.last.suffix(uint(n) * m.bits))
	}
	w.step(next, m.order)
	return math.Log(w.p[m.order])
}

// Score is the log-probability, in nats, of a whole sequence, and its number
// of symbols.
func (m *Model) Score(seq []int32) (logprob float64, n int) {
	w := m.start()
	for _, s := range seq {
		w.step(s, m.order)
		logprob += math.Log(w.p[m.order])
	}
	return logprob, len(seq)
}

// ScoreAll is the log-probability, in nats, of all sequences together by the
// models of order 1 to Order() (logprob[n-1] is order n's), and the number of
// symbols. The result does not depend on the pool, which may be nil; the
// iterator may reuse its slice.
func (m *Model) ScoreAll(pool *parallel.Pool, seqs iter.Seq[[]int32]) (logprob []float64, n int64) {
	logprob = make([]float64, m.order)
	var symbols []int32 // the sequences that wait, one after the other
	var ends []int
	flush := func() {
		part := make([][]float64, len(ends))
		pool.Run(len(ends), func(i, _ int) {
			begin := 0
			if i > 0 {
				begin = ends[i-1]
			}
			part[i] = m.scoreOrders(symbols[begin:ends[i]])
		})
		for _, p := range part {
			for k := range logprob {
				logprob[k] += p[k]
			}
		}
		symbols, ends = symbols[:0], ends[:0]
	}
	for seq := range seqs {
		n += int64(len(seq))
		symbols = append(symbols, seq...)
		if ends = append(ends, len(symbols)); len(symbols) >= batch {
			flush()
		}
	}
	flush()
	return logprob, n
}

// scoreOrders is Score for each order from 1.
func (m *Model) scoreOrders(seq []int32) []float64 {
	logprob := make([]float64, m.order)
	w := m.start()
	for _, s := range seq {
		w.step(s, m.order)
		for k := range logprob {
			logprob[k] += math.Log(w.p[k+1])
		}
	}
	return logprob
}
