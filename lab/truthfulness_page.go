package lab

import (
	"fmt"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/eval/report"
)

// Tables are the rates of all models.
func (r *TruthResult) Tables() []report.Table {
	rate := func(i eval.Interval) string { return report.PercentRange(i.Value, i.Low, i.High) }
	memory := report.Table{
		Title:   "From memory",
		Note:    "On subjects that no model was tuned on, with 95 % intervals. Right and silent are about the known subjects, the others about those of which there was nothing to know. The change of wrong answers is against tuning on answers alone, in points.",
		Columns: []report.Column{report.Left("model"), report.Right("right on known"), report.Right("silent on known"), report.Right("abstains on unknown"), report.Right("wrong on unknown"), report.Right("change")},
	}
	contexts := report.Table{
		Title:   "From a context",
		Note:    "The context says another value than memory does: obeyed is the share of known subjects where the answer is the context's, read that of the unknown ones.",
		Columns: []report.Column{report.Left("model"), report.Right("obeyed"), report.Right("read")},
	}
	for i, x := range r.Rows {
		change := "–"
		if i > 1 {
			change = fmt.Sprintf("%.1f (%.1f to %.1f)", 100*x.Fewer.Value, 100*x.Fewer.Low, 100*x.Fewer.High)
		}
		memory.Rows = append(memory.Rows, report.Row{Cells: []string{x.Name, rate(x.Known), rate(x.Silent), rate(x.Abstains), rate(x.Invented), change}})
		contexts.Rows = append(contexts.Rows, report.Row{Cells: []string{x.Name, rate(x.Obeys), rate(x.Reads)}})
	}
	return []report.Table{memory, contexts}
}

// Page shows the result.
func (r *TruthResult) Page() *report.Page {
	tables := r.Tables()
	chart := report.BarChart{Title: "Wrong answers about what cannot be known", Axis: report.Axis{Label: "share of the questions", Max: 1}}
	for _, x := range r.Rows {
		chart.Bars = append(chart.Bars, report.Bar{Label: x.Name, Value: x.Invented.Value, Low: x.Invented.Low, High: x.Invented.High, Text: report.Percent(x.Invented.Value)})
	}
	return &report.Page{
		Title:    "Teaching a model to say that it does not know",
		Subtitle: fmt.Sprintf("a transformer of %d parameters, a world of %d subjects, half of them with one value", r.Params, r.Options.Subjects),
		Footer:   fmt.Sprintf("What the model knows of the subjects to tune on was found by asking %d times: %v; %s of the states are the planted ones.", r.Options.Asked, r.Found, report.Percent(r.Right)),
		Sections: []report.Section{
			{Title: "Memory", Blocks: []report.Block{chart, tables[0]}},
			{Title: "Contexts", Blocks: []report.Block{tables[1]}},
		},
	}
}
