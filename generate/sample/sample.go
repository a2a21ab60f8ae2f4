// Package sample draws the next token id from a row of logits.
//
// A Sampler is a chain of steps, in an order that Options.Samplers may change: a
// mask (always first), a bias of logits, penalties of repetition, DRY, top-k,
// typical-p, top-p, min-p, XTC, temperature, and the draw (always last); or, in
// the place of all that truncates, Mirostat 2. The files name their sources. Each
// step takes the logits that the one before left and the probabilities among the
// candidates that it kept; Explain says what each did.
//
// The draw is a function of the logits, the mask, the ids so far and of (seed,
// stream, index) alone, so a sequence reads the same whatever else runs beside
// it. It walks the candidates that are left in the order of their ids: how they
// were selected does not matter. All arithmetic is on logits and their differences
// in float64: probabilities too small for a product stay exact as sums of logs.
//
// LogSumExp, LogSoftmax and TopN report log-probabilities before any of this.
// The package knows no tokenizer, no grammar, no stop rule and no model.
package sample

import (
	"fmt"
	"math"
	"slices"

	"github.com/foundling-lm/foundling/internal/rng"
)

// Token is an id with its log-probability (natural logarithm).
type Token struct {
	ID      int32
	LogProb float64
}

// At is the place of a draw.
type At struct {
	Mask    []uint64 // ids that may follow, as bits, at least one for each logit; nil: all
	History []int32  // the text so far: prompt and new ids
	// Stream numbers the sequence among those that share the seed, Index the new
	// tokens of the sequence: with the seed they choose the random number.
	Stream, Index uint64
}

// Sampler draws the tokens of one sequence, one after another: Mirostat remembers
// from draw to draw, nothing else does. Several goroutines must not share one;
// making one or a Fork is cheap.
type Sampler struct {
	o     Options // filled
	given Options
	chain []step
	bias  edits
	dry   *breakers
	mu    float64 // of Mirostat, bits
}

// step is one of a chain. Run changes the candidates, and may say in words what
// it found.
type step struct {
	name string
	run  func(s *Sampler, p *pool) (note string)
}

// New returns a sampler, or what is wrong with the options.
func New(o Options) (*Sampler, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("sampling: %w", err)
	}
	s := &Sampler{o: o.Filled(), given: o}
	s.mu = s.o.MirostatMu
	s.bias = biases(o.LogitBias)
	if o.DRYMultiplier > 0 {
		s.dry = newBreakers(s.o.DRYBreakers, o.Vocabulary)
	}
	s.link()
	return s, nil
}

// link makes the chain of the steps that the options ask for.
func (s *Sampler) link() {
	used := s.given.uses()
	greedy := s.o.Temperature == 0
	for _, name := range s.o.Samplers {
		if used[name] != "" && !(greedy && truncates(name)) {
			s.chain = append(s.chain, step{name, steps[name]})
		}
	}
	switch {
	case greedy:
		s.chain = append(s.chain, step{StepTemperature, (*Sampler).greedy})
	case s.o.Mirostat == 2:
		s.chain = append(s.chain, step{"mirostat", (*Sampler).mirostat})
	}
}

// steps is what the names of Order stand for.
var steps = map[string]func(*Sampler, *pool) string{
	StepBias:        (*Sampler).addBias,
	StepPenalties:   (*Sampler).penalise,
	StepDRY:         (*Sampler).dryRepeats,
	StepTopK:        (*Sampler).topK,
	StepTypicalP:    (*Sampler).typicalP,
	StepTopP:        (*Sampler).topP,
	StepMinP:        (*Sampler).minP,
	StepXTC:         (*Sampler).xtc,
	StepTemperature: (*Sampler).temper,
}

// Options returns what the sampler was made with.
func (s *Sampler) Options() Options { return s.given }

// Fork returns an independent sampler that goes on from here.
func (s *Sampler) Fork() *Sampler {
	f := *s
	return &f
}

// Mu is what Mirostat remembers, bits: given as Options.MirostatMu it lets another
// sampler go on.
func (s *Sampler) Mu() float64 { return s.mu }

// Sample returns the id drawn from logits (V). Logits of -Inf and NaN are never
// drawn; those of +Inf share the probability evenly. Sample returns -1 where the
// mask allows no logit above -Inf, the mark of a broken model or of an empty
// mask, and leaves logits as they are.
func (s *Sampler) Sample(logits []float32, at At) int32 { return s.Draw(logits, at).ID }

// Draw is Sample with the log-probability that the id was drawn with, after all
// steps: 0 at temperature 0. Those of the model are LogProb's.
func (s *Sampler) Draw(logits []float32, at At) Token {
	t := s.draw(logits, at, at.Stream)
	if t.ID >= 0 {
		s.surprised(t.LogProb)
	}
	return t
}

// draw takes its noise from stream, which is not at.Stream for guesses.
func (s *Sampler) draw(logits []float32, at At, stream uint64) Token {
	p := newPool(logits, at)
	defer p.free()
	for _, step := range s.chain {
		step.run(s, p)
	}
	return p.draw(func() float64 { return rng.Float64(s.o.Seed, stream, at.Index) })
}

// Accept tells the sampler of an id that was not drawn by it, where the sequence
// goes on as if it had been: Mirostat learns from its surprise.
func (s *Sampler) Accept(logits []float32, at At, id int32) {
	if s.o.Mirostat != 2 {
		return
	}
	s.surprised(logProb(s.Distribution(logits, at), id))
}

// Distribution returns the tokens that Sample may draw with the log-probabilities
// it draws them with, most probable first, the lower id of equals first. It is
// empty where Sample returns -1. The sampler stays as it is.
func (s *Sampler) Distribution(logits []float32, at At) []Token {
	p := newPool(logits, at)
	defer p.free()
	for _, step := range s.chain {
		step.run(s, p)
	}
	c := p.list()
	total := p.weigh()
	out := make([]Token, 0, len(c))
	top := p.top()
	for _, x := range c {
		if x.weight > 0 {
			out = append(out, Token{x.id, apart(x.logit, top) - math.Log(total)})
		}
	}
	slices.SortFunc(out, func(a, b Token) int {
		switch {
		case a.LogProb != b.LogProb && a.LogProb > b.LogProb:
			return -1
		case a.LogProb < b.LogProb:
			return 1
		}
		return int(a.ID) - int(b.ID)
	})
	return out
}
