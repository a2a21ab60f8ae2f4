package asmgen

// dotTileRows is the number of rows of activations that dotTiles takes.
const dotTileRows = 16

// Tiles of dotTiles, and the memory that it works in: the configuration, then the
// sums of two blocks, row by row side by side.
const (
	tileSums    = 0
	tileActs    = 1
	tileWeights = 2
	tileMemory  = 64
	sumsRow     = 128
)

// dotTiles multiplies 16 rows by 16 outputs at a time: the exact sums of a block by
// tiles, which go through memory to be scaled and added in f32, as in dotVNNI and
// with the same bits. The sums of the next block are begun before those of a block
// are read, so that tiles and vectors work side by side.
//
// Z0 to Z15 are the results. BX and SI walk over the codes of weights and over the
// activations, one block ahead; AX and DI over the rows of the block that is added,
// AX from its front, DI from its end; DX over scales, R12 over minima. R10 is the
// size of a block of activations, R14 that of a panel's, R11 the half of the sums.
func dotTiles(u *unit, min bool) {
	suffix, doc := "", ""
	if min {
		suffix, doc = "Min", ", and the row's scaled sum\n// times the output's minimum"
	}
	u.fn("dotTiles"+suffix, "computes out = in + A B for 16 rows of activations and a panel of codes, as\n"+
		"// dotVNNIRows6"+suffix+" does for 6"+doc+". tiles is their configuration and 2048 bytes more.",
		"w unsafe.Pointer BX", "scales unsafe.Pointer DX", "mins unsafe.Pointer R12", "a unsafe.Pointer SI",
		"aRow int R8", "blocks int CX", "steps int R11", "skip int R14",
		"in unsafe.Pointer AX", "inRow int R15", "out unsafe.Pointer DI", "outRow int R13", "tiles unsafe.Pointer R9")
	u.bytes(tileConfig("R9"), "LDTILECFG (R9)")
	u.op("ADDQ $%d, R9", tileMemory)
	u.op("LEAQ %d(R11*4), R10\nSHLQ $7, R11\nADDQ R11, R14", blockHead+blockFoot)
	u.op("MOVQ $%d, R15\nLEAQ (R8)(R8*2), R13\nXORQ R11, R11", panelStep)
	for half := range 2 {
		dotHalf(u, half, min)
	}
	u.bytes(tileRelease(), "TILERELEASE")
	u.op("VZEROUPPER\nRET")
}

// dotHalf is dotTiles for one half of the outputs.
func dotHalf(u *unit, half int, min bool) {
	loop := func(s string) string { return s + [2]string{"Low", "High"}[half] }
	if half > 0 {
		u.op("MOVQ w+0(FP), BX\nMOVQ scales+8(FP), DX\nMOVQ a+24(FP), SI\nMOVQ blocks+40(FP), CX")
		u.op("MOVQ in+64(FP), AX")
		if min {
			u.op("MOVQ mins+16(FP), R12")
		}
	}
	for r := range dotTileRows {
		u.op("VPXORD Z%d, Z%d, Z%d", r, r, r)
	}
	u.op("TESTQ AX, AX\nJZ %s\nMOVQ inRow+72(FP), DI", loop("begin"))
	for r := range dotTileRows {
		u.op("VMOVUPS %d(AX), Z%d\nADDQ DI, AX", 64*half, r)
	}
	u.label(loop("begin"))
	sumBlock(u, half)
	u.label(loop("block"))
	u.op("CMPQ CX, $1\nJLE %s", loop("last"))
	sumBlock(u, half)
	u.op("JMP %s", loop("add"))
	u.label(loop("last"))
	u.op("ADDQ R10, SI\nXORQ $64, R11")
	u.label(loop("add"))
	u.op("MOVQ SI, DI\nSUBQ R10, DI\nMOVQ DI, AX\nSUBQ R10, AX")
	u.op("VMOVUPS %d(DX), Z28\nADDQ $%d, DX", 64*half, panelStep)
	if min {
		u.op("VMOVUPS %d(R12), Z29\nADDQ $%d, R12", 64*half, panelStep)
	}
	for r := range dotTileRows {
		addRow(u, r, min)
	}
	u.op("DECQ CX\nJNZ %s", loop("block"))
	u.op("MOVQ out+80(FP), DI\nMOVQ outRow+88(FP), AX")
	for r := range dotTileRows {
		u.op("VMOVUPS Z%d, %d(DI)\nADDQ AX, DI", r, 64*half)
	}
}

// sumBlock begins the sums of the block at BX and SI in one half of their memory,
// and goes to the next block and the other half.
func sumBlock(u *unit, half int) {
	u.bytes(tileZero(tileSums), "TILEZERO TMM%d", tileSums)
	u.bytes(tileLoad(tileActs, "SI", "R8", blockHead), "TILELOADD %d(SI)(R8*1), TMM%d", blockHead, tileActs)
	u.bytes(tileLoad(tileWeights, "BX", "R15", 64*half), "TILELOADD %d(BX)(R15*1), TMM%d", 64*half, tileWeights)
	u.bytes(tileCodes(tileSums, tileActs, tileWeights), "TDPBSUD TMM%d, TMM%d, TMM%d", tileWeights, tileActs, tileSums)
	u.op("LEAQ (R9)(R11*1), AX\nXORQ $64, R11\nADDQ R10, SI\nADDQ R14, BX")
	u.bytes(tileStore(tileSums, "AX", "R15", 0), "TILESTORED TMM%d, (AX)(R15*1)", tileSums)
}

// addRow adds row r of a block's sums, scaled, to its results. R11 is the half of
// the block after next, which is that of this one.
func addRow(u *unit, r int, min bool) {
	sum, scale := 16+r%6, 22+r%6
	at := [4]string{")", ")(R8*1)", ")(R8*2)", ")(R13*1)"}[r%4]
	u.op("VPBROADCASTD (AX%s, Z%d\nVPADDD %d(R9)(R11*1), Z%d, Z%d\nVCVTDQ2PS Z%d, Z%d", at, sum, sumsRow*r, sum, sum, sum, sum)
	u.op("VMULPS.BCST %d(DI%s, Z28, Z%d\nVMULPS Z%d, Z%d, Z%d\nVADDPS Z%d, Z%d, Z%d", -blockFoot, at, scale, sum, scale, sum, sum, r, r)
	if min {
		u.op("VMULPS.BCST %d(DI%s, Z29, Z%d\nVADDPS Z%d, Z%d, Z%d", 4-blockFoot, at, scale, scale, r, r)
	}
	if r%4 == 3 {
		u.op("LEAQ (AX)(R8*4), AX\nLEAQ (DI)(R8*4), DI")
	}
}
