package lab

import (
	"fmt"
	"strings"

	"github.com/foundling-lm/foundling/eval/report"
)

// Page shows the result. Source says where the pool came from.
func (r *TestTimeResult) Page(source string) *report.Page {
	p := &report.Page{
		Title:    "Test-time compute",
		Subtitle: fmt.Sprintf("%s: %d problems with %d candidates each", source, r.Problems, r.PoolSize),
		Footer: "Every curve comes from one pool of candidates: a point at k is the mean over subsets of k candidates of each problem, without bias. " +
			"Bands hold 95 % of bootstraps over problems. A problem's tokens are its prompt once and all its candidates.",
	}
	p.Sections = []report.Section{r.summary(), r.curves(), r.gaming(), r.law(), r.stopping(), r.table()}
	return p
}

// choosers are the curves without the coverage.
func (r *TestTimeResult) choosers() []Curve { return r.Curves[1:] }

func (r *TestTimeResult) summary() report.Section {
	last := len(r.Curves[0].K) - 1
	single, best := r.Curves[1], r.Curves[1]
	for _, c := range r.choosers() {
		if c.Accuracy[last] > best.Accuracy[last] {
			best = c
		}
	}
	cards := report.Cards{
		{Label: "one sample", Value: report.Percent(single.Accuracy[0]), Note: "right on average"},
		{Label: fmt.Sprintf("coverage of %d", r.PoolSize), Value: report.Percent(r.Curves[0].Accuracy[last]), Note: "of problems have a right candidate", Tone: report.Accent},
		{Label: "best choice", Value: report.Percent(best.Accuracy[last]), Note: fmt.Sprintf("%s of %d", best.Name, r.PoolSize), Tone: report.Good},
	}
	for _, c := range r.choosers() {
		if c.FallLow > 0 {
			cards = append(cards, report.Card{
				Label: "falls", Value: report.Percent(c.Fall), Tone: report.Bad,
				Note: fmt.Sprintf("%s, after its peak at %d candidates", c.Name, c.Peak),
			})
		}
	}
	return report.Section{Title: "Summary", Blocks: []report.Block{cards}}
}

// lines are the curves over the number of candidates or of tokens.
func (r *TestTimeResult) lines(tokens bool, show func(name string) bool) []report.Series {
	var out []report.Series
	for _, c := range r.Curves {
		if !show(c.Name) {
			continue
		}
		x := make([]float64, len(c.K))
		for i, k := range c.K {
			if x[i] = float64(k); tokens {
				x[i] = c.Tokens[i]
			}
		}
		out = append(out, report.Series{Name: c.Name, X: x, Y: c.Accuracy, Low: c.Low, High: c.High, Dashed: c.Name == coverage})
	}
	return out
}

var share = report.Axis{Label: "share of problems right"}

func (r *TestTimeResult) curves() report.Section {
	all := func(name string) bool { return name != GameableVerifier }
	return report.Section{
		Title: "Accuracy and coverage",
		Note:  "Coverage is the ceiling: a choice can only be right where some candidate is. What lies between is what the way to choose loses.",
		Blocks: []report.Block{
			report.LineChart{Title: "Against the number of candidates", X: report.Axis{Label: "candidates", Log: true}, Y: share, Series: r.lines(false, all)},
			report.LineChart{Title: "Against the tokens spent", X: report.Axis{Label: "tokens a problem", Log: true}, Y: share, Series: r.lines(true, all)},
		},
	}
}

func (r *TestTimeResult) gaming() report.Section {
	s := report.Section{Title: "A verifier that can be gamed"}
	verifiers := func(name string) bool {
		return name == coverage || name == GameableVerifier || name == NoisyVerifier || name == "majority"
	}
	said := "No way to choose falls significantly after its peak in this pool."
	var falls []string
	for _, c := range r.choosers() {
		if c.FallLow > 0 {
			last := len(c.K) - 1
			falls = append(falls, fmt.Sprintf("%s peaks at %d candidates and then loses %s, down to %s at %d.", c.Name, c.Peak, report.Percent(c.Fall), report.Percent(c.Accuracy[last]), c.K[last]))
		}
	}
	if falls != nil {
		said = strings.Join(falls, "\n\n")
	}
	s.Note = "The gameable verifier sees as much as the noisy one, but some wrong texts slip through a hole with the highest grade. With more candidates one of them is surer to be found, and accuracy falls while coverage still rises."
	s.Blocks = []report.Block{report.LineChart{Title: "Chosen by a verifier", X: report.Axis{Label: "candidates", Log: true}, Y: share, Series: r.lines(false, verifiers)}, report.Text(said)}
	return s
}

func (r *TestTimeResult) law() report.Section {
	s := report.Section{Title: "The law of coverage"}
	if r.Law == nil {
		s.Blocks = []report.Block{report.Text("No law: " + r.LawError + ".")}
		return s
	}
	c := r.Curves[0]
	x, fit := make([]float64, len(c.K)), make([]float64, len(c.K))
	for i, k := range c.K {
		x[i] = float64(k)
		fit[i] = r.Law.At(x[i])
	}
	series := []report.Series{
		{Name: "measured", X: x, Y: c.Accuracy, Low: c.Low, High: c.High, Points: true},
		{Name: "fit", X: x, Y: fit, Dashed: true},
	}
	if r.Truth != nil {
		series = append(series, report.Series{Name: "truth", X: x, Y: r.Truth})
	}
	s.Note = fmt.Sprintf("log c = a k^b with a = %.4f and b = %.4f; root mean square error of log c: %.4f.", r.Law.A, r.Law.B, r.Law.Error)
	s.Blocks = []report.Block{report.LineChart{Title: "Coverage and its fit", X: report.Axis{Label: "candidates", Log: true}, Y: report.Axis{Label: "coverage", Log: true}, Series: series}}
	return s
}

func (r *TestTimeResult) stopping() report.Section {
	if len(r.Early) == 0 {
		return report.Section{Title: "Votes that end early", Blocks: []report.Block{report.Text("No candidate has an answer to vote for.")}}
	}
	t := report.Table{
		Title:   fmt.Sprintf("Votes of at most %d candidates", r.Early[0].Limit),
		Note:    "certain: no vote can change the winner any more. beta c: the leader would beat the runner-up with confidence c.",
		Columns: []report.Column{report.Left("rule"), report.Right("candidates"), report.Right("tokens"), report.Right("accuracy"), report.Right("whole vote"), report.Right("same winner")},
	}
	for _, e := range r.Early {
		t.Rows = append(t.Rows, report.Row{Cells: []string{
			e.Rule, report.Fixed(e.Samples, 1), report.Fixed(e.Tokens, 0), report.Percent(e.Accuracy), report.Percent(e.Whole), report.Percent(e.Agrees),
		}})
	}
	return report.Section{Title: "Votes that end early", Blocks: []report.Block{t}}
}

func (r *TestTimeResult) table() report.Section {
	ks := r.Curves[0].K
	t := report.Table{Title: "Accuracy by number of candidates", Columns: []report.Column{report.Left("choice")}}
	for _, k := range ks {
		t.Columns = append(t.Columns, report.Right(fmt.Sprint(k)))
	}
	for _, c := range r.Curves {
		row := report.Row{Cells: []string{c.Name}}
		for i := range ks {
			row.Cells = append(row.Cells, report.PercentRange(c.Accuracy[i], c.Low[i], c.High[i]))
		}
		t.Rows = append(t.Rows, row)
	}
	d := report.Table{
		Title: "How often two ways choose different candidates", Note: "Of the whole pool.",
		Columns: []report.Column{report.Left("one"), report.Left("other"), report.Right("different")},
	}
	for _, x := range r.Disagree {
		d.Rows = append(d.Rows, report.Row{Cells: []string{x.A, x.B, report.Percent(x.Rate)}})
	}
	return report.Section{Title: "Figures", Blocks: []report.Block{report.Fold{Summary: "All curves", Blocks: []report.Block{t}}, d}}
}
