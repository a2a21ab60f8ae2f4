package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/objective"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// read reads the preferences, or the prompts of --online, and settles the steps.
func (r *dpoRun) read(ctx context.Context) (err error) {
	o := &r.Options
	if r.losses, err = o.losses(); err != nil {
		return err
	}
	if o.Online {
		return r.readPrompts(ctx)
	}
	if err := r.newReader(); err != nil {
		return err
	}
	r.p.stage("preferences", 0)
	n := 0
	kinds := []dataset.Kind{dataset.Preference, dataset.Unpaired}
	err = readRecords(ctx, o.Data, kinds, &r.reader.Tally.Skipped, func(rec dataset.Record) error {
		if n++; n%64 == 0 {
			r.p.set(int64(n), fmt.Sprint(n))
		}
		return r.take(rec)
	})
	if err != nil {
		return err
	}
	return r.settlePreferences()
}

// newReader prepares to read preferences.
func (r *dpoRun) newReader() error {
	o := &r.Options
	w, err := posttrain.NewWriter(r.base)
	r.reader = &posttrain.PreferenceReader{Writer: w, Row: o.Context, Long: posttrain.LongPolicy(o.TooLong), Singles: !r.has(pairwise)}
	return err
}

// take adds a record to those that are learned or held out.
func (r *dpoRun) take(rec dataset.Record) error {
	o := &r.Options
	p, ok, err := r.reader.Read(rec)
	switch {
	case err != nil:
		return err
	case !ok:
	case posttrain.HeldOut(rec, o.HeldOut, o.Seed):
		r.held = append(r.held, p)
	default:
		r.data = append(r.data, p)
	}
	return nil
}

// settlePreferences settles the steps when all are there.
func (r *dpoRun) settlePreferences() error {
	o := &r.Options
	if len(r.data) == 0 {
		return fmt.Errorf("nothing can be learned from %v: %s%s", o.Data, &r.reader.Tally, firstOf(&r.reader.Tally.Skipped))
	}
	if r.has(func(m objective.PreferenceMethod) bool { return m.Baseline }) {
		posttrain.Mismatch(r.data, o.Context+1)
		posttrain.Mismatch(r.held, o.Context+1)
	}
	size := r.batch()
	r.p.end(fmt.Sprintf("%s; %d held out; steps of %d", &r.reader.Tally, len(r.held), size))
	return r.settle(r.fingerprint(), float64(len(r.data))/float64(size))
}

// firstOf is the first row of each reason that was left out, in full.
func firstOf(s *dataset.Skips) string {
	if len(s.First) == 0 {
		return ""
	}
	return "\n" + strings.Join(s.First, "\n")
}

func pairwise(m objective.PreferenceMethod) bool { return !m.Unpaired }

// has says whether some loss has the property.
func (r *dpoRun) has(f func(objective.PreferenceMethod) bool) bool {
	return slices.ContainsFunc(r.losses, func(l posttrain.WeightedLoss) bool { return f(l.PreferenceMethod) })
}

// batch is the preferences of a step.
func (r *dpoRun) batch() int {
	if r.Options.Batch > 0 {
		return r.Options.Batch
	}
	tokens := 0
	for _, p := range r.data {
		tokens += p.Size()
	}
	return max(1, r.Options.BatchTokens*len(r.data)/max(1, tokens))
}

// fingerprint is a hash of all that is learned or measured.
func (r *dpoRun) fingerprint() string {
	var all []batch.Example
	for _, p := range slices.Concat(r.data, r.held) {
		for _, c := range []*posttrain.Completion{p.Chosen, p.Rejected} {
			if c == nil {
				c = &posttrain.Completion{}
			}
			all = append(all, c.Example)
		}
	}
	return fingerprint(all)
}

// preferences are the micro-batches of the run, with the reference that the
// losses need.
func (r *dpoRun) preferences(ctx context.Context) (*posttrain.Preferences, error) {
	o := &r.Options
	m := r.base.Model
	p := &posttrain.Preferences{
		Losses: r.losses, Policy: m, Scorer: posttrain.NewScorer(r.b, m, nil),
		Row: o.Context, Places: max(o.BatchTokens/o.Accumulate, o.Context),
	}
	if o.Online {
		p.Row = m.Dims().Context
	}
	if !r.has(func(m objective.PreferenceMethod) bool { return m.Reference }) && !o.Online {
		return p, nil
	}
	if r.adapter != nil {
		p.Reference = posttrain.NewScorer(r.b, m, func(run func()) {
			r.adapter.Off(true)
			run()
			r.adapter.Off(false)
		})
	} else {
		z, err := bundle.Open(r.b, o.Model)
		if err != nil {
			return nil, fmt.Errorf("the reference: %w", err)
		}
		r.frozen = z
		p.Reference = posttrain.NewScorer(r.b, z.Model, nil)
	}
	if !o.Precompute || o.Online {
		return p, nil
	}
	return p, r.precompute(ctx, p)
}

// precompute takes the log-probabilities under the reference once; the second copy
// of the weights goes.
func (r *dpoRun) precompute(ctx context.Context, p *posttrain.Preferences) error {
	r.p.stage("reference", 0)
	j, err := posttrain.OpenJournal(filepath.Join(r.c.Out, posttrain.ReferenceFile))
	if err != nil {
		return err
	}
	all := slices.Concat(r.data, r.held)
	err = posttrain.PrecomputeReference(ctx, j, p.Reference, all, p.Row, p.Places, func(done, total int) {
		r.p.set(int64(done), fmt.Sprintf("%d of %d answers", done, total))
	})
	if err = errors.Join(err, j.Close()); err != nil {
		return err
	}
	p.Reference.Close()
	if p.Reference = nil; r.frozen != nil {
		r.frozen.Release(r.b)
		r.frozen = nil
	}
	r.p.end(fmt.Sprintf("log-probabilities of %d preferences are in %s", len(all), posttrain.ReferenceFile))
	return nil
}

// prefer takes the steps.
func (r *dpoRun) prefer(ctx context.Context) error {
	o := &r.Options
	if posttrain.Done(r.c.Out) {
		return r.train(ctx, "prefer", posttrain.Job{}) // says so
	}
	p, err := r.preferences(ctx)
	if err != nil {
		return err
	}
	j := posttrain.Job{}
	if o.Online {
		online, done, err := r.online(ctx, p)
		if err != nil {
			return err
		}
		defer done()
		j.Source = online.Source(ctx)
	} else {
		j.Source = p.Shuffled(r.data, r.batch(), o.Seed)
		passes := 3.0
		if r.adapter != nil {
			passes = 2
		}
		j.FLOP = p.FLOP(posttrain.Shape(r.base.Model), r.data, passes)
		if len(r.held) > 0 {
			if err := r.before(p); err != nil {
				return err
			}
			j.Validate = p.Validator(r.held)
		}
	}
	return r.train(ctx, "prefer", j)
}

// beforeFile has the figures on held-out preferences before the first step.
const beforeFile = "before.json"

// before measures the held-out preferences, once.
func (r *dpoRun) before(p *posttrain.Preferences) error {
	path := filepath.Join(r.c.Out, beforeFile)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	r.p.stage("before", 0)
	f := p.Measure(r.held)
	r.p.end(fmt.Sprintf("%d held-out preferences: loss %.4f", len(r.held), f["loss"]))
	return atomicfile.WriteJSON(path, f)
}
