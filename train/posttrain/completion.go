package posttrain

import (
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/train"
)

// Completion is an answer after its prompt: the ids of the Example that are to be
// learned are the answer's.
type Completion struct {
	batch.Example
	Reference *float64 // log-probability of the answer under the reference; nil: not known
}

// Length is the number of ids of the answer, its end included.
func (c Completion) Length() int {
	n := 0
	for i, t := range c.Train {
		if t && i > 0 {
			n++
		}
	}
	return n
}

// answerAt is the index of the first id of the answer.
func (c Completion) answerAt() int {
	for i, t := range c.Train {
		if t && i > 0 {
			return i
		}
	}
	return len(c.Train)
}

// laid is completions in one batch, with the rows of the batch that predict ids of
// answers: the unembedding runs over those only.
type laid struct {
	batch   *batch.Batch
	rows    []int32 // of the batch, one completion's after another's
	targets []int32 // of each row
	first   []int   // of each completion's rows; one more at the end
}

// lay puts completions into rows of at most t places.
func lay(cs []Completion, t int) *laid {
	examples := make([]batch.Example, len(cs))
	for i, c := range cs {
		examples[i] = c.Example
	}
	b, places := batch.Lay(examples, t)
	l := &laid{batch: b, first: []int{0}}
	for _, p := range places {
		for i := p.At; i < p.At+p.N; i++ {
			if b.Targets[i] >= 0 {
				l.rows = append(l.rows, int32(i))
				l.targets = append(l.targets, b.Targets[i])
			}
		}
		l.first = append(l.first, len(l.rows))
	}
	return l
}

// places is what the model computes.
func (l *laid) places() int { return l.batch.B * l.batch.T }

// hidden are the hidden states (rows, C) of the rows that predict answers.
func (l *laid) hidden(p *op.Pass, m model.Model, in *model.Input) *op.Value {
	return op.Gather(p, m.Hidden(p, in), l.rows)
}

// sums adds up a figure of rows for each completion.
func (l *laid) sums(x []float64) []float64 {
	out := make([]float64, len(l.first)-1)
	for i := range out {
		for _, v := range x[l.first[i]:l.first[i+1]] {
			out[i] += v
		}
	}
	return out
}

// spread gives each row its completion's figure.
func (l *laid) spread(x []float64) []float64 {
	out := make([]float64, len(l.rows))
	for i, v := range x {
		for j := l.first[i]; j < l.first[i+1]; j++ {
			out[j] = v
		}
	}
	return out
}

// Scorer gives log-probabilities of completions under a model, without gradients.
type Scorer struct {
	m      model.Model
	pass   *op.Pass
	around func(run func())
}

// NewScorer scores by m. Around, if not nil, runs every pass: a policy whose
// adapters are off for that long is its own reference.
func NewScorer(b tensor.Backend, m model.Model, around func(run func())) *Scorer {
	return &Scorer{m: m, pass: op.NewPass(b, op.Options{}), around: around}
}

// Close gives the scorer's memory back; the model stays.
func (s *Scorer) Close() { s.pass.Close() }

// rows are the log-probabilities of the rows of l.
func (s *Scorer) rows(l *laid) (x []float64) {
	run := func() {
		s.pass.Reset()
		h := l.hidden(s.pass, s.m, train.Forward{}.Input(l.batch))
		x = op.LogProbs(s.pass, h, s.m.Unembedding(), l.targets, s.m.Dims().LogitCap)
		s.pass.Reset()
	}
	if s.around != nil {
		s.around(run)
	} else {
		run()
	}
	return x
}

// LogProbs returns the log-probability of each answer, in passes of at most so
// many places, in rows of t.
func (s *Scorer) LogProbs(cs []Completion, t, places int) []float64 {
	var out []float64
	for _, part := range split(cs, places, func(c Completion) int { return len(c.IDs) - 1 }) {
		l := lay(part, t)
		out = append(out, l.sums(s.rows(l))...)
	}
	return out
}

// split cuts items into parts in order, each of at most so many places but with
// one item at least.
func split[T any](items []T, places int, size func(T) int) (parts [][]T) {
	from, n := 0, 0
	for i, x := range items {
		if s := size(x); i > from && n+s > places {
			parts, from, n = append(parts, items[from:i]), i, s
		} else {
			n += s
		}
	}
	if from < len(items) {
		parts = append(parts, items[from:])
	}
	return parts
}
