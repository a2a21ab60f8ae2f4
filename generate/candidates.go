package generate

import (
	"context"
	"fmt"
)

// MaxCandidates is the most texts that GenerateN makes at a time.
const MaxCandidates = 4096

// GenerateN continues a prompt in n ways in one batch: text i draws the random
// numbers of stream o.Stream+i, so it is the same for any n. The prompt is read
// once. The rest is as for GenerateAll.
func (e *Engine) GenerateN(ctx context.Context, prompt []int32, o Options, n int, yield func(i int, p Piece) bool) ([]*Result, error) {
	requests, err := Candidates(prompt, o, n)
	if err != nil {
		return nil, err
	}
	return e.GenerateAll(ctx, requests, yield)
}

// Candidates are the requests of GenerateN.
func Candidates(prompt []int32, o Options, n int) ([]Request, error) {
	if n < 1 || n > MaxCandidates {
		return nil, fmt.Errorf("%d texts: they must be 1 to %d", n, MaxCandidates)
	}
	if o.Budget > 0 && o.Budget < n {
		return nil, fmt.Errorf("a budget of %d tokens for %d texts: each needs one at least", o.Budget, n)
	}
	requests := make([]Request, n)
	for i := range requests {
		requests[i] = Request{Prompt: prompt, Options: o}
		requests[i].Stream += uint64(i)
		if requests[i].Budget = o.Budget / n; i < o.Budget%n {
			requests[i].Budget++
		}
	}
	return requests, nil
}
