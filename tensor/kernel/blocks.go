package kernel

import (
	"fmt"
	"unsafe"

	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// Blocks is a matrix of block-quantised weights, N outputs of depth K, laid out
// anew for the products of one set. LayBlocks fills it; until then only Data is
// set.
//
// Panels of 32 outputs follow each other, and in a panel runs of as much depth as
// a block of the file has: scales and minima of its outputs, then their codes,
// interleaved in groups of 4 depths. So products read one stream. It takes as much
// memory as the file, and more for some formats (blockForms).
type Blocks struct {
	Type dtype.Type
	N, K int
	Data []byte // BlocksBytes long, owned by the caller
	form *blockForm
	set  string

	unsigned bool // codes of 8 bits are kept with 128 added
}

// BlockGemm is a product C = A Bᵀ, C = A Bᵀ + Bias or C += A Bᵀ with weights in
// blocks.
//
// Activations are rounded for it: 32 values of a row at a time become int8 codes
// with one f32 scale, the largest magnitude divided by 127 (a group below 2^-100
// becomes zero; NaN or infinity makes the row's results NaN). An element of C is
//
//	sum over blocks of float(sum of products of codes) * (scale of A * scale of B)
//	                   + (scale of A * float(sum of codes of A)) * minimum of B
//
// where sums inside a block are exact integers and everything else is f32, one
// rounding an operation, blocks in the order of the depth. So all sets give the
// same bits, and a row has the same bits in a product of one row or of many.
type BlockGemm struct {
	A          Matrix // (M, K), not Trans
	B          *Blocks
	C          Matrix // (M, N), f32 or bf16 (rounded once, at the end); not Trans
	Accumulate bool   // C += A Bᵀ, C being the first summand; f32 C only
	Bias       []float32
}

const (
	panelCols   = 32              // outputs of a panel
	chunkDepth  = 512             // depth that is unpacked at a time, a multiple of every block
	slabRows    = 512             // rows of A that pass over an unpacked panel
	blockExtra  = 4 + 8           // bytes of a block of activations around its codes
	depthUnit   = 32              // values of A that share a scale
	maxBlocks   = chunkDepth / 16 // scales of a chunk
	scaleBytes  = maxBlocks * 4 * panelCols
	codesBytes  = chunkDepth * panelCols
	halvesBytes = 16 * panelCols // lower halves of the codes of 32 depths
)

// blockKernels is what a Set knows about weights in blocks.
type blockKernels struct {
	rows     int  // most rows of a call of dot
	unsigned bool // dot takes unsigned codes of weights
	// round turns groups of 32 values into blocks of sub codes.
	round func(dst []byte, src []float32, sub, start int)
	// unpack widens blocks of 32 depths, stride bytes apart, of a panel's codes.
	unpack func(dst, src []byte, stride, bits int, table *[16]byte)
	// expand makes f32 of n times 32 scales, stride bytes apart.
	expand func(dst []float32, src []byte, stride int, bf16 bool)
	// expandRuns multiplies the small scales of runs, stride bytes apart, by d (f16).
	expandRuns func(dst []float32, d, scales []byte, subs, stride int)
	dot        func(c *dotCall)
	// row is dot for one row and a panel as it lies in memory; nil where there is
	// none. It gives the same bits.
	row func(f *blockForm, w, a []byte, in, out []float32, table *[16]byte)
}

// dotCall is out = in + the products of rows of activations with a panel; an in
// of nil is zero.
type dotCall struct {
	w            []byte    // codes: blocks x sub/4 x 32 outputs x 4
	skip         int       // bytes between the codes of blocks
	scales, mins []float32 // blocks x 32; no mins: nil
	a            []byte    // rows of activation blocks
	aRow         int       // bytes between rows
	rows         int
	blocks, sub  int
	in, out      []float32 // rows x 32
	inRow        int       // values between rows
	outRow       int
}

// BlocksBytes is the length of Blocks.Data for n outputs of depth k.
func (s *Set) BlocksBytes(dt dtype.Type, n, k int) int {
	return ceilDiv(n, panelCols)*formOf(dt).panelBytes(k) + cacheLine
}

// HasBlocks says that products take weights of this format in blocks.
func HasBlocks(dt dtype.Type) bool { return blockForms[dt] != nil }

func formOf(dt dtype.Type) *blockForm {
	f := blockForms[dt]
	if f == nil {
		panic("kernel: no products of weights in " + dt.String())
	}
	return f
}

func (g *BlockGemm) check(s *Set) {
	g.A.check("A")
	g.C.check("C")
	b, c := g.B, &g.C
	switch {
	case b.set != s.Name:
		panic(fmt.Sprintf("kernel: weights laid out for %q used with %s", b.set, s.Name))
	case g.A.Cols != b.K || c.Rows != g.A.Rows || c.Cols != b.N:
		panic(fmt.Sprintf("kernel: product of A (%d, %d) and %v weights (%d, %d) into C (%d, %d)",
			g.A.Rows, g.A.Cols, b.Type, b.N, b.K, c.Rows, c.Cols))
	case g.A.Trans || c.Trans:
		panic("kernel: products with weights in blocks take no transposed matrix")
	case g.Accumulate && (c.BF16 != nil || g.Bias != nil):
		panic("kernel: a bf16 C or a bias cannot accumulate")
	case g.Bias != nil && len(g.Bias) != c.Cols:
		panic(fmt.Sprintf("kernel: bias of %d values for C (%d, %d)", len(g.Bias), c.Rows, c.Cols))
	}
}

// blockJob is a product in progress.
type blockJob struct {
	set   *Set
	g     *BlockGemm
	form  *blockForm
	a     []byte // activations in blocks
	aRow  int
	start int // of the sums, for each unit of the sum of a block's codes
	table [16]byte
}

// GemmBlocks computes the product g on the workers of pool. Scratch is as in
// Gemm.
func (s *Set) GemmBlocks(pool *parallel.Pool, scratch *Scratch, g *BlockGemm) {
	g.check(s)
	if g.C.Rows == 0 || g.C.Cols == 0 {
		return
	}
	f := g.B.form
	j := &blockJob{set: s, g: g, form: f, aRow: g.B.K / f.sub * (f.sub + blockExtra)}
	j.start = -f.offset(s.blocks.unsigned)
	if f.table != nil {
		j.table = f.codeTable(s.blocks.unsigned)
	}
	size := g.A.Rows * j.aRow
	j.a = unsafe.Slice((*byte)(scratch.a.need(size)), size)
	if int64(g.A.Rows)*int64(g.B.N)*int64(g.B.K) < serialWork {
		pool = nil
	}
	own := func(w int) *Scratch {
		if scratch.workers == nil {
			return scratch
		}
		return scratch.workers[w]
	}
	rowsPerTask := max(1, serialWork/8/max(1, g.B.K))
	tasks := ceilDiv(g.A.Rows, rowsPerTask)
	round := pool
	if tasks <= 2 {
		round = nil
	}
	round.Run(tasks, func(task, w int) {
		j.round(own(w), task*rowsPerTask, min(g.A.Rows, (task+1)*rowsPerTask))
	})
	panels := ceilDiv(g.B.N, panelCols)
	per := min(max(1, panels/blockTasks), maxPanels)
	pool.Run(ceilDiv(panels, per), func(task, w int) {
		j.multiply(own(w), task*per, min(panels, (task+1)*per))
	})
}

// A product is cut into about blockTasks tasks of at most maxPanels panels.
const (
	blockTasks = 32
	maxPanels  = 16
)

// round turns rows [lo, hi) of A into blocks.
func (j *blockJob) round(own *Scratch, lo, hi int) {
	a, k := &j.g.A, j.g.B.K
	for i := lo; i < hi; i++ {
		dst := j.a[i*j.aRow : (i+1)*j.aRow]
		if a.F32 != nil {
			j.set.blocks.round(dst, a.F32[i*a.Stride:][:k], j.form.sub, j.start)
			continue
		}
		row := unsafe.Slice((*float32)(own.b.need(4*k)), k)
		j.set.FromBF16(row, a.BF16[i*a.Stride:][:k])
		j.set.blocks.round(dst, row, j.form.sub, j.start)
	}
}

// multiply computes the columns of panels [p0, p1).
func (j *blockJob) multiply(own *Scratch, p0, p1 int) {
	c, f := &j.g.C, j.form
	buf := own.b.need(codesBytes + 2*scaleBytes)
	u := unpacked{
		codes:  unsafe.Slice((*byte)(buf), codesBytes),
		scales: unsafe.Slice((*float32)(unsafe.Add(buf, codesBytes)), scaleBytes/4),
		mins:   unsafe.Slice((*float32)(unsafe.Add(buf, codesBytes+scaleBytes)), scaleBytes/4),
	}
	chunks := ceilDiv(j.g.B.K, chunkDepth)
	step := roundUp(ceilDiv(j.g.B.K, chunks), f.unit)
	for r0 := 0; r0 < c.Rows; r0 += slabRows {
		r1 := min(c.Rows, r0+slabRows)
		for p := p0; p < p1; p++ {
			d := &u.call
			j.begin(own, d, p, r0, r1)
			if out := d.out; r1-r0 == 1 && j.set.blocks.row != nil {
				j.set.blocks.row(f, j.g.B.panel(p), j.a[r0*j.aRow:], d.in, out, &j.table)
				j.finish(p, r0, r1, out)
				continue
			}
			in, inRow, out := d.in, d.inRow, d.out
			for k0 := 0; k0 < j.g.B.K; k0 += step {
				k1 := min(j.g.B.K, k0+step)
				j.unpack(&u, p, k0, k1)
				j.rows(d, in, inRow, out, k0, k1, r0, r1)
				in, inRow = out, d.outRow
			}
			j.finish(p, r0, r1, out)
		}
	}
}

// unpacked is a chunk of a panel.
type unpacked struct {
	codes        []byte
	scales, mins []float32
	call         dotCall
}

// rows multiplies rows [r0, r1) of A by an unpacked chunk.
func (j *blockJob) rows(d *dotCall, in []float32, inRow int, out []float32, k0, k1, r0, r1 int) {
	f, most := j.form, j.set.blocks.rows
	d.blocks, d.sub, d.aRow, d.inRow = (k1-k0)/f.sub, f.sub, j.aRow, inRow
	at := k0 / f.sub * (f.sub + blockExtra)
	for r := r0; r < r1; r += most {
		d.rows = min(most, r1-r)
		d.a = j.a[r*j.aRow+at:]
		d.out = out[(r-r0)*d.outRow:]
		if d.in = nil; in != nil {
			d.in = in[(r-r0)*inRow:]
		}
		j.set.blocks.dot(d)
	}
}

// begin sets where the sums of panel p for rows [r0, r1) start from and go: into C
// itself where it has whole panels of f32.
func (j *blockJob) begin(own *Scratch, d *dotCall, p, r0, r1 int) {
	c, n0, rows := &j.g.C, p*panelCols, r1-r0
	cols := min(panelCols, c.Cols-n0)
	direct := c.F32 != nil && cols == panelCols
	var buf []float32
	if !direct {
		n := (rows + 1) * panelCols
		buf = unsafe.Slice((*float32)(own.c.need(4*n)), n)
	}
	if d.out, d.outRow = buf, panelCols; direct {
		d.out, d.outRow = c.F32[r0*c.Stride+n0:], c.Stride
	}
	d.in, d.inRow = nil, 0
	switch {
	case j.g.Accumulate && direct:
		d.in, d.inRow = d.out, d.outRow
	case j.g.Accumulate:
		for r := range rows {
			row := buf[r*panelCols:][:panelCols]
			clear(row[copy(row, c.F32[(r0+r)*c.Stride+n0:][:cols]):])
		}
		d.in, d.inRow = buf, panelCols
	case j.g.Bias != nil && cols == panelCols:
		d.in = j.g.Bias[n0:]
	case j.g.Bias != nil:
		d.in = buf[rows*panelCols:]
		clear(d.in[copy(d.in, j.g.Bias[n0:]):])
	}
}

// finish stores sums that do not lie in C.
func (j *blockJob) finish(p, r0, r1 int, acc []float32) {
	c, n0 := &j.g.C, p*panelCols
	cols := min(panelCols, c.Cols-n0)
	if c.F32 != nil && cols == panelCols {
		return
	}
	for r := r0; r < r1; r++ {
		row := acc[(r-r0)*panelCols:][:cols]
		if c.BF16 != nil {
			j.set.ToBF16(c.BF16[r*c.Stride+n0:][:cols], row)
		} else {
			copy(c.F32[r*c.Stride+n0:][:cols], row)
		}
	}
}

// unpack prepares the depths [k0, k1) of panel p for dot.
func (j *blockJob) unpack(u *unpacked, p, k0, k1 int) {
	f, k, d := j.form, &j.set.blocks, &u.call
	bytes, n := f.runBytes(), (k1-k0)/f.sub*panelCols
	data := j.g.B.panel(p)[k0/f.unit*bytes : k1/f.unit*bytes]
	r := f.run(data)
	d.scales, d.mins = u.scales[:n], nil
	if f.min {
		d.mins = u.mins[:n]
	}
	switch subs := f.unit / f.sub; {
	case f.super:
		k.expandRuns(d.scales, data, data[f.headScales():], subs, bytes)
		if f.min {
			k.expandRuns(d.mins, data[2*panelCols:], data[f.headScales()+subs*panelCols:], subs, bytes)
		}
	default:
		k.expand(d.scales, data, bytes, f.bf16)
		if f.min {
			k.expand(d.mins, data[2*panelCols:], bytes, f.bf16)
		}
	}
	if f.bits == 8 {
		d.w, d.skip = r.codes, f.head()
		return
	}
	d.w, d.skip = u.codes[:(k1-k0)*panelCols], 0
	var table *[16]byte
	if f.table != nil {
		table = &j.table
	}
	if !f.super { // a run is one block of codes
		k.unpack(d.w, r.codes, bytes, f.bits, table)
		return
	}
	for i, at := 0, f.head(); i < k1-k0; i, at = i+f.unit, at+bytes {
		k.unpack(d.w[i*panelCols:(i+f.unit)*panelCols], data[at:], f.codeBytes(), f.bits, table)
	}
}
