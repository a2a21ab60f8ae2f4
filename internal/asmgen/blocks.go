package asmgen

import "fmt"

// Products of block-quantised weights. A panel holds the codes of 32 outputs: for
// every 4 depths 32 groups of 4 bytes, 128 bytes in all. A row of activations is
// a list of blocks: int32 start of the sums, the codes (int8), f32 scale, f32
// scale times the sum of the codes.
const (
	panelStep   = 128 // bytes of a panel for 4 depths
	blockHead   = 4
	blockFoot   = 8
	dotRowsVNNI = 6
	dotRowsAVX2 = 4
)

const dotDoc = "computes out = in + A B for %d rows of activations and a panel of codes, 32\n" +
	"// f32 values a row; a nil in is zero. To each value it adds, for each block the exact sum of products, times the\n" +
	"// scale of the row times that of the output%s. steps is the depth of a block\n" +
	"// divided by 4, skip the bytes between the codes of blocks; aRow, inRow and outRow\n" +
	"// are bytes between rows."

// dotArgs starts a kernel for rows rows. BX walks over the codes, SI over the
// activations, DX over scales, R12 over minima.
func dotArgs(u *unit, name string, rows int, min bool) {
	suffix, doc := "", ""
	if min {
		suffix, doc = "Min", ", and the row's scaled sum\n// times the output's minimum"
	}
	u.fn(fmt.Sprintf("dot%sRows%d%s", name, rows, suffix), fmt.Sprintf(dotDoc, rows, doc),
		"w unsafe.Pointer BX", "scales unsafe.Pointer DX", "mins unsafe.Pointer R12", "a unsafe.Pointer SI",
		"aRow int R8", "blocks int CX", "steps int R11", "skip int R14",
		"in unsafe.Pointer AX", "inRow int R15", "out unsafe.Pointer DI", "outRow int R13")
	if rows > 3 {
		u.op("LEAQ (R8)(R8*2), R9")
	}
	if rows > 5 {
		u.op("LEAQ (R8)(R8*4), R10")
	}
}

// dotRow is the address of row r at displacement disp.
func dotRow(r, disp int) string {
	return fmt.Sprintf("%d(SI%s", disp, [...]string{")", ")(R8*1)", ")(R8*2)", ")(R9*1)", ")(R8*4)", ")(R10*1)"}[r])
}

// dotVNNI multiplies unsigned codes of weights by signed ones of activations, 16
// outputs a register. Z0 to Z11 are the sums, Z12 to Z23 those of a block.
func dotVNNI(u *unit, rows int, min bool) {
	dotArgs(u, "VNNI", rows, min)
	sum := func(r, h int) string { return fmt.Sprintf("Z%d", 2*r+h) }
	part := func(r, h int) string { return fmt.Sprintf("Z%d", 12+2*r+h) }
	for r := range 2 * rows {
		u.op("VPXORD Z%d, Z%d, Z%d", r, r, r)
	}
	u.op("TESTQ AX, AX\nJZ block")
	for r := range rows {
		u.op("VMOVUPS (AX), %s\nVMOVUPS 64(AX), %s\nADDQ R15, AX", sum(r, 0), sum(r, 1))
	}
	u.label("block")
	for r := range rows {
		u.op("VPBROADCASTD %s, %s\nVMOVDQA64 %s, %s", dotRow(r, 0), part(r, 0), part(r, 0), part(r, 1))
	}
	u.op("MOVQ R11, AX")
	u.label("step")
	for s := range 2 {
		u.op("VMOVDQU64 %d(BX), Z24\nVMOVDQU64 %d(BX), Z25", panelStep*s, panelStep*s+64)
		for r := range rows {
			cast := fmt.Sprintf("Z%d", 26+r%2)
			u.op("VPBROADCASTD %s, %s", dotRow(r, blockHead+4*s), cast)
			u.op("VPDPBUSD %s, Z24, %s\nVPDPBUSD %s, Z25, %s", cast, part(r, 0), cast, part(r, 1))
		}
	}
	u.op("ADDQ $%d, BX\nADDQ $8, SI\nSUBQ $2, AX\nJNZ step", 2*panelStep)
	u.op("VMOVUPS (DX), Z28\nVMOVUPS 64(DX), Z29\nADDQ $128, DX")
	for r := range rows {
		u.op("VBROADCASTSS %s, Z26\nVMULPS Z26, Z28, Z30\nVMULPS Z26, Z29, Z31", dotRow(r, blockHead))
		for h, t := range []string{"Z30", "Z31"} {
			u.op("VCVTDQ2PS %s, %s\nVMULPS %s, %s, %s\nVADDPS %s, %s, %s", part(r, h), part(r, h),
				t, part(r, h), t, t, sum(r, h), sum(r, h))
		}
	}
	if min {
		u.op("VMOVUPS (R12), Z28\nVMOVUPS 64(R12), Z29\nADDQ $128, R12")
		for r := range rows {
			u.op("VBROADCASTSS %s, Z26\nVMULPS Z26, Z28, Z30\nVMULPS Z26, Z29, Z31", dotRow(r, blockHead+4))
			u.op("VADDPS Z30, %s, %s\nVADDPS Z31, %s, %s", sum(r, 0), sum(r, 0), sum(r, 1), sum(r, 1))
		}
	}
	u.op("ADDQ R14, BX\nADDQ $%d, SI\nDECQ CX\nJNZ block", blockHead+blockFoot)
	for r := range rows {
		u.op("VMOVUPS %s, (DI)\nVMOVUPS %s, 64(DI)\nADDQ R13, DI", sum(r, 0), sum(r, 1))
	}
	u.op("VZEROUPPER\nRET")
}

// dotAVX2 takes 8 outputs at a time. The codes of weights are signed: their
// magnitudes are multiplied by the activations with their signs, since pairs of
// unsigned codes above 127 could overflow 16 bits. Y0 to Y3 are the sums, Y4 to Y7
// those of a block.
func dotAVX2(u *unit, rows int, min bool) {
	dotArgs(u, "AVX2", rows, min)
	u.op("VPCMPEQW Y11, Y11, Y11\nVPSRLW $15, Y11, Y11")
	for q := range 4 {
		loop := func(s string) string { return fmt.Sprintf("%s%d", s, q) }
		if q > 0 {
			u.op("MOVQ w+0(FP), BX\nADDQ $%d, BX\nMOVQ scales+8(FP), DX\nADDQ $%d, DX", 32*q, 32*q)
			u.op("MOVQ a+24(FP), SI\nMOVQ blocks+40(FP), CX\nMOVQ in+64(FP), AX\nMOVQ inRow+72(FP), R15")
			if min {
				u.op("MOVQ mins+16(FP), R12\nADDQ $%d, R12", 32*q)
			}
		}
		for r := range rows {
			u.op("VXORPS Y%d, Y%d, Y%d", r, r, r)
		}
		u.op("TESTQ AX, AX\nJZ %s", loop("block"))
		for r := range rows {
			u.op("VMOVUPS %d(AX), Y%d\nADDQ R15, AX", 32*q, r)
		}
		u.label(loop("block"))
		for r := range rows {
			u.op("VPBROADCASTD %s, Y%d", dotRow(r, 0), 4+r)
		}
		u.op("MOVQ R11, AX")
		u.label(loop("step"))
		u.op("VMOVDQU (BX), Y8\nVPABSB Y8, Y9")
		for r := range rows {
			u.op("VPBROADCASTD %s, Y10\nVPSIGNB Y8, Y10, Y10\nVPMADDUBSW Y10, Y9, Y10", dotRow(r, blockHead))
			u.op("VPMADDWD Y11, Y10, Y10\nVPADDD Y10, Y%d, Y%d", 4+r, 4+r)
		}
		u.op("ADDQ $%d, BX\nADDQ $4, SI\nDECQ AX\nJNZ %s", panelStep, loop("step"))
		u.op("VMOVUPS (DX), Y12\nADDQ $128, DX")
		for r := range rows {
			u.op("VBROADCASTSS %s, Y13\nVMULPS Y13, Y12, Y13\nVCVTDQ2PS Y%d, Y14", dotRow(r, blockHead), 4+r)
			u.op("VMULPS Y13, Y14, Y14\nVADDPS Y14, Y%d, Y%d", r, r)
		}
		if min {
			u.op("VMOVUPS (R12), Y12\nADDQ $128, R12")
			for r := range rows {
				u.op("VBROADCASTSS %s, Y13\nVMULPS Y13, Y12, Y13\nVADDPS Y13, Y%d, Y%d", dotRow(r, blockHead+4), r, r)
			}
		}
		u.op("ADDQ R14, BX\nADDQ $%d, SI\nDECQ CX\nJNZ %s\nMOVQ DI, R15", blockHead+blockFoot, loop("block"))
		for r := range rows {
			u.op("VMOVUPS Y%d, %d(R15)\nADDQ R13, R15", r, 32*q)
		}
	}
	u.op("VZEROUPPER\nRET")
}
