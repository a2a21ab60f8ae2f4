package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/foundling-lm/foundling"
	sources "github.com/foundling-lm/foundling/generate/grammar/language"
	"github.com/foundling-lm/foundling/lab"
)

// labStructuredCmd compares the layers of structured output.
type labStructuredCmd struct {
	Model   string `help:"Model directory or GGUF file, or the name of a model of the store." required:"" placeholder:"MODEL"`
	Tuned   string `help:"The same model after fine-tuning on the task: fills the last row." placeholder:"MODEL"`
	Out     string `help:"Folder for structured.json and report.html." default:"structured"`
	Task    string `help:"Items of your own, a line {\"text\":...,\"gold\":{...}} each, instead of sentences about orders." placeholder:"FILE.jsonl"`
	Schema  string `help:"With --task: the JSON Schema of the answers." placeholder:"S.json"`
	Calls   string `help:"Questions that one function call answers, in the format of the Berkeley Function Calling Leaderboard (.gz too), instead of sentences about orders." placeholder:"FILE"`
	Answers string `help:"With --calls: the file of possible answers." placeholder:"FILE"`
	Shots   int    `help:"With --task and --calls: so many items from the beginning are solved in the prompt, fewer where the context has no room." default:"2"`
	Items   int    `help:"Items; 0 means 50, or all of --task and --calls." placeholder:"N"`
	Tries   int    `help:"Generations of validate and retry, at most." default:"3"`
	JSON    bool   `name:"json" help:"Print the result as JSON too, instead of the table."`
	promptTemplate
	decodingFlags `embed:"" set:"maxtokens=96"`
	openFlags
}

// Help is the detail of --help.
func (labStructuredCmd) Help() string {
	return `The same items through five layers: the prompt alone; its answer repaired; validated
against the schema and asked again with the error; sampled within the schema; answered by
a fine-tuned model. The table has the share of answers that are JSON of the schema, the
share that is right, and tokens and milliseconds an item, with 95 % intervals. With
--calls the fields are the function's name and its arguments, each with several values
that are right.

Where the context is short, fewer items are solved in the prompt; items that do not fit
with their answer are left out. Both are said below the table.

Examples:

    foundling lab structured --model run1 --items 20
    foundling lab structured --model SmolLM2-135M-Instruct --prompt-template chat --temperature 0
    foundling lab structured --model m --tuned m-sft --task invoices.jsonl --schema invoice.json
    foundling lab structured --model m --calls BFCL_v4_multiple.json --answers possible_answer/BFCL_v4_multiple.json --items 50`
}

// Validate is called by kong.
func (c *labStructuredCmd) Validate() error {
	switch {
	case (c.Task == "") != (c.Schema == ""):
		return errors.New("--task and --schema go together")
	case (c.Calls == "") != (c.Answers == ""):
		return errors.New("--calls and --answers go together")
	case c.Calls != "" && c.Task != "":
		return errors.New("--task and --calls are two tasks: give one")
	case c.Items < 0 || c.Shots < 0:
		return errors.New("--items and --shots must not be negative")
	case c.Tries < 1 || c.Tries > 1000:
		return errors.New("--tries must be between 1 and 1000")
	case c.MaxTokens < 1:
		return errors.New("--max-tokens must be 1 or more: an answer that does not end would fill the context")
	}
	return validate(&c.decodingFlags, c.cacheFlags)
}

// task is the items that the flags name.
func (c *labStructuredCmd) task() (lab.StructuredTask, error) {
	if c.Calls != "" {
		return c.calls()
	}
	if c.Task == "" {
		n := c.Items
		if n == 0 {
			n = 50
		}
		return lab.Orders(n, c.Seed), nil
	}
	schema, err := os.ReadFile(c.Schema)
	if err != nil {
		return lab.StructuredTask{}, fmt.Errorf("--schema: %w", err)
	}
	f, err := os.Open(c.Task)
	if err != nil {
		return lab.StructuredTask{}, fmt.Errorf("--task: %w", err)
	}
	defer f.Close()
	t, err := lab.ReadStructured(c.Task, f, schema, c.Shots, c.Items)
	if err != nil {
		return t, fmt.Errorf("--task: %w", err)
	}
	return t, nil
}

// calls is the task of --calls and --answers.
func (c *labStructuredCmd) calls() (t lab.StructuredTask, err error) {
	questions, err := openPlain(c.Calls)
	if err != nil {
		return t, fmt.Errorf("--calls: %w", err)
	}
	defer questions.Close()
	answers, err := openPlain(c.Answers)
	if err != nil {
		return t, fmt.Errorf("--answers: %w", err)
	}
	defer answers.Close()
	if t, err = lab.ReadCalls(c.Calls, questions, answers, c.Shots, c.Items); err != nil {
		return t, fmt.Errorf("--calls: %w", err)
	}
	return t, nil
}

// Run compares and writes the report.
func (c *labStructuredCmd) Run(ctx context.Context) error {
	task, err := c.task()
	if err != nil {
		return err
	}
	m, err := openModel(c.openFlags, c.Model)
	if err != nil {
		return err
	}
	defer m.Close()
	o := lab.StructuredOptions{
		Write: c.writer(m, nil), Fits: c.fits(m), Holds: c.holds(m), Within: c.within(m), Tries: c.Tries, Seed: c.Seed,
	}
	if c.Tuned != "" {
		tuned, err := openModel(c.openFlags, c.Tuned)
		if err != nil {
			return fmt.Errorf("--tuned: %w", err)
		}
		defer tuned.Close()
		o.Tuned = c.writer(tuned, nil)
	}
	p := newProgress("answering")
	r, err := lab.Structured(ctx, task, o, func(n, of int) { p.Set("answering", int64(n), int64(of)) })
	p.Close()
	if err != nil {
		return err
	}
	return saveLab(c.Out, "structured", r, r.Page(c.Model), c.JSON, func() error { return c.table(r) })
}

// prompt is the ids of a prompt.
func (c *labStructuredCmd) prompt(m *foundling.Model, text string) ([]int32, error) {
	if c.chat() {
		return c.question(m.Bundle, text)
	}
	return m.Bundle.TextPrompt(text)
}

// room is the tokens that the context has left behind a prompt.
func (c *labStructuredCmd) room(m *foundling.Model, text string) int {
	ids, err := c.prompt(m, text)
	if err != nil {
		return 0
	}
	return m.Bundle.Model.Dims().Context - len(ids)
}

// fits tells whether a prompt leaves room for an answer of --max-tokens.
func (c *labStructuredCmd) fits(m *foundling.Model) func(string) bool {
	return func(text string) bool { return c.room(m, text) >= c.MaxTokens }
}

// holds tells whether a prompt leaves room for this answer and its end.
func (c *labStructuredCmd) holds(m *foundling.Model) func(prompt, answer string) bool {
	return func(prompt, answer string) bool {
		tok := m.Bundle.Tokenizer
		return tok != nil && c.room(m, prompt) > len(tok.Encode(" "+answer))
	}
}

// within makes the writer of a schema; the last one is kept.
func (c *labStructuredCmd) within(m *foundling.Model) func(schema []byte) (lab.Writer, error) {
	var last []byte
	var writer lab.Writer
	var failed error
	return func(schema []byte) (lab.Writer, error) {
		if last != nil && bytes.Equal(schema, last) {
			return writer, failed
		}
		g, err := m.Grammar(foundling.Format{Source: sources.Source{Schema: schema}})
		if err == nil && g.Minimum() > c.MaxTokens {
			err = fmt.Errorf("the shortest answer of the schema has %d tokens: raise --max-tokens", g.Minimum())
		}
		last, writer, failed = schema, nil, err
		if err == nil {
			writer = c.writer(m, g)
		}
		return writer, failed
	}
}

// writer answers with a model, within g or free, in the room that the prompt leaves.
// Free text ends at an empty line too, as the solved items of the prompt do.
func (c *labStructuredCmd) writer(m *foundling.Model, g *foundling.Grammar) lab.Writer {
	return func(ctx context.Context, text string, stream uint64) (lab.Written, error) {
		ids, err := c.prompt(m, text)
		if err != nil {
			return lab.Written{}, err
		}
		d := c.decoding()
		d.Stream, d.Grammar = stream, g
		d.MaxTokens = min(d.MaxTokens, max(1, m.Bundle.Model.Dims().Context-len(ids)))
		if g == nil {
			d.Stop = append(d.Stop[:len(d.Stop):len(d.Stop)], "\n\n")
		} else if d.MaxTokens < g.Minimum() {
			return lab.Written{}, lab.ErrNoRoom
		}
		o := m.Options(d)
		if g == nil && c.chat() {
			o.StopIDs = m.Bundle.Stops()
		}
		r, err := m.Engine.Generate(ctx, ids, o, nil)
		if err != nil {
			return lab.Written{}, err
		}
		return lab.Written{Text: r.Text, Tokens: len(ids) + len(r.IDs)}, nil
	}
}

// table prints the layers.
func (c *labStructuredCmd) table(r *lab.StructuredResult) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "layer\tvalid\tright\tfields right\ttokens\tms\ttries")
	for _, row := range r.Rows {
		fmt.Fprint(w, row.Layer)
		if row.Missing != "" {
			fmt.Fprintln(w, "\t"+row.Missing)
			continue
		}
		for _, cell := range row.Cells() {
			fmt.Fprint(w, "\t", cell)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, note := range r.Notes() {
		fmt.Println("note: " + note)
	}
	return nil
}
