package posttrain

import (
	"context"
	"strconv"
)

// ReferenceFile is the journal of log-probabilities under the reference, in a
// run's directory.
const ReferenceFile = "reference.jsonl"

// PrecomputeReference gives every completion its log-probability under the
// reference, which the run then needs no more. What the journal has is taken from
// it, the rest computed and written there, part by part: row and places must stay
// the same. Progress is told how many of all are done.
func PrecomputeReference(ctx context.Context, j *Journal, s *Scorer, ps []Preferred, row, places int, progress func(done, total int)) error {
	var all []*Completion
	for i := range ps {
		for _, c := range []*Completion{ps[i].Chosen, ps[i].Rejected} {
			if c != nil {
				all = append(all, c)
			}
		}
		for k := range ps[i].Others {
			all = append(all, &ps[i].Others[k])
		}
	}
	done := 0
	for n, part := range split(all, places, func(c *Completion) int { return len(c.IDs) - 1 }) {
		if err := ctx.Err(); err != nil {
			return err
		}
		var xs []float64
		key := "reference/" + strconv.Itoa(n)
		found, err := j.Get(key, &xs)
		if err != nil {
			return err
		}
		if !found || len(xs) != len(part) {
			cs := make([]Completion, len(part))
			for i, c := range part {
				cs[i] = *c
			}
			xs = s.LogProbs(cs, row, places)
			if err := j.Put(key, xs); err != nil {
				return err
			}
		}
		for i := range part {
			part[i].Reference = &xs[i]
		}
		if done += len(part); progress != nil {
			progress(done, len(all))
		}
	}
	return nil
}
