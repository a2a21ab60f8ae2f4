package asmgen

import "fmt"

// isa is a vector instruction set for f32 products.
type isa struct {
	name  string
	reg   string // register letter
	lanes int    // f32 values of a register
	rows  int    // of the largest block
	casts int    // registers for broadcast values of A
	zero  string
}

var (
	avx2ISA   = isa{name: "AVX2", reg: "Y", lanes: 8, rows: 6, casts: 2, zero: "VXORPS"}
	avx512ISA = isa{name: "AVX512", reg: "Z", lanes: 16, rows: 14, casts: 2, zero: "VPXORD"}
)

// mulFMA writes the product of a panel of rows of A and a panel of two
// registers of columns of B. Every element is one chain of fused products in the
// order of k, whatever the number of rows.
func mulFMA(u *unit, s isa, rows int) {
	width := s.lanes * 4 // bytes of a register
	acc := func(i, j int) string { return fmt.Sprintf("%s%d", s.reg, 2*i+j) }
	b := func(j int) string { return fmt.Sprintf("%s%d", s.reg, 2*s.rows+j) }
	cast := func(i int) string { return fmt.Sprintf("%s%d", s.reg, 2*s.rows+2+i%s.casts) }

	u.fn(fmt.Sprintf("mul%sRows%d", s.name, rows),
		fmt.Sprintf("computes out = in + A B for %d rows and %d columns: a holds\n"+
			"// %d and b %d f32 values for each of k depths. A nil in is zero; inRow and\n"+
			"// outRow are bytes between rows.", rows, 2*s.lanes, rows, 2*s.lanes),
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
			u.op("VMOVUPS %d(BX), %s", (2*n+j)*width, b(j))
		}
		for i := range rows {
			u.op("VBROADCASTSS %d(AX), %s", (n*rows+i)*4, cast(i))
			for j := range 2 {
				u.op("VFMADD231PS %s, %s, %s", b(j), cast(i), acc(i, j))
			}
		}
	}
	const unroll = 4
	u.op("MOVQ CX, R9\nSHRQ $2, R9\nJZ tail")
	u.label("loop")
	for n := range unroll {
		step(n)
	}
	u.op("ADDQ $%d, AX\nADDQ $%d, BX\nDECQ R9\nJNZ loop", unroll*rows*4, unroll*2*width)
	u.label("tail")
	u.op("ANDQ $%d, CX\nJZ sum", unroll-1)
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
