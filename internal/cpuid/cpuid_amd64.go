//go:build amd64 && !purego

package cpuid

import "golang.org/x/sys/cpu"

// Detect looks at the processor and, where it has AMX, asks the system for
// permission to use tiles. Asking again changes nothing.
func Detect() Features {
	x := &cpu.X86
	f := Features{AVX2: x.HasAVX2 && x.HasFMA && x.HasF16C}
	f.AVX512 = f.AVX2 && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL
	f.AMX = x.HasAMXTile && x.HasAMXBF16 && permitTiles()
	return f
}
