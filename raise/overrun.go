package raise

import (
	"path/filepath"
	"slices"
	"time"

	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
)

const (
	tolerance = 1.08 // how far a stage may run over its planned time before it is cut
	decideAt  = 0.75 // share of the planned time after which a cut is decided: an early one cannot be taken back when the machine becomes fast again
)

// overrun returns the question that a training stage asks after each step:
// must it end earlier than planned, since steps take longer than measured? The
// answer is written to the plan before it takes effect, so that the run, and
// any repetition of it, ends alike. A plan that was given is never changed.
func (r *Run) overrun(stage, dir string, share float64, o *train.Options) func(step int) (steps int, ok bool) {
	if r.Plan.Fixed {
		return nil
	}
	before := 0.0 // seconds of earlier processes
	if log, err := train.ReadMetrics(filepath.Join(dir, train.MetricsFile)); err == nil {
		for _, m := range log {
			before += m.Seconds
		}
	}
	start, planned := time.Now(), r.Plan.seconds(share)
	s := &o.Schedule
	return func(step int) (steps int, ok bool) {
		took := before + time.Since(start).Seconds()
		if step%10 != 0 || took < decideAt*planned {
			return 0, false
		}
		per := took / float64(step)
		if per*float64(s.End()) <= planned*tolerance {
			return 0, false
		}
		cut := Cut{Stage: stage, At: step, Planned: s.End(), Steps: step + max(1, int((planned-took)/per))}
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
