package asmgen

import (
	"fmt"
	"strings"
)

// Register numbers of the memory operands of tile instructions.
var number = map[string]int{
	"AX": 0, "CX": 1, "DX": 2, "BX": 3, "SI": 6, "DI": 7,
	"R8": 8, "R9": 9, "R10": 10, "R11": 11, "R12": 12, "R13": 13, "R14": 14, "R15": 15,
}

// Prefixes of VEX instructions (field pp).
const (
	noPrefix = iota
	prefix66
	prefixF3
	prefixF2
)

// vex encodes a VEX.128 instruction of map 0F38 with W = 0 (Intel SDM volume 2,
// section 2.3.5). V is the number of the third register, 0 where there is none;
// rm is the ModRM byte and what follows; x and b are the high bits of the index
// and the base register.
func vex(pp int, opcode byte, v, x, b int, rm ...byte) []byte {
	third := ^byte(v) & 15
	return append([]byte{0xc4, byte(1<<7 | (1-x)<<6 | (1-b)<<5 | 2), third<<3 | byte(pp), opcode}, rm...)
}

// memory encodes tile register reg with the operand disp(base)(index*1).
func memory(pp int, opcode byte, reg int, base, index string, disp int) []byte {
	b, x := number[base], number[index]
	sib := byte(x&7<<3 | b&7)
	switch {
	case disp == 0 && b&7 != 5:
		return vex(pp, opcode, 0, x>>3, b>>3, byte(reg<<3|4), sib)
	case disp == int(int8(disp)):
		return vex(pp, opcode, 0, x>>3, b>>3, byte(1<<6|reg<<3|4), sib, byte(disp))
	}
	return vex(pp, opcode, 0, x>>3, b>>3, byte(2<<6|reg<<3|4), sib,
		byte(disp), byte(disp>>8), byte(disp>>16), byte(disp>>24))
}

// The tile instructions. Rows of a tile in memory are index bytes apart.
func tileLoad(t int, base, index string, disp int) []byte {
	return memory(prefixF2, 0x4b, t, base, index, disp)
}

func tileStore(t int, base, index string, disp int) []byte {
	return memory(prefixF3, 0x4b, t, base, index, disp)
}

func tileZero(t int) []byte { return vex(prefixF2, 0x49, 0, 0, 0, byte(3<<6|t<<3)) }

func tileRelease() []byte { return vex(noPrefix, 0x49, 0, 0, 0, 0xc0) }

// tileConfig loads the configuration at base.
func tileConfig(base string) []byte {
	return vex(noPrefix, 0x49, 0, 0, number[base]>>3, byte(number[base]&7))
}

// evex encodes an instruction of map 0F38 with W = 0 on three Z registers (Intel
// SDM volume 2, section 2.7.1).
func evex(pp int, opcode byte, dst, v, rm int) []byte {
	inverted := func(bit int) byte { return byte(^bit & 1) }
	return []byte{0x62,
		inverted(dst>>3)<<7 | inverted(rm>>4)<<6 | inverted(rm>>3)<<5 | inverted(dst>>4)<<4 | 2,
		byte(^v&15)<<3 | 1<<2 | byte(pp),
		2<<5 | inverted(v>>4)<<3, // 512 bits
		opcode, byte(3<<6 | dst&7<<3 | rm&7)}
}

// dotProduct adds to each f32 of c the products of the pair of bf16 there in a
// and b (VDPBF16PS).
func dotProduct(c, a, b int) []byte { return evex(prefixF3, 0x52, c, a, b) }

// toBF16 rounds the f32 values of low, then of high, to bf16 (VCVTNE2PS2BF16).
func toBF16(dst, high, low int) []byte { return evex(prefixF2, 0x72, dst, high, low) }

// tileProduct adds the product of tiles a and b of bf16 pairs to tile c.
func tileProduct(c, a, b int) []byte { return vex(prefixF3, 0x5c, b, 0, 0, byte(3<<6|c<<3|a)) }

// tileCodes adds the product of signed codes in tile a and unsigned ones in tile b,
// four at a time, to the int32 of tile c (TDPBSUD).
func tileCodes(c, a, b int) []byte { return vex(prefixF3, 0x5e, b, 0, 0, byte(3<<6|c<<3|a)) }

// bytes writes an instruction that the assembler does not know.
func (u *unit) bytes(code []byte, text string, args ...any) {
	var b strings.Builder
	for _, c := range code {
		fmt.Fprintf(&b, "BYTE $%#02x; ", c)
	}
	fmt.Fprintf(&u.text, "\t%s// %s\n", b.String(), fmt.Sprintf(text, args...))
}

// Offsets of the fields of tileArgs in package kernel. The routine changes
// a, rowPanels, in, out and left.
const (
	argConfig = 0
	argA      = 64 + 8*iota - 8
	argAPanel
	argB
	argBPanel
	argSteps
	argBlocks
	argASkip
	argBSkip
	argRowPanels
	argGroup
	argColPanels
	argIn
	argInRow
	argInPanel
	argOut
	argOutRow
	argOutPanel
	argLeft
)

// mulTiles writes the product of blocks by tiles, with panels of A of aTiles
// tiles of rows and panels of B of bTiles tiles of columns. Row panels are taken
// in groups that stay in the first cache while all panels of B pass: loads from
// the second cache are then fewer than tile products can wait for.
//
// Tiles 0 to 3 are sums, 4 and 5 hold A, 6 and 7 B. BX, SI, DX and CX walk over
// the panels of B and A and over in and out; R12 and R13 are in and out at the
// first row panel of the group.
func mulTiles(u *unit, aTiles, bTiles int) {
	u.fn(fmt.Sprintf("mulTiles%dx%d", aTiles, bTiles),
		fmt.Sprintf("computes out = in + A B for panels of %d tiles of rows and %d of\n// columns.", aTiles, bTiles),
		"args *tileArgs DI")
	arg := func(offset int, reg string) { u.op("MOVQ %d(DI), %s", offset, reg) }
	u.bytes(tileConfig("DI"), "LDTILECFG (DI)")
	u.op("MOVQ $64, R10") // bytes between tile rows in panels
	u.label("group")
	arg(argGroup, "R11")
	u.op("CMPQ R11, %d(DI)\nJLE panels\nMOVQ %d(DI), R11", argRowPanels, argRowPanels)
	u.label("panels")
	arg(argB, "BX")
	arg(argIn, "R12")
	arg(argOut, "R13")
	arg(argColPanels, "R14")
	u.label("column")
	arg(argA, "SI")
	u.op("MOVQ R12, DX\nMOVQ R13, CX\nMOVQ R11, %d(DI)", argLeft)
	u.label("row")
	sumTiles(u, aTiles, bTiles)
	u.op("MOVQ SI, R8\nMOVQ BX, R9")
	arg(argBlocks, "AX")
	u.label("block")
	arg(argSteps, "R15")
	u.label("step")
	stepTiles(u, aTiles, bTiles)
	u.op("ADDQ $2048, R8\nADDQ $2048, R9\nDECQ R15\nJNZ step")
	u.op("ADDQ %d(DI), R8\nADDQ %d(DI), R9\nDECQ AX\nJNZ block", argASkip, argBSkip)
	storeTiles(u, aTiles, bTiles)
	u.op("ADDQ %d(DI), SI\nDECQ %d(DI)\nJNZ row", argAPanel, argLeft)
	u.op("ADDQ %d(DI), BX\nADDQ %d(DI), R12\nADDQ %d(DI), R13", argBPanel, argInPanel, argOutPanel)
	u.op("DECQ R14\nJNZ column")
	for _, p := range [][3]int{{argAPanel, argA, 0}, {argInRow, argIn, 5}, {argOutRow, argOut, 5}} {
		u.op("MOVQ %d(DI), AX\nIMULQ R11, AX\nSHLQ $%d, AX\nADDQ AX, %d(DI)", p[0], p[2], p[1])
	}
	u.op("SUBQ R11, %d(DI)\nJNZ group", argRowPanels)
	u.bytes(tileRelease(), "TILERELEASE")
	u.op("RET")
}

// sumTiles loads the sums from DX, or zeros them.
func sumTiles(u *unit, aTiles, bTiles int) {
	u.op("TESTQ DX, DX\nJZ zero\nMOVQ %d(DI), AX\nMOVQ AX, R8\nSHLQ $4, R8\nADDQ DX, R8", argInRow)
	for t, base := range []string{"DX", "R8"}[:aTiles] {
		for b := range bTiles {
			u.bytes(tileLoad(2*t+b, base, "AX", 64*b), "TILELOADD %d(%s)(AX*1), TMM%d", 64*b, base, 2*t+b)
		}
	}
	u.op("JMP begin")
	u.label("zero")
	for t := range aTiles {
		for b := range bTiles {
			u.bytes(tileZero(2*t+b), "TILEZERO TMM%d", 2*t+b)
		}
	}
	u.label("begin")
}

// stepTiles multiplies one depth of 32. Loads stand right before their first
// use; the processor runs several steps ahead by itself.
func stepTiles(u *unit, aTiles, bTiles int) {
	load := func(t int, base string, disp int) {
		u.bytes(tileLoad(t, base, "R10", disp), "TILELOADD %d(%s)(R10*1), TMM%d", disp, base, t)
	}
	product := func(a, b int) {
		u.bytes(tileProduct(2*a+b, 4+a, 6+b), "TDPBF16PS TMM%d, TMM%d, TMM%d", 6+b, 4+a, 2*a+b)
	}
	load(4, "R8", 0)
	for b := range bTiles {
		load(6+b, "R9", 1024*b)
		product(0, b)
	}
	if aTiles == 2 {
		load(5, "R8", 1024)
		for b := range bTiles {
			product(1, b)
		}
	}
}

// storeTiles writes the sums to CX and advances CX and DX to the next row panel.
func storeTiles(u *unit, aTiles, bTiles int) {
	u.op("MOVQ %d(DI), AX\nMOVQ AX, R8\nSHLQ $4, R8\nLEAQ (CX)(R8*1), R9", argOutRow)
	for t, base := range []string{"CX", "R9"}[:aTiles] {
		for b := range bTiles {
			u.bytes(tileStore(2*t+b, base, "AX", 64*b), "TILESTORED TMM%d, %d(%s)(AX*1)", 2*t+b, 64*b, base)
		}
	}
	u.op("LEAQ (CX)(R8*2), CX\nMOVQ %d(DI), AX\nSHLQ $5, AX\nADDQ AX, DX", argInRow)
}
