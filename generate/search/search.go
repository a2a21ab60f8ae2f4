// Package search is test-time compute: it makes several candidates for one prompt
// and chooses among them.
//
// Candidates come from sampling (Draw, in one batch that shares the prompt), from
// sampling until a vote is decided (Adaptive) or from beam search (Beam). A
// Selector chooses one: by likelihood (SumLogProb, MeanLogProb, GNMT), by what
// their answers agree on (Majority, Weighted), by a reward or a verifier, by plain
// rules (Heuristics), or by asking a person. Where two candidates are equal the one
// with the lower index wins, always.
//
// Not here: how one text is decoded (generate), and what a number of candidates is
// worth (eval, lab).
package search

import (
	"context"
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/generate"
)

// MaxCandidates bounds the candidates of one call: their texts are kept in memory
// until one is chosen.
const MaxCandidates = generate.MaxCandidates

// Candidate is one text for a prompt.
type Candidate struct {
	Text string
	IDs  []int32
	// LogProbs are natural logarithms of the model's probabilities, of each id and,
	// where the text ended with one, of the end token.
	LogProbs []float64
	Finish   string // why it ended, as in generate.Result
}

// Complete says whether the text came to its end by itself: no limit cut it off.
func (c *Candidate) Complete() bool {
	switch c.Finish {
	case generate.FinishStop, generate.FinishString, generate.FinishRegex, generate.FinishComplete:
		return true
	}
	return false
}

// CheckCount says whether n candidates can be asked for.
func CheckCount(n int) error {
	if n < 1 || n > MaxCandidates {
		return fmt.Errorf("%d candidates: give 1 to %d", n, MaxCandidates)
	}
	return nil
}

// Draw samples n candidates in one batch: candidate i is stream first+i of o, so it
// is the same whatever n is. Yield, which may be nil, is told of every token. When
// ctx ends, the candidates that were complete come with its error.
func Draw(ctx context.Context, e *generate.Engine, prompt []int32, o generate.Options, first, n int, yield func(i int, p generate.Piece)) ([]Candidate, error) {
	if err := CheckCount(n); err != nil {
		return nil, err
	}
	o.Stream += uint64(first)
	requests, err := generate.Candidates(prompt, o, n)
	if err != nil {
		return nil, err
	}
	results, err := e.GenerateAll(ctx, requests, func(i int, p generate.Piece) bool {
		if yield != nil {
			yield(i, p)
		}
		return true
	})
	var done []Candidate
	for _, r := range results {
		if r.Finish != "" {
			done = append(done, FromResult(r))
		}
	}
	return done, err
}

// FromResult is a generated text as a candidate.
func FromResult(r *generate.Result) Candidate {
	c := Candidate{Text: r.Text, IDs: r.IDs, LogProbs: r.LogProbs, Finish: r.Finish}
	if r.StopID >= 0 {
		c.LogProbs = append(slices.Clip(c.LogProbs), r.StopLogProb)
	}
	return c
}

// Tokens is the number of tokens of candidates together, end tokens included as
// far as their probability is known.
func Tokens(candidates []Candidate) int {
	n := 0
	for i := range candidates {
		n += max(len(candidates[i].IDs), len(candidates[i].LogProbs))
	}
	return n
}
