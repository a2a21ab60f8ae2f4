package train

import (
	"path/filepath"
	"time"
)

const (
	tolerance = 1.08 // how far a run may go over its planned time before it is cut
	decideAt  = 0.75 // share of the planned time after which a cut is decided: an early one cannot be taken back when the machine becomes fast again
)

// Deadline is the planned time of a run whose steps were counted out beforehand.
type Deadline struct {
	planned float64 // seconds
	before  float64 // seconds of earlier processes
	start   time.Time
}

// NewDeadline begins to count for the run in dir, planned to take so many
// seconds; what its metrics say of earlier processes is counted in.
func NewDeadline(dir string, planned float64) *Deadline {
	d := &Deadline{planned: planned, start: time.Now()}
	if log, err := ReadMetrics(filepath.Join(dir, MetricsFile)); err == nil {
		for _, m := range log {
			d.before += m.Seconds
		}
	}
	return d
}

// Cut says after a step whether steps take so much longer than planned that the
// run must end earlier than at step end, and where. The caller journals it, so
// that a repetition ends alike.
func (d *Deadline) Cut(step, end int) (steps int, ok bool) {
	took := d.before + time.Since(d.start).Seconds()
	if step%10 != 0 || took < decideAt*d.planned {
		return 0, false
	}
	per := took / float64(step)
	if per*float64(end) <= d.planned*tolerance {
		return 0, false
	}
	return step + max(1, int((d.planned-took)/per)), true
}
