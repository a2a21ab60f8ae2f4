package eval

import (
	"fmt"
	"math"
)

// GoldLaw is gold reward as a function of the distance d = sqrt(KL) that a policy has
// gone while a proxy was optimised (Gao, Schulman & Hilton 2022, Scaling laws for
// reward model overoptimization, arXiv 2210.10760, section 3.1). The reward is that
// above the policy it began with.
type GoldLaw struct {
	RL    bool    `json:"rl"` // d (alpha - beta log d), else best-of-n's d (alpha - beta d)
	Alpha float64 `json:"alpha"`
	Beta  float64 `json:"beta"`
	R2    float64 `json:"r2"` // share of the variance that the law explains
}

// At is the law's reward at d.
func (l GoldLaw) At(d float64) float64 {
	if d == 0 {
		return 0
	}
	return d * (l.Alpha - l.Beta*l.second(d))
}

func (l GoldLaw) second(d float64) float64 {
	if l.RL {
		return math.Log(d)
	}
	return d
}

// Peak is the distance with the most gold reward; infinite where it never falls.
func (l GoldLaw) Peak() float64 {
	switch {
	case l.Beta <= 0:
		return math.Inf(1)
	case l.RL:
		return math.Exp(l.Alpha/l.Beta - 1)
	}
	return l.Alpha / (2 * l.Beta)
}

// FitGold fits the law by least squares to rewards r at distances d; points at
// distance 0 say nothing.
func FitGold(d, r []float64, rl bool) (GoldLaw, error) {
	l := GoldLaw{RL: rl}
	var aa, ab, bb, ar, br, mean, n float64
	for i, x := range d {
		if x <= 0 {
			continue
		}
		a, b := x, -x*l.second(x)
		aa, ab, bb = aa+a*a, ab+a*b, bb+b*b
		ar, br = ar+a*r[i], br+b*r[i]
		mean, n = mean+r[i], n+1
	}
	det := aa*bb - ab*ab
	if n < 3 || !(det > 1e-12*aa*bb) {
		return l, fmt.Errorf("a law of gold reward needs 3 different distances above 0, there are %g points", n)
	}
	l.Alpha, l.Beta = (ar*bb-br*ab)/det, (aa*br-ab*ar)/det
	var left, all float64
	for i, x := range d {
		if x > 0 {
			left += (r[i] - l.At(x)) * (r[i] - l.At(x))
			all += (r[i] - mean/n) * (r[i] - mean/n)
		}
	}
	l.R2 = 1 - left/all
	return l, nil
}

// Knee watches a reward that should rise. It says when it has fallen: the first
// point whose value lies below the best one before it by more than z standard
// errors of their difference.
type Knee struct {
	Peak  int `json:"peak"`  // the best point up to the alarm, or of all
	Alarm int `json:"alarm"` // -1: none
}

// FindKnee looks at values y with standard errors se, in the order in which they
// were measured.
func FindKnee(y, se []float64, z float64) Knee {
	k := Knee{Alarm: -1}
	for i := range y {
		if y[i] > y[k.Peak] {
			k.Peak = i
		}
		if y[k.Peak]-y[i] > z*math.Hypot(se[i], se[k.Peak]) {
			k.Alarm = i
			return k
		}
	}
	return k
}
