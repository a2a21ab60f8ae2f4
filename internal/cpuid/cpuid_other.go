//go:build !amd64 || purego

package cpuid

// Detect finds nothing: there are no kernels for this build.
func Detect() Features { return Features{} }

// DetectTiles finds nothing.
func DetectTiles() Tiles { return Tiles{} }
