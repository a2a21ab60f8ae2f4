package dtype

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Dequantize writes the values of src, which is of type t, to dst. The lengths
// must agree: len(src) = t.RowBytes(len(dst)). Block formats give the bits that
// ggml gives: products and sums are rounded one by one, never fused.
func Dequantize(t Type, dst []float32, src []byte) {
	checkLengths(t, len(dst), len(src))
	switch t {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = FromBF16(binary.LittleEndian.Uint16(src[2*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = FromF16(binary.LittleEndian.Uint16(src[2*i:]))
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
		}
	case I32:
		for i := range dst {
			dst[i] = float32(int32(binary.LittleEndian.Uint32(src[4*i:])))
		}
	default:
		f := &table[t]
		for len(dst) > 0 {
			f.decode(dst[:f.values], src[:f.bytes])
			dst, src = dst[f.values:], src[f.bytes:]
		}
	}
}

// Quantize writes src to dst as type t; the lengths must agree as in
// Dequantize. A value that t cannot hold becomes the nearest that it can: NaN
// and infinities are kept by F32, F64, F16 and BF16 only, and I32 rounds to the
// nearest integer.
//
// Q8_0, Q4_0, Q4_1, Q5_0 and Q5_1 give the bytes that ggml gives. The formats
// with sub-blocks search for the least squared error, see search.go.
func Quantize(t Type, dst []byte, src []float32) {
	checkLengths(t, len(src), len(dst))
	switch t {
	case F32:
		for i, x := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(x))
		}
	case BF16:
		for i, x := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], ToBF16(x))
		}
	case F16:
		for i, x := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], ToF16(x))
		}
	case F64:
		for i, x := range src {
			binary.LittleEndian.PutUint64(dst[8*i:], math.Float64bits(float64(x)))
		}
	case I32:
		for i, x := range src {
			n := min(max(math.RoundToEven(float64(x)), math.MinInt32), math.MaxInt32)
			if n != n {
				n = 0
			}
			binary.LittleEndian.PutUint32(dst[4*i:], uint32(int32(n)))
		}
	default:
		f := &table[t]
		for len(src) > 0 {
			f.encode(dst[:f.bytes], src[:f.values])
			dst, src = dst[f.bytes:], src[f.values:]
		}
	}
}

func checkLengths(t Type, values, bytes int) {
	if want := t.RowBytes(values); bytes != want {
		panic(fmt.Sprintf("dtype: %d values of %s take %d bytes, not %d", values, t, want, bytes))
	}
}

func getF16(b []byte) float32    { return FromF16(binary.LittleEndian.Uint16(b)) }
func putF16(b []byte, x float32) { binary.LittleEndian.PutUint16(b, ToF16(x)) }
func finite(x float32) bool      { return x-x == 0 }
func roundF16(x float32) float32 { return FromF16(ToF16(x)) }
func clampF16(x float32) float32 { return min(max(x, -maxF16), maxF16) }

// maxF16 is the largest finite binary16.
const maxF16 = 65504

// truncate is the integer part of x between lo and hi; NaN gives lo.
func truncate(x float32, lo, hi int) int {
	switch {
	case !(x > float32(lo)):
		return lo
	case x >= float32(hi):
		return hi
	}
	return int(x)
}

// round is the integer nearest to x, halves away from zero, between lo and hi;
// NaN gives lo.
func round(x float32, lo, hi int) int {
	switch {
	case !(x > float32(lo)):
		return lo
	case x >= float32(hi):
		return hi
	case x < 0:
		return -int(0.5 - x)
	}
	return int(x + 0.5)
}
