package tensor

import (
	"math"

	"github.com/foundling-lm/foundling/internal/rng"
)

// Keep says whether element i of the mask is kept. One Philox block gives the
// bits of four elements.
func (d Dropout) Keep(i uint64) bool {
	b := rng.Block(d.Seed, d.Stream, i/4)
	return float64(b[i%4])*0x1p-32 >= d.P
}

// Limit is the 32-bit words that mean zero: those below it.
func (d Dropout) Limit() uint64 { return uint64(math.Ceil(d.P * 0x1p32)) }
