package rng

import (
	"math"
	"testing"
)

// Known answers of the Random123 distribution, file kat_vectors.
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		seed, stream, index uint64
		want                [4]uint32
	}{
		{0, 0, 0, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{math.MaxUint64, math.MaxUint64, math.MaxUint64, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
	} {
		if got := Block(c.seed, c.stream, c.index); got != c.want {
			t.Errorf("Block(%x) = %x, want %x", c.seed, got, c.want)
		}
	}
}

func TestNormalMoments(t *testing.T) {
	const n = 100000
	var sum, sq float64
	for i := range uint64(n) {
		x := Normal(7, 3, i)
		sum += x
		sq += x * x
	}
	if mean := sum / n; math.Abs(mean) > 0.015 {
		t.Errorf("mean = %g", mean)
	}
	if v := sq / n; math.Abs(v-1) > 0.02 {
		t.Errorf("variance = %g", v)
	}
}

func TestPermIsPermutation(t *testing.T) {
	seen := make([]bool, 257)
	for _, i := range Perm(1, 2, 257) {
		if seen[i] {
			t.Fatalf("%d twice", i)
		}
		seen[i] = true
	}
}
