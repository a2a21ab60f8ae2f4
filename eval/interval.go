// Package eval is measuring: what a model is worth, and how sure that is. This
// file has the confidence intervals that every rate is reported with; the
// baselines are in eval/ngram and eval/compress, the page in eval/report.
package eval

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/foundling-lm/foundling/internal/rng"
)

// Z95 is the normal quantile of a two-sided 95 % interval.
const Z95 = 1.959963984540054

// Interval is an estimate with its confidence limits.
type Interval struct {
	Value, Low, High float64
	N                int // observations behind it
}

// jsonInterval is an Interval in JSON, where what is no number is null.
type jsonInterval struct {
	Value, Low, High *float64
	N                int
}

// MarshalJSON writes null for an estimate or a limit that does not exist.
func (x Interval) MarshalJSON() ([]byte, error) {
	known := func(v *float64) *float64 {
		if math.IsNaN(*v) || math.IsInf(*v, 0) {
			return nil
		}
		return v
	}
	return json.Marshal(jsonInterval{known(&x.Value), known(&x.Low), known(&x.High), x.N})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (x *Interval) UnmarshalJSON(data []byte) error {
	var j jsonInterval
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*x = Interval{math.NaN(), math.Inf(-1), math.Inf(1), j.N}
	for _, f := range []struct{ to, from *float64 }{{&x.Value, j.Value}, {&x.Low, j.Low}, {&x.High, j.High}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	return nil
}

// Wilson is the share k/n with its score interval (Wilson 1927, JASA 22, p.
// 209): unlike the normal one it stays in [0, 1] and says something for k = 0.
// For n = 0 it is NaN in [0, 1].
func Wilson(k, n int, z float64) Interval { return wilson(float64(k), n, z) }

// wilson is Wilson where k may hold parts.
func wilson(k float64, n int, z float64) Interval {
	if k < 0 || float64(n) < k {
		panic(fmt.Sprintf("eval: %g of %d", k, n))
	}
	if n == 0 {
		return Interval{math.NaN(), 0, 1, 0}
	}
	N, p := float64(n), k/float64(n)
	mid := p + z*z/(2*N)
	half := z * math.Sqrt(p*(1-p)/N+z*z/(4*N*N))
	scale := 1 + z*z/N
	r := Interval{p, max(0, (mid-half)/scale), min(1, (mid+half)/scale), n}
	if k == 0 { // exact ends, without rounding
		r.Low = 0
	}
	if k == float64(n) {
		r.High = 1
	}
	return r
}

// Newcombe is the difference k1/n1 - k2/n2 of two independent shares with its
// interval from both score intervals (Newcombe 1998, Statistics in Medicine
// 17, p. 873, method 10). N is n1+n2; both must be positive.
func Newcombe(k1, n1, k2, n2 int, z float64) Interval {
	a, b := Wilson(k1, n1, z), Wilson(k2, n2, z)
	if n1 == 0 || n2 == 0 {
		return Interval{math.NaN(), -1, 1, n1 + n2}
	}
	d := a.Value - b.Value
	return Interval{
		Value: d,
		Low:   d - math.Hypot(a.Value-a.Low, b.High-b.Value),
		High:  d + math.Hypot(a.High-a.Value, b.Value-b.Low),
		N:     n1 + n2,
	}
}

// BootstrapRatio is sum(num)/sum(den), such as bits per byte over documents,
// with a percentile interval of the given level (0.95): documents are drawn
// with replacement, since the bytes of one document hang together (Efron &
// Tibshirani 1993, section 13.3). The draws are a function of seed. The slices
// have equal lengths, the denominators are positive.
func BootstrapRatio(num, den []float64, draws int, level float64, seed uint64) Interval {
	if len(num) != len(den) || draws < 1 || level <= 0 || level >= 1 {
		panic(fmt.Sprintf("eval: bootstrap of %d numerators, %d denominators, %d draws, level %g", len(num), len(den), draws, level))
	}
	n := len(num)
	if n == 0 {
		return Interval{math.NaN(), math.Inf(-1), math.Inf(1), 0}
	}
	ratio := func(pick func(i int) int) float64 {
		var a, b float64
		for i := range n {
			j := pick(i)
			a, b = a+num[j], b+den[j]
		}
		return a / b
	}
	stream := rng.Stream("eval: bootstrap")
	values := make([]float64, draws)
	for d := range values {
		values[d] = ratio(func(i int) int {
			return rng.Intn(seed, stream, uint64(d)*uint64(n)+uint64(i), n)
		})
	}
	slices.Sort(values)
	at := func(q float64) float64 { return values[int(math.Round(q*float64(draws-1)))] }
	return Interval{ratio(func(i int) int { return i }), at((1 - level) / 2), at((1 + level) / 2), n}
}

// Paired is the mean of a[i]-b[i] with its 95 % interval, for two measures of the
// same items (normal approximation).
func Paired(a, b []float64) Interval {
	if len(a) != len(b) {
		panic(fmt.Sprintf("eval: %d and %d measures of the same items", len(a), len(b)))
	}
	n := float64(len(a))
	if len(a) < 2 {
		return Interval{math.NaN(), math.Inf(-1), math.Inf(1), len(a)}
	}
	var mean, squares float64
	for i := range a {
		mean += (a[i] - b[i]) / n
	}
	for i := range a {
		squares += math.Pow(a[i]-b[i]-mean, 2)
	}
	half := Z95 * math.Sqrt(squares/(n-1)/n)
	return Interval{mean, mean - half, mean + half, len(a)}
}
