//go:build amd64 && !purego

package cpuid

import "golang.org/x/sys/cpu"

// Detect looks at the processor and, where it has AMX, asks the system for
// permission to use tiles. Asking again changes nothing.
func Detect() Features {
	x := &cpu.X86
	f := Features{AVX2: x.HasAVX2 && x.HasFMA && x.HasF16C}
	f.AVX512 = f.AVX2 && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL
	f.AVX512VNNI = f.AVX512 && x.HasAVX512VNNI
	f.AVX512BF16 = f.AVX512 && x.HasAVX512BF16
	t := DetectTiles()
	f.AMX = t.Processor && t.Refused == nil
	f.AMXInt8 = f.AMX && x.HasAMXInt8
	return f
}

// DetectTiles asks for tiles and keeps the reason of a refusal.
func DetectTiles() Tiles {
	t := Tiles{Processor: cpu.X86.HasAMXTile && cpu.X86.HasAMXBF16}
	if t.Processor {
		t.Refused = permitTiles()
	}
	return t
}
