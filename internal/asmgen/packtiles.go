package asmgen

import "fmt"

// Tile panels hold, for every 32 depths, two tiles of 16 rows of 64 bytes. A
// tile of A has lanes as rows and bf16 depths in them; a tile of B has pairs of
// depths as rows and 16 lanes in them.
const (
	tileBytes = 1024
	stepBytes = 2 * tileBytes
)

// tileSources are the formats of operands of tile products; f32 is rounded.
var tileSources = []source{{"F32", 4, true}, {"BF16", 2, false}}

// packTiles writes the packers of tile panels and the writer of bf16 results.
func packTiles(u *unit) {
	for _, s := range tileSources {
		tileRows(u, s)
		tilePairs(u, s)
		tileRowsTransposed(u, s)
		tilePairsTransposed(u, s)
	}
	storeBF16AVX512(u)
}

// roundConsts puts the constants of round into Z28 to Z30 and K6.
func roundConsts(u *unit) {
	u.op("MOVL $0x7fff, R15\nVPBROADCASTD R15, Z28\nMOVL $0x10000, R15\nVPBROADCASTD R15, Z29")
	// Responses of VFIXUPIMMPS: quiet NaN for both kinds of NaN, else unchanged.
	u.op("MOVL $0x22, R15\nVPBROADCASTD R15, Z30\nVPTERNLOGD $0xff, Z26, Z26, Z26")
}

// round rounds the f32 values of Zr to bf16 in the lower halves: adds half a
// step, less the last place unless the last kept bit is odd (ties to even). NaN
// becomes quiet instead. Z26 is -1; Z31 and K7 are used.
func round(u *unit, r int) {
	u.op("VPTESTMD Z29, Z%d, K7\nVPADDD Z28, Z%d, Z31\nVPSUBD Z26, Z31, K7, Z31", r, r)
	u.op("VFIXUPIMMPS $0, Z30, Z%d, Z31\nVPSRLD $16, Z31, Z%d", r, r)
}

// masks makes mask registers from the bits of a general register: of words (32
// lanes) in K1, of the lower and upper 16 in K1 and K2.
func masks(u *unit, reg string) { u.op("KMOVD %s, K1\nKSHIFTRD $16, K1, K2", reg) }

// loadRow loads 32 values at mem, those with a mask bit, as bf16 into Zr. From
// f32 the order inside groups of 128 bits is that of VPACKUSDW: two from the
// first half, then two from the second. Z27 is used.
func (s source) loadRow(u *unit, mem string, r int) {
	if s.bytes == 2 {
		u.op("VMOVDQU16.Z %s, K1, Z%d", mem, r)
		return
	}
	u.op("VMOVUPS.Z %s, K1, Z%d\nVMOVUPS.Z 64%s, K2, Z27", mem, r, mem)
	round(u, r)
	round(u, 27)
	u.op("VPACKUSDW Z27, Z%d, Z%d", r, r)
}

// loadPair loads 16 lanes of two depths, at mem and next, as pairs of bf16 into
// Zr, those with a bit in mask k. Z27 is used.
func (s source) loadPair(u *unit, mem, next, k string, r int) {
	if s.bytes == 2 {
		u.op("VPMOVZXWD.Z %s, %s, Z%d\nVPMOVZXWD.Z %s, %s, Z27", mem, k, r, next, k)
	} else {
		u.op("VMOVUPS.Z %s, %s, Z%d\nVMOVUPS.Z %s, %s, Z27", mem, k, r, next, k)
		round(u, r)
		round(u, 27)
	}
	u.op("VPSLLD $16, Z27, Z27\nVPORD Z27, Z%d, Z%d", r, r)
}

func tileRows(u *unit, s source) {
	u.fn("tileRows"+s.name, "packs n depths of up to 16 lanes, contiguous and srcRow bytes apart, as\n"+
		"// rows of tiles stepBytes apart. The last step is filled with zeros.",
		"dst unsafe.Pointer DI", "src unsafe.Pointer SI", "srcRow int R9", "lanes int CX", "n int R8")
	if s.round {
		roundConsts(u)
		u.op("VMOVDQU64 %s, Z25", u.constant("evenFirst", 0, 2, 4, 6, 1, 3, 5, 7))
	}
	// The mask of the last step, of 1 to 32 depths, and the whole steps before.
	u.op("MOVQ CX, R12\nMOVQ R8, CX\nDECQ CX\nMOVQ CX, R8\nSHRQ $5, R8\nANDQ $31, CX")
	u.op("MOVQ $2, AX\nSHLQ CX, AX\nDECQ AX\nMOVQ $-1, BX")
	u.label("lane")
	u.op("MOVQ SI, R10\nMOVQ DI, R11\nMOVQ R8, CX")
	masks(u, "BX")
	u.op("TESTQ CX, CX\nJZ last")
	step := func() {
		s.loadRow(u, "(R10)", 0)
		if s.round {
			u.op("VPERMQ Z0, Z25, Z0")
		}
		u.op("VMOVDQU64 Z0, (R11)")
	}
	u.label("step")
	step()
	u.op("ADDQ $%d, R10\nADDQ $%d, R11\nDECQ CX\nJNZ step", 32*s.bytes, stepBytes)
	u.label("last")
	masks(u, "AX")
	step()
	u.op("ADDQ R9, SI\nADDQ $64, DI\nDECQ R12\nJNZ lane\nVZEROUPPER\nRET")
}

func tilePairs(u *unit, s source) {
	u.fn("tilePairs"+s.name, "packs pairs of depths, srcRow bytes apart, of the 32 contiguous lanes\n"+
		"// with a bit in mask as rows of two tiles. The last step may be short of 16.",
		"dst unsafe.Pointer DI", "src unsafe.Pointer SI", "srcRow int R9", "mask int AX", "pairs int R8")
	if s.round {
		roundConsts(u)
	}
	masks(u, "AX")
	u.label("step")
	u.op("MOVQ $16, CX\nCMPQ R8, CX\nJGE begin\nMOVQ R8, CX")
	u.label("begin")
	u.op("SUBQ CX, R8\nMOVQ DI, R11")
	u.label("pair")
	for h := range 2 {
		off := h * 16 * s.bytes
		s.loadPair(u, fmt.Sprintf("%d(SI)", off), fmt.Sprintf("%d(SI)(R9*1)", off), fmt.Sprintf("K%d", h+1), 0)
		u.op("VMOVDQU64 Z0, %d(R11)", h*tileBytes)
	}
	u.op("LEAQ (SI)(R9*2), SI\nADDQ $64, R11\nDECQ CX\nJNZ pair")
	u.op("ADDQ $%d, DI\nTESTQ R8, R8\nJNZ step\nVZEROUPPER\nRET", stepBytes)
}

func tileRowsTransposed(u *unit, s source) {
	u.fn("tileRowsTransposed"+s.name, "packs steps of 32 depths, srcRow bytes apart, of the 16\n"+
		"// contiguous lanes with a bit in mask as rows of a tile.",
		"dst unsafe.Pointer DI", "src unsafe.Pointer SI", "srcRow int R9", "mask int AX", "steps int R8")
	u.op("KMOVD AX, K1")
	u.label("step")
	if s.round {
		roundConsts(u)
	}
	for r := range 16 {
		s.loadPair(u, "(SI)", "(SI)(R9*1)", "K1", r)
		u.op("LEAQ (SI)(R9*2), SI")
	}
	transpose(u, func(r, i int) { u.op("VMOVDQU64 Z%d, %d(DI)", r, 64*i) })
	u.op("ADDQ $%d, DI\nDECQ R8\nJNZ step\nVZEROUPPER\nRET", stepBytes)
}

func tilePairsTransposed(u *unit, s source) {
	u.fn("tilePairsTransposed"+s.name, "packs steps of 32 depths, those with a bit in mask, of 16\n"+
		"// lanes, contiguous and srcRow bytes apart, as rows of pairs of a tile.",
		"dst unsafe.Pointer DI", "src unsafe.Pointer SI", "srcRow int R9", "mask int AX", "steps int R8")
	masks(u, "AX")
	u.label("step")
	if s.round {
		roundConsts(u)
	}
	u.op("MOVQ SI, R10")
	for r := range 16 {
		s.loadRow(u, "(R10)", r)
		u.op("ADDQ R9, R10")
	}
	transpose(u, func(r, i int) {
		if s.round {
			// VPACKUSDW left pairs 0, 1 of the first and of the second half in turn.
			i = i/4*2 + i%2 + i%4/2*8
		}
		u.op("VMOVDQU64 Z%d, %d(DI)", r, 64*i)
	})
	u.op("ADDQ $%d, SI\nADDQ $%d, DI\nDECQ R8\nJNZ step\nVZEROUPPER\nRET", 32*s.bytes, stepBytes)
}

// transpose hands out the columns of the 16 x 16 matrix of 32-bit values in Z0 to
// Z15: column i is in Zr when store(r, i) is called. All Z registers are used.
func transpose(u *unit, store func(r, i int)) {
	for i := range 8 {
		u.op("VUNPCKLPS Z%d, Z%d, Z%d\nVUNPCKHPS Z%d, Z%d, Z%d", 2*i+1, 2*i, 16+2*i, 2*i+1, 2*i, 17+2*i)
	}
	for g := 0; g < 16; g += 4 {
		t := 16 + g
		for h := range 2 {
			u.op("VUNPCKLPD Z%d, Z%d, Z%d\nVUNPCKHPD Z%d, Z%d, Z%d", t+2+h, t+h, g+2*h, t+2+h, t+h, g+2*h+1)
		}
	}
	// Now lane q of Z(4g+c) holds column 4q+c of the rows 4g to 4g+3.
	for c := range 4 {
		for h, imm := range []int{0x88, 0xdd} {
			u.op("VSHUFF32X4 $%#x, Z%d, Z%d, Z%d", imm, 4+c, c, 16+2*h)
			u.op("VSHUFF32X4 $%#x, Z%d, Z%d, Z%d", imm, 12+c, 8+c, 17+2*h)
			for q, imm := range []int{0x88, 0xdd} {
				u.op("VSHUFF32X4 $%#x, Z%d, Z%d, Z%d", imm, 17+2*h, 16+2*h, 20+2*h+q)
				store(20+2*h+q, 8*q+4*h+c)
			}
		}
	}
}

func storeBF16AVX512(u *unit) {
	u.fn("storeBF16AVX512", "rounds n rows of 32 f32 values, srcRow bytes apart, to bf16 values\n// dstRow bytes apart.",
		"dst unsafe.Pointer DI", "dstRow int R8", "src unsafe.Pointer SI", "srcRow int R9", "n int CX")
	roundConsts(u)
	u.op("VMOVDQU64 %s, Z25", u.constant("evenFirst", 0, 2, 4, 6, 1, 3, 5, 7))
	u.label("loop")
	u.op("VMOVUPS (SI), Z0\nVMOVUPS 64(SI), Z1")
	round(u, 0)
	round(u, 1)
	u.op("VPACKUSDW Z1, Z0, Z0\nVPERMQ Z0, Z25, Z0\nVMOVDQU64 Z0, (DI)")
	u.op("ADDQ R9, SI\nADDQ R8, DI\nDECQ CX\nJNZ loop\nVZEROUPPER\nRET")
}
