// Package sample draws the next token id from a row of logits.
//
// A Sampler applies, in this order, temperature, top-k (Fan et al. 2018,
// arXiv:1805.04833) and top-p or nucleus (Holtzman et al. 2020,
// arXiv:1904.09751), and draws from what is left. The draw is a function of
// the logits and of (seed, stream, index) alone, so a sequence reads the same
// whatever else runs beside it. All arithmetic is on differences of logits in
// float64: probabilities too small for a product stay exact as sums of logs.
//
// LogSumExp, LogSoftmax and TopN report log-probabilities before any of this.
// The package knows no tokenizer, no stop rule and no model.
package sample

import (
	"fmt"
	"math"
	"slices"

	"github.com/foundling-lm/foundling/internal/rng"
)

// Options says how to draw. The zero value takes the most probable token.
type Options struct {
	// Temperature divides the logits. 0 takes the largest logit, the lowest
	// id of equals, and draws nothing; 1 samples the model's distribution.
	Temperature float64 `json:"temperature"`
	// TopK keeps the K largest logits (of equals at the border the lowest
	// ids); 0 keeps all.
	TopK int `json:"top_k"`
	// TopP keeps the fewest tokens, most probable first, whose probability
	// reaches P, the one that crosses it included. It is counted after
	// temperature and top-k. 0 and 1 keep all.
	TopP float64 `json:"top_p"`
	// Seed chooses the random numbers.
	Seed uint64 `json:"seed"`
}

// Validate names the first option out of range.
func (o Options) Validate() error {
	switch {
	case !(o.Temperature >= 0) || math.IsInf(o.Temperature, 1):
		return fmt.Errorf("temperature %v: want a number from 0 (always the most probable token) up, 1 for the model's own distribution", o.Temperature)
	case o.TopK < 0:
		return fmt.Errorf("top-k %d: want 0 (keep all) or the number of tokens to keep", o.TopK)
	case !(o.TopP >= 0 && o.TopP <= 1):
		return fmt.Errorf("top-p %v: want a probability from 0 to 1 (0 and 1 keep all)", o.TopP)
	}
	return nil
}

// Token is an id with its log-probability (natural logarithm).
type Token struct {
	ID      int32
	LogProb float64
}

// Sampler draws by one set of options. It keeps scratch memory between calls:
// use one for each goroutine. Samplers of equal options are interchangeable.
type Sampler struct {
	o    Options
	kept []candidate
}

// candidate is a token still in the draw: its logit and its weight
// exp((logit-max)/temperature), 1 for the largest.
type candidate struct {
	weight float64
	logit  float32
	id     int32
}

// New returns a sampler, or what is wrong with the options.
func New(o Options) (*Sampler, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("sampling: %w", err)
	}
	return &Sampler{o: o}, nil
}

// Options returns what the sampler was made with.
func (s *Sampler) Options() Options { return s.o }

// Sample returns the id drawn from logits (V) with the random number that
// belongs to (seed, stream, index); callers number sequences by stream and
// positions by index. Logits of -Inf and NaN are never drawn; those of +Inf
// share the probability evenly. Sample returns -1 where no logit is above
// -Inf, the mark of a broken model (or of an empty mask), and leaves logits
// as they are.
func (s *Sampler) Sample(logits []float32, stream, index uint64) int32 {
	if s.o.Temperature == 0 {
		return Argmax(logits)
	}
	kept := s.keep(logits)
	if len(kept) == 0 {
		return -1
	}
	var total float64
	for _, c := range kept {
		total += c.weight
	}
	u := rng.Float64(s.o.Seed, stream, index) * total
	last := kept[0].id
	for _, c := range kept {
		if c.weight == 0 {
			continue
		}
		if u -= c.weight; u < 0 {
			return c.id
		}
		last = c.id
	}
	return last // rounding took u past the end
}

// Distribution returns the tokens that Sample may draw with the
// log-probabilities it draws them with, most probable first, the lower id of
// equals first. It is empty where Sample returns -1.
func (s *Sampler) Distribution(logits []float32) []Token {
	if s.o.Temperature == 0 {
		if id := Argmax(logits); id >= 0 {
			return []Token{{ID: id}}
		}
		return nil
	}
	kept := slices.Clone(s.keep(logits))
	slices.SortFunc(kept, compare)
	var total float64
	for _, c := range kept {
		total += c.weight
	}
	out := make([]Token, 0, len(kept))
	for _, c := range kept {
		if c.weight > 0 {
			out = append(out, Token{c.id, s.logWeight(c.logit, kept[0].logit) - math.Log(total)})
		}
	}
	return out
}

// keep returns the candidates left after temperature, top-k and top-p, in an
// order that depends on the logits alone.
func (s *Sampler) keep(logits []float32) []candidate {
	k := s.o.TopK
	if k == 0 || k > len(logits) {
		k = len(logits)
	}
	s.kept = topK(s.kept[:0], logits, k)
	kept := s.kept
	if len(kept) == 0 {
		return nil
	}
	top := kept[0].logit
	for _, c := range kept {
		top = max(top, c.logit)
	}
	var total float64
	for i := range kept {
		kept[i].weight = math.Exp(s.logWeight(kept[i].logit, top))
		total += kept[i].weight
	}
	if p := s.o.TopP; p > 0 && p < 1 {
		kept = nucleus(kept, p, total)
	}
	return kept
}

// logWeight is (x-top)/temperature, 0 for the largest even where that is
// infinite.
func (s *Sampler) logWeight(x, top float32) float64 {
	if x == top {
		return 0
	}
	return (float64(x) - float64(top)) / s.o.Temperature
}

// Argmax returns the id of the largest logit, the lowest of equals, and -1
// where no logit is above -Inf. NaN is passed over.
func Argmax(logits []float32) int32 {
	best, top := int32(-1), float32(math.Inf(-1))
	for i := 0; i < len(logits); i += 8 {
		// One branch for eight logits, nearly never taken once top is high.
		if c := logits[i:]; len(c) >= 8 &&
			!(c[0] > top || c[1] > top || c[2] > top || c[3] > top ||
				c[4] > top || c[5] > top || c[6] > top || c[7] > top) {
			continue
		}
		for j, x := range logits[i:min(i+8, len(logits))] {
			if x > top {
				best, top = int32(i+j), x
			}
		}
	}
	return best
}
