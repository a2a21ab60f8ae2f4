package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// policyResult is what a run was.
type policyResult struct {
	Out      string              `json:"out"`
	Method   string              `json:"method"`
	Steps    int                 `json:"steps"`
	Rollouts int                 `json:"rollouts"`
	Prompts  int                 `json:"prompts"`
	Dropped  int                 `json:"dropped"` // prompts without room for a completion, or that cannot be read
	Skips    dataset.Skips       `json:"skips"`
	First    map[string]float64  `json:"first"` // figures, mean of the first tenth of the rollouts
	Last     map[string]float64  `json:"last"`  // of the last tenth
	Findings []posttrain.Finding `json:"findings,omitempty"`
	Spent    posttrain.Spent     `json:"seconds"`
	Tokens   float64             `json:"tokens"`            // sampled
	Samples  []policySample      `json:"samples,omitempty"` // the worst and the best of the last rollout
}

type policySample struct {
	Prompt     string  `json:"prompt"`
	Completion string  `json:"completion"`
	Score      float64 `json:"score"`
}

// report prints what was done.
func (r *policyRun) report(context.Context) error {
	log, err := train.ReadMetrics(filepath.Join(r.c.Out, train.MetricsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	rollouts := posttrain.Summaries(log)
	x := policyResult{
		Out: r.c.Out, Method: r.Options.Method, Steps: len(log), Rollouts: len(rollouts),
		Prompts: len(r.prompts), Dropped: r.read.Dropped + r.read.Failed, Skips: r.skips,
		Findings: posttrain.Diagnose(rollouts), Spent: posttrain.SpentOn(rollouts),
	}
	for _, s := range rollouts {
		x.Tokens += s.First[posttrain.MeanLength] * float64(r.Options.Rollout*r.Options.Completions)
	}
	tenth := max(1, len(rollouts)/10)
	if len(rollouts) > 0 {
		x.First, x.Last = meanFigures(rollouts[:tenth]), meanFigures(rollouts[len(rollouts)-tenth:])
	}
	if x.Samples, err = r.extremes(); err != nil {
		return err
	}
	if r.c.JSON {
		return json.NewEncoder(os.Stdout).Encode(x)
	}
	r.print(&x)
	return nil
}

// meanFigures are the means over rollouts.
func meanFigures(rollouts []posttrain.Summary) map[string]float64 {
	out := map[string]float64{}
	for _, s := range rollouts {
		for name, v := range s.Mean {
			out[name] += v / float64(len(rollouts))
		}
	}
	return out
}

// extremes are the worst and the best sample of the last rollout.
func (r *policyRun) extremes() ([]policySample, error) {
	numbers, err := posttrain.Rollouts(r.c.Out)
	if err != nil || len(numbers) == 0 {
		return nil, err
	}
	rollout, err := posttrain.ReadRollout(r.c.Out, numbers[len(numbers)-1])
	if err != nil {
		return nil, err
	}
	var worst, best *posttrain.Sample
	for _, s := range rollout.Samples {
		if s.Skip != "" || s.Prompt >= len(r.prompts) {
			continue
		}
		if worst == nil || s.Score < worst.Score {
			worst = s
		}
		if best == nil || s.Score > best.Score {
			best = s
		}
	}
	if worst == nil {
		return nil, nil
	}
	show := func(s *posttrain.Sample) policySample {
		return policySample{r.prompts[s.Prompt].Given.String(), s.Text, s.Score}
	}
	return []policySample{show(worst), show(best)}, nil
}

// reported are the figures that are printed.
var reported = []struct{ name, label string }{
	{posttrain.Scores, "score"},
	{posttrain.ObjectiveKL, "KL from the model before, nats a completion"},
	{posttrain.Entropy, "entropy, nats a token"},
	{posttrain.MeanLength, "tokens a completion"},
	{posttrain.Cut, "share without an end token"},
	{posttrain.Skipped, "share without a reward"},
	{posttrain.ClipFraction, "share of ratios clipped"},
	{posttrain.ValueLoss, "critic's loss"},
	{posttrain.Explained, "variance of returns explained"},
}

func (r *policyRun) print(x *policyResult) {
	fmt.Printf("%s: %s, %d steps on %d rollouts of %d prompts\n", x.Out, x.Method, x.Steps, x.Rollouts, x.Prompts)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\tfirst rollouts\tlast rollouts\n")
	for _, f := range reported {
		if first, ok := x.First[f.name]; ok {
			fmt.Fprintf(w, "%s\t%.4g\t%.4g\n", f.label, first, x.Last[f.name])
		}
	}
	w.Flush()
	if total := x.Spent.Total(); total > 0 {
		s := x.Spent
		fmt.Printf("time: rollouts %.0f %% (%stok/s), rewards %.0f %%, reference and values %.0f %%, updates %.0f %%, saving %.0f %% of %.1f s\n",
			100*s.Rollouts/total, amount(x.Tokens/max(1e-9, s.Rollouts)), 100*s.Rewards/total, 100*s.Reference/total, 100*s.Updates/total, 100*s.Saving/total, total)
	}
	for i, s := range x.Samples {
		fmt.Printf("%s of the last rollout (%.4g): %q\n", []string{"worst", "best"}[i], s.Score, short(s.Completion))
	}
	if len(x.Findings) == 0 {
		fmt.Println("no known fault was seen in the figures")
	}
	for _, f := range x.Findings {
		fmt.Println("fault:", f)
	}
	fmt.Printf("next: %s\n", r.next())
}

// short is the beginning of a text.
func short(s string) string {
	const most = 120
	if s = strings.TrimSpace(s); len(s) <= most {
		return s
	}
	s = s[:most]
	for !utf8.ValidString(s) && len(s) > most-utf8.UTFMax {
		s = s[:len(s)-1]
	}
	return s + "..."
}
