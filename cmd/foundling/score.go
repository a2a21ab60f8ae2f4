package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
)

// scoreTop is how many candidates for the next token an answer lists.
const scoreTop = 10

type scoreCmd struct {
	Model string `help:"Model directory or GGUF file, or the name of a model of the store." required:"" placeholder:"MODEL"`
	JSONL bool   `name:"jsonl" help:"Read {\"text\":...} or {\"ids\":[...]} a line, answer {\"ids\":[...],\"logprobs\":[...],\"top\":[[id,logprob],...]} a line."`
	Start bool   `help:"Put the token that documents start with before a text, so that its first token has a probability too."`
	promptTemplate
	openFlags
}

// Help is the detail of --help.
func (scoreCmd) Help() string {
	return `Logarithms are natural. Lines that wait are scored in batches; the numbers are the
same. logprobs has one number for each token after the first;
top lists the most probable tokens for the position after the last. Without
--jsonl, standard input is one text, and every token is printed with its
log-probability. A reward model answers with a score, a classifier with a class and
the probabilities of all, to {"prompt":...,"completion":...}, {"text":...} or ids.

Examples:

    echo '{"text":"func main() {"}' | foundling score --model run1 --jsonl
    echo '{"ids":[1,403,407]}' | foundling score --model stories --jsonl
    foundling score --model run1 --start < main.go`
}

// scored is the answer to a line.
type scored struct {
	IDs      []int32   `json:"ids"`
	LogProbs []float64 `json:"logprobs"`
	Top      [][2]any  `json:"top"` // id, log-probability
}

// Run answers standard input.
func (c *scoreCmd) Run(ctx context.Context) error {
	m, err := openAny(c.openFlags, speculateFlags{}, c.Model)
	if err != nil {
		return err
	}
	defer m.Close()
	if m.Bundle.Head != nil {
		return c.heads(ctx, m)
	}
	if !c.JSONL {
		return c.table(ctx, m)
	}
	return eachBatch(ctx, os.Stdin, os.Stdout, scoreBatch, c.ids(m), func(batch [][]int32) ([]any, error) {
		scores, err := score(ctx, m, batch)
		if err != nil {
			return nil, err
		}
		answers := make([]any, len(batch))
		for i, s := range scores {
			a := scored{IDs: batch[i], LogProbs: s.LogProbs, Top: make([][2]any, len(s.Top))}
			for j, t := range s.Top {
				a.Top[j] = [2]any{t.ID, t.LogProb}
			}
			answers[i] = a
		}
		return answers, nil
	})
}

// scoreBatch is how many lines, of those that wait, go through the model together.
const scoreBatch = 32

// ids reads a line.
func (c *scoreCmd) ids(m *foundling.Model) func(line []byte) ([]int32, error) {
	return func(line []byte) ([]int32, error) {
		r, err := parseRecord(line)
		if err != nil {
			return nil, err
		}
		text, isText := r.text()
		switch {
		case isText && r.IDs != nil:
			return nil, errors.New("it has text and ids: give one of them")
		case !isText && r.IDs == nil:
			return nil, errors.New(`fields text and ids are missing: give {"text":...} or {"ids":[...]}`)
		case isText:
			ids, err := c.encode(m, text)
			if err != nil {
				return nil, err
			}
			r.IDs = &ids
		}
		return *r.IDs, m.Engine.Readable(*r.IDs)
	}
}

func (c *scoreCmd) encode(m *foundling.Model, text string) ([]int32, error) {
	if m.Bundle.Tokenizer == nil {
		return nil, fmt.Errorf(`%s has no tokenizer to read text with: give {"ids":[...]}: %w`, c.Model, m.Bundle.NoTokens)
	}
	if c.chat() {
		return c.question(m.Bundle, text)
	}
	if c.Start {
		return m.Bundle.TextPrompt(text)
	}
	return m.Bundle.Tokenizer.Encode(text), nil
}

// score refuses numbers that JSON cannot hold.
func score(ctx context.Context, m *foundling.Model, texts [][]int32) ([]*generate.Score, error) {
	scores, err := m.Engine.ScoreAll(ctx, texts, scoreTop)
	if err != nil {
		return nil, err
	}
	for _, s := range scores {
		for i, x := range s.LogProbs {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, fmt.Errorf("the log-probability of token %d is %v: the model's weights are damaged", i+1, x)
			}
		}
		for _, t := range s.Top {
			if math.IsNaN(t.LogProb) {
				return nil, errors.New("the log-probabilities of the next token are not numbers: the model's weights are damaged")
			}
		}
	}
	return scores, nil
}

// table prints one text token by token.
func (c *scoreCmd) table(ctx context.Context, m *foundling.Model) error {
	text, err := readInput(ctx)
	if err != nil {
		return err
	}
	ids, err := c.encode(m, text)
	if err != nil {
		return err
	}
	scores, err := score(ctx, m, [][]int32{ids})
	if err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	s := scores[0]
	w := bufio.NewWriter(os.Stdout)
	var sum float64
	for i, id := range ids {
		if i == 0 {
			fmt.Fprintf(w, "%10s  %6d  %q\n", "", id, m.Bundle.Tokenizer.DecodeSpecial(ids[:1]))
			continue
		}
		sum += s.LogProbs[i-1]
		fmt.Fprintf(w, "%10.4f  %6d  %q\n", s.LogProbs[i-1], id, m.Bundle.Tokenizer.DecodeSpecial(ids[i:i+1]))
	}
	if n := len(ids) - 1; n > 0 {
		bytes := len(m.Bundle.Tokenizer.Decode(ids[1:]))
		fmt.Fprintf(w, "%s, %s: %.4f nats a token, %.4f bits a byte\n", count(n, "token"), count(bytes, "byte"), -sum/float64(n), -sum/math.Ln2/float64(max(1, bytes)))
	}
	fmt.Fprintln(w, "next:", describeTop(m, s.Top))
	return flush(w)
}

func describeTop(m *foundling.Model, top []sample.Token) string {
	out := ""
	for _, t := range top {
		out += fmt.Sprintf(" %q %.1f%%", m.Bundle.Tokenizer.DecodeSpecial([]int32{t.ID}), 100*math.Exp(t.LogProb))
	}
	return out
}
