//go:build !purego

#include "textflag.h"

// The last step of sums: 32 lanes to one value in a fixed tree, the upper half
// onto the lower. AVX; used by both widths.

// HALVES reduces the lanes at (DI) to X0 with op, op1 being its scalar form.
#define HALVES(op, op1) \
	VMOVUPS      (DI), Y0          \
	VMOVUPS      32(DI), Y1        \
	op           64(DI), Y0, Y0    \
	op           96(DI), Y1, Y1    \
	op           Y1, Y0, Y0        \
	VEXTRACTF128 $1, Y0, X1        \
	op           X1, X0, X0        \
	VPERMILPS    $0x0e, X0, X1     \
	op           X1, X0, X0        \
	VPERMILPS    $0x01, X0, X1     \
	op1          X1, X0, X0        \
	VZEROUPPER

// func foldSum(acc *lanes) float32
TEXT ·foldSum(SB), NOSPLIT, $0-12
	MOVQ acc+0(FP), DI
	HALVES(VADDPS, VADDSS)
	VMOVSS X0, ret+8(FP)
	RET

// func foldMax(acc *lanes) float32
TEXT ·foldMax(SB), NOSPLIT, $0-12
	MOVQ acc+0(FP), DI
	HALVES(VMAXPS, VMAXSS)
	VMOVSS X0, ret+8(FP)
	RET
