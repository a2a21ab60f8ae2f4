package asmgen

import (
	"fmt"
	"math/bits"
)

// isa is a vector instruction set for products. A value of a panel has 4 bytes:
// an f32, or for a dot product a pair of bf16 of neighbouring depths.
type isa struct {
	name   string
	reg    string // register letter
	lanes  int    // values of a register
	rows   int    // of the largest block
	casts  int    // registers for broadcast values of A
	unroll int    // depths of the loop, a power of two
	zero   string
	dot    bool   // values are pairs
	value  string // what one is called
}

var (
	avx2ISA   = isa{name: "AVX2", reg: "Y", lanes: 8, rows: 6, casts: 2, unroll: 4, zero: "VXORPS", value: "f32 values"}
	avx512ISA = isa{name: "AVX512", reg: "Z", lanes: 16, rows: 14, casts: 2, unroll: 4, zero: "VPXORD", value: "f32 values"}
	dotISA    = isa{name: "Dot", reg: "Z", lanes: 16, rows: 14, casts: 2, unroll: 2, zero: "VPXORD", dot: true, value: "pairs of bf16"}
)

// mul writes c += a b.
func (s isa) mul(u *unit, a, b, c int) {
	if s.dot {
		u.bytes(dotProduct(c, a, b), "VDPBF16PS Z%d, Z%d, Z%d", b, a, c)
		return
	}
	u.op("VFMADD231PS %s%d, %s%d, %s%d", s.reg, b, s.reg, a, s.reg, c)
}

// mulPanel writes the product of a panel of rows of A and a panel of two
// registers of columns of B. Every element is one chain of products in the order
// of k, whatever the number of rows.
func mulPanel(u *unit, s isa, rows int) {
	width := s.lanes * 4 // bytes of a register
	acc := func(i, j int) string { return fmt.Sprintf("%s%d", s.reg, 2*i+j) }
	b := func(j int) int { return 2*s.rows + j }
	cast := func(i int) int { return 2*s.rows + 2 + i%s.casts }

	u.fn(fmt.Sprintf("mul%sRows%d", s.name, rows),
		fmt.Sprintf("computes out = in + A B for %d rows and %d columns: a holds\n"+
			"// %d and b %d %s for each of k depths. A nil in is zero; inRow and\n"+
			"// outRow are bytes between rows.", rows, 2*s.lanes, rows, 2*s.lanes, s.value),
		"a unsafe.Pointer AX", "b unsafe.Pointer BX", "k int CX", "in unsafe.Pointer DX", "inRow int SI",
		"out unsafe.Pointer DI", "outRow int R8")
	for i := range rows {
		for j := range 2 {
			u.op("%s %s, %s, %s", s.zero, acc(i, j), acc(i, j), acc(i, j))
		}
	}
	u.op("MOVQ DI, R10")
	for range rows {
		u.op("PREFETCHT0 (R10)\nADDQ R8, R10")
	}
	step := func(n int) {
		for j := range 2 {
			u.op("VMOVUPS %d(BX), %s%d", (2*n+j)*width, s.reg, b(j))
		}
		for i := range rows {
			u.op("VBROADCASTSS %d(AX), %s%d", (n*rows+i)*4, s.reg, cast(i))
			for j := range 2 {
				s.mul(u, cast(i), b(j), 2*i+j)
			}
		}
	}
	u.op("MOVQ CX, R9\nSHRQ $%d, R9\nJZ tail", bits.TrailingZeros(uint(s.unroll)))
	u.label("loop")
	for n := range s.unroll {
		step(n)
	}
	u.op("ADDQ $%d, AX\nADDQ $%d, BX\nDECQ R9\nJNZ loop", s.unroll*rows*4, s.unroll*2*width)
	u.label("tail")
	u.op("ANDQ $%d, CX\nJZ sum", s.unroll-1)
	u.label("single")
	step(0)
	u.op("ADDQ $%d, AX\nADDQ $%d, BX\nDECQ CX\nJNZ single", rows*4, 2*width)
	u.label("sum")
	u.op("TESTQ DX, DX\nJZ store")
	for i := range rows {
		for j := range 2 {
			u.op("VADDPS %d(DX), %s, %s", j*width, acc(i, j), acc(i, j))
		}
		u.op("ADDQ SI, DX")
	}
	u.label("store")
	for i := range rows {
		for j := range 2 {
			u.op("VMOVUPS %s, %d(DI)", acc(i, j), j*width)
		}
		u.op("ADDQ R8, DI")
	}
	u.op("VZEROUPPER\nRET")
}
