package raise

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/eval/report"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/text/corpus"
	"github.com/foundling-lm/foundling/train"
)

// Report writes report.html, the last file of a run.
func (r *Run) Report(context.Context) error {
	return r.stage("report", 0, func() (string, error) {
		stats, err := corpus.StatsOf(r.data.Sides.Documents(corpus.Train))
		if err != nil {
			return "", err
		}
		all, err := r.data.Corpus.Stats()
		if err != nil {
			return "", err
		}
		pre, err := train.ReadMetrics(filepath.Join(r.path(stateDir), train.MetricsFile))
		if err != nil {
			return "", err
		}
		sft, _ := train.ReadMetrics(filepath.Join(r.path(sftDir), train.MetricsFile))
		judge, _ := train.ReadMetrics(filepath.Join(r.path(judgeDir), train.MetricsFile))
		prefer, _ := train.ReadMetrics(filepath.Join(r.path(preferDir), train.MetricsFile))
		p := &report.Page{
			Title:    "A model raised in " + duration(r.Plan.Budget).String(),
			Subtitle: fmt.Sprintf("from %s, kernel set %s, seed %d", strings.Join(r.Plan.Data, ", "), r.Plan.Kernels, r.Plan.Seed),
			Sections: []report.Section{
				{Title: "At a glance", Blocks: r.glance(pre)},
				{Title: "Bits per byte on held-out text", Note: r.bitsNote(), Blocks: r.bitsBlocks()},
				{Title: "Learning", Blocks: r.learning(pre, sft, judge, prefer)},
				{Title: "Answers", Blocks: r.answers()},
				{Title: "Data", Note: "Files as they were found; duplicates and skipped files are in no other count.", Blocks: r.dataCard(stats, all)},
				{Title: "Tokenizer", Blocks: r.tokenizerCard()},
				{Title: "Plan", Note: r.planNote(), Blocks: r.planBlocks(pre)},
			},
			Footer: "Made by foundling " + r.Plan.Program + ". foundling raise --plan " + PlanFile + " repeats this run bit for bit on the same kernel set.",
		}
		return ReportFile, p.WriteFile(r.path(ReportFile))
	})
}

func (r *Run) glance(pre []train.Metrics) []report.Block {
	base, gram := r.eval.Find("base model").Value.Value, r.eval.Find(ByteFiveGram).Value.Value
	tone := report.Good
	if base >= gram {
		tone = report.Bad
	}
	cards := report.Cards{
		{Label: "Held-out text", Value: report.Fixed(base, 3), Unit: "bits/byte", Note: "byte 5-gram: " + report.Fixed(gram, 3), Tone: tone},
		{Label: "Parameters", Value: report.SI(float64(r.Plan.Chosen.Parameters), "")},
		{Label: "Tokens read", Value: report.SI(float64(last(pre).Tokens), ""), Note: fmt.Sprintf("%.2f epochs", float64(last(pre).Tokens)/float64(r.set.Train.Tokens()))},
	}
	for _, f := range r.eval.Functions {
		cards = append(cards, report.Card{Label: "Functions that parse, " + f.Name, Value: report.Percent(f.Parses.Value), Note: fmt.Sprintf("of %d; type-check: %s", f.Parses.N, report.Percent(f.TypeChecks.Value))})
	}
	return []report.Block{cards}
}

func last(m []train.Metrics) train.Metrics {
	if len(m) == 0 {
		return train.Metrics{}
	}
	return m[len(m)-1]
}

func (r *Run) bitsNote() string {
	e := r.eval
	return fmt.Sprintf("%d documents, %s bytes, every byte counted once; context %d tokens, stride %d. Held out: %s. Share of held-out %d-grams that occur in the training text: %s.",
		e.Documents, report.Integer(e.Bytes), e.Context, e.Stride, r.Plan.splitText(), e.Overlap.N, report.Percent(e.Overlap.Share))
}

func (r *Run) bitsBlocks() []report.Block {
	chart := report.BarChart{Title: "Bits per byte (less is better)", Axis: report.Axis{Label: "bits per byte"}}
	table := report.Table{Columns: []report.Column{report.Left("model"), report.Right("bits per byte"), report.Right("95 % interval"), report.Left("what it knows")}}
	for _, b := range r.eval.Bits {
		tone, between := report.Plain, ""
		if b.Ours {
			tone = report.Accent
			between = report.Fixed(b.Value.Low, 3) + " to " + report.Fixed(b.Value.High, 3)
		}
		bar := report.Bar{Label: b.Name, Value: b.Value.Value, Text: report.Fixed(b.Value.Value, 3), Tone: tone}
		if b.Ours {
			bar.Low, bar.High = b.Value.Low, b.Value.High
		}
		chart.Bars = append(chart.Bars, bar)
		table.Rows = append(table.Rows, report.Row{Cells: []string{b.Name, report.Fixed(b.Value.Value, 3), between, b.Note}, Tone: tone})
	}
	return []report.Block{chart, table}
}

// curve is the loss of one stage as a chart.
func curve(title, unit string, m []train.Metrics) report.Block {
	var x, y, vx, vy []float64
	for _, s := range m {
		x, y = append(x, float64(s.Step)), append(y, s.Loss)
		if s.ValLoss > 0 {
			vx, vy = append(vx, float64(s.Step)), append(vy, s.ValLoss)
		}
	}
	c := report.LineChart{
		Title: title, X: report.Axis{Label: "step", Log: true}, Y: report.Axis{Label: unit},
		Series: []report.Series{{X: x, Y: y, Faint: true}, {Name: "training loss", X: x, Y: report.EMA(y, 5), Same: true}},
	}
	if len(vx) > 0 {
		c.Series = append(c.Series, report.Series{Name: "held-out loss", X: vx, Y: vy, Points: true})
	}
	return c
}

func (r *Run) learning(pre, sft, judge, prefer []train.Metrics) []report.Block {
	out := []report.Block{curve("Pre-training", "nats per token", pre)}
	for _, c := range []struct {
		title, unit string
		m           []train.Metrics
	}{{"Fine-tuning", "nats per token", sft}, {"Reward model", "nats per pair", judge}, {"Preference tuning", "loss per pair", prefer}} {
		if len(c.m) > 0 {
			out = append(out, curve(c.title, c.unit, c.m))
		}
	}
	var skipped int
	for _, m := range slices.Concat(pre, sft, judge, prefer) {
		if m.Skipped != "" {
			skipped++
		}
	}
	return append(out, report.Text(fmt.Sprintf("Steps that the guard left out (loss spikes, numbers that are not finite): %d.", skipped)))
}

func (r *Run) answers() []report.Block {
	var out []report.Block
	if len(r.eval.Functions) > 0 {
		t := report.Table{
			Title:   "Bodies of held-out Go functions, given doc comment, signature and opening brace",
			Note:    "Parse: go/parser accepts the function. Type-check: go/types accepts it in the place of the original. Intervals: 95 % (Wilson). A body of one statement type-checks nearly anywhere, hence the last column.",
			Columns: []report.Column{report.Left("model"), report.Right("functions"), report.Right("parse"), report.Right("type-check"), report.Right("verifier's reward"), report.Right("statements in a body")},
		}
		for _, f := range r.eval.Functions {
			t.Rows = append(t.Rows, report.Row{Cells: []string{f.Name, fmt.Sprint(f.Parses.N), share(f.Parses), share(f.TypeChecks), number(f.Reward), report.Fixed(f.Statements, 1)}})
		}
		out = append(out, t, r.gains())
	}
	out = append(out, r.bestOf()...)
	var s report.Samples
	for _, x := range r.eval.Samples {
		s = append(s, report.Sample{Title: x.Task, Prompt: x.Prompt, Text: x.Text, Badges: []report.Badge{{Text: "ended by " + x.Finish}}})
	}
	return append(out, s)
}

// number is an estimate with its interval.
func number(i eval.Interval) string {
	return fmt.Sprintf("%.3f [%.3f, %.3f]", i.Value, i.Low, i.High)
}

// points is a difference of shares in hundredths.
func points(i eval.Interval) string {
	return fmt.Sprintf("%+.1f [%+.1f, %+.1f]", 100*i.Value, 100*i.Low, 100*i.High)
}

// gains compares each model with the one before it.
func (r *Run) gains() report.Block {
	t := report.Table{
		Title: "Each stage against the one before",
		Note: "Differences function by function, with the same seed, and their 95 % intervals: a stage has gained where the interval lies above 0. " +
			"Win rate: how much oftener than half the later model's body has the larger reward. KL: nats a body, over bodies of the later model; none where prompts differ. " +
			"The reward is " + rewardText + ".",
		Columns: []report.Column{report.Left("model"), report.Right("parse, points"), report.Right("type-check, points"), report.Right("reward"), report.Right("win rate over 50, points"), report.Right("KL")},
	}
	for _, f := range r.eval.Functions {
		if g := f.More; g != nil {
			kl := ""
			if g.KL.N > 0 {
				kl = fmt.Sprintf("%.2f [%.2f, %.2f]", g.KL.Value, g.KL.Low, g.KL.High)
			}
			t.Rows = append(t.Rows, report.Row{Cells: []string{f.Name, points(g.Parses), points(g.TypeChecks), number(g.Reward), points(g.WinRate), kl}})
		}
	}
	if p := r.preferences.Skipped; p != "" {
		t.Note += " Preference tuning was skipped: " + p + "."
	}
	return t
}

const rewardText = "0.2 for a function that parses, then up to 0.2 for using what its doc comment names, up to 0.3 for as many statements as the original has (at most four, 0 for a body that repeats itself), and up to 0.3, by the same measure, if it type-checks; up to 0.1 for how far one parses that does not"

// bestOf is the curve of the choice among several bodies.
func (r *Run) bestOf() []report.Block {
	b := r.eval.BestOf
	if b == nil {
		return nil
	}
	verifier, judge := report.Series{Name: "the verifier chooses", Points: true}, report.Series{Name: "the reward model chooses", Points: true}
	for _, p := range b.Points {
		for _, s := range []struct {
			to *report.Series
			x  eval.Interval
		}{{&verifier, p.Verifier}, {&judge, p.Judge}} {
			s.to.X, s.to.Y = append(s.to.X, float64(p.N)), append(s.to.Y, s.x.Value)
			s.to.Low, s.to.High = append(s.to.Low, s.x.Low), append(s.to.High, s.x.High)
		}
	}
	end := b.Points[len(b.Points)-1]
	return []report.Block{report.LineChart{
		Title: "Best of N", X: report.Axis{Label: "bodies to choose from", Log: true}, Y: report.Axis{Label: "verifier's reward"},
		Note:   fmt.Sprintf("%d functions, the model after preference tuning. The best of %d by the verifier against the first body: reward %s, parse %s points, at most %.2f nats of divergence.", b.Functions, end.N, number(b.Gain.Reward), points(b.Gain.Parses), end.KL),
		Series: []report.Series{verifier, judge},
	}}
}

func share(i eval.Interval) string { return report.PercentRange(i.Value, i.Low, i.High) }

func (r *Run) dataCard(learn, all corpus.Stats) []report.Block {
	t, v := r.data.Sides.Count(corpus.Train), r.data.Sides.Count(corpus.Validation)
	out := []report.Block{report.KeyValues{Rows: []report.KeyValue{
		{Key: "sources", Value: strings.Join(r.Plan.Data, ", ")},
		{Key: "learned from", Value: fmt.Sprintf("%d documents, %s bytes", t.Documents, report.Integer(t.Bytes))},
		{Key: "held out", Value: fmt.Sprintf("%d documents, %s bytes: %s", v.Documents, report.Integer(v.Bytes), r.Plan.splitText())},
		{Key: "share of the documents used", Value: report.Percent(r.Plan.Keep)},
		{Key: "generated by programs", Value: fmt.Sprintf("%d documents, %s bytes found; %d documents, %s bytes of them are learned from, none is held out", all.Generated.Documents, report.Integer(all.Generated.Bytes), learn.Generated.Documents, report.Integer(learn.Generated.Bytes))},
		{Key: "not UTF-8", Value: fmt.Sprintf("%d documents, %s bytes replaced", all.InvalidUTF8.Documents, report.Integer(all.InvalidUTF8.Bytes))},
		{Key: "hash of both sides", Value: r.Plan.Source},
	}}}
	for _, c := range []struct {
		title  string
		counts corpus.Counts
	}{{"Kinds of text", all.Kinds}, {"Licences found", all.Licences}, {"Domains (first folder)", all.Domains}, {"Exact duplicates left out", all.Duplicates}} {
		out = append(out, report.Fold{Summary: fmt.Sprintf("%s: %d", c.title, len(c.counts)), Open: len(c.counts) <= 8, Blocks: []report.Block{countTable(c.counts)}})
	}
	return out
}

func countTable(c corpus.Counts) report.Table {
	t := report.Table{Columns: []report.Column{report.Left("name"), report.Right("documents"), report.Right("bytes")}}
	var names []string
	for n := range c {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := c[b].Bytes - c[a].Bytes; d != 0 {
			return int(max(-1, min(1, d)))
		}
		return strings.Compare(a, b)
	})
	for _, n := range names {
		t.Rows = append(t.Rows, report.Row{Cells: []string{n, report.Integer(int64(c[n].Documents)), report.Integer(c[n].Bytes)}})
	}
	return t
}

func (r *Run) tokenizerCard() []report.Block {
	p := r.Plan.Tokenizer
	t := report.Table{Title: "Bytes per token on held-out text", Columns: []report.Column{report.Left("kind"), report.Right("bytes"), report.Right("bytes per token")}}
	for _, k := range r.eval.Kinds {
		t.Rows = append(t.Rows, report.Row{Cells: []string{k.Name, report.Integer(k.Bytes), report.Fixed(k.BytesPerToken, 2)}})
	}
	m := r.set.Train.Manifest()
	return []report.Block{report.KeyValues{Rows: []report.KeyValue{
		{Key: "kind", Value: "byte-level BPE, pre-tokenisation " + p.Pattern},
		{Key: "tokens", Value: fmt.Sprint(r.tok.VocabSize())},
		{Key: "learned from", Value: fmt.Sprintf("at most %.0f MB of the training side, a seeded sample", float64(p.MaxBytes)/1e6)},
		{Key: "training text", Value: fmt.Sprintf("%s tokens, %.2f bytes a token", report.Integer(m.Tokens), float64(m.Bytes)/float64(m.Tokens))},
	}}, t}
}

func (r *Run) planNote() string {
	return "Size and tokens were chosen by the law " + r.Plan.Law + " among the shapes below, from the training speed measured at each width. The law counts all parameters and was fitted on far larger models: its losses rank shapes, they are no forecast."
}

func (r *Run) planBlocks(pre []train.Metrics) []report.Block {
	t := report.Table{Title: "Alternatives", Columns: []report.Column{
		report.Left("layers x width"), report.Right("parameters"), report.Right("tokens"), report.Right("epochs"), report.Right("FLOP"), report.Right("FLOP/s"), report.Right("loss by the law")}}
	for _, c := range r.Plan.Table {
		row := report.Row{Cells: []string{fmt.Sprintf("%d x %d", c.Shape.Layers, c.Shape.Width), report.SI(float64(c.Parameters), ""), report.SI(float64(c.Tokens), ""),
			report.Fixed(c.Epochs, 2), report.SI(c.FLOP, ""), report.SI(c.FLOPs, ""), report.Fixed(c.Loss, 3)}}
		switch {
		case c.Unfit != "":
			row.Tone = report.Muted
		case c.Shape == r.Plan.Chosen.Shape:
			row.Tone = report.Accent
		}
		t.Rows = append(t.Rows, row)
	}
	stages := report.Table{Title: "Time", Columns: []report.Column{report.Left("stage"), report.Right("planned"), report.Right("took"), report.Left("result")}}
	for _, e := range r.book.Stages {
		stages.Rows = append(stages.Rows, report.Row{Cells: []string{e.Name, fmt.Sprintf("%.1f s", e.Planned), fmt.Sprintf("%.1f s", e.Took), e.What}})
	}
	tokens := float64(last(pre).Tokens)
	var seconds float64
	for _, m := range pre {
		seconds += m.Seconds
	}
	flop := tokens * r.Plan.Chosen.FLOPPerToken
	kv := report.KeyValues{Title: "Predicted and measured", Rows: []report.KeyValue{
		{Key: "pre-training FLOP, planned", Value: report.SI(r.Plan.Chosen.FLOP, "FLOP")},
		{Key: "pre-training FLOP, done", Value: report.SI(flop, "FLOP")},
		{Key: "speed, planned", Value: report.SI(r.Plan.Chosen.FLOPs, "FLOP/s")},
		{Key: "speed, measured", Value: report.SI(flop/max(seconds, 1e-9), "FLOP/s")},
		{Key: "memory of a step, predicted", Value: report.SI(float64(r.Plan.Chosen.Memory), "B")},
	}}
	full, _ := json.MarshalIndent(r.Plan, "", "  ")
	return []report.Block{stages, kv, t, report.Fold{Summary: "All options (" + PlanFile + ")", Blocks: []report.Block{report.Code{Text: string(full)}}}}
}

// Samples are the prompts and answers to show at the end.
func (r *Run) Samples() []Sample {
	if r.eval == nil {
		var e Evaluation
		if found, _ := atomicfile.ReadJSON(r.path(evalFile), &e); found {
			r.eval = &e
		}
	}
	if r.eval == nil {
		return nil
	}
	return r.eval.Samples
}

// Stages is what the stages took.
func (r *Run) Stages() []Entry { return r.book.Stages }
