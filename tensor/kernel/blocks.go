package kernel

import (
	"fmt"
	"unsafe"

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
	scratch  int  // bytes of memory that dot works in
	unsigned bool // dot takes unsigned codes of weights
	// round turns groups of 32 values into blocks of sub codes.
	round func(dst []byte, src []float32, sub, start int)
	// lay stores the codes of one block of 32 rows of a file, rowBytes apart, for
	// formats with codesAt; nil where there is none.
	lay func(f *blockForm, dst, src []byte, rowBytes int)
	// unpack widens blocks of 32 depths, stride bytes apart, of a panel's codes.
	unpack func(dst, src []byte, stride, bits int, table *[16]byte)
	// expand makes f32 of n times 32 scales, stride bytes apart.
	expand func(dst []float32, src []byte, stride int, bf16 bool)
	// expandRuns multiplies the small scales of runs, stride bytes apart, by d (f16).
	expandRuns func(dst []float32, d, scales []byte, subs, stride int)
	dot        func(c *dotCall)
	// fetch asks for memory that will be read soon; nil where it cannot.
	fetch func(b []byte)
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
	tiles        unsafe.Pointer // blockKernels.scratch bytes; nil for none
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
