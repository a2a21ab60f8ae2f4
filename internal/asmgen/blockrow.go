package asmgen

import "fmt"

// blockKind is a layout of panels for the products of one row, which read the
// panel as memory delivers it.
type blockKind struct {
	name  string
	bits  int // of a code
	sub   int // depths of a scale
	table bool
	min   bool
	scale string // "F16" or "BF16" before each block; "Runs": f16 and int8 before each run of 8
}

var blockKinds = []blockKind{
	{"Q80", 8, 32, false, false, "F16"}, {"Q40", 4, 32, false, false, "F16"}, {"Q41", 4, 32, false, true, "F16"},
	{"Q50", 5, 32, false, false, "F16"}, {"Q51", 5, 32, false, true, "F16"}, {"Q2K", 4, 16, false, true, "Runs"},
	{"Q3K", 4, 16, false, false, "Runs"}, {"Q4K", 4, 32, false, true, "Runs"}, {"Q5K", 5, 32, false, true, "Runs"},
	{"Q6K", 6, 16, false, false, "Runs"}, {"IQ4NL", 4, 32, true, false, "F16"}, {"IQ4XS", 4, 32, true, false, "Runs"},
	{"MXFP4", 4, 32, true, false, "BF16"},
}

// prefetchAhead is how far before its use a panel is asked for, in bytes.
const prefetchAhead = 3072

// rowVNNI writes the product of one row and a panel. Z0 and Z1 are the sums, Z2
// and Z3 those of a block, Z4 to Z11 codes and scales; Z16 to Z18 constants.
func rowVNNI(u *unit, k blockKind) {
	args := []string{"w unsafe.Pointer BX", "a unsafe.Pointer SI", "runs int CX", "in unsafe.Pointer AX", "out unsafe.Pointer DI"}
	if k.table {
		args = append(args, "table unsafe.Pointer DX")
	}
	u.fn("rowVNNI"+k.name, "computes out = in + a B for one row of activations and a panel, 32 f32 values;\n// a nil in is zero.", args...)
	u.op("VPXORD Z0, Z0, Z0\nVPXORD Z1, Z1, Z1\nTESTQ AX, AX\nJZ begin\nVMOVUPS (AX), Z0\nVMOVUPS 64(AX), Z1")
	u.label("begin")
	u.op("MOVL $0x0f0f0f0f, AX\nVPBROADCASTD AX, Z16")
	switch {
	case k.table:
		u.op("VBROADCASTI32X4 (DX), Z17")
	case k.bits == 5:
		u.op("MOVL $0x10101010, AX\nVPBROADCASTD AX, Z17")
	case k.bits == 6:
		u.op("MOVL $0x30303030, AX\nVPBROADCASTD AX, Z17")
	}
	u.label("run")
	head, subs := 64, 1 // of d; minima have their own
	if k.scale == "Runs" {
		subs = 256 / k.sub
		u.op("VCVTPH2PS (BX), Z12\nVCVTPH2PS 32(BX), Z13")
		if k.min {
			u.op("VCVTPH2PS 64(BX), Z14\nVCVTPH2PS 96(BX), Z15")
		}
	}
	if k.min {
		head = 128
	}
	d, blocks := 0, 1
	if k.scale == "Runs" {
		u.prefetch(head + 32*subs*head/64)
		u.op("LEAQ %d(BX), R12\nADDQ $%d, BX\nMOVQ $8, R11", head, head+32*subs*head/64)
		u.label("block")
		blocks = 8
	} else {
		u.prefetch(head)
		d = -head // of the scales, seen from the codes
		u.op("ADDQ $%d, BX", head)
	}
	for part := 0; part < 32; part += k.sub {
		u.op("VPBROADCASTD (SI), Z2\nVMOVDQA64 Z2, Z3")
		for s := part / 4; s < (part+k.sub)/4; s++ {
			k.step(u, s, (s-part/4)*4+blockHead)
		}
		at := blockHead + k.sub
		k.scales(u, d, "Z12", "R12", 0)
		u.op("VBROADCASTSS %d(SI), Z6\nVMULPS Z6, Z4, Z4\nVMULPS Z6, Z5, Z5\nVCVTDQ2PS Z2, Z2\nVCVTDQ2PS Z3, Z3", at)
		u.op("VMULPS Z4, Z2, Z2\nVMULPS Z5, Z3, Z3\nVADDPS Z2, Z0, Z0\nVADDPS Z3, Z1, Z1")
		if k.min {
			k.scales(u, d+64, "Z14", "R12", 32*subs)
			u.op("VBROADCASTSS %d(SI), Z6\nVMULPS Z6, Z4, Z4\nVMULPS Z6, Z5, Z5\nVADDPS Z4, Z0, Z0\nVADDPS Z5, Z1, Z1", at+4)
		}
		if k.scale == "Runs" {
			u.op("ADDQ $32, R12")
		}
		u.op("ADDQ $%d, SI", k.sub+blockHead+blockFoot)
	}
	codes := 128 * k.bits
	u.prefetch(codes)
	u.op("ADDQ $%d, BX", codes)
	if blocks > 1 {
		u.op("DECQ R11\nJNZ block")
	}
	u.op("DECQ CX\nJNZ run\nVMOVUPS Z0, (DI)\nVMOVUPS Z1, 64(DI)\nVZEROUPPER\nRET")
}

// prefetch asks for n bytes ahead of BX.
func (u *unit) prefetch(n int) {
	for i := 0; i < n; i += 64 {
		u.op("PREFETCHT0 %d(BX)", prefetchAhead+i)
	}
}

// scales puts the scales (or minima) of a block into Z4 and Z5.
func (k blockKind) scales(u *unit, disp int, d, small string, at int) {
	switch k.scale {
	case "F16":
		u.op("VCVTPH2PS %d(BX), Z4\nVCVTPH2PS %d(BX), Z5", disp, disp+32)
	case "BF16":
		u.op("VPMOVZXWD %d(BX), Z4\nVPMOVZXWD %d(BX), Z5\nVPSLLD $16, Z4, Z4\nVPSLLD $16, Z5, Z5", disp, disp+32)
	default:
		second := map[string]string{"Z12": "Z13", "Z14": "Z15"}[d]
		u.op("VPMOVSXBD %d(%s), Z4\nVPMOVSXBD %d(%s), Z5\nVCVTDQ2PS Z4, Z4\nVCVTDQ2PS Z5, Z5", at, small, at+16, small)
		u.op("VMULPS %s, Z4, Z4\nVMULPS %s, Z5, Z5", d, second)
	}
}

// step multiplies 4 depths, those of step s of the block at BX; the activations
// are at disp(SI). Steps come in pairs, which share their bytes of halves: the
// second finds them in Z7 and Z8.
func (k blockKind) step(u *unit, s, disp int) {
	w := wides["AVX512"]
	u.op("VPBROADCASTD %d(SI), Z6", disp)
	for half := range 2 {
		at := 64 * half
		code := fmt.Sprintf("Z%d", 4+half)
		switch {
		case k.bits == 8:
			u.op("VMOVDQU64 %d(BX), %s", panelStep*s+at, code)
		case s%2 == 0:
			u.op("VMOVDQU64 %d(BX), Z%d\nVPANDQ Z16, Z%d, %s", panelStep*(s/2)+at, 7+half, 7+half, code)
		default:
			u.op("VPSRLW $4, Z%d, Z%d\nVPANDQ Z16, Z%d, %s", 7+half, 7+half, 7+half, code)
		}
		switch {
		case k.table:
			u.op("VPSHUFB %s, Z17, %s", code, code)
		case k.bits == 5:
			u.op("KMOVQ %d(BX), K1\nVPADDB Z17, %s, K1, %s", halvesBytes+16*s+at/8, code, code)
		case k.bits == 6:
			u.op("%s %d(BX), Z9", w.move, halvesBytes+panelStep*(s/4)+at)
			switch shift := 4 - 2*(s%4); {
			case shift > 0:
				u.op("VPSLLW $%d, Z9, Z9", shift)
			case shift < 0:
				u.op("VPSRLW $%d, Z9, Z9", -shift)
			}
			u.op("VPANDQ Z17, Z9, Z9\nVPORQ Z9, %s, %s", code, code)
		}
		u.op("VPDPBUSD Z6, %s, Z%d", code, 2+half)
	}
}
