package kernel

import (
	"fmt"
	"unsafe"

	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// head is the bytes of a run before its codes: d, dmin, small scales, small
// minima.
func (f *blockForm) head() int {
	n := 2 * panelCols
	if f.super {
		n += panelCols * f.unit / f.sub
	}
	if f.min {
		n *= 2
	}
	return n
}

// headScales is where the small scales of a run begin.
func (f *blockForm) headScales() int {
	if f.min {
		return 4 * panelCols
	}
	return 2 * panelCols
}

// codeBytes is the codes of 32 depths of a panel: bytes, or lower halves and then
// the bits above them.
func (f *blockForm) codeBytes() int { return 4 * panelCols * f.bits }

// runBytes is the unit depths of a panel that a block of the file holds.
func (f *blockForm) runBytes() int { return f.head() + f.unit/32*f.codeBytes() }

func (f *blockForm) panelBytes(k int) int { return k / f.unit * f.runBytes() }

// run is the parts of one run of a panel.
type run struct{ d, dmin, scales, minScales, codes []byte }

func (f *blockForm) run(data []byte) (r run) {
	next := func(n int) (x []byte) {
		x, data = data[:n], data[n:]
		return x
	}
	small := f.unit / f.sub * panelCols
	r.d = next(2 * panelCols)
	if f.min {
		r.dmin = next(2 * panelCols)
	}
	if f.super {
		r.scales = next(small)
		if f.min {
			r.minScales = next(small)
		}
	}
	r.codes = data
	return r
}

// panel is panel p.
func (b *Blocks) panel(p int) []byte {
	size := b.form.panelBytes(b.K)
	return b.aligned()[p*size : (p+1)*size]
}

// aligned is Data from its first cache line on.
func (b *Blocks) aligned() []byte {
	return b.Data[-uintptr(unsafe.Pointer(unsafe.SliceData(b.Data)))%cacheLine:]
}

// LayBlocks lays n rows of k weights out for the set's products. Src holds the
// rows as a file does. K that is not whole blocks, a src of another length and a
// scale that is not finite are errors.
func (s *Set) LayBlocks(pool *parallel.Pool, dt dtype.Type, n, k int, src []byte, dst *Blocks) error {
	f := formOf(dt)
	if k%f.unit != 0 {
		return fmt.Errorf("rows of %d %v weights are not whole blocks of %d", k, dt, f.unit)
	}
	rowBytes := dt.RowBytes(k)
	if len(src) != n*rowBytes {
		return fmt.Errorf("%d rows of %d %v weights take %d bytes, there are %d", n, k, dt, n*rowBytes, len(src))
	}
	if need := s.BlocksBytes(dt, n, k); len(dst.Data) < need {
		panic(fmt.Sprintf("kernel: %d bytes for %v weights (%d, %d), which need %d", len(dst.Data), dt, n, k, need))
	}
	dst.Type, dst.N, dst.K, dst.form, dst.set, dst.unsigned = dt, n, k, f, s.Name, s.blocks.unsigned
	panels := ceilDiv(n, panelCols)
	bad := make([]int, panels) // a row with a broken scale, plus 1
	pool.Run(panels, func(p, _ int) {
		var b fileBlock
		rows := src[p*panelCols*rowBytes : min(n, (p+1)*panelCols)*rowBytes]
		for i := range k / f.unit {
			if row := s.layRun(dst, &b, p, i, rows, rowBytes); row >= 0 {
				bad[p] = p*panelCols + row + 1
			}
		}
	})
	for _, row := range bad {
		if row > 0 {
			return fmt.Errorf("row %d: a scale is NaN or infinite", row-1)
		}
	}
	return nil
}

// layRun puts block i of the rows of panel p in its place, where the rows are side
// by side. It returns a row whose scale is not finite, or -1.
func (s *Set) layRun(b *Blocks, blk *fileBlock, p, i int, rows []byte, rowBytes int) (bad int) {
	f := b.form
	bytes, size := f.runBytes(), rowBytes/(b.K/f.unit)
	r := f.run(b.panel(p)[i*bytes : (i+1)*bytes])
	whole := s.blocks.lay != nil && f.codesAt > 0 && len(rows) == panelCols*rowBytes
	if whole {
		s.blocks.lay(f, r.codes, rows[i*size+f.codesAt:], rowBytes)
	}
	bad = -1
	for o := range len(rows) / rowBytes {
		src := rows[o*rowBytes+i*size:]
		f.read(blk, src[:size])
		le.PutUint16(r.d[2*o:], blk.d)
		if !f.finite(blk.d) || f.min && !f.finite(blk.dmin) {
			bad = o
		}
		if f.min {
			le.PutUint16(r.dmin[2*o:], blk.dmin)
		}
		for q := range len(r.scales) / panelCols {
			r.scales[q*panelCols+o] = byte(blk.scales[q])
			if f.min {
				r.minScales[q*panelCols+o] = byte(blk.minScales[q])
			}
		}
		switch {
		case whole:
		case f.codesAt > 0:
			f.layFile(r.codes, o, src[f.codesAt:size], b.unsigned)
		default:
			for at := 0; at < f.unit; at += 32 {
				f.layCodes(r.codes[at/32*f.codeBytes():], o, (*[32]byte)(blk.codes[at:]))
			}
		}
	}
	return bad
}

func (f *blockForm) finite(h uint16) bool {
	if f.bf16 {
		return h&0x7f80 != 0x7f80
	}
	return h&0x7c00 != 0x7c00
}

const lowHalves = 0x0f0f0f0f // of the bytes of a word

// layFile stores the codes of output o as they lie in a file.
func (f *blockForm) layFile(dst []byte, o int, src []byte, unsigned bool) {
	switch {
	case f.bits == 8:
		flip := uint32(0)
		if unsigned {
			flip = 0x80808080
		}
		dst, src = dst[4*o:128*7+4*o+4], src[:32]
		for s := range 8 {
			le.PutUint32(dst[128*s:], le.Uint32(src[4*s:])^flip)
		}
	case f.half == 16:
		for at := 0; at < f.unit; at += 32 {
			x, d := src[at/2:at/2+16], dst[16*at+4*o:16*at+128*3+4*o+4]
			x0, x1, x2, x3 := le.Uint32(x), le.Uint32(x[4:]), le.Uint32(x[8:]), le.Uint32(x[12:])
			le.PutUint32(d, x0&lowHalves|x1&lowHalves<<4)
			le.PutUint32(d[128:], x2&lowHalves|x3&lowHalves<<4)
			le.PutUint32(d[256:], x0>>4&lowHalves|x1&^lowHalves)
			le.PutUint32(d[384:], x2>>4&lowHalves|x3&^lowHalves)
		}
	default:
		for at := 0; at < f.unit; at += 64 {
			x, d := src[at/2:at/2+32], dst[16*at+4*o:16*at+128*7+4*o+4]
			for p := range 4 {
				x0, x1 := le.Uint32(x[8*p:]), le.Uint32(x[8*p+4:])
				le.PutUint32(d[128*p:], x0&lowHalves|x1&lowHalves<<4)
				le.PutUint32(d[512+128*p:], x0>>4&lowHalves|x1&^lowHalves)
			}
		}
	}
}

// layCodes stores 32 codes of output o.
func (f *blockForm) layCodes(dst []byte, o int, codes *[32]byte) {
	var w [8]uint32
	for s := range w {
		w[s] = le.Uint32(codes[4*s:])
	}
	high := dst[halvesBytes:]
	for pair := range 4 {
		le.PutUint32(dst[128*pair+4*o:], w[2*pair]&lowHalves|w[2*pair+1]&lowHalves<<4)
	}
	switch f.bits {
	case 5: // 4 bits of a step are half a byte of its 16
		for s := range w {
			four := byte(w[s] >> 4 & 0x01010101 * 0x10204080 >> 28)
			if o%2 == 1 {
				high[16*s+o/2] |= four << 4
			} else {
				high[16*s+o/2] = four
			}
		}
	case 6:
		for g := range 2 {
			x := uint32(0)
			for t := range 4 {
				x |= w[4*g+t] >> 4 & 0x03030303 << (2 * t)
			}
			le.PutUint32(high[128*g+4*o:], x)
		}
	}
}

// codesOf is the inverse of layCodes, without the table.
func (f *blockForm) codesOf(src []byte, o int, codes *[32]byte) {
	if f.bits == 8 {
		for s := range 8 {
			copy(codes[4*s:4*s+4], src[128*s+4*o:])
		}
		return
	}
	high := src[halvesBytes:]
	for s := range 8 {
		x := le.Uint32(src[s/2*128+4*o:]) >> (s % 2 * 4) & lowHalves
		switch f.bits {
		case 5:
			four := uint32(high[16*s+o/2] >> (o % 2 * 4) & 15)
			x |= four * 0x00204081 & 0x01010101 << 4
		case 6:
			x |= le.Uint32(high[s/4*128+4*o:]) >> (s % 4 * 2) & 0x03030303 << 4
		}
		le.PutUint32(codes[4*s:], x)
	}
}

// Row writes the K values of output n: those that the format's own conversion
// gives.
func (b *Blocks) Row(n int, dst []float32) {
	f, panel, o := b.form, b.panel(n/panelCols), n%panelCols
	bytes := f.runBytes()
	var codes [32]byte
	for i := range b.K / f.unit {
		r := f.run(panel[i*bytes : (i+1)*bytes])
		for at := 0; at < f.unit; at += 32 {
			f.codesOf(r.codes[at/32*f.codeBytes():], o, &codes)
			for part := 0; part < 32; part += f.sub {
				q := (at + part) / f.sub
				b.values(dst[i*f.unit+at+part:][:f.sub], codes[part:], f.scaleAt(r.d, r.scales, q, o), f.scaleAt(r.dmin, r.minScales, q, o))
			}
		}
	}
}

// values writes the values of codes.
func (b *Blocks) values(y []float32, codes []byte, scale, min float32) {
	f, flip := b.form, byte(0)
	if b.unsigned {
		flip = 0x80
	}
	for e := range y {
		c := codes[e]
		switch {
		case f.bits == 8:
			y[e] = scale * float32(int8(c^flip))
		case f.table != nil:
			y[e] = scale * float32(f.table[c])
		case f.min:
			y[e] = float32(scale*float32(c)) + min
		default:
			y[e] = scale * float32(int(c)-f.off)
		}
	}
}

// scaleAt is the scale (or minimum) of output o in block q of a run.
func (f *blockForm) scaleAt(d, scales []byte, q, o int) float32 {
	if d == nil {
		return 0
	}
	h := le.Uint16(d[2*o:])
	if f.bf16 {
		return dtype.FromBF16(h)
	}
	x := dtype.FromF16(h)
	if f.super {
		x *= float32(int8(scales[q*panelCols+o]))
	}
	return x
}
