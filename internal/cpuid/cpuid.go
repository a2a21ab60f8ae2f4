// Package cpuid says which kernel sets the processor and the operating system
// can run together. It is not a list of all processor features: a field exists
// only where package kernel branches on it.
//
// Flags come from golang.org/x/sys/cpu, which reads CPUID and checks in XCR0
// that the system saves the vector registers. AMX needs one step more: Linux
// keeps the tile registers off until a process asks for them, so Detect asks.
// With the build tag purego every flag is false.
//
// Sources: Intel 64 and IA-32 Architectures Software Developer's Manual,
// volume 1, chapters 13 and 18; Linux Documentation/arch/x86/xstate.rst.
package cpuid

// Features are the classes of instructions that kernels are written for.
type Features struct {
	AVX2       bool // AVX2, FMA and F16C
	AVX512     bool // AVX-512 F, BW, DQ, VL, on top of AVX2
	AVX512VNNI bool // AVX-512 VNNI, on top of AVX512
	AVX512BF16 bool // AVX-512 BF16, on top of AVX512
	AMX        bool // tile products on bf16, and the process may use tiles
	AMXInt8    bool // tile products on bytes, on top of AMX
}

// Tiles says why tile products may or may not be used, for diagnosis.
type Tiles struct {
	Processor bool  // it has AMX tiles and bf16 products
	Refused   error // why this process may not use them; nil where it may, or where there are none
}
