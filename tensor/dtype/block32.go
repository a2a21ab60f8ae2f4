package dtype

import (
	"encoding/binary"
	"math"
)

// The formats of 32 values with one scale. The 4-bit codes of values j and j+16
// share byte j, low half first; a fifth bit of value j is bit j of a 32-bit
// word.

func decodeQ8_0(y []float32, b []byte) {
	d := getF16(b)
	for i := range 32 {
		y[i] = float32(int8(b[2+i])) * d
	}
}

func encodeQ8_0(b []byte, x []float32) {
	var top float32 // the largest absolute value
	for _, v := range x {
		if a := float32(math.Abs(float64(v))); a > top {
			top = a
		}
	}
	d := top / 127
	inv := inverse(d)
	putF16(b, clampF16(d))
	for i, v := range x {
		b[2+i] = byte(int8(round(v*inv, -127, 127)))
	}
}

// inverse is 1/d, or 0 for 0.
func inverse(d float32) float32 {
	if d == 0 {
		return 0
	}
	return 1 / d
}

func decodeQ4_0(y []float32, b []byte) {
	d := getF16(b)
	for j, q := range b[2:18] {
		y[j] = float32(int(q&15)-8) * d
		y[j+16] = float32(int(q>>4)-8) * d
	}
}

func encodeQ4_0(b []byte, x []float32) {
	d := extreme(x) / -8
	inv := inverse(d)
	putF16(b, clampF16(d))
	for j := range 16 {
		lo := truncate(float32(x[j]*inv)+8.5, 0, 15)
		hi := truncate(float32(x[j+16]*inv)+8.5, 0, 15)
		b[2+j] = byte(lo | hi<<4)
	}
}

// extreme is the value that is farthest from zero, the first of several.
func extreme(x []float32) float32 {
	var top, at float32
	for _, v := range x {
		if a := max(v, -v); a > top {
			top, at = a, v
		}
	}
	return at
}

func decodeQ4_1(y []float32, b []byte) {
	d, m := getF16(b), getF16(b[2:])
	for j, q := range b[4:20] {
		y[j] = float32(float32(q&15)*d) + m
		y[j+16] = float32(float32(q>>4)*d) + m
	}
}

func encodeQ4_1(b []byte, x []float32) {
	lo, hi := span(x)
	d := (hi - lo) / 15
	inv := inverse(d)
	putF16(b, clampF16(d))
	putF16(b[2:], clampF16(lo))
	for j := range 16 {
		p := truncate(float32((x[j]-lo)*inv)+0.5, 0, 15)
		q := truncate(float32((x[j+16]-lo)*inv)+0.5, 0, 15)
		b[4+j] = byte(p | q<<4)
	}
}

// span is the smallest and the largest value.
func span(x []float32) (lo, hi float32) {
	lo, hi = math.MaxFloat32, -math.MaxFloat32
	for _, v := range x {
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
	}
	if lo > hi { // nothing but NaN
		return 0, 0
	}
	return lo, hi
}

func decodeQ5_0(y []float32, b []byte) {
	d, high := getF16(b), binary.LittleEndian.Uint32(b[2:])
	for j, q := range b[6:22] {
		y[j] = float32(int(q&15)|int(high>>j&1)<<4-16) * d
		y[j+16] = float32(int(q>>4)|int(high>>(j+16)&1)<<4-16) * d
	}
}

func encodeQ5_0(b []byte, x []float32) {
	d := extreme(x) / -16
	inv := inverse(d)
	putF16(b, clampF16(d))
	var high uint32
	for j := range 16 {
		lo := truncate(float32(x[j]*inv)+16.5, 0, 31)
		hi := truncate(float32(x[j+16]*inv)+16.5, 0, 31)
		b[6+j] = byte(lo&15 | hi&15<<4)
		high |= uint32(lo>>4)<<j | uint32(hi>>4)<<(j+16)
	}
	binary.LittleEndian.PutUint32(b[2:], high)
}

func decodeQ5_1(y []float32, b []byte) {
	d, m, high := getF16(b), getF16(b[2:]), binary.LittleEndian.Uint32(b[4:])
	for j, q := range b[8:24] {
		lo := int(q&15) | int(high>>j&1)<<4
		hi := int(q>>4) | int(high>>(j+16)&1)<<4
		y[j] = float32(float32(lo)*d) + m
		y[j+16] = float32(float32(hi)*d) + m
	}
}

func encodeQ5_1(b []byte, x []float32) {
	lo, hi := span(x)
	d := (hi - lo) / 31
	inv := inverse(d)
	putF16(b, clampF16(d))
	putF16(b[2:], clampF16(lo))
	var high uint32
	for j := range 16 {
		p := truncate(float32((x[j]-lo)*inv)+0.5, 0, 31)
		q := truncate(float32((x[j+16]-lo)*inv)+0.5, 0, 31)
		b[8+j] = byte(p&15 | q&15<<4)
		high |= uint32(p>>4)<<j | uint32(q>>4)<<(j+16)
	}
	binary.LittleEndian.PutUint32(b[4:], high)
}
