package report

import (
	"math"
	"strconv"
	"strings"
)

// Axis is one direction of a chart.
type Axis struct {
	Label string
	Log   bool // powers of ten; values of 0 and below are not shown
	// Min and Max bound the axis; where both are 0 the data do.
	Min, Max float64
}

// span is a range of finite values.
type span struct{ lo, hi float64 }

func emptySpan() span { return span{math.Inf(1), math.Inf(-1)} }

func (s *span) add(x float64) { s.lo, s.hi = min(s.lo, x), max(s.hi, x) }

func (s span) empty() bool { return s.lo > s.hi }

// shown says whether an axis can show a value.
func (a *Axis) shown(x float64) bool {
	return !math.IsNaN(x) && !math.IsInf(x, 0) && (!a.Log || x > 0)
}

// scale maps values to places in the picture.
type scale struct {
	log      bool
	lo, hi   float64 // values, after the logarithm where log
	from, to float64 // places of lo and hi
}

// newScale fits an axis to the data between two places, with a margin (a share
// of the range) on both sides.
func newScale(a Axis, data span, from, to, margin float64) scale {
	if a.Min != 0 || a.Max != 0 {
		data, margin = span{a.Min, a.Max}, 0
	}
	s := scale{log: a.Log, lo: data.lo, hi: data.hi, from: from, to: to}
	if s.log {
		s.lo, s.hi = math.Log10(max(s.lo, math.SmallestNonzeroFloat64)), math.Log10(s.hi)
	}
	if s.hi <= s.lo { // one value: give it room
		room := max(math.Abs(s.lo)/10, 0.1)
		s.lo, s.hi = s.lo-room, s.lo+room
	}
	room := margin * (s.hi - s.lo)
	s.lo, s.hi = s.lo-room, s.hi+room
	return s
}

func (s scale) at(x float64) float64 {
	if s.log {
		x = math.Log10(x)
	}
	return s.from + (x-s.lo)/(s.hi-s.lo)*(s.to-s.from)
}

// tick is a place on an axis with its label.
type tick struct {
	At    string
	Label string
}

// ticks are about n round values inside the scale.
func (s scale) ticks(n int) []tick {
	var values []float64
	if s.log && s.hi-s.lo >= 1 {
		values = s.logTicks(n)
	} else {
		lo, hi := s.lo, s.hi
		if s.log { // less than a decade: round values, unevenly placed
			lo, hi = math.Pow(10, lo), math.Pow(10, hi)
		}
		step := roundStep((hi - lo) / float64(n))
		for i := math.Ceil(lo/step - 1e-9); i*step <= hi+1e-9*step; i++ {
			values = append(values, i*step)
		}
	}
	out := make([]tick, 0, len(values))
	for _, v := range values {
		out = append(out, tick{place(s.at(v)), label(v)})
	}
	return out
}

// logTicks are 1, 2 and 5 of each decade, or every so many decades only where
// those would be too many.
func (s scale) logTicks(n int) []float64 {
	digits, every := []float64{1, 2, 5}, 1
	if decades := s.hi - s.lo; 3*decades > 1.5*float64(n) {
		digits, every = digits[:1], max(1, int(math.Ceil(decades/float64(n))))
	}
	var values []float64
	for e := int(math.Floor(s.lo)); float64(e) <= s.hi; e += every {
		for _, d := range digits {
			v := d * math.Pow(10, float64(e))
			if l := math.Log10(v); l >= s.lo-1e-9 && l <= s.hi+1e-9 {
				values = append(values, v)
			}
		}
	}
	return values
}

// roundStep is the least of 1, 2, 2.5, 5 times a power of ten that is at least
// x.
func roundStep(x float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if m*p >= x*(1-1e-9) {
			return m * p
		}
	}
	return 10 * p
}

// place is a coordinate, to a tenth of a unit.
func place(x float64) string { return strconv.FormatFloat(math.Round(x*10)/10+0, 'f', -1, 64) }

// label is a short form of a round value.
func label(v float64) string {
	a := math.Abs(v)
	for _, u := range []struct {
		size float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if a >= u.size*0.9999999 && (u.size > 1e3 || a >= 1e4*0.9999999) {
			return strconv.FormatFloat(v/u.size, 'g', 4, 64) + " " + u.name
		}
	}
	if a < 1e-300 {
		return "0"
	}
	if a >= 0.999e-3 {
		return strconv.FormatFloat(v, 'g', 6, 64)
	}
	e := math.Floor(math.Log10(a) + 1e-9)
	power := "10" + superscript.Replace(strconv.Itoa(int(e)))
	if m := strconv.FormatFloat(v/math.Pow(10, e), 'g', 3, 64); m != "1" {
		power = m + "·" + power
	}
	return power
}

var superscript = strings.NewReplacer("-", "⁻", "0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹")
