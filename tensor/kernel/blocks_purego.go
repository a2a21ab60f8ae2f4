package kernel

import (
	"math"

	"github.com/foundling-lm/foundling/tensor/dtype"
)

// blocksPurego is the reference.
func blocksPurego() blockKernels {
	return blockKernels{rows: 4, round: roundPlain, unpack: unpackPlain, expand: expandPlain,
		expandRuns: expandRunsPlain, dot: dotPlain}
}

// smallestMax is the largest magnitude of 32 values below which they are rounded
// to zero: the reciprocal of their scale could be infinite.
const smallestMax = 0x1p-100

func roundPlain(dst []byte, src []float32, sub, start int) {
	for len(src) > 0 {
		var most uint32 // as bits, so that NaN is above infinity
		for _, v := range src[:depthUnit] {
			most = max(most, math.Float32bits(v)&0x7fffffff)
		}
		scale, inverse := float32(0), float32(0)
		switch m := math.Float32frombits(most); {
		case most >= 0x7f800000:
			scale = float32(math.NaN())
		case m >= smallestMax:
			scale = m / 127
			inverse = 1 / scale
		}
		for at := 0; at < depthUnit; at += sub {
			sum := 0
			for i, v := range src[at : at+sub] {
				code := 0
				if inverse > 0 {
					code = int(math.RoundToEven(float64(v * inverse)))
				}
				dst[4+i] = byte(int8(code))
				sum += code
			}
			le.PutUint32(dst, uint32(int32(start*sum)))
			le.PutUint32(dst[4+sub:], math.Float32bits(scale))
			le.PutUint32(dst[8+sub:], math.Float32bits(scale*float32(sum)))
			dst = dst[sub+blockExtra:]
		}
		src = src[depthUnit:]
	}
}

func unpackPlain(dst, src []byte, stride, bits int, table *[16]byte) {
	for i := range dst {
		// Byte i%128 of a step; a block of 32 depths has 8 steps.
		at, step, block := i%128, i/128%8, src[i/1024*stride:]
		c := block[step/2*128+at] >> (step % 2 * 4) & 15
		switch {
		case table != nil:
			c = table[c]
		case bits == 5:
			c |= block[halvesBytes+step*16+at/8] >> (at % 8) & 1 << 4
		case bits == 6:
			c |= block[halvesBytes+step/4*128+at] >> (step % 4 * 2) & 3 << 4
		}
		dst[i] = c
	}
}

func expandPlain(dst []float32, src []byte, stride int, bf16 bool) {
	for i := range dst {
		h := le.Uint16(src[i/panelCols*stride+2*(i%panelCols):])
		if bf16 {
			dst[i] = dtype.FromBF16(h)
		} else {
			dst[i] = dtype.FromF16(h)
		}
	}
}

func expandRunsPlain(dst []float32, d, scales []byte, subs, stride int) {
	for i := range dst {
		run, at := i/(subs*panelCols), i%(subs*panelCols)
		dst[i] = dtype.FromF16(le.Uint16(d[run*stride+2*(i%panelCols):])) * float32(int8(scales[run*stride+at]))
	}
}

// dotPlain takes signed codes of weights. Conversions keep the compiler from
// fusing a product with a sum.
func dotPlain(c *dotCall) {
	for r := range c.rows {
		a, w, acc := c.a[r*c.aRow:], c.w, c.out[r*c.outRow:][:panelCols]
		if c.in == nil {
			clear(acc)
		} else {
			copy(acc, c.in[r*c.inRow:])
		}
		for b := range c.blocks {
			var sums [panelCols]int32
			for o := range sums {
				sums[o] = int32(le.Uint32(a))
			}
			for step := range c.sub / 4 {
				q := a[4+4*step:]
				q0, q1, q2, q3 := int32(int8(q[0])), int32(int8(q[1])), int32(int8(q[2])), int32(int8(q[3]))
				codes := w[step*128 : step*128+128]
				for o := range sums {
					k := codes[4*o : 4*o+4]
					sums[o] += q0*int32(int8(k[0])) + q1*int32(int8(k[1])) + q2*int32(int8(k[2])) + q3*int32(int8(k[3]))
				}
			}
			scale := math.Float32frombits(le.Uint32(a[4+c.sub:]))
			total := math.Float32frombits(le.Uint32(a[8+c.sub:]))
			for o, s := range sums {
				acc[o] += float32(float32(s) * float32(scale*c.scales[b*panelCols+o]))
				if c.mins != nil {
					acc[o] += float32(total * c.mins[b*panelCols+o])
				}
			}
			a, w = a[c.sub+blockExtra:], w[min(len(w), c.sub/4*128+c.skip):]
		}
	}
}
