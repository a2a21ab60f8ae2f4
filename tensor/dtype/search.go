package dtype

import "math"

// The quantisers of the formats with sub-blocks, and of the codebooks. Each
// sub-block is fitted alone: codes for several scales around the obvious one,
// and for each the scale of least squared error. The scales are then rounded to
// what the super-block can hold, and each sub-block takes the rounding, of its
// scale and the neighbours, that fits its values best. Sums are rounded step by
// step, so every processor writes the same bytes.

// symmetric are codes that stand for fixed numbers, scaled by s of either sign.
type symmetric struct {
	half    int       // codes 0..2*half-1 are -half..half-1; 0: a table
	table   *nearest  // of the numbers of the table
	numbers []float32 // of each code
	lo, hi  float32   // the outermost numbers
}

func linearCodes(half int) *symmetric {
	if half == 4 {
		return codes3
	}
	return codes6
}

var (
	codes3         = newLinear(4)
	codes6         = newLinear(32)
	nonLinearCodes = newTable(nonLinear)
	fp4Codes       = newTable(fp4)
)

func newLinear(half int) *symmetric {
	c := &symmetric{half: half, lo: float32(-half), hi: float32(half - 1)}
	for q := -half; q < half; q++ {
		c.numbers = append(c.numbers, float32(q))
	}
	return c
}

func newTable(numbers [16]int8) *symmetric {
	c := &symmetric{table: newNearest(numbers)}
	for _, n := range numbers {
		c.numbers = append(c.numbers, float32(n))
		c.lo, c.hi = min(c.lo, float32(n)), max(c.hi, float32(n))
	}
	return c
}

// assign gives each value the code nearest to it at scale s and returns the
// squared error.
func (c *symmetric) assign(x []float32, s float32, codes []uint8) (err float32) {
	inv := inverse(s)
	for i, v := range x {
		var q uint8
		if c.half > 0 {
			q = uint8(round(v*inv, -c.half, c.half-1) + c.half)
		} else {
			q = c.table.code(v * inv)
		}
		codes[i] = q
		e := float32(s*c.numbers[q]) - v
		err += float32(e * e)
	}
	return err
}

// steps is how many scales are tried on either side of the obvious one, each a
// stretch further.
const (
	steps   = 5
	stretch = 0.035
)

// best is the scale of least squared error among those tried.
func (c *symmetric) best(x []float32, codes []uint8) (scale float32) {
	top := extreme(x)
	if top == 0 {
		return 0
	}
	var most float32 = -1 // of the part of the squared sum that is explained
	for _, end := range [2]float32{c.lo, c.hi} {
		for k := -steps; k <= steps; k++ {
			c.assign(x, top/(end*(1+stretch*float32(k))), codes)
			var xn, nn float32
			for i, v := range x {
				n := c.numbers[codes[i]]
				xn += float32(v * n)
				nn += float32(n * n)
			}
			if nn > 0 && xn*xn > most*nn {
				most, scale = xn*xn/nn, xn/nn
			}
		}
	}
	return scale
}

// super fits len(scales) sub-blocks: value = d * scale * number of the code, with
// scales in [-limit, limit).
func (c *symmetric) super(x []float32, codes []uint8, scales []int, limit int) (d float32) {
	n := len(x) / len(scales)
	var fits [16]float32
	for i := range scales {
		fits[i] = c.best(x[i*n:(i+1)*n], codes[i*n:])
	}
	d = roundF16(clampF16(extreme(fits[:len(scales)]) / float32(-limit)))
	inv := inverse(d)
	var try [32]uint8
	for i := range scales {
		x, codes := x[i*n:(i+1)*n], codes[i*n:(i+1)*n]
		near := round(fits[i]*inv, -limit, limit-1)
		least := float32(math.Inf(1))
		for s := max(near-1, -limit); s <= min(near+1, limit-1); s++ {
			if err := c.assign(x, d*float32(s), try[:n]); err < least || s == near && !finite(least) {
				least, scales[i] = err, s
				copy(codes, try[:n])
			}
		}
	}
	return d
}

// affine are codes 0..levels with value = scale*code - offset; scale and offset
// are not negative and are held as integers up to top.
type affine struct{ levels, top int }

// assign gives each value the nearest code and returns the squared error.
func (a affine) assign(x []float32, scale, offset float32, codes []uint8) (err float32) {
	inv := inverse(scale)
	for i, v := range x {
		q := round(float32(v+offset)*inv, 0, a.levels)
		codes[i] = uint8(q)
		e := float32(scale*float32(q)) - offset - v
		err += float32(e * e)
	}
	return err
}

// tries is the number of scales that best tries, from a range of levels that
// clips the largest values to one that leaves the last level unused.
const tries = 20

// best are the scale and the offset of least squared error among those tried.
func (a affine) best(x []float32, codes []uint8) (scale, offset float32) {
	lo, hi := span(x)
	lo = min(lo, 0)
	if !(hi > lo) {
		return 0, -lo
	}
	least := float32(math.Inf(1))
	var n, sx float32
	for _, v := range x {
		n++
		sx += v
	}
	for k := range tries {
		levels := float32(a.levels) - 1 + 0.1*float32(k)
		a.assign(x, (hi-lo)/levels, -lo, codes)
		var sq, sqq, sqx float32
		for i, v := range x {
			q := float32(codes[i])
			sq += q
			sqq += float32(q * q)
			sqx += float32(q * v)
		}
		det := float32(n*sqq) - float32(sq*sq)
		if det <= 0 {
			continue
		}
		s := (float32(n*sqx) - float32(sq*sx)) / det
		m := (float32(sq*sqx) - float32(sqq*sx)) / det
		if m < 0 {
			s, m = sqx/sqq, 0
		}
		if !(s > 0) {
			continue
		}
		if err := a.assign(x, s, m, codes); err < least {
			least, scale, offset = err, s, m
		}
	}
	if !finite(least) {
		return (hi - lo) / float32(a.levels), -lo
	}
	return scale, offset
}

// super fits len(scales) sub-blocks: value = d*scale*code - dmin*offset.
func (a affine) super(x []float32, codes []uint8, scales, offsets []int) (d, dmin float32) {
	n := len(x) / len(scales)
	var s, m [16]float32
	for i := range scales {
		s[i], m[i] = a.best(x[i*n:(i+1)*n], codes[i*n:])
		d, dmin = max(d, s[i]), max(dmin, m[i])
	}
	d, dmin = roundF16(clampF16(d/float32(a.top))), roundF16(clampF16(dmin/float32(a.top)))
	inv, invMin := inverse(d), inverse(dmin)
	var try [32]uint8
	for i := range scales {
		x, codes := x[i*n:(i+1)*n], codes[i*n:(i+1)*n]
		nearS, nearM := round(s[i]*inv, 0, a.top), round(m[i]*invMin, 0, a.top)
		least := float32(math.Inf(1))
		for s := max(nearS-1, 0); s <= min(nearS+1, a.top); s++ {
			for m := max(nearM-1, 0); m <= min(nearM+1, a.top); m++ {
				err := a.assign(x, d*float32(s), dmin*float32(m), try[:n])
				if err < least || s == nearS && m == nearM && !finite(least) {
					least, scales[i], offsets[i] = err, s, m
					copy(codes, try[:n])
				}
			}
		}
	}
	return d, dmin
}
