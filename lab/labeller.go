package lab

import (
	"math"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/train/objective"
)

// The world: texts of 4 to 16 of 24 words, each of which is worth something; the
// reward of a text is the mean over its words times a constant.
const (
	words       = 24
	shortest    = 4
	longest     = 16
	rewardScale = 5.0
)

// comparison is two texts as a labeller sees them, and its choice.
type comparison struct {
	texts  [2][]int32 // the one shown first, the other
	reward [2]float64
	second bool // the choice
}

// labeller chooses by the Bradley-Terry model on the reward and what biases it.
type labeller struct {
	noise, length, position float64
}

// first is the probability that it chooses the text shown first.
func (l labeller) first(c *comparison) float64 {
	x := c.reward[0] - c.reward[1] + l.length*float64(len(c.texts[0])-len(c.texts[1])) + l.position
	p := 1 / (1 + math.Exp(-x))
	return (1-l.noise)*p + l.noise*(1-p)
}

// ceiling is the accuracy of the best guess at the choice by one who knows the
// labeller; with blind by one who is not told which text was shown first.
func (l labeller) ceiling(cs []comparison, blind bool) (sum float64) {
	for i := range cs {
		p := l.first(&cs[i])
		if blind {
			c := &cs[i]
			turned := comparison{texts: [2][]int32{c.texts[1], c.texts[0]}, reward: [2]float64{c.reward[1], c.reward[0]}}
			p = (p + 1 - l.first(&turned)) / 2
		}
		sum += max(p, 1-p) / float64(len(cs))
	}
	return sum
}

// wordValues are what words are worth, with mean 0 and variance 1: a mean other than
// 0 would make longer sums look better.
func wordValues(seed uint64) []float64 {
	value := make([]float64, words)
	for i := range value {
		value[i] = rng.Normal(seed, rng.Stream("lab: words"), uint64(i))
	}
	return objective.Whiten(value, true)
}

// label draws n comparisons.
func (l labeller) label(n int, seed uint64, name string) []comparison {
	value := wordValues(seed)
	stream := rng.Stream("lab: texts " + name)
	out := make([]comparison, n)
	for i := range out {
		c := &out[i]
		for k := range c.texts {
			at := uint64((2*i + k) * (longest + 1))
			ids := make([]int32, shortest+rng.Intn(seed, stream, at, longest-shortest+1))
			for j := range ids {
				ids[j] = int32(rng.Intn(seed, stream, at+1+uint64(j), words))
				c.reward[k] += rewardScale * value[ids[j]] / float64(len(ids))
			}
			c.texts[k] = ids
		}
		c.second = rng.Float64(seed, rng.Stream("lab: choices "+name), uint64(i)) >= l.first(c)
	}
	return out
}
