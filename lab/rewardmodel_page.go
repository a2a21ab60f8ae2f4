package lab

import (
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/eval/report"
)

// Tables are the accuracies beside their ceilings, and the biases.
func (r *RewardResult) Tables() []report.Table {
	acc := report.Table{
		Title:   "Accuracy and the best that is possible",
		Note:    "On held-out labels of the same labeller. The ceiling is the accuracy of one who knows the labeller and does not see which text was shown first. Real is the share of pairs ordered as the reward does.",
		Columns: []report.Column{report.Left("labels"), report.Right("accuracy"), report.Right("ceiling"), report.Right("share of it"), report.Right("real")},
	}
	bias := report.Table{
		Title:   "Biases",
		Note:    fmt.Sprintf("Length: what one more token is worth, in units of the reward. Injected: %g where longer texts are preferred, else 0. First: how often the text shown first is chosen, by the labels and by the scores; a score cannot know what was shown first.", r.Length),
		Columns: []report.Column{report.Left("labels"), report.Right("length"), report.Right("labels: first"), report.Right("scores: first"), report.Right("ceiling that sees it")},
	}
	for _, x := range r.Rows {
		acc.Rows = append(acc.Rows, report.Row{Cells: []string{
			x.Labels, report.PercentRange(x.Accuracy.Value, x.Accuracy.Low, x.Accuracy.High), report.Percent(x.Ceiling), report.Fixed(x.Share(), 3), report.Percent(x.Real),
		}})
		bias.Rows = append(bias.Rows, report.Row{Cells: []string{
			x.Labels, report.Fixed(x.Length, 3), report.Percent(x.First), report.Percent(x.ScoreFirst), report.Percent(x.Seeing),
		}})
	}
	return []report.Table{acc, bias}
}

// Page shows the result.
func (r *RewardResult) Page() *report.Page {
	tables := r.Tables()
	least := math.Inf(1)
	chart := report.LineChart{Title: "Noise", X: report.Axis{Label: "share of labels turned round"}, Y: report.Axis{Label: "accuracy on such labels"}}
	measured, ceiling := report.Series{Name: "reward model", Points: true}, report.Series{Name: "ceiling", Dashed: true}
	for _, x := range r.Rows {
		least = min(least, x.Share())
		if !x.biased {
			measured.X, measured.Y = append(measured.X, x.Noise), append(measured.Y, x.Accuracy.Value)
			measured.Low, measured.High = append(measured.Low, x.Accuracy.Low), append(measured.High, x.Accuracy.High)
			ceiling.X, ceiling.Y = append(ceiling.X, x.Noise), append(ceiling.Y, x.Ceiling)
		}
	}
	chart.Series = []report.Series{measured, ceiling}
	return &report.Page{
		Title:    "What a reward model can learn",
		Subtitle: fmt.Sprintf("a transformer of %d parameters, %d comparisons of texts of known reward", r.Params, r.Labels),
		Footer:   "The reward of a text is a mean over its words; labels are drawn from the Bradley-Terry model on it, on the reward and the length, or on the reward and the position.",
		Sections: []report.Section{
			{Title: "Ceilings", Blocks: []report.Block{report.Cards{{Label: "least share of the ceiling", Value: report.Fixed(least, 3), Tone: report.Accent}}, tables[0], chart}},
			{Title: "Biases", Blocks: []report.Block{tables[1]}},
		},
	}
}
