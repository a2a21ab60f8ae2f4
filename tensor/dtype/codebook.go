package dtype

import (
	"encoding/binary"
	"math"
)

// The formats whose 4-bit codes stand for 16 fixed numbers.

// nonLinear are the numbers of IQ4_NL and IQ4_XS: denser around zero, as
// weights are.
var nonLinear = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// fp4 are the 16 values of the 4-bit float E2M1, doubled to be integers.
var fp4 = [16]int8{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

func decodeIQ4_NL(y []float32, b []byte) {
	d := getF16(b)
	for j, q := range b[2:18] {
		y[j] = d * float32(nonLinear[q&15])
		y[j+16] = d * float32(nonLinear[q>>4])
	}
}

func encodeIQ4_NL(b []byte, x []float32) {
	var codes [32]uint8
	s := nonLinearCodes.best(x, codes[:])
	d := roundF16(clampF16(s))
	nonLinearCodes.assign(x, d, codes[:])
	putF16(b, d)
	for j := range 16 {
		b[2+j] = codes[j] | codes[j+16]<<4
	}
}

// IQ4_XS: d, 8 scales of which the upper 2 bits fill a 16-bit word and the
// lower 4 bits 4 bytes, then 8 times 16 bytes of codes.

func decodeIQ4_XS(y []float32, b []byte) {
	d, high := getF16(b), binary.LittleEndian.Uint16(b[2:])
	for i := range 8 {
		s := int(b[4+i/2]>>(4*(i&1))&15) | int(high>>(2*i)&3)<<4
		scale := d * float32(s-32)
		for j, q := range b[8+16*i : 24+16*i] {
			y[32*i+j] = scale * float32(nonLinear[q&15])
			y[32*i+j+16] = scale * float32(nonLinear[q>>4])
		}
	}
}

func encodeIQ4_XS(b []byte, x []float32) {
	var codes [256]uint8
	var scales [8]int
	d := nonLinearCodes.super(x, codes[:], scales[:], 32)
	clear(b)
	putF16(b, d)
	high := uint16(0)
	for i, s := range scales {
		s += 32
		b[4+i/2] |= byte(s&15) << (4 * (i & 1))
		high |= uint16(s>>4) << (2 * i)
		for j := range 16 {
			b[8+16*i+j] = codes[32*i+j] | codes[32*i+j+16]<<4
		}
	}
	binary.LittleEndian.PutUint16(b[2:], high)
}

// MXFP4: one byte e, the scale 2^(e-127) of E8M0, then 16 bytes of codes. The
// specification has e = 255 as NaN; ggml reads it as a number, and so do we.

func decodeMXFP4(y []float32, b []byte) {
	d := halfE8M0(b[0])
	for j, q := range b[1:17] {
		y[j] = float32(fp4[q&15]) * d
		y[j+16] = float32(fp4[q>>4]) * d
	}
}

// halfE8M0 is 2^(e-128): half of the scale, since fp4 is doubled.
func halfE8M0(e byte) float32 { return float32(math.Ldexp(1, int(e)-128)) }

// leastE8M0 is the smallest exponent that is written: the inverse of its scale
// is finite.
const leastE8M0 = 1

func encodeMXFP4(b []byte, x []float32) {
	top := extreme(x)
	top = min(max(top, -top), math.MaxFloat32)
	// The largest value, 6, takes the largest of the block; the power below it
	// clips and is better for some blocks.
	e := leastE8M0
	if top > 0 {
		_, exp := math.Frexp(float64(top)) // top = f * 2^exp, f in [0.5,1)
		e = min(max(exp-3+127, leastE8M0), 254)
	}
	best := float32(math.Inf(1))
	for try := max(e-1, leastE8M0); try <= min(e+1, 254); try++ {
		var codes [32]uint8
		if err := fp4Codes.assign(x, halfE8M0(byte(try)), codes[:]); err < best || try == e && !finite(best) {
			best = err
			b[0] = byte(try)
			for j := range 16 {
				b[1+j] = codes[j] | codes[j+16]<<4
			}
		}
	}
}

// nearest maps the bits of a sorted table of 16 numbers to the index of the
// nearest one.
type nearest struct {
	mid   [15]float32 // midpoints of neighbours
	index [16]uint8   // place in order -> code
}

func newNearest(numbers [16]int8) *nearest {
	n := &nearest{}
	for i := range n.index {
		n.index[i] = uint8(i)
	}
	for i := range 16 { // insertion sort; the first of equal numbers stays first
		for j := i; j > 0 && numbers[n.index[j]] < numbers[n.index[j-1]]; j-- {
			n.index[j], n.index[j-1] = n.index[j-1], n.index[j]
		}
	}
	for i := range n.mid {
		n.mid[i] = (float32(numbers[n.index[i]]) + float32(numbers[n.index[i+1]])) / 2
	}
	return n
}

// code is the index of the number nearest to x; NaN gives the first.
func (n *nearest) code(x float32) uint8 {
	at := 0
	for step := 8; step > 0; step /= 2 {
		if x >= n.mid[at+step-1] {
			at += step
		}
	}
	return n.index[at]
}
