package lab

import (
	"cmp"
	"slices"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate/trust"
)

// The shares of wrong answers that limits are set by: at most calmRisk of those that
// are given without a warning, at least graveRisk of those that are held back.
const calmRisk, graveRisk = 0.05, 0.75

// Limits are those of a signal, set on half of the subjects and tried on the other.
// Questions about which the training data is wrong count in neither.
type Limits struct {
	Name    string        `json:"name"`
	Found   trust.Limit   `json:"found"`
	Default *trust.Limit  `json:"default,omitempty"` // trust.DefaultLimit
	Plain   float64       `json:"plain"`             // share of answers given without a warning, by Found
	Right   eval.Interval `json:"plain_right"`
	Held    float64       `json:"held_back"`
	Wrong   eval.Interval `json:"held_back_wrong"`
}

// limits sets and tries those of all signals that both halves have.
func (r *TrustResult) limits(w *trustWorld, said []reply) {
	for _, s := range worldSignals {
		var distrust [2][]float64
		var wrong [2][]bool
		for i := range said {
			a := &said[i]
			if x, ok := a.confidence[0].Distrust(s.signal); ok && w.facts[a.subject].kind != mistake {
				half := a.subject / 20 % 2 // all kinds are in both
				distrust[half], wrong[half] = append(distrust[half], x), append(wrong[half], !a.right)
			}
		}
		if len(distrust[0]) == 0 || len(distrust[1]) == 0 {
			continue // nothing to set them by, or to try them on
		}
		calm, grave := calibrate(distrust[0], wrong[0])
		l := Limits{Name: s.name, Found: trust.Limit{Signal: s.signal, Warn: calm, Abstain: grave}}
		var plain, right, held, bad int
		for i, x := range distrust[1] {
			switch {
			case x <= calm:
				plain++
				if !wrong[1][i] {
					right++
				}
			case x > grave:
				held++
				if wrong[1][i] {
					bad++
				}
			}
		}
		n := float64(len(distrust[1]))
		l.Plain, l.Held = float64(plain)/n, float64(held)/n
		l.Right, l.Wrong = eval.Wilson(right, plain, eval.Z95), eval.Wilson(bad, held, eval.Z95)
		if trust.Rising(s.signal) {
			l.Found.Warn, l.Found.Abstain = -calm, -grave
		}
		if d, ok := trust.DefaultLimit(s.signal); ok {
			l.Default = &d
		}
		r.Limits = append(r.Limits, l)
	}
}

// calibrate is the greatest distrust up to which at most calmRisk of the answers are
// wrong, and the least beyond which at least graveRisk are, no less than that; half way
// between two answers, or at the first or the last.
func calibrate(distrust []float64, wrong []bool) (calm, grave float64) {
	order := make([]int, len(distrust))
	all := 0
	for i := range order {
		order[i] = i
		if wrong[i] {
			all++
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(distrust[a], distrust[b]) })
	calm, grave = distrust[order[0]], distrust[order[len(order)-1]]
	bad, found := 0, false
	for k, i := range order {
		if wrong[i] {
			bad++
		}
		if k+1 == len(order) {
			if float64(bad) <= calmRisk*float64(k+1) {
				calm = grave
			}
			break
		}
		next := distrust[order[k+1]]
		if next == distrust[i] {
			continue
		}
		between := (distrust[i] + next) / 2
		if float64(bad) <= calmRisk*float64(k+1) {
			calm = between
		}
		if rest := len(order) - k - 1; !found && float64(all-bad) >= graveRisk*float64(rest) {
			grave, found = between, true
		}
	}
	return calm, max(calm, grave)
}
