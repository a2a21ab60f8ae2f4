package posttrain

import (
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/objective"
)

// HeadLoss names what a head learns.
type HeadLoss string

// The losses of heads.
const (
	BradleyTerry HeadLoss = "bradley-terry" // the chosen of two texts scores higher
	Regression   HeadLoss = "regression"    // a text has a given score
	Process      HeadLoss = "process"       // each step of a text is right or wrong
	Classes      HeadLoss = "classes"       // a text belongs to a class
)

// Judgement is one unit that a head learns from.
type Judgement struct {
	Texts  [][]int32 // the chosen and the rejected of Bradley-Terry, else one
	Margin float64   // of Bradley-Terry
	Score  float64   // of Regression
	At     []int     // of Process: the last token of each step, rising
	Right  []bool    // of Process: of each step
	Class  int       // of Classes
}

// size is the places of its texts.
func (j Judgement) size() (n int) {
	for _, ids := range j.Texts {
		n += len(ids)
	}
	return n
}

// check names the first thing that keeps a head of n scores from learning from j.
func (j Judgement) check(loss HeadLoss, n, context int) error {
	texts := 1
	if loss == BradleyTerry {
		texts = 2
	}
	switch {
	case len(j.Texts) != texts:
		return fmt.Errorf("%d texts: %s takes %d", len(j.Texts), loss, texts)
	case loss == Classes && (j.Class < 0 || j.Class >= n):
		return fmt.Errorf("class %d: there are %d", j.Class, n)
	case loss == Process && (len(j.At) == 0 || len(j.At) != len(j.Right)):
		return fmt.Errorf("%d steps with %d labels", len(j.At), len(j.Right))
	case math.IsNaN(j.Score+j.Margin) || math.IsInf(j.Score+j.Margin, 0):
		return fmt.Errorf("score %g, margin %g: they must be finite", j.Score, j.Margin)
	}
	for _, ids := range j.Texts {
		if len(ids) == 0 || len(ids) > context {
			return fmt.Errorf("a text of %d tokens: the model takes 1 to %d", len(ids), context)
		}
	}
	for k, at := range j.At {
		if at < 0 || at >= len(j.Texts[0]) || k > 0 && at <= j.At[k-1] {
			return fmt.Errorf("steps end at %v of %d tokens", j.At, len(j.Texts[0]))
		}
	}
	return nil
}

// Heads are micro-batches that teach a head, and the model under it unless that is
// frozen: reward models (Ouyang et al. 2022, arXiv 2203.02155, section 3.5),
// process reward models (Lightman et al. 2023, arXiv 2305.20050) and classifiers.
type Heads struct {
	Model    model.Model
	Head     *model.Head
	Loss     HeadLoss
	Centring float64 // of Bradley-Terry: pull of the mean score to 0
	Row      int     // longest row, in tokens
	Places   int     // of a micro-batch, at most
	// Features runs the model, not nil where it is frozen: without a tape, and
	// without dropout.
	Features *op.Pass
}

// Check names the first judgement that cannot be learned from.
func (h *Heads) Check(j Judgement) error { return j.check(h.Loss, h.Head.Scores(), h.Row) }

// Micro are the micro-batches of a step.
func (h *Heads) Micro(step []Judgement) []train.Micro {
	var micro []train.Micro
	for _, part := range split(step, h.Places, Judgement.size) {
		micro = append(micro, newHeadMicro(h, part))
	}
	return micro
}

// headMicro is one micro-batch.
type headMicro struct {
	*Heads
	items []Judgement
	batch *batch.Batch
	rows  []int32 // of the batch that are scored, item after item, text after text
}

func newHeadMicro(h *Heads, items []Judgement) *headMicro {
	m := &headMicro{Heads: h, items: items}
	var texts []batch.Example
	for _, j := range items {
		for _, ids := range j.Texts { // the id more makes the last one an input
			texts = append(texts, batch.Example{IDs: append(ids[:len(ids):len(ids)], 0), Train: make([]bool, len(ids)+1)})
		}
	}
	b, places := batch.Lay(texts, h.Row)
	m.batch = b
	for _, j := range items {
		for range j.Texts {
			p := places[0]
			places = places[1:]
			if h.Loss != Process {
				m.rows = append(m.rows, int32(p.At+p.N-1))
			}
			for _, at := range j.At {
				m.rows = append(m.rows, int32(p.At+at))
			}
		}
	}
	return m
}

// Size counts judgements, and every step of a process.
func (m *headMicro) Size() (units, places int) {
	units = len(m.items)
	if m.Loss == Process {
		units = len(m.rows)
	}
	return units, m.batch.B * m.batch.T
}

// hidden are the hidden states of the scored rows.
func (m *headMicro) hidden(p *op.Pass, f train.Forward) *op.Value {
	if m.Features == nil {
		return op.Gather(p, m.Model.Hidden(p, f.Input(m.batch)), m.rows)
	}
	m.Features.Reset()
	h := op.Gather(m.Features, m.Model.Hidden(m.Features, train.Forward{}.Input(m.batch)), m.rows)
	x := m.Features.Host(h.T)
	m.Features.Reset()
	return p.Input(x, len(m.rows), m.Model.Dims().Width, false)
}

// Forward scores the texts and leaves the gradient of the losses at the scores.
func (m *headMicro) Forward(p *op.Pass, f train.Forward) (sum float64) {
	y := m.Head.Apply(p, m.hidden(p, f))
	host := p.Host(y.T)
	scores := make([]float64, len(host))
	for i, x := range host {
		scores[i] = float64(x)
	}
	losses, grad := m.losses(scores, f.Note)
	for _, l := range losses {
		sum += l
	}
	for i, g := range grad {
		host[i] = float32(f.Scale * g)
	}
	p.Seed(y, host)
	return sum
}

// losses are those of the units, with the gradient by the scores.
func (m *headMicro) losses(scores []float64, note func(name string, sum float64, n int)) (losses, grad []float64) {
	switch m.Loss {
	case BradleyTerry:
		return m.pairs(scores, note)
	case Regression:
		targets := make([]float64, len(m.items))
		for i, j := range m.items {
			targets[i] = j.Score
		}
		return objective.Regression(scores, targets)
	case Process:
		var right []bool
		for _, j := range m.items {
			right = append(right, j.Right...)
		}
		won := 0.0
		for i, x := range scores {
			if (x > 0) == right[i] {
				won++
			}
		}
		note("accuracy", won, len(right))
		return objective.Process(scores, right)
	case Classes:
		n, won := m.Head.Scores(), 0.0
		for i, j := range m.items {
			row := scores[i*n : (i+1)*n]
			l, g := objective.Classes(row, j.Class)
			losses, grad = append(losses, l), append(grad, g...)
			if best(row) == j.Class {
				won++
			}
		}
		note("accuracy", won, len(m.items))
		return losses, grad
	}
	panic("posttrain: head loss " + string(m.Loss))
}

func (m *headMicro) pairs(scores []float64, note func(name string, sum float64, n int)) (losses, grad []float64) {
	n := len(m.items)
	chosen, rejected, margins := make([]float64, n), make([]float64, n), make([]float64, n)
	var won, mean, difference float64
	for i, j := range m.items {
		c, r := scores[2*i], scores[2*i+1]
		chosen[i], rejected[i], margins[i] = c, r, j.Margin
		if c > r {
			won++
		}
		mean, difference = mean+c+r, difference+c-r
	}
	note("accuracy", won, n)
	note("mean_score", mean, 2*n)
	note("margin", difference, n)
	l := objective.BradleyTerry(chosen, rejected, margins, m.Centring)
	for i := range n {
		grad = append(grad, l.GradChosen[i], l.GradRejected[i])
	}
	return l.Loss, grad
}

// best is the index of the largest score, the first of equals.
func best(scores []float64) int {
	k := 0
	for i, x := range scores {
		if x > scores[k] {
			k = i
		}
	}
	return k
}
