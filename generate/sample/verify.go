package sample

import (
	"math"

	"github.com/foundling-lm/foundling/internal/rng"
)

// The random numbers of speculation with rejection, apart from those of Sample.
var guessStream, verifyStream = rng.Stream("sample: guess"), rng.Stream("sample: verify")

// Guess is Sample with random numbers of its own: a guess that Verify can judge
// must not know the noise of what it guesses. It belongs to a Fork.
func (s *Sampler) Guess(logits []float32, at At) int32 {
	t := s.draw(logits, at, at.Stream^guessStream)
	if t.ID >= 0 {
		s.surprised(t.LogProb)
	}
	return t.ID
}

// Verify accepts or replaces a guess that was drawn from the distribution q, so
// that the result is distributed as Sample's (Leviathan et al. 2023, arXiv
// 2211.17192, algorithm 1; Chen et al. 2023, arXiv 2302.01318): with p the
// probabilities under the options, it is accepted with probability
// min(1, p/q), else one is drawn from what p has above q. The result is -1 where
// Sample's is.
func (s *Sampler) Verify(logits []float32, at At, guess int32, q []Token) (id int32, accepted bool) {
	p := s.Distribution(logits, at)
	if len(p) == 0 {
		return -1, false
	}
	id, accepted = s.judge(p, at, guess, q)
	s.surprised(logProb(p, id))
	return id, accepted
}

func (s *Sampler) judge(p []Token, at At, guess int32, q []Token) (id int32, accepted bool) {
	random := func(n uint64) float64 { return rng.Float64(s.o.Seed, at.Stream^verifyStream, 2*at.Index+n) }
	if math.Exp(logProb(p, guess)-logProb(q, guess)) > random(0) {
		return guess, true
	}
	above := make([]float64, len(p))
	var total float64
	for i, t := range p {
		above[i] = max(0, math.Exp(t.LogProb)-math.Exp(logProb(q, t.ID)))
		total += above[i]
	}
	u := random(1) * total
	for i, x := range above {
		if u -= x; u < 0 {
			return p[i].ID, false
		}
	}
	return p[0].ID, false // rounding: p and q are the same
}
