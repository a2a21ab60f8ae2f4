package kernel

import (
	"unsafe"

	"github.com/foundling-lm/foundling/internal/parallel"
)

// blockJob is a product in progress.
type blockJob struct {
	set   *Set
	g     BlockGemm
	form  *blockForm
	a     []byte // activations in blocks
	aRow  int
	start int // of the sums, for each unit of the sum of a block's codes
	table [16]byte

	rowsPerTask, panelsPerTask int
}

// GemmBlocks computes the product g on the workers of pool. Scratch is as in
// Gemm.
func (s *Set) GemmBlocks(pool *parallel.Pool, scratch *Scratch, g *BlockGemm) {
	g.check(s)
	if g.C.Rows == 0 || g.C.Cols == 0 {
		return
	}
	f := g.B.form
	j := &scratch.blocks
	*j = blockJob{set: s, g: *g, form: f, aRow: g.B.K / f.sub * (f.sub + blockExtra)}
	j.start = -f.offset(s.blocks.unsigned)
	if f.table != nil {
		j.table = f.codeTable(s.blocks.unsigned)
	}
	size := g.A.Rows * j.aRow
	j.a = unsafe.Slice((*byte)(scratch.a.need(size)), size)
	if int64(g.A.Rows)*int64(g.B.N)*int64(g.B.K) < serialWork {
		pool = nil
	}
	j.rowsPerTask = max(1, serialWork/8/max(1, g.B.K))
	tasks, round := ceilDiv(g.A.Rows, j.rowsPerTask), pool
	if tasks <= 2 {
		round = nil
	}
	round.Run(tasks, scratch.round)
	panels := ceilDiv(g.B.N, panelCols)
	j.panelsPerTask = min(max(1, panels/blockTasks), maxPanels)
	pool.Run(ceilDiv(panels, j.panelsPerTask), scratch.panels)
	*j = blockJob{} // keeps no operand alive
}

// own is the scratch of worker w.
func (s *Scratch) own(w int) *Scratch {
	if s.workers == nil {
		return s
	}
	return s.workers[w]
}

func (s *Scratch) roundTask(task, w int) {
	j := &s.blocks
	j.round(s.own(w), task*j.rowsPerTask, min(j.g.A.Rows, (task+1)*j.rowsPerTask))
}

func (s *Scratch) panelsTask(task, w int) {
	j, own := &s.blocks, s.own(w)
	j.multiply(own, task*j.panelsPerTask, min(ceilDiv(j.g.B.N, panelCols), (task+1)*j.panelsPerTask))
	own.panel = unpacked{}
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
	buf := own.b.need(codesBytes + 2*scaleBytes + j.set.blocks.scratch)
	u := &own.panel
	*u = unpacked{
		codes:  unsafe.Slice((*byte)(buf), codesBytes),
		scales: unsafe.Slice((*float32)(unsafe.Add(buf, codesBytes)), scaleBytes/4),
		mins:   unsafe.Slice((*float32)(unsafe.Add(buf, codesBytes+scaleBytes)), scaleBytes/4),
	}
	if j.set.blocks.scratch > 0 {
		u.call.tiles = unsafe.Add(buf, codesBytes+2*scaleBytes)
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
			// Sums wait beside each other, not in C, whose rows may be far apart.
			from, to := place32{d.in, d.inRow}, place32{d.out, d.outRow}
			wait := place32{own.sums(r1 - r0), panelCols}
			for k0 := 0; k0 < j.g.B.K; k0 += step {
				k1, out := min(j.g.B.K, k0+step), wait
				if k1 == j.g.B.K {
					out = to
				}
				j.unpack(u, p, k0, k1)
				j.rows(d, from, out, k0, k1, r0, r1)
				from = out
			}
			j.finish(p, r0, r1, to.v)
		}
	}
}

// place32 is where sums lie: row f32 values between rows. No values: zeros.
type place32 struct {
	v   []float32
	row int
}

// at is the place from row r on.
func (p place32) at(r int) []float32 {
	if p.v == nil {
		return nil
	}
	return p.v[r*p.row:]
}

// sums is room for rows of a panel, and one row more.
func (s *Scratch) sums(rows int) []float32 {
	n := (rows + 1) * panelCols
	return unsafe.Slice((*float32)(s.c.need(4*n)), n)
}

// unpacked is a chunk of a panel.
type unpacked struct {
	codes        []byte
	scales, mins []float32
	call         dotCall
}

// rows multiplies rows [r0, r1) of A by an unpacked chunk.
func (j *blockJob) rows(d *dotCall, from, to place32, k0, k1, r0, r1 int) {
	f, most := j.form, j.set.blocks.rows
	d.blocks, d.sub, d.aRow = (k1-k0)/f.sub, f.sub, j.aRow
	d.inRow, d.outRow = from.row, to.row
	at := k0 / f.sub * (f.sub + blockExtra)
	for r := r0; r < r1; r += most {
		d.rows = min(most, r1-r)
		d.a = j.a[r*j.aRow+at:]
		d.in, d.out = from.at(r-r0), to.at(r-r0)
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
		buf = own.sums(rows)
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
	from := p*f.panelBytes(j.g.B.K) + k0/f.unit*bytes
	data := j.g.B.aligned()[from:]
	if size := (k1 - k0) / f.unit * bytes; k.fetch != nil {
		k.fetch(data[size:min(2*size, len(data))]) // the next chunk, while rows pass over this one
	}
	data = data[:(k1-k0)/f.unit*bytes]
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
