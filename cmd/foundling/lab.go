package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/foundling-lm/foundling/eval/report"
	"github.com/foundling-lm/foundling/internal/atomicfile"
)

// labCmd is the experiments of package lab.
type labCmd struct {
	Consistency labConsistencyCmd `cmd:"" help:"How much a model agrees with itself: the same prompt again, paraphrases, samplers, batches and threads."`
	Drills      labDrillsCmd      `cmd:"" help:"The server under hostile requests, hours of mixed load and kill -9."`
	Mismatch    labMismatchCmd    `cmd:"" help:"Fine-tuning on facts that pre-training did not have: what is made up, forgotten, and learned slowly."`
	Over        labOverCmd        `cmd:"" name:"overoptimisation" help:"Gold and proxy reward over the root of the divergence: the proxy rises, gold rises and falls."`
	RewardModel labRewardCmd      `cmd:"" help:"Accuracy of reward models beside its ceiling, under noise and biases of the labels."`
	Snowball    labSnowballCmd    `cmd:"" help:"Does a wrong answer that is forced on a model grow into reasons that are not so, or is it taken back?"`
	Structured  labStructuredCmd  `cmd:"" help:"The layers of structured output on one task: prompt, repair, retry, constrained sampling, fine-tuning."`
	Tilt        labTiltCmd        `cmd:"" help:"PPO, RLOO and DPO reach one optimum, the reference times exp(reward/beta); best-of-n beside them."`
	TestTime    labTestTimeCmd    `cmd:"" help:"Accuracy and coverage against the number of candidates and tokens, for every way to choose."`
	Trust       labTrustCmd       `cmd:"" help:"Which figures find wrong answers: on a model whose facts are known, and on judged answers of others."`
	Truth       labTruthCmd       `cmd:"" name:"truthfulness" help:"Tuning with and without \"I don't know\" and counterfactual contexts: wrong answers, abstention, obedience to the context."`
}

// labOutput are the flags of labs that compute everything themselves.
type labOutput struct {
	Seed uint64 `help:"Seed of everything that is drawn." default:"1"`
	JSON bool   `name:"json" help:"Print the result as JSON, instead of the tables."`
}

// write leaves a lab's result in folder dir and prints its tables, or it as JSON.
func (o labOutput) write(dir, name string, result any, page *report.Page, tables []report.Table) error {
	return saveLab(dir, name, result, page, o.JSON, func() error { return printTables(os.Stdout, tables) })
}

// saveLab leaves a lab's result in folder dir as name.json and report.html and
// prints it, as JSON or by table.
func saveLab(dir, name string, result any, page *report.Page, asJSON bool, table func() error) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	data, html := filepath.Join(dir, name+".json"), filepath.Join(dir, "report.html")
	err := atomicfile.Write(data, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(result)
	})
	if err != nil {
		return err
	}
	if err := page.WriteFile(html); err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(result)
	}
	if err := table(); err != nil {
		return err
	}
	_, err = fmt.Printf("%s\n%s\n", data, html)
	return err
}

// printTables writes tables of a report as text.
func printTables(out io.Writer, tables []report.Table) error {
	for _, t := range tables {
		fmt.Fprintln(out, t.Title)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		var names []string
		for _, c := range t.Columns {
			names = append(names, c.Name)
		}
		fmt.Fprintln(w, strings.Join(names, "\t"))
		for _, r := range t.Rows {
			fmt.Fprintln(w, strings.Join(r.Cells, "\t"))
		}
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	return nil
}
