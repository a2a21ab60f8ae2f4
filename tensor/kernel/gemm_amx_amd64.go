//go:build !purego

package kernel

import "unsafe"

// gemmAMX multiplies bf16 in tiles: 2 x 2 tiles of 16 x 16 sums. F32 products
// are those of AVX-512.
func gemmAMX() gemmKernels {
	k := gemmAVX512()
	f := &gemmFamily{
		mr: 32, nr: 32, kc: 192, mb: 256, nb: 256, ku: tileDepth, elem: 2,
		padA: true, edges: true, spill: true,
		packA: packTileA, packB: packTileB, mul: mulTiles,
		toBF16: vecAVX512().ToBF16, storeBF16: storeBF16AVX512,
	}
	f.pairs = func(lane, k int) int {
		return (k/tileDepth*stepBytes+lane/tileLanes*tileBytes)/2 + (k%tileDepth/2*tileLanes+lane%tileLanes)*2 + k%2
	}
	return gemmKernels{f32: k.f32, bf16: f}
}

// Packed panels are, for every tileDepth depths, two tiles of tileRows lanes.
// Unused rows and columns of a tile are neither written nor read; unused depths
// are zero.
const (
	tileDepth = 32
	tileLanes = 16
	tileBytes = 1024
	stepBytes = 2 * tileBytes
)

// tileGroup is the number of row panels that stay in the first cache, with one
// panel of B and the sums.
const tileGroup = 2

// tileArgs are the arguments of mulTiles2x2 and its smaller forms, which the
// generator knows by offset. Rows, panels and skips are in bytes. Addresses are
// numbers because the routines move them, at last past the end of what they
// point into.
type tileArgs struct {
	config           [64]byte
	a                uintptr
	aPanel           int
	b                uintptr
	bPanel           int
	steps, blocks    int
	aSkip, bSkip     int
	rowPanels, group int
	colPanels        int
	in               uintptr
	inRow, inPanel   int
	out              uintptr
	outRow, outPanel int
	_                int // counts in the routines
}

// configure sets the tile shapes (Intel SDM volume 2, LDTILECFG): tiles of sums
// of rows x cols, of A of rows lanes, of B of cols lanes. Rows and cols are
// those of a panel, up to 32.
func (t *tileArgs) configure(rows, cols int) {
	t.config = [64]byte{0: 1} // palette 1
	size := func(tile, rows, cols int) {
		if rows > 0 && cols > 0 {
			t.config[16+2*tile], t.config[48+tile] = byte(4*cols), byte(rows)
		}
	}
	for half := range 2 {
		r, c := min(tileLanes, rows-half*tileLanes), min(tileLanes, cols-half*tileLanes)
		size(2*half, r, min(tileLanes, cols))
		size(2*half+1, r, cols-tileLanes)
		size(4+half, r, tileLanes)
		size(6+half, tileLanes, c)
	}
}

// mulTiles multiplies the whole panels of a block, then those with fewer rows,
// fewer columns, or both, each with its own tile shapes.
func mulTiles(c *blockCall) {
	wholeRows, wholeCols := c.rows/32, c.cols/32
	restRows, restCols := c.rows%32, c.cols%32
	panel := c.k / tileDepth * stepBytes
	part := func(row, rowPanels, rows, col, colPanels, cols int) {
		if rowPanels == 0 || colPanels == 0 || rows == 0 || cols == 0 {
			return
		}
		t := &c.tile
		t.configure(rows, cols)
		in, out := c.in.at(row*32, col), c.out.at(row*32, col)
		if in.p == nil {
			in = place{}
		}
		t.a, t.aPanel, t.rowPanels, t.group = uintptr(c.a)+uintptr(row*panel), panel, rowPanels, tileGroup
		t.b, t.bPanel, t.colPanels = uintptr(c.b)+uintptr(col*panel), panel, colPanels
		t.steps, t.blocks = c.k/tileDepth, c.blocks
		t.aSkip, t.bSkip = c.aBlock-panel, c.bBlock-panel
		t.in, t.inRow, t.inPanel = uintptr(in.p), in.row, in.panel
		t.out, t.outRow, t.outPanel = uintptr(out.p), out.row, out.panel
		switch {
		case rows > tileLanes && cols > tileLanes:
			mulTiles2x2(t)
		case rows > tileLanes:
			mulTiles2x1(t)
		case cols > tileLanes:
			mulTiles1x2(t)
		default:
			mulTiles1x1(t)
		}
	}
	part(0, wholeRows, 32, 0, wholeCols, 32)
	part(wholeRows, 1, restRows, 0, wholeCols, 32)
	part(0, wholeRows, 32, wholeCols, 1, restCols)
	part(wholeRows, 1, restRows, wholeCols, 1, restCols)
}

// tileBlock is room for the ragged end of an operand: 16 lanes of 32 depths, or
// 32 lanes of one pair.
type tileBlock struct {
	f32  [tileLanes * tileDepth]float32
	bf16 [tileLanes * tileDepth]uint16
}

// cut copies lanes of depth n into the block, in the order of the operand, with
// zeros around them, and returns an operand that is the block. Width is the
// distance of depths in the block where lanes are contiguous.
func (t *tileBlock) cut(v *operand, lane, lanes, k, n, width int) operand {
	block := operand{stride: width, along: v.along}
	rows, cols := n, lanes
	if v.along {
		block.stride, rows, cols = tileDepth, lanes, n
	}
	at := v.index(lane, k)
	if v.bf16 != nil {
		block.bf16 = t.bf16[:]
		cutBlock(t.bf16[:], block.stride, v.bf16[at:], v.stride, rows, cols)
	} else {
		block.f32 = t.f32[:]
		cutBlock(t.f32[:], block.stride, v.f32[at:], v.stride, rows, cols)
	}
	return block
}

func cutBlock[T any](dst []T, dstStride int, src []T, srcStride, rows, cols int) {
	clear(dst)
	for i := range rows {
		copy(dst[i*dstStride:], src[i*srcStride:][:cols])
	}
}

// packTileA packs a panel of A: lanes are rows of tiles.
func packTileA(dst unsafe.Pointer, v *operand, lane, lanes, k, n int) {
	for half := 0; half*tileLanes < lanes; half++ {
		d, l := unsafe.Add(dst, half*tileBytes), lane+half*tileLanes
		w := min(tileLanes, lanes-half*tileLanes)
		if v.along {
			packTileRows(d, v, l, w, k, n)
			continue
		}
		steps := n / tileDepth
		if steps > 0 {
			packTileRowsTransposed(d, v, l, w, k, steps)
		}
		if rest := n % tileDepth; rest > 0 {
			var t tileBlock
			block := t.cut(v, l, w, k+n-rest, rest, tileLanes)
			packTileRowsTransposed(unsafe.Add(d, steps*stepBytes), &block, 0, tileLanes, 0, 1)
		}
	}
}

func packTileRows(d unsafe.Pointer, v *operand, lane, lanes, k, n int) {
	at := v.index(lane, k)
	if v.bf16 != nil {
		tileRowsBF16(d, unsafe.Pointer(&v.bf16[at]), v.stride*2, lanes, n)
	} else {
		tileRowsF32(d, unsafe.Pointer(&v.f32[at]), v.stride*4, lanes, n)
	}
}

func packTileRowsTransposed(d unsafe.Pointer, v *operand, lane, lanes, k, steps int) {
	at, mask := v.index(lane, k), 1<<lanes-1
	if v.bf16 != nil {
		tileRowsTransposedBF16(d, unsafe.Pointer(&v.bf16[at]), v.stride*2, mask, steps)
	} else {
		tileRowsTransposedF32(d, unsafe.Pointer(&v.f32[at]), v.stride*4, mask, steps)
	}
}

// packTileB packs a panel of B: pairs of depths are rows of tiles.
func packTileB(dst unsafe.Pointer, v *operand, lane, lanes, k, n int) {
	steps, rest := n/tileDepth, n%tileDepth
	if !v.along {
		pairs := n / 2
		if rest > 0 {
			clear(unsafe.Slice((*byte)(unsafe.Add(dst, steps*stepBytes)), stepBytes))
		}
		if pairs > 0 {
			packTilePairs(dst, v, lane, lanes, k, pairs)
		}
		if n%2 == 1 { // the last depth has no partner but zeros
			var t tileBlock
			block := t.cut(v, lane, lanes, k+n-1, 1, 2*tileLanes)
			packTilePairs(unsafe.Add(dst, steps*stepBytes+rest/2*64), &block, 0, 2*tileLanes, 0, 1)
		}
		return
	}
	for half := 0; half*tileLanes < lanes; half++ {
		d, l := unsafe.Add(dst, half*tileBytes), lane+half*tileLanes
		w := min(tileLanes, lanes-half*tileLanes)
		if w == tileLanes {
			if steps > 0 {
				packTilePairsTransposed(d, v, l, k, -1, steps)
			}
			if rest > 0 {
				packTilePairsTransposed(unsafe.Add(d, steps*stepBytes), v, l, k+n-rest, 1<<rest-1, 1)
			}
			continue
		}
		for i := 0; i < n; i += tileDepth {
			var t tileBlock
			block := t.cut(v, l, w, k+i, min(tileDepth, n-i), tileLanes)
			packTilePairsTransposed(unsafe.Add(d, i/tileDepth*stepBytes), &block, 0, 0, -1, 1)
		}
	}
}

func packTilePairs(d unsafe.Pointer, v *operand, lane, lanes, k, pairs int) {
	at, mask := v.index(lane, k), 1<<lanes-1
	if v.bf16 != nil {
		tilePairsBF16(d, unsafe.Pointer(&v.bf16[at]), v.stride*2, mask, pairs)
	} else {
		tilePairsF32(d, unsafe.Pointer(&v.f32[at]), v.stride*4, mask, pairs)
	}
}

func packTilePairsTransposed(d unsafe.Pointer, v *operand, lane, k, mask, steps int) {
	at := v.index(lane, k)
	if v.bf16 != nil {
		tilePairsTransposedBF16(d, unsafe.Pointer(&v.bf16[at]), v.stride*2, mask, steps)
	} else {
		tilePairsTransposedF32(d, unsafe.Pointer(&v.f32[at]), v.stride*4, mask, steps)
	}
}
