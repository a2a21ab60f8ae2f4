package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/train"
)

// foldFile holds the scores that a fold gave to the items which it has not learned.
const foldFile = "scores.json"

// fitFolds trains a model for each fold and scores its part. A fold that is done
// leaves its scores, and no weights.
func (r *headRun) fitFolds(ctx context.Context) error {
	r.remember()
	for fold := range r.Options.Folds {
		path := filepath.Join(r.foldDir(fold), foldFile)
		done := map[int][][]float64{}
		found, err := atomicfile.ReadJSON(path, &done)
		if err != nil {
			return err
		}
		if !found {
			if done, err = r.fitFold(ctx, fold); err != nil {
				return err
			}
			if err := atomicfile.WriteJSON(path, done); err != nil {
				return err
			}
		}
		// Its state is three times the model.
		if err := os.Remove(filepath.Join(r.foldDir(fold), train.CheckpointFile)); err != nil && !os.IsNotExist(err) {
			return err
		}
		for i, scores := range done {
			r.judged[i] = scores
		}
	}
	r.recall()
	return nil
}

func (r *headRun) fitFold(ctx context.Context, fold int) (map[int][][]float64, error) {
	r.recall()
	dir := r.foldDir(fold)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := atomicfile.Clean(dir); err != nil {
		return nil, err
	}
	j := r.job(fold)
	j.Dir, j.Out, j.Base, j.Adapter, j.Context = dir, dir, r.base, r.adapter, r.o.Context
	j.Train = r.o.train()
	j.Train.SaveEvery = r.c.SaveEvery
	j.Write = func(*bundle.Bundle) error { return nil }
	peak, err := peakRateOf(ctx, r.b)
	if err != nil {
		return nil, err
	}
	show := newTraining(r.p, fmt.Sprintf("fold %d of %d", fold+1, r.Options.Folds), j.Train.Schedule.End(), peak)
	j.Progress = show.step
	if err := j.Run(ctx, r.b); err != nil {
		return nil, err
	}
	r.p.end(show.summary())
	var part []int
	for i := range r.items {
		if r.heldOut(i, fold) {
			part = append(part, i)
		}
	}
	if err := r.score(ctx, r.base.Model, r.head, part); err != nil {
		return nil, err
	}
	done := map[int][][]float64{}
	for _, i := range part {
		done[i] = r.judged[i]
	}
	return done, nil
}
