package asmgen

import "fmt"

// Routines that lay the codes of 32 rows of a file side by side: of every 4 bytes
// of the rows, 128 bytes. They take 8 rows at a time, as a matrix of 8 rows of
// 32-bit words that is transposed. SI walks over the rows, DI over the places of
// 8 rows, R8 is the bytes between rows, R9 three times as many.
const layGroups = 32 / 8

const layDoc = "lays the codes of a block of 32 rows, row bytes apart, side by side: "

// layLoop runs body for each group of rows with the address of row r.
func layLoop(u *unit, body func(row func(r int) string)) {
	u.op("LEAQ (R8)(R8*2), R9\nMOVQ $%d, AX", layGroups)
	u.label("group")
	u.op("LEAQ (SI)(R8*4), BX")
	body(func(r int) string {
		base := [2]string{"(SI", "(BX"}[r/4]
		return base + [4]string{")", ")(R8*1)", ")(R8*2)", ")(R9*1)"}[r%4]
	})
	u.op("LEAQ (SI)(R8*8), SI\nADDQ $32, DI\nDECQ AX\nJNZ group")
}

// transpose8 makes Y8 to Y15 the columns of the rows in Y0 to Y7.
func transpose8(u *unit) {
	for r := 0; r < 8; r += 2 {
		u.op("VPUNPCKLDQ Y%d, Y%d, Y%d\nVPUNPCKHDQ Y%d, Y%d, Y%d", r+1, r, 8+r, r+1, r, 9+r)
	}
	for h := 0; h < 8; h += 4 {
		for i := range 2 {
			a, b := 8+h+i, 10+h+i
			u.op("VPUNPCKLQDQ Y%d, Y%d, Y%d\nVPUNPCKHQDQ Y%d, Y%d, Y%d", b, a, h+2*i, b, a, h+2*i+1)
		}
	}
	for c := range 4 {
		u.op("VPERM2I128 $0x20, Y%d, Y%d, Y%d\nVPERM2I128 $0x31, Y%d, Y%d, Y%d", 4+c, c, 8+c, 4+c, c, 12+c)
	}
}

// layBytes takes 32 bytes of each row.
func layBytes(u *unit) {
	u.fn("layBytesAVX2", layDoc+"bytes, with\n// the bits of flip inverted.",
		"dst unsafe.Pointer DI", "src unsafe.Pointer SI", "row int R8", "flip int AX")
	u.op("IMULQ $0x01010101, AX\nMOVL AX, R10")
	layLoop(u, func(row func(int) string) {
		for r := range 8 {
			u.op("VMOVDQU %s, Y%d", row(r), r)
		}
		transpose8(u)
		u.op("MOVQ R10, X0\nVPBROADCASTD X0, Y0")
		for c := range 8 {
			u.op("VPXOR Y0, Y%d, Y%d\nVMOVDQU Y%d, %d(DI)", 8+c, 8+c, 8+c, panelStep*c)
		}
	})
	u.op("VZEROUPPER\nRET")
}

// halves packs the lower and the upper halves of bytes of columns a and b, a step
// apart, and stores them at two places. Y0 has the mask of lower halves.
func halves(u *unit, a, b, low, high int) {
	u.op("VPAND Y0, Y%d, Y1\nVPAND Y0, Y%d, Y2\nVPSLLD $4, Y2, Y2\nVPOR Y1, Y2, Y1\nVMOVDQU Y1, %d(DI)", a, b, low)
	u.op("VPSRLD $4, Y%d, Y3\nVPAND Y0, Y3, Y3\nVPANDN Y%d, Y0, Y4\nVPOR Y3, Y4, Y3\nVMOVDQU Y3, %d(DI)", a, b, high)
}

// layRuns repeats a layLoop CX times, with the rows and places of the next run.
func layRuns(u *unit, name string, bytes int, body func(row func(int) string)) {
	u.fn(name, fmt.Sprintf(layDoc+"%d halves\n// of bytes from %d bytes, lower ones first, n times.", 2*bytes, bytes),
		"dst unsafe.Pointer DI", "src unsafe.Pointer SI", "row int R8", "n int CX")
	u.op("MOVQ SI, R11\nMOVQ DI, R12")
	u.label("run")
	layLoop(u, body)
	u.op("ADDQ $%d, R11\nADDQ $%d, R12\nMOVQ R11, SI\nMOVQ R12, DI\nDECQ CX\nJNZ run", bytes, bytes*32)
	u.op("VZEROUPPER\nRET")
}

func layHalves16(u *unit) {
	mask := u.constant("lowHalves", 0x0f0f0f0f0f0f0f0f)
	layRuns(u, "layHalves16AVX2", 16, func(row func(int) string) {
		for r := range 4 {
			u.op("VMOVDQU %s, X%d\nVINSERTI128 $1, %s, Y%d, Y%d", row(r), 1+r, row(4+r), 1+r, 1+r)
		}
		u.op("VPUNPCKLDQ Y2, Y1, Y5\nVPUNPCKHDQ Y2, Y1, Y6\nVPUNPCKLDQ Y4, Y3, Y7\nVPUNPCKHDQ Y4, Y3, Y8")
		u.op("VPUNPCKLQDQ Y7, Y5, Y9\nVPUNPCKHQDQ Y7, Y5, Y10\nVPUNPCKLQDQ Y8, Y6, Y11\nVPUNPCKHQDQ Y8, Y6, Y12")
		u.op("VPBROADCASTQ %s, Y0", mask)
		halves(u, 9, 10, 0, 2*panelStep)
		halves(u, 11, 12, panelStep, 3*panelStep)
	})
}

func layHalves32(u *unit) {
	mask := u.constant("lowHalves", 0x0f0f0f0f0f0f0f0f)
	layRuns(u, "layHalves32AVX2", 32, func(row func(int) string) {
		for r := range 8 {
			u.op("VMOVDQU %s, Y%d", row(r), r)
		}
		transpose8(u)
		u.op("VPBROADCASTQ %s, Y0", mask)
		for p := range 4 {
			halves(u, 8+2*p, 9+2*p, panelStep*p, panelStep*(4+p))
		}
	})
}
