package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/eval/probs"
	"github.com/foundling-lm/foundling/generate"
)

type inspectProbsCmd struct {
	Model         string `help:"Model directory or GGUF file, or the name of a model of the store." required:"" placeholder:"MODEL"`
	Prompt        string `help:"Text to go on from; - reads standard input. Empty: from where a document starts."`
	All           bool   `help:"Show the tokens of the prompt too, as if the chain had chosen them."`
	Top           int    `help:"Candidates of each token in the tables." default:"8"`
	HTML          string `name:"html" help:"Write a page with sliders for temperature, top-k, top-p and min-p over the logits of all tokens." placeholder:"FILE"`
	JSON          bool   `name:"json" help:"Print one JSON object instead of tables."`
	decodingFlags `embed:"" set:"maxtokens=5"`
	openFlags
}

// Help is the detail of --help.
func (inspectProbsCmd) Help() string {
	return `Writes --max-tokens tokens and shows for each what every step of the sampling chain
did: the candidates that it left, the probability that these have and that the others
had, the entropy of what is left, and rank and probability of the token that was
chosen. A warning says so where the model looks untrained. The page of --html is one
file and loads nothing.

Examples:

    foundling inspect probs --model run1 --prompt "func main() {" --top-k 40 --min-p 0.05
    foundling inspect probs --model run1 --prompt "func main() {" --html probs.html --all
    foundling inspect probs --model run1 --prompt "Once" --mirostat 2 --json`
}

// The most tokens that are shown: a page holds some 30 kB for each.
const mostExplained = 512

// Validate is called by kong, before the model is opened.
func (c *inspectProbsCmd) Validate() error {
	switch {
	case c.Top < 1 || c.Top > probs.Listed:
		return fmt.Errorf("--top is %d: want 1 to %d", c.Top, probs.Listed)
	case c.MaxTokens > mostExplained:
		return fmt.Errorf("--max-tokens is %d: at most %d are shown", c.MaxTokens, mostExplained)
	}
	return validate(&c.decodingFlags, c.cacheFlags)
}

// inspectedProbs is what --json prints.
type inspectedProbs struct {
	Health eval.Health `json:"health"`
	Tokens []explained `json:"tokens"`
}

// Run prints the tables and writes the page.
func (c *inspectProbsCmd) Run(ctx context.Context) error {
	text := c.Prompt
	if text == "-" {
		var err error
		if text, err = readInput(ctx); err != nil {
			return err
		}
	}
	m, err := openModel(c.openFlags, c.Model)
	if err != nil {
		return err
	}
	defer m.Close()
	prompt, err := m.Bundle.TextPrompt(text)
	if err != nil {
		return fmt.Errorf("--prompt: %w", err)
	}
	o := m.Options(c.decoding())
	ids := prompt
	if c.MaxTokens > 0 {
		r, err := m.Engine.Generate(ctx, prompt, o, nil)
		if err != nil {
			return err
		}
		ids = append(ids[:len(ids):len(ids)], r.IDs...)
	}
	from := len(prompt)
	if c.All {
		from = 1
	}
	if n := len(ids) + 1 - from; n > mostExplained {
		return usageError{fmt.Errorf("%d tokens to show: at most %d can be, shorten the prompt or leave --all out", n, mostExplained)}
	}
	page := probs.Page{Title: "Next-token probabilities of " + c.Model, Settings: settings(o.Sample)}
	page.Note = fmt.Sprintf("%d tokens, %d of them written with seed %d. The sliders begin where the options stood.", len(ids), len(ids)-len(prompt), o.Sample.Seed)
	visit := func(x explained, r generate.Replayed) { page.Places = append(page.Places, pagePlace(m, x, r)) }
	if c.HTML == "" {
		visit = nil
	}
	tokens, health, err := explain(ctx, m, ids, len(prompt), o, from, c.Top, true, visit)
	if err != nil {
		return err
	}
	if c.HTML != "" {
		page.Warning = health.Warning
		if err := page.WriteFile(c.HTML); err != nil {
			return err
		}
	}
	return errors.Join(c.print(tokens, health), note(c.HTML, "sliders over the logits"))
}

func (c *inspectProbsCmd) print(tokens []explained, health eval.Health) error {
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetEscapeHTML(false)
		return e.Encode(inspectedProbs{health, tokens})
	}
	if health.Warning != "" {
		fmt.Fprintln(os.Stderr, "warning:", health.Warning)
	}
	return printExplained(os.Stdout, tokens)
}

// pagePlace is a token on the page. Bias and penalties are not on it: the sliders
// work on the model's logits.
func pagePlace(m *foundling.Model, x explained, r generate.Replayed) probs.Place {
	p := probs.Place{Label: x.Token, ID: x.ID, Prompt: x.Prompt, Row: probs.Compact(r.Logits, r.At.Mask, func(id int32) string { return tokenLabel(m, id) })}
	if x.ID >= 0 {
		p.Rank, p.LogProb = x.Steps[0].Before.Rank, x.LogProb
	}
	return p
}
