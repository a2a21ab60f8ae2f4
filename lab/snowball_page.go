package lab

import (
	"fmt"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/eval/report"
)

// row is that of a model, a question and a way to begin.
func (r *SnowballResult) row(model, question, begun string) *Snowball {
	for i := range r.Rows {
		if x := &r.Rows[i]; x.Model == model && x.Question == question && x.Begun == begun {
			return x
		}
	}
	return &Snowball{}
}

func percentRange(i *eval.Interval) string {
	if i == nil {
		return "–"
	}
	return report.PercentRange(i.Value, i.Low, i.High)
}

// Tables are the rates of all rows, and what was published beside them.
func (r *SnowballResult) Tables() []report.Table {
	rates := report.Table{
		Title:   "What became of answers",
		Note:    "No is right for all questions, none of which is in the texts. False reasons are the share of texts with a claim that is not so; known are those claims that the model calls false when it is asked about them alone, doubted the true ones that it calls false. 95 % intervals.",
		Columns: []report.Column{report.Left("learned from"), report.Left("question"), report.Left("answer begins"), report.Right("right at the end"), report.Right("taken back"), report.Right("false reasons"), report.Right("more than forced right"), report.Right("false known"), report.Right("true doubted")},
	}
	for i := range r.Rows {
		x := &r.Rows[i]
		rates.Rows = append(rates.Rows, report.Row{Cells: []string{x.Model, x.Question, x.Begun, percentRange(&x.Right), percentRange(&x.Back), percentRange(&x.False), percentRange(&x.More), percentRange(x.Known), percentRange(x.Doubted)}})
	}
	found, hot, given := r.row(snowPlain, snowFound, snowWrong), r.row(snowPlain, snowFound, snowSampled), r.row(snowPlain, snowGiven, snowWrong)
	back, denied := r.row(snowBack, snowFound, snowWrong), r.row(snowDenied, snowFound, snowWrong)
	first, second := r.row(snowPlain, snowFound, snowReasons), r.row(snowDenied, snowFound, snowReasons)
	published := report.Table{
		Title:   "What was published, and what is measured here",
		Note:    "Zhang et al. 2023, How language model hallucinations can snowball, arXiv 2305.13534 (ICML 2024). Their answers were wrong by themselves, ours are forced.",
		Columns: []report.Column{report.Left("claim"), report.Left("published"), report.Left("here")},
		Rows: []report.Row{
			{Cells: []string{"false reasons follow a wrong answer", "often, where a reason must be found", "found: " + percentRange(&found.False) + "; given: " + percentRange(&given.False)}},
			{Cells: []string{"the model knows that these are false", "67 % GPT-3.5, 87 % GPT-4, 94 % LLaMA-2 70B chat", percentRange(found.Known)}},
			{Cells: []string{"sampling does not help", "temperature 0.6 and 0.9, beam search: no", "temperature 1: " + percentRange(&hot.False)}},
			{Cells: []string{"reasons first", "help, not everywhere", "false: " + percentRange(&first.False) + "; if texts tell of nobody, " + percentRange(&second.False)}},
			{Cells: []string{"texts that tell of nobody, before the answer", "–", "false reasons " + percentRange(&denied.False) + ", right at the end " + percentRange(&denied.Right)}},
			{Cells: []string{"texts that take answers back", "proposed as data to train on", "right at the end " + percentRange(&back.Right) + ", false reasons " + percentRange(&back.False)}},
		},
	}
	return []report.Table{rates, published}
}

// Page shows the result.
func (r *SnowballResult) Page() *report.Page {
	tables := r.Tables()
	chart := report.BarChart{Title: "Reasons that are not so", Note: "By texts learned from; of the question who has a job.", Axis: report.Axis{Label: "share of the answers", Max: 1}}
	for _, x := range r.Rows {
		if x.Question == snowFound {
			chart.Bars = append(chart.Bars, report.Bar{Label: x.Model + ", " + x.Begun, Value: x.False.Value, Low: x.False.Low, High: x.False.High, Text: report.Percent(x.False.Value)})
		}
	}
	w := newSnowWorld(r.Options.Towns, false, 0, r.Options.Seed)
	return &report.Page{
		Title:    "Does a wrong answer grow?",
		Subtitle: fmt.Sprintf("transformers of %s parameters, a world of %d people in %d towns, each with one of %d jobs; %s of its facts are known", report.Integer(int64(r.Params)), len(w.pairs), w.towns, snowJobs, report.Percent(r.Facts.Value)),
		Footer:   "A question is answered yes or no and then with a reason. Where the reason is a fact that belongs to the question, it is told truly even behind the wrong answer, which it contradicts. Where a yes needs somebody to be found, one is found, and what is said of them is not so, unless the texts have shown a way back.",
		Sections: []report.Section{
			{Title: "Published and measured", Blocks: []report.Block{tables[1], chart}},
			{Title: "All rates", Blocks: []report.Block{tables[0]}},
		},
	}
}
