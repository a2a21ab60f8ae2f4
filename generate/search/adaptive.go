package search

import (
	"context"
	"fmt"
	"math"
)

// A StopRule says whether a vote needs no more candidates, at most remaining of
// which could still vote.
type StopRule func(t *Tally, remaining int) bool

// CannotBeOvertaken stops when no votes that remain can change the winner: the
// answer is certainly that of all candidates.
func CannotBeOvertaken(t *Tally, remaining int) bool {
	if len(t.answers) == 0 {
		return remaining == 0
	}
	lead := t.answers[t.leader].weight
	// An answer not seen yet comes later and loses a tie.
	if float64(remaining) > lead {
		return false
	}
	for i, a := range t.answers {
		w := a.weight + float64(remaining)
		if i != t.leader && (w > lead || w == lead && i < t.leader) {
			return false
		}
	}
	return true
}

// DefaultConfidence is the threshold of Aggarwal et al. 2023.
const DefaultConfidence = 0.95

// BetaStop stops when the leader would beat the runner-up with this confidence
// were the sampling to go on for ever (Adaptive-Consistency, Aggarwal et al. 2023,
// arXiv 2305.11860, with the Beta criterion, which looks at the two best answers
// only).
func BetaStop(confidence float64) StopRule {
	return func(t *Tally, remaining int) bool {
		if remaining == 0 {
			return true
		}
		_, _, lead := t.Leader()
		return lead > 0 && betaLead(int(lead), int(t.RunnerUp())) >= confidence
	}
}

// betaLead is the probability that the answer with a votes is more frequent than
// the one with b, when nothing was known before the votes: the regularised
// incomplete beta function I_1/2(b+1, a+1), which for whole numbers is the tail of
// a binomial: P(Bin(a+b+1, 1/2) > b).
func betaLead(a, b int) float64 {
	n := float64(a + b + 1)
	var p float64
	for i := b + 1; i <= a+b+1; i++ {
		p += math.Exp(lchoose(n, float64(i)) - n*math.Ln2)
	}
	return min(p, 1)
}

// lchoose is the logarithm of n over k.
func lchoose(n, k float64) float64 {
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(n - k + 1)
	return a - b - c
}

// Adaptive draws candidates in rounds, at most n, until stop holds for their votes,
// which it asks after each round. Draw gives candidates [first, first+n), as Draw
// of this package does; on an error what was drawn is returned with it.
func Adaptive(ctx context.Context, n, round int, extract Extractor, stop StopRule, draw func(ctx context.Context, first, n int) ([]Candidate, error)) ([]Candidate, error) {
	if err := CheckCount(n); err != nil {
		return nil, err
	}
	if round < 1 {
		return nil, fmt.Errorf("rounds of %d candidates: give 1 or more", round)
	}
	var all []Candidate
	var t Tally
	for len(all) < n {
		more, err := draw(ctx, len(all), min(round, n-len(all)))
		for i := range more {
			if answer, ok := extract(more[i].Text); ok {
				t.Add(len(all)+i, answer, 1)
			}
		}
		all = append(all, more...)
		if err != nil || len(more) == 0 || stop(&t, n-len(all)) {
			return all, err
		}
	}
	return all, nil
}
