//go:build !purego

package kernel

import (
	"unsafe"

	"github.com/foundling-lm/foundling/tensor/dtype"
)

type (
	dotFunc        func(w, scales, mins, a unsafe.Pointer, aRow, blocks, steps, skip int, in unsafe.Pointer, inRow int, out unsafe.Pointer, outRow int)
	roundFunc      func(dst, src unsafe.Pointer, groups, start int)
	unpackFunc     func(dst, src unsafe.Pointer, blocks, stride int)
	lookUpFunc     func(dst, src unsafe.Pointer, blocks, stride int, table unsafe.Pointer)
	expandFunc     func(dst, src unsafe.Pointer, n, stride int)
	expandRunsFunc func(dst, d, scales unsafe.Pointer, n, subs, stride int)
)

func blocksAVX2() blockKernels {
	return blockKernels{
		rows: 4,
		fetch: func(b []byte) {
			if n := len(b) / cacheLine; n > 0 {
				prefetchLines(start(b), n)
			}
		},
		round:  roundBlocks(roundRow32AVX2, roundRow16AVX2),
		lay:    layCodesOf(0),
		unpack: unpackBlocks(unpackTableAVX2, unpack4AVX2, unpack5AVX2, unpack6AVX2),
		expand: expandBlocks(expandF16AVX2, expandBF16AVX2), expandRuns: expandRunsBlocks(expandRunsAVX2),
		dot: dotBlocks([]dotFunc{dotAVX2Rows1, dotAVX2Rows2, dotAVX2Rows3, dotAVX2Rows4},
			[]dotFunc{dotAVX2Rows1Min, dotAVX2Rows2Min, dotAVX2Rows3Min, dotAVX2Rows4Min}),
	}
}

// blocksAVX512 needs VNNI for its products of bytes; without it they are those of
// AVX2, whose results are the same.
func blocksAVX512(vnni bool) blockKernels {
	k := blocksAVX2()
	k.round = roundBlocks(roundRow32AVX512, roundRow16AVX512)
	k.unpack = unpackBlocks(unpackTableAVX512, unpack4AVX512, unpack5AVX512, unpack6AVX512)
	k.expand, k.expandRuns = expandBlocks(expandF16AVX512, expandBF16AVX512), expandRunsBlocks(expandRunsAVX512)
	if vnni {
		k.rows, k.unsigned, k.row, k.lay = 6, true, rowBlocks, layCodesOf(0x80)
		k.dot = dotBlocks([]dotFunc{dotVNNIRows1, dotVNNIRows2, dotVNNIRows3, dotVNNIRows4, dotVNNIRows5, dotVNNIRows6},
			[]dotFunc{dotVNNIRows1Min, dotVNNIRows2Min, dotVNNIRows3Min, dotVNNIRows4Min, dotVNNIRows5Min, dotVNNIRows6Min})
	}
	return k
}

func start[T any](s []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(s)) }

func roundBlocks(by32, by16 roundFunc) func(dst []byte, src []float32, sub, start int) {
	return func(dst []byte, src []float32, sub, first int) {
		groups := len(src) / depthUnit
		if groups == 0 {
			return
		}
		_ = dst[groups*(depthUnit/sub)*(sub+blockExtra)-1]
		f := by32
		if sub == 16 {
			f = by16
		}
		f(start(dst), start(src), groups, first)
	}
}

// layCodesOf takes bytes with the bits of flip inverted.
func layCodesOf(flip int) func(f *blockForm, dst, src []byte, rowBytes int) {
	return func(f *blockForm, dst, src []byte, rowBytes int) {
		bytes := f.unit / 8 * f.bits
		_, _ = src[(panelCols-1)*rowBytes+bytes-1], dst[panelCols*bytes-1]
		switch f.half {
		case 0:
			layBytesAVX2(start(dst), start(src), rowBytes, flip)
		case 16:
			layHalves16AVX2(start(dst), start(src), rowBytes, f.unit/32)
		default:
			layHalves32AVX2(start(dst), start(src), rowBytes, f.unit/64)
		}
	}
}

func unpackBlocks(table lookUpFunc, byBits ...unpackFunc) func(dst, src []byte, stride, bits int, table *[16]byte) {
	return func(dst, src []byte, stride, bits int, values *[16]byte) {
		n := len(dst) / (32 * panelCols)
		switch {
		case n == 0:
		case values != nil:
			table(start(dst), start(src), n, stride, unsafe.Pointer(noescape(values)))
		default:
			byBits[bits-4](start(dst), start(src), n, stride)
		}
	}
}

func expandBlocks(f16, bf16 expandFunc) func(dst []float32, src []byte, stride int, isBF16 bool) {
	return func(dst []float32, src []byte, stride int, isBF16 bool) {
		f := f16
		if isBF16 {
			f = bf16
		}
		if n := len(dst) / panelCols; n > 0 {
			f(start(dst), start(src), n, stride)
		}
	}
}

func expandRunsBlocks(f expandRunsFunc) func(dst []float32, d, scales []byte, subs, stride int) {
	return func(dst []float32, d, scales []byte, subs, stride int) {
		if n := len(dst) / (subs * panelCols); n > 0 {
			f(start(dst), start(d), start(scales), n, subs, stride)
		}
	}
}

// rowBlocks is the product of one row and a panel.
func rowBlocks(f *blockForm, w, a []byte, in, out []float32, table *[16]byte) {
	p, q, n, x, y := start(w), start(a), len(w)/f.runBytes(), start(in), start(out)
	switch t := unsafe.Pointer(noescape(table)); f.dt {
	case dtype.Q8_0:
		rowVNNIQ80(p, q, n, x, y)
	case dtype.Q4_0:
		rowVNNIQ40(p, q, n, x, y)
	case dtype.Q4_1:
		rowVNNIQ41(p, q, n, x, y)
	case dtype.Q5_0:
		rowVNNIQ50(p, q, n, x, y)
	case dtype.Q5_1:
		rowVNNIQ51(p, q, n, x, y)
	case dtype.Q2_K:
		rowVNNIQ2K(p, q, n, x, y)
	case dtype.Q3_K:
		rowVNNIQ3K(p, q, n, x, y)
	case dtype.Q4_K:
		rowVNNIQ4K(p, q, n, x, y)
	case dtype.Q5_K:
		rowVNNIQ5K(p, q, n, x, y)
	case dtype.Q6_K:
		rowVNNIQ6K(p, q, n, x, y)
	case dtype.IQ4_NL:
		rowVNNIIQ4NL(p, q, n, x, y, t)
	case dtype.IQ4_XS:
		rowVNNIIQ4XS(p, q, n, x, y, t)
	case dtype.MXFP4:
		rowVNNIMXFP4(p, q, n, x, y, t)
	default:
		panic("kernel: no product of a row with weights in " + f.dt.String())
	}
}

func dotBlocks(plain, min []dotFunc) func(c *dotCall) {
	return func(c *dotCall) {
		if c.blocks == 0 {
			return
		}
		f := plain[c.rows-1]
		if c.mins != nil {
			f = min[c.rows-1]
		}
		f(start(c.w), start(c.scales), start(c.mins), start(c.a), c.aRow, c.blocks, c.sub/4, c.skip, start(c.in), c.inRow*4, start(c.out), c.outRow*4)
	}
}
