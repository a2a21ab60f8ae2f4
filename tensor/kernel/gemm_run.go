package kernel

import (
	"unsafe"

	"github.com/foundling-lm/foundling/internal/parallel"
)

// gemmKernels is what a Set knows about products.
type gemmKernels struct{ f32, bf16 *gemmFamily }

func (k *gemmKernels) family(p Precision) *gemmFamily {
	if p == BF16 {
		return k.bf16
	}
	return k.f32
}

// gemmFamily is the block sizes and inner loops for one precision. The operands
// are cut into panels (mr rows of A, nr columns of B), the depth into blocks of
// at most kc: two panels of one block fit the first cache, so that a panel of B
// is read there by all panels of A. Results are cut into blocks of mb x nb, the
// tasks of workers, whose operands fit the second cache.
type gemmFamily struct {
	mr, nr int
	kc     int
	mb, nb int  // multiples of mr and nr
	ku     int  // packed depth is a multiple of this
	elem   int  // bytes of a packed element
	padA   bool // the last panel of A takes mr lanes even if it has fewer rows
	edges  bool // mul stores fewer than nr columns
	spill  bool // sums go on from block to block of depth, and wait in scratch, not in C

	packA, packB func(dst unsafe.Pointer, v *operand, lane, lanes, k, n int)
	// pairs is the place of depth k of a lane in a panel of B of 2-byte elements.
	pairs func(lane, k int) int
	// unpack, if not nil, writes the 32 depths from a place of a panel of B on of 16
	// of its lanes as rows of bf16, dstRow bytes apart: what packB undone is.
	unpack func(dst unsafe.Pointer, dstRow int, panel unsafe.Pointer)
	mul    func(c *blockCall)
	toBF16 func(dst []uint16, src []float32)
	// storeBF16 rounds n whole rows of a panel of sums into C; rows are bytes apart.
	storeBF16 func(dst unsafe.Pointer, dstRow int, src unsafe.Pointer, srcRow int, n int)
}

// blockCall is a product of a block of A and a block of B: out = in + A B, where
// an in of nil is zero.
type blockCall struct {
	a, b       unsafe.Pointer // first panels
	rows, cols int            // of the result
	k          int            // depth of a block, a multiple of ku
	blocks     int            // of depth; more than one only for families that spill
	aBlock     int            // bytes between the blocks
	bBlock     int
	in, out    place
	tile       tileArgs
}

// place is where f32 results lie: bytes between rows and between panels of
// columns.
type place struct {
	p          unsafe.Pointer
	row, panel int
}

func (p place) at(row, panel int) place {
	if p.p != nil {
		p.p = unsafe.Add(p.p, row*p.row+panel*p.panel)
	}
	return p
}

// slabBytes is the most that one packed operand takes in scratch, unless a
// single task needs more.
const slabBytes = 24 << 20

// callBytes is the most of B that one call reads when it has few rows, so that
// it takes less than 200 us even from slow memory.
const callBytes = 1 << 20

// gemmJob is a product in progress.
type gemmJob struct {
	scratch    *Scratch
	f          *gemmFamily
	a, b       operand
	c          Matrix
	bias       []float32
	accumulate bool
	m, n       int
	k, kBlock  int // depth of the slab, and of the blocks in it
	prepacked  bool
	packedA    unsafe.Pointer
	packedB    unsafe.Pointer
	m0, ms     int // slab of rows, packed at packedA
	n0, ns     int // slab of columns, packed at packedB
	groupsA    int // packing tasks of A; those of B follow
	mb, nb     int // rows and columns of a task
	mTasks     int
}

func (j *gemmJob) set(s *Set, g *Gemm) {
	j.f = s.gemm.family(g.Precision)
	j.m, j.n, j.k = g.A.Rows, g.C.Cols, g.A.Cols
	j.kBlock = j.f.kBlock(j.k)
	j.a, j.c, j.accumulate = operandA(&g.A), g.C, g.Accumulate
	if !g.Accumulate {
		j.bias = g.Bias
	}
	if p := g.Packed; p != nil {
		j.prepacked = true
		j.packedB = unsafe.Add(unsafe.Pointer(unsafe.SliceData(p.Data)), p.offset)
		return
	}
	j.b = operandB(&g.B)
}

// deepSlab is about the depth that is packed and multiplied at a time, where C
// can hold the sums in between. It moves no bit: slabs end where blocks end.
const deepSlab = 8192

// run cuts the product into slabs of depth.
func (j *gemmJob) run(pool *parallel.Pool, s *Scratch) {
	f, k, step := j.f, j.k, j.k
	if k > 2*deepSlab && j.c.F32 != nil {
		step = deepSlab / j.kBlock * j.kBlock
	}
	for k0 := 0; k0 < k; k0 += step {
		j.k = min(step, k-k0)
		j.a.first, j.b.first = k0, k0
		j.runSlab(pool, s)
		j.accumulate, j.bias = true, nil
		if j.prepacked && k0+step < k {
			j.packedB = unsafe.Add(j.packedB, f.packedLanes(j.n, true)*j.k*f.elem)
		}
	}
}

// runSlab cuts a slab of depth into slabs whose packed operands stay small,
// packs them and multiplies. An operand that is one slab is packed once.
func (j *gemmJob) runSlab(pool *parallel.Pool, s *Scratch) {
	f := j.f
	mStep, nStep := f.slab(j.m, j.k, f.mb), f.slab(j.n, j.k, f.nb)
	if j.prepacked {
		nStep = j.n
	} else {
		j.packedB = s.b.need(f.packedBytes(min(nStep, j.n), j.k, true))
	}
	j.packedA = s.a.need(f.packedBytes(min(mStep, j.m), j.k, false))
	for j.n0 = 0; j.n0 < j.n; j.n0 += nStep {
		j.ns = min(nStep, j.n-j.n0)
		for j.m0 = 0; j.m0 < j.m; j.m0 += mStep {
			j.ms = min(mStep, j.m-j.m0)
			groupsB := 0
			j.groupsA = 0
			if j.n0 == 0 || mStep < j.m {
				j.groupsA = f.packGroups(j.ms, false)
			}
			if j.m0 == 0 && !j.prepacked {
				groupsB = f.packGroups(j.ns, true)
			}
			pool.Run(j.groupsA+groupsB, s.pack)
			j.split()
			pool.Run(j.mTasks*ceilDiv(j.ns, j.nb), s.product)
		}
	}
}

// slab is the number of lanes packed at a time.
func (f *gemmFamily) slab(lanes, k, block int) int {
	n := slabBytes / (roundUp(k, f.ku) * f.elem) / block * block
	return min(max(n, block), roundUp(lanes, block))
}

// Tasks below enoughTasks are halved while they keep smallTask products. Few
// rows count as smallRows: their time is that of reading B.
const (
	enoughTasks = 12
	smallTask   = 1 << 19
	smallRows   = 8
)

// split chooses the tasks of a slab by its shape.
func (j *gemmJob) split() {
	f := j.f
	even := func(n, block, unit int) int { return roundUp(ceilDiv(n, ceilDiv(n, block)), unit) }
	j.mb, j.nb = even(j.ms, f.mb, f.mr), even(j.ns, f.nb, f.nr)
	for ceilDiv(j.ms, j.mb)*ceilDiv(j.ns, j.nb) < enoughTasks && max(min(j.mb, j.ms), smallRows)*j.nb*j.k > 2*smallTask {
		if j.nb/f.nr >= j.mb/f.mr && j.nb > f.nr {
			j.nb = roundUp(j.nb/2, f.nr)
		} else if j.mb > f.mr {
			j.mb = roundUp(j.mb/2, f.mr)
		} else {
			break
		}
	}
	j.mTasks = ceilDiv(j.ms, j.mb)
}

func (s *Scratch) packTask(task, _ int) {
	j := &s.job
	if task < j.groupsA {
		j.f.packGroup(j.packedA, &j.a, j.k, j.kBlock, task, j.m0, j.ms, false)
		return
	}
	j.f.packGroup(j.packedB, &j.b, j.k, j.kBlock, task-j.groupsA, j.n0, j.ns, true)
}

func (s *Scratch) multiplyTask(task, worker int) {
	own := s
	if s.workers != nil {
		own = s.workers[worker]
	}
	j := &s.job
	m, n := task%j.mTasks*j.mb, task/j.mTasks*j.nb
	j.multiply(own, m, min(j.mb, j.ms-m), n, min(j.nb, j.ns-n))
}

// multiply computes the rows [m, m+rows) and columns [n, n+cols) of the slab.
func (j *gemmJob) multiply(own *Scratch, m, rows, n, cols int) {
	f, c := j.f, &own.call
	rowsPadded, colsPadded := roundUp(rows, f.mr), roundUp(cols, f.nr)
	buf := own.c.need((rowsPadded + 1) * colsPadded * 4)
	sums := place{buf, f.nr * 4, rowsPadded * f.nr * 4}
	bias := place{unsafe.Add(buf, rowsPadded*colsPadded*4), 0, f.nr * 4}
	if j.bias != nil {
		b := unsafe.Slice((*float32)(bias.p), colsPadded)
		clear(b[copy(b, j.bias[j.n0+n:][:cols]):])
	}
	kb := j.kBlock
	mPad, nPad := f.packedLanes(j.ms, false), f.packedLanes(j.ns, true)
	for k0 := 0; k0 < j.k; k0 += kb * c.blocks {
		depth := roundUp(min(kb, j.k-k0), f.ku)
		c.blocks, c.aBlock, c.bBlock = 1, mPad*depth*f.elem, nPad*depth*f.elem
		if f.spill && rows <= f.mr { // B is read once only: all whole blocks in one call
			c.blocks = max(1, min((j.k-k0)/kb, callBytes/(kb*colsPadded*f.elem)))
		}
		first, last := k0 == 0, k0+kb*c.blocks >= j.k
		for l := 0; l < cols; l += c.cols {
			c.rows, c.cols, c.k = rows, j.width(cols-l), depth
			c.a = unsafe.Add(j.packedA, (mPad*k0+m*depth)*f.elem)
			c.b = unsafe.Add(j.packedB, (nPad*k0+(n+l)*depth)*f.elem)
			acc := sums.at(0, l/f.nr)
			direct := j.c.F32 != nil && (f.edges || c.cols%f.nr == 0)
			var real place
			if direct {
				real = place{unsafe.Pointer(&j.c.F32[(j.m0+m)*j.c.Stride+j.n0+n+l]), j.c.Stride * 4, f.nr * 4}
				if !f.spill {
					acc = real
				}
			} else {
				real = acc
			}
			c.in, c.out = acc, acc
			if first {
				c.in = place{}
				switch {
				case j.accumulate:
					c.in = real
					if !direct {
						j.load(acc, m, rows, n+l, c.cols)
					}
				case j.bias != nil:
					c.in = bias.at(0, l/f.nr)
				}
			}
			if last {
				c.out = real
			}
			f.mul(c)
			if last && !direct {
				j.store(acc, m, rows, n+l, c.cols)
			}
		}
	}
	*c = blockCall{} // keeps no address that the caller may give back
}

// width is the number of columns of the next call: all whole panels where mul
// can store into C, then the rest.
func (j *gemmJob) width(cols int) int {
	if cols >= j.f.nr {
		return cols / j.f.nr * j.f.nr
	}
	return cols
}

// load copies a narrow panel of C into sums.
func (j *gemmJob) load(sums place, m, rows, n, cols int) {
	nr := j.f.nr
	for i := range rows {
		dst := unsafe.Slice((*float32)(unsafe.Add(sums.p, i*sums.row)), nr)
		clear(dst[copy(dst, j.c.F32[(j.m0+m+i)*j.c.Stride+j.n0+n:][:cols]):])
	}
}

// store copies sums into C, which is bf16 or narrower than a panel.
func (j *gemmJob) store(sums place, m, rows, n, cols int) {
	nr, f := j.f.nr, j.f
	for l := 0; l < cols; l += nr {
		w := min(nr, cols-l)
		at := (j.m0+m)*j.c.Stride + j.n0 + n + l
		panel := sums.at(0, l/nr)
		if w == nr && f.storeBF16 != nil && j.c.BF16 != nil {
			f.storeBF16(unsafe.Pointer(&j.c.BF16[at]), j.c.Stride*2, panel.p, panel.row, rows)
			continue
		}
		for i := range rows {
			src := unsafe.Slice((*float32)(panel.at(i, 0).p), w)
			if j.c.BF16 != nil {
				f.toBF16(j.c.BF16[at+i*j.c.Stride:][:w], src)
			} else {
				copy(j.c.F32[at+i*j.c.Stride:][:w], src)
			}
		}
	}
}
