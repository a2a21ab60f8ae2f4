package search

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Options are what selectors need; only those that are named need theirs.
type Options struct {
	Alpha      *float64  // of gnmt; nil: DefaultAlpha
	Extract    Extractor // of votes
	Verify     Verifier
	Reward     Score
	Heuristics Heuristics
	Ask        func(ctx context.Context, candidates []Candidate) (int, error) // for pick
}

// Names are the selectors that Named knows.
func Names() []string {
	return []string{"sumlogp", "meanlogp", "gnmt", "majority", "weighted", "verifier", "verified-vote", "reward", "heuristic", "first", "pick"}
}

// Errors of selectors that lack what they need.
var (
	ErrNoExtractor = errors.New("a vote needs to know what an answer is: say how to extract it")
	ErrNoVerifier  = errors.New("it needs a verifier")
	ErrNoReward    = errors.New("it needs a reward")
)

// Named is the selector of a name.
func Named(name string, o Options) (Selector, error) {
	if votes := []string{"majority", "weighted", "verified-vote"}; o.Extract == nil && slices.Contains(votes, name) {
		return Selector{}, fmt.Errorf("selector %s: %w", name, ErrNoExtractor)
	}
	switch name {
	case "sumlogp":
		return SumLogProb(), nil
	case "meanlogp":
		return MeanLogProb(), nil
	case "gnmt":
		alpha := DefaultAlpha
		if o.Alpha != nil {
			alpha = *o.Alpha
		}
		if !(alpha >= 0 && alpha <= 10) {
			return Selector{}, fmt.Errorf("length penalty with exponent %g: give 0 to 10", alpha)
		}
		return GNMT(alpha), nil
	case "majority":
		return Majority(o.Extract), nil
	case "weighted":
		if o.Reward != nil {
			// The reward is a weight as it stands, so its logarithm counts here.
			return Weighted(o.Extract, logOf(o.Reward)), nil
		}
		return Weighted(o.Extract, ByMean), nil
	case "verifier", "verified-vote":
		if o.Verify == nil {
			return Selector{}, fmt.Errorf("selector %s: %w", name, ErrNoVerifier)
		}
		if name == "verifier" {
			return Verified(o.Verify), nil
		}
		return VerifiedVote(o.Verify, o.Extract), nil
	case "reward":
		if o.Reward == nil {
			return Selector{}, fmt.Errorf("selector reward: %w", ErrNoReward)
		}
		return Reward(o.Reward), nil
	case "heuristic":
		if err := o.Heuristics.Validate(); err != nil {
			return Selector{}, err
		}
		return o.Heuristics.Select(), nil
	case "first":
		return First(), nil
	case "pick":
		if o.Ask == nil {
			return Selector{}, errors.New("selector pick: there is nobody to ask")
		}
		return Pick(o.Ask), nil
	}
	return Selector{}, fmt.Errorf("selector %q is unknown: there are %s", name, strings.Join(Names(), ", "))
}

// Verifiers are the names that NamedVerifier knows.
func Verifiers() []string { return []string{"go-parse", "arithmetic", "json"} }

// NamedVerifier is the verifier of a name: Go code that parses, shown equations that
// are right, text that holds a JSON value.
func NamedVerifier(name string) (Verifier, error) {
	switch name {
	case "go-parse":
		return ParsesAsGo, nil
	case "arithmetic":
		return Arithmetic, nil
	case "json":
		return func(_ context.Context, c *Candidate) (Verdict, error) {
			if _, ok := FindJSON(c.Text); !ok {
				return Verdict{Why: "no JSON value"}, nil
			}
			return verdict(nil), nil
		}, nil
	}
	return nil, fmt.Errorf("verifier %q is unknown: there are %s", name, strings.Join(Verifiers(), ", "))
}
