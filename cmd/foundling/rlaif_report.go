package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// rlaifResult is rlaif.json, and what --json prints.
type rlaifResult struct {
	Out     string                 `json:"out"`
	Method  string                 `json:"method"`
	File    string                 `json:"file"`
	Records int                    `json:"records"` // in the file
	Prompts int                    `json:"prompts"` // to answer
	Given   int                    `json:"given"`   // pairs that were judged as they are
	Unfit   int                    `json:"unfit"`   // prompts that are too long
	Cut     int                    `json:"cut"`     // prompts without enough complete answers
	Tied    int                    `json:"tied"`    // prompts whose answers all have one score
	Skipped dataset.Skips          `json:"skipped"`
	Judge   *posttrain.JudgeReport `json:"judge,omitempty"`
	Cost    float64                `json:"cost,omitempty"` // in the money of --price-in and --price-out
	BestOf  []posttrain.BestOf     `json:"best_of,omitempty"`
	Trained bool                   `json:"trained"`
	Steps   int                    `json:"steps,omitempty"`
	Loss    float64                `json:"loss,omitempty"`
}

const rlaifFile = "rlaif.json"

// why says why there is nothing to learn.
func (x *rlaifResult) why(judged *posttrain.JudgeReport) string {
	s := fmt.Sprintf("%d prompts answered, %d of them without enough answers that end within --max-tokens", x.Prompts-x.Unfit, x.Cut)
	if 2*x.Cut > x.Prompts-x.Unfit {
		s += " (raise it, or have the model learn its end token first: foundling sft)"
	}
	if judged != nil {
		s += fmt.Sprintf("; of %d comparisons %d were decided (%d verdicts turned with the order, %d replies were nonsense, %d never came)", judged.Comparisons, judged.Decided, judged.Swapped, judged.Nonsense, judged.Failed)
	}
	return s
}

// report prints what was done; training has its own panel.
func (r *rlaifRun) report(ctx context.Context) error {
	x := &r.result
	x.Out, x.Method, x.Judge, x.Trained = r.c.Out, r.Options.Method, r.judged, posttrain.Done(r.c.Out)
	if r.judged != nil {
		x.Cost = r.j.cost(r.judged)
	}
	if x.Trained {
		last, err := r.last()
		if err != nil {
			return err
		}
		x.Steps, x.Loss = last.Step, last.Loss
	}
	if err := atomicfile.WriteJSON(filepath.Join(r.c.Out, rlaifFile), x); err != nil {
		return err
	}
	if r.c.JSON {
		return json.NewEncoder(os.Stdout).Encode(x)
	}
	x.print()
	switch {
	case x.Records == 0:
		fmt.Println("there is nothing to learn from: " + x.why(r.judged))
	case !x.Trained:
		command := "dpo"
		if x.Method == byRejection {
			command = "sft"
		}
		fmt.Printf("next: foundling %s --model %s --data %s --out DIR, or the same command with --train\n", command, quoted(r.Options.Model), quoted(x.File))
	case x.Method == byRejection:
		fmt.Printf("%s: %d steps, last loss %.3f nats per trained token\nnext: %s\n", x.Out, x.Steps, x.Loss, r.next())
	default:
		r.judged = nil // printed above
		fmt.Println()
		return r.dpoRun.report(ctx)
	}
	return nil
}

func (x *rlaifResult) print() {
	fmt.Printf("%s: %d records", x.File, x.Records)
	if x.Prompts > 0 {
		fmt.Printf(" of %d prompts answered", x.Prompts-x.Unfit)
	}
	if x.Given > 0 {
		fmt.Printf(", %d pairs judged as they are", x.Given)
	}
	fmt.Println()
	if x.Cut > 0 {
		fmt.Printf("  to %d prompts too few answers ended within --max-tokens\n", x.Cut)
	}
	if x.Judge != nil && x.Judge.Comparisons > 0 {
		printJudge(x.Judge, x.Cost)
	}
	if x.Tied > 0 {
		fmt.Printf("  to %d prompts all answers have one score, so that nothing was chosen there\n", x.Tied)
	}
	if x.BestOf != nil {
		fmt.Println("\nbest of   reward  95 % interval     KL (nats)  log n - (n-1)/n")
		for _, b := range x.BestOf {
			fmt.Printf("%7d %8.3f  %6.3f to %6.3f  %9.4f  %15.4f\n", b.N, b.Reward.Value, b.Reward.Low, b.Reward.High, b.KL, b.Bound)
		}
	}
}
