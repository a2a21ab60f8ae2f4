package lab

import (
	"fmt"

	"github.com/foundling-lm/foundling/eval/report"
)

// Tables are what the result says: methods, and best-of-n.
func (r *TiltResult) Tables() []report.Table {
	m := report.Table{
		Title:   "Methods and the optimum that they share",
		Note:    "Total variation from the reference times exp(reward/beta); divergence from the reference in nats and mean reward, the optimum's beside them.",
		Columns: []report.Column{report.Left("method"), report.Right("beta"), report.Right("variation"), report.Right("KL"), report.Right("optimal"), report.Right("reward"), report.Right("optimal")},
	}
	for _, x := range r.Rows {
		m.Rows = append(m.Rows, report.Row{Cells: []string{
			x.Method, fmt.Sprint(x.Beta), report.Fixed(x.Variation, 4), report.Fixed(x.KL, 4), report.Fixed(x.BestKL, 4), report.Fixed(x.Reward, 4), report.Fixed(x.BestR, 4),
		}})
	}
	b := report.Table{
		Title:   "Best-of-n",
		Note:    "log n - (n-1)/n holds where no two samples are equal; ties make the divergence smaller. The frontier is the least divergence that has this reward.",
		Columns: []report.Column{report.Right("n"), report.Right("log n - (n-1)/n"), report.Right("KL"), report.Right("of draws"), report.Right("frontier"), report.Right("reward")},
	}
	for _, x := range r.Best {
		b.Rows = append(b.Rows, report.Row{Cells: []string{
			fmt.Sprint(x.N), report.Fixed(x.Bound, 4), report.Fixed(x.KL, 4), report.Fixed(x.Sampled, 4), report.Fixed(x.Frontier, 4), report.Fixed(x.Reward, 4),
		}})
	}
	return []report.Table{m, b}
}

// Page shows the result.
func (r *TiltResult) Page() *report.Page {
	tables := r.Tables()
	return &report.Page{
		Title:    "One optimum for PPO, RLOO and DPO",
		Subtitle: fmt.Sprintf("%d outcomes with rewards from 0 to 1, a uniform reference", r.Outcomes),
		Footer:   fmt.Sprintf("The policies are unembeddings trained by the loop that models train by. DPO learns from %s comparisons drawn from the Bradley-Terry model; its distance is that of the labels' noise and falls with the root of their number.", report.Integer(int64(r.Labels))),
		Sections: []report.Section{
			{Title: "The optimum", Blocks: []report.Block{
				report.Cards{{Label: "largest variation", Value: report.Fixed(r.Worst(), 4), Note: "of a trained policy from its optimum", Tone: report.Accent}},
				r.chart(), tables[0],
			}},
			{Title: "Best-of-n on the frontier", Blocks: []report.Block{tables[1]}},
		},
	}
}

// chart is reward over divergence.
func (r *TiltResult) chart() report.LineChart {
	c := report.LineChart{
		Title: "Reward over divergence", Note: "The line is the frontier: no policy lies above it.",
		X: report.Axis{Label: "KL from the reference, nats"}, Y: report.Axis{Label: "mean reward"},
	}
	uniform, reward := outcomes(r.Outcomes)
	line := report.Series{Name: "frontier"}
	for k := range 100 {
		p := tilt(uniform, reward, 1/(0.25*float64(k)))
		line.X, line.Y = append(line.X, kl(p, uniform)), append(line.Y, dot(p, reward))
	}
	c.Series = append(c.Series, line)
	for _, name := range tiltMethods {
		s := report.Series{Name: name, Points: true, Dashed: true}
		for _, x := range r.Rows {
			if x.Method == name {
				s.X, s.Y = append(s.X, x.KL), append(s.Y, x.Reward)
			}
		}
		c.Series = append(c.Series, s)
	}
	best := report.Series{Name: "best-of-n", Points: true, Dashed: true}
	for _, x := range r.Best {
		best.X, best.Y = append(best.X, x.KL), append(best.Y, x.Reward)
	}
	c.Series = append(c.Series, best)
	return c
}
