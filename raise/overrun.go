package raise

import (
	"slices"

	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
)

// overrun returns the question that a training stage asks after each step:
// must it end earlier than planned, since steps take longer than measured? The
// answer is written to the plan before it takes effect, so that the run, and
// any repetition of it, ends alike. A plan that was given is never changed.
func (r *Run) overrun(stage, dir string, share float64, o *train.Options) func(step int) (steps int, ok bool) {
	if r.Plan.Fixed {
		return nil
	}
	s, d := &o.Schedule, train.NewDeadline(dir, r.Plan.seconds(share))
	return func(step int) (steps int, ok bool) {
		end, ok := d.Cut(step, s.End())
		if !ok {
			return 0, false
		}
		cut := Cut{Stage: stage, At: step, Planned: s.End(), Steps: end}
		old := s.Cuts
		s.Cuts = append(slices.Clip(old), optim.Cut{At: cut.At, Steps: cut.Steps})
		r.Plan.Journal = append(r.Plan.Journal, cut)
		if err := r.Plan.save(r.o.Out); err != nil {
			r.w.Say("the earlier end could not be journalled: %v", err)
			s.Cuts = old
			return 0, false
		}
		r.w.Say("steps take longer than measured: %s ends after %d steps instead of %d (journalled in %s)", stage, cut.Steps, cut.Planned, PlanFile)
		return cut.Steps, true
	}
}
