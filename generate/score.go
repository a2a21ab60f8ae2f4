package generate

import (
	"fmt"

	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Score is the model's view of a given text.
type Score struct {
	LogProbs []float64      // natural log-probability of each token after the first
	Top      []sample.Token // the most probable ids for the position after the last
}

// Score runs ids through the model in one pass; top is how many candidates to
// return for the next position. Ids longer than the context are an error.
func (e *Engine) Score(ids []int32, top int) (*Score, error) {
	d := e.m.Dims()
	if len(ids) == 0 || len(ids) > d.Context {
		return nil, fmt.Errorf("%d tokens to score: the model takes 1 to %d", len(ids), d.Context)
	}
	for i, id := range ids {
		if id < 0 || int(id) >= d.Vocab {
			return nil, fmt.Errorf("token %d is id %d, outside the vocabulary of %d", i, id, d.Vocab)
		}
	}
	defer e.p.Reset()
	h := e.m.Hidden(e.p, &model.Input{B: 1, T: len(ids), IDs: ids, Pos: model.Positions(0, len(ids))})
	targets := make([]int32, len(ids))
	copy(targets, ids[1:])
	targets[len(ids)-1] = -1
	losses := model.Loss(e.p, e.m, h, targets, op.CrossEntropy{Scale: 1})
	s := &Score{LogProbs: make([]float64, len(ids)-1)}
	for i := range s.LogProbs {
		s.LogProbs[i] = -losses[i]
	}
	last := &op.Value{T: h.T.RowRange(len(ids)-1, len(ids))}
	s.Top = sample.TopN(e.p.Host(model.Logits(e.p, e.m, last).T), top)
	return s, nil
}
