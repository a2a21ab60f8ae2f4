//go:build !purego

package kernel

import (
	"unsafe"
)

// mulFunc is the assembly for panels of one number of rows.
type mulFunc func(a, b unsafe.Pointer, k int, in unsafe.Pointer, inRow int, out unsafe.Pointer, outRow int)

// packFunc is the assembly that moves one strip of lanes.
type packFunc func(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow int, n int)

// packer is the strips for one format of operand.
type packer struct {
	rows8, rows6            packFunc // n blocks of 8 depths
	lanes16, lanes8, lanes6 packFunc // n depths
}

var (
	packF32   = packer{packRows8F32, packRows6F32, packLanes16F32, packLanes8F32, packLanes6F32}
	packRound = packer{packRows8Round, packRows6Round, packLanes16Round, packLanes8Round, packLanes6Round}
	packBF16  = packer{packRows8BF16, packRows6BF16, packLanes16BF16, packLanes8BF16, packLanes6BF16}
)

func gemmAVX2() gemmKernels {
	f := gemmFamily{mr: 6, nr: 16, kc: 256, mb: 192, nb: 256, ku: 1, elem: 4}
	f.mul = mulPanels([]mulFunc{mulAVX2Rows1, mulAVX2Rows2, mulAVX2Rows3, mulAVX2Rows4, mulAVX2Rows5, mulAVX2Rows6}, 16, 4)
	f.toBF16, f.storeBF16 = vecAVX2().ToBF16, storeBF16AVX2
	return f.bothPrecisions()
}

func gemmAVX512() gemmKernels {
	f := gemmFamily{mr: 14, nr: 32, kc: 224, mb: 196, nb: 256, ku: 1, elem: 4}
	f.mul = mulPanels([]mulFunc{mulAVX512Rows1, mulAVX512Rows2, mulAVX512Rows3, mulAVX512Rows4, mulAVX512Rows5,
		mulAVX512Rows6, mulAVX512Rows7, mulAVX512Rows8, mulAVX512Rows9, mulAVX512Rows10, mulAVX512Rows11,
		mulAVX512Rows12, mulAVX512Rows13, mulAVX512Rows14}, 32, 4)
	f.toBF16, f.storeBF16 = vecAVX512().ToBF16, storeBF16AVX512
	return f.bothPrecisions()
}

// bothPrecisions makes the families of a set without products of bf16: for BF16
// the same kernels multiply operands that were rounded when they were packed.
func (f gemmFamily) bothPrecisions() gemmKernels {
	f32, bf16 := f, f
	f32.packA, f32.packB = packVector(f.mr, true, false), packVector(f.nr, false, false)
	bf16.packA, bf16.packB = packVector(f.mr, true, true), packVector(f.nr, false, true)
	return gemmKernels{&f32, &bf16}
}

// mulPanels makes the product of blocks from kernels by number of rows, for
// packed values of elem bytes. A panel of B is kept in the first cache while the
// panels of A pass.
func mulPanels(kernels []mulFunc, nr, elem int) func(*blockCall) {
	mr := len(kernels)
	return func(c *blockCall) {
		lane, depth := c.k*elem, c.k*elem/4
		for l := 0; l < c.cols; l += nr {
			b := unsafe.Add(c.b, l*lane)
			for i := 0; i < c.rows; i += mr {
				r := min(mr, c.rows-i)
				in, out := c.in.at(i, l/nr), c.out.at(i, l/nr)
				kernels[r-1](unsafe.Add(c.a, i*lane), b, depth, in.p, in.row, out.p, out.row)
			}
		}
	}
}

// packVector makes the packer of f32 panels of the given width: whole panels by
// assembly, the ragged rest in Go. A narrow panel of A is as narrow as its rows;
// one of B is padded.
func packVector(width int, narrow, round bool) func(unsafe.Pointer, *operand, int, int, int, int) {
	return func(dst unsafe.Pointer, v *operand, lane, lanes, k, n int) {
		at, size, p := v.start(v.index(lane, k)), 4, &packF32
		switch {
		case v.bf16 != nil:
			size, p = 2, &packBF16
		case round:
			p = &packRound
		}
		w := width
		if narrow {
			w = lanes
		}
		switch {
		case lanes < w || w%8 != 0 && w%8 != 6:
			packPanel(dst, w, v, lane, lanes, k, n, round)
		case v.along:
			p.packAlong(dst, lanes, at, v.stride*size, size, n/8)
			if done := n &^ 7; done < n {
				packPanel(unsafe.Add(dst, done*lanes*4), lanes, v, lane, lanes, k+done, n-done, round)
			}
		default:
			p.packAcross(dst, lanes, at, v.stride*size, size, n)
		}
	}
}

// start is the address of the i-th value.
func (v *operand) start(i int) unsafe.Pointer {
	if v.bf16 != nil {
		return unsafe.Pointer(&v.bf16[i])
	}
	return unsafe.Pointer(&v.f32[i])
}

// packAlong packs lanes that are contiguous and row bytes apart. The number of
// lanes is a sum of eights and at most one six.
func (p *packer) packAlong(dst unsafe.Pointer, lanes int, src unsafe.Pointer, row, size, blocks int) {
	if blocks == 0 {
		return
	}
	for l := 0; l < lanes; l += 8 {
		f := p.rows8
		if lanes-l < 8 {
			f = p.rows6
		}
		f(unsafe.Add(dst, l*4), lanes*4, unsafe.Add(src, l*row), row, blocks)
	}
}

// packAcross packs depths whose lanes are contiguous.
func (p *packer) packAcross(dst unsafe.Pointer, lanes int, src unsafe.Pointer, row, size, n int) {
	for l := 0; l < lanes; {
		f, w := p.lanes6, 6
		switch {
		case lanes-l >= 16:
			f, w = p.lanes16, 16
		case lanes-l >= 8:
			f, w = p.lanes8, 8
		}
		f(unsafe.Add(dst, l*4), lanes*4, unsafe.Add(src, l*size), row, n)
		l += w
	}
}
