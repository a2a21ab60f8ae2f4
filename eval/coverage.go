package eval

import (
	"errors"
	"math"
)

// CoverageLaw is log c = a k^b: how the share c of problems that at least one of k
// samples solves grows (Brown et al. 2024, arXiv 2407.21787, section 3). Both a and b
// are negative.
type CoverageLaw struct {
	A, B  float64
	Error float64 // root mean square of log c
}

// At is the coverage of k samples.
func (l CoverageLaw) At(k float64) float64 { return math.Exp(l.A * math.Pow(k, l.B)) }

// FitCoverage fits the law to coverages c at ks by least squares of log c. Points
// without coverage have no logarithm and are left out; two others are needed.
func FitCoverage(ks, c []float64) (CoverageLaw, error) {
	var x, y []float64
	for i := range ks {
		if c[i] > 0 && c[i] <= 1 && ks[i] > 0 {
			x, y = append(x, math.Log(ks[i])), append(y, math.Log(c[i]))
		}
	}
	if len(x) < 2 || x[0] == x[len(x)-1] {
		return CoverageLaw{}, errors.New("a law of coverage needs it at two numbers of samples, above 0")
	}
	// For a given b the best a is a ratio, so one parameter is searched.
	fit := func(b float64) CoverageLaw {
		var xy, xx float64
		for i := range x {
			p := math.Exp(b * x[i])
			xy, xx = xy+p*y[i], xx+p*p
		}
		l := CoverageLaw{A: xy / xx, B: b}
		for i := range x {
			d := l.A*math.Exp(b*x[i]) - y[i]
			l.Error += d * d
		}
		l.Error = math.Sqrt(l.Error / float64(len(x)))
		return l
	}
	const steps, steepest = 400, 10.0
	best := fit(0)
	for i := 1; i <= steps; i++ {
		if l := fit(-steepest * float64(i) / steps); l.Error < best.Error {
			best = l
		}
	}
	lo, hi := best.B-steepest/steps, min(0, best.B+steepest/steps)
	for range 100 { // ternary search between the neighbours
		a, b := lo+(hi-lo)/3, hi-(hi-lo)/3
		if fit(a).Error <= fit(b).Error {
			hi = b
		} else {
			lo = a
		}
	}
	if l := fit((lo + hi) / 2); l.Error < best.Error {
		best = l
	}
	return best, nil
}
