// Package dtype names the number formats of tensors and converts single
// values between them. Conversions of whole slices are kernels.
package dtype

import (
	"fmt"
	"math"
)

// Type is a number format.
type Type uint8

// The formats.
const (
	F32  Type = iota // IEEE 754 binary32
	BF16             // upper half of a binary32, rounded to nearest even
	F16              // IEEE 754 binary16
	F64              // IEEE 754 binary64
	I32              // signed 32-bit integer
)

var names = [...]string{F32: "f32", BF16: "bf16", F16: "f16", F64: "f64", I32: "i32"}
var sizes = [...]int{F32: 4, BF16: 2, F16: 2, F64: 8, I32: 4}

func (t Type) String() string { return names[t] }

// Size is the number of bytes of one element.
func (t Type) Size() int { return sizes[t] }

// Parse is the inverse of String.
func Parse(s string) (Type, error) {
	for t, n := range names {
		if n == s {
			return Type(t), nil
		}
	}
	return 0, fmt.Errorf("unknown number format %q: want one of %v", s, names)
}

// ToBF16 rounds to the nearest bfloat16, ties to even. NaN stays a quiet NaN.
func ToBF16(x float32) uint16 {
	b := math.Float32bits(x)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// FromBF16 is exact.
func FromBF16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// ToF16 rounds to the nearest binary16, ties to even; too large values become
// infinite. NaN stays a quiet NaN.
func ToF16(x float32) uint16 {
	b := math.Float32bits(x)
	sign := uint16(b >> 16 & 0x8000)
	abs := b & 0x7fffffff
	switch {
	case abs > 0x7f800000: // NaN
		return sign | 0x7e00 | uint16(abs>>13&0x1ff)
	case abs >= 0x47800000: // 65536 and above, infinity
		return sign | 0x7c00
	case abs < 0x38800000: // below 2^-14: a subnormal half
		if abs < 0x33000000 { // below 2^-25
			return sign
		}
		m := abs&0x7fffff | 0x800000
		shift := 126 - abs>>23 // 14..24
		h := m >> shift
		rest, half := m&(1<<shift-1), uint32(1)<<(shift-1)
		if rest > half || rest == half && h&1 == 1 {
			h++
		}
		return sign | uint16(h)
	}
	h := abs - 0x38000000 // rebias the exponent from 127 to 15
	return sign | uint16((h+0xfff+h>>13&1)>>13)
}

// FromF16 is exact.
func FromF16(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp, man := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exp {
	case 0: // zero or subnormal: man * 2^-24
		return math.Float32frombits(math.Float32bits(float32(man)*0x1p-24) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | man<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | man<<13)
}
