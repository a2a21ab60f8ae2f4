package kernel

import (
	"fmt"

	"github.com/foundling-lm/foundling/internal/parallel"
)

// Precision is the number format in which products are taken. Sums are f32
// always.
type Precision uint8

// The precisions.
const (
	F32  Precision = iota // operands as f32 (bf16 operands widened)
	BF16                  // operands rounded to the nearest bf16, ties to even
)

func (p Precision) String() string { return [...]string{"f32", "bf16"}[p] }

// Matrix is a row-major matrix of f32 or bf16 values: exactly one of F32 and
// BF16 is set. Rows and Cols are those after transposition: element (i, j) is
// data[i*Stride+j], or data[j*Stride+i] when Trans.
type Matrix struct {
	F32    []float32
	BF16   []uint16
	Rows   int
	Cols   int
	Stride int
	Trans  bool
}

// Gemm is one matrix product C = A B, C = A B + Bias or C += A B.
//
// The order in which the products of an element are summed depends on K and
// on the kernel set only: a row has the same bits in a product of one row or of
// many, with B packed or not, for every number of threads. With K = 0 the sum is
// zero. C must not overlap the operands.
type Gemm struct {
	A          Matrix    // (M, K)
	B          Matrix    // (K, N), unless Packed is set
	Packed     *Packed   // B, packed before for the same set and precision
	C          Matrix    // (M, N), f32 or bf16 (rounded once, at the end); not Trans
	Accumulate bool      // C += A B; f32 C only
	Bias       []float32 // (N) or nil: added to every row
	Precision  Precision
}

// Gemm computes the product g on the workers of pool; a nil pool computes on
// the caller. Scratch must have room for every worker of the pool and belongs
// to this call until it returns. Operands that do not fit together panic.
func (s *Set) Gemm(pool *parallel.Pool, scratch *Scratch, g *Gemm) {
	m, n, k := g.A.Rows, g.C.Cols, g.A.Cols
	g.check(s)
	if m == 0 || n == 0 {
		return
	}
	if g.Bias != nil && g.Accumulate || k == 0 {
		g.addBias(s)
		if k == 0 {
			return
		}
	}
	if int64(m)*int64(n)/64*int64(k) < serialWork/64 {
		pool = nil
	}
	if t := pool.Threads(); t > max(1, len(scratch.workers)) {
		panic(fmt.Sprintf("kernel: scratch for %d threads used with a pool of %d", len(scratch.workers), t))
	}
	j := &scratch.job
	j.set(s, g)
	j.run(pool, scratch)
	*j = gemmJob{} // keeps no operand alive
}

// serialWork is the number of products below which waking other workers costs
// more than it saves.
const serialWork = 1 << 17

// addBias does what does not depend on A and B: C = bias, or C += bias.
func (g *Gemm) addBias(s *Set) {
	c := &g.C
	for i := range c.Rows {
		if c.BF16 != nil {
			for j := range c.Cols {
				v := float32(0)
				if g.Bias != nil {
					v = g.Bias[j]
				}
				c.BF16[i*c.Stride+j] = roundBF16(v)
			}
			continue
		}
		row := c.F32[i*c.Stride:][:c.Cols]
		if !g.Accumulate {
			clear(row)
		}
		if g.Bias != nil {
			s.Add(row, row, g.Bias)
		}
	}
}

func (g *Gemm) check(s *Set) {
	bRows, bCols := g.B.Rows, g.B.Cols
	if p := g.Packed; p != nil {
		bRows, bCols = p.K, p.N
		if p.set != s.Name || p.Precision != g.Precision {
			panic(fmt.Sprintf("kernel: B packed for %s %v used in a %s %v product", p.set, p.Precision, s.Name, g.Precision))
		}
	} else {
		g.B.check("B")
	}
	g.A.check("A")
	g.C.check("C")
	c := &g.C
	switch {
	case g.A.Cols != bRows || c.Rows != g.A.Rows || c.Cols != bCols:
		panic(fmt.Sprintf("kernel: product of A (%d, %d) and B (%d, %d) into C (%d, %d)",
			g.A.Rows, g.A.Cols, bRows, bCols, c.Rows, c.Cols))
	case c.Trans:
		panic("kernel: C is transposed")
	case g.Accumulate && c.BF16 != nil:
		panic("kernel: a bf16 C cannot accumulate")
	case g.Bias != nil && len(g.Bias) != c.Cols:
		panic(fmt.Sprintf("kernel: bias of %d values for C (%d, %d)", len(g.Bias), c.Rows, c.Cols))
	}
}

// check panics unless every element of the matrix is inside its slice.
func (m *Matrix) check(name string) {
	rows, cols := m.Rows, m.Cols
	if m.Trans {
		rows, cols = cols, rows
	}
	if rows < 0 || cols < 0 {
		panic(fmt.Sprintf("kernel: %s has shape (%d, %d)", name, m.Rows, m.Cols))
	}
	if rows == 0 || cols == 0 {
		return
	}
	if (m.F32 == nil) == (m.BF16 == nil) {
		panic(fmt.Sprintf("kernel: %s must have exactly one of f32 and bf16 values", name))
	}
	room := max(len(m.F32), len(m.BF16)) - cols
	if room < 0 || rows > 1 && (m.Stride < cols || rows-1 > room/m.Stride) {
		panic(fmt.Sprintf("kernel: %s (%d, %d) with stride %d, transposed %v, does not fit its %d values",
			name, m.Rows, m.Cols, m.Stride, m.Trans, room+cols))
	}
}
