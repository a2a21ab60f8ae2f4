//go:build amd64 && !purego

package kernel

import "github.com/foundling-lm/foundling/internal/cpuid"

var available = detect(cpuid.Detect())

// detect lists the sets for these features, best first. The sets above avx512
// are that set with other products for bf16.
func detect(f cpuid.Features) []*Set {
	var sets []*Set
	if f.AMX && f.AVX512 {
		blocks := blocksAVX512(f.AVX512VNNI)
		if f.AMXInt8 && f.AVX512VNNI {
			blocks = blocksAMX()
		}
		sets = append(sets, &Set{Name: "amx", Vec: vecAVX512(), gemm: gemmAMX(), blocks: blocks})
	}
	if f.AVX512BF16 {
		sets = append(sets, &Set{Name: "avx512bf16", Vec: vecAVX512(), gemm: gemmDot(), blocks: blocksAVX512(f.AVX512VNNI)})
	}
	if f.AVX512 {
		sets = append(sets, &Set{Name: "avx512", Vec: vecAVX512(), gemm: gemmAVX512(), blocks: blocksAVX512(f.AVX512VNNI)})
	}
	if f.AVX2 {
		sets = append(sets, &Set{Name: "avx2", Vec: vecAVX2(), gemm: gemmAVX2(), blocks: blocksAVX2()})
	}
	return append(sets, setPurego())
}
