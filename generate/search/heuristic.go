package search

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Heuristics are rules of an application. The zero value has one rule: the text is
// complete.
type Heuristics struct {
	MinChars, MaxChars int            // of the text; 0: no bound
	MaxRepetition      float64        // bound of Repetition, in (0, 1]; 0: none
	Format             *regexp.Regexp // must match; nil: none
	Incomplete         bool           // allows texts that a limit cut off
}

// Validate says which rule is impossible.
func (h *Heuristics) Validate() error {
	switch {
	case h.MinChars < 0 || h.MaxChars < 0:
		return fmt.Errorf("bounds of %d and %d characters: they must be positive, or 0 for none", h.MinChars, h.MaxChars)
	case h.MaxChars > 0 && h.MinChars > h.MaxChars:
		return fmt.Errorf("at least %d characters and at most %d cannot both hold", h.MinChars, h.MaxChars)
	case h.MaxRepetition < 0 || h.MaxRepetition > 1:
		return fmt.Errorf("a bound of repetition of %g: it must be between 0 and 1", h.MaxRepetition)
	}
	return nil
}

// Broken lists the rules that a candidate breaks.
func (h *Heuristics) Broken(c *Candidate) []string {
	var broken []string
	n := utf8.RuneCountInString(c.Text)
	if n < h.MinChars {
		broken = append(broken, fmt.Sprintf("%d characters, at least %d", n, h.MinChars))
	}
	if h.MaxChars > 0 && n > h.MaxChars {
		broken = append(broken, fmt.Sprintf("%d characters, at most %d", n, h.MaxChars))
	}
	if r := Repetition(c.Text); h.MaxRepetition > 0 && r > h.MaxRepetition {
		broken = append(broken, fmt.Sprintf("repetition %.2f, at most %g", r, h.MaxRepetition))
	}
	if h.Format != nil && !h.Format.MatchString(c.Text) {
		broken = append(broken, "the format does not match")
	}
	if !h.Incomplete && !c.Complete() {
		broken = append(broken, "cut off: "+c.Finish)
	}
	return broken
}

// Select chooses the candidate that breaks the fewest rules. Its score is their
// number, negated.
func (h *Heuristics) Select() Selector {
	s := ByScore("heuristic", func(_ context.Context, c *Candidate) (float64, error) {
		return float64(-len(h.Broken(c))), nil
	})
	score := s.Select
	s.Select = func(ctx context.Context, candidates []Candidate) (Choice, error) {
		ch, err := score(ctx, candidates)
		if err == nil && ch.Index >= 0 {
			ch.Why = "keeps all rules"
			if broken := h.Broken(&candidates[ch.Index]); len(broken) > 0 {
				ch.Why = "breaks the fewest rules: " + strings.Join(broken, "; ")
			}
		}
		return ch, err
	}
	return s
}

// repetitionWords is the length of the phrases that Repetition counts.
const repetitionWords = 4

// Repetition is the share of phrases of four words that came before in the text:
// 0 for none, near 1 for a text that goes round in a loop (seq-rep-4 of Welleck et
// al. 2019, arXiv 1908.04319, over words).
func Repetition(text string) float64 {
	words := strings.Fields(text)
	n := len(words) - repetitionWords + 1
	if n < 1 {
		return 0
	}
	seen := map[[repetitionWords]string]bool{}
	for i := range n {
		seen[[repetitionWords]string(words[i:i+repetitionWords])] = true
	}
	return 1 - float64(len(seen))/float64(n)
}
