package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/foundling-lm/foundling/internal/atomicfile"
)

// Run drives a Trainer over a directory.
type Run struct {
	Dir string // holds the checkpoint and metrics.jsonl
	// Source is the micro-batches of a step (from 0): a function of the step and of
	// the weights before it, not of how often the run was stopped.
	Source   func(step int) ([]Micro, error)
	Steps    int
	Validate func(m *Metrics) // adds held-out figures to those of a step; nil: none
	Progress func(Metrics)    // after every step; nil: none
	// Saved is told of every checkpoint, by its step, and how long it took; nil: none.
	Saved func(step int, took time.Duration) error
	FLOP  float64 // of one place, forward and backward, for the metrics
	// Overrun, if not nil, is asked after every step whether the run must end
	// earlier than planned; it returns the step to end with. The caller journals
	// the decision (optim.Schedule.Cuts), so that a second run takes it from
	// there.
	Overrun func(step int) (steps int, ok bool)
	Now     func() time.Time // nil: time.Now; the clock decides when to save, never what is computed
}

// MetricsFile is the log of a run: one JSON object a step.
const MetricsFile = "metrics.jsonl"

// ErrInterrupted reports a run that was stopped by its context after saving its
// state.
var ErrInterrupted = errors.New("interrupted: the state is saved, the same command goes on from it")

// Do restores the last checkpoint, if any, and trains to the end. When ctx ends
// it saves and returns ErrInterrupted.
func (r Run) Do(ctx context.Context, t *Trainer) error {
	if r.Now == nil {
		r.Now = time.Now
	}
	path := filepath.Join(r.Dir, CheckpointFile)
	if _, err := t.Load(path); err != nil {
		return err
	}
	log, err := openLog(filepath.Join(r.Dir, MetricsFile), t.Step())
	if err != nil {
		return err
	}
	defer log.Close()
	saved := r.Now()
	for t.Step() < r.Steps {
		if ctx.Err() != nil {
			if err := r.save(t, log, path); err != nil {
				return err
			}
			return ErrInterrupted
		}
		start := r.Now()
		micro, err := r.Source(t.Step())
		if err != nil {
			if ctx.Err() == nil {
				return fmt.Errorf("step %d: %w", t.Step()+1, err)
			}
			continue // stopped inside: saved above
		}
		before := t.state.Tokens
		m, err := t.StepOn(micro)
		if err != nil {
			return fmt.Errorf("step %d: %w", m.Step, err)
		}
		if m.Seconds = r.Now().Sub(start).Seconds(); m.Seconds > 0 {
			m.TokensPerSecond = float64(m.Tokens-before) / m.Seconds
			m.FLOPs = float64(t.places) * r.FLOP / m.Seconds
		}
		if done := m.Step == r.Steps; r.Validate != nil && (done || t.o.EvalEvery > 0 && m.Step%t.o.EvalEvery == 0) {
			r.Validate(&m)
		}
		if err := log.write(m); err != nil {
			return err
		}
		if r.Progress != nil {
			r.Progress(m)
		}
		if r.Overrun != nil {
			if steps, ok := r.Overrun(m.Step); ok {
				r.Steps = steps
				t.Cut(steps)
			}
		}
		if now := r.Now(); now.Sub(saved) >= t.o.SaveEvery && t.Step() < r.Steps {
			if err := r.save(t, log, path); err != nil {
				return err
			}
			saved = r.Now()
		}
	}
	return r.save(t, log, path)
}

// save makes the log durable first, so that it never lacks a step that the
// checkpoint has.
func (r Run) save(t *Trainer, log *metricsLog, path string) error {
	start := r.Now()
	if err := log.sync(); err != nil {
		return err
	}
	if err := t.Save(path); err != nil || r.Saved == nil {
		return err
	}
	return r.Saved(t.Step(), r.Now().Sub(start))
}

// metricsLog appends to metrics.jsonl.
type metricsLog struct {
	f *os.File
}

// openLog opens the log for appending after the given step; lines of later
// steps, which a crash left behind, are dropped.
func openLog(path string, step int) (*metricsLog, error) {
	old, err := ReadMetrics(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	err = atomicfile.Write(path, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		for _, m := range old {
			if m.Step <= step {
				if err := enc.Encode(m); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	return &metricsLog{f}, nil
}

// ReadMetrics reads a log up to its first incomplete line.
func ReadMetrics(path string) ([]Metrics, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []Metrics
	for dec := json.NewDecoder(f); ; {
		var m Metrics
		if err := dec.Decode(&m); err != nil {
			return out, nil // the end, or a line cut off by a crash
		}
		out = append(out, m)
	}
}

func (l *metricsLog) write(m Metrics) error {
	line, err := json.Marshal(finite(m))
	if err != nil {
		return err
	}
	_, err = l.f.Write(append(line, '\n'))
	return err
}

// finite replaces what JSON cannot hold.
func finite(m Metrics) Metrics {
	bound := func(x float64) float64 {
		if x != x || x > 1e300 || x < -1e300 {
			return 1e300
		}
		return x
	}
	for _, x := range []*float64{&m.Loss, &m.GradNorm, &m.ValLoss, &m.ValBPB} {
		*x = bound(*x)
	}
	for name, x := range m.Extra {
		m.Extra[name] = bound(x)
	}
	return m
}

func (l *metricsLog) sync() error { return l.f.Sync() }

// Close closes the file.
func (l *metricsLog) Close() error { return l.f.Close() }
