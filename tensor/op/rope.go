package op

import (
	"math"

	"github.com/foundling-lm/foundling/tensor"
)

// Frequencies are those of rotary position embedding (Su et al. 2021, arXiv
// 2104.09864, eq. 15): pair i of d channels turns by theta^(-2i/d) a position.
func Frequencies(d int, theta float64) []float64 {
	f := make([]float64, d/2)
	for i := range f {
		f[i] = math.Pow(theta, -2*float64(i)/float64(d))
	}
	return f
}

// NewRotary is plain rotary position embedding over heads of width d; pairs
// chooses GPT-J's neighbouring pairs. model/nn has the scaled variants.
func NewRotary(d int, theta float64, pairs bool) *tensor.Rotary {
	return &tensor.Rotary{D: d, Pairs: pairs, Freq: Frequencies(d, theta)}
}

// RoPE rotates the heads of x (N, heads*D) in place, row i by position pos[i].
func RoPE(p *Pass, x *Value, pos []int32, r *tensor.Rotary) *Value {
	p.Backend.RoPE(x.T, pos, r, false)
	x.remake = nil // its buffer is written over
	y := &Value{T: x.T}
	return p.record(y, func(dy *tensor.Tensor) {
		p.Backend.RoPE(dy, pos, r, true)
		p.pass(y, x, dy)
	})
}
