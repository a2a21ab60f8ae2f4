package kernel

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/foundling-lm/foundling/internal/parallel"
)

// Packed is the right operand of products, in the order in which the kernels of
// one set and precision read it. PackB fills it; until then only Data is set.
type Packed struct {
	K, N      int
	Precision Precision
	Data      []byte // PackedBytes long, owned by the caller
	set       string
	offset    int     // of the first panel in Data, which makes it start a cache line
	source    operand // while it is packed
	lanes     int     // of a panel, where InPlace made it
}

// cacheLine is the alignment of packed panels: a tile row that crosses lines
// takes two loads.
const cacheLine = 64

// PackedBytes is the length of Packed.Data for a right operand (k, n).
func (s *Set) PackedBytes(k, n int, p Precision) int {
	return s.gemm.family(p).packedBytes(n, k, true) + cacheLine
}

// PackB packs the right operand b (K, N) into dst.Data.
func (s *Set) PackB(pool *parallel.Pool, b Matrix, p Precision, dst *Packed) {
	b.check("B")
	if need := s.PackedBytes(b.Rows, b.Cols, p); len(dst.Data) < need {
		panic(fmt.Sprintf("kernel: %d bytes to pack B (%d, %d), which needs %d", len(dst.Data), b.Rows, b.Cols, need))
	}
	base := unsafe.Pointer(unsafe.SliceData(dst.Data))
	dst.K, dst.N, dst.Precision, dst.set = b.Rows, b.Cols, p, s.Name
	dst.offset = int(-uintptr(base) % cacheLine)
	if b.Rows == 0 || b.Cols == 0 {
		return
	}
	f := s.gemm.family(p)
	packed, k, n := unsafe.Add(base, dst.offset), b.Rows, b.Cols
	dst.source = operandB(&b) // in dst: attention packs often, and nothing is to be allocated
	if pool == nil {
		for group := range ceilDiv(n, packLanes) {
			f.packGroup(packed, &dst.source, k, f.kBlock(k), group, 0, n, true)
		}
	} else {
		pool.Run(ceilDiv(n, packLanes), func(group, _ int) {
			f.packGroup(packed, &dst.source, k, f.kBlock(k), group, 0, n, true)
		})
	}
	dst.source = operand{}
}

// Column writes the K values of column n as products see them: rounded to bf16
// where the precision is BF16.
func (s *Set) Column(p *Packed, n int, dst []float32) {
	f := s.gemm.family(p.Precision)
	data := unsafe.Add(unsafe.Pointer(unsafe.SliceData(p.Data)), p.offset)
	kb, lanes := f.kBlock(p.K), f.packedLanes(p.N, true)
	for k0 := 0; k0 < p.K; k0 += kb {
		kn := min(kb, p.K-k0)
		depth := roundUp(kn, f.ku)
		panel := unsafe.Add(data, (lanes*k0+n/f.nr*f.nr*depth)*f.elem)
		for k := range kn {
			if f.elem == 2 {
				h := *(*uint16)(unsafe.Add(panel, 2*f.pairs(n%f.nr, k)))
				dst[k0+k] = math.Float32frombits(uint32(h) << 16)
			} else {
				dst[k0+k] = *(*float32)(unsafe.Add(panel, 4*(k*f.nr+n%f.nr)))
			}
		}
	}
}

// Columns writes columns [lo, hi) in bf16 as rows of dst, stride values apart: for
// the precision BF16, the values of Column.
func (s *Set) Columns(p *Packed, lo, hi int, dst []uint16, stride int) {
	f := s.gemm.family(p.Precision)
	data := unsafe.Add(unsafe.Pointer(unsafe.SliceData(p.Data)), p.offset)
	kb, lanes := f.kBlock(p.K), f.packedLanes(p.N, true)
	for n := lo; n < hi; {
		strip := 1
		if f.unpack != nil && n%16 == 0 && hi-n >= 16 {
			strip = 16
		}
		rows := dst[(n-lo)*stride:]
		for k0 := 0; k0 < p.K; k0 += kb {
			kn := min(kb, p.K-k0)
			panel := unsafe.Add(data, (lanes*k0+n/f.nr*f.nr*roundUp(kn, f.ku))*f.elem)
			k := 0
			if strip == 16 {
				for ; k+unpackDepth <= kn; k += unpackDepth {
					square := rows[k0+k : 15*stride+k0+k+unpackDepth] // of 16 rows
					f.unpack(unsafe.Pointer(&square[0]), 2*stride, unsafe.Add(panel, 2*f.pairs(n%f.nr, k)))
				}
			}
			for ; k < kn; k++ {
				for i := range strip {
					rows[i*stride+k0+k] = f.packedBF16(panel, n%f.nr+i, k)
				}
			}
		}
		n += strip
	}
}

// unpackDepth is the depths that gemmFamily.unpack takes.
const unpackDepth = 32

// packedBF16 is a value of a panel of B, which bf16 holds exactly.
func (f *gemmFamily) packedBF16(panel unsafe.Pointer, lane, k int) uint16 {
	if f.elem == 2 {
		return *(*uint16)(unsafe.Add(panel, 2*f.pairs(lane, k)))
	}
	return uint16(*(*uint32)(unsafe.Add(panel, 4*(k*f.nr+lane))) >> 16)
}

// operand is a factor seen as lanes times depth: the lanes of A are its rows,
// those of B its columns.
type operand struct {
	f32    []float32
	bf16   []uint16
	k      int
	first  int // depth that counts as 0
	stride int
	along  bool // a lane is contiguous; else the lanes of one k are
}

func operandA(m *Matrix) operand {
	return operand{f32: m.F32, bf16: m.BF16, k: m.Cols, stride: m.Stride, along: !m.Trans}
}

func operandB(m *Matrix) operand {
	return operand{f32: m.F32, bf16: m.BF16, k: m.Rows, stride: m.Stride, along: m.Trans}
}

// index of (lane, k) in the values of the operand.
func (v *operand) index(lane, k int) int {
	if v.along {
		return lane*v.stride + v.first + k
	}
	return (v.first+k)*v.stride + lane
}

// packLanes is the number of lanes that one packing task takes; a multiple of
// every panel width but those of A, whose tasks are rounded to whole panels.
const packLanes = 128

// kBlock is the depth of the blocks that a product of depth k is cut into. It
// depends on k only, and so does the order of summation.
func (f *gemmFamily) kBlock(k int) int {
	n := ceilDiv(k, f.kc)
	return roundUp(ceilDiv(k, n), f.ku)
}

// panelWidth is the number of lanes of a panel of A or B.
func (f *gemmFamily) panelWidth(b bool) int {
	if b {
		return f.nr
	}
	return f.mr
}

// packedLanes is the number of lanes that n take when packed: panels of B are
// padded, and those of A where the kernels read only whole panels.
func (f *gemmFamily) packedLanes(n int, b bool) int {
	if b || f.padA {
		return roundUp(n, f.panelWidth(b))
	}
	return n
}

// packedBytes is the size of n packed lanes of depth k.
func (f *gemmFamily) packedBytes(n, k int, b bool) int {
	return f.packedLanes(n, b) * roundUp(k, f.ku) * f.elem
}

// packGroup packs one group of lanes of the slab [lane0, lane0+n) of v, to depth
// k, into dst. The order is block of depth, panel, depth inside the block, lane;
// inside a panel the family has its own.
func (f *gemmFamily) packGroup(dst unsafe.Pointer, v *operand, k, kb, group, lane0, n int, b bool) {
	w := f.panelWidth(b)
	size, padded := roundUp(packLanes, w), f.packedLanes(n, b)
	for k0 := 0; k0 < k; k0 += kb {
		kn := min(kb, k-k0)
		depth := roundUp(kn, f.ku)
		for l := group * size; l < min(n, (group+1)*size); l += w {
			at := unsafe.Add(dst, (padded*k0+l*depth)*f.elem)
			lanes := min(w, n-l)
			if b {
				f.packB(at, v, lane0+l, lanes, k0, kn)
			} else {
				f.packA(at, v, lane0+l, lanes, k0, kn)
			}
		}
	}
}

func (f *gemmFamily) packGroups(n int, b bool) int {
	return ceilDiv(n, roundUp(packLanes, f.panelWidth(b)))
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func roundUp(a, b int) int { return ceilDiv(a, b) * b }
