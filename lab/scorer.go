package lab

import (
	"context"
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/objective"
	"github.com/foundling-lm/foundling/train/optim"
)

// scorer is a reward model of vectors (D): one hidden layer of some width with
// GELU, or none, and a score.
type scorer struct {
	b        tensor.Backend
	in, bias *op.Param // (width,D), (width); nil without a hidden layer
	out      *op.Param // (1,width), or (1,D)
	D        int
	zero     float64 // taken off scores where they are shown
}

// newScorer has random weights.
func newScorer(b tensor.Backend, D, width int, seed uint64) *scorer {
	s := &scorer{b: b, D: D}
	last := D
	if width > 0 {
		s.in, s.bias = op.NewParam(b, "in", width, D), op.NewParam(b, "bias", width)
		last = width
	}
	s.out = op.NewParam(b, "out", 1, last)
	for i, w := range s.params() {
		x := make([]float32, w.Len())
		if w != s.bias {
			for k := range x {
				x[k] = float32(rng.Normal(seed, rng.Stream("lab: scorer")+uint64(i), uint64(k)) / math.Sqrt(float64(w.T.Cols)))
			}
		}
		b.Upload(w.T, x)
	}
	return s
}

func (s *scorer) params() []*op.Param {
	if s.in == nil {
		return []*op.Param{s.out}
	}
	return []*op.Param{s.in, s.bias, s.out}
}

// size is the number of parameters.
func (s *scorer) size() (n int) {
	for _, w := range s.params() {
		n += w.Len()
	}
	return n
}

func (s *scorer) close() { model.Release(s.b, s.params()) }

// forward is the scores (n,1) of vectors (n,D).
func (s *scorer) forward(p *op.Pass, x []float32) *op.Value {
	h := p.Input(x, len(x)/s.D, s.D, false)
	if s.in != nil {
		h = op.Unary(p, tensor.GELUTanh, op.Linear{W: s.in, B: s.bias, Wide: true}.Apply(p, h))
	}
	return op.Linear{W: s.out, Wide: true}.Apply(p, h).Keep()
}

// scores are those of vectors (n,D).
func (s *scorer) scores(x []float32) []float64 {
	const chunk = 8192
	p := op.NewPass(s.b, op.Options{})
	defer p.Close()
	out := make([]float64, 0, len(x)/s.D)
	for len(x) > 0 {
		n := min(len(x), chunk*s.D)
		p.Reset()
		for _, v := range p.Host(s.forward(p, x[:n]).T) {
			out = append(out, float64(v))
		}
		x = x[n:]
	}
	return out
}

// choices are pairs of vectors of which the first was chosen.
type choices struct {
	s                *scorer
	chosen, rejected []float32 // (n,D)
}

// Size counts pairs.
func (c *choices) Size() (units, places int) {
	n := len(c.chosen) / c.s.D
	return n, 2 * n
}

// centring is small: it only settles what the likelihood leaves open.
const centring = 1e-3

// Forward is the Bradley-Terry loss.
func (c *choices) Forward(p *op.Pass, f train.Forward) (total float64) {
	n := len(c.chosen) / c.s.D
	v := c.s.forward(p, append(append([]float32{}, c.chosen...), c.rejected...))
	score := make([]float64, 2*n)
	for i, x := range p.Host(v.T) {
		score[i] = float64(x)
	}
	l := objective.BradleyTerry(score[:n], score[n:], nil, centring)
	seed := make([]float32, 2*n)
	for i := range n {
		total += l.Loss[i]
		seed[i], seed[n+i] = float32(f.Scale*l.GradChosen[i]), float32(f.Scale*l.GradRejected[i])
	}
	p.Seed(v, seed)
	return total
}

// fit trains s on pairs with the Bradley-Terry loss.
func (s *scorer) fit(ctx context.Context, chosen, rejected []float32, steps int, rate float64, seed uint64) error {
	t, err := train.New(s.b, s.params(), nil, train.Options{
		Optimizer: optim.Options{Name: "adamw", WeightDecay: 0.01},
		Schedule:  optim.Schedule{Kind: "cosine", Peak: rate, Steps: steps},
	})
	if err != nil {
		return err
	}
	defer t.Close()
	n := len(chosen) / s.D
	if n == 0 {
		return fmt.Errorf("a reward model needs labels")
	}
	for step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := &choices{s: s}
		for i := range min(n, 256) {
			k := i
			if n > 256 {
				k = rng.Intn(seed, rng.Stream("lab: batches"), uint64(step*256+i), n)
			}
			c.chosen = append(c.chosen, chosen[k*s.D:(k+1)*s.D]...)
			c.rejected = append(c.rejected, rejected[k*s.D:(k+1)*s.D]...)
		}
		if _, err := t.StepOn([]train.Micro{c}); err != nil {
			return err
		}
	}
	return nil
}
