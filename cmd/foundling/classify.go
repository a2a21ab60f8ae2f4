package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// classifyCmds are the commands of classifiers.
type classifyCmds struct {
	Train classifyTrainCmd `cmd:"" help:"Train a classifier: a head over a model, alone (--freeze) or with it."`
	Eval  classifyEvalCmd  `cmd:"" help:"Measure a classifier on texts with their classes, and beside it a model that is asked."`
}

// classifyFlags are the options of a classifier's run.
type classifyFlags struct{ headFlags }

type classifyTrainCmd struct {
	classifyFlags
	postCmd
}

// Help is shown below the flags.
func (c *classifyTrainCmd) Help() string {
	return `Data are records with text and label, a name or a number. With --freeze the features
of the model stay and the head alone is learned; else the model learns too, whole or
as an adapter (--lora), which is merged at the end.

Examples:

    foundling classify train --model run1 --data reviews.jsonl --out polarity
    foundling classify train --model run1 --freeze --data reviews.jsonl --out polarity
    echo '{"text":"a fine film"}' | foundling score --model polarity --jsonl`
}

// classifyRun trains a classifier in its directory.
type classifyRun struct{ headRun }

// Run is the command.
func (c *classifyTrainCmd) Run(ctx context.Context) error {
	r := &classifyRun{headRun{f: &c.headFlags, kinds: []dataset.Kind{dataset.Classified}}}
	return r.run(ctx, &c.postCmd, postMethod[headOptions]{
		command: "classify", flags: &c.postFlags, given: &c.classifyFlags, rate: headRate, defaults: headDefaults(3),
		frame: func(o *headOptions) *postOptions { return &o.postOptions }, resolve: r.resolve, scorers: true,
		stages: []func(context.Context) error{r.read, r.fit, r.report},
	})
}

// classifyFile is the report's figures.
const classifyFile = "classify.json"

// report measures on what was held out and prints it.
func (r *classifyRun) report(ctx context.Context) error {
	if _, err := r.measure(ctx); err != nil {
		return err
	}
	last, err := r.last()
	if err != nil {
		return err
	}
	var guesses []eval.Guess
	for _, i := range r.held() {
		guesses = append(guesses, eval.Guess{Class: r.items[i].Class, Scores: r.judged[i][0]})
	}
	x := struct {
		Out     string                   `json:"out"`
		Steps   int                      `json:"steps"`
		Data    posttrain.JudgementTally `json:"data"`
		HeldOut *eval.ClassReport        `json:"held_out"`
	}{r.c.Out, last.Step, r.tally, eval.NewClassReport(r.Options.Labels, guesses)}
	if err := atomicfile.WriteJSON(filepath.Join(r.c.Out, classifyFile), x); err != nil {
		return err
	}
	if r.c.JSON {
		return printJSON(x)
	}
	fmt.Printf("%s: %d steps, %d classes\n", x.Out, x.Steps, len(r.Options.Labels))
	printClasses("held out", x.HeldOut)
	fmt.Printf("next: foundling score --model %s --jsonl\n", quoted(r.c.Out))
	return nil
}

// printClasses prints a report as a table.
func printClasses(what string, x *eval.ClassReport) {
	fmt.Printf("%s: accuracy %s of %d (always %q: %.1f %%), macro F1 %.3f, log loss %.4f nats, calibration error %.3f\n",
		what, percent(x.Accuracy), x.Accuracy.N, x.Majority, 100*x.MajorityShare, x.MacroF1, x.LogLoss, x.ECE)
	fmt.Printf("  %-24s %9s %9s %9s %9s\n", "class", "texts", "precision", "recall", "F1")
	for _, c := range x.Classes {
		fmt.Printf("  %-24s %9d %9.3f %9.3f %9.3f\n", c.Label, c.Texts, c.Precision, c.Recall, c.F1)
	}
}
