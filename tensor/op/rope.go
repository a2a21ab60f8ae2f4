package op

import (
	"math"

	"github.com/foundling-lm/foundling/tensor"
)

// NewRotary tabulates the rotations of rotary position embedding (Su et al.
// 2021, arXiv 2104.09864, eq. 15): pair i of a head of width d turns by
// pos * theta^(-2i/d). pairs chooses GPT-J's neighbouring pairs.
func NewRotary(context, d int, theta float64, pairs bool) *tensor.Rotary {
	half := d / 2
	r := &tensor.Rotary{D: d, Pairs: pairs, Cos: make([]float64, context*half), Sin: make([]float64, context*half)}
	for pos := range context {
		for i := range half {
			angle := float64(pos) * math.Pow(theta, -2*float64(i)/float64(d))
			r.Cos[pos*half+i], r.Sin[pos*half+i] = math.Cos(angle), math.Sin(angle)
		}
	}
	return r
}

// RoPE rotates the heads of x (N, heads*D) in place, row i by position pos[i].
func RoPE(p *Pass, x *Value, pos []int32, r *tensor.Rotary) *Value {
	p.Backend.RoPE(x.T, pos, r, false)
	y := &Value{T: x.T}
	return p.record(y, func(dy *tensor.Tensor) {
		p.Backend.RoPE(dy, pos, r, true)
		p.pass(y, x, dy)
	})
}
