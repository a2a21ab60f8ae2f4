package sample

import (
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/internal/rng"
)

// topK keeps the K largest logits (Fan et al. 2018, arXiv:1805.04833). It needs no
// probabilities.
func (s *Sampler) topK(p *pool) string {
	k := s.o.TopK
	if p.row != nil && p.heat == 0 && k < len(p.row) {
		c := p.leading(p.c[:0], p.row, p.allowed, k, p.bar(k))
		p.c, p.row = c, nil
		p.merge(func(candidate) bool { return true })
	}
	if c := p.list(); len(c) > k {
		p.c = through(c, p.kth(c, k))
	}
	return ""
}

// minP keeps what is at least MinP times as probable as the first (Nguyen et al.
// 2024, arXiv:2407.01082): a bound on logits, without probabilities.
func (s *Sampler) minP(p *pool) string {
	if p.heat != 0 {
		p.list()
	}
	p.collect(p.top() + math.Log(s.o.MinP))
	return ""
}

// topP keeps the nucleus (Holtzman et al. 2020, arXiv:1904.09751): the fewest
// candidates, most probable first, that reach the share of the probability. It sums
// the weights by bins of the logit, and selects only in the one where the border is.
func (s *Sampler) topP(p *pool) string {
	h := p.masses(false)
	if h == nil {
		return ""
	}
	need := s.o.TopP * h.total
	border := 0
	for ; border < bins-1 && h.mass[border] < need; border++ {
		need -= h.mass[border]
	}
	p.upTo(border, h.top)
	p.ranks = p.ranks[:0]
	for _, x := range p.c {
		if d := -apart(x.logit, h.top); bin(d) == border {
			w, _ := weight(d)
			p.ranks = append(p.ranks, ranked{-x.logit, w, x.id})
		}
	}
	if len(p.ranks) > 0 { // else rounding: the sum of the bins fell short
		p.c = through(p.c, reach(p.ranks, need))
	}
	return ""
}

// typicalP keeps the locally typical set (Meister et al. 2022, arXiv:2202.00666,
// eq. 10): those first whose surprise is nearest to its mean, until they reach the
// share of the probability. Of equals the lower id. Bins that are nearer than the
// border as a whole are in, those that are farther out; it selects in the few others.
func (s *Sampler) typicalP(p *pool) string {
	h := p.masses(true)
	if h == nil {
		return ""
	}
	sum := math.Log(h.total)
	entropy := max(0, sum+h.moment/h.total)
	need := s.o.TypicalP * h.total
	last, low, high := h.around(entropy-sum, need)
	p.upTo(last, h.top)
	p.ranks = p.ranks[:0]
	for _, x := range p.c {
		d := -apart(x.logit, h.top)
		if b := bin(d); b < low || b > high {
			w, _ := weight(d)
			p.ranks = append(p.ranks, ranked{math.Abs(sum + d - entropy), w, x.id})
		}
	}
	for b := low; b <= high; b++ {
		need -= h.mass[b]
	}
	if len(p.ranks) == 0 {
		return "" // rounding, as above
	}
	border := reach(p.ranks, need)
	out := p.c[:0]
	for _, x := range p.c {
		key := math.Abs(sum - apart(x.logit, h.top) - entropy)
		if key < border.key || key == border.key && x.id <= border.id {
			out = append(out, x)
		}
	}
	p.c = out
	return ""
}

// xtcStream is the random numbers that decide whether XTC acts.
var xtcStream = rng.Stream("sample: xtc")

// xtc leaves out, now and then, all that is probable but the least probable of it
// ("exclude top choices", Weidmann 2024, text-generation-webui #6335). It is the one
// step that removes the first candidate.
func (s *Sampler) xtc(p *pool) string {
	if rng.Float64(s.o.Seed, p.at.Stream^xtcStream, p.at.Index) >= s.o.XTCProbability {
		return "not this time"
	}
	bound := s.o.XTCThreshold * p.weigh()
	n, last := 0, candidate{logit: math.Inf(1)}
	for _, x := range p.c {
		if x.weight < bound {
			continue
		}
		n++
		if x.logit <= last.logit {
			last = x
		}
	}
	if n < 2 {
		return "fewer than two are probable enough"
	}
	p.keep(func(x candidate) bool { return x.weight < bound || x.id == last.id })
	return fmt.Sprintf("left out the %d most probable", n-1)
}
