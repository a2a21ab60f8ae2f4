package eval

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// AUROC is the probability that a positive has a greater score than a negative, equal
// scores counting half: the area under the receiver operating characteristic (Hanley &
// McNeil 1982). The interval, 95 %, is method 5 of Newcombe 2006, Statistics in
// Medicine 25, p. 559: it solves for the areas that are z standard errors away, so it
// has a width at 0 and 1 too; scores with many ties make it too wide. NaN scores are
// least. Without a positive or a negative the area is NaN in [0, 1].
func AUROC(scores []float64, positive []bool) Interval {
	order := byScore(scores, positive)
	var pos, neg, below, area float64
	for from := 0; from < len(order); {
		to, p, n := from, 0.0, 0.0
		for ; to < len(order) && cmp.Compare(scores[order[to]], scores[order[from]]) == 0; to++ {
			if positive[order[to]] {
				p++
			} else {
				n++
			}
		}
		area += p * (below + n/2)
		pos, neg, below, from = pos+p, neg+n, below+n, to
	}
	if pos == 0 || neg == 0 {
		return Interval{math.NaN(), 0, 1, len(scores)}
	}
	a := area / (pos * neg)
	half := (pos+neg)/2 - 1
	// beyond says whether area t is more than z standard errors away from a.
	beyond := func(t float64) bool {
		v := t * (1 - t) / (pos * neg) * (1 + half*((1-t)/(2-t)+t/(1+t)))
		return math.Abs(a-t) > Z95*math.Sqrt(v)
	}
	limit := func(outer float64) float64 {
		in, out := a, outer
		for range 60 {
			if mid := (in + out) / 2; beyond(mid) {
				out = mid
			} else {
				in = mid
			}
		}
		return in
	}
	r := Interval{a, limit(0), limit(1), len(scores)}
	if a == 0 {
		r.Low = 0
	}
	if a == 1 {
		r.High = 1
	}
	return r
}

// byScore is the indices of scores, rising, NaN first.
func byScore(scores []float64, labels []bool) []int {
	if len(scores) != len(labels) {
		panic(fmt.Sprintf("eval: %d scores of %d labels", len(scores), len(labels)))
	}
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Or(cmp.Compare(scores[i], scores[j]), i-j) })
	return order
}

// Selective is how often one is wrong who answers only what is trusted most.
type Selective struct {
	Risk []float64 `json:"risk"` // Risk[k-1]: share of wrong ones among the k most trusted
	Area float64   `json:"area"` // mean of Risk: the area under risk over coverage
	Best float64   `json:"best"` // the area if all wrong ones were trusted least
}

// RiskCoverage is the curve of risk over coverage, and its area (Geifman et al. 2018,
// arXiv 1805.08206, section 3). Distrust that is equal, NaN counting as most, is taken
// in random order: the risk is its expectation.
func RiskCoverage(distrust []float64, wrong []bool) Selective {
	d := slices.Clone(distrust)
	for i, x := range d {
		if math.IsNaN(x) {
			d[i] = math.Inf(1)
		}
	}
	order := byScore(d, wrong)
	s := Selective{Risk: make([]float64, len(d))}
	all, total := 0.0, len(d)
	for from := 0; from < total; {
		to, bad := from, 0.0
		for ; to < total && d[order[to]] == d[order[from]]; to++ {
			if wrong[order[to]] {
				bad++
			}
		}
		for k := from; k < to; k++ {
			s.Risk[k] = (all + bad*float64(k+1-from)/float64(to-from)) / float64(k+1)
			s.Area += s.Risk[k] / float64(total)
		}
		all, from = all+bad, to
	}
	for k := range total {
		s.Best += max(0, float64(k+1)-(float64(total)-all)) / float64(k+1) / float64(total)
	}
	if total == 0 {
		s.Area, s.Best = math.NaN(), math.NaN()
	}
	return s
}
