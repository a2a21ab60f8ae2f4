package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/posttrain"
)

type dataTruthfulCmd struct {
	Facts       string   `required:"" help:"Facts, a JSON object a line: question, answer, and perhaps context (a text that says the answer) and aliases (a list)." placeholder:"FILE"`
	Model       string   `help:"Model that is asked what it knows; needed for the kinds known and unknown." placeholder:"MODEL"`
	Kind        []string `help:"What to make: factual (answer from the context), counterfactual (the context says something else, and so does the answer), known (the answer), unknown (that it does not know); default all." placeholder:"KIND,..."`
	K           int      `name:"k" help:"How often each question is asked." default:"8"`
	Known       float64  `help:"Least share of right replies of what is known." default:"0.75"`
	Sure        float64  `help:"What is mostly answered wrongly is unknown where the replies have less than this probability a token," default:"0.5"`
	Same        float64  `help:"or where less than this share of them are the same." default:"0.75"`
	DontKnow    string   `help:"The answer to what is unknown." default:"I don't know."`
	MaxTokens   int      `help:"Tokens of a reply, at most." default:"32"`
	Temperature float64  `help:"Of replies." default:"1"`
	Out         string   `required:"" help:"File of the demonstrations, as JSON Lines. Replies are in FILE.replies, from which the same command goes on." placeholder:"FILE"`
	Seed        uint64   `help:"Seed of replies and of what contexts say." default:"1"`
	JSON        bool     `name:"json" help:"Print the report as one JSON object."`
	openFlags
}

// Help is the detail of --help.
func (dataTruthfulCmd) Help() string {
	return `Makes demonstrations that teach a model to say what it knows or reads, and nothing else.
Each question is asked several times: what is answered rightly is known; what is answered
wrongly most of the time, by replies that are improbable or differ, is unknown, and
"I don't know" is its answer. What the model answers wrongly and surely, or rightly at
times, is left out. The demonstration's task names its kind. Prompt and context are given,
the answer alone is learned: foundling data show --mask shows both.

Examples:

    foundling data truthful --facts facts.jsonl --model tuned --out truthful.jsonl
    foundling data truthful --facts facts.jsonl --kind factual,counterfactual --out contexts.jsonl
    foundling sft --model tuned --data truthful.jsonl --epochs 2 --out honest`
}

// Validate is called by kong.
func (c *dataTruthfulCmd) Validate() error {
	t := c.truthful()
	switch {
	case c.K < 1 || c.MaxTokens < 1:
		return errors.New("--k and --max-tokens must be at least 1")
	case !(c.Temperature > 0):
		return errors.New("--temperature must be more than 0: replies must be able to differ")
	}
	if err := t.Validate(); err != nil {
		return err
	}
	if t.Asks() && c.Model == "" {
		return errors.New("the kinds known and unknown are of a model: give --model, or --kind factual,counterfactual")
	}
	if err := c.knowledge().Validate(); err != nil {
		return err
	}
	return c.cacheFlags.Validate()
}

func (c *dataTruthfulCmd) truthful() *posttrain.Truthful {
	return &posttrain.Truthful{Kinds: c.Kind, DontKnow: c.DontKnow, Seed: c.Seed}
}

func (c *dataTruthfulCmd) knowledge() posttrain.KnowledgeOptions {
	return posttrain.KnowledgeOptions{Known: c.Known, Sure: c.Sure, Same: c.Same}
}

// truthfulReport is what --json prints.
type truthfulReport struct {
	*posttrain.TruthReport
	Records int           `json:"records"`
	Unfit   int           `json:"unfit"` // questions that are too long for the model
	Skipped dataset.Skips `json:"skipped"`
	Out     string        `json:"out"`
}

// Run asks and writes.
func (c *dataTruthfulCmd) Run(ctx context.Context) error {
	r := truthfulReport{Out: c.Out}
	facts, err := posttrain.ReadFacts(c.Facts, &r.Skipped)
	if err != nil {
		return fmt.Errorf("--facts: %w", err)
	}
	if len(facts) == 0 {
		return fmt.Errorf("--facts: %s holds no fact%s", c.Facts, firstOf(&r.Skipped))
	}
	t := c.truthful()
	var knowledge []posttrain.Knowledge
	if t.Asks() {
		if facts, knowledge, err = c.ask(ctx, facts, &r.Unfit); ctx.Err() != nil {
			return interrupted("replies are in %s.replies; the same command goes on", c.Out)
		} else if err != nil {
			return err
		}
	}
	records, report := t.Records(facts, knowledge)
	r.TruthReport, r.Records = report, len(records)
	var lines []byte
	for _, rec := range records {
		if lines, err = rec.AppendRow(lines); err != nil {
			return err
		}
	}
	if err := atomicfile.WriteFile(c.Out, lines); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	r.print()
	return nil
}

// ask lets the model reply to all questions, as often as asked for. Facts whose
// question does not fit are left out.
func (c *dataTruthfulCmd) ask(ctx context.Context, facts []posttrain.Fact, unfit *int) (_ []posttrain.Fact, known []posttrain.Knowledge, err error) {
	m, err := openModel(c.openFlags, c.Model)
	if err != nil {
		return nil, nil, err
	}
	defer m.Close()
	w, err := posttrain.NewWriter(m.Bundle)
	if err != nil {
		return nil, nil, err
	}
	path, err := c.modelPath(c.Model)
	if err != nil {
		return nil, nil, err
	}
	weights, err := hashWeights(path)
	if err != nil {
		return nil, nil, err
	}
	if c.Adapter != "" {
		h, err := hashAdapter(c.Adapter)
		if err != nil {
			return nil, nil, err
		}
		weights += "+" + h
	}
	j, err := posttrain.OpenJournal(c.Out + ".replies")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	p := newProgress("asking")
	defer p.Close()
	prompts := make([]dataset.Record, len(facts))
	for i, f := range facts {
		prompts[i] = dataset.Record{Prompt: dataset.Text{Turns: []dataset.Turn{{Role: chat.RoleUser, Content: f.Question}}}}
	}
	d := &posttrain.Drawer{Engine: m.Engine, Writer: w, N: c.K, Options: generate.Options{
		MaxTokens: c.MaxTokens, StopIDs: m.Bundle.Stops(), Sample: sample.Options{Temperature: c.Temperature, Seed: c.Seed},
	}}
	tries, err := d.DrawAll(ctx, j, func(first int, part []dataset.Record) string {
		return fmt.Sprintf("replies/%s/%s/%s/%d/%d/%g/%d/%d/%s", weights, m.Backend.Kernels(), c.CacheFormat, c.K, c.MaxTokens, c.Temperature, c.Seed, first, promptsFingerprint(part))
	}, prompts, func(done int) { p.Set("asking", int64(done), int64(len(facts))) })
	if err != nil {
		return nil, nil, err
	}
	kept := facts[:0]
	for i, tr := range tries {
		if tr.Answers == nil {
			*unfit++
			continue
		}
		kept, known = append(kept, facts[i]), append(known, c.knowledge().Of(&facts[i], tr.Answers))
	}
	return kept, known, nil
}

func (r *truthfulReport) print() {
	var made, states []string
	for _, k := range posttrain.TruthfulKinds() {
		if n := r.Made[k]; n > 0 {
			made = append(made, fmt.Sprintf("%d %s", n, k))
		}
	}
	for _, k := range []posttrain.Knows{posttrain.Known, posttrain.Doubtful, posttrain.Unknown, posttrain.Mistaken} {
		states = append(states, fmt.Sprintf("%d %s", r.States[k], k))
	}
	fmt.Printf("%s: %d demonstrations of %d facts%s", r.Out, r.Records, r.Facts, skipped(&r.Skipped))
	if made != nil {
		fmt.Print(": " + strings.Join(made, ", "))
	}
	fmt.Println()
	if r.States != nil {
		fmt.Printf("  the model's knowledge: %s; %d questions too long\n", strings.Join(states, ", "), r.Unfit)
	}
	if n := r.NoContext + r.Unsaid + r.Alone; n > 0 {
		fmt.Printf("  contexts: %d facts have none, %d contexts do not say the answer, for %d there is no other answer\n", r.NoContext, r.Unsaid, r.Alone)
	}
}
