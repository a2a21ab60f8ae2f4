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

// topP keeps the nucleus (Holtzman et al. 2020, arXiv:1904.09751).
func (s *Sampler) topP(p *pool) string {
	if p.heat != 0 {
		p.list()
	}
	last, ok := p.nucleus(s.o.TopP)
	if !ok {
		return ""
	}
	p.collect(-last.key)
	p.c = through(p.c, last)
	return ""
}

// Bins of the distance to the largest logit, in nats, by which nucleus finds
// the border without sorting a row.
const bins, binsANat = 1024, 32

func bin(distance float64) int {
	if x := distance * binsANat; x < bins-1 {
		return int(x)
	}
	return bins - 1
}

// binWeight is exp(-distance) at the near end of each bin.
var binWeight = func() (w [bins]float64) {
	for i := range w {
		w[i] = math.Exp(-float64(i) / binsANat)
	}
	return w
}()

// weight is exp(-distance), by its bin and the Taylor series within: the same to a
// few units of the last place in half the time, which rows of a hundred thousand
// weights feel.
func weight(distance float64) (w float64, b int) {
	x := distance * binsANat
	if !(x < bins-1) {
		return math.Exp(-distance), bins - 1
	}
	b = int(x)
	r := (float64(b) - x) / binsANat // -1/32 to 0
	return binWeight[b] * (1 + r*(1+r*(1./2+r*(1./6+r*(1./24+r*(1./120+r*(1./720+r*(1./5040)))))))), b
}

// nucleus is the last candidate of the fewest first that reach share of the
// probability. It sums the weights by bins of the logit, and selects only in the
// one where the border is.
func (p *pool) nucleus(share float64) (ranked, bool) {
	var mass [bins]float64
	var total float64
	top := p.top()
	if top == never {
		return ranked{}, false
	}
	for _, x := range p.all() {
		w, b := weight(-apart(x, top))
		mass[b] += w
		total += w
	}
	need := share * total
	border := 0
	for ; border < bins-1 && mass[border] < need; border++ {
		need -= mass[border]
	}
	p.ranks = p.ranks[:0]
	for id, x := range p.all() {
		if d := -apart(x, top); bin(d) == border {
			w, _ := weight(d)
			p.ranks = append(p.ranks, ranked{-x, w, id})
		}
	}
	if len(p.ranks) == 0 { // rounding: the sum of the bins fell short
		return ranked{}, false
	}
	return reach(p.ranks, need), true
}

// typicalP keeps the locally typical set (Meister et al. 2022, arXiv:2202.00666,
// eq. 10): those first whose surprise is nearest to its mean. Of equals the lower
// id.
func (s *Sampler) typicalP(p *pool) string {
	total := p.weigh()
	if len(p.c) == 0 {
		return ""
	}
	entropy, top, sum := p.entropy(total), p.top(), math.Log(total)
	key := func(x candidate) float64 { return math.Abs(sum - apart(x.logit, top) - entropy) }
	p.ranks = p.ranks[:0]
	for _, x := range p.c {
		p.ranks = append(p.ranks, ranked{key(x), x.weight, x.id})
	}
	last := reach(p.ranks, s.o.TypicalP*total)
	p.keep(func(x candidate) bool {
		k := key(x)
		return k < last.key || k == last.key && x.id <= last.id
	})
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
