package kernel

import (
	"math"
	"testing"
	"unsafe"

	"github.com/foundling-lm/foundling/internal/rng"
)

// guardedMatrix is a random matrix whose last element is the last one before an
// unreadable page.
func guardedMatrix(t testing.TB, seed uint64, rows, cols int, bf16, trans bool) Matrix {
	m := Matrix{Rows: rows, Cols: cols, Trans: trans}
	r, c := rows, cols
	if trans {
		r, c = cols, rows
	}
	m.Stride = c + rng.Intn(seed, 1, 0, 3)
	size := (r-1)*m.Stride + c
	if bf16 {
		m.BF16 = unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(guarded(t, 2*size)))), size)
	} else {
		m.F32 = unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(guarded(t, 4*size)))), size)
	}
	for i := range size {
		v := float32(rng.Normal(seed, 2, uint64(i)))
		if bf16 {
			m.BF16[i] = uint16(math.Float32bits(v) >> 16)
		} else {
			m.F32[i] = v
		}
	}
	return m
}

// unguarded is a copy with room behind it.
func (m Matrix) unguarded() Matrix {
	if m.BF16 != nil {
		m.BF16 = append(make([]uint16, 0, len(m.BF16)+64), m.BF16...)
	} else {
		m.F32 = append(make([]float32, 0, len(m.F32)+64), m.F32...)
	}
	return m
}

// TestGemmGuard has operands and results end at unreadable pages: no kernel may
// touch what follows, and the results are those without the pages.
func TestGemmGuard(t *testing.T) {
	for _, s := range Sets() {
		t.Run(s.Name, func(t *testing.T) {
			scratch := NewScratch(1)
			for i := range uint64(120) {
				size := func(n int) int { return 1 + rng.Intn(5, i, uint64(n), 40) }
				bit := func(n int) bool { return rng.Intn(6, i, uint64(n), 2) == 1 }
				m, n, k := size(0), size(1), size(2)
				g := Gemm{
					A: guardedMatrix(t, 3*i, m, k, bit(0), bit(1)),
					B: guardedMatrix(t, 3*i+1, k, n, bit(2), bit(3)),
					C: guardedMatrix(t, 3*i+2, m, n, bit(4), false), Precision: F32,
				}
				if bit(5) {
					g.Precision = BF16
				}
				g.Accumulate = g.C.F32 != nil && bit(6)
				free := g
				free.A, free.B, free.C = g.A.unguarded(), g.B.unguarded(), g.C.unguarded()
				s.Gemm(nil, scratch, &g)
				s.Gemm(nil, scratch, &free)
				for e := range g.C.F32 {
					if math.Float32bits(g.C.F32[e]) != math.Float32bits(free.C.F32[e]) {
						t.Fatalf("product %d: value %d: got %v, want %v", i, e, g.C.F32[e], free.C.F32[e])
					}
				}
				for e := range g.C.BF16 {
					if g.C.BF16[e] != free.C.BF16[e] {
						t.Fatalf("product %d: value %d: got %#x, want %#x", i, e, g.C.BF16[e], free.C.BF16[e])
					}
				}
			}
		})
	}
}
