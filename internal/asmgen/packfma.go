package asmgen

import "fmt"

// A source is the format of an operand and what packing does to it.
type source struct {
	name  string
	bytes int // of an element
	round bool
}

var sources = []source{{"F32", 4, false}, {"Round", 4, true}, {"BF16", 2, false}}

// packFMA writes the packers of f32 panels. Rows: the lanes of the operand are
// contiguous, so blocks of 8 x 8 are transposed. Lanes: the lanes of one k are
// contiguous, so they are copied.
func packFMA(u *unit) {
	for _, s := range sources {
		for _, lanes := range []int{8, 6} {
			packRows(u, s, lanes)
		}
		for _, lanes := range []int{16, 8, 6} {
			packLanes(u, s, lanes)
		}
	}
	storeBF16AVX2(u)
}

// load reads 8 (6) values of format s at mem with displacement disp into Yr,
// rounded where the format says so. Y14 and Y15 are used.
func (s source) load(u *unit, disp int, mem string, r, n int) {
	at := func(off int) string { return fmt.Sprintf("%d(%s)", disp+off*s.bytes, mem) }
	switch {
	case s.name == "BF16" && n == 8:
		u.op("VPMOVZXWD %s, Y%d", at(0), r)
	case s.name == "BF16":
		u.op("VMOVQ %s, X%d\nVMOVD %s, X15\nVPUNPCKLQDQ X15, X%d, X%d\nVPMOVZXWD X%d, Y%d", at(0), r, at(4), r, r, r, r)
	case n == 8:
		u.op("VMOVUPS %s, Y%d", at(0), r)
	default:
		u.op("VMOVUPS %s, X%d\nVMOVQ %s, X15\nVINSERTF128 $1, X15, Y%d, Y%d", at(0), r, at(4), r, r)
	}
	if s.name == "BF16" {
		u.op("VPSLLD $16, Y%d, Y%d", r, r)
	}
	if s.round {
		roundAVX2(u, r)
	}
}

// roundAVX2 rounds the f32 values of Yr to bf16 values: adds half a step, and
// the last kept bit to round ties to even. NaN becomes quiet instead.
func roundAVX2(u *unit, r int) {
	half, quiet, mask := roundConstants(u)
	u.op("VCMPPS $3, Y%d, Y%d, Y15", r, r)
	u.op("VPSLLD $15, Y%d, Y14\nVPSRLD $31, Y14, Y14", r)
	u.op("VPADDD %s, Y14, Y14\nVPADDD Y%d, Y14, Y14", half, r)
	u.op("VPOR %s, Y%d, Y%d", quiet, r, r)
	u.op("VBLENDVPS Y15, Y%d, Y14, Y%d\nVPAND %s, Y%d, Y%d", r, r, mask, r, r)
}

func roundConstants(u *unit) (half, quiet, mask string) {
	return u.constant("half", repeat32(0x7fff, 4)...), u.constant("quiet", repeat32(0x400000, 4)...),
		u.constant("upper", repeat32(0xffff0000, 4)...)
}

// store writes 8 or 6 values of Yr to mem.
func store(u *unit, r, disp int, mem string, n int) {
	if n == 8 {
		u.op("VMOVUPS Y%d, %d(%s)", r, disp, mem)
		return
	}
	u.op("VMOVUPS X%d, %d(%s)\nVEXTRACTF128 $1, Y%d, X%d\nVMOVQ X%d, %d(%s)", r, disp, mem, r, r, r, disp+16, mem)
}

func packRows(u *unit, s source, lanes int) {
	u.fn(fmt.Sprintf("packRows%d%s", lanes, s.name),
		fmt.Sprintf("transposes blocks of 8 values of %d lanes, which are srcRow bytes\n"+
			"// apart, into f32 values dstRow bytes apart.", lanes),
		"dst unsafe.Pointer DI", "dstRow int R8", "src unsafe.Pointer SI", "srcRow int R9", "blocks int CX")
	u.op("LEAQ (R9)(R9*2), R10") // 3 rows
	u.op("LEAQ (R8)(R8*2), R11")
	u.label("loop")
	u.op("LEAQ (SI)(R9*4), R12")
	for l := range 8 {
		if l >= lanes {
			u.op("VMOVAPS Y%d, Y%d", lanes-1, l)
			continue
		}
		base := [2]string{"SI", "R12"}[l/4]
		s.load(u, 0, base+[4]string{"", ")(R9*1", ")(R9*2", ")(R10*1"}[l%4], l, 8)
	}
	// Interleave rows, then pairs, then halves: Y8..Y15 and Y0..Y7 in turn.
	for i := range 4 {
		u.op("VUNPCKLPS Y%d, Y%d, Y%d\nVUNPCKHPS Y%d, Y%d, Y%d", 2*i+1, 2*i, 8+2*i, 2*i+1, 2*i, 9+2*i)
	}
	for g := range 2 {
		t, r := 8+4*g, 4*g
		for h := range 2 {
			u.op("VUNPCKLPD Y%d, Y%d, Y%d\nVUNPCKHPD Y%d, Y%d, Y%d", t+2+h, t+h, r+2*h, t+2+h, t+h, r+2*h+1)
		}
	}
	u.op("LEAQ (DI)(R8*4), R12")
	for k := range 8 {
		u.op("VPERM2F128 $%#x, Y%d, Y%d, Y8", 0x20+k/4*0x11, 4+k%4, k%4)
		base := [2]string{"DI", "R12"}[k/4]
		store(u, 8, 0, base+[4]string{"", ")(R8*1", ")(R8*2", ")(R11*1"}[k%4], lanes)
	}
	u.op("LEAQ (DI)(R8*8), DI\nADDQ $%d, SI\nDECQ CX\nJNZ loop\nVZEROUPPER\nRET", 8*s.bytes)
}

func packLanes(u *unit, s source, lanes int) {
	u.fn(fmt.Sprintf("packLanes%d%s", lanes, s.name),
		fmt.Sprintf("copies n times %d values, srcRow bytes apart, to f32 values\n// dstRow bytes apart.", lanes),
		"dst unsafe.Pointer DI", "dstRow int R8", "src unsafe.Pointer SI", "srcRow int R9", "n int CX")
	u.label("loop")
	for l := 0; l < lanes; l += 8 {
		n := min(8, lanes-l)
		s.load(u, l*s.bytes, "SI", l/8, n)
		store(u, l/8, l*4, "DI", n)
	}
	u.op("ADDQ R9, SI\nADDQ R8, DI\nDECQ CX\nJNZ loop\nVZEROUPPER\nRET")
}

func storeBF16AVX2(u *unit) {
	u.fn("storeBF16AVX2", "rounds n rows of 16 f32 values, srcRow bytes apart, to bf16 values\n// dstRow bytes apart.",
		"dst unsafe.Pointer DI", "dstRow int R8", "src unsafe.Pointer SI", "srcRow int R9", "n int CX")
	u.label("loop")
	u.op("VMOVUPS (SI), Y0\nVMOVUPS 32(SI), Y1")
	for r := range 2 {
		roundAVX2(u, r)
		u.op("VPSRLD $16, Y%d, Y%d", r, r)
	}
	u.op("VPACKUSDW Y1, Y0, Y0\nVPERMQ $0xd8, Y0, Y0\nVMOVUPS Y0, (DI)")
	u.op("ADDQ R9, SI\nADDQ R8, DI\nDECQ CX\nJNZ loop\nVZEROUPPER\nRET")
}
