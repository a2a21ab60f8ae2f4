package main

import (
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/eval/report"
)

// percent is a share with its interval.
func percent(x eval.Interval) string { return report.PercentRange(x.Value, x.Low, x.High) }

// lines say in words what was measured.
func (x *rewardResult) lines() []string {
	how := fmt.Sprintf("%d held-out judgements", x.HeldOut)
	if x.Folds > 0 {
		how = fmt.Sprintf("%d judgements, each by one of %d models that has not learned it", x.HeldOut, x.Folds)
	}
	out := []string{fmt.Sprintf("%s: %s, %d steps; measured on %s", x.Out, x.Loss, x.Steps, how)}
	switch {
	case x.Pairs != nil:
		out = append(out, x.pairLines()...)
	case x.Scores != nil:
		s := x.Scores
		out = append(out, fmt.Sprintf("error %.4g (root mean square; always saying the mean: %.4g), %s of the variance explained, correlation %.3f",
			s.RMSE, s.Deviation, report.Percent(s.Explained), s.Correlation))
	case x.Process != nil:
		p := x.Process
		out = append(out, fmt.Sprintf("steps judged right: %s (always the more frequent label: %s)", percent(p.Steps), report.Percent(p.Majority)),
			fmt.Sprintf("first wrong step found, or its lack: %s of the answers", percent(p.FirstError)))
	}
	return out
}

func (x *rewardResult) pairLines() []string {
	p := x.Pairs
	out := []string{fmt.Sprintf("accuracy %s; %s", percent(p.Accuracy), verdict(p))}
	limit := fmt.Sprintf("the most that labels of this noise allow is about %s by the model's own probabilities", report.Percent(p.Ceiling))
	if x.LabelLimit != nil {
		limit += fmt.Sprintf(", %s by pairs that were judged more than once", report.Percent(*x.LabelLimit))
	}
	out = append(out, limit,
		fmt.Sprintf("log loss %.4f nats (nothing known: %.4f), calibration error %.3f", p.LogLoss, math.Ln2, p.ECE),
		fmt.Sprintf("right where the longer answer was chosen %s, where the shorter was %s", percent(p.LongerWins), percent(p.ShorterWins)),
		lengthLine(p),
		"position: none, each answer is scored by itself")
	for _, q := range x.Probes {
		out = append(out, fmt.Sprintf("prefers an answer to one that %s: %s", q.What, percent(q.Wins)))
	}
	return out
}

// lengthLine says what a token more is worth to the model.
func lengthLine(p *eval.RewardReport) string {
	if math.IsNaN(p.LengthSlope.Value) {
		return "what a token more is worth cannot be told: there are too few answers of different lengths"
	}
	return fmt.Sprintf("a token more is worth %+.4f [%+.4f, %+.4f]; length explains %s of the differences",
		p.LengthSlope.Value, p.LengthSlope.Low, p.LengthSlope.High, report.Percent(p.LengthShare))
}

// verdict says whether the model is better than a coin and than lengths.
func verdict(p *eval.RewardReport) string {
	which := "longer"
	if p.Shorter {
		which = "shorter"
	}
	rule := fmt.Sprintf("the rule that the %s answer is better has %s", which, report.Percent(p.LengthRule.Value))
	switch {
	case p.Accuracy.Low <= 0.5:
		return "not above chance with 95 % confidence; " + rule
	case p.OverLength.Low > 0:
		return fmt.Sprintf("above chance; %s, the model is better by %.1f points [%.1f, %.1f]", rule, 100*p.OverLength.Value, 100*p.OverLength.Low, 100*p.OverLength.High)
	}
	return fmt.Sprintf("above chance; %s, and the model is NOT better than that with 95 %% confidence (%+.1f points [%+.1f, %+.1f])",
		rule, 100*p.OverLength.Value, 100*p.OverLength.Low, 100*p.OverLength.High)
}

// page is the report.
func (x *rewardResult) page() *report.Page {
	p := &report.Page{Title: "Reward model", Subtitle: x.lines()[0]}
	var text []report.Block
	for _, line := range x.lines()[1:] {
		text = append(text, report.Text(line))
	}
	p.Sections = append(p.Sections, report.Section{Title: "What was measured", Blocks: text})
	if x.Pairs == nil {
		return p
	}
	var promised, right, low, high []float64
	for _, b := range x.Pairs.Calibration {
		promised, right = append(promised, b.Promised), append(right, b.Right.Value)
		low, high = append(low, b.Right.Low), append(high, b.Right.High)
	}
	p.Sections = append(p.Sections, report.Section{
		Title: "Calibration", Note: "How often the answer with the larger score is the chosen one, against the probability that the difference of scores promises. A calibrated model lies on the dashed line.",
		Blocks: []report.Block{report.LineChart{
			X: report.Axis{Label: "promised"}, Y: report.Axis{Label: "true"},
			Series: []report.Series{{Name: "calibrated", X: []float64{0.5, 1}, Y: []float64{0.5, 1}, Dashed: true}, {Name: "this model", X: promised, Y: right, Low: low, High: high, Points: true}},
		}},
	})
	table := report.Table{Columns: []report.Column{report.Left("the worse answer"), report.Right("preferred the good one")}}
	for _, q := range x.Probes {
		table.Rows = append(table.Rows, report.Row{Cells: []string{q.What, percent(q.Wins)}})
	}
	p.Sections = append(p.Sections, report.Section{Title: "Answers made worse on purpose", Note: "A sound reward model prefers the chosen answer nearly always. Half is chance.", Blocks: []report.Block{table}})
	return p
}
