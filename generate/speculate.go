package generate

import (
	"fmt"
	"time"

	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor"
)

// Speculation guesses tokens ahead of a sequence, so that one step of the model
// may confirm several. By default it is coupled: the model draws each token with
// the noise that it would use anyway, and a guess is right when it is what was
// drawn. So the text has the same bits as without speculation, and only the
// number of steps changes.
type Speculation struct {
	NGram     bool        // guess what followed the same tokens earlier in the text (prompt lookup)
	Draft     model.Model // guess with this smaller model of the same vocabulary; excludes NGram
	Tokens    int         // guesses a step; 0: 4
	Rejection bool        // accept by rejection sampling instead (Leviathan et al. 2023, arXiv 2211.17192): the same distribution, not the same text
}

const (
	defaultGuesses = 4
	mostGuesses    = 64
)

func (c *Speculation) validate() error {
	switch {
	case c.NGram && c.Draft != nil:
		return fmt.Errorf("speculation by n-grams and by a draft model: choose one")
	case c.Tokens < 0 || c.Tokens > mostGuesses:
		return fmt.Errorf("speculation of %d tokens: it must be 1 to %d, or 0 for %d", c.Tokens, mostGuesses, defaultGuesses)
	}
	return nil
}

// Speculated is what speculation did for a sequence.
type Speculated struct {
	Drafted, Accepted int // tokens guessed, and those that were right
	Steps             int // of the model, for tokens after the first
	// The time of all these steps, guessing included, and of those that had no
	// guess: the first is one of them, as the yardstick for SpeedUp.
	PlainSteps      int
	Time, PlainTime time.Duration
}

func (x *Speculated) count(s *sequence, took time.Duration) {
	if s.reading {
		return // there was nothing to guess
	}
	x.Steps++
	x.Time += took
	if len(s.ahead) == 0 {
		x.PlainSteps++
		x.PlainTime += took
	}
	x.Drafted += len(s.ahead)
	for i, id := range s.ahead {
		if i >= len(s.drawn) || s.drawn[i] != id {
			break
		}
		x.Accepted++
	}
}

// Add joins the figures of another sequence.
func (x *Speculated) Add(y *Speculated) {
	x.Drafted, x.Accepted, x.Steps, x.PlainSteps = x.Drafted+y.Drafted, x.Accepted+y.Accepted, x.Steps+y.Steps, x.PlainSteps+y.PlainSteps
	x.Time, x.PlainTime = x.Time+y.Time, x.PlainTime+y.PlainTime
}

// Acceptance is the share of guesses that were right, 0 without any.
func (x *Speculated) Acceptance() float64 { return float64(x.Accepted) / float64(max(1, x.Drafted)) }

// SpeedUp compares with steps of one token: how many times longer they would have
// taken for as many tokens. It is 0 where it cannot be told.
func (x *Speculated) SpeedUp() float64 {
	if x.PlainSteps == 0 || x.Time == 0 || x.Drafted == 0 {
		return 0
	}
	plain := x.PlainTime.Seconds() / float64(x.PlainSteps)
	return plain * float64(x.Steps+x.Accepted) / x.Time.Seconds()
}

// guesser fills in the guesses ahead of sequences that decode.
type guesser interface {
	guess(e *Engine, seqs []*sequence)
	close()
}

func newGuesser(b tensor.Backend, m model.Model, c *Config) (guesser, error) {
	switch {
	case c.Speculation.NGram:
		return ngramGuesser{}, nil
	case c.Speculation.Draft != nil:
		return newDraftGuesser(b, m, c)
	}
	return nil, nil
}

// guesses is how many tokens may be guessed for s: none for the first step after
// the prompt, by which the others are measured, none where a constraint forces
// some, and no more than it lacks.
func (s *sequence) guesses(c *Speculation) int {
	if s.new() == 1 || len(s.guide.forced) > 0 {
		return 0
	}
	return max(0, min(c.Tokens, s.limit-s.new()-1, s.room()-1))
}

// certain is the distribution of a guess that nothing was drawn for.
func certain(id int32) []sample.Token { return []sample.Token{{ID: id}} }

// ngramGuesser looks the last tokens up in what came before (Saxena 2023, prompt
// lookup decoding): what followed them then may follow now.
type ngramGuesser struct{}

// The lengths of n-grams that are looked up, the longest first.
const longestGram, shortestGram = 4, 2

func (ngramGuesser) guess(e *Engine, seqs []*sequence) {
	for _, s := range seqs {
		s.ahead = append(s.ahead[:0], s.guide.allowed(lookUp(s.ids, s.guesses(&e.c.Speculation)))...)
		s.dists = nil
		if e.c.Speculation.Rejection {
			for _, id := range s.ahead {
				s.dists = append(s.dists, certain(id))
			}
		}
	}
}

func (ngramGuesser) close() {}

// lookUp returns at most n ids that followed the latest earlier occurrence of the
// longest n-gram at the end of ids that has one.
func lookUp(ids []int32, n int) []int32 {
	for gram := longestGram; gram >= shortestGram && n > 0; gram-- {
		if len(ids) <= gram {
			continue
		}
		tail := ids[len(ids)-gram:]
		for i := len(ids) - gram - 1; i >= 0; i-- {
			if ids[i+gram-1] != tail[gram-1] || !equal(ids[i:i+gram], tail) {
				continue
			}
			return ids[i+gram : min(len(ids), i+gram+n)]
		}
	}
	return nil
}

func equal(a, b []int32) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
