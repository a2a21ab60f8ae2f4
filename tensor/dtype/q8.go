package dtype

import "math"

// Q8Block is the number of values that share a scale.
const Q8Block = 32

// ToQ8 rounds src to 8-bit integers, with a scale (f16 bits) for each 32 values,
// the last group being what is left: x is about q * scale. The largest magnitude
// of a group becomes 127. A group with a value that is not finite keeps no
// values: its scale is NaN, so that a broken model shows.
func ToQ8(q []int8, scales []uint16, src []float32) {
	for g := range scales {
		x := src[g*Q8Block : min(len(src), (g+1)*Q8Block)]
		y := q[g*Q8Block:][:len(x)]
		var top float32
		finite := true
		for _, v := range x {
			a := math.Float32frombits(math.Float32bits(v) &^ (1 << 31))
			finite = finite && a <= math.MaxFloat32
			top = max(top, a)
		}
		if !finite {
			scales[g] = ToF16(float32(math.NaN()))
			clear(y)
			continue
		}
		h := ToF16(min(top/127, 65504))
		scales[g] = h
		d := FromF16(h)
		if d == 0 {
			clear(y)
			continue
		}
		for i, v := range x {
			y[i] = int8(math.RoundToEven(float64(max(-127, min(127, v/d)))))
		}
	}
}

// FromQ8 is the values that ToQ8 left.
func FromQ8(dst []float32, q []int8, scales []uint16) {
	for g, h := range scales {
		d := FromF16(h)
		x := q[g*Q8Block : min(len(q), (g+1)*Q8Block)]
		y := dst[g*Q8Block:][:len(x)]
		for i, v := range x {
			y[i] = float32(v) * d
		}
	}
}
