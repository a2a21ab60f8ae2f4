//go:build !purego

#include "textflag.h"

// Philox 4x32-10 in lanes of 64 bits, whose upper halves hold anything: VPMULUDQ
// reads the lower ones and gives the high and low words of a product together. A
// turn computes one block of four words a lane. Lanes hold the blocks in such an
// order that the unpacked words come out in the order of the stream.

// Indices of the blocks of the lanes.
DATA order512<>+0(SB)/8, $0
DATA order512<>+8(SB)/8, $4
DATA order512<>+16(SB)/8, $1
DATA order512<>+24(SB)/8, $5
DATA order512<>+32(SB)/8, $2
DATA order512<>+40(SB)/8, $6
DATA order512<>+48(SB)/8, $3
DATA order512<>+56(SB)/8, $7
GLOBL order512<>(SB), RODATA|NOPTR, $64
DATA order256<>+0(SB)/8, $0
DATA order256<>+8(SB)/8, $2
DATA order256<>+16(SB)/8, $1
DATA order256<>+24(SB)/8, $3
GLOBL order256<>(SB), RODATA|NOPTR, $32

// PUT broadcasts a constant to the 32-bit lanes of reg.
#define PUT(value, x, reg) \
	MOVL         value, AX \
	VMOVD        AX, x     \
	VPBROADCASTD x, reg

// func maskAVX512(dst *float32, n int, first uint64, m *Mask, limit uint32)
// Requires AVX-512 F.
TEXT ·maskAVX512(SB), NOSPLIT, $0-36
	MOVQ         dst+0(FP), DI
	MOVQ         n+8(FP), CX
	MOVQ         m+24(FP), SI
	VPBROADCASTQ first+16(FP), Z12
	VPADDQ       order512<>(SB), Z12, Z12
	MOVL         limit+32(FP), AX
	VPBROADCASTD AX, Z16
	VPBROADCASTD (SI), Z18             // seed
	VPBROADCASTD 4(SI), Z19
	VPBROADCASTQ 8(SI), Z14            // stream
	VPSRLQ       $32, Z14, Z15
	VPBROADCASTD 24(SI), Z17           // scale
	PUT($0xD2511F53, X6, Z6)
	PUT($0xCD9E8D57, X7, Z7)
	PUT($0x9E3779B9, X10, Z10)
	PUT($0xBB67AE85, X11, Z11)
	MOVQ         $8, AX
	VPBROADCASTQ AX, Z13
	MOVL         $0xaaaa, AX           // upper words of the lanes
	KMOVW        AX, K2

turn512:
	VMOVDQA64 Z12, Z0
	VPSRLQ    $32, Z12, Z1
	VMOVDQA64 Z14, Z2
	VMOVDQA64 Z15, Z3
	VMOVDQA64 Z18, Z8
	VMOVDQA64 Z19, Z9
	MOVQ      $10, DX

round512:
	VPMULUDQ   Z6, Z0, Z4
	VPMULUDQ   Z7, Z2, Z5
	VPSRLQ     $32, Z5, Z0
	VPTERNLOGQ $0x96, Z8, Z1, Z0
	VPSRLQ     $32, Z4, Z2
	VPTERNLOGQ $0x96, Z9, Z3, Z2
	VMOVDQA64  Z5, Z1
	VMOVDQA64  Z4, Z3
	VPADDD     Z10, Z8, Z8
	VPADDD     Z11, Z9, Z9
	DECQ       DX
	JNZ        round512

	// Words 0, 1 and 2, 3 of each block side by side, then the blocks in order.
	VPSLLQ      $32, Z1, Z1
	VMOVDQA32   Z1, K2, Z0
	VPSLLQ      $32, Z3, Z3
	VMOVDQA32   Z3, K2, Z2
	VPUNPCKLQDQ Z2, Z0, Z4
	VPUNPCKHQDQ Z2, Z0, Z5
	VPCMPUD     $5, Z16, Z4, K1
	VMOVUPS.Z   Z17, K1, Z4
	VPCMPUD     $5, Z16, Z5, K1
	VMOVUPS.Z   Z17, K1, Z5
	VMOVUPS     Z4, (DI)
	VMOVUPS     Z5, 64(DI)
	VPADDQ      Z13, Z12, Z12
	ADDQ        $128, DI
	SUBQ        $32, CX
	JNZ         turn512
	VZEROUPPER
	RET

// func maskAVX2(dst *float32, n int, first uint64, m *Mask, limit uint32)
// Requires AVX2.
TEXT ·maskAVX2(SB), NOSPLIT, $0-36
	MOVQ         dst+0(FP), DI
	MOVQ         n+8(FP), CX
	MOVQ         m+24(FP), SI
	VPBROADCASTQ first+16(FP), Y12
	VPADDQ       order256<>(SB), Y12, Y12
	PUT($0xD2511F53, X6, Y6)
	PUT($0xCD9E8D57, X7, Y7)
	PUT($0x9E3779B9, X10, Y10)
	PUT($0xBB67AE85, X11, Y11)
	VPBROADCASTQ 8(SI), Y14 // stream
	VPSRLQ       $32, Y14, Y15
	VPBROADCASTD 24(SI), Y13 // scale

turn256:
	VMOVDQA      Y12, Y0
	VPSRLQ       $32, Y12, Y1
	VMOVDQA      Y14, Y2
	VMOVDQA      Y15, Y3
	VPBROADCASTD (SI), Y8 // seed
	VPBROADCASTD 4(SI), Y9
	MOVQ         $10, DX

round256:
	VPMULUDQ Y6, Y0, Y4
	VPMULUDQ Y7, Y2, Y5
	VPSRLQ   $32, Y5, Y0
	VPXOR    Y1, Y0, Y0
	VPXOR    Y8, Y0, Y0
	VPSRLQ   $32, Y4, Y2
	VPXOR    Y3, Y2, Y2
	VPXOR    Y9, Y2, Y2
	VMOVDQA  Y5, Y1
	VMOVDQA  Y4, Y3
	VPADDD   Y10, Y8, Y8
	VPADDD   Y11, Y9, Y9
	DECQ     DX
	JNZ      round256

	VPSLLQ       $32, Y1, Y1
	VPBLENDD     $0xaa, Y1, Y0, Y0
	VPSLLQ       $32, Y3, Y3
	VPBLENDD     $0xaa, Y3, Y2, Y2
	VPUNPCKLQDQ  Y2, Y0, Y4
	VPUNPCKHQDQ  Y2, Y0, Y5
	MOVL         limit+32(FP), AX
	VMOVD        AX, X0
	VPBROADCASTD X0, Y0
	VPMAXUD      Y0, Y4, Y1
	VPCMPEQD     Y1, Y4, Y1 // the word is at least the limit
	VPAND        Y13, Y1, Y1
	VPMAXUD      Y0, Y5, Y2
	VPCMPEQD     Y2, Y5, Y2
	VPAND        Y13, Y2, Y2
	VMOVUPS      Y1, (DI)
	VMOVUPS      Y2, 32(DI)
	MOVQ         $4, AX
	VMOVQ        AX, X0
	VPBROADCASTQ X0, Y0
	VPADDQ       Y0, Y12, Y12
	ADDQ         $64, DI
	SUBQ         $16, CX
	JNZ          turn256
	VZEROUPPER
	RET
