package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/foundling-lm/foundling/eval/report"
	"github.com/foundling-lm/foundling/internal/atomicfile"
)

// report writes compare.json and report.html and prints the tables.
func (r *comparison) report(x *compared) error {
	if err := atomicfile.WriteJSON(filepath.Join(r.c.Out, "compare.json"), x); err != nil {
		return err
	}
	tables := x.tables(r.c.Reward)
	html := filepath.Join(r.c.Out, "report.html")
	if err := r.page(x, tables).WriteFile(html); err != nil {
		return err
	}
	if r.c.JSON {
		return json.NewEncoder(os.Stdout).Encode(x)
	}
	fmt.Printf("%d prompts that all models answered, %d that some could not read%s\n\n", x.Prompts, x.Unfit, skipped(&x.Skipped))
	if err := printTables(os.Stdout, tables); err != nil {
		return err
	}
	if x.Judge != nil {
		printJudge(x.Judge, x.Cost)
	}
	_, err := fmt.Println(html)
	return err
}

// text is an estimate with its limits.
func (e *estimate) text(digits int) string {
	switch {
	case e == nil:
		return "–"
	case e.Low == nil:
		return report.Fixed(e.Value, digits)
	}
	return fmt.Sprintf("%s (%.*f to %.*f)", report.Fixed(e.Value, digits), digits, *e.Low, digits, *e.High)
}

// percent is a share with its limits.
func (e *estimate) percent() string {
	if e == nil {
		return "–"
	}
	if e.Low == nil {
		return report.Percent(e.Value)
	}
	return report.PercentRange(e.Value, *e.Low, *e.High)
}

// percentPoints is a change of a share with its limits.
func (e *estimate) percentPoints() string {
	if e == nil {
		return "–"
	}
	if e.Low == nil {
		return report.Fixed(100*e.Value, 1)
	}
	low, high := 100**e.Low, 100**e.High
	return (&estimate{Value: 100 * e.Value, Low: &low, High: &high}).text(1)
}

// tables are the figures.
func (x *compared) tables(reward []string) []report.Table {
	columns := func(first string, names ...string) (out []report.Column) {
		out = append(out, report.Left(first))
		for _, n := range names {
			out = append(out, report.Right(n))
		}
		return out
	}
	answers := report.Table{
		Title: "Answers", Note: "Means with 95 % intervals. Entropy is minus the mean log-probability of the model's own tokens, without bias at temperature 1; the log-probability is of a whole answer.",
		Columns: columns("model", "tokens", "ended", "entropy, nats a token", "log-probability, nats"),
	}
	forget := report.Table{Title: "Forgetting", Note: "Bits per byte of the text; the change is against the first model, window by window.", Columns: columns("model", "bits per byte", "change")}
	safety := report.Table{
		Title: "Refusals", Note: fmt.Sprintf("%d harmful and %d harmless prompts. Refusals are found by rules of words; what is not refused counts as answered. The changes are against the first model, in points, prompt by prompt.", x.Harmful, x.Benign),
		Columns: columns("model", "harmful answered", "change", "harmless refused", "change"),
	}
	strength := report.Table{Title: "Strength", Note: "Bradley-Terry, in points of Elo above the first model; a draw is half a win. Intervals are of bootstraps over prompts.", Columns: columns("model", "Elo", "score")}
	for _, m := range x.Models {
		answers.Rows = append(answers.Rows, report.Row{Cells: []string{m.Name, m.Tokens.text(1), m.Ended.percent(), m.Entropy.text(3), m.LogProb.text(1)}})
		forget.Rows = append(forget.Rows, report.Row{Cells: []string{m.Name, m.BitsPerByte.text(4), m.Forgotten.text(4)}})
		safety.Rows = append(safety.Rows, report.Row{Cells: []string{m.Name, m.Answered.percent(), m.AnsweredChange.percentPoints(), m.OverRefused.percent(), m.OverRefusedMore.percentPoints()}})
		strength.Rows = append(strength.Rows, report.Row{Cells: []string{m.Name, m.Elo.text(0), m.Score.text(3)}})
	}
	tables := []report.Table{answers, x.klTable()}
	if x.Games > 0 {
		strength.Title += " by " + winner(reward)
		tables = append(tables, x.winTable(), strength)
	}
	if x.Models[0].BitsPerByte != nil {
		tables = append(tables, forget)
	}
	if x.Harmful+x.Benign > 0 {
		tables = append(tables, safety)
	}
	return tables
}

func winner(reward []string) string {
	if len(reward) == 0 {
		return "the judge"
	}
	return strings.Join(reward, " + ")
}

// klTable is the divergence of each model from each.
func (x *compared) klTable() report.Table {
	t := report.Table{
		Title:   "Divergence",
		Note:    "KL in nats an answer, estimated on answers of the model in the first column, drawn at temperature 1, up to where they were cut off: k1 and k3, both without bias; k3 varies less.",
		Columns: []report.Column{report.Left("of"), report.Left("from"), report.Right("k1"), report.Right("k3"), report.Right("k1 a token")},
	}
	for _, k := range x.KL {
		cells := []string{k.Of, k.From, k.K1.text(3), k.K3.text(3), report.Fixed(k.PerToken, 4)}
		if k.Why != "" {
			cells[2], cells[3], cells[4] = k.Why, "–", "–"
		}
		t.Rows = append(t.Rows, report.Row{Cells: cells})
	}
	return t
}

// winTable is the matrix of pairs.
func (x *compared) winTable() report.Table {
	t := report.Table{Title: "Wins of row over column", Note: "Draws count half; in brackets the 95 % interval, of as many trials as prompts.", Columns: []report.Column{report.Left("")}}
	for _, m := range x.Models {
		t.Columns = append(t.Columns, report.Right(m.Name))
	}
	for _, a := range x.Models {
		row := report.Row{Cells: []string{a.Name}}
		for _, b := range x.Models {
			cell := "–"
			for _, w := range x.Wins {
				if w.A == a.Name && w.B == b.Name {
					cell = fmt.Sprintf("%s, %d-%d-%d", w.Rate.percent(), w.Wins, w.Draws, w.Losses)
				}
			}
			row.Cells = append(row.Cells, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// page is the report with answers side by side.
func (r *comparison) page(x *compared, tables []report.Table) *report.Page {
	p := &report.Page{Title: "Models side by side", Subtitle: fmt.Sprintf("%d prompts, %d answers to each, temperature %g, seed %d", x.Prompts, r.c.N, r.c.Temperature, r.c.Seed)}
	var blocks []report.Block
	for _, t := range tables {
		blocks = append(blocks, t)
	}
	if j := x.Judge; j != nil {
		blocks = append(blocks, report.KeyValues{Title: "Judge", Rows: []report.KeyValue{
			{Key: "comparisons, each in both orders", Value: fmt.Sprint(j.Comparisons)},
			{Key: "decided", Value: fmt.Sprint(j.Decided)},
			{Key: "turned with the order", Value: fmt.Sprint(j.Swapped)},
			{Key: "the first place is preferred with probability (0.5: no bias)", Value: report.Fixed(j.FirstPlace, 3)},
			{Key: "nonsense, no reply", Value: fmt.Sprintf("%d, %d", j.Nonsense, j.Failed)},
		}})
	}
	p.Sections = append(p.Sections, report.Section{Title: "Figures", Blocks: blocks})
	m := r.match()
	side := report.Table{Title: fmt.Sprintf("The first answers to the first %d prompts", min(r.c.Show, len(m.Prompts))), Columns: []report.Column{report.Left("prompt")}}
	for _, s := range r.sides {
		side.Columns = append(side.Columns, report.Left(s.name))
	}
	for i, prompt := range m.Prompts[:min(r.c.Show, len(m.Prompts))] {
		row := report.Row{Cells: []string{prompt.Prompt.String()}}
		for _, s := range m.Sides {
			text := "–"
			if answers := s[i].Answers; len(answers) > 0 {
				if text = answers[0].Text; answers[0].Score != nil && !math.IsNaN(*answers[0].Score) {
					text += fmt.Sprintf("\n[%.3f]", *answers[0].Score)
				}
			}
			row.Cells = append(row.Cells, text)
		}
		side.Rows = append(side.Rows, row)
	}
	p.Sections = append(p.Sections, report.Section{Title: "Side by side", Blocks: []report.Block{side}})
	return p
}
