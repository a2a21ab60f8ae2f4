package asmgen

import "fmt"

// halvesBytes is the lower halves of 32 depths of a panel.
const halvesBytes = 512

// wide is what differs between the two widths of the code converters.
type wide struct {
	name, reg string
	bytes     int // of a register
	move      string
	suffix    string // of bitwise instructions
}

var wides = map[string]wide{
	"AVX2":   {"AVX2", "Y", 32, "VMOVDQU", ""},
	"AVX512": {"AVX512", "Z", 64, "VMOVDQU64", "Q"},
}

// unpackCodes writes the routine that widens codes of 4, 5 or 6 bits, or indices
// of a table, to bytes. For 32 depths of a panel there are 512 bytes of lower
// halves: 128 bytes hold 4 depths in their lower and 4 in their upper halves. The
// plane of fifth bits behind them has 128 bytes, one bit a code; that of fifth and
// sixth bits 256, of which each holds the bits of four steps.
func unpackCodes(u *unit, w wide, bits int, table bool) {
	name := fmt.Sprintf("unpack%d%s", bits, w.name)
	args := []string{"dst unsafe.Pointer DI", "src unsafe.Pointer SI", "blocks int CX", "stride int R8"}
	doc := fmt.Sprintf("widens blocks of 32 depths of codes of %d bits, stride bytes apart.", bits)
	if table {
		name = "unpackTable" + w.name
		args = append(args, "table unsafe.Pointer DX")
		doc = "looks 4-bit codes of blocks of 32 depths, stride bytes apart, up in a table\n// of 16 bytes."
	}
	u.fn(name, doc, args...)
	r := func(n int) string { return fmt.Sprintf("%s%d", w.reg, n) }
	u.op("MOVL $0x0f0f0f0f, AX\nVMOVD AX, X8\nVPBROADCASTD X8, %s", r(8))
	switch {
	case table && w.reg == "Z":
		u.op("VBROADCASTI32X4 (DX), Z9")
	case table:
		u.op("VBROADCASTI128 (DX), Y9")
	case bits == 5:
		u.op("MOVL $0x10101010, AX\nVMOVD AX, X9\nVPBROADCASTD X9, %s", r(9))
		if w.reg == "Y" { // byte i of 8 takes bit i of the byte that was spread to it
			u.op("VMOVDQU %s, Y10\nVMOVDQU %s, Y11",
				u.constant("spread", 0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303),
				u.constant("bits", 0x8040201008040201, 0x8040201008040201, 0x8040201008040201, 0x8040201008040201))
		}
	case bits == 6:
		u.op("MOVL $0x30303030, AX\nVMOVD AX, X9\nVPBROADCASTD X9, %s", r(9))
	}
	u.label("block")
	for pair := range 4 {
		for at := 0; at < panelStep; at += w.bytes {
			u.op("%s %d(SI), %s\nVPSRLW $4, %s, %s", w.move, panelStep*pair+at, r(0), r(0), r(1))
			for half := range 2 {
				u.op("VPAND%s %s, %s, %s", w.suffix, r(8), r(half), r(half))
				if table {
					u.op("VPSHUFB %s, %s, %s", r(half), r(9), r(half))
				}
				step := 2*pair + half
				switch bits {
				case 5:
					w.addBit(u, step, at, half)
				case 6:
					w.addPair(u, step, at, half)
				}
				u.op("%s %s, %d(DI)", w.move, r(half), panelStep*step+at)
			}
		}
	}
	u.op("ADDQ R8, SI\nADDQ $1024, DI\nDECQ CX\nJNZ block\nVZEROUPPER\nRET")
}

// addBit adds 16 to the codes at byte at of a step whose fifth bit is set.
func (w wide) addBit(u *unit, step, at, r int) {
	from := halvesBytes + 16*step + at/8
	if w.reg == "Z" {
		u.op("KMOVQ %d(SI), K1\nVPADDB Z9, Z%d, K1, Z%d", from, r, r)
		return
	}
	u.op("VPBROADCASTD %d(SI), Y2\nVPSHUFB Y10, Y2, Y2\nVPAND Y11, Y2, Y2\nVPCMPEQB Y11, Y2, Y2", from)
	u.op("VPAND Y9, Y2, Y2\nVPOR Y2, Y%d, Y%d", r, r)
}

// addPair adds the fifth and sixth bits.
func (w wide) addPair(u *unit, step, at, r int) {
	t := fmt.Sprintf("%s2", w.reg)
	u.op("%s %d(SI), %s", w.move, halvesBytes+panelStep*(step/4)+at, t)
	switch shift := 4 - 2*(step%4); {
	case shift > 0:
		u.op("VPSLLW $%d, %s, %s", shift, t, t)
	case shift < 0:
		u.op("VPSRLW $%d, %s, %s", -shift, t, t)
	}
	u.op("VPAND%s %s9, %s, %s\nVPOR%s %s, %s%d, %s%d", w.suffix, w.reg, t, t, w.suffix, t, w.reg, r, w.reg, r)
}

// expandScales writes the routines that make f32 scales for 32 outputs: from f16
// or bf16, and from the int8 scales of blocks times the f16 scale of a run.
func expandScales(u *unit, w wide) {
	regs, lanes := 128/w.bytes, w.bytes/4
	for _, format := range []string{"F16", "BF16"} {
		u.fn("expand"+format+w.name, "widens n times 32 values, stride bytes apart, to f32.",
			"dst unsafe.Pointer DI", "src unsafe.Pointer SI", "n int CX", "stride int R8")
		u.label("block")
		for i := range regs {
			if format == "F16" {
				u.op("VCVTPH2PS %d(SI), %s%d", 2*lanes*i, w.reg, i)
			} else {
				u.op("VPMOVZXWD %d(SI), %s%d\nVPSLLD $16, %s%d, %s%d", 2*lanes*i, w.reg, i, w.reg, i, w.reg, i)
			}
			u.op("VMOVUPS %s%d, %d(DI)", w.reg, i, w.bytes*i)
		}
		u.op("ADDQ R8, SI\nADDQ $128, DI\nDECQ CX\nJNZ block\nVZEROUPPER\nRET")
	}
	u.fn("expandRuns"+w.name, "writes d times each of subs scales for 32 outputs and n runs, stride bytes\n"+
		"// apart: d is f16, scales are int8, results f32.",
		"dst unsafe.Pointer DI", "d unsafe.Pointer BX", "scales unsafe.Pointer SI", "n int CX", "subs int R8", "stride int R9")
	u.label("run")
	for i := range regs {
		u.op("VCVTPH2PS %d(BX), %s%d", 2*lanes*i, w.reg, i)
	}
	u.op("MOVQ R8, AX\nMOVQ SI, DX")
	u.label("block")
	for i := range regs {
		t := fmt.Sprintf("%s%d", w.reg, 4+i)
		u.op("VPMOVSXBD %d(DX), %s\nVCVTDQ2PS %s, %s\nVMULPS %s%d, %s, %s\nVMOVUPS %s, %d(DI)",
			lanes*i, t, t, t, w.reg, i, t, t, t, w.bytes*i)
	}
	u.op("ADDQ $32, DX\nADDQ $128, DI\nDECQ AX\nJNZ block\nADDQ R9, BX\nADDQ R9, SI\nDECQ CX\nJNZ run\nVZEROUPPER\nRET")
}

// roundRow writes the routine that rounds 32 f32 values at a time to codes with
// one scale, and stores them as one block of 32 or two of 16.
func roundRow(u *unit, w wide, sub int) {
	u.fn(fmt.Sprintf("roundRow%d%s", sub, w.name),
		fmt.Sprintf("rounds groups of 32 f32 values to int8 with one scale and stores them as\n"+
			"// blocks of %d for the dot products. Sums start at start times the sum of codes.", sub),
		"dst unsafe.Pointer DI", "src unsafe.Pointer SI", "groups int CX", "start int R8")
	u.op("VMOVSS %s, X15\nVMOVDQU %s, X14\nVPXOR X13, X13, X13\nMOVL $0x3f800000, AX\nVMOVD AX, X12",
		u.constant("steps127", 0x42fe0000), u.constant("flip", 0x8080808080808080, 0x8080808080808080))
	u.op("MOVL $0x7fffffff, AX\nVMOVD AX, X11\nVPBROADCASTD X11, %s11", w.reg)
	u.label("group")
	n := 128 / w.bytes // registers of values
	for i := range n {
		u.op("VMOVUPS %d(SI), %s%d\nVPAND%s %s11, %s%d, %s%d", w.bytes*i, w.reg, i, w.suffix, w.reg, w.reg, i, w.reg, 4+i)
	}
	for i := 1; i < n; i++ {
		u.op("VPMAXUD %s%d, %s4, %s4", w.reg, 4+i, w.reg, w.reg)
	}
	if w.reg == "Z" {
		u.op("VEXTRACTI64X4 $1, Z4, Y5\nVPMAXUD Y5, Y4, Y4")
	}
	u.op("VEXTRACTI128 $1, Y4, X5\nVPMAXUD X5, X4, X4\nVPSHUFD $0x4e, X4, X5\nVPMAXUD X5, X4, X4")
	u.op("VPSHUFD $0xb1, X4, X5\nVPMAXUD X5, X4, X4\nVMOVD X4, AX")
	u.op("CMPL AX, $0x7f800000\nJAE broken\nCMPL AX, $0x0d800000\nJB zero")
	u.op("VDIVSS X15, X4, X5\nVDIVSS X5, X12, X6\nVBROADCASTSS X6, %s6", w.reg)
	for i := range n {
		u.op("VMULPS %s6, %s%d, %s%d\nVCVTPS2DQ %s%d, %s%d", w.reg, w.reg, i, w.reg, i, w.reg, i, w.reg, i)
	}
	if w.reg == "Z" {
		u.op("VPMOVDB Z0, X0\nVPMOVDB Z1, X1")
	} else { // packing interleaves halves: dwords 0 4 1 5 2 6 3 7
		u.op("VPACKSSDW Y1, Y0, Y0\nVPACKSSDW Y3, Y2, Y2\nVPACKSSWB Y2, Y0, Y0")
		u.op("VMOVDQU %s, Y1\nVPERMD Y0, Y1, Y0\nVEXTRACTI128 $1, Y0, X1",
			u.constant("unmix", 4<<32, 5<<32|1, 6<<32|2, 7<<32|3))
	}
	u.label("store")
	for i := range 2 {
		u.op("VPXOR X14, X%d, X%d\nVPSADBW X13, X%d, X%d\nVPSHUFD $0x4e, X%d, X4\nVPADDD X4, X%d, X%d",
			i, 2+i, 2+i, 2+i, 2+i, 2+i, 2+i)
	}
	if sub == 32 {
		u.op("VPADDD X3, X2, X2\nVMOVD X2, AX\nSUBL $4096, AX\nVCVTSI2SSL AX, X13, X2\nVMULSS X5, X2, X2\nIMULL R8, AX")
		u.op("MOVL AX, (DI)\nVMOVDQU X0, 4(DI)\nVMOVDQU X1, 20(DI)\nVMOVSS X5, 36(DI)\nVMOVSS X2, 40(DI)\nADDQ $44, DI")
	} else {
		for i := range 2 {
			u.op("VMOVD X%d, AX\nSUBL $2048, AX\nVCVTSI2SSL AX, X13, X%d\nVMULSS X5, X%d, X%d\nIMULL R8, AX", 2+i, 2+i, 2+i, 2+i)
			u.op("MOVL AX, %d(DI)\nVMOVDQU X%d, %d(DI)\nVMOVSS X5, %d(DI)\nVMOVSS X%d, %d(DI)", 28*i, i, 28*i+4, 28*i+20, 2+i, 28*i+24)
		}
		u.op("ADDQ $56, DI")
	}
	u.op("ADDQ $128, SI\nDECQ CX\nJNZ group\nVZEROUPPER\nRET")
	u.label("broken") // NaN or infinity: the scale is NaN, and so are all results
	u.op("MOVL $0x7fc00000, AX\nVMOVD AX, X5\nVPXOR X0, X0, X0\nVPXOR X1, X1, X1\nJMP store")
	u.label("zero")
	u.op("VPXOR X5, X5, X5\nVPXOR X0, X0, X0\nVPXOR X1, X1, X1\nJMP store")
}

// prefetchLines writes the routine that asks for memory to be brought nearer.
func prefetchLines(u *unit) {
	u.fn("prefetchLines", "asks for n cache lines from p on, into the second cache.", "p unsafe.Pointer SI", "n int CX")
	u.label("line")
	u.op("PREFETCHT1 (SI)\nADDQ $64, SI\nDECQ CX\nJNZ line\nRET")
}
