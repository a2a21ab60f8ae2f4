package main

import "fmt"

// Arithmetic on values. Comments give the Intel meaning where Go's reversed
// operand order matters.

func (b *builder) add(x, y val) val { return b.do("VADDPS", y, x) }
func (b *builder) sub(x, y val) val { return b.do("VSUBPS", y, x) } // x - y
func (b *builder) mul(x, y val) val { return b.do("VMULPS", y, x) }
func (b *builder) div(x, y val) val { return b.do("VDIVPS", y, x) } // x / y
func (b *builder) sqrt(x val) val   { return b.do("VSQRTPS", x) }

// atLeast is max(x, lo), limit is x between -a and a; a NaN stays, being the
// second Intel source.
func (b *builder) atLeast(x val, lo float64) val { return b.do("VMAXPS", x, b.num(lo)) }
func (b *builder) limit(x val, a float64) val    { return b.do("VMINPS", b.atLeast(x, -a), b.num(a)) }

func (b *builder) fma(x, y, z val) val  { return b.do("fma", x, y, z) }  // x*y + z
func (b *builder) fms(x, y, z val) val  { return b.do("fms", x, y, z) }  // x*y - z
func (b *builder) fnma(x, y, z val) val { return b.do("fnma", x, y, z) } // z - x*y

func (b *builder) and(x, y val) val { return b.do("VANDPS", y, x) }
func (b *builder) or(x, y val) val  { return b.do("VORPS", y, x) }

// horner is c[0] + c[1]*x + ...
func (b *builder) horner(x val, c []float64) val {
	y := b.num(c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		y = b.fma(y, x, b.num(c[i]))
	}
	return y
}

// Predicates of compare.
const (
	unordered = "$0x03"
	notLess   = "$0x15" // x >= y or NaN
	greater   = "$0x1e"
)

// compare is the mask of x pred y: all ones per lane in AVX2, an opmask in
// AVX-512.
func (b *builder) compare(pred string, x, y val) val {
	k := vector
	if b.isa == avx512 {
		k = mask
	}
	return b.text(b.newVal(k), false, "VCMPPS "+pred+", {0}, {1}, {d}", y, x)
}

// negative is the mask of the lanes with the sign bit set.
func (b *builder) negative(x val) val {
	if b.isa == avx2 {
		return x // blends look at the sign bit
	}
	return b.text(b.newVal(mask), false, "VPMOVD2M {0}, {d}", x)
}

// choose is x where the mask is set, else y.
func (b *builder) choose(m, x, y val) val {
	if b.isa == avx2 {
		return b.do("VBLENDVPS", m, x, y)
	}
	return b.text(b.newVal(vector), false, "VBLENDMPS {1}, {2}, {0}, {d}", m, x, y)
}

// zeroUnless is x where the mask of compare is set, else +0.
func (b *builder) zeroUnless(m, x val) val {
	if b.isa == avx2 {
		return b.do("VANDPS", m, x)
	}
	return b.text(b.newVal(vector), false, "VMOVAPS.Z {1}, {0}, {d}", m, x)
}

// Directions of shift.
const left, right = "VPSLLD", "VPSRLD"

// shift moves the bits of 32-bit integers.
func (b *builder) shift(x val, n int, direction string) val {
	return b.text(b.newVal(vector), false, fmt.Sprintf("%s $%d, {0}, {d}", direction, n), x)
}

func (b *builder) addInt(x, y val) val { return b.do("VPADDD", y, x) }

// The exponential for x <= 0 (up to 88 it stays right).
//
// x = n ln 2 + r with n rounded to nearest by adding 1.5 * 2^23, which leaves n
// in the low bits; ln 2 is split in two. exp(r) = 1 + r + r^2 q(r): q is the
// minimax polynomial (fit.go), relative error 3.2e-9 for |r| <= ln(2)/2.
// The factor 2^n is made in the exponent field; below 2^-126 the result is +0,
// so no subnormal number appears.
func (b *builder) exp(x val) val {
	const (
		log2e = 1.44269504088896340736
		ln2hi = 0.693147182464599609375 // float32(ln 2)
		ln2lo = -1.904654290582768e-9
		magic = 3 << 22
		lo    = -87.33654 // ln 2^-126, rounded up
	)
	q := []float64{4.999999335e-01, 1.666651913e-01, 4.166840572e-02, 8.368898661e-03, 1.381422200e-03}
	c := b.atLeast(x, lo)
	t := b.fma(c, b.num(log2e), b.num(magic))
	n := b.sub(t, b.num(magic))
	r := b.fnma(n, b.num(ln2hi), c)
	r = b.fnma(n, b.num(ln2lo), r)
	p := b.horner(r, q)
	p = b.fma(p, b.mul(r, r), r)
	p = b.add(p, b.num(1))
	scale := b.addInt(b.shift(t, 23, left), b.num(1))
	y := b.mul(p, scale)
	return b.zeroUnless(b.compare(notLess, x, b.num(lo)), y)
}

// sigmoid returns s = 1/(1+exp(-x)) and 1-s, each with full relative precision:
// with e = exp(-|x|) the two are 1/(1+e) and e/(1+e).
func (b *builder) sigmoid(x val) (s, c val) {
	e := b.exp(b.or(x, b.bits(1<<31)))
	r := b.div(b.num(1), b.add(e, b.num(1)))
	er := b.mul(e, r)
	m := b.negative(x)
	return b.choose(m, er, r), b.choose(m, r, er)
}

// normal returns Phi, the distribution function of the normal distribution, and
// sqrt(2 pi) times its density e = exp(-x^2/2).
//
// With a = |x|, t = 1/(1+0.35a) and q = 1-2t, Phi(-a) = e t P(q); P is the minimax
// polynomial for a <= 13.3 (fit.go), relative error 3.2e-8. Beyond, e is 0.
func (b *builder) normal(x val) (Phi, e val) {
	p := []float64{0.2532442766275028, -0.17149580499256142, 0.07109895421137095, -0.01023383523832886,
		-0.0051088083344336755, 0.0017542154094682114, 0.0006901302221959595, -0.00021373707989379766, -0.00011373047245546263}
	one := b.num(1)
	e = b.exp(b.mul(x, b.mul(x, b.num(-0.5))))
	a := b.and(x, b.bits(1<<31-1))
	t := b.div(one, b.fma(a, b.num(0.35), one))
	q := b.fnma(t, b.num(2), one)
	h := b.mul(b.mul(e, t), b.horner(q, p))
	return b.choose(b.negative(x), h, b.sub(one, h)), e
}

// geluArg is 2 sqrt(2/pi) (x + 0.044715 x^3), twice the argument of tanh, its
// derivative, and x limited to where the result matters.
func (b *builder) geluArg(x val) (u, du, limited val) {
	const k = 2 * 0.79788456080286535588
	x = b.limit(x, 12)
	x2 := b.mul(x, x)
	u = b.mul(x, b.fma(x2, b.num(k*0.044715), b.num(k)))
	return u, b.fma(x2, b.num(3*k*0.044715), b.num(k)), x
}

// siluGrad is s + x s (1-s); the limit keeps infinity times 0 away.
func (b *builder) siluGrad(x, s, c val) val {
	x = b.limit(x, 100)
	return b.fma(b.mul(x, s), c, s)
}

// tanhSmall is where tanh changes from a polynomial to the exponential.
const tanhSmall = 0.55

// tanh is x + x^3 q(x^2) near 0 (fit.go, relative error 1.0e-9), else
// (1-e)/(1+e) with e = exp(-2|x|) and the sign of x.
func (b *builder) tanh(x val) val {
	q := []float64{-3.333331756e-01, 1.333258614e-01, -5.385230994e-02, 2.107167920e-02, -6.274239758e-03}
	z := b.mul(x, x)
	small := b.fma(b.mul(x, z), b.horner(z, q), x)
	a := b.and(x, b.bits(1<<31-1))
	e := b.exp(b.mul(a, b.num(-2)))
	large := b.div(b.sub(b.num(1), e), b.add(e, b.num(1)))
	large = b.or(large, b.and(x, b.bits(1<<31)))
	return b.choose(b.compare(greater, a, b.num(tanhSmall)), large, small)
}
