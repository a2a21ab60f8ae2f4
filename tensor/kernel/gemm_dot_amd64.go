//go:build !purego

package kernel

import "unsafe"

// gemmDot multiplies pairs of bf16 (VDPBF16PS): twice the products of an f32
// instruction. F32 products are those of AVX-512. The instruction adds the odd
// product of a pair, then the even one, each rounded to nearest even, and takes
// subnormal numbers as zeros.
func gemmDot() gemmKernels {
	k := gemmAVX512()
	f := &gemmFamily{mr: 14, nr: 32, kc: 448, mb: 196, nb: 256, ku: dotDepth, elem: 2, packA: packDotA, packB: packDotB}
	f.mul = mulPanels([]mulFunc{mulDotRows1, mulDotRows2, mulDotRows3, mulDotRows4, mulDotRows5, mulDotRows6,
		mulDotRows7, mulDotRows8, mulDotRows9, mulDotRows10, mulDotRows11, mulDotRows12, mulDotRows13, mulDotRows14}, 32, 2)
	f.toBF16, f.storeBF16 = vecAVX512().ToBF16, storeBF16AVX512
	f.pairs = func(lane, k int) int { return (k/2*f.nr+lane)*2 + k%2 }
	f.unpack = func(dst unsafe.Pointer, dstRow int, panel unsafe.Pointer) { // a square transposed twice
		dotRowsBF16(dst, dstRow, panel, 32*4, 16, 1<<16-1, -1, 1)
	}
	return gemmKernels{f32: k.f32, bf16: f}
}

// dotDepth is the depth of the squares that packing transposes: 16 lanes by 16
// pairs. Panels are filled up to it with zeros.
const dotDepth = 32

// packDotA packs a panel of A, which is as narrow as its rows.
func packDotA(dst unsafe.Pointer, v *operand, lane, lanes, k, n int) {
	packDot(dst, lanes*4, v, lane, lanes, 1<<lanes-1, k, n)
}

// packDotB packs a panel of B: two strips of 16 columns. Columns past the last
// are read by the product and not stored.
func packDotB(dst unsafe.Pointer, v *operand, lane, lanes, k, n int) {
	for l := 0; l < lanes; l += 16 {
		packDot(unsafe.Add(dst, l*4), 32*4, v, lane+l, min(16, lanes-l), 1<<16-1, k, n)
	}
}

// packDot packs a strip of up to 16 lanes into rows of pairs, row bytes apart;
// store has a bit for each lane that is written.
func packDot(dst unsafe.Pointer, row int, v *operand, lane, lanes, store, k, n int) {
	if v.along {
		src, size, f := v.start(v.index(lane, k)), 4, dotRowsF32
		if v.bf16 != nil {
			size, f = 2, dotRowsBF16
		}
		steps, rest := n/dotDepth, n%dotDepth
		if steps > 0 {
			f(dst, row, src, v.stride*size, lanes, store, -1, steps)
		}
		if rest > 0 {
			f(unsafe.Add(dst, steps*dotDepth/2*row), row, unsafe.Add(src, steps*dotDepth*size), v.stride*size, lanes, store, 1<<rest-1, 1)
		}
		return
	}
	pairs := n / 2
	if pairs > 0 {
		packPairs(dst, row, v, lane, lanes, store, k, pairs)
	}
	if n%2 == 1 { // the last depth has no partner but zeros
		packOdd(unsafe.Add(dst, pairs*row), v, lane, lanes, store, k+n-1)
		pairs++
	}
	for ; pairs < roundUp(n, dotDepth)/2; pairs++ {
		clear(unsafe.Slice((*uint32)(unsafe.Add(dst, pairs*row)), lanes))
	}
}

// packPairs packs pairs of depths where lanes are contiguous.
func packPairs(dst unsafe.Pointer, row int, v *operand, lane, lanes, store, k, pairs int) {
	src, load := v.start(v.index(lane, k)), 1<<lanes-1
	if v.bf16 != nil {
		dotLanesBF16(dst, row, src, v.stride*2, load, store, pairs)
	} else {
		dotLanesF32(dst, row, src, v.stride*4, load, store, pairs)
	}
}

// packOdd packs one depth and zeros for its partner. The copy stays on the stack.
func packOdd(dst unsafe.Pointer, v *operand, lane, lanes, store, k int) {
	at, load := v.index(lane, k), 1<<lanes-1
	if v.bf16 != nil {
		var pair [2][16]uint16
		copy(pair[0][:lanes], v.bf16[at:])
		dotLanesBF16(dst, 0, unsafe.Pointer(&pair), 16*2, load, store, 1)
	} else {
		var pair [2][16]float32
		copy(pair[0][:lanes], v.f32[at:])
		dotLanesF32(dst, 0, unsafe.Pointer(&pair), 16*4, load, store, 1)
	}
}
