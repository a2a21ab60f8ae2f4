package asmgen

import "fmt"

// packDot writes the packers of panels for dot products: a row holds, for a pair
// of depths, the two bf16 values of each lane. Values of f32 are rounded by
// VCVTNE2PS2BF16, which takes subnormal numbers as zeros, as VDPBF16PS does.
func packDot(u *unit) {
	for _, s := range tileSources {
		dotLanes(u, s)
		dotRows(u, s)
	}
}

func dotLanes(u *unit, s source) {
	u.fn("dotLanes"+s.name, "packs pairs of depths, srcRow bytes apart, of the 16 contiguous lanes with\n"+
		"// a bit in load as rows dstRow bytes apart, of the lanes with a bit in store.",
		"dst unsafe.Pointer DI", "dstRow int R8", "src unsafe.Pointer SI", "srcRow int R9", "load int AX", "store int BX", "pairs int CX")
	u.op("KMOVD AX, K1\nKMOVD BX, K2")
	if s.round {
		u.op("VMOVDQU64 %s, Z25", u.constant("interleave", interleaved()...))
	}
	u.label("pair")
	if s.round {
		u.op("VMOVUPS.Z (SI), K1, Z0\nVMOVUPS.Z (SI)(R9*1), K1, Z1")
		u.bytes(toBF16(0, 1, 0), "VCVTNE2PS2BF16 Z0, Z1, Z0")
		u.op("VPERMW Z0, Z25, Z0")
	} else {
		s.loadPair(u, "(SI)", "(SI)(R9*1)", "K1", 0)
	}
	u.op("VMOVDQU32 Z0, K2, (DI)\nLEAQ (SI)(R9*2), SI\nADDQ R8, DI\nDECQ CX\nJNZ pair\nVZEROUPPER\nRET")
}

// interleaved is the word indices 0, 16, 1, 17, ... of VPERMW.
func interleaved() []uint64 {
	words := make([]uint64, 8)
	for i := range words {
		a := uint64(2 * i)
		words[i] = a | (a+16)<<16 | (a+1)<<32 | (a+17)<<48
	}
	return words
}

func dotRows(u *unit, s source) {
	u.fn("dotRows"+s.name, "packs steps of 32 depths, those with a bit in mask, of up to 16 lanes,\n"+
		"// contiguous and srcRow bytes apart, as 16 rows dstRow bytes apart, of the lanes\n"+
		"// with a bit in store. Lanes past the last repeat it.",
		"dst unsafe.Pointer DI", "dstRow int R8", "src unsafe.Pointer SI", "srcRow int R9", "lanes int CX", "store int BX",
		"mask int AX", "steps int DX")
	masks(u, "AX")
	u.op("KMOVD BX, K3")
	u.op("LEAQ (R8)(R8*2), R12\nDECQ CX\nIMULQ R9, CX\nADDQ SI, CX") // 3 rows; the last lane
	u.label("step")
	u.op("MOVQ SI, R10")
	for r := range 16 {
		if s.round {
			u.op("VMOVUPS.Z (R10), K1, Z%d\nVMOVUPS.Z 64(R10), K2, Z31", r)
			u.bytes(toBF16(r, 31, r), "VCVTNE2PS2BF16 Z%d, Z31, Z%d", r, r)
		} else {
			s.loadRow(u, "(R10)", r)
		}
		u.op("ADDQ R9, R10\nCMPQ R10, CX\nCMOVQHI CX, R10")
	}
	u.op("LEAQ (DI)(R8*4), R13\nLEAQ (DI)(R8*8), R14\nLEAQ (R13)(R8*8), R15")
	transpose(u, func(r, i int) {
		base := [4]string{"DI", "R13", "R14", "R15"}[i/4]
		u.op("VMOVDQU32 Z%d, K3, (%s)", r, fmt.Sprint(base, [4]string{"", ")(R8*1", ")(R8*2", ")(R12*1"}[i%4]))
	})
	u.op("LEAQ (R14)(R8*8), DI\nADDQ $%d, SI\nADDQ $%d, CX\nDECQ DX\nJNZ step\nVZEROUPPER\nRET", 32*s.bytes, 32*s.bytes)
}
