package posttrain

import (
	"fmt"

	"github.com/foundling-lm/foundling/eval/report"
)

// PanelFile is the page of a run of preferences, in its directory.
const PanelFile = "panel.html"

// Page is the panel to look at.
func (p *Panel) Page() *report.Page {
	steps := report.Axis{Label: "step"}
	page := &report.Page{Title: p.Title, Subtitle: "log-probabilities, margins and drift of a run of preferences"}
	var remarks []report.Block
	for _, r := range p.Remarks() {
		remarks = append(remarks, report.Text(r.Text))
	}
	page.Sections = append(page.Sections, report.Section{Title: "What it means", Blocks: append([]report.Block{p.cards()}, remarks...)})
	chart := func(title, label string, names ...[2]string) report.Block {
		c := report.LineChart{Title: title, X: steps, Y: report.Axis{Label: label}}
		for _, n := range names {
			c.Series = append(c.Series, p.series(n[0], n[1])...)
		}
		return c
	}
	logs := []report.Block{
		chart("Log-probabilities of whole answers", "nats", [2]string{"chosen", LogpsChosen}, [2]string{"rejected", LogpsRejected}),
		chart("Implicit rewards", "beta times log-ratio", [2]string{"chosen", RewardsChosen}, [2]string{"rejected", RewardsRejected}, [2]string{"margin", RewardsMargins}),
		chart("Pairs ordered rightly", "share", [2]string{"learned", RewardsAccuracy}, [2]string{"held out", HeldPrefix + RewardsAccuracy}),
	}
	loss := report.LineChart{Title: "Loss", X: steps, Y: report.Axis{Label: "a pair or answer"}}
	x, y := []float64{}, []float64{}
	for _, m := range p.Log {
		x, y = append(x, float64(m.Step)), append(y, m.Loss)
	}
	loss.Series = append([]report.Series{{X: x, Y: y, Faint: true}, {Name: "learned", X: x, Y: report.EMA(y, 5), Same: true}}, p.series("held out", HeldPrefix+"loss")...)
	page.Sections = append(page.Sections, report.Section{Title: "Over the steps", Blocks: append(logs, loss)})
	if rounds := p.series("mean of all answers", RoundMean); rounds != nil {
		page.Sections = append(page.Sections, report.Section{Title: "Rounds", Blocks: []report.Block{
			chart("Score of answers", "score", [2]string{"mean of all answers", RoundMean}, [2]string{"best of each prompt", RoundBest}),
			chart("Divergence from the reference", "nats an answer", [2]string{"log-ratio of answers", RoundKL}),
		}})
	}
	if p.Before != nil {
		page.Sections = append(page.Sections, report.Section{Title: "Held-out figures", Blocks: []report.Block{p.table()}})
	}
	return page
}

// series are the values of a figure over the steps that have it; many are smoothed.
func (p *Panel) series(name, figure string) []report.Series {
	var x, y []float64
	for _, m := range p.Log {
		if v, ok := m.Extra[figure]; ok {
			x, y = append(x, float64(m.Step)), append(y, v)
		}
	}
	switch {
	case x == nil:
		return nil
	case len(x) < len(p.Log):
		return []report.Series{{Name: name, X: x, Y: y, Points: true}}
	}
	return []report.Series{{X: x, Y: y, Faint: true}, {Name: name, X: x, Y: report.EMA(y, 5), Same: true}}
}

func (p *Panel) cards() report.Cards {
	f := p.figures()
	var cards report.Cards
	if a := p.Accuracy(); a.N > 0 {
		cards = append(cards, report.Card{Label: "held-out pairs ordered rightly", Value: report.Percent(a.Value), Note: fmt.Sprintf("%.1f to %.1f %% of %d pairs", 100*a.Low, 100*a.High, a.N), Tone: report.Accent})
	}
	if c0, r0, ok := p.start(f); ok {
		cards = append(cards,
			report.Card{Label: "chosen answers", Value: fmt.Sprintf("%+.2f", f[LogpsChosen]-c0), Unit: "nats", Note: "change of the log-probability"},
			report.Card{Label: "rejected answers", Value: fmt.Sprintf("%+.2f", f[LogpsRejected]-r0), Unit: "nats", Note: "change of the log-probability"})
	}
	if x, ok := f[RewardsMargins]; ok {
		cards = append(cards, report.Card{Label: "margin", Value: report.Fixed(x, 2), Note: "of implicit rewards"})
	}
	return cards
}

func (p *Panel) table() report.Table {
	t := report.Table{Columns: []report.Column{report.Left("figure"), report.Right("before"), report.Right("after")}}
	for _, name := range figureNames {
		after, ok := p.After[name]
		if !ok {
			continue
		}
		before := "-"
		if x, ok := p.Before[name]; ok {
			before = report.Fixed(x, 3)
		}
		t.Rows = append(t.Rows, report.Row{Cells: []string{name, before, report.Fixed(after, 3)}})
	}
	return t
}

var figureNames = []string{
	"loss", RewardsAccuracy, RewardsMargins, RewardsChosen, RewardsRejected,
	LogpsChosen, LogpsRejected, RefLogpsChosen, RefLogpsRejected, LengthChosen, LengthRejected,
}
