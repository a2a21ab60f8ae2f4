//go:build !purego

package kernel

import (
	"math"
	"unsafe"
)

// lanes are the accumulators of a sum: element i is added to lane i modulo 32.
type lanes [32]float32

// pad holds the last elements of an array, padded to a block with zeros.
type pad [16]float32

// fill copies the tail to a fresh pad and returns its address.
func (p *pad) fill(tail []float32) *float32 {
	copy(p[:], tail)
	return noescape(&p[0])
}

// fillWith pads with x instead of zeros.
func (p *pad) fillWith(tail []float32, x float32) *float32 {
	for i := copy(p[:], tail); i < len(p); i++ {
		p[i] = x
	}
	return noescape(&p[0])
}

// noescape hides a pointer from escape analysis, which must assume the worst
// where assembly is called through a function value. The assembly keeps no
// pointer. Nothing here may grow the stack while the address is an integer, hence
// the directives (as in package strings).
//
//go:nosplit
//go:nocheckptr
func noescape[T any](p *T) *T {
	u := uintptr(unsafe.Pointer(p))
	return *(**T)(unsafe.Pointer(&u))
}

func data[T any](a []T) *T { return unsafe.SliceData(a) }

func vecAVX2() Vec {
	v := vecAsmAVX2.vec()
	v.Mask = maskOf(maskAVX2, 16)
	return v
}

func vecAVX512() Vec {
	v := vecAsmAVX512.vec()
	v.Mask = maskOf(maskAVX512, 32)
	return v
}

// vec wraps the assembly: whole blocks lie in the slices, the rest is padded
// and runs through the same code, so an element's bits do not depend on its place
// and nothing is read behind a slice. Both widths compute the same lanes in the same
// order: avx2 and avx512 give the same bits.
func (k *vecAsm) vec() Vec {
	v := Vec{
		ToBF16:   narrow("ToBF16", k.width, k.toBF16),
		FromBF16: widen("FromBF16", k.width, k.fromBF16),
		ToF16:    narrow("ToF16", k.width, k.toF16),
		FromF16:  widen("FromF16", k.width, k.fromF16),
		FromInt8: k.fromInt8Of,

		Add:       binary("Add", k.width, k.add),
		Mul:       binary("Mul", k.width, k.mul),
		MulAdd:    binary("MulAdd", k.width, k.mulAdd),
		Scale:     scaled("Scale", k.width, k.scale),
		AddScaled: scaled("AddScaled", k.width, k.addScaled),
		Sum:       k.sumOf, SumSquares: k.sumSquaresOf, Dot: k.dotOf, Max: k.maxOf, ExpSub: k.expSubOf,
		SoftmaxBack: k.softmaxBackOf,

		GELUTanh: unary("GELUTanh", k.width, k.geluTanh),
		GELUErf:  unary("GELUErf", k.width, k.geluErf),
		SiLU:     unary("SiLU", k.width, k.silu),
		ReLU:     unary("ReLU", k.width, k.relu),
		Tanh:     unary("Tanh", k.width, k.tanh),

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
			f(p.fill(x[m:]), noescape(&p[0]), width)
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
			f(py.fill(y[m:]), pa.fill(a[m:]), pb.fill(b[m:]), width)
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
			f(py.fill(y[m:]), pa.fill(a[m:]), width, s)
			copy(y[m:], py[:])
		}
	}
}

func (k *vecAsm) softmaxBackOf(dx, dy, y []float32, s float32) {
	same("SoftmaxBack", len(dx), len(dy))
	same("SoftmaxBack", len(dx), len(y))
	m := len(dx) &^ (k.width - 1)
	if m > 0 {
		k.softmaxBack(data(dx), data(dy), data(y), m, s)
	}
	if m < len(dx) {
		var px, pd, py pad
		k.softmaxBack(px.fill(nil), pd.fill(dy[m:]), py.fill(y[m:]), k.width, s)
		copy(dx[m:], px[:])
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
			f(noescape(&h[0]), p.fill(src[m:]), width)
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

func (k *vecAsm) fromInt8Of(dst []float32, src []int8, s float32) {
	same("FromInt8", len(dst), len(src))
	m := len(dst) &^ (k.width - 1)
	if m > 0 {
		k.fromInt8(data(dst), data(src), m, s)
	}
	if m < len(dst) {
		var p pad
		var q [len(p)]int8
		copy(q[:], src[m:])
		k.fromInt8(noescape(&p[0]), noescape(&q[0]), k.width, s)
		copy(dst[m:], p[:])
	}
}

// foldSum adds the lanes in a fixed tree: the upper half to the lower, and so on.
//
//go:noescape
func foldSum(acc *lanes) float32

// foldMax is the greatest lane.
//
//go:noescape
func foldMax(acc *lanes) float32

func (k *vecAsm) sumOf(a []float32) float32 {
	var acc lanes
	m := len(a) &^ (len(acc) - 1)
	if m > 0 {
		k.sum(noescape(&acc), data(a), nil, m)
	}
	if m < len(a) {
		var p lanes
		copy(p[:], a[m:])
		k.sum(noescape(&acc), noescape(&p[0]), nil, len(acc))
	}
	return foldSum(&acc)
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
		var pa, pb lanes
		copy(pa[:], a[m:])
		copy(pb[:], b[m:])
		k.dot(noescape(&acc), noescape(&pa[0]), noescape(&pb[0]), len(acc))
	}
	return foldSum(&acc)
}

func (k *vecAsm) maxOf(a []float32) float32 {
	var acc lanes
	for i := range acc {
		acc[i] = float32(math.Inf(-1))
	}
	m := len(a) &^ (len(acc) - 1)
	if m > 0 {
		k.max(noescape(&acc), data(a), nil, m)
	}
	if m < len(a) {
		var p lanes
		for i := copy(p[:], a[m:]); i < len(p); i++ {
			p[i] = float32(math.Inf(-1))
		}
		k.max(noescape(&acc), noescape(&p[0]), nil, len(acc))
	}
	return foldMax(&acc)
}

func (k *vecAsm) expSubOf(dst, src []float32, max float32) float32 {
	same("ExpSub", len(dst), len(src))
	var acc lanes
	m := len(dst) &^ (len(pad{}) - 1)
	if m > 0 {
		k.expSub(noescape(&acc), data(dst), data(src), m, max)
	}
	if m < len(dst) {
		// exp(-Inf) adds 0 to the sum. Where max is infinite the padding gives NaN,
		// as do the elements.
		var p pad
		k.expSub(noescape(&acc), p.fillWith(src[m:], float32(math.Inf(-1))), noescape(&p[0]), len(p), max)
		copy(dst[m:], p[:])
	}
	return foldSum(&acc)
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
		k.swiGLUBack(noescape(&pg[0]), noescape(&pu[0]), pd.fill(dy[m:]), pg.fill(gate[m:]), pu.fill(up[m:]), k.width)
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
		k.adamW(pp.fill(p[whole:]), pm.fill(m[whole:]), pv.fill(v[whole:]), pg.fill(g[whole:]), noescape(&f), k.width)
		copy(p[whole:], pp[:])
		copy(m[whole:], pm[:])
		copy(v[whole:], pv[:])
	}
}
