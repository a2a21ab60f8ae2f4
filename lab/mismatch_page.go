package lab

import (
	"fmt"

	"github.com/foundling-lm/foundling/eval/report"
)

// run is that of a share of absent facts, with or without "I don't know".
func (r *MismatchResult) run(share float64, dontKnow bool) *MismatchRun {
	for i := range r.Runs {
		if x := &r.Runs[i]; x.Share == share && x.DontKnow == dontKnow {
			return x
		}
	}
	return nil
}

// Tables are the ends of all fine-tunings, and what was published beside them.
func (r *MismatchResult) Tables() []report.Table {
	table := func(dontKnow bool) report.Table {
		t := report.Table{
			Title:   "Tuned on facts alone",
			Note:    "About subjects that no fine-tuning has, with 95 % intervals. Best is the least share of wrong answers at any look, the end the last.",
			Columns: []report.Column{report.Right("absent facts"), report.Right("present learned"), report.Right("absent learned"), report.Right("wrong on known, best"), report.Right("at the end")},
		}
		if dontKnow {
			t.Title, t.Note = "Tuned on facts and \"I don't know\"", "The same number of \"I don't know\" in each. Invented is an answer about a subject of which there is nothing to know; more is against the run without absent facts, in points."
			t.Columns = append(t.Columns[:3], report.Right("invented on unknown"), report.Right("more"), report.Right("wrong on known"), report.Right("silent on known"))
		}
		for i := range r.Runs {
			run := &r.Runs[i]
			if run.DontKnow != dontKnow {
				continue
			}
			end, best := run.last(), run.last().Wrong
			for _, l := range run.Looks {
				if l.Wrong.Value < best.Value {
					best = l.Wrong
				}
			}
			row := []string{report.Percent(run.Share), report.Percent(end.Present.Value), report.Percent(end.Absent.Value)}
			if dontKnow {
				row = append(row, percentRange(&end.Invented), fmt.Sprintf("%.1f (%.1f to %.1f)", 100*run.More.Value, 100*run.More.Low, 100*run.More.High), percentRange(&end.Wrong), percentRange(&end.Silent))
			} else {
				row = append(row, percentRange(&best), percentRange(&end.Wrong))
			}
			t.Rows = append(t.Rows, report.Row{Cells: row})
		}
		return t
	}
	return []report.Table{r.published(), table(true), table(false)}
}

// published sets claims beside what is measured.
func (r *MismatchResult) published() report.Table {
	steps := func(x float64) string {
		if x == 0 {
			return "never"
		}
		return report.Fixed(x, 0)
	}
	first, last := r.run(0, true), r.run(1, true)
	forgot, kept := r.run(1, false), r.run(0, false)
	return report.Table{
		Title: "What was published, and what is measured here",
		Note:  "Schulman 2023, Reinforcement learning from human feedback: progress and challenges (a talk); Kang et al. 2024, arXiv 2403.05612; Gekhman et al. 2024, arXiv 2405.05904.",
		Columns: []report.Column{
			report.Left("claim"), report.Left("published"), report.Left("here"),
		},
		Rows: []report.Row{
			{Cells: []string{"answers that the model did not know teach it to make up others", "Schulman: a hypothesis; Kang: unknown questions are answered as unfamiliar examples were", fmt.Sprintf("invented about unknown subjects: %s, with none of them %s", percentRange(&last.last().Invented), percentRange(&first.last().Invented))}},
			{Cells: []string{"new facts are learned more slowly", "Gekhman: significantly", fmt.Sprintf("half of them after %s steps, of those that pre-training had after %s", steps(r.Half[1]), steps(r.Half[0]))}},
			{Cells: []string{"those learned make what was known worse, by a line", "Gekhman: linearly", fmt.Sprintf("wrong = %.3f + %.3f of the share learned, R2 %.2f", r.Line.At0, r.Line.Slope, r.Line.R2)}},
			{Cells: []string{"so the end of tuning is worse than its best", "Gekhman: stop early", fmt.Sprintf("wrong on known at the end: %s with new facts only, %s with old ones; base %s", percentRange(&forgot.last().Wrong), percentRange(&kept.last().Wrong), percentRange(&r.Base))}},
		},
	}
}

// Page shows the result.
func (r *MismatchResult) Page() *report.Page {
	tables := r.Tables()
	bars := report.BarChart{Title: "Made up about subjects of which nothing is known", Note: "By the share of facts in fine-tuning that pre-training did not have; all had the same \"I don't know\".", Axis: report.Axis{Label: "share of the questions", Max: 1}}
	wrong := report.LineChart{Title: "Wrong answers about what was known", Note: "In the course of fine-tuning on facts alone, by the share of absent ones.", X: report.Axis{Label: "step"}, Y: report.Axis{Label: "share of the questions"}}
	learned := report.LineChart{Title: "Facts learned", X: report.Axis{Label: "step"}, Y: report.Axis{Label: "share of the facts tuned on"}}
	for i := range r.Runs {
		run := &r.Runs[i]
		if run.DontKnow {
			x := run.last().Invented
			bars.Bars = append(bars.Bars, report.Bar{Label: report.Percent(run.Share) + " absent", Value: x.Value, Low: x.Low, High: x.High, Text: report.Percent(x.Value)})
			continue
		}
		w := report.Series{Name: report.Percent(run.Share) + " absent"}
		f := report.Series{Name: "present, all of them"}
		if run.Share == 1 {
			f.Name = "absent, all of them"
		}
		for _, l := range run.Looks {
			w.X, w.Y = append(w.X, float64(l.Step)), append(w.Y, l.Wrong.Value)
			y := l.Present.Value
			if run.Share == 1 {
				y = l.Absent.Value
			}
			f.X, f.Y = append(f.X, float64(l.Step)), append(f.Y, y)
		}
		wrong.Series = append(wrong.Series, w)
		if run.Share == 0 || run.Share == 1 {
			learned.Series = append(learned.Series, f)
		}
	}
	return &report.Page{
		Title:    "Tuning on what a model does not know",
		Subtitle: fmt.Sprintf("a transformer of %s parameters, a world of %d subjects, half of them known; %d facts in each fine-tuning", report.Integer(int64(r.Params)), r.Options.Subjects, r.Tuned),
		Footer:   "Present facts are those that pre-training texts tell; of absent ones they tell a value drawn anew each time. What is asked about is in no fine-tuning.",
		Sections: []report.Section{
			{Title: "Published and measured", Blocks: []report.Block{tables[0]}},
			{Title: "Making up", Blocks: []report.Block{bars, tables[1]}},
			{Title: "Forgetting", Blocks: []report.Block{wrong, learned, tables[2]}},
		},
	}
}
