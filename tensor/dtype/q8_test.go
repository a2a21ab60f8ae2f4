package dtype

import (
	"math"
	"testing"
)

// TestQ8 checks the error of a round trip, half a step of the group's scale plus
// the rounding of the scale itself, and what becomes of odd values.
func TestQ8(t *testing.T) {
	for _, n := range []int{1, 8, 31, 32, 33, 64, 80} {
		x, y := make([]float32, n), make([]float32, n)
		for i := range x {
			x[i] = float32(math.Sin(float64(i*i))) * float32(math.Pow(10, float64(i/32)))
		}
		q, scales := make([]int8, n), make([]uint16, (n+31)/32)
		ToQ8(q, scales, x)
		FromQ8(y, q, scales)
		for i := range x {
			d := float64(FromF16(scales[i/32]))
			if e := math.Abs(float64(x[i] - y[i])); e > d*0.5+127*d*0x1p-11 {
				t.Errorf("%d values: %g became %g, scale %g", n, x[i], y[i], d)
			}
		}
	}
	q, scales, y := make([]int8, 40), make([]uint16, 2), make([]float32, 40)
	x := make([]float32, 40)
	x[3], x[39] = float32(math.Inf(1)), 5
	ToQ8(q, scales, x)
	FromQ8(y, q, scales)
	if y[0] == y[0] {
		t.Errorf("an infinite value gave %g: it must show as NaN", y[0])
	}
	if math.Abs(float64(y[39]-5)) > 0.01 || y[32] != 0 {
		t.Errorf("the other group: got %g and %g, want 5 and 0", y[39], y[32])
	}
	ToQ8(q, scales, make([]float32, 40))
	FromQ8(y, q, scales)
	if y[0] != 0 || y[39] != 0 {
		t.Errorf("zeros became %g, %g", y[0], y[39])
	}
}
