package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/posttrain"
)

type classifyEvalCmd struct {
	Model    string   `help:"Directory of a classifier." required:"" placeholder:"MODEL"`
	Data     []string `help:"Records with text and label. Repeat it." required:"" sep:"none" placeholder:"PATH"`
	Prompted string   `help:"Measure beside it a model that is asked: of all labels, the one that is the most probable answer to --template, per token." placeholder:"MODEL"`
	Template string   `help:"What --prompted goes on with; {text} and {labels} stand for the text and the names of all classes." default:"Text: {text}\nOne of: {labels}\nClass:" placeholder:"TEXT"`
	Shots    int      `help:"Texts with their labels that --prompted sees first, taken from the front of the data and not measured." placeholder:"N"`
	JSON     bool     `name:"json" help:"Print one JSON object."`
	openFlags
}

// Help is the detail of --help.
func (classifyEvalCmd) Help() string {
	return `Both ways to classify are measured on the same texts, and the difference is given
with its interval.

Examples:

    foundling classify eval --model polarity --data test.jsonl
    foundling classify eval --model polarity --data test.jsonl --prompted run1 --shots 4 --json`
}

// classified is what the command prints.
type classified struct {
	Classifier *eval.ClassReport `json:"classifier"`
	Prompted   *eval.ClassReport `json:"prompted,omitempty"`
	Difference *eval.Interval    `json:"difference,omitempty"` // of the accuracies, text by text
	Skipped    dataset.Skips     `json:"skipped"`
}

// Run measures.
func (c *classifyEvalCmd) Run(ctx context.Context) error {
	if c.Shots < 0 {
		return usageError{fmt.Errorf("--shots is %d: it must not be negative", c.Shots)}
	}
	m, err := openAny(c.openFlags, speculateFlags{}, c.Model)
	if err != nil {
		return err
	}
	defer m.Close()
	if m.Bundle.Head == nil || m.Bundle.Head.Labels == nil {
		return usageError{fmt.Errorf("--model %s is no classifier: foundling classify train makes one", c.Model)}
	}
	labels := m.Bundle.Head.Labels
	var x classified
	records, err := c.records(labels, &x.Skipped)
	if err != nil {
		return err
	}
	shots := records[:c.Shots]
	records = records[c.Shots:]
	own, err := c.classify(ctx, m, labels, records)
	if err != nil {
		return err
	}
	x.Classifier = eval.NewClassReport(labels, own)
	if c.Prompted != "" {
		asked, err := c.ask(ctx, labels, shots, records)
		if err != nil {
			return err
		}
		x.Prompted = eval.NewClassReport(labels, asked)
		d := eval.Paired(eval.Right(own), eval.Right(asked))
		x.Difference = &d
	}
	if c.JSON {
		return printJSON(x)
	}
	printClasses("classifier", x.Classifier)
	if x.Prompted != nil {
		printClasses("asked", x.Prompted)
		fmt.Printf("the classifier is better by %.1f points [%.1f, %.1f]\n", 100*x.Difference.Value, 100*x.Difference.Low, 100*x.Difference.High)
	}
	if x.Skipped.Rows > 0 {
		fmt.Println(&x.Skipped)
	}
	return nil
}

// records are the texts, all of known classes.
func (c *classifyEvalCmd) records(labels []string, skips *dataset.Skips) ([]dataset.Record, error) {
	var out []dataset.Record
	for _, path := range c.Data {
		for rec, err := range dataset.Read(path, dataset.Options{Kinds: []dataset.Kind{dataset.Classified}}) {
			if skips.Add(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if !slices.Contains(labels, rec.Class) {
				return nil, fmt.Errorf("%s: class %q: the classifier knows %q", rec.Source, rec.Class, labels)
			}
			out = append(out, rec)
		}
	}
	if len(out) <= c.Shots {
		return nil, fmt.Errorf("%d texts in %v, of which %d are --shots: give more%s", len(out), c.Data, c.Shots, leftOut(skips))
	}
	return out, nil
}

// classify scores texts by the head; long ones lose their beginning.
func (c *classifyEvalCmd) classify(ctx context.Context, m *foundling.Model, labels []string, records []dataset.Record) ([]eval.Guess, error) {
	w, err := posttrain.NewWriter(m.Bundle)
	if err != nil {
		return nil, err
	}
	var texts [][]int32
	for _, rec := range records {
		ids := w.ClassText(rec.Prompt)
		if over := len(ids) - m.Bundle.Model.Dims().Context; over > 0 {
			ids = ids[over:]
		}
		texts = append(texts, ids)
	}
	scores, err := m.Engine.HeadScores(ctx, m.Bundle.Head, texts, nil)
	if err != nil {
		return nil, err
	}
	out := make([]eval.Guess, len(records))
	for i, rec := range records {
		out[i] = eval.Guess{Class: slices.Index(labels, rec.Class), Scores: scores[i][0]}
	}
	return out, nil
}

// ask scores each label as the answer of a language model: the mean
// log-probability of its tokens after the template.
func (c *classifyEvalCmd) ask(ctx context.Context, labels []string, shots, records []dataset.Record) ([]eval.Guess, error) {
	m, err := openModel(c.openFlags, c.Prompted)
	if err != nil {
		return nil, fmt.Errorf("--prompted: %w", err)
	}
	defer m.Close()
	z := m.Bundle
	if z.Tokenizer == nil {
		return nil, fmt.Errorf("--prompted %s has no tokenizer to read text with: %w", c.Prompted, z.NoTokens)
	}
	write := func(rec dataset.Record) string {
		return strings.NewReplacer("{text}", rec.Prompt.String(), "{labels}", strings.Join(labels, ", "), `\n`, "\n").Replace(c.Template)
	}
	var before strings.Builder
	for _, s := range shots {
		before.WriteString(write(s) + " " + s.Class + "\n\n")
	}
	var texts [][]int32
	var from []int
	for _, rec := range records {
		prompt, err := z.TextPrompt(before.String() + write(rec))
		if err != nil {
			return nil, err
		}
		for _, label := range labels {
			ids := z.Tokenizer.EncodeAfter(slices.Clone(prompt), " "+label)
			n := len(prompt)
			if over := len(ids) - z.Model.Dims().Context; over >= n {
				return nil, errors.New("--template: a label alone fills the context")
			} else if over > 0 {
				ids, n = ids[over:], n-over
			}
			texts, from = append(texts, ids), append(from, n)
		}
	}
	scores, err := m.Engine.ScoreAll(ctx, texts, 0)
	if err != nil {
		return nil, err
	}
	out := make([]eval.Guess, len(records))
	for i, rec := range records {
		g := eval.Guess{Class: slices.Index(labels, rec.Class)}
		for k := range labels {
			at := i*len(labels) + k
			var sum float64
			tail := scores[at].LogProbs[from[at]-1:]
			for _, x := range tail {
				sum += x / float64(len(tail))
			}
			g.Scores = append(g.Scores, sum)
		}
		out[i] = g
	}
	return out, nil
}
