package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/eval/report"
	"github.com/foundling-lm/foundling/tensor/op"
)

// inspectCmds look inside files and models.
type inspectCmds struct {
	Model     inspectCmd          `cmd:"" default:"withargs" help:"What a model directory, a weights file or a tokenizer holds (the default: inspect PATH)."`
	Attention inspectAttentionCmd `cmd:"" help:"What each head of a model looks at in a text."`
	Probs     inspectProbsCmd     `cmd:"" help:"What each token of a text is chosen from, step by step of the sampling chain."`
}

type inspectAttentionCmd struct {
	Model  string `help:"Model directory or GGUF file, or the name of a model of the store." required:"" placeholder:"MODEL"`
	Prompt string `help:"Text to look at; - reads standard input." required:""`
	Layer  int    `help:"Layer of the map on the terminal, from 0." default:"0"`
	Head   int    `help:"Head of the map on the terminal, from 0." default:"0"`
	HTML   string `name:"html" help:"Write a page with queries, keys, values and weights of all heads of all layers." placeholder:"FILE"`
	JSON   bool   `name:"json" help:"Print the head as one JSON object instead of the map."`
	storeFlags
	computeFlags
}

// Help is the detail of --help.
func (inspectAttentionCmd) Help() string {
	return `A row is a token, a column a token that it can see; the darker, the more of its
attention goes there. Each row sums to 1.

Examples:

    foundling inspect attention --model run1 --prompt "func main() {" --layer 2 --head 1
    foundling inspect attention --model run1 --prompt "func main() {" --html attention.html`
}

// mostAttention bounds the tokens: a page holds layers x heads x tokens^2 weights.
const mostAttention = 512

// Run prints the map of one head and writes the page.
func (c *inspectAttentionCmd) Run(ctx context.Context) error {
	text := c.Prompt
	if text == "-" {
		var err error
		if text, err = readInput(ctx); err != nil {
			return err
		}
	}
	m, err := openModel(openFlags{storeFlags: c.storeFlags, computeFlags: c.computeFlags}, c.Model)
	if err != nil {
		return err
	}
	defer m.Close()
	d := m.Bundle.Model.Dims()
	switch {
	case c.Layer < 0 || c.Layer >= d.Layers:
		return usageError{fmt.Errorf("--layer is %d: the model has 0 to %d", c.Layer, d.Layers-1)}
	case c.Head < 0 || c.Head >= d.Heads:
		return usageError{fmt.Errorf("--head is %d: the model has 0 to %d", c.Head, d.Heads-1)}
	}
	ids, err := m.Bundle.TextPrompt(text)
	if err != nil {
		return fmt.Errorf("--prompt: %w", err)
	}
	if len(ids) > mostAttention {
		return usageError{fmt.Errorf("--prompt has %d tokens: at most %d can be shown", len(ids), mostAttention)}
	}
	p := op.NewPass(m.Backend, op.Options{})
	defer p.Close()
	layers, err := eval.ObserveAttention(p, m.Bundle.Model, ids, nil)
	if err != nil {
		return fmt.Errorf("--prompt: %w", err)
	}
	labels := tokenLabels(m, ids)
	if c.HTML != "" {
		if err := attentionPage(c.Model, labels, layers).WriteFile(c.HTML); err != nil {
			return err
		}
	}
	head := layers[c.Layer][c.Head]
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(attentionJSON{c.Layer, c.Head, ids, labels, head.Q, head.K, head.V, head.Weights})
	}
	_, err = fmt.Print(attentionMap(labels, head.Weights))
	return errors.Join(err, note(c.HTML, "queries, keys, values and weights of all heads"))
}

// note says where the page is, and what is on it.
func note(path, what string) error {
	if path == "" {
		return nil
	}
	_, err := fmt.Fprintf(os.Stderr, "%s: %s\n", what, path)
	return err
}

// attentionJSON is what --json prints.
type attentionJSON struct {
	Layer   int         `json:"layer"`
	Head    int         `json:"head"`
	IDs     []int32     `json:"ids"`
	Tokens  []string    `json:"tokens"`
	Q       [][]float64 `json:"q"`
	K       [][]float64 `json:"k"`
	V       [][]float64 `json:"v"`
	Weights [][]float64 `json:"weights"` // rows sum to 1
}

// tokenLabels are the tokens as quoted text, the ids where there is none.
func tokenLabels(m *foundling.Model, ids []int32) []string {
	out := make([]string, len(ids))
	for i := range ids {
		out[i] = tokenLabel(m, ids[i])
	}
	return out
}

// shades are the shares of attention in steps of a seventh.
var shades = []rune(" ·:░▒▓█")

// attentionMap draws a square a token, with the tokens beside their rows.
func attentionMap(labels []string, weights [][]float64) string {
	width := 0
	for _, l := range labels {
		width = max(width, min(16, len([]rune(l))))
	}
	var b strings.Builder
	for t, row := range weights {
		label := []rune(labels[t])
		if len(label) > width {
			label = append(label[:width-1], '…')
		}
		fmt.Fprintf(&b, "%*s%s %3d ", width-len(label), "", string(label), t)
		best := 0
		for i, x := range row[:t+1] {
			s := shades[min(len(shades)-1, int(x*float64(len(shades))))]
			b.WriteRune(s)
			b.WriteRune(s)
			if x > row[best] {
				best = i
			}
		}
		fmt.Fprintf(&b, "| most on %d (%.0f %%)\n", best, 100*row[best])
	}
	return b.String()
}

// attentionPage has every head of every layer.
func attentionPage(name string, labels []string, layers []eval.AttentionLayer) *report.Page {
	p := &report.Page{
		Title:    "Attention of " + name,
		Subtitle: fmt.Sprintf("%d tokens, %d layers of %d heads", len(labels), len(layers), len(layers[0])),
		Footer:   "Weights: row t shows how token t shares its attention out over the tokens before it and itself; it sums to 1. Queries, keys and values: a row is a token, a column a channel; red is positive, blue negative.",
	}
	tokens := report.KeyValues{}
	for i, l := range labels {
		tokens.Rows = append(tokens.Rows, report.KeyValue{Key: fmt.Sprint(i), Value: l})
	}
	p.Sections = append(p.Sections, report.Section{Title: "Tokens", Blocks: []report.Block{report.Fold{Summary: strings.Join(labels, " "), Blocks: []report.Block{tokens}}}})
	for l, layer := range layers {
		s := report.Section{Title: fmt.Sprint("Layer ", l)}
		weights := report.HeatMaps{Title: "Weights"}
		var parts []report.Block
		for h, x := range layer {
			weights.Maps = append(weights.Maps, report.HeatMap{Title: fmt.Sprint("head ", h), Values: x.Weights, Top: 1})
			parts = append(parts, report.HeatMaps{Title: fmt.Sprint("Head ", h), Maps: []report.HeatMap{
				{Title: "queries", Values: x.Q}, {Title: "keys", Values: x.K}, {Title: "values", Values: x.V},
			}})
		}
		s.Blocks = []report.Block{weights, report.Fold{Summary: "Queries, keys and values", Blocks: parts}}
		p.Sections = append(p.Sections, s)
	}
	return p
}
