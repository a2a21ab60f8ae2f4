package sample

import (
	"maps"
	"slices"
)

// edits are changes of logits, by rising id.
type edits struct {
	ids  []int32
	bias []float64
}

func biases(of map[int32]float64) (e edits) {
	e.ids = slices.Sorted(maps.Keys(of))
	for _, id := range e.ids {
		e.bias = append(e.bias, of[id])
	}
	return e
}

func (s *Sampler) addBias(p *pool) string {
	p.edit(s.bias.ids, func(i int, x float64) float64 { return x + s.bias.bias[i] })
	return ""
}

// end is the last n of ids; n below 0 is all of them.
func end(ids []int32, n int) []int32 {
	if n < 0 {
		return ids
	}
	return ids[max(0, len(ids)-n):]
}

// penalise makes ids that occurred lately less probable: by a factor (Keskar et
// al. 2019, arXiv:1909.05858, section 4.1; negative logits are multiplied, or the
// penalty would favour them), for each occurrence, and once.
func (s *Sampler) penalise(p *pool) string {
	ids := p.count(end(p.at.History, s.o.RepeatLastN), func(n *int32, _ int) { *n++ })
	p.edit(ids, func(i int, x float64) float64 {
		if x > 0 {
			x /= s.o.RepeatPenalty
		} else {
			x *= s.o.RepeatPenalty
		}
		return x - float64(p.counts[ids[i]])*s.o.FrequencyPenalty - s.o.PresencePenalty
	})
	p.forget(ids)
	return ""
}

// count calls add for the count of each of some ids, which begins at 0, and
// returns those with one, rising. Forget makes them 0 again.
func (p *pool) count(ids []int32, add func(n *int32, place int)) []int32 {
	p.ids = p.ids[:0]
	for i, id := range ids {
		if id < 0 {
			continue
		}
		if int(id) >= len(p.counts) {
			p.counts = append(p.counts, make([]int32, int(id)+1-len(p.counts))...)
		}
		was := p.counts[id]
		if add(&p.counts[id], i); was == 0 && p.counts[id] != 0 {
			p.ids = append(p.ids, id)
		}
	}
	slices.Sort(p.ids)
	return p.ids
}

func (p *pool) forget(ids []int32) {
	for _, id := range ids {
		p.counts[id] = 0
	}
}
