package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/eval/report"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/lab"
	"github.com/foundling-lm/foundling/text/chat"
)

// labConsistencyCmd asks a model the same again and again.
type labConsistencyCmd struct {
	Model         string   `help:"Model directory or GGUF file, or the name of a model of the store." required:"" placeholder:"MODEL"`
	Prompt        string   `help:"What is asked; - reads standard input." required:""`
	Paraphrase    []string `help:"The same in other words; repeat for more." placeholder:"TEXT" sep:"none"`
	Paraphrases   string   `help:"File of paraphrases, one a line." placeholder:"FILE"`
	K             int      `help:"Answers to each prompt." default:"8"`
	Extract       string   `help:"What an answer is: number, choice, json, code, text, or regex:EXPRESSION." default:"text"`
	Out           string   `help:"Folder for consistency.json and report.html." default:"consistency"`
	Raw           bool     `help:"Continue the prompt as text, also where the model answers questions."`
	JSON          bool     `name:"json" help:"Print the result as JSON too, instead of the table."`
	decodingFlags `embed:"" set:"maxtokens=64"`
	openFlags
}

// Help is the detail of --help.
func (labConsistencyCmd) Help() string {
	return `How much a model agrees with itself: over k answers of other random numbers, over
paraphrases, and over samplers (the one of the flags, greedy, temperature 1, top-k 40,
top-p 0.9, min-p 0.05 and Mirostat). Pairs of answers are compared as bytes, as answers
by --extract, and by their words; the entropy of the answers is 0 where all agree. Last
it asks with the same seeds in other batches and with other numbers of threads, where
nothing may change, and says whether anything did.

Examples:

    foundling lab consistency --model run1 --prompt "What does strings.Cut do?"
    foundling lab consistency --model m --prompt "17+25=" --paraphrase "25+17=" --extract number --k 16
    foundling lab consistency --model m --prompt - --paraphrases others.txt --json < question.txt`
}

// Validate is called by kong.
func (c *labConsistencyCmd) Validate() error {
	if c.K < 2 || c.K > lab.MaxAnswers {
		return fmt.Errorf("--k is %d: agreement needs 2 to %d answers", c.K, lab.MaxAnswers)
	}
	if _, err := search.ParseExtractor(c.Extract); err != nil {
		return fmt.Errorf("--extract: %w", err)
	}
	return validate(&c.decodingFlags, c.cacheFlags)
}

// Run asks, prints and writes the report.
func (c *labConsistencyCmd) Run(ctx context.Context) error {
	o, err := c.options(ctx)
	if err != nil {
		return err
	}
	q := &asker{c: c}
	defer q.close()
	m, err := q.open(0)
	if err != nil {
		return err
	}
	if m.Bundle.Tokenizer == nil {
		return fmt.Errorf("%s has no tokenizer to write text with: %w", c.Model, m.Bundle.NoTokens)
	}
	o.Ways = consistencyWays(m.Options(c.decoding()).Sample)
	p := newProgress("asking")
	r, err := lab.Consistency(ctx, *o, q.ask, func(done, total int) { p.Set("asking", int64(done), int64(total)) })
	p.Close()
	if ctx.Err() != nil {
		return interrupted("no report was written")
	}
	if err != nil {
		return err
	}
	return saveLab(c.Out, "consistency", r, r.Page(c.Model), c.JSON, func() error { return c.table(r) })
}

// options reads the prompt and its paraphrases.
func (c *labConsistencyCmd) options(ctx context.Context) (*lab.ConsistencyOptions, error) {
	extract, err := search.ParseExtractor(c.Extract)
	if err != nil {
		return nil, err
	}
	o := &lab.ConsistencyOptions{Prompt: c.Prompt, Paraphrases: c.Paraphrase, K: c.K, Extract: extract, Threads: []int{1}}
	if n := runtime.GOMAXPROCS(0); n > 1 {
		o.Threads = append(o.Threads, n)
	}
	if c.Prompt == "-" {
		if o.Prompt, err = readInput(ctx); err != nil {
			return nil, err
		}
	}
	if c.Paraphrases == "" {
		return o, nil
	}
	data, err := os.ReadFile(c.Paraphrases)
	if err != nil {
		return nil, fmt.Errorf("--paraphrases: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			o.Paraphrases = append(o.Paraphrases, line)
		}
	}
	if len(o.Paraphrases) > lab.MaxParaphrases {
		return nil, fmt.Errorf("--paraphrases %s has %d lines: at most %d", c.Paraphrases, len(o.Paraphrases), lab.MaxParaphrases)
	}
	return o, nil
}

// consistencyWays are the samplers that are compared, the given one first.
func consistencyWays(given sample.Options) []lab.Way {
	seed := given.Seed
	return []lab.Way{
		{Name: "as given", Sample: given},
		{Name: "greedy", Sample: sample.Options{Seed: seed}},
		{Name: "temperature 1", Sample: sample.Options{Temperature: 1, Seed: seed}},
		{Name: "top-k 40", Sample: sample.Options{Temperature: 1, TopK: 40, Seed: seed}},
		{Name: "top-p 0.9", Sample: sample.Options{Temperature: 1, TopP: 0.9, Seed: seed}},
		{Name: "min-p 0.05", Sample: sample.Options{Temperature: 1, MinP: 0.05, Seed: seed}},
		{Name: "mirostat 2", Sample: sample.Options{Temperature: 1, Mirostat: 2, Seed: seed}},
	}
}

// asker answers with the model, which it keeps open once for each number of
// threads.
type asker struct {
	c      *labConsistencyCmd
	models map[int]*foundling.Model
}

func (q *asker) open(threads int) (*foundling.Model, error) {
	if m := q.models[threads]; m != nil {
		return m, nil
	}
	o := q.c.openFlags
	if threads > 0 {
		o.Threads = threads
	}
	m, err := openModel(o, q.c.Model)
	if err != nil {
		return nil, err
	}
	if q.models == nil {
		q.models = map[int]*foundling.Model{}
	}
	q.models[threads] = m
	return m, nil
}

func (q *asker) close() {
	for _, m := range q.models {
		m.Close()
	}
}

// ask is an lab.Ask.
func (q *asker) ask(ctx context.Context, w lab.Way, questions []lab.Question) ([]string, error) {
	m, err := q.open(w.Threads)
	if err != nil {
		return nil, err
	}
	o := m.Options(q.c.decoding())
	o.Sample = w.Sample
	requests := make([]generate.Request, len(questions))
	for i, x := range questions {
		if requests[i].Prompt, err = q.encode(m, x.Prompt); err != nil {
			return nil, err
		}
		requests[i].Options = o
		requests[i].Stream = x.Stream
		if m.Bundle.Chat && !q.c.Raw {
			requests[i].StopIDs = m.Bundle.Stops()
		}
	}
	batch := w.Batch
	if batch == 0 {
		batch = len(requests)
	}
	var texts []string
	for len(requests) > 0 {
		n := min(batch, len(requests))
		results, err := m.Engine.GenerateAll(ctx, requests[:n], nil)
		if err != nil {
			return nil, err
		}
		for _, r := range results {
			texts = append(texts, r.Text)
		}
		requests = requests[n:]
	}
	return texts, nil
}

func (q *asker) encode(m *foundling.Model, prompt string) ([]int32, error) {
	if !m.Bundle.Chat || q.c.Raw || prompt == "" {
		return m.Bundle.TextPrompt(prompt)
	}
	ids, _, err := m.Bundle.ChatPrompt([]chat.Message{{Role: chat.RoleUser, Content: prompt}}, 1)
	return ids, err
}

func (c *labConsistencyCmd) table(r *lab.ConsistencyResult) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "experiment\ttrial\tsame text\tequal answers\tsimilar\tdistinct\tentropy\tmost frequent")
	for _, t := range r.Trials {
		a := t.Agreement
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.2f\t%d of %d\t%.2f\t%.40q\n", t.Experiment, t.Name, report.Percent(a.Exact), report.Percent(a.Answers), a.Similarity, a.Distinct, a.Texts, a.Entropy, a.Majority)
	}
	fmt.Fprintf(w, "\nagreement\t%s of pairs have equal answers, on average over the trials of chance, words and samplers\n", report.Percent(r.Score))
	if r.SameBits {
		fmt.Fprintln(w, "same seed\tsame bits in every batch and at every number of threads")
	} else {
		fmt.Fprintf(w, "same seed\tDIFFERENT with %s\n", strings.Join(r.Different, ", "))
	}
	return w.Flush()
}
