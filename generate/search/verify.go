package search

import (
	"context"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"math"
	"strings"
)

// Verdict is what a verifier says of a candidate.
type Verdict struct {
	Pass bool
	// Score grades the candidate, the greater the better. Verifiers that do not grade
	// give 1 and 0.
	Score float64
	Why   string // what is wrong, where it does not pass
}

// verdict is one without grades.
func verdict(err error) Verdict {
	if err != nil {
		return Verdict{Why: err.Error()}
	}
	return Verdict{Pass: true, Score: 1}
}

// A Verifier judges one candidate by itself. An error means that there is no
// verdict, not that the candidate is bad. It must say the same of the same text.
type Verifier func(ctx context.Context, c *Candidate) (Verdict, error)

// Remember is a verifier or a score that asks f once for each text. It is for one
// goroutine.
func Remember[T any, F ~func(context.Context, *Candidate) (T, error)](f F) F {
	known := map[string]T{}
	return func(ctx context.Context, c *Candidate) (T, error) {
		if r, ok := known[c.Text]; ok {
			return r, nil
		}
		r, err := f(ctx, c)
		if err == nil {
			known[c.Text] = r
		}
		return r, err
	}
}

// Verified chooses the first candidate that passes.
func Verified(v Verifier) Selector {
	s := ByScore("verifier", func(ctx context.Context, c *Candidate) (float64, error) {
		r, err := v(ctx, c)
		if err != nil || !r.Pass {
			return math.NaN(), err
		}
		return 1, nil
	})
	return counting(s, "passed")
}

// ByGrade is a verifier's grade as a reward, of those that do not pass as well
// (Cobbe et al. 2021, arXiv 2110.14168, choose the solution that their trained
// verifier grades highest).
func ByGrade(v Verifier) Score {
	return func(ctx context.Context, c *Candidate) (float64, error) {
		r, err := v(ctx, c)
		return r.Score, err
	}
}

// counting says how many candidates were fit.
func counting(s Selector, did string) Selector {
	score := s.Select
	s.Select = func(ctx context.Context, candidates []Candidate) (Choice, error) {
		ch, err := score(ctx, candidates)
		if err != nil {
			return ch, err
		}
		fit := 0
		for _, x := range ch.Scores {
			if !math.IsNaN(x) {
				fit++
			}
		}
		ch.Why = fmt.Sprintf("%d of %d %s", fit, len(candidates), did)
		return ch, nil
	}
	return s
}

// VerifiedVote is a vote of the candidates that pass.
func VerifiedVote(v Verifier, extract Extractor) Selector {
	s := vote("majority", extract, func(ctx context.Context, c *Candidate) (float64, error) {
		r, err := v(ctx, c)
		if err != nil || !r.Pass {
			return math.NaN(), err
		}
		return 0, nil
	})
	s.Name = "verified-vote"
	return s
}

// All passes what every verifier passes. The score is the mean of theirs, as far
// as they were asked: the first that refuses ends the question.
func All(verifiers ...Verifier) Verifier {
	return func(ctx context.Context, c *Candidate) (Verdict, error) {
		all := Verdict{Pass: true}
		for _, v := range verifiers {
			r, err := v(ctx, c)
			if err != nil {
				return Verdict{}, err
			}
			all.Score += r.Score / float64(len(verifiers))
			if !r.Pass {
				all.Pass, all.Why = false, r.Why
				break
			}
		}
		return all, nil
	}
}

// maxGoBytes bounds the code that is parsed.
const maxGoBytes = 1 << 18

// ParsesAsGo passes Go code: a file, declarations or statements, fenced or alone
// (go/parser).
func ParsesAsGo(_ context.Context, c *Candidate) (Verdict, error) {
	code := c.Text
	if block, ok := fenced(code); ok {
		code = block
	}
	return verdict(parseGo(code)), nil
}

func parseGo(code string) error {
	switch {
	case len(code) > maxGoBytes:
		return fmt.Errorf("%d bytes of code: at most %d are read", len(code), maxGoBytes)
	case strings.TrimSpace(code) == "":
		return fmt.Errorf("no code")
	}
	file, err := parser.ParseFile(token.NewFileSet(), "", code, parser.SkipObjectResolution|parser.PackageClauseOnly)
	if err == nil && file.Name != nil {
		file, err = parser.ParseFile(token.NewFileSet(), "", code, parser.SkipObjectResolution)
		if err == nil && !says(file) {
			return fmt.Errorf("no code but the package clause")
		}
		return err
	}
	_, err = format.Source([]byte(code)) // declarations or statements
	return err
}

func says(f *ast.File) bool { return len(f.Decls) > 0 }
