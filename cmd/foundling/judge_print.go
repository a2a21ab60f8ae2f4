package main

import (
	"fmt"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// printJudge says what a judge did and how far it can be trusted.
func printJudge(r *posttrain.JudgeReport, cost float64) {
	fmt.Printf("judge: %d comparisons, each in both orders: %d decided; the verdict turned with the order in %d, and was a draw in %d\n", r.Comparisons, r.Decided, r.Swapped, r.Draws)
	if r.Nonsense+r.Failed > 0 {
		fmt.Printf("  %d replies were nonsense, %d never came; the first: %q\n", r.Nonsense, r.Failed, r.Said)
	}
	fmt.Printf("  the first place is preferred with probability %.3f (0.5: no bias of position)\n", r.FirstPlace)
	if r.LongerOf > 0 {
		fmt.Printf("  the longer answer is preferred in %s\n", shareOf(r.Longer, r.LongerOf))
	}
	if r.AgreesOf > 0 {
		fmt.Printf("  it agrees with people in %s; the longer answer does in %s\n", shareOf(r.Agrees, r.AgreesOf), shareOf(r.LongerGold, r.AgreesOf))
	}
	fmt.Printf("  cost: %d tokens of questions, %d of replies, %.1f s", r.PromptTokens, r.CompletionTokens, r.Seconds)
	if r.Retries > 0 {
		fmt.Printf(", %d repeated attempts", r.Retries)
	}
	if cost > 0 {
		fmt.Printf(", %.4f in money", cost)
	}
	fmt.Println()
}

// shareOf is a share with its 95 % interval.
func shareOf(k, n int) string {
	i := eval.Wilson(k, n, eval.Z95)
	return fmt.Sprintf("%.1f %% of %d (95 %% interval %.1f to %.1f)", 100*i.Value, n, 100*i.Low, 100*i.High)
}
