// Package dtype names the number formats of tensors and defines what their
// bits mean: conversions of single values, and of rows of the block formats of
// GGUF, in which some dozens of values share a scale. It is the plain
// reference; fast conversions and products are kernels.
//
// The block formats are those of ggml (github.com/ggml-org/ggml, ggml-common.h
// and ggml-quants.c give the layouts); MXFP4 is that of the OCP Microscaling
// Formats specification 1.0.
package dtype

import (
	"fmt"
	"math"
)

// Type is a number format.
type Type uint8

// The formats of one value.
const (
	F32  Type = iota // IEEE 754 binary32
	BF16             // upper half of a binary32, rounded to nearest even
	F16              // IEEE 754 binary16
	F64              // IEEE 754 binary64
	I32              // signed 32-bit integer
)

// The block formats. q are small unsigned or signed codes, d a scale, m an
// offset, both binary16 unless said otherwise; the second comment is bits a
// value.
const (
	Q8_0   Type = I32 + 1 + iota // 32 values: d*q                                      8.5
	Q4_0                         // 32 values: d*(q-8)                                  4.5
	Q4_1                         // 32 values: d*q + m                                  5
	Q5_0                         // 32 values: d*(q-16)                                 5.5
	Q5_1                         // 32 values: d*q + m                                  6
	Q2_K                         // 16 sub-blocks of 16, 4-bit scale and offset         2.625
	Q3_K                         // 16 sub-blocks of 16, 6-bit scale                    3.4375
	Q4_K                         // 8 sub-blocks of 32, 6-bit scale and offset          4.5
	Q5_K                         // 8 sub-blocks of 32, 6-bit scale and offset          5.5
	Q6_K                         // 16 sub-blocks of 16, 8-bit scale                    6.5625
	IQ4_NL                       // 32 values: d * one of 16 fixed numbers              4.5
	IQ4_XS                       // 8 sub-blocks of 32, 6-bit scale, the same numbers   4.25
	MXFP4                        // 32 values: a power of two * a 4-bit float           4.25
	count
)

// format is what the table knows of a Type. The functions are nil where the
// format is no block format.
type format struct {
	name          string
	values, bytes int // of a block
	decode        func(y []float32, b []byte)
	encode        func(b []byte, x []float32)
}

var table = [count]format{
	F32:    {"f32", 1, 4, nil, nil},
	BF16:   {"bf16", 1, 2, nil, nil},
	F16:    {"f16", 1, 2, nil, nil},
	F64:    {"f64", 1, 8, nil, nil},
	I32:    {"i32", 1, 4, nil, nil},
	Q8_0:   {"q8_0", 32, 34, decodeQ8_0, encodeQ8_0},
	Q4_0:   {"q4_0", 32, 18, decodeQ4_0, encodeQ4_0},
	Q4_1:   {"q4_1", 32, 20, decodeQ4_1, encodeQ4_1},
	Q5_0:   {"q5_0", 32, 22, decodeQ5_0, encodeQ5_0},
	Q5_1:   {"q5_1", 32, 24, decodeQ5_1, encodeQ5_1},
	Q2_K:   {"q2_k", 256, 84, decodeQ2_K, encodeQ2_K},
	Q3_K:   {"q3_k", 256, 110, decodeQ3_K, encodeQ3_K},
	Q4_K:   {"q4_k", 256, 144, decodeQ4_K, encodeQ4_K},
	Q5_K:   {"q5_k", 256, 176, decodeQ5_K, encodeQ5_K},
	Q6_K:   {"q6_k", 256, 210, decodeQ6_K, encodeQ6_K},
	IQ4_NL: {"iq4_nl", 32, 18, decodeIQ4_NL, encodeIQ4_NL},
	IQ4_XS: {"iq4_xs", 256, 136, decodeIQ4_XS, encodeIQ4_XS},
	MXFP4:  {"mxfp4", 32, 17, decodeMXFP4, encodeMXFP4},
}

func (t Type) String() string { return table[t].name }

// Types are all formats.
func Types() []Type {
	out := make([]Type, count)
	for i := range out {
		out[i] = Type(i)
	}
	return out
}

// IsBlock says whether values share the bytes of a block.
func (t Type) IsBlock() bool { return t >= Q8_0 }

// Block is the number of values that are stored together and the bytes they
// take: 1 and Size where each value has its own bytes.
func (t Type) Block() (values, bytes int) { return table[t].values, table[t].bytes }

// RowBytes is the number of bytes of cols consecutive values, which must be
// whole blocks.
func (t Type) RowBytes(cols int) int {
	f := &table[t]
	if cols%f.values != 0 {
		panic(fmt.Sprintf("dtype: %d values are not whole blocks of %s, which have %d", cols, t, f.values))
	}
	return cols / f.values * f.bytes
}

// Size is the number of bytes of one value. A value of a block format has no
// bytes of its own: ask Block or RowBytes.
func (t Type) Size() int {
	if t.IsBlock() {
		panic(fmt.Sprintf("dtype: a value of %s has no size of its own", t))
	}
	return table[t].bytes
}

// Parse is the inverse of String.
func Parse(s string) (Type, error) {
	var names []string
	for t := range count {
		if table[t].name == s {
			return t, nil
		}
		names = append(names, table[t].name)
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
