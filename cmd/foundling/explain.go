package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/eval/probs"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
)

// explained is what one token was chosen from.
type explained struct {
	Index      int                 `json:"index"` // in the text, prompt included
	ID         int32               `json:"id"`    // -1: nothing was chosen yet
	Token      string              `json:"token"`
	Prompt     bool                `json:"prompt"` // the token was given
	Forced     bool                `json:"forced"` // a constraint left no choice
	LogProb    float64             `json:"logprob"`
	Steps      []sample.StepReport `json:"steps"`
	Candidates []traced            `json:"candidates"`
}

// traced is a candidate through the chain.
type traced struct {
	ID    int32     `json:"id"`
	Token string    `json:"token"`
	Probs []float64 `json:"probabilities"` // for the model, and after each step
}

// explain reads a text whose first prompt ids were given, and says of the tokens
// from index from on what each step of the chain did; next adds the token that is
// not chosen yet. Visit is called with each and its logits.
func explain(ctx context.Context, m *foundling.Model, ids []int32, prompt int, o generate.Options, from, top int, next bool, visit func(explained, generate.Replayed)) ([]explained, eval.Health, error) {
	var out []explained
	var seen eval.Predictions
	err := m.Engine.Replay(ctx, ids, prompt, o, func(r generate.Replayed) {
		seen.Add(ids[r.I], r.Logits)
		x := explained{Index: r.I + 1, ID: -1, Prompt: r.I+1 < prompt, Forced: r.Forced}
		if x.Index < len(ids) {
			x.ID = ids[x.Index]
			x.Token, x.LogProb = tokenLabel(m, x.ID), sample.LogProb(r.Logits, x.ID)
		} else if !next {
			return
		}
		if x.Index < from {
			return
		}
		var watch []int32
		for _, t := range sample.TopN(r.Logits, top) {
			watch = append(watch, t.ID)
		}
		if x.ID >= 0 && !slices.Contains(watch, x.ID) {
			watch = append(watch, x.ID)
		}
		x.Steps = r.Sampler.Explain(r.Logits, r.At, x.ID, watch)
		for i, id := range watch {
			c := traced{ID: id, Token: tokenLabel(m, id), Probs: []float64{x.Steps[0].Before.Probs[i]}}
			for _, s := range x.Steps {
				c.Probs = append(c.Probs, s.After.Probs[i])
			}
			x.Candidates = append(x.Candidates, c)
		}
		for i := range x.Steps {
			for _, z := range []*sample.Snapshot{&x.Steps[i].Before, &x.Steps[i].After} {
				z.Probs, z.Ranks = nil, nil // Candidates have them
			}
		}
		if visit != nil {
			visit(x, r)
		}
		out = append(out, x)
	})
	return out, seen.Health(), err
}

// tokenLabel is an id as quoted text, without the marks; the number where there is
// no tokenizer.
func tokenLabel(m *foundling.Model, id int32) string {
	if m.Bundle.Tokenizer == nil {
		return fmt.Sprint(id)
	}
	q := fmt.Sprintf("%q", tokenText(m, id))
	return q[1 : len(q)-1]
}

// tokenText is what an id stands for inside a text, spaces and all.
func tokenText(m *foundling.Model, id int32) string {
	if text := m.Bundle.Tokenizer.AppendToken(nil, id); len(text) > 0 {
		return string(text)
	}
	return m.Bundle.Tokenizer.DecodeSpecial([]int32{id})
}

// printExplained writes a table a token.
func printExplained(out io.Writer, xs []explained) error {
	for _, x := range xs {
		first, last := x.Steps[0].Before, x.Steps[len(x.Steps)-1].After
		switch {
		case x.ID < 0:
			fmt.Fprintf(out, "\nnext token (%d)\n", x.Index)
		case x.Forced:
			fmt.Fprintf(out, "\ntoken %d: \"%s\" (id %d), forced by the constraint; for the model rank %d, %.4f\n", x.Index, x.Token, x.ID, first.Rank, first.Prob)
		default:
			fmt.Fprintf(out, "\ntoken %d: \"%s\" (id %d), rank %d; %.4f for the model, %.4f when drawn\n", x.Index, x.Token, x.ID, first.Rank, first.Prob, last.Prob)
		}
		w := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(w, "step\tcandidates\tkept\tremoved\tnats\tbits\trank\tp\t\n")
		printSnapshot(w, "model", first)
		fmt.Fprint(w, "\t\n")
		for _, s := range x.Steps {
			if s.Step == "mask" && s.Note == "none" {
				continue
			}
			fmt.Fprintf(w, "%s\t%d\t%.4f\t%.4f\t%.3f\t%.3f\t%s\t%s\t  %s\n", s.Step, s.After.Candidates, s.Kept, s.Removed, s.After.Entropy, s.After.Bits, place(s.After.Rank), probability(s.After.Prob), s.Note)
		}
		fmt.Fprint(w, "\ncandidate\tmodel\t")
		for _, s := range x.Steps {
			if s.Step != "mask" || s.Note != "none" {
				fmt.Fprintf(w, "%s\t", s.Step)
			}
		}
		for _, c := range x.Candidates {
			fmt.Fprintf(w, "\n%s\t", mark(c, x.ID))
			for i, p := range c.Probs {
				if i == 1 && x.Steps[0].Note == "none" {
					continue // the mask
				}
				fmt.Fprintf(w, "%s\t", probability(p))
			}
		}
		fmt.Fprintln(w)
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func printSnapshot(w io.Writer, name string, s sample.Snapshot) {
	fmt.Fprintf(w, "%s\t%d\t\t\t%.3f\t%.3f\t%s\t%s\t", name, s.Candidates, s.Entropy, s.Bits, place(s.Rank), probability(s.Prob))
}

// mark is the candidate's text, with a star for the one that was chosen.
func mark(c traced, chosen int32) string {
	if c.ID == chosen {
		return "* \"" + c.Token + "\""
	}
	return "\"" + c.Token + "\""
}

func place(rank int) string {
	if rank == 0 {
		return "-"
	}
	return fmt.Sprint(rank)
}

func probability(p float64) string {
	if p == 0 {
		return "-"
	}
	return fmt.Sprintf("%.4f", p)
}

// settings are where the sliders of a page begin.
func settings(o sample.Options) probs.Settings {
	o = o.Filled()
	return probs.Settings{Temperature: o.Temperature, TopK: o.TopK, TopP: o.TopP, MinP: o.MinP}
}
