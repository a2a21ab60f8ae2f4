// Package rng gives counter-based random numbers: every number is a function
// of (seed, stream, index), so it does not depend on the order in which, or
// the thread on which, it is asked for.
//
// The generator is Philox 4x32 with 10 rounds (Salmon et al. 2011, "Parallel
// random numbers: as easy as 1, 2, 3").
package rng

import (
	"math"
	"math/bits"
)

const (
	mul0, mul1   = 0xD2511F53, 0xCD9E8D57 // round multipliers, table 2
	weyl0, weyl1 = 0x9E3779B9, 0xBB67AE85 // key schedule
)

// Block returns the four 32-bit words of Philox 4x32-10 for one counter.
func Block(seed, stream, index uint64) [4]uint32 {
	c := [4]uint32{uint32(index), uint32(index >> 32), uint32(stream), uint32(stream >> 32)}
	k0, k1 := uint32(seed), uint32(seed>>32)
	for range 10 {
		h0, l0 := bits.Mul32(mul0, c[0])
		h1, l1 := bits.Mul32(mul1, c[2])
		c = [4]uint32{h1 ^ c[1] ^ k0, l1, h0 ^ c[3] ^ k1, l0}
		k0, k1 = k0+weyl0, k1+weyl1
	}
	return c
}

// Uint64 returns 64 random bits.
func Uint64(seed, stream, index uint64) uint64 {
	b := Block(seed, stream, index)
	return uint64(b[1])<<32 | uint64(b[0])
}

// Float64 returns a number in [0, 1) with 53 random bits.
func Float64(seed, stream, index uint64) float64 {
	return float64(Uint64(seed, stream, index)>>11) * 0x1p-53
}

// Normal returns a standard normal number (Box-Muller).
func Normal(seed, stream, index uint64) float64 {
	b := Block(seed, stream, index)
	u1 := (float64(uint64(b[1])<<32|uint64(b[0])) + 1) * 0x1p-64 // in (0, 1]
	u2 := float64(uint64(b[3])<<32|uint64(b[2])) * 0x1p-64
	return math.Sqrt(-2*math.Log(u1)) * math.Cos(2*math.Pi*u2)
}

// Intn returns a number in [0, n); n must be positive. The bias is below
// n/2^64.
func Intn(seed, stream, index uint64, n int) int {
	hi, _ := bits.Mul64(Uint64(seed, stream, index), uint64(n))
	return int(hi)
}

// Perm returns a random permutation of [0, n) (Fisher-Yates).
func Perm(seed, stream uint64, n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	for i := n - 1; i > 0; i-- {
		j := Intn(seed, stream, uint64(i), i+1)
		p[i], p[j] = p[j], p[i]
	}
	return p
}

// Stream derives a stream number from a name, so that two uses of one seed
// never share numbers (FNV-1a).
func Stream(name string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return h
}
