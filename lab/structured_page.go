package lab

import (
	"fmt"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/eval/report"
)

// shownAnswers is how many items the page shows with all texts.
const shownAnswers = 5

// Page shows the comparison. Source names the model.
func (r *StructuredResult) Page(source string) *report.Page {
	p := &report.Page{
		Title:    "Structured output",
		Subtitle: fmt.Sprintf("%s: the layers on %d items of the task %s", source, r.Items, r.Task),
		Footer: "Shares have 95 % score intervals, means 95 % bootstraps over items. Tokens are those of prompt and answer. " +
			"Prompt only, repair and the first try of the retry share one text an item; its cost counts for each.",
	}
	p.Sections = []report.Section{r.table(), r.bars(), r.samples(), {Title: "Task", Blocks: []report.Block{
		report.Code{Title: "The first prompt", Text: r.Prompt}, report.Code{Title: "The schema", Text: r.Schema},
	}}}
	return p
}

// Cells are the figures of a row as text: validity, accuracy, fields, tokens,
// milliseconds, tries.
func (w *StructuredRow) Cells() []string {
	share := func(x eval.Interval) string { return report.PercentRange(x.Value, x.Low, x.High) }
	mean := func(x eval.Interval, digits int) string {
		return fmt.Sprintf("%s (%s to %s)", report.Fixed(x.Value, digits), report.Fixed(x.Low, digits), report.Fixed(x.High, digits))
	}
	return []string{share(w.Valid), share(w.Right), share(w.Fields), mean(w.Tokens, 0), mean(w.Millis, 1), report.Fixed(w.Tries, 2)}
}

func (r *StructuredResult) table() report.Section {
	t := report.Table{Columns: []report.Column{report.Left("layer"), report.Right("valid"), report.Right("right"), report.Right("fields right"),
		report.Right("tokens an item"), report.Right("ms an item"), report.Right("tries")}}
	for _, w := range r.Rows {
		row := report.Row{Cells: append([]string{w.Layer}, w.Cells()...)}
		if w.Missing != "" {
			row = report.Row{Cells: []string{w.Layer, w.Missing, "", "", "", "", ""}, Tone: report.Muted}
		}
		t.Rows = append(t.Rows, row)
	}
	s := report.Section{Title: "Layers", Blocks: []report.Block{t}}
	for _, note := range r.Notes() {
		s.Blocks = append(s.Blocks, report.Text(note))
	}
	return s
}

// Notes are what the table does not say.
func (r *StructuredResult) Notes() (notes []string) {
	if n := r.Shortened; n > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d prompts have fewer solved items than were asked for: the model's context has no room for them", n, r.Items))
	}
	if n := len(r.LeftOut); n > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d items are left out: with their answer they do not fit into the model's context", n, r.Items))
	}
	for _, w := range r.Rows {
		if w.Note != "" {
			notes = append(notes, w.Layer+": "+w.Note)
		}
	}
	return notes
}

func (r *StructuredResult) bars() report.Section {
	var valid, right []report.Bar
	for _, w := range r.Rows {
		if w.Missing == "" {
			valid = append(valid, report.Bar{Label: w.Layer, Value: w.Valid.Value, Low: w.Valid.Low, High: w.Valid.High})
			right = append(right, report.Bar{Label: w.Layer, Value: w.Right.Value, Low: w.Right.Low, High: w.Right.High})
		}
	}
	return report.Section{Title: "Shares", Blocks: []report.Block{
		report.BarChart{Title: "Answers that are JSON of the schema", Bars: valid}, report.BarChart{Title: "Answers that are right", Bars: right},
	}}
}

func (r *StructuredResult) samples() report.Section {
	var list report.Samples
	for _, a := range r.Answers[:min(shownAnswers, len(r.Answers))] {
		for _, w := range r.Rows {
			if text, ok := a.Texts[w.Layer]; ok {
				list = append(list, report.Sample{Title: fmt.Sprintf("item %s, %s", a.ID, w.Layer), Prompt: a.Text + "\n", Text: text})
			}
		}
	}
	return report.Section{Title: "Answers", Blocks: []report.Block{list}}
}
