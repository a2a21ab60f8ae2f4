package lab

import (
	"fmt"

	"github.com/foundling-lm/foundling/eval/report"
)

// Page shows the result. Source names the model.
func (r *ConsistencyResult) Page(source string) *report.Page {
	p := &report.Page{
		Title:    "Consistency of " + source,
		Subtitle: fmt.Sprintf("%d answers to each prompt; the same question with other random numbers, words and samplers", r.K),
		Footer: "Equal answers: the share of pairs whose extracted answers are the same. Similar: Dice's coefficient of pairs of words. " +
			"Entropy: of the answers, in nats; 0 where all are the same. Trials of the machine compare each answer with the one of the same seed.",
	}
	bits := report.Card{Label: "same seed, other batches and threads", Value: "same bits", Note: "as promised", Tone: report.Good}
	if !r.SameBits {
		bits = report.Card{Label: "same seed, other batches and threads", Value: "differs", Note: fmt.Sprint(r.Different), Tone: report.Bad}
	}
	cards := report.Cards{{Label: "agreement", Value: report.Percent(r.Score), Note: "equal answers, on average over the trials", Tone: report.Accent}, bits}
	table := report.Table{Title: "Trials", Columns: []report.Column{
		report.Left("experiment"), report.Left("trial"), report.Right("same text"), report.Right("equal answers"), report.Right("similar"),
		report.Right("distinct"), report.Right("entropy"), report.Right("share of the most frequent"), report.Left("most frequent answer"),
	}}
	bars := report.BarChart{Title: "Pairs with equal answers"}
	answers := report.Section{Title: "Answers"}
	for _, t := range r.Trials {
		a := t.Agreement
		table.Rows = append(table.Rows, report.Row{Cells: []string{
			t.Experiment, t.Name, report.Percent(a.Exact), report.Percent(a.Answers), report.Fixed(a.Similarity, 2),
			fmt.Sprintf("%d of %d", a.Distinct, a.Texts), report.Fixed(a.Entropy, 2), report.PercentRange(a.Share.Value, a.Share.Low, a.Share.High), short(a.Majority),
		}})
		bars.Bars = append(bars.Bars, report.Bar{Label: t.Experiment + ": " + t.Name, Value: 100 * a.Answers, Text: report.Percent(a.Answers)})
		texts := report.Samples{}
		for i, text := range t.Texts {
			texts = append(texts, report.Sample{Title: fmt.Sprint(i + 1), Text: text})
		}
		answers.Blocks = append(answers.Blocks, report.Fold{Summary: t.Experiment + ": " + t.Name, Blocks: []report.Block{texts}})
	}
	asked := report.KeyValues{Title: "Asked", Rows: []report.KeyValue{{Key: "prompt", Value: r.Prompt}}}
	for i, x := range r.Paraphrases {
		asked.Rows = append(asked.Rows, report.KeyValue{Key: fmt.Sprint("paraphrase ", i+1), Value: x})
	}
	p.Sections = []report.Section{{Title: "Summary", Blocks: []report.Block{cards, bars, table, asked}}, answers}
	return p
}

// short is the beginning of an answer.
func short(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:59]) + "…"
	}
	return s
}
