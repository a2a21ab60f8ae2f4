package grammar

import (
	"errors"
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/internal/parallel"
)

// Masks is Mask for many sessions, each with its remaining tokens: masks[i] is that
// of sessions[i]. Grammars are worked on side by side by the pool (nil: one after
// the other), the sessions of one grammar in order, which share what is found. The
// bits do not depend on the pool. An error names the session.
func Masks(pool *parallel.Pool, sessions []*Session, remaining []int) (masks [][]uint64, err error) {
	masks = make([][]uint64, len(sessions))
	errs := make([]error, len(sessions))
	var grammars []*Grammar
	for _, s := range sessions {
		if !slices.Contains(grammars, s.g) {
			grammars = append(grammars, s.g)
		}
	}
	pool.Run(len(grammars), func(task, _ int) {
		for i, s := range sessions {
			if s.g != grammars[task] {
				continue
			}
			if masks[i], errs[i] = s.Mask(remaining[i]); errs[i] != nil {
				errs[i] = fmt.Errorf("sequence %d: %w", i, errs[i])
			}
		}
	})
	return masks, errors.Join(errs...)
}
