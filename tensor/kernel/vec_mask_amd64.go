//go:build !purego

package kernel

import "math"

// maskFunc writes blocks of random words as a mask, from block first on; words of
// at least limit are kept.
type maskFunc func(dst *float32, n int, first uint64, m *Mask, limit uint32)

// maskAVX2 writes n elements, a multiple of 16.
//
//go:noescape
func maskAVX2(dst *float32, n int, first uint64, m *Mask, limit uint32)

// maskAVX512 writes n elements, a multiple of 32.
//
//go:noescape
func maskAVX512(dst *float32, n int, first uint64, m *Mask, limit uint32)

// maskOf writes whole turns of the assembly; what stands before the first block
// and after the last turn is written in Go.
func maskOf(f maskFunc, turn int) func(dst []float32, first uint64, m *Mask) {
	return func(dst []float32, first uint64, m *Mask) {
		if m.Limit > math.MaxUint32 {
			maskGo(dst, first, m)
			return
		}
		head := min(int(-first&3), len(dst))
		maskGo(dst[:head], first, m)
		dst, first = dst[head:], first+uint64(head)
		n := len(dst) / turn * turn
		if n > 0 {
			f(data(dst), n, first/4, noescape(m), uint32(m.Limit))
		}
		maskGo(dst[n:], first+uint64(n), m)
	}
}
