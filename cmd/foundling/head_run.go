package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/op"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// headFlags are the options of all runs that train a head; see trainFlags.
type headFlags struct {
	postFlags
	Batch   *int     `json:"batch,omitempty" help:"Judgements of a step (default 16)." placeholder:"N"`
	HeldOut *float64 `json:"held-out,omitempty" name:"held-out" help:"Share of the data, by prompt, that is measured on and not learned (default 0.1)." placeholder:"X"`
	Folds   *int     `json:"folds,omitempty" help:"Measure by so many models more, each trained on all data but its part, instead of a held-out share; the model itself then learns everything." placeholder:"N"`
	Freeze  *bool    `json:"freeze,omitempty" help:"Train the head alone, on the features of the model as it is."`
	TooLong *string  `json:"too-long,omitempty" name:"too-long" help:"What happens to texts longer than --context (default truncate-left)." placeholder:"drop|truncate-left|truncate-right|error"`
}

// headOptions are headFlags, and what commands add, with every field known.
type headOptions struct {
	postOptions
	Loss    posttrain.HeadLoss   `json:"loss"`
	Batch   int                  `json:"batch"`
	HeldOut float64              `json:"held-out"`
	Folds   int                  `json:"folds,omitempty"`
	Freeze  bool                 `json:"freeze,omitempty"`
	TooLong posttrain.LongPolicy `json:"too-long"`
	Centre  float64              `json:"centre,omitempty"` // of Bradley-Terry
	Labels  []string             `json:"labels,omitempty"` // of a classifier
}

// headRate is the default learning rate of a model under a head, as a share of
// that of pre-training, and freeRate that of a head alone.
const (
	headRate = 0.1
	freeRate = 5e-3
)

// headRun trains a head in its directory.
type headRun struct {
	postRun[headOptions]
	f     *headFlags
	kinds []dataset.Kind

	head     *model.Head
	features *op.Pass // that runs a frozen model; nil: it learns, too
	items    []headItem
	tally    posttrain.JudgementTally
	first    []*modelCopy // of what is trained, at the beginning; for folds
	// judged are the scores of items that the model which gave them has not learned.
	judged map[int][][]float64
}

// headItem is one judgement with its record.
type headItem struct {
	posttrain.Judgement
	rec dataset.Record
}

// resolve fills in and checks the options that other methods do not have.
func (r *headRun) resolve() error {
	o, f := &r.Options, r.f
	switch {
	case o.Batch < 1:
		return fmt.Errorf("--batch is %d: it must be positive", o.Batch)
	case !(o.HeldOut > 0 && o.HeldOut < 1):
		return fmt.Errorf("--held-out is %g: it must lie in (0, 1)", o.HeldOut)
	case f.Folds != nil && (o.Folds < 2 || o.Folds > 100):
		return fmt.Errorf("--folds is %d: it must lie in [2, 100]", o.Folds)
	case f.Folds != nil && f.HeldOut != nil:
		return errors.New("--folds measures on all data: leave --held-out out")
	case f.Folds != nil && f.Budget != nil:
		return errors.New("--folds needs --steps or --epochs: a budget is turned into steps once, for one model")
	case o.Freeze && o.LoRA != 0:
		return errors.New("--freeze trains the head alone, --lora an adapter too: give one of them")
	case !slices.Contains(posttrain.LongPolicies(), o.TooLong):
		return fmt.Errorf("--too-long is %q: use one of %v", o.TooLong, posttrain.LongPolicies())
	case o.Centre < 0:
		return fmt.Errorf("--centre is %g: it must not be negative", o.Centre)
	}
	if f.Optimizer == nil {
		o.Optimizer = "adamw"
	}
	if o.Freeze && f.LR == nil {
		o.LR = freeRate
	}
	return nil
}

// defaults of a new run.
func headDefaults(epochs float64) headOptions {
	return headOptions{
		postOptions: postOptions{Epochs: epochs, trainOptions: newTrainOptions()},
		Batch:       16, HeldOut: 0.1, TooLong: posttrain.TruncateLeft,
	}
}

// read reads the records and settles the steps.
func (r *headRun) read(ctx context.Context) error {
	o := &r.Options
	r.p.stage("judgements", 0)
	w, err := posttrain.NewWriter(r.base)
	if err != nil {
		return err
	}
	records, err := r.records(ctx)
	if err != nil {
		return err
	}
	in := posttrain.JudgementReader{Writer: w, Loss: o.Loss, Row: o.Context, Long: o.TooLong, Labels: o.Labels, Tally: r.tally}
	h := xxh3.New()
	for i, rec := range records {
		if err := ctx.Err(); err != nil {
			return err
		}
		j, ok, err := in.Read(rec)
		if err != nil {
			return err
		}
		if ok {
			r.items = append(r.items, headItem{j, rec})
			fmt.Fprint(h, j)
		}
		r.p.set(int64(i+1), fmt.Sprint(i+1))
	}
	r.tally = in.Tally
	learned, held := 0, 0
	for i := range r.items {
		if r.heldOut(i, -1) {
			held++
		} else {
			learned++
		}
	}
	r.p.end(fmt.Sprintf("%s; %d to learn from, %d held out", &r.tally, learned, held))
	if learned < 2 || held < 1 && o.Folds == 0 {
		return fmt.Errorf("%d judgements to learn from and %d held out are too few: give more data%s", learned, held, leftOut(&r.tally.Skipped))
	}
	n := max(1, len(o.Labels))
	r.head = model.NewHead(r.b, r.base.Model, n)
	r.head.Labels = o.Labels
	r.head.Init(r.b, o.Seed)
	return r.settle(fmt.Sprintf("%016x", h.Sum64()), float64(learned)/float64(o.Batch))
}

// records are those of all data, and decide the loss and the classes of a new run.
func (r *headRun) records(ctx context.Context) ([]dataset.Record, error) {
	o := &r.Options
	kinds := r.kinds
	if o.Loss != "" {
		kinds = []dataset.Kind{o.Loss.KindOf()}
	}
	var records []dataset.Record
	for _, path := range o.Data {
		for rec, err := range dataset.Read(path, dataset.Options{Kinds: kinds}) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if r.tally.Skipped.Add(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			loss := posttrain.LossOf(rec.Kind)
			if o.Loss == "" {
				o.Loss = loss
			}
			if loss != o.Loss {
				return nil, usageError{fmt.Errorf("%s: a record of kind %s after others for %s: train one model for each", rec.Source, rec.Kind, o.Loss)}
			}
			records = append(records, rec)
		}
	}
	if len(records) == 0 {
		return nil, fmt.Errorf("no record in %v can be used%s", o.Data, leftOut(&r.tally.Skipped))
	}
	if o.Loss == posttrain.Classes && o.Labels == nil {
		for _, rec := range records {
			o.Labels = append(o.Labels, rec.Class)
		}
		slices.Sort(o.Labels)
		if o.Labels = slices.Compact(o.Labels); len(o.Labels) < 2 {
			return nil, fmt.Errorf("all texts are of class %q: give some of another", o.Labels[0])
		}
	}
	return records, nil
}

// heldOut says whether item i is not learned: of the model itself (fold -1), or of
// one of the folds.
func (r *headRun) heldOut(i, fold int) bool {
	o, rec := &r.Options, r.items[i].rec
	if o.Folds == 0 {
		return posttrain.HeldOut(rec, o.HeldOut, o.Seed)
	}
	if fold < 0 {
		return false
	}
	in := func(k int) bool { return posttrain.HeldOut(rec, float64(k)/float64(o.Folds), o.Seed) }
	return in(fold+1) && !in(fold)
}

// job is the training of the model itself, or of a fold.
func (r *headRun) job(fold int) posttrain.Job {
	o := &r.Options
	h := posttrain.Heads{Model: r.base.Model, Head: r.head, Loss: o.Loss, Centring: o.Centre, Row: o.Context, Places: o.BatchTokens / o.Accumulate, Features: r.features}
	var learned []posttrain.Judgement
	for i, x := range r.items {
		if !r.heldOut(i, fold) {
			learned = append(learned, x.Judgement)
		}
	}
	next := posttrain.Order(learned, o.Batch, o.Seed)
	return posttrain.Job{
		Frozen: o.Freeze, More: r.head.Params(),
		Source: func(step int) ([]train.Micro, error) { return h.Micro(next(step)), nil },
		Write: func(z *bundle.Bundle) error {
			if z.Head = r.head; r.adapter != nil {
				r.adapter.Merge()
			}
			return z.Save(r.b, dtype.F32)
		},
	}
}

// fit trains the folds, then the model.
func (r *headRun) fit(ctx context.Context) error {
	r.judged = map[int][][]float64{}
	if r.Options.Freeze {
		r.features = op.NewPass(r.b, op.Options{CachePacks: true})
		defer r.features.Close()
	}
	if r.Options.Folds > 0 {
		if err := r.fitFolds(ctx); err != nil {
			return err
		}
	}
	return r.train(ctx, "train", r.job(-1))
}

// score gives the items their scores.
func (r *headRun) score(ctx context.Context, m model.Model, head *model.Head, items []int) error {
	e := generate.New(r.b, m, nil)
	defer e.Close()
	var texts [][]int32
	var at [][]int
	for _, i := range items {
		for _, ids := range r.items[i].Texts {
			texts = append(texts, ids)
			if at = append(at, r.items[i].At); r.items[i].At == nil {
				at[len(at)-1] = []int{len(ids) - 1}
			}
		}
	}
	scores, err := e.HeadScores(ctx, head, texts, at)
	if err != nil {
		return err
	}
	for _, i := range items {
		var all [][]float64
		for range r.items[i].Texts {
			all, scores = append(all, scores[0]...), scores[1:]
		}
		r.judged[i] = all
	}
	return nil
}

// measure scores the held-out items by the finished model, unless folds did. It is
// read from its directory, whichever process trained it; the one in memory goes.
func (r *headRun) measure(ctx context.Context) (*bundle.Bundle, error) {
	if r.adapter != nil {
		r.adapter.Detach()
	}
	r.base.Release(r.b)
	model.Release(r.b, r.head.Params())
	z, err := bundle.Open(r.b, r.c.Out)
	if err != nil {
		return nil, err
	}
	if z.Head == nil {
		return nil, fmt.Errorf("%s has no head: it was written by something else", r.c.Out)
	}
	if r.Options.Folds > 0 {
		return z, nil
	}
	r.p.stage("measure", 0)
	var held []int
	for i := range r.items {
		if r.heldOut(i, -1) {
			held = append(held, i)
		}
	}
	if err := r.score(ctx, z.Model, z.Head, held); err != nil {
		return nil, err
	}
	r.p.end(fmt.Sprintf("%d held-out judgements", len(held)))
	return z, nil
}

// held are the items with scores, in order.
func (r *headRun) held() []int {
	var out []int
	for i := range r.items {
		if r.judged[i] != nil {
			out = append(out, i)
		}
	}
	return out
}

// printJSON prints the result of a run as one object.
func printJSON(x any) error { return json.NewEncoder(os.Stdout).Encode(x) }

// modelCopy is the values of a parameter on the host.
type modelCopy struct {
	w *op.Param
	x []float32
}

// remember copies what is trained, and recall brings it back.
func (r *headRun) remember() {
	params := r.base.Model.Params()
	switch {
	case r.Options.Freeze:
		params = nil
	case r.adapter != nil:
		params = r.adapter.Params()
	}
	for _, w := range append(slices.Clip(params), r.head.Params()...) {
		c := &modelCopy{w, make([]float32, w.Len())}
		r.b.Download(c.x, w.T)
		r.first = append(r.first, c)
	}
}

func (r *headRun) recall() {
	for _, c := range r.first {
		r.b.Upload(c.w.T, c.x)
		c.w.Changed()
	}
}

// foldDir is where a fold trains.
func (r *headRun) foldDir(fold int) string {
	return filepath.Join(r.c.Out, fmt.Sprintf("fold-%d", fold+1))
}
