package lab

import (
	"context"
	"math"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/tensor"
)

// The world: sequences of places, each with a level of a normal distribution. Some
// places are qualities, of which more is better up to a point; the others are free,
// and nothing is gained or lost by them.
const (
	qualities = 5
	places    = 32
	levels    = 25
	levelStep = 0.5
	bestLevel = 1.0 // standard deviations
)

// world is the reference and the gold reward.
type world struct {
	ref  [][]float64 // (places, levels)
	gold [][]float64 // (qualities, levels): gold reward is a sum, with mean 0 and deviation 1 under the reference
}

func level(k int) float64 { return levelStep * float64(k-(levels-1)/2) }

func newWorld(seed uint64) *world {
	w := &world{}
	for range places {
		row := make([]float64, levels)
		for k := range row {
			row[k] = -level(k) * level(k) / 2
		}
		normalise(row)
		w.ref = append(w.ref, row)
	}
	p := exps(w.ref[0])
	var sum, variance float64
	for j := range qualities {
		weight := 0.5 + rng.Float64(seed, rng.Stream("lab: gold"), uint64(j))
		row := make([]float64, levels)
		for k := range row {
			x := level(k)
			row[k] = weight * (x - x*x/(2*bestLevel))
		}
		m := dot(p, row)
		sum += m
		for k := range row {
			variance += p[k] * (row[k] - m) * (row[k] - m)
		}
		w.gold = append(w.gold, row)
	}
	for _, row := range w.gold {
		for k := range row {
			row[k] = (row[k] - sum/qualities) / math.Sqrt(variance)
		}
	}
	return w
}

// golds are the gold rewards of sequences.
func (w *world) golds(ids []int32) []float64 {
	out := make([]float64, len(ids)/places)
	for i := range out {
		for j := range qualities {
			out[i] += w.gold[j][ids[i*places+j]]
		}
	}
	return out
}

// expected is the mean gold reward of a policy.
func (w *world) expected(logp [][]float64) (sum float64) {
	for j, row := range w.gold {
		sum += dot(exps(logp[j]), row)
	}
	return sum
}

// vectors are what reward models see of sequences: the levels of the qualities.
func vectors(ids []int32) []float32 {
	x := make([]float32, 0, len(ids)/places*qualities)
	for i, id := range ids {
		if i%places < qualities {
			x = append(x, float32(level(int(id))))
		}
	}
	return x
}

// labels draws pairs of the reference and chooses by the Bradley-Terry model on
// gold reward.
func (w *world) labels(n int, seed uint64) (chosen, rejected []float32) {
	a, b := drawIDs(w.ref, n, seed, rng.Stream("lab: one")), drawIDs(w.ref, n, seed, rng.Stream("lab: other"))
	ga, gb := w.golds(a), w.golds(b)
	for i := range n {
		x, y := a[i*places:(i+1)*places], b[i*places:(i+1)*places]
		if rng.Float64(seed, rng.Stream("lab: choice"), uint64(i)) >= 1/(1+math.Exp(gb[i]-ga[i])) {
			x, y = y, x
		}
		chosen, rejected = append(chosen, vectors(x)...), append(rejected, vectors(y)...)
	}
	return chosen, rejected
}

// proxySteps is enough for the largest reward model.
const proxySteps = 600

// proxy fits a reward model; its scores have mean 0 under the reference.
func (w *world) proxy(ctx context.Context, b tensor.Backend, width, labels int, seed uint64) (*scorer, error) {
	s := newScorer(b, qualities, width, seed)
	chosen, rejected := w.labels(labels, seed)
	if err := s.fit(ctx, chosen, rejected, proxySteps, 0.02, seed); err != nil {
		s.close()
		return nil, err
	}
	s.zero = mean(s.scores(vectors(drawIDs(w.ref, 4096, seed, rng.Stream("lab: zero")))))
	return s, nil
}
