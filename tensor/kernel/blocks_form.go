package kernel

import (
	encoding "encoding/binary"

	"github.com/foundling-lm/foundling/tensor/dtype"
)

// blockForm says how a format of files is laid out for products. A value is
//
//	scale * (code - offset) + minimum, or scale * table[code]
//
// with scale = d, or d times an int8 (super), and the same for the minimum.
type blockForm struct {
	dt    dtype.Type
	unit  int       // values of a block in a file: 32 or 256
	sub   int       // values that share a scale: 32 or 16
	bits  int       // of a code: 4, 5, 6 or 8
	off   int       // offset of codes
	table *[16]int8 // of 4-bit codes
	min   bool
	super bool
	bf16  bool // d is bf16, else f16
	read  func(b *fileBlock, src []byte)

	// Codes of 8 bits, and those of 4 where half of them, codesAt bytes into a block
	// of the file, are the lower halves of bytes and the next as many the upper, need
	// not be decoded to be laid out.
	half, codesAt int
}

// fileBlock is one block of a file, decoded; codes only of formats that have no
// codesAt.
type fileBlock struct {
	codes     [256]byte
	d, dmin   uint16
	scales    [16]int8
	minScales [16]int8
}

// Values of 4-bit codes. The first table is that of ggml's non-linear formats, the
// second twice the values of E2M1 (OCP Microscaling Formats 1.0, table 5).
var (
	nonlinear4 = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}
	twiceE2M1  = [16]int8{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}
)

// blockForms are the formats that products take. Q2_K and Q3_K have 4-bit codes
// here and take more memory than in the file, 4.9 and 4.6 bits a value.
var blockForms = map[dtype.Type]*blockForm{
	dtype.Q8_0:   {unit: 32, sub: 32, bits: 8, codesAt: 2, read: readD},
	dtype.Q4_0:   {unit: 32, sub: 32, bits: 4, off: 8, half: 16, codesAt: 2, read: readD},
	dtype.Q4_1:   {unit: 32, sub: 32, bits: 4, min: true, half: 16, codesAt: 4, read: readDMin},
	dtype.Q5_0:   {unit: 32, sub: 32, bits: 5, off: 16, read: readQ50},
	dtype.Q5_1:   {unit: 32, sub: 32, bits: 5, min: true, read: readQ51},
	dtype.Q2_K:   {unit: 256, sub: 16, bits: 4, min: true, super: true, read: readQ2K},
	dtype.Q3_K:   {unit: 256, sub: 16, bits: 4, off: 4, super: true, read: readQ3K},
	dtype.Q4_K:   {unit: 256, sub: 32, bits: 4, min: true, super: true, half: 32, codesAt: 16, read: readQ4K},
	dtype.Q5_K:   {unit: 256, sub: 32, bits: 5, min: true, super: true, read: readQ5K},
	dtype.Q6_K:   {unit: 256, sub: 16, bits: 6, off: 32, super: true, read: readQ6K},
	dtype.IQ4_NL: {unit: 32, sub: 32, bits: 4, table: &nonlinear4, half: 16, codesAt: 2, read: readD},
	dtype.IQ4_XS: {unit: 256, sub: 32, bits: 4, table: &nonlinear4, super: true, half: 16, codesAt: 8, read: readIQ4XS},
	dtype.MXFP4:  {unit: 32, sub: 32, bits: 4, table: &twiceE2M1, bf16: true, half: 16, codesAt: 1, read: readMXFP4},
}

func init() {
	for dt, f := range blockForms {
		f.dt = dt
	}
}

// offset of the codes as dot takes them: signed bytes have none, and become
// unsigned by adding 128.
func (f *blockForm) offset(unsigned bool) int {
	if f.bits == 8 || f.table != nil {
		if unsigned {
			return 128
		}
		return 0
	}
	return f.off
}

// codeTable is the table with that offset.
func (f *blockForm) codeTable(unsigned bool) (t [16]byte) {
	for i, v := range f.table {
		t[i] = byte(int(v) + f.offset(unsigned))
	}
	return t
}

var le = encoding.LittleEndian

// Eight bytes at a time: every byte times this.
const eachByte = 0x0101010101010101

// nibbles writes lower halves of src, whole eights of bytes, to dst and upper ones
// half further on.
func nibbles(dst, src []byte, half int) {
	for i := 0; i < len(src); i += 8 {
		x := le.Uint64(src[i:])
		le.PutUint64(dst[i:], x&(15*eachByte))
		le.PutUint64(dst[i+half:], x>>4&(15*eachByte))
	}
}

// addBits adds the bits of mask, shifted right, of src to dst, times 1<<left.
func addBits(dst, src []byte, right, mask, left int) {
	for i := 0; i < len(src); i += 8 {
		x := le.Uint64(src[i:]) >> right & (uint64(mask) * eachByte) << left
		le.PutUint64(dst[i:], le.Uint64(dst[i:])|x)
	}
}

func readD(b *fileBlock, src []byte) {
	b.d = le.Uint16(src)
}

func readDMin(b *fileBlock, src []byte) {
	b.d, b.dmin = le.Uint16(src), le.Uint16(src[2:])
}

// fifthBits adds bit i of high to code i.
func fifthBits(codes []byte, high uint32) {
	for i := range codes[:32] {
		codes[i] |= byte(high>>i&1) << 4
	}
}

func readQ50(b *fileBlock, src []byte) {
	b.d = le.Uint16(src)
	nibbles(b.codes[:], src[6:22], 16)
	fifthBits(b.codes[:], le.Uint32(src[2:]))
}

func readQ51(b *fileBlock, src []byte) {
	b.d, b.dmin = le.Uint16(src), le.Uint16(src[2:])
	nibbles(b.codes[:], src[8:24], 16)
	fifthBits(b.codes[:], le.Uint32(src[4:]))
}

func readMXFP4(b *fileBlock, src []byte) {
	b.d = uint16(0x20) << src[0] // of half the power of two, as bf16: subnormal for the smallest
	if src[0] >= 2 {
		b.d = uint16(src[0]-1) << 7
	}
}

const f16Sign = 0x8000

// sixBits decodes the 8 scales and 8 minima of Q4_K and Q5_K.
func (b *fileBlock) sixBits(s []byte) {
	for i := range 4 {
		b.scales[i], b.minScales[i] = int8(s[i]&63), int8(s[i+4]&63)
		b.scales[i+4] = int8(s[i+8]&15 | s[i]>>6<<4)
		b.minScales[i+4] = int8(s[i+8]>>4 | s[i+4]>>6<<4)
	}
}

func readQ4K(b *fileBlock, src []byte) {
	b.d, b.dmin = le.Uint16(src), le.Uint16(src[2:])^f16Sign
	b.sixBits(src[4:16])
}

func readQ5K(b *fileBlock, src []byte) {
	b.d, b.dmin = le.Uint16(src), le.Uint16(src[2:])^f16Sign
	b.sixBits(src[4:16])
	for j := range 4 {
		nibbles(b.codes[64*j:], src[48+32*j:80+32*j], 32)
		addBits(b.codes[64*j:], src[16:48], 2*j, 1, 4)
		addBits(b.codes[64*j+32:], src[16:48], 2*j+1, 1, 4)
	}
}

func readQ6K(b *fileBlock, src []byte) {
	b.d = le.Uint16(src[208:])
	for i := range 16 {
		b.scales[i] = int8(src[192+i])
	}
	for n := range 2 {
		low, high, dst := src[64*n:64*n+64], src[128+32*n:160+32*n], b.codes[128*n:128*n+128]
		nibbles(dst, low, 64)
		for q := range 4 {
			addBits(dst[32*q:], high, 2*q, 3, 4)
		}
	}
}

// pairs writes the four pairs of bits of 32 bytes to runs of 32 codes.
func pairs(dst, src []byte) {
	clear(dst[:128])
	for q := range 4 {
		addBits(dst[32*q:], src[:32], 2*q, 3, 0)
	}
}

func readQ2K(b *fileBlock, src []byte) {
	b.d, b.dmin = le.Uint16(src[80:]), le.Uint16(src[82:])^f16Sign
	for i, s := range src[:16] {
		b.scales[i], b.minScales[i] = int8(s&15), int8(s>>4)
	}
	pairs(b.codes[:], src[16:])
	pairs(b.codes[128:], src[48:])
}

func readQ3K(b *fileBlock, src []byte) {
	b.d = le.Uint16(src[108:])
	pairs(b.codes[:], src[32:])
	pairs(b.codes[128:], src[64:])
	for q := range 8 {
		addBits(b.codes[32*q:], src[:32], q, 1, 2)
	}
	s := src[96:108]
	for i := range 16 {
		low, high := s[i%8]>>(i/8*4)&15, s[8+i%4]>>(i/4*2)&3
		b.scales[i] = int8(low|high<<4) - 32
	}
}

func readIQ4XS(b *fileBlock, src []byte) {
	b.d = le.Uint16(src)
	high := le.Uint16(src[2:])
	for i := range 8 {
		low := src[4+i/2] >> (i % 2 * 4) & 15
		b.scales[i] = int8(low|byte(high>>(2*i)&3)<<4) - 32
	}
}
