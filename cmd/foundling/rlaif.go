package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// rlaifFlags are the options of a run on preferences of a judge; see trainFlags.
type rlaifFlags struct {
	postFlags
	lossFlags
	preferFlags
	answerFlags
	Method *string `json:"method,omitempty" help:"preference: the better of two answers over the worse one; rejection: the best of --n answers as a demonstration (default preference)." enum:"preference,rejection" placeholder:"NAME"`
}

type rlaifCmd struct {
	rlaifFlags
	Prompts []string `sep:"none" help:"The same as --data: files of prompts. Records with chosen and rejected are judged as they are, and the judge compared with people." placeholder:"PATH"`
	Train   bool     `help:"Train on the result: DPO, or SFT of the best answers."`
	postCmd
	judgeFlags
}

// Help is shown below the flags.
func (c *rlaifCmd) Help() string {
	return `The model answers prompts, and a judge compares the answers by a constitution, each pair
in both orders: what it decides alike both times becomes a preference. The judge is
the model itself, another one, or a service that speaks OpenAI's chat completions;
its replies are journalled in --out and not asked twice. Instead of a judge, rewards
can grade the answers. Where the data hold answers that people chose and rejected,
those are judged, and the agreement is reported, beside what length alone explains.

With --method rejection the best of --n answers to each prompt becomes a
demonstration (rejection-sampling fine-tuning), and the report has the reward and the
divergence from the model of best-of-n for every n.

The result is preferences.jsonl or demonstrations.jsonl; --train learns from it.

` + rewardProtocol + `

Examples:

    foundling rlaif --model tuned --judge self --prompts prompts.txt --out judged
    foundling rlaif --model tuned --judge http://localhost:8000 --judge-name llama --constitution rules.txt --prompts prompts.txt --out judged --train
    foundling rlaif --model tuned --judge tuned --prompts pairs.jsonl --out agreement
    foundling rlaif --model tuned --method rejection --n 16 --reward verifier:go-parse --prompts prompts.txt --out better --train`
}

// Methods of rlaif.
const (
	byPreference = "preference"
	byRejection  = "rejection"
)

// rlaifRun is a run in its directory.
type rlaifRun struct {
	dpoRun
	x        *rlaifCmd
	given    []posttrain.Comparison // pairs that the data bring
	examples *batch.Examples        // of rejection sampling
	result   rlaifResult
}

// Run is the command: answer, judge, write, and train if asked to.
func (c *rlaifCmd) Run(ctx context.Context) error {
	r := &rlaifRun{dpoRun: dpoRun{f: &c.preferFlags, j: &c.judgeFlags}, x: c}
	c.Data = append(c.Data, c.Prompts...)
	if err := c.absolutePaths(); err != nil {
		return err
	}
	m := postMethod[dpoOptions]{
		command: "rlaif", unit: "preferences", flags: &c.postFlags, given: &c.rlaifFlags, rate: dpoRate,
		defaults: dpoDefaults(),
		frame:    func(o *dpoOptions) *postOptions { return &o.postOptions },
		resolve:  r.resolve,
		stages:   []func(context.Context) error{r.readPrompts, r.judge, r.learn, r.report},
	}
	m.defaults.Method = byPreference
	if c.Method != nil && *c.Method == byRejection {
		m.unit, m.rate = "", sftRate
	}
	return r.run(ctx, &c.postCmd, m)
}

// resolve fills in and checks the options that other methods do not have.
func (r *rlaifRun) resolve() error {
	o := &r.Options
	if o.Method == byRejection {
		if !reflect.DeepEqual(r.x.lossFlags, lossFlags{}) || r.f.Precompute || r.f.Batch != nil || r.f.TooLong != nil || r.f.HeldOut != nil {
			return errors.New("--method rejection learns demonstrations: --loss and its options, --batch, --too-long, --held-out and --precompute-reference are of preferences")
		}
		return o.answerOptions.resolve(8, r.base.Model.Dims().Context, r.c.storeFlags)
	}
	if err := r.dpoRun.resolve(); err != nil {
		return err
	}
	return o.answerOptions.resolve(2, r.base.Model.Dims().Context, r.c.storeFlags)
}

// readPrompts reads prompts to answer, and pairs to judge as they are.
func (r *rlaifRun) readPrompts(ctx context.Context) (err error) {
	o := &r.Options
	if r.losses, err = o.losses(); err != nil {
		return err
	}
	if err := r.newReader(); err != nil {
		return err
	}
	r.p.stage("prompts", 0)
	var pairs func(rec dataset.Record)
	if o.Judge != "" && o.Method == byPreference {
		pairs = func(rec dataset.Record) {
			r.given = append(r.given, posttrain.Comparison{Prompt: rec.Prompt, First: rec.Chosen, Second: rec.Rejected, Gold: 1, Source: rec.Source})
		}
	}
	if r.prompts, err = readPrompts(ctx, o.Data, &r.result.Skipped, pairs); err != nil {
		return err
	}
	if len(r.prompts)+len(r.given) == 0 {
		return fmt.Errorf("%v holds no prompt%s", o.Data, firstOf(&r.result.Skipped))
	}
	r.result.Prompts, r.result.Given = len(r.prompts), len(r.given)
	r.p.end(fmt.Sprintf("%d prompts, %d pairs to judge as they are%s", len(r.prompts), len(r.given), skipped(&r.result.Skipped)))
	return r.save(r.c.Out) // answers and replies depend on the options
}

// triesFile is the journal of what the model answered.
const triesFile = "tries.jsonl"

// answer lets the model answer all prompts, as far as the journal does not have
// that.
func (r *rlaifRun) answer(ctx context.Context) (tries []*posttrain.Tries, err error) {
	o := &r.Options
	j, err := posttrain.OpenJournal(filepath.Join(r.c.Out, triesFile))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	w, err := posttrain.NewWriter(r.base)
	if err != nil {
		return nil, err
	}
	e := generate.New(r.b, r.base.Model, r.base.TokenBytes())
	defer e.Close()
	d := &posttrain.Drawer{Engine: e, Writer: w, N: o.N, Options: generate.Options{
		MaxTokens: o.MaxTokens, StopIDs: r.base.Stops(), Sample: sample.Options{Temperature: o.Temperature, Seed: o.Seed},
	}}
	r.p.stage("answers", int64(len(r.prompts)))
	tries, err = d.DrawAll(ctx, j, func(first int, part []dataset.Record) string {
		return fmt.Sprintf("%d/%s", first, promptsFingerprint(part))
	}, r.prompts, func(done int) {
		r.p.set(int64(done), fmt.Sprintf("%d of %d", done, len(r.prompts)))
	})
	if err != nil {
		return nil, err
	}
	for _, t := range tries {
		if t.Answers == nil {
			r.result.Unfit++
		}
	}
	r.p.end(fmt.Sprintf("%d to each of %d prompts, %d prompts too long", o.N, len(r.prompts)-r.result.Unfit, r.result.Unfit))
	return tries, nil
}

// judge answers, grades and writes what is to be learned.
func (r *rlaifRun) judge(ctx context.Context) error {
	g, err := r.grader()
	if err != nil {
		return err
	}
	defer g.close()
	tries, err := r.answer(ctx)
	if err != nil {
		return err
	}
	r.p.stage("judge", 0)
	var records []dataset.Record
	if len(r.given) > 0 {
		opinions, report, err := g.court.Compare(ctx, r.given)
		if err != nil {
			return err
		}
		r.judged = r.judged.Add(report)
		for i, o := range opinions {
			if rec, ok := o.Preference(r.given[i]); ok {
				records = append(records, rec)
			}
		}
	}
	if r.Options.Method == byPreference { // no other answers are learned from: a judge need not read them
		for i, t := range tries {
			tries[i] = t.Complete()
		}
	}
	if err := g.grade(ctx, r.prompts, tries); err != nil {
		return err
	}
	if r.Options.Method == byRejection {
		r.result.BestOf = posttrain.MeasureBestOf(tries, r.Options.Seed)
		records, r.result.Cut = posttrain.Rejected(r.prompts, tries)
	} else {
		more, cut := posttrain.PreferredTexts(r.prompts, tries)
		records, r.result.Cut = append(records, more...), cut
	}
	if err := g.settle(); err != nil {
		return err
	}
	for _, t := range tries {
		if k := t.Best(); k >= 0 && len(t.Answers) > 1 && *t.Answers[k].Score == *t.Answers[t.Worst()].Score {
			r.result.Tied++
		}
	}
	r.result.Records = len(records)
	r.p.end(fmt.Sprintf("%d records to learn from", len(records)))
	return r.keep(records)
}

// keep writes the records, and takes them in to be learned.
func (r *rlaifRun) keep(records []dataset.Record) error {
	var lines []byte
	for _, rec := range records {
		var err error
		if lines, err = rec.AppendRow(lines); err != nil {
			return err
		}
	}
	name := "preferences.jsonl"
	if r.Options.Method == byRejection {
		name = "demonstrations.jsonl"
	}
	r.result.File = filepath.Join(r.c.Out, name)
	if err := atomicfile.WriteFile(r.result.File, lines); err != nil {
		return err
	}
	if len(records) == 0 {
		return r.save(r.c.Out)
	}
	if r.Options.Method == byRejection {
		return r.pack(records)
	}
	for _, rec := range records {
		if err := r.take(rec); err != nil {
			return err
		}
	}
	return r.settlePreferences()
}

// pack makes examples of demonstrations.
func (r *rlaifRun) pack(records []dataset.Record) error {
	o := &r.Options
	w, err := posttrain.NewWriter(r.base)
	if err != nil {
		return err
	}
	var examples []batch.Example
	for _, rec := range records {
		e, err := w.Answer(rec.Prompt, rec.Completion)
		if err != nil {
			return fmt.Errorf("%s: %w", rec.Source, err)
		}
		examples = append(examples, e)
	}
	if r.examples, err = batch.PackExamples(examples, o.Context, batch.PackOptions{}); err != nil {
		return err
	}
	return r.settle(fingerprint(examples), float64(r.examples.Stats().Rows)/float64(o.BatchTokens/o.Context))
}

// learn trains on the records, if that was asked for.
func (r *rlaifRun) learn(ctx context.Context) error {
	switch {
	case !r.x.Train:
		return nil
	case r.result.Records == 0:
		return fmt.Errorf("there is nothing to train on: %s", r.result.why(r.judged))
	case r.Options.Method == byRejection:
		return r.train(ctx, "fine-tune", posttrain.Job{
			Source: posttrain.Demonstrations(r.base.Model, r.examples.Loader(r.o.rows(), r.o.Seed), r.o.Accumulate),
		})
	}
	return r.prefer(ctx)
}
