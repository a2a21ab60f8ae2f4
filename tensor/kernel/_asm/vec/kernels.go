package main

// def is one kernel: its arguments as in Go, what a call does, the elements of
// one turn of the loop (0: one register), and the body of one register.
type def struct {
	name, args, doc string
	block           int
	body            func(b *builder)
}

// The common signatures; package kernel has one driver for each.
const (
	unary  = "y, x *float32, n int"
	binary = "y, a, b *float32, n int"
	scaled = "y, a *float32, n int, s float32"
	sum    = "acc *lanes, a, b *float32, n int"
)

// sumBlock is the number of accumulators of a sum: element i goes to lane i
// modulo sumBlock. The sum of ExpSub has half of them.
const sumBlock = 32

var defs = []def{
	{"toBF16", "y *uint16, x *float32, n int", "y = bf16(x)", 0, (*builder).toBF16},
	{"fromBF16", "y *float32, x *uint16, n int", "y = float32(x)", 0, func(b *builder) {
		v := b.text(b.newVal(vector), false, "VPMOVZXWD "+b.addr("x", 2)+", {d}")
		b.write("y", b.shift(v, 16, left))
	}},
	{"toF16", "y *uint16, x *float32, n int", "y = f16(x)", 0, func(b *builder) {
		b.text(none, false, "VCVTPS2PH $0, {0}, "+b.addr("y", 2), b.read("x"))
	}},
	{"fromF16", "y *float32, x *uint16, n int", "y = float32(x)", 0, func(b *builder) {
		b.write("y", b.text(b.newVal(vector), false, "VCVTPH2PS "+b.addr("x", 2)+", {d}"))
	}},
	{"fromInt8", "y *float32, x *int8, n int, s float32", "y = s * float32(x)", 0, func(b *builder) {
		v := b.text(b.newVal(vector), false, "VPMOVSXBD "+b.addr("x", 1)+", {d}")
		b.write("y", b.mul(b.text(b.newVal(vector), false, "VCVTDQ2PS {0}, {d}", v), b.scalar("s")))
	}},

	{"add", binary, "y = a + b", 0, func(b *builder) { b.write("y", b.add(b.read("a"), b.read("b"))) }},
	{"mul", binary, "y = a * b", 0, func(b *builder) { b.write("y", b.mul(b.read("a"), b.read("b"))) }},
	{"mulAdd", binary, "y += a * b", 0, func(b *builder) { b.write("y", b.fma(b.read("a"), b.read("b"), b.read("y"))) }},
	{"scale", scaled, "y = s * a", 0, func(b *builder) { b.write("y", b.mul(b.read("a"), b.scalar("s"))) }},
	{"addScaled", scaled, "y += s * a", 0, func(b *builder) { b.write("y", b.fma(b.read("a"), b.scalar("s"), b.read("y"))) }},

	{"softmaxBack", "dx, dy, y *float32, n int, s float32", "dx = y * (dy-s)", 0, func(b *builder) {
		b.write("dx", b.mul(b.read("y"), b.sub(b.read("dy"), b.scalar("s"))))
	}},

	{"sum", sum, "acc += a by lanes; b is not read", sumBlock, func(b *builder) { b.accumulate("VADDPS {0}, {1}, {1}", "acc", b.read("a")) }},
	{"max", sum, "acc = max(acc, a) by lanes, skipping NaN; b is not read", sumBlock, func(b *builder) { b.accumulate("VMAXPS {1}, {0}, {1}", "acc", b.read("a")) }},
	{"dot", sum, "acc += a * b by lanes", sumBlock, func(b *builder) { b.accumulateProduct("acc", b.read("a"), b.read("b")) }},
	{"deviations", "acc *lanes, a *float32, n int, mean float32", "acc += (a-mean)^2 by lanes", sumBlock, func(b *builder) {
		d := b.sub(b.read("a"), b.scalar("mean"))
		b.accumulateProduct("acc", d, d)
	}},
	{"expSub", "acc *lanes, y, x *float32, n int, max float32", "y = exp(x-max), acc += y in the first 16 lanes", sumBlock / 2, func(b *builder) {
		e := b.exp(b.sub(b.read("x"), b.scalar("max")))
		b.write("y", e)
		b.accumulate("VADDPS {0}, {1}, {1}", "acc", e)
	}},

	{"geluTanh", unary, "y = x * sigmoid(2u)", 0, func(b *builder) {
		x := b.read("x")
		u, _, _ := b.geluArg(x)
		s, _ := b.sigmoid(u)
		b.write("y", b.mul(x, s))
	}},
	{"geluErf", unary, "y = x * Phi(x)", 0, func(b *builder) {
		x := b.read("x")
		phi, _ := b.normal(x)
		b.write("y", b.mul(x, phi))
	}},
	{"silu", unary, "y = x * sigmoid(x)", 0, func(b *builder) {
		x := b.read("x")
		s, _ := b.sigmoid(x)
		b.write("y", b.mul(x, s))
	}},
	{"relu", unary, "y = max(x, 0)", 0, func(b *builder) { b.write("y", b.atLeast(b.read("x"), 0)) }},
	{"tanh", unary, "y = tanh(x)", 0, func(b *builder) { b.write("y", b.tanh(b.read("x"))) }},
	{"swiGLU", binary, "y = silu(a) * b", 0, func(b *builder) {
		x := b.read("a")
		s, _ := b.sigmoid(x)
		b.write("y", b.mul(b.mul(x, s), b.read("b")))
	}},

	{"geluTanhBack", binary, "y = a * geluTanh'(b)", 0, func(b *builder) {
		u, du, x := b.geluArg(b.read("b"))
		s, c := b.sigmoid(u)
		b.write("y", b.mul(b.read("a"), b.fma(b.mul(x, s), b.mul(c, du), s)))
	}},
	{"geluErfBack", binary, "y = a * geluErf'(b)", 0, func(b *builder) {
		const density = 0.39894228040143267794 // 1/sqrt(2 pi)
		x := b.limit(b.read("b"), 100)
		phi, e := b.normal(x)
		b.write("y", b.mul(b.read("a"), b.fma(x, b.mul(e, b.num(density)), phi)))
	}},
	{"siluBack", binary, "y = a * silu'(b)", 0, func(b *builder) {
		x := b.read("b")
		s, c := b.sigmoid(x)
		b.write("y", b.mul(b.read("a"), b.siluGrad(x, s, c)))
	}},
	{"reluBack", binary, "y = a where b > 0, else 0", 0, func(b *builder) {
		m := b.compare(greater, b.read("b"), b.num(0))
		b.write("y", b.zeroUnless(m, b.read("a")))
	}},
	{"swiGLUBack", "dgate, dup, dy, gate, up *float32, n int", "dgate = dy*up*silu'(gate), dup = dy*silu(gate)", 0, func(b *builder) {
		x, dy, up := b.read("gate"), b.read("dy"), b.read("up")
		s, c := b.sigmoid(x)
		b.write("dgate", b.mul(b.mul(dy, up), b.siluGrad(x, s, c)))
		b.write("dup", b.mul(dy, b.mul(x, s)))
	}},

	{"norm", "y, x, w, b *float32, n int, mean, rstd float32", "y = (x-mean)*rstd*w + b; w and b may be nil", 0, func(b *builder) {
		b.write("y", b.fma(b.normalised(), b.readOr("w", 1), b.readOr("b", 0)))
	}},
	{"normBackSums", "accG, accGH *lanes, dw, db, dy, x, w *float32, n int, mean, rstd float32",
		"with h = (x-mean)*rstd, g = dy*w: accG += g, accGH += g*h, dw += dy*h, db += dy; dw, db and w may be nil", sumBlock / 2, func(b *builder) {
			h, dy := b.normalised(), b.read("dy")
			b.addTo("dw", dy, h)
			b.addTo("db", dy, none)
			g := b.mul(dy, b.readOr("w", 1))
			b.accumulate("VADDPS {0}, {1}, {1}", "accG", g)
			b.accumulateProduct("accGH", g, h)
		}},
	{"normBack", "dx, dy, x, w *float32, n int, mean, rstd, meanG, meanGH float32", "dx = rstd*(g - meanG - h*meanGH); w may be nil", 0, func(b *builder) {
		h := b.normalised()
		g := b.mul(b.read("dy"), b.readOr("w", 1))
		d := b.fnma(h, b.scalar("meanGH"), b.sub(g, b.scalar("meanG")))
		b.write("dx", b.mul(d, b.scalar("rstd")))
	}},

	{"ropeHalf", "x, y, cos, sin *float32, n int", "(x, y) turned by the angles", 0, func(b *builder) {
		x, y, c, s := b.read("x"), b.read("y"), b.read("cos"), b.read("sin")
		b.write("x", b.fms(x, c, b.mul(y, s)))
		b.write("y", b.fma(y, c, b.mul(x, s)))
	}},
	{"ropePair", "x, cos, sin *float32, n int", "pairs of x turned by the angles; n is the length of x", 0, (*builder).ropePair},

	{"adamW", "p, m, v, grad *float32, f *adamWFactors, n int", "one step of AdamW", 0, func(b *builder) {
		g := b.mul(b.read("grad"), b.factor(0))
		m := b.fma(b.read("m"), b.factor(1), b.mul(g, b.factor(2)))
		v := b.fma(b.read("v"), b.factor(3), b.mul(b.mul(g, g), b.factor(4)))
		b.write("m", m)
		b.write("v", v)
		d := b.add(b.sqrt(b.mul(v, b.factor(5))), b.factor(6))
		b.write("p", b.fnma(b.div(m, d), b.factor(7), b.mul(b.read("p"), b.factor(8))))
	}},
}

// normalised is h = (x-mean)*rstd.
func (b *builder) normalised() val {
	return b.mul(b.sub(b.read("x"), b.scalar("mean")), b.scalar("rstd"))
}

// toBF16 rounds to nearest even by adding 0x7fff and the lowest kept bit. A NaN
// is cut and made quiet.
func (b *builder) toBF16() {
	u := b.read("x")
	high := b.shift(u, 16, right)
	odd := b.and(high, b.bits(1))
	rounded := b.shift(b.addInt(b.addInt(u, odd), b.bits(0x7fff)), 16, right)
	v := b.choose(b.compare(unordered, u, u), b.or(high, b.bits(0x40)), rounded)
	if b.isa == avx512 {
		b.text(none, false, "VPMOVDW {0}, "+b.addr("y", 2), v)
		return
	}
	v = b.do("VPACKUSDW", v, v)
	v = b.text(b.newVal(vector), false, "VPERMQ $0x08, {0}, {d}", v)
	b.storeLow("y", v)
}

// ropePair doubles each cosine and sine to (c, c), (s, s) and turns with one
// exchange inside the pairs: x*c -+ swap(x)*s, minus at even places.
func (b *builder) ropePair() {
	twice := func(name string) val {
		at := "0(" + b.pointer(name) + ")(AX*2)" // half as many elements as x
		v := b.text(b.newVal(vector), false, "VPMOVZXDQ "+at+", {d}")
		return b.do("VMOVSLDUP", v)
	}
	x := b.read("x")
	swapped := b.text(b.newVal(vector), false, "VPERMILPS $0xb1, {0}, {d}", x)
	b.write("x", b.do("fmaddsub", x, twice("cos"), b.mul(swapped, twice("sin"))))
}
