package kernel

import "github.com/foundling-lm/foundling/internal/rng"

// Mask is a dropout mask: element i is 0 where word i of the random stream is
// below Limit, else Scale. Word i is word i%4 of block i/4 of Philox 4x32-10
// (Salmon et al. 2011).
type Mask struct {
	Seed, Stream uint64
	Limit        uint64 // probability of 0, times 2^32
	Scale        float32
}

func maskGo(dst []float32, first uint64, m *Mask) {
	for j := 0; j < len(dst); {
		i := first + uint64(j)
		words := rng.Block(m.Seed, m.Stream, i/4)
		for k := i % 4; k < 4 && j < len(dst); k, j = k+1, j+1 {
			dst[j] = m.Scale
			if uint64(words[k]) < m.Limit {
				dst[j] = 0
			}
		}
	}
}
