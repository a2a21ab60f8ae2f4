package generate

import (
	"context"

	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Score is the model's view of a given text.
type Score struct {
	LogProbs []float64      // natural log-probability of each token after the first
	Top      []sample.Token // the most probable ids for the position after the last
	// Each is the most probable ids at the place of each of LogProbs, where ScoreEach
	// made it.
	Each [][]sample.Token
}

// Score runs ids through the model; top is how many candidates to return for the
// next position. Ids longer than the context are an error.
func (e *Engine) Score(ids []int32, top int) (*Score, error) {
	s, err := e.ScoreAll(context.Background(), [][]int32{ids}, top)
	if err != nil {
		return nil, err
	}
	return s[0], nil
}

// ScoreAll is Score for several texts, as many in a step as its chunk holds. Their
// numbers are those of Score.
func (e *Engine) ScoreAll(ctx context.Context, texts [][]int32, top int) ([]*Score, error) {
	return e.scoreAll(ctx, texts, top, 0)
}

// ScoreEach is ScoreAll with the most probable ids at every place.
func (e *Engine) ScoreEach(ctx context.Context, texts [][]int32, top int) ([]*Score, error) {
	return e.scoreAll(ctx, texts, 0, top)
}

func (e *Engine) scoreAll(ctx context.Context, texts [][]int32, top, each int) ([]*Score, error) {
	scores := make([]*Score, len(texts))
	for i, ids := range texts {
		scores[i] = &Score{LogProbs: make([]float64, 0, max(0, len(ids)-1))}
	}
	err := e.read(ctx, texts, func(h *op.Value, spans []span) {
		targets := make([]int32, h.T.Rows)
		var last []int32 // rows that end a text
		for _, s := range spans {
			ids := texts[s.text]
			n := copy(targets[s.row:s.row+s.n], ids[s.from+1:])
			if n < s.n {
				targets[s.row+n] = -1
				last = append(last, int32(s.row+n))
			}
		}
		losses := model.Loss(e.p, e.m, h, targets, op.CrossEntropy{Scale: 1})
		for _, s := range spans {
			for i := s.row; i < s.row+s.n; i++ {
				if targets[i] >= 0 {
					scores[s.text].LogProbs = append(scores[s.text].LogProbs, -losses[i])
				}
			}
		}
		if each > 0 {
			e.scoreEach(h, spans, targets, scores, each)
		}
		if top == 0 || len(last) == 0 {
			return
		}
		logits := e.p.Host(model.Logits(e.p, e.m, gather(e.p, h, last)).T)
		v := len(logits) / len(last)
		for _, s := range spans {
			if s.from+s.n == len(texts[s.text]) {
				scores[s.text].Top = sample.TopN(logits[:v], top)
				logits = logits[v:]
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return scores, nil
}

// eachRows is how many rows have their logits in memory at a time.
const eachRows = 32

// scoreEach lists the most probable ids of all rows that have a target.
func (e *Engine) scoreEach(h *op.Value, spans []span, targets []int32, scores []*Score, top int) {
	var rows []int32
	var of []int // their texts
	for _, s := range spans {
		for i := s.row; i < s.row+s.n; i++ {
			if targets[i] >= 0 {
				rows, of = append(rows, int32(i)), append(of, s.text)
			}
		}
	}
	for len(rows) > 0 {
		n := min(len(rows), eachRows)
		logits := e.p.Host(model.Logits(e.p, e.m, gather(e.p, h, rows[:n])).T)
		v := len(logits) / n
		for i := range n {
			scores[of[i]].Each = append(scores[of[i]].Each, sample.TopN(logits[i*v:(i+1)*v], top))
		}
		rows, of = rows[n:], of[n:]
	}
}

// Pooling is how the hidden states of a text become one vector.
type Pooling string

// The poolings.
const (
	PoolMean Pooling = "mean" // of all tokens
	PoolLast Pooling = "last" // of the last token, which has seen all others
)

// Embed returns one vector (C) for each text, pooled from the hidden states after
// the final norm. It is not normalised.
func (e *Engine) Embed(ctx context.Context, texts [][]int32, pool Pooling) ([][]float32, error) {
	width := e.m.Dims().Width
	sums := make([][]float64, len(texts))
	for i := range sums {
		sums[i] = make([]float64, width)
	}
	err := e.read(ctx, texts, func(h *op.Value, spans []span) {
		x := e.p.Host(h.T)
		for _, s := range spans {
			n := len(texts[s.text])
			for i := range s.n {
				if pool == PoolLast && s.from+i < n-1 {
					continue
				}
				for j, v := range x[(s.row+i)*width : (s.row+i+1)*width] {
					sums[s.text][j] += float64(v)
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([][]float32, len(texts))
	for i, sum := range sums {
		out[i] = make([]float32, width)
		n := 1.0
		if pool == PoolMean {
			n = float64(len(texts[i]))
		}
		for j, v := range sum {
			out[i][j] = float32(v / n)
		}
	}
	return out, nil
}
