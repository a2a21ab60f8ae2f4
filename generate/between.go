package generate

import (
	"math"

	"github.com/foundling-lm/foundling/tensor/op"
)

// Between calls f with a pass of the engine's backend, between two steps: for looks
// into the model that no step has, while others decode. All of them wait for f, so it
// must be short, and it must not call the engine.
func (e *Engine) Between(f func(p *op.Pass)) {
	e.alone(func() {
		defer e.p.Reset()
		if e.adapter != nil {
			e.p.Changes = []op.ChangedRows{{To: math.MaxInt, Changes: e.adapter.Changes}}
			defer func() { e.p.Changes = nil }()
		}
		f(e.p)
	})
}
