package posttrain

import "math"

// verdicts is what a policy's losses are on preferences.
type verdicts struct {
	*judged
	policy  []float64 // log-probability of each completion
	rewards []float64 // implicit reward of each, by the first loss
	grad    []float64 // of the sum of the losses by policy
	losses  []float64 // of each completion; that of a pair stands with its chosen one
	loss    float64   // their sum
}

// Figures of a step in metrics.jsonl, named as in TRL: means over the chosen or
// the rejected answers, or over pairs.
const (
	LogpsChosen      = "logps/chosen" // nats of a whole answer
	LogpsRejected    = "logps/rejected"
	RefLogpsChosen   = "ref_logps/chosen"
	RefLogpsRejected = "ref_logps/rejected"
	RewardsChosen    = "rewards/chosen" // beta times the log-ratio to the reference
	RewardsRejected  = "rewards/rejected"
	RewardsMargins   = "rewards/margins"    // of pairs
	RewardsAccuracy  = "rewards/accuracies" // share of pairs with a positive margin; ties count one half
	LengthChosen     = "length/chosen"      // tokens
	LengthRejected   = "length/rejected"
)

// note reports the figures.
func (v *verdicts) note(note func(name string, sum float64, n int)) {
	lengths := v.lengths()
	at := 0
	for _, p := range v.preferred {
		pair := at
		p.each(func(_ Completion, good bool) {
			side := func(chosen, rejected string) string {
				if good {
					return chosen
				}
				return rejected
			}
			note(side(LogpsChosen, LogpsRejected), v.policy[at], 1)
			if v.reference != nil {
				note(side(RefLogpsChosen, RefLogpsRejected), v.reference[at], 1)
			}
			note(side(RewardsChosen, RewardsRejected), v.rewards[at], 1)
			note(side(LengthChosen, LengthRejected), float64(lengths[at]), 1)
			at++
		})
		if at == pair+2 {
			margin := v.rewards[pair] - v.rewards[pair+1]
			note(RewardsMargins, margin, 1)
			note(RewardsAccuracy, heaviside(margin), 1)
		}
	}
}

// heaviside is 1 for a positive number, 0 for a negative one and 1/2 for 0.
func heaviside(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return 0
	}
	return 0.5
}

// Measure computes the same figures and the loss ("loss", a mean over the units)
// on held-out preferences, without gradients.
func (p *Preferences) Measure(held []Preferred) map[string]float64 {
	figures := map[string]float64{}
	counts := map[string]int{}
	loss, units := 0.0, 0
	s := p.Micro(held)
	for _, m := range s {
		m := m.(*preferenceMicro)
		m.prepare()
		v := m.judge(m.sums(p.Scorer.rows(m.laid)))
		v.note(func(name string, sum float64, n int) {
			figures[name] += sum
			counts[name] += n
		})
		n, _ := m.Size()
		loss, units = loss+v.loss, units+n
	}
	for name := range figures {
		figures[name] /= float64(counts[name])
	}
	figures["loss"] = loss / math.Max(1, float64(units))
	return figures
}
