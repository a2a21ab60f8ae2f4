package eval

import (
	"iter"
	"math"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/text/batch"
)

// Loss is the sum over the targets of batches of -ln p(target), in nats, and
// their number. The pass must not record.
func Loss(p *op.Pass, m model.Model, batches iter.Seq[*batch.Batch]) (nats float64, targets int) {
	for b := range batches {
		h := m.Hidden(p, &model.Input{B: b.B, T: b.T, IDs: b.IDs, Pos: b.Pos, Start: b.Start})
		for i, l := range model.Loss(p, m, h, b.Targets, op.CrossEntropy{Scale: 1}) {
			if b.Targets[i] >= 0 {
				nats += l
				targets++
			}
		}
		p.Reset()
	}
	return nats, targets
}

// BitsPerByte converts a loss in nats over a text of the given bytes. Unlike
// loss per token it compares models with different tokenizers.
func BitsPerByte(nats float64, bytes int64) float64 { return nats / math.Ln2 / float64(bytes) }
