//go:build amd64 && !linux && !purego

package cpuid

// permitTiles is false: only Linux has a way to ask that is known here.
func permitTiles() bool { return false }
