package posttrain

import (
	"github.com/foundling-lm/foundling/plan"
	"github.com/foundling-lm/foundling/train"
)

// Shuffled is the source of steps of batch preferences each, in the Order of seed.
func (p *Preferences) Shuffled(data []Preferred, batch int, seed uint64) func(step int) ([]train.Micro, error) {
	next := Order(data, batch, seed)
	return func(step int) ([]train.Micro, error) { return p.Micro(next(step)), nil }
}

// HeldPrefix begins the names of held-out figures in metrics.jsonl.
const HeldPrefix = "held/"

// Validator measures held-out preferences, as train.Run.Validate has it.
func (p *Preferences) Validator(held []Preferred) func(m *train.Metrics) {
	return func(m *train.Metrics) {
		if m.Extra == nil {
			m.Extra = map[string]float64{}
		}
		for name, x := range p.Measure(held) {
			m.Extra[HeldPrefix+name] = x
		}
	}
}

// FLOP is the operations that the method needs for a place of data on average:
// passes of the policy, forward and backward (3; 2 under an adapter, which needs no
// gradients of the matrices below it), one of the reference where it is computed
// on the way, and the unembedding over answers only.
func (p *Preferences) FLOP(s plan.Shape, data []Preferred, passes float64) float64 {
	var sum, places float64
	for _, x := range data {
		x.each(func(c Completion, _ bool) {
			n := float64(len(c.IDs) - 1)
			f := s.FLOP(len(c.IDs) - 1)
			all := passes
			if c.Reference == nil && p.needs(needsReference) {
				all++
			}
			sum += all * ((f.Layers+f.Attention)*n + f.Head*float64(c.Length()))
			places += n
		})
	}
	if places == 0 {
		return 0
	}
	return sum / places
}
