package tensor

import "github.com/foundling-lm/foundling/internal/rng"

// Keep says whether element i of the mask is kept. One Philox block gives the
// bits of four elements.
func (d Dropout) Keep(i uint64) bool {
	b := rng.Block(d.Seed, d.Stream, i/4)
	return float64(b[i%4])*0x1p-32 >= d.P
}

// Mask writes elements first, first+1, ... of the mask: scale where kept, else
// zero.
func (d Dropout) Mask(dst []float32, first uint64, scale float32) {
	limit := uint64(d.P * 0x1p32)
	if float64(limit) < d.P*0x1p32 {
		limit++
	}
	for j := 0; j < len(dst); {
		i := first + uint64(j)
		words := rng.Block(d.Seed, d.Stream, i/4)
		for k := i % 4; k < 4 && j < len(dst); k, j = k+1, j+1 {
			dst[j] = scale
			if uint64(words[k]) < limit {
				dst[j] = 0
			}
		}
	}
}
