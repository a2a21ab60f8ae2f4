package lab

import (
	"fmt"
	"math"
	"strings"
)

// check looks for the paper's statements in the curves.
func (r *OverResult) check(o OverOptions) {
	labels := o.Labels[min(1, len(o.Labels)-1)]
	best, rl := r.of(r.Best, labels), r.of(r.RL, labels)
	say := func(law string, holds bool, found string, args ...any) {
		r.Laws = append(r.Laws, GoldCheck{law, holds, fmt.Sprintf(found, args...)})
	}
	falls, rises := 0, 0
	for _, c := range append(append([]GoldCurve{}, r.Best...), rl...) {
		if c.Gold[len(c.Gold)-1] < c.Peak-0.01 {
			falls++
		}
		if rising(c.Proxy, 0.05) {
			rises++
		}
	}
	all := len(r.Best) + len(rl)
	say("the proxy rises all the way", rises == all, "in %d of %d curves", rises, all)
	say("gold rises, then falls", falls > 0, "it has fallen from its peak by the end in %d of %d curves", falls, all)
	if len(best) > 1 {
		first, last := best[0].Law, best[len(best)-1].Law
		say("best-of-n: beta falls with the size of the reward model", last.Beta < first.Beta, "beta: %s", each(best, func(c GoldCurve) float64 { return c.Law.Beta }))
		first, last = rl[0].Law, rl[len(rl)-1].Law
		say("RL: beta falls with the size of the reward model", last.Beta < first.Beta, "beta: %s", each(rl, func(c GoldCurve) float64 { return c.Law.Beta }))
		form, alpha := better(rl)
		lo, hi := math.Inf(1), 0.0
		for _, c := range rl {
			lo, hi = min(lo, alpha(c)), max(hi, alpha(c))
		}
		say("RL: alpha hardly depends on the size", hi < 1.25*lo, "alpha of %s, which fits better: %s", form, each(rl, alpha))
	}
	if len(o.Labels) > 1 {
		up, found := true, []string{}
		for _, width := range o.Widths {
			var peaks []GoldCurve
			for _, c := range r.Best {
				if c.Width == width {
					peaks = append(peaks, c)
				}
			}
			up = up && peaks[len(peaks)-1].Peak > peaks[0].Peak
			found = append(found, fmt.Sprintf("%d parameters: %s", peaks[0].Params, each(peaks, func(c GoldCurve) float64 { return c.Peak })))
		}
		say("more labels: a higher peak", up, "best-of-n's peaks: %s", strings.Join(found, "; "))
	}
	spent, more := []string{}, true
	for i, c := range best {
		want := c.Peak / 2
		a, b := crossing(c, want), crossing(rl[i], want)
		more = more && b > a
		spent = append(spent, fmt.Sprintf("%.2f and %.2f", a*a, b*b))
	}
	say("RL spends more KL than best-of-n for the same gold", more, "nats for half of best-of-n's peak: %s", strings.Join(spent, ", "))
	for _, c := range r.RL {
		if c.Penalty > 0 {
			gap := r.gap(c)
			say(fmt.Sprintf("a KL penalty of %g does not move gold over KL", c.Penalty), math.Abs(gap) < 0.1, "up to its peak, gold less that without penalty at the same KL is %+.3f where they differ most", gap)
		}
	}
}

// better is the form of the law that explains more of the curves, and its alpha.
func better(curves []GoldCurve) (form string, alpha func(GoldCurve) float64) {
	var own, other float64
	for _, c := range curves {
		own, other = own+c.Law.R2, other+c.Other.R2
	}
	if own >= other {
		return "d (alpha - beta log d)", func(c GoldCurve) float64 { return c.Law.Alpha }
	}
	return "d (alpha - beta d)", func(c GoldCurve) float64 { return c.Other.Alpha }
}

// of are the curves with so many labels and without a penalty, from the smallest
// reward model.
func (r *OverResult) of(curves []GoldCurve, labels int) (out []GoldCurve) {
	for _, c := range curves {
		if c.Labels == labels && c.Penalty == 0 {
			out = append(out, c)
		}
	}
	return out
}

func each(curves []GoldCurve, f func(GoldCurve) float64) string {
	var s []string
	for _, c := range curves {
		s = append(s, fmt.Sprintf("%.3f", f(c)))
	}
	return strings.Join(s, ", ")
}

// rising tells whether x never falls below its maximum so far by more than slack
// times what it has risen by.
func rising(x []float64, slack float64) bool {
	top := x[0]
	for _, v := range x {
		if top = max(top, v); top-v > slack*(top-x[0]) {
			return false
		}
	}
	return true
}

// crossing is the first distance at which gold reaches a value, between points on a
// line.
func crossing(c GoldCurve, want float64) float64 {
	for i := 1; i < len(c.D); i++ {
		if c.Gold[i] >= want {
			part := (want - c.Gold[i-1]) / (c.Gold[i] - c.Gold[i-1])
			return c.D[i-1] + part*(c.D[i]-c.D[i-1])
		}
	}
	return math.Inf(1)
}

// gap is the difference of largest size between the gold of c and that of the run
// without penalty at the same distance, up to c's peak.
func (r *OverResult) gap(c GoldCurve) (worst float64) {
	for _, free := range r.RL {
		if free.Penalty != 0 || free.Width != c.Width || free.Labels != c.Labels {
			continue
		}
		for i, d := range c.D {
			if d > c.PeakAt {
				break
			}
			if g := free.at(d); math.Abs(c.Gold[i]-g) > math.Abs(worst) {
				worst = c.Gold[i] - g
			}
		}
	}
	return worst
}

// at is the gold at a distance, between points on a line.
func (c GoldCurve) at(d float64) float64 {
	for i := 1; i < len(c.D); i++ {
		if c.D[i] >= d {
			return c.Gold[i-1] + (d-c.D[i-1])/(c.D[i]-c.D[i-1])*(c.Gold[i]-c.Gold[i-1])
		}
	}
	return c.Gold[len(c.Gold)-1]
}
