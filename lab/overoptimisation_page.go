package lab

import (
	"fmt"

	"github.com/foundling-lm/foundling/eval/report"
)

// Tables are the fitted laws, the alarms, and the statements of the paper.
func (r *OverResult) Tables() []report.Table {
	fits := report.Table{
		Title:   "Gold reward over d = sqrt(KL)",
		Note:    "Best-of-n: d (alpha - beta d). RL: d (alpha - beta log d). R2 of the other form stands beside. The last point has the gold and the proxy's reward of the end.",
		Columns: []report.Column{report.Left("by"), report.Right("parameters"), report.Right("labels"), report.Right("penalty"), report.Right("alpha"), report.Right("beta"), report.Right("R2"), report.Right("other"), report.Right("peak"), report.Right("at d"), report.Right("end d"), report.Right("gold"), report.Right("proxy")},
	}
	for _, c := range r.curves() {
		by, last := "best-of-n", len(c.D)-1
		if c.RL {
			by = "RL"
		}
		fits.Rows = append(fits.Rows, report.Row{Cells: []string{
			by, fmt.Sprint(c.Params), fmt.Sprint(c.Labels), fmt.Sprint(c.Penalty),
			report.Fixed(c.Law.Alpha, 3), report.Fixed(c.Law.Beta, 3), report.Fixed(c.Law.R2, 3), report.Fixed(c.Other.R2, 3),
			report.Fixed(c.Peak, 2), report.Fixed(c.PeakAt, 2), report.Fixed(c.D[last], 2), report.Fixed(c.Gold[last], 2), report.Fixed(c.Proxy[last], 2),
		}})
	}
	alarms := report.Table{
		Title:   "Where an alarm would have stopped RL",
		Note:    "By gold rewards of few checked samples, and by a second reward model fitted on other labels: both when they lie surely below their best. Lost is the gold between the peak and the first alarm.",
		Columns: []report.Column{report.Right("parameters"), report.Right("penalty"), report.Right("peak at d"), report.Left("checked samples"), report.Left("second model"), report.Left("lost")},
	}
	for _, c := range r.RL {
		row := report.Row{Cells: []string{fmt.Sprint(c.Params), fmt.Sprint(c.Penalty), report.Fixed(c.PeakAt, 2), "", "", ""}}
		for i, a := range c.Alarms {
			for j, x := range []float64{a.Gold, a.Second, a.Lost} {
				cell := "-"
				if x != 0 {
					cell = report.Fixed(x, 2)
				}
				if i > 0 {
					cell = ", " + cell
				}
				row.Cells[3+j] += cell
			}
		}
		alarms.Rows = append(alarms.Rows, row)
	}
	laws := report.Table{Title: "What was published, and what is found here", Columns: []report.Column{report.Left("law"), report.Left("holds"), report.Left("found")}}
	for _, l := range r.Laws {
		holds := "no"
		if l.Holds {
			holds = "yes"
		}
		laws.Rows = append(laws.Rows, report.Row{Cells: []string{l.Law, holds, l.Found}})
	}
	return []report.Table{fits, alarms, laws}
}

// curves are all of them.
func (r *OverResult) curves() []GoldCurve {
	return append(append([]GoldCurve{}, r.Best...), r.RL...)
}

// Page shows the result.
func (r *OverResult) Page() *report.Page {
	tables := r.Tables()
	p := &report.Page{
		Title:    "Reward model over-optimisation",
		Subtitle: fmt.Sprintf("a known gold reward, proxies fitted on comparisons by it, the mean of %d of each kind", r.Models),
		Footer:   "Sequences of levels, of which some are qualities: more of one is better up to a point. Gold has mean 0 and deviation 1 under the reference; the proxy's reward is in its own unit, 0 at the reference. Divergences are exact.",
	}
	p.Sections = append(p.Sections, report.Section{Title: "Laws", Blocks: []report.Block{tables[2]}})
	for _, s := range []struct {
		title  string
		curves []GoldCurve
	}{{"Best-of-n", r.Best}, {"Reinforcement learning", r.RL}} {
		section := report.Section{Title: s.title}
		for i := 0; i < len(s.curves); {
			j := i
			for j < len(s.curves) && s.curves[j].Width == s.curves[i].Width {
				j++
			}
			section.Blocks = append(section.Blocks, goldChart(s.curves[i:j]))
			i = j
		}
		p.Sections = append(p.Sections, section)
	}
	p.Sections = append(p.Sections, report.Section{Title: "Figures", Blocks: []report.Block{tables[0], tables[1]}})
	return p
}

// goldChart is the curves of one size: gold with its law, and the proxy.
func goldChart(curves []GoldCurve) report.LineChart {
	c := report.LineChart{
		Title: fmt.Sprintf("A reward model of %d parameters", curves[0].Params), Note: "Gold as points with the fitted law through them; the proxy's reward dashed.",
		X: report.Axis{Label: "sqrt(KL)"}, Y: report.Axis{Label: "reward"},
	}
	for _, x := range curves {
		name := fmt.Sprintf("%d labels", x.Labels)
		if x.RL {
			name = fmt.Sprintf("penalty %g", x.Penalty)
		}
		fit := make([]float64, len(x.D))
		for i, d := range x.D {
			fit[i] = x.Law.At(d)
		}
		c.Series = append(c.Series,
			report.Series{Name: "gold, " + name, X: x.D, Y: x.Gold, Points: true, Faint: true},
			report.Series{Name: "law, " + name, X: x.D, Y: fit, Same: true},
			report.Series{Name: "proxy, " + name, X: x.D, Y: x.Proxy, Dashed: true, Same: true})
	}
	return c
}
