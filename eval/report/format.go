package report

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// SI is a number in three digits with a prefix and a unit: SI(12345678, "B")
// is "12.3 MB", with a space that does not break.
func SI(x float64, unit string) string {
	prefix := ""
	for _, p := range []string{"k", "M", "G", "T", "P", "E"} {
		if math.Abs(x) < 999.5 {
			break
		}
		x, prefix = x/1000, p
	}
	digits := 2
	switch a := math.Abs(x); {
	case prefix == "" && x == math.Trunc(x), a >= 99.95:
		digits = 0
	case a >= 9.995:
		digits = 1
	}
	s := strconv.FormatFloat(x, 'f', digits, 64)
	if prefix+unit == "" {
		return s
	}
	return s + "\u00a0" + prefix + unit
}

// Integer is a whole number with its thousands set apart by narrow spaces.
func Integer(n int64) string {
	digits, sign := strconv.FormatInt(n, 10), ""
	if n < 0 {
		digits, sign = digits[1:], "\u2212"
	}
	out := ""
	for len(digits) > 3 {
		out = "\u202f" + digits[len(digits)-3:] + out
		digits = digits[:len(digits)-3]
	}
	return sign + digits + out
}

// Percent is a share with one digit after the point.
func Percent(share float64) string {
	if math.IsNaN(share) {
		return "–"
	}
	return strconv.FormatFloat(100*share, 'f', 1, 64) + "\u00a0%"
}

// PercentRange is a share with its confidence limits: "12.0 % (8.1–17.4)".
func PercentRange(share, low, high float64) string {
	return fmt.Sprintf("%s (%.1f–%.1f)", Percent(share), 100*low, 100*high)
}

// Fixed is a number with the given digits after the point, a dash for NaN.
func Fixed(x float64, digits int) string {
	if math.IsNaN(x) {
		return "–"
	}
	return strconv.FormatFloat(x, 'f', digits, 64)
}

// Seconds is a duration as a reader says it: "0.42 s", "12.3 s", "4 min 05 s".
func Seconds(d time.Duration) string {
	switch s := d.Seconds(); {
	case s < 1:
		return strconv.FormatFloat(s, 'f', 2, 64) + " s"
	case s < 59.95:
		return strconv.FormatFloat(s, 'f', 1, 64) + " s"
	case s < 3599.5:
		t := int(math.Round(s))
		return fmt.Sprintf("%d min %02d s", t/60, t%60)
	default:
		t := int(math.Round(s / 60))
		return fmt.Sprintf("%d h %02d min", t/60, t%60)
	}
}

// EMA is the exponential moving average of y with the given half-life in
// points, without the bias of its beginning; what is not finite is left out.
func EMA(y []float64, halfLife float64) []float64 {
	keep := math.Exp2(-1 / halfLife)
	out := make([]float64, len(y))
	sum, weight := 0.0, 0.0
	for i, v := range y {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			sum, weight = keep*sum+v, keep*weight+1
		}
		out[i] = sum / weight
	}
	return out
}
