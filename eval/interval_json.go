package eval

import (
	"encoding/json"
	"math"
)

// intervalJSON is an Interval whose figures may be unknown, which JSON has no
// number for.
type intervalJSON struct {
	Value, Low, High *float64
	N                int
}

// MarshalJSON writes null for what is unknown: the value without observations (NaN),
// a limit that is infinite.
func (i Interval) MarshalJSON() ([]byte, error) {
	known := func(x float64) *float64 {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
		return &x
	}
	return json.Marshal(intervalJSON{known(i.Value), known(i.Low), known(i.High), i.N})
}

// UnmarshalJSON is its inverse.
func (i *Interval) UnmarshalJSON(text []byte) error {
	var x intervalJSON
	if err := json.Unmarshal(text, &x); err != nil {
		return err
	}
	or := func(x *float64, unknown float64) float64 {
		if x == nil {
			return unknown
		}
		return *x
	}
	*i = Interval{or(x.Value, math.NaN()), or(x.Low, math.Inf(-1)), or(x.High, math.Inf(1)), x.N}
	return nil
}
