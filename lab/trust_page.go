package lab

import (
	"fmt"

	"github.com/foundling-lm/foundling/eval/report"
)

// Tables are what the result says: detectors in the constructed world, the policy, and
// a table for each real set.
func (r *TrustResult) Tables() []report.Table {
	world := detectorTable("Detectors where the truth is known", r.Detectors)
	world.Note = fmt.Sprintf("AUROC is the probability that a wrong answer is trusted less than a right one, with its 95 %% interval; beside it, without the questions about which the training data is wrong. Risk is the share of wrong answers; its area over coverage is at least %s. By the exact probabilities of the training data an AUROC of %s is expected.", report.Fixed(r.Detectors[0].Best, 3), report.Fixed(r.Ceiling, 3))
	p := report.Table{
		Title:   "A policy by agreement",
		Note:    fmt.Sprintf("Warns below %g, abstains below %g after asking again once, which it did %d times.", trustPolicy().Limits[0].Warn, trustPolicy().Limits[0].Abstain, r.Again),
		Columns: []report.Column{report.Left("action"), report.Right("of all"), report.Right("right"), report.Right("low"), report.Right("high")},
	}
	for _, x := range r.Policy {
		p.Rows = append(p.Rows, report.Row{Cells: []string{string(x.Action), report.Percent(x.Share), report.Fixed(x.Right.Value, 3), report.Fixed(x.Right.Low, 3), report.Fixed(x.Right.High, 3)}})
	}
	out := []report.Table{world, p, r.limitTable()}
	for _, s := range r.Sets {
		t := detectorTable(s.Name, s.Detectors)
		t.Title = fmt.Sprintf("%s: %d of %d wrong", s.Name, s.Wrong, s.N)
		t.Note = fmt.Sprintf("%s, from %s; %d without a judgement are left out.", s.Unit, s.Source, s.LeftOut)
		out = append(out, t)
	}
	return out
}

func (r *TrustResult) limitTable() report.Table {
	t := report.Table{
		Title:   "Limits for policies",
		Note:    fmt.Sprintf("Set on half of the subjects, so that at most %s of the answers given without a warning are wrong and at least %s of those held back, and tried on the other half; the questions about which the training data is wrong are left out. What depends on the words of answers and not on their meaning alone has no default.", report.Percent(calmRisk), report.Percent(graveRisk)),
		Columns: []report.Column{report.Left("signal"), report.Right("warn"), report.Right("abstain"), report.Right("given plainly"), report.Right("of these right"), report.Right("held back"), report.Right("of these wrong"), report.Right("default")},
	}
	for _, l := range r.Limits {
		def := "–"
		if l.Default != nil {
			def = fmt.Sprintf("%g, %g", l.Default.Warn, l.Default.Abstain)
		}
		t.Rows = append(t.Rows, report.Row{Cells: []string{l.Name, report.Fixed(l.Found.Warn, 3), report.Fixed(l.Found.Abstain, 3), report.Percent(l.Plain), percentRange(&l.Right), report.Percent(l.Held), percentRange(&l.Wrong), def}})
	}
	return t
}

func detectorTable(title string, all []Detector) report.Table {
	t := report.Table{Title: title, Columns: []report.Column{report.Left("detector"), report.Right("AUROC"), report.Right("low"), report.Right("high")}}
	if all[0].Honest != nil {
		t.Columns = append(t.Columns, report.Right("without mistakes"))
	}
	t.Columns = append(t.Columns, report.Right("area of risk"), report.Right("risk at half"))
	for _, d := range all {
		cells := []string{d.Name, report.Fixed(d.AUROC.Value, 3), report.Fixed(d.AUROC.Low, 3), report.Fixed(d.AUROC.High, 3)}
		if d.Honest != nil {
			cells = append(cells, report.Fixed(d.Honest.Value, 3))
		}
		t.Rows = append(t.Rows, report.Row{Cells: append(cells, report.Fixed(d.Area, 3), report.Fixed(d.Half, 3))})
	}
	return t
}

// Page shows the result.
func (r *TrustResult) Page() *report.Page {
	tables := r.Tables()
	best := r.Detectors[1]
	for _, d := range r.Detectors[2:] {
		if d.AUROC.Value > best.AUROC.Value {
			best = d
		}
	}
	p := &report.Page{
		Title:    "Which answers to believe",
		Subtitle: fmt.Sprintf("A model of %s parameters that learned about %d subjects: 40 %% surely, 20 %% in doubt, 25 %% not at all, 15 %% wrongly", report.Integer(int64(r.Params)), r.Subjects),
		Footer:   "The model's data is made by a known rule, so it is known which answers are right and how often a model that learned it exactly would be. What a model is surely wrong about no look at the model itself can find; a text to compare with can.",
		Sections: []report.Section{{Title: "A constructed world", Blocks: []report.Block{
			report.Cards{
				{Label: "right answers", Value: report.Percent(r.Right.Value), Note: "expected by the data: " + report.Percent(r.Expected)},
				{Label: "best detector", Value: report.Fixed(best.AUROC.Value, 3), Note: "AUROC of " + best.Name, Tone: report.Accent},
			},
			curves("Risk over coverage", r.Detectors), tables[0], tables[1], tables[2],
		}}},
	}
	for i, s := range r.Sets {
		p.Sections = append(p.Sections, report.Section{Title: s.Name, Blocks: []report.Block{curves("Risk over coverage", s.Detectors), tables[3+i]}})
	}
	return p
}

// curves are those of risk over coverage.
func curves(title string, all []Detector) report.LineChart {
	c := report.LineChart{
		Title: title, Note: "The share of wrong answers among those that are given, if those that are trusted least are not.",
		X: report.Axis{Label: "share of answers that are given"}, Y: report.Axis{Label: "share of wrong ones"},
	}
	for _, d := range all {
		s := report.Series{Name: d.Name}
		for _, x := range d.Curve {
			s.X, s.Y = append(s.X, x[0]), append(s.Y, x[1])
		}
		c.Series = append(c.Series, s)
	}
	return c
}
