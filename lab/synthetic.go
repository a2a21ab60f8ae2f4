package lab

import (
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/internal/rng"
)

// Synthetic is a pool whose truth is known: problem i is solved by each sample with
// a probability of its own, drawn from Beta(Alpha, Beta). Zero fields are 0.5 and
// 2: many problems that are nearly never solved.
type Synthetic struct {
	Problems, Candidates int
	Alpha, Beta          float64
	Seed                 uint64
}

// Bounds of a synthetic pool.
const (
	defaultAlpha, defaultBeta = 0.5, 2
	maxShape                  = 1000 // of alpha and beta
)

// Validate says which field is impossible.
func (s *Synthetic) Validate() error {
	a, b := s.shape()
	switch {
	case s.Problems < 1 || s.Candidates < 1 || s.Problems > MaxPoolSamples/s.Candidates:
		return fmt.Errorf("%d problems of %d candidates: give 1 or more of each, at most %d together", s.Problems, s.Candidates, MaxPoolSamples)
	case !(a > 0 && a <= maxShape && b > 0 && b <= maxShape):
		return fmt.Errorf("Beta(%g, %g): both must be above 0 and at most %d", a, b, maxShape)
	}
	return nil
}

func (s *Synthetic) shape() (alpha, beta float64) {
	alpha, beta = s.Alpha, s.Beta
	if alpha == 0 {
		alpha = defaultAlpha
	}
	if beta == 0 {
		beta = defaultBeta
	}
	return alpha, beta
}

// wrongAnswers is how many wrong answers a problem has; each is given half as often
// as the one before, so that some problems have a popular wrong answer.
const wrongAnswers = 6

// Pool makes the problems. Right samples are a little more probable per token than
// wrong ones, whatever their length.
func (s *Synthetic) Pool() []Problem {
	alpha, beta := s.shape()
	out := make([]Problem, s.Problems)
	for i := range out {
		d := draws{s.Seed, rng.Stream(fmt.Sprint("lab: synthetic ", i)), 0}
		x, y := d.gamma(alpha), d.gamma(beta)
		solved := x / (x + y)
		p := &out[i]
		p.ID, p.PromptTokens = fmt.Sprint(i), 30
		p.Candidates = make([]Sample, s.Candidates)
		for j := range p.Candidates {
			c := &p.Candidates[j]
			c.Right = d.uniform() < solved
			c.Answer = "right"
			mean := -1 + 0.25*d.normal()
			if c.Right {
				mean += 0.15
			} else {
				kind := 0
				for kind < wrongAnswers-1 && d.uniform() < 0.5 {
					kind++
				}
				c.Answer = fmt.Sprint("wrong ", kind)
			}
			c.Tokens = 20 + int(60*d.uniform())
			sum := min(mean, -0.01) * float64(c.Tokens)
			c.SumLogP = &sum
		}
	}
	return out
}

// Coverage is the exact coverage of k samples: the mean of 1-(1-p)^k, which is
// 1 - B(alpha, beta+k)/B(alpha, beta).
func (s *Synthetic) Coverage(k int) float64 {
	alpha, beta := s.shape()
	return -math.Expm1(logBeta(alpha, beta+float64(k)) - logBeta(alpha, beta))
}

func logBeta(a, b float64) float64 {
	x, _ := math.Lgamma(a)
	y, _ := math.Lgamma(b)
	z, _ := math.Lgamma(a + b)
	return x + y - z
}

// draws is a sequence of random numbers.
type draws struct{ seed, stream, index uint64 }

func (d *draws) uniform() float64 {
	d.index++
	return rng.Float64(d.seed, d.stream, d.index)
}

func (d *draws) normal() float64 {
	d.index++
	return rng.Normal(d.seed, d.stream, d.index)
}

// gamma draws from Gamma(shape, 1) (Marsaglia & Tsang 2000, A simple method for
// generating gamma variables, ACM TOMS 26).
func (d *draws) gamma(shape float64) float64 {
	if shape < 1 {
		u := d.uniform()
		return d.gamma(shape+1) * math.Pow(max(u, math.SmallestNonzeroFloat64), 1/shape)
	}
	m := shape - 1.0/3
	c := 1 / math.Sqrt(9*m)
	for {
		x := d.normal()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v *= v * v
		if u := d.uniform(); math.Log(u) < x*x/2+m-m*v+m*math.Log(v) {
			return m * v
		}
	}
}

// The verifiers that AddVerifiers makes.
const (
	NoisyVerifier    = "noisy verifier"
	GameableVerifier = "gameable verifier"
)

// AddVerifiers gives every sample the grades of two constructed verifiers. Both
// see the truth, 1 or 0, through normal noise. The gameable one has a hole: a wrong
// sample gets through it with probability exploit and then has a grade above all
// others. The more samples, the surer one of them has found the hole: this is what
// makes verified accuracy rise, peak and fall (Cobbe et al. 2021, arXiv
// 2110.14168; Stroebl et al. 2024, arXiv 2411.17501).
func AddVerifiers(problems []Problem, noise, exploit float64, seed uint64) {
	for i := range problems {
		d := draws{seed, rng.Stream(fmt.Sprint("lab: verifiers ", i)), 0}
		for j := range problems[i].Candidates {
			s := &problems[i].Candidates[j]
			grade := noise * d.normal()
			if s.Right {
				grade++
			}
			scores := map[string]float64{NoisyVerifier: grade, GameableVerifier: grade}
			if through := d.uniform() < exploit; through && !s.Right {
				scores[GameableVerifier] = 1 + 100*(1+noise) + grade
			}
			for name, x := range s.Scores {
				scores[name] = x
			}
			s.Scores = scores
		}
	}
}
