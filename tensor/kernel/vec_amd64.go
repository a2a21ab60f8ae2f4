//go:build !purego

package kernel

import (
	"math"
	"unsafe"
)

// lanes are the accumulators of a sum: element i is added to lane i modulo 32.
type lanes [32]float32

// pad holds the last elements of an array, padded to a block.
type pad [32]float32

// fill copies the tail to a pad whose rest holds x, and returns its address.
func (p *pad) fill(tail []float32, x float32) *float32 {
	n := copy(p[:], tail)
	for i := n; i < len(p); i++ {
		p[i] = x
	}
	return noescape(&p[0])
}

// noescape hides a pointer from escape analysis, which must assume the worst
// where assembly is called through a function value. The assembly keeps no
// pointer.
func noescape[T any](p *T) *T {
	u := uintptr(unsafe.Pointer(p))
	return *(**T)(unsafe.Pointer(&u))
}

func data[T any](a []T) *T { return unsafe.SliceData(a) }

func vecAVX2() Vec   { return vecAsmAVX2.vec() }
func vecAVX512() Vec { return vecAsmAVX512.vec() }

// vec wraps the assembly: whole blocks lie in the slices, the rest is padded
// and runs through the same code, so an element's bits do not depend on its place
// and nothing is read behind a slice.
func (k *vecAsm) vec() Vec {
	v := Vec{
		ToBF16:   narrow("ToBF16", k.width, k.toBF16),
		FromBF16: widen("FromBF16", k.width, k.fromBF16),
		ToF16:    narrow("ToF16", k.width, k.toF16),
		FromF16:  widen("FromF16", k.width, k.fromF16),

		Add:       binary("Add", k.width, k.add),
		Mul:       binary("Mul", k.width, k.mul),
		MulAdd:    binary("MulAdd", k.width, k.mulAdd),
		Scale:     scaled("Scale", k.width, k.scale),
		AddScaled: scaled("AddScaled", k.width, k.addScaled),
		Sum:       k.sumOf, SumSquares: k.sumSquaresOf, Dot: k.dotOf, Max: k.maxOf, ExpSub: k.expSubOf,

		GELUTanh: unary("GELUTanh", k.width, k.geluTanh),
		GELUErf:  unary("GELUErf", k.width, k.geluErf),
		SiLU:     unary("SiLU", k.width, k.silu),
		ReLU:     unary("ReLU", k.width, k.relu),

		GELUTanhBack: binary("GELUTanhBack", k.width, k.geluTanhBack),
		GELUErfBack:  binary("GELUErfBack", k.width, k.geluErfBack),
		SiLUBack:     binary("SiLUBack", k.width, k.siluBack),
		ReLUBack:     binary("ReLUBack", k.width, k.reluBack),

		SwiGLU:     binary("SwiGLU", k.width, k.swiGLU),
		SwiGLUBack: k.swiGLUBackOf,

		LayerNorm: k.layerNormOf, LayerNormBack: k.layerNormBackOf,
		RMSNorm: k.rmsNormOf, RMSNormBack: k.rmsNormBackOf,
		RoPEHalf: k.ropeHalfOf, RoPEPair: k.ropePairOf,
		AdamW: k.adamWOf,
	}
	return v
}

// The drivers. op names the kernel in panics.

func unary(op string, width int, f func(y, x *float32, n int)) func(y, x []float32) {
	return func(y, x []float32) {
		same(op, len(y), len(x))
		m := len(y) &^ (width - 1)
		if m > 0 {
			f(data(y), data(x), m)
		}
		if m < len(y) {
			var p pad
			f(p.fill(x[m:], 0), noescape(&p[0]), width)
			copy(y[m:], p[:])
		}
	}
}

func binary(op string, width int, f func(y, a, b *float32, n int)) func(y, a, b []float32) {
	return func(y, a, b []float32) {
		same(op, len(y), len(a))
		same(op, len(y), len(b))
		m := len(y) &^ (width - 1)
		if m > 0 {
			f(data(y), data(a), data(b), m)
		}
		if m < len(y) {
			var py, pa, pb pad
			f(py.fill(y[m:], 0), pa.fill(a[m:], 0), pb.fill(b[m:], 0), width)
			copy(y[m:], py[:])
		}
	}
}

func scaled(op string, width int, f func(y, a *float32, n int, s float32)) func(y, a []float32, s float32) {
	return func(y, a []float32, s float32) {
		same(op, len(y), len(a))
		m := len(y) &^ (width - 1)
		if m > 0 {
			f(data(y), data(a), m, s)
		}
		if m < len(y) {
			var py, pa pad
			f(py.fill(y[m:], 0), pa.fill(a[m:], 0), width, s)
			copy(y[m:], py[:])
		}
	}
}

func narrow(op string, width int, f func(y *uint16, x *float32, n int)) func(dst []uint16, src []float32) {
	return func(dst []uint16, src []float32) {
		same(op, len(dst), len(src))
		m := len(dst) &^ (width - 1)
		if m > 0 {
			f(data(dst), data(src), m)
		}
		if m < len(dst) {
			var p pad
			var h [len(p)]uint16
			f(noescape(&h[0]), p.fill(src[m:], 0), width)
			copy(dst[m:], h[:])
		}
	}
}

func widen(op string, width int, f func(y *float32, x *uint16, n int)) func(dst []float32, src []uint16) {
	return func(dst []float32, src []uint16) {
		same(op, len(dst), len(src))
		m := len(dst) &^ (width - 1)
		if m > 0 {
			f(data(dst), data(src), m)
		}
		if m < len(dst) {
			var p pad
			var h [len(p)]uint16
			copy(h[:], src[m:])
			f(noescape(&p[0]), noescape(&h[0]), width)
			copy(dst[m:], p[:])
		}
	}
}

// fold adds the first n lanes in a fixed tree: the upper half to the lower.
func (a *lanes) fold(n int) float32 {
	for n >>= 1; n > 0; n >>= 1 {
		for i := range n {
			a[i] += a[i+n]
		}
	}
	return a[0]
}

func (k *vecAsm) sumOf(a []float32) float32 {
	var acc lanes
	m := len(a) &^ (len(acc) - 1)
	if m > 0 {
		k.sum(noescape(&acc), data(a), nil, m)
	}
	if m < len(a) {
		var p pad
		k.sum(noescape(&acc), p.fill(a[m:], 0), nil, len(acc))
	}
	return acc.fold(len(acc))
}

func (k *vecAsm) sumSquaresOf(a []float32) float32 { return k.dotOf(a, a) }

func (k *vecAsm) dotOf(a, b []float32) float32 {
	same("Dot", len(a), len(b))
	var acc lanes
	m := len(a) &^ (len(acc) - 1)
	if m > 0 {
		k.dot(noescape(&acc), data(a), data(b), m)
	}
	if m < len(a) {
		var pa, pb pad
		k.dot(noescape(&acc), pa.fill(a[m:], 0), pb.fill(b[m:], 0), len(acc))
	}
	return acc.fold(len(acc))
}

func (k *vecAsm) maxOf(a []float32) float32 {
	least := float32(math.Inf(-1))
	var acc lanes
	for i := range acc {
		acc[i] = least
	}
	m := len(a) &^ (len(acc) - 1)
	if m > 0 {
		k.max(noescape(&acc), data(a), nil, m)
	}
	if m < len(a) {
		var p pad
		k.max(noescape(&acc), p.fill(a[m:], least), nil, len(acc))
	}
	for _, x := range acc[1:] {
		if x > acc[0] {
			acc[0] = x
		}
	}
	return acc[0]
}

func (k *vecAsm) expSubOf(dst, src []float32, max float32) float32 {
	same("ExpSub", len(dst), len(src))
	const block = 16
	var acc lanes
	m := len(dst) &^ (block - 1)
	if m > 0 {
		k.expSub(noescape(&acc), data(dst), data(src), m, max)
	}
	if m < len(dst) {
		// exp(-Inf) adds 0 to the sum; max may be infinite, then the rest is NaN and
		// so is the sum of a row of which one element is NaN.
		var p pad
		k.expSub(noescape(&acc), p.fill(src[m:], float32(math.Inf(-1))), noescape(&p[0]), block, max)
		copy(dst[m:], p[:])
	}
	return acc.fold(block)
}

func (k *vecAsm) swiGLUBackOf(dgate, dup, dy, gate, up []float32) {
	n := len(dgate)
	same("SwiGLUBack", n, len(dup))
	same("SwiGLUBack", n, len(dy))
	same("SwiGLUBack", n, len(gate))
	same("SwiGLUBack", n, len(up))
	m := n &^ (k.width - 1)
	if m > 0 {
		k.swiGLUBack(data(dgate), data(dup), data(dy), data(gate), data(up), m)
	}
	if m < n {
		var pd, pg, pu pad
		k.swiGLUBack(noescape(&pg[0]), noescape(&pu[0]), pd.fill(dy[m:], 0), pg.fill(gate[m:], 0), pu.fill(up[m:], 0), k.width)
		copy(dgate[m:], pg[:])
		copy(dup[m:], pu[:])
	}
}

func (k *vecAsm) adamWOf(p, m, v, g []float32, s *AdamWStep) {
	checkAdamW(p, m, v, g)
	f := s.factors()
	whole := len(p) &^ (k.width - 1)
	if whole > 0 {
		k.adamW(data(p), data(m), data(v), data(g), noescape(&f), whole)
	}
	if whole < len(p) {
		var pp, pm, pv, pg pad
		k.adamW(pp.fill(p[whole:], 0), pm.fill(m[whole:], 0), pv.fill(v[whole:], 0), pg.fill(g[whole:], 0), noescape(&f), k.width)
		copy(p[whole:], pp[:])
		copy(m[whole:], pm[:])
		copy(v[whole:], pv[:])
	}
}
