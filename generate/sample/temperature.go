package sample

import (
	"fmt"
	"math"
)

// greedy keeps the largest logit, the lowest id of equals.
func (s *Sampler) greedy(p *pool) string {
	best, top := int32(-1), never
	if p.row != nil && p.heat == 0 {
		if i := argmax(p.row, p.allowed); i >= 0 {
			best, top = int32(i), float64(p.row[i])
		}
		for _, x := range p.edited {
			if x.logit > top || x.logit == top && x.id < best {
				best, top = x.id, x.logit
			}
		}
	} else {
		for _, x := range p.list() {
			if x.logit > top {
				best, top = x.id, x.logit
			}
		}
	}
	p.c, p.row = p.c[:0], nil
	if best >= 0 {
		p.c = append(p.c, candidate{logit: top, id: best})
	}
	return "the most probable"
}

// temper divides the distances of the logits from the largest by the temperature;
// temperature 1 without a range is no step, and leaves logits to penalties that come
// after it. With a range, that lies between
// its ends as the entropy does between 0 and that of an even choice among the
// candidates (dynamic temperature, Kalomaze 2023, llama.cpp #4972).
func (s *Sampler) temper(p *pool) string {
	t := s.o.Temperature
	if s.o.DynatempRange == 0 {
		p.divide(t)
		return ""
	}
	total := p.weigh()
	if len(p.c) < 2 {
		return ""
	}
	low, high := max(0, t-s.o.DynatempRange), t+s.o.DynatempRange
	share := min(1, p.entropy(total)/math.Log(float64(len(p.c))))
	t = low + (high-low)*math.Pow(share, s.o.DynatempExponent)
	p.divide(t)
	return fmt.Sprintf("temperature %.4g", t)
}

// divide makes the logits their distances from the largest, divided by t. At t 0
// the largest alone have a weight.
func (p *pool) divide(t float64) {
	if p.row != nil && p.heat == 0 {
		p.heat = t
		if t > 0 {
			return
		}
	}
	top := p.top()
	for i, x := range p.list() {
		if d := apart(x.logit, top); d != 0 {
			p.c[i].logit = d / t
		} else {
			p.c[i].logit = 0
		}
	}
}

// mirostat keeps what surprises by at most mu bits, the first at least (Basu et
// al. 2020, arXiv:2007.14966; version 2 of its authors' code). Probabilities are
// those after the temperature.
func (s *Sampler) mirostat(p *pool) string {
	total := p.weigh()
	top := p.top()
	cut := math.Log(total) - s.mu*math.Ln2 // of logits less the largest
	p.keep(func(x candidate) bool {
		d := apart(x.logit, top)
		return d == 0 || d >= cut
	})
	return fmt.Sprintf("mu %.4g bits", s.mu)
}

// surprised moves mu towards the surprise that is aimed at.
func (s *Sampler) surprised(logProb float64) {
	if s.o.Mirostat == 2 && !math.IsInf(logProb, 0) {
		s.mu -= s.o.MirostatEta * (-logProb/math.Ln2 - s.o.MirostatTau)
	}
}
