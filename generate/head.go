package generate

import (
	"context"
	"fmt"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor/op"
)

// HeadScores returns, for each text, the scores of head after the tokens at the
// given places, in rising order (nil: after the last token of each): reward models
// and classifiers in batches. A text's scores do not depend on the others.
func (e *Engine) HeadScores(ctx context.Context, head *model.Head, texts [][]int32, at [][]int) ([][][]float64, error) {
	out := make([][][]float64, len(texts))
	if at == nil {
		at = make([][]int, len(texts))
		for i, ids := range texts {
			at[i] = []int{len(ids) - 1}
		}
	}
	for i, places := range at {
		for k, j := range places {
			if j < 0 || j >= len(texts[i]) || k > 0 && j <= places[k-1] {
				return nil, fmt.Errorf("text %d: places %v: they must rise and lie in [0, %d)", i, places, len(texts[i]))
			}
		}
	}
	err := e.read(ctx, texts, func(h *op.Value, spans []span) {
		var rows []int32
		var owner []int // text of each row
		for _, s := range spans {
			for _, j := range at[s.text] {
				if j >= s.from && j < s.from+s.n {
					rows, owner = append(rows, int32(s.row+j-s.from)), append(owner, s.text)
				}
			}
		}
		if len(rows) == 0 {
			return
		}
		x, n := e.p.Host(head.Apply(e.p, gather(e.p, h, rows)).T), head.Scores()
		for i, text := range owner {
			score := make([]float64, n)
			for k := range score {
				score[k] = float64(x[i*n+k])
			}
			out[text] = append(out[text], score)
		}
	})
	return out, err
}
