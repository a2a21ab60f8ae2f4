package sample

import (
	"cmp"
	"math"
	"slices"
)

// Snapshot is the candidates at one point of the chain.
type Snapshot struct {
	Candidates int     `json:"candidates"`
	Entropy    float64 `json:"entropy_nats"`
	Bits       float64 `json:"entropy_bits"`
	Rank       int     `json:"rank"`        // of the chosen id, from 1; 0: it is no candidate
	Prob       float64 `json:"probability"` // of the chosen id
	// Of the ids that are watched: Ranks as Rank is.
	Probs []float64 `json:"probabilities,omitempty"`
	Ranks []int     `json:"ranks,omitempty"`

	top, total float64
}

// StepReport is what one step of the chain did at one position.
type StepReport struct {
	Step string `json:"step"` // "mask", a name of Order, or "mirostat"
	Note string `json:"note,omitempty"`
	// Kept is the probability, before the step, of the candidates that it keeps,
	// Removed that of the others.
	Kept    float64  `json:"kept"`
	Removed float64  `json:"removed"`
	Before  Snapshot `json:"before"`
	After   Snapshot `json:"after"`
}

// Explain says what each step of the chain does at a place, the mask first: the
// candidates before and after, their entropy, the probability that is kept, and
// rank and probability of the chosen id. Snapshot.Probs and Ranks are those of the
// ids of watch. The sampler stays as it is.
func (s *Sampler) Explain(logits []float32, at At, chosen int32, watch []int32) []StepReport {
	p := newPool(logits, at)
	defer p.free()
	p.allowed = nil
	before := p.snapshot(chosen, watch)
	p.allowed = at.Mask
	reports := make([]StepReport, 0, 1+len(s.chain))
	report := func(name, note string) {
		after := p.snapshot(chosen, watch)
		r := StepReport{Step: name, Note: note, Kept: 1, Before: before, After: after}
		if after.Candidates < before.Candidates {
			r.Kept = math.Exp(apart(after.top, before.top)) * after.total / before.total
			r.Removed = 1 - r.Kept
		}
		reports, before = append(reports, r), after
	}
	note := "none"
	if at.Mask != nil {
		note = ""
	}
	report("mask", note)
	for _, step := range s.chain {
		report(step.name, step.run(s, p))
	}
	return reports
}

// snapshot looks at the candidates and leaves them as they are.
func (p *pool) snapshot(chosen int32, watch []int32) Snapshot {
	z := Snapshot{Probs: make([]float64, len(watch)), top: p.top()}
	if p.heat != 0 && p.row != nil {
		z.top = 0 // distances from the largest
	}
	order := make([]int, len(watch)) // by rising id, as all goes
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(watch[a]) - int(watch[b]) })
	var sum float64 // of weight x distance
	at := math.NaN()
	there := make([]candidate, 0, len(watch)) // of those watched
	for id, x := range p.all() {
		d := apart(x, z.top)
		w := math.Exp(d)
		z.Candidates++
		z.total += w
		if w > 0 {
			sum += w * d
		}
		if id == chosen {
			at, z.Prob = x, w
		}
		for len(order) > 0 && watch[order[0]] <= id {
			if watch[order[0]] == id {
				z.Probs[order[0]] = w
				there = append(there, candidate{logit: x, id: id})
			}
			order = order[1:]
		}
	}
	if z.Candidates == 0 {
		return z
	}
	z.Entropy = max(0, math.Log(z.total)-sum/z.total)
	z.Bits = z.Entropy / math.Ln2
	z.Prob /= z.total
	for i := range z.Probs {
		z.Probs[i] /= z.total
	}
	if !math.IsNaN(at) {
		for id, x := range p.all() {
			if x > at || x == at && id <= chosen {
				z.Rank++
			}
		}
	}
	ranks := p.standing(there)
	z.Ranks = make([]int, len(watch))
	for i, id := range watch {
		z.Ranks[i] = ranks[id]
	}
	return z
}

// standing is the ranks of some of the candidates, from 1.
func (p *pool) standing(of []candidate) map[int32]int {
	order := func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.logit, a.logit), cmp.Compare(a.id, b.id))
	}
	slices.SortFunc(of, order)
	above := make([]int, len(of)+1) // candidates that go before of[i], and after of[i-1]
	for id, x := range p.all() {
		i, _ := slices.BinarySearchFunc(of, candidate{logit: x, id: id}, order)
		above[i]++
	}
	ranks, n := map[int32]int{}, 0
	for i, c := range of {
		n += above[i]
		ranks[c.id] = n
	}
	return ranks
}
