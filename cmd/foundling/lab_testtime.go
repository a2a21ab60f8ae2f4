package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/foundling-lm/foundling/eval/report"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/lab"
)

// labTestTimeCmd looks at a pool of candidates.
type labTestTimeCmd struct {
	Out           string  `help:"Folder for pool.jsonl, test-time.json and report.html." default:"test-time"`
	Pool          string  `help:"Look at the candidates of this file: a line {\"id\":...,\"prompt_tokens\":n,\"candidates\":[{\"right\":bool,\"answer\":...,\"tokens\":n,\"sum_logprob\":x,\"scores\":{name:x}},...]} a problem." placeholder:"FILE"`
	Model         string  `help:"Draw the candidates with this model." placeholder:"MODEL"`
	Task          string  `help:"With --model: add numbers (arithmetic) or finish Go functions so that they parse (go)." enum:",arithmetic,go" default:"" placeholder:"arithmetic|go"`
	Tasks         string  `help:"With --model: tasks of your own, a line {\"id\":...,\"prompt\":...,\"gold\":...} each; an answer is right that equals that of gold, by --extract." placeholder:"FILE"`
	Extract       string  `help:"What the answer to one of --tasks is: number, choice, json, code, text, or regex:EXPRESSION." placeholder:"KIND"`
	Problems      int     `help:"Problems; 0 means 100, or all of --tasks." placeholder:"N"`
	N             int     `name:"n" help:"Candidates a problem; 0 means 256 without a model, 32 with one." placeholder:"N"`
	Alpha         float64 `help:"Without --pool and --model: problems are solved with probabilities of Beta(alpha, beta). Default: 0.5." placeholder:"ALPHA"`
	Beta          float64 `help:"As above. Default: 2." placeholder:"BETA"`
	Noise         float64 `help:"Standard deviation of the noise through which the constructed verifiers see right (1) and wrong (0)." default:"0.7"`
	Exploit       float64 `help:"Share of wrong candidates that slip through the hole of the gameable verifier." default:"0.005"`
	LengthPenalty float64 `help:"Exponent of gnmt's length penalty." default:"0.6"`
	JSON          bool    `name:"json" help:"Print the result as JSON too, instead of the table."`
	decodingFlags `embed:"" set:"maxtokens=64"`
	openFlags
}

// Help is the detail of --help.
func (labTestTimeCmd) Help() string {
	return `One pool of candidates is enough for all curves: accuracy of every way to choose, and
coverage (the share of problems that some candidate solves), against the number of
candidates and against tokens, without bias and with confidence bands. Without --pool and
--model the pool is synthetic: its truth is known, and the report shows it beside the
estimate. Every pool gets two constructed verifiers, one of which can be gamed.

Ctrl-C saves what was drawn and reports on it; the same command goes on from there.

Examples:

    foundling lab test-time
    foundling lab test-time --exploit 0.02 --n 1024 --out gamed
    foundling lab test-time --model run1 --task go --n 64
    foundling lab test-time --model m --tasks gsm8k.jsonl --extract number --n 16 --max-tokens 256
    foundling lab test-time --pool candidates.jsonl --json`
}

// Validate is called by kong.
func (c *labTestTimeCmd) Validate() error {
	switch {
	case c.Pool != "" && c.Model != "":
		return errors.New("--pool and --model: the candidates come from one of them")
	case c.Model != "" && (c.Task == "") == (c.Tasks == ""):
		return errors.New("--model needs --task or --tasks, one of them")
	case c.Model == "" && (c.Task != "" || c.Tasks != ""):
		return errors.New("--task and --tasks need --model, which draws the candidates")
	case c.Tasks != "" && c.Extract == "":
		return errors.New("--tasks needs --extract: it says what an answer is")
	case c.Tasks == "" && c.Extract != "":
		return errors.New("--extract is of --tasks")
	case (c.Pool != "" || c.Model != "") && (c.Alpha != 0 || c.Beta != 0):
		return errors.New("--alpha and --beta are of a synthetic pool, without --pool and --model")
	case c.Pool != "" && (c.N != 0 || c.Problems != 0):
		return errors.New("--pool has its own number of problems and candidates: leave out --n and --problems")
	case c.N < 0 || c.Problems < 0:
		return errors.New("--n and --problems must be positive, or 0 for the default")
	case !(c.Noise >= 0 && c.Noise <= 1e6):
		return errors.New("--noise must be 0 or more")
	case !(c.Exploit >= 0 && c.Exploit <= 1):
		return errors.New("--exploit must be between 0 and 1")
	}
	if _, err := search.Named("gnmt", search.Options{Alpha: &c.LengthPenalty}); err != nil {
		return fmt.Errorf("--length-penalty: %w", err)
	}
	if c.Model != "" && c.N > search.MaxCandidates {
		return fmt.Errorf("--n is %d: at most %d with a model", c.N, search.MaxCandidates)
	}
	if c.Extract != "" {
		if _, err := search.ParseExtractor(c.Extract); err != nil {
			return fmt.Errorf("--extract: %w", err)
		}
	}
	if s := c.synthetic(); c.Pool == "" && c.Model == "" {
		if err := s.Validate(); err != nil {
			return err
		}
	}
	return validate(&c.decodingFlags, c.cacheFlags)
}

func (c *labTestTimeCmd) synthetic() *lab.Synthetic {
	s := &lab.Synthetic{Problems: c.Problems, Candidates: c.N, Alpha: c.Alpha, Beta: c.Beta, Seed: c.Seed}
	if s.Problems == 0 {
		s.Problems = 100
	}
	if s.Candidates == 0 {
		s.Candidates = 256
	}
	return s
}

// Run makes or reads the pool, looks at it and writes the report.
func (c *labTestTimeCmd) Run(ctx context.Context) error {
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	o := lab.TestTimeOptions{Alpha: c.LengthPenalty, Seed: c.Seed}
	var problems []lab.Problem
	var source string
	var stopped error
	switch {
	case c.Pool != "":
		f, err := os.Open(c.Pool)
		if err != nil {
			return fmt.Errorf("--pool: %w", err)
		}
		_, problems, err = lab.ReadPool(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("--pool %s: %w", c.Pool, err)
		}
		source = c.Pool
	case c.Model != "":
		var err error
		problems, err = c.draw(ctx)
		if ctx.Err() != nil {
			stopped = interrupted("%d problems are in %s; the same command goes on", len(problems), c.file("pool.jsonl"))
			ctx = context.WithoutCancel(ctx)
		} else if err != nil {
			return err
		}
		source = "candidates of " + c.Model
	default:
		o.Truth = c.synthetic()
		problems = o.Truth.Pool()
		source = "a synthetic pool"
	}
	if stopped != nil && len(problems) == 0 {
		return stopped
	}
	return errors.Join(c.look(ctx, problems, source, o), stopped)
}

func (c *labTestTimeCmd) file(name string) string { return filepath.Join(c.Out, name) }

// look computes the curves and writes what they show.
func (c *labTestTimeCmd) look(ctx context.Context, problems []lab.Problem, source string, o lab.TestTimeOptions) error {
	if o.Truth != nil {
		h := lab.PoolHeader{Source: "synthetic", Candidates: o.Truth.Candidates, Problems: o.Truth.Problems, Seed: c.Seed, Alpha: c.Alpha, Beta: c.Beta}
		if err := lab.WritePool(c.file("pool.jsonl"), h, problems); err != nil {
			return err
		}
	}
	lab.AddVerifiers(problems, c.Noise, c.Exploit, c.Seed)
	p := newProgress("looking at the pool")
	r, err := lab.TestTime(ctx, problems, o, func(done, total int) { p.Set("looking at the pool", int64(done), int64(total)) })
	p.Close()
	if ctx.Err() != nil {
		return interrupted("no report was written; the pool is whole")
	}
	if err != nil {
		return err
	}
	return saveLab(c.Out, "test-time", r, r.Page(source), c.JSON, func() error { return c.table(r) })
}

// table prints the curves at some numbers of candidates.
func (c *labTestTimeCmd) table(r *lab.TestTimeResult) error {
	ks := r.Curves[0].K
	const columns = 7
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "right of")
	step := max(1, (len(ks)+columns-2)/(columns-1))
	var at []int
	for i := 0; i < len(ks)-1; i += step {
		at = append(at, i)
	}
	at = append(at, len(ks)-1)
	for _, i := range at {
		fmt.Fprintf(w, "\t%d", ks[i])
	}
	fmt.Fprintln(w, "\tpeak")
	for _, x := range r.Curves {
		fmt.Fprint(w, x.Name)
		for _, i := range at {
			fmt.Fprint(w, "\t", report.Percent(x.Accuracy[i]))
		}
		note := fmt.Sprint("at ", x.Peak)
		if x.FallLow > 0 {
			note += fmt.Sprintf(", then falls by %s", report.Percent(x.Fall))
		}
		fmt.Fprintln(w, "\t"+note)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r.Law != nil {
		fmt.Printf("coverage: log c = %.3f k^%.3f\n", r.Law.A, r.Law.B)
	}
	for _, e := range r.Early {
		fmt.Printf("vote of at most %d that stops by rule %s: %.1f candidates, accuracy %s (whole vote %s)\n", e.Limit, e.Rule, e.Samples, report.Percent(e.Accuracy), report.Percent(e.Whole))
	}
	return nil
}
