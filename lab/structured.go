package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate/repair"
)

// The layers of structured output, the cheapest first.
const (
	LayerPrompt      = "prompt only"
	LayerRepair      = "repair"
	LayerRetry       = "validate and retry"
	LayerConstrained = "constrained sampling"
	LayerTuned       = "fine-tuned"
)

// Written is an answer of a model.
type Written struct {
	Text   string
	Tokens int // of the prompt and of the answer
}

// Writer answers a prompt. The number of the stream chooses the random numbers.
type Writer func(ctx context.Context, prompt string, stream uint64) (Written, error)

// StructuredOptions are what the layers need.
type StructuredOptions struct {
	Write Writer // free text
	// Fits says whether a prompt leaves room for an answer of the usual length, and
	// Holds whether it does for this one; nil: always. A prompt that does not fit
	// loses solved items, and one that does not hold the right answer its item.
	Fits  func(prompt string) bool
	Holds func(prompt, answer string) bool
	// Within writes answers within a schema. The error says why there are none; an
	// item whose schema has none, or whose prompt leaves no room (ErrNoRoom), counts
	// as failed.
	Within func(schema []byte) (Writer, error)
	Tuned  Writer // of a fine-tuned model; nil: the row is empty
	Tries  int    // of the retry; 0: repair.DefaultTries
	Seed   uint64 // of the bootstraps
}

// ErrNoRoom reports a prompt behind which no answer of the schema fits.
var ErrNoRoom = errors.New("no answer of the schema fits into what the prompt leaves of the context")

// StructuredRow is one layer on all items.
type StructuredRow struct {
	Layer string `json:"layer"`
	// Missing says why the layer did not run; the figures are zero then.
	Missing string        `json:"missing,omitempty"`
	Valid   eval.Interval `json:"valid"`  // share of answers that are JSON of the schema
	Right   eval.Interval `json:"right"`  // share of answers equal to gold
	Fields  eval.Interval `json:"fields"` // share of gold's fields that are right
	Tokens  eval.Interval `json:"tokens"` // read and written, an item
	Millis  eval.Interval `json:"milliseconds"`
	Tries   float64       `json:"tries"` // generations an item
	// Note says how many items have no answer of the layer, and why. They count as
	// neither valid nor right, and not for tokens and milliseconds.
	Note string `json:"note,omitempty"`
}

// StructuredAnswer is what the layers made of one item.
type StructuredAnswer struct {
	ID    string            `json:"id"`
	Text  string            `json:"text"`
	Gold  string            `json:"gold"`
	Texts map[string]string `json:"texts"` // by layer
}

// StructuredResult is the comparison.
type StructuredResult struct {
	Task    string             `json:"task"`
	Items   int                `json:"items"`
	Schema  string             `json:"schema"`
	Prompt  string             `json:"prompt"` // of the first item
	Rows    []StructuredRow    `json:"rows"`
	Answers []StructuredAnswer `json:"answers"`
	// Shortened is the number of items before which fewer are solved than were asked
	// for, and LeftOut those that do not fit into the context with their answer.
	Shortened int      `json:"shortened"`
	LeftOut   []string `json:"left_out"`
}

// again is the next prompt of the retry: it ends as the first one does, so that
// models which only continue text see where the answer goes.
var again = template.Must(template.New("again").Parse(
	"{{.Prompt}} {{.Answer}}\n\nThis is wrong: {{.Error}}\nJSON:"))

// tally gathers one layer.
type tally struct {
	layer                string
	valid, right         int
	fieldsRight, fields  []float64
	tokens, millis, ones []float64
	tries, items         int
	refused              int // items without an answer
	why                  string
}

func (t *tally) add(s *jsonschema.Schema, item StructuredItem, text string, tokens, tries int, took time.Duration) {
	right, fields, exact := item.agreement(text)
	if fits(s, text) == nil {
		t.valid++
	}
	if exact {
		t.right++
	}
	t.fieldsRight = append(t.fieldsRight, float64(right))
	t.fields = append(t.fields, float64(fields))
	t.tokens = append(t.tokens, float64(tokens))
	t.millis = append(t.millis, float64(took)/float64(time.Millisecond))
	t.ones = append(t.ones, 1)
	t.tries += tries
	t.items++
}

// refuse adds an item that has no answer.
func (t *tally) refuse(item StructuredItem, why error) {
	_, fields, _ := item.agreement("")
	t.fieldsRight, t.fields = append(t.fieldsRight, 0), append(t.fields, float64(fields))
	t.items++
	if t.refused++; t.why == "" {
		t.why = why.Error()
	}
}

// draws of the bootstraps.
const structuredDraws = 1000

func (t *tally) row(seed uint64) StructuredRow {
	boot := func(num, den []float64) eval.Interval {
		return eval.BootstrapRatio(num, den, structuredDraws, 0.95, seed)
	}
	if t.refused == t.items {
		return StructuredRow{Layer: t.layer, Missing: t.why}
	}
	r := StructuredRow{
		Layer: t.layer, Valid: eval.Wilson(t.valid, t.items, eval.Z95), Right: eval.Wilson(t.right, t.items, eval.Z95),
		Fields: boot(t.fieldsRight, t.fields), Tokens: boot(t.tokens, t.ones), Millis: boot(t.millis, t.ones),
		Tries: float64(t.tries) / float64(t.items-t.refused),
	}
	if t.refused > 0 {
		r.Note = fmt.Sprintf("%d of %d items have no answer: %s", t.refused, t.items, t.why)
	}
	return r
}

// Structured runs the layers on the same items. Prompt only, repair and the first
// try of the retry share one text an item, whose cost counts for each. done is
// called after each item and may be nil.
func Structured(ctx context.Context, task StructuredTask, o StructuredOptions, done func(n, of int)) (*StructuredResult, error) {
	if o.Write == nil || len(task.Items) == 0 {
		return nil, errors.New("the comparison needs a model and items")
	}
	first := task.Items[0]
	r := &StructuredResult{Task: task.Name, Items: len(task.Items), Schema: string(task.schema(first)), Prompt: task.Prompt(first, len(task.Shots)), LeftOut: []string{}}
	run := structuredRun{o: o, task: task, tallies: map[string]*tally{}}
	for i, item := range task.Items {
		prompt, shots, ok := run.prompt(item)
		if shots < len(task.Shots) {
			r.Shortened++
		}
		if i == 0 {
			r.Prompt = prompt
		}
		if ok {
			answer, err := run.item(ctx, i, item, prompt)
			if err != nil {
				return nil, fmt.Errorf("item %s: %w", item.ID, err)
			}
			r.Answers = append(r.Answers, answer)
		} else {
			r.LeftOut = append(r.LeftOut, item.ID)
		}
		if done != nil {
			done(i+1, len(task.Items))
		}
	}
	for _, layer := range []string{LayerPrompt, LayerRepair, LayerRetry, LayerConstrained, LayerTuned} {
		row := StructuredRow{Layer: layer, Missing: "no fine-tuned model was given"}
		if t := run.tallies[layer]; t != nil {
			row = t.row(o.Seed)
		} else if layer != LayerTuned {
			row.Missing = "no item and its answer fit into the model's context"
		}
		r.Rows = append(r.Rows, row)
	}
	return r, nil
}

// structuredRun is a comparison under way.
type structuredRun struct {
	o       StructuredOptions
	schema  *jsonschema.Schema // of the item at work
	task    StructuredTask
	tallies map[string]*tally
}

// prompt is the prompt of an item with as many solved ones as leave room for an
// answer; false where there is none even for the right one.
func (r *structuredRun) prompt(item StructuredItem) (prompt string, shots int, ok bool) {
	for shots = len(r.task.Shots); ; shots-- {
		prompt = r.task.Prompt(item, shots)
		if r.o.Fits == nil || r.o.Fits(prompt) {
			return prompt, shots, true
		}
		if shots == 0 {
			return prompt, 0, r.o.Holds == nil || r.o.Holds(prompt, string(item.Gold))
		}
	}
}

func (r *structuredRun) tally(layer string) *tally {
	t := r.tallies[layer]
	if t == nil {
		t = &tally{layer: layer}
		r.tallies[layer] = t
	}
	return t
}

func (r *structuredRun) add(a *StructuredAnswer, layer string, item StructuredItem, text string, tokens, tries int, took time.Duration) {
	r.tally(layer).add(r.schema, item, text, tokens, tries, took)
	a.Texts[layer] = text
}

// stream is the random numbers of a try; an item has room for all.
func (r *structuredRun) stream(item, try int) uint64 { return uint64(item)<<16 + uint64(try) }

// item runs all layers on one item.
func (r *structuredRun) item(ctx context.Context, i int, item StructuredItem, prompt string) (StructuredAnswer, error) {
	a := StructuredAnswer{ID: item.ID, Text: item.Text, Gold: string(item.Gold), Texts: map[string]string{}}
	var err error
	if r.schema, err = compileSchema(r.task.schema(item)); err != nil {
		return a, err
	}
	start := time.Now()
	first, err := r.o.Write(ctx, prompt, r.stream(i, 0))
	if err != nil {
		return a, err
	}
	took := time.Since(start)
	r.add(&a, LayerPrompt, item, strings.TrimSpace(first.Text), first.Tokens, 1, took)

	start = time.Now()
	mended := first.Text
	if fixed, err := r.mend(first.Text); err == nil {
		mended = fixed.Text
	}
	r.add(&a, LayerRepair, item, strings.TrimSpace(mended), first.Tokens, 1, took+time.Since(start))

	start = time.Now()
	out, err := r.retry(i, prompt, first).Run(ctx, prompt)
	if err != nil {
		return a, err
	}
	r.add(&a, LayerRetry, item, strings.TrimSpace(out.Text), out.Tokens, len(out.Tries), took+time.Since(start))

	if err := r.constrained(ctx, &a, i, item, prompt); err != nil || r.o.Tuned == nil {
		return a, err
	}
	return a, r.once(ctx, &a, LayerTuned, r.o.Tuned, i, item, prompt)
}

// constrained runs the layer of constrained sampling, or notes why it has no answer.
func (r *structuredRun) constrained(ctx context.Context, a *StructuredAnswer, i int, item StructuredItem, prompt string) error {
	write, err := r.o.Within(r.task.schema(item))
	if err == nil {
		err = r.once(ctx, a, LayerConstrained, write, i, item, prompt)
		if !errors.Is(err, ErrNoRoom) {
			return err
		}
	}
	r.tally(LayerConstrained).refuse(item, err)
	return nil
}

// once runs a layer that is one answer of a writer.
func (r *structuredRun) once(ctx context.Context, a *StructuredAnswer, layer string, write Writer, i int, item StructuredItem, prompt string) error {
	start := time.Now()
	w, err := write(ctx, prompt, r.stream(i, 0))
	if err != nil {
		return fmt.Errorf("%s: %w", layer, err)
	}
	r.add(a, layer, item, strings.TrimSpace(w.Text), w.Tokens, 1, time.Since(start))
	return nil
}

func (r *structuredRun) mend(text string) (repair.Result, error) {
	return repair.JSON(text, repair.Options{Schema: r.schema})
}

// retry is the loop with repair. Its first try is the text that is there. A prompt
// that is too long with the error gives way to the first one, with other random
// numbers.
func (r *structuredRun) retry(i int, task string, first Written) *repair.Retry {
	return &repair.Retry{
		Tries: r.o.Tries,
		Generate: func(ctx context.Context, prompt string, try int) (repair.Answer, error) {
			if try == 0 {
				return repair.Answer{Text: first.Text, Tokens: first.Tokens}, nil
			}
			if r.o.Fits != nil && !r.o.Fits(prompt) {
				prompt = task
			}
			w, err := r.o.Write(ctx, prompt, r.stream(i, try))
			return repair.Answer{Text: w.Text, Tokens: w.Tokens}, err
		},
		Repair:   r.mend,
		Validate: func(_ context.Context, text string) error { return fits(r.schema, text) },
		Template: again,
	}
}
