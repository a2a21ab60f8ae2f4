package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/objective"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// dpoResult is what --json prints.
type dpoResult struct {
	Out      string                     `json:"out"`
	Steps    int                        `json:"steps"`
	Loss     float64                    `json:"loss"` // of a unit, mean of the last tenth of the steps
	Read     *posttrain.PreferenceTally `json:"read,omitempty"`
	Held     int                        `json:"held_out,omitempty"`
	Before   map[string]float64         `json:"before,omitempty"` // held-out figures
	After    map[string]float64         `json:"after,omitempty"`
	Accuracy []float64                  `json:"accuracy,omitempty"` // held-out, with its 95 % interval
	Rounds   []roundSummary             `json:"rounds,omitempty"`
	Judge    *posttrain.JudgeReport     `json:"judge,omitempty"`
	Cost     float64                    `json:"cost,omitempty"`
	Remarks  []posttrain.Remark         `json:"remarks"`
	Panel    string                     `json:"panel"`
}

// report writes panel.html and prints what was done.
func (r *dpoRun) report(context.Context) error {
	log, err := train.ReadMetrics(filepath.Join(r.c.Out, train.MetricsFile))
	if err != nil {
		return err
	}
	last, err := r.last()
	if err != nil {
		return err
	}
	p := posttrain.Panel{
		Title: "Preferences: " + filepath.Base(r.c.Out), Log: log,
		Reference: r.has(func(m objective.PreferenceMethod) bool { return m.Reference }),
	}
	x := dpoResult{Out: r.c.Out, Steps: last.Step, Loss: last.Loss, Judge: r.judged, Panel: filepath.Join(r.c.Out, posttrain.PanelFile)}
	if r.reader != nil {
		x.Read, x.Held, p.Longer = &r.reader.Tally, len(r.held), r.reader.Tally.LongerChosen
	}
	if len(r.held) > 0 && len(log) > 0 {
		if _, err := atomicfile.ReadJSON(filepath.Join(r.c.Out, beforeFile), &p.Before); err != nil {
			return err
		}
		p.After = heldFigures(log[len(log)-1])
		for _, h := range r.held {
			if h.Chosen != nil && h.Rejected != nil {
				p.HeldPairs++
			}
		}
		x.Before, x.After = p.Before, p.After
		if a := p.Accuracy(); a.N > 0 {
			x.Accuracy = []float64{a.Value, a.Low, a.High}
		}
	}
	if r.Options.Online {
		if x.Rounds, err = r.allRounds(); err != nil {
			return err
		}
	}
	if x.Remarks = p.Remarks(); r.judged != nil {
		x.Cost = r.j.cost(r.judged)
	}
	if err := p.Page().WriteFile(x.Panel); err != nil {
		return err
	}
	if r.c.JSON {
		return json.NewEncoder(os.Stdout).Encode(x)
	}
	r.print(&x)
	return nil
}

// heldFigures are the held-out figures of a step.
func heldFigures(m train.Metrics) map[string]float64 {
	f := map[string]float64{}
	for name, x := range m.Extra {
		if name, ok := strings.CutPrefix(name, posttrain.HeldPrefix); ok {
			f[name] = x
		}
	}
	return f
}

// allRounds reads the rounds of the run.
func (r *dpoRun) allRounds() (out []roundSummary, err error) {
	for n := 0; ; n++ {
		x, err := posttrain.ReadRound(r.c.Out, n)
		if err != nil || x == nil {
			return out, err
		}
		out = append(out, roundOf(x))
	}
}

func (r *dpoRun) print(x *dpoResult) {
	fmt.Printf("%s: %d steps, last loss %.4f\n", x.Out, x.Steps, x.Loss)
	if x.After != nil {
		fmt.Println("\nheld out                 before       after")
		for _, name := range []string{"loss", posttrain.RewardsAccuracy, posttrain.RewardsMargins, posttrain.LogpsChosen, posttrain.LogpsRejected} {
			if after, ok := x.After[name]; ok {
				fmt.Printf("%-20s %10.3f  %10.3f\n", name, x.Before[name], after)
			}
		}
	}
	if x.Rounds != nil {
		fmt.Println("\nround   score    best  KL (nats)  pairs")
		for _, s := range x.Rounds {
			fmt.Printf("%5d %7.3f %7.3f %10.3f %6d\n", s.Round, s.Score, s.Best, s.KL, s.Pairs)
		}
	}
	if x.Judge != nil {
		fmt.Println()
		printJudge(x.Judge, x.Cost)
	}
	if len(x.Remarks) > 0 {
		fmt.Println()
	}
	for _, m := range x.Remarks {
		mark := "-"
		if m.Worry {
			mark = "!"
		}
		fmt.Println(mark, m.Text)
	}
	fmt.Printf("\npanel: %s\nnext: %s\n", x.Panel, r.next())
}
