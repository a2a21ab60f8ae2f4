package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/text/chat"
)

type generateCmd struct {
	Model         string   `help:"Model directory or GGUF file, or the name of a model of the store." required:"" placeholder:"MODEL"`
	Prompt        string   `help:"Text to go on from; - reads standard input. Empty: from where a document starts."`
	Stop          []string `help:"End before this text; repeat for more." placeholder:"TEXT" sep:"none"`
	Raw           bool     `help:"Continue the prompt as text, also where the model answers questions."`
	JSON          bool     `name:"json" help:"Print one JSON object at the end instead of the text as it comes."`
	decodingFlags `embed:"" set:"maxtokens=256"`
	storeFlags
	computeFlags
}

// Help is the detail of --help.
func (generateCmd) Help() string {
	return `A base model continues the prompt; a model fine-tuned on conversations answers it
(--raw: continues it). The text is the same at any number of threads.

Examples:

    foundling generate --model run1 --prompt "What does strings.Cut do?"
    foundling generate --model run1 --raw --prompt "func main() {" --stop "}" --temperature 0
    foundling generate --model run1 --prompt - --json < question.txt`
}

// generated is what --json prints.
type generated struct {
	Text         string  `json:"text"` // bytes that are not UTF-8 become U+FFFD; ids are exact
	IDs          []int32 `json:"ids"`
	Finish       string  `json:"finish_reason"` // "stop", "length", "context", "interrupted"
	PromptTokens int     `json:"prompt_tokens"`
	Tokens       int     `json:"completion_tokens"`
	Seed         uint64  `json:"seed"`
	Temperature  float64 `json:"temperature"`
	TopK         int     `json:"top_k"`
	TopP         float64 `json:"top_p"`
	Kernels      string  `json:"kernels"`
	Seconds      float64 `json:"seconds"`
}

// Run writes the text to standard output.
func (c *generateCmd) Run(ctx context.Context) error {
	if slices.Contains(c.Stop, "") {
		return usageError{errors.New("--stop is empty: give the text to end before")}
	}
	prompt := c.Prompt
	if prompt == "-" {
		var err error
		if prompt, err = readInput(ctx); err != nil {
			return err
		}
	}
	m, err := openModel(c.computeFlags, c.storeFlags, c.Model)
	if err != nil {
		return err
	}
	defer m.Close()
	if m.Tokenizer == nil && (!c.JSON || len(c.Stop) > 0) {
		return fmt.Errorf("%s has no tokenizer to write text with (use --json for ids, without --stop): %w", c.Model, m.NoTokens)
	}
	ids, err := c.encode(m, prompt)
	if err != nil {
		return fmt.Errorf("--prompt: %w", err)
	}
	o := c.decodingFlags.options(m.Generation)
	o.Stop = c.Stop
	if m.Chat && !c.Raw {
		o.StopIDs = m.Stops()
	}
	start := time.Now()
	r, err := m.engine.Generate(ctx, ids, o, c.show())
	if r == nil {
		return fmt.Errorf("--prompt: %w", err)
	}
	if err != nil {
		r.Finish = "interrupted"
		err = interrupted("%d tokens were written", len(r.IDs))
	}
	return errors.Join(c.finish(m, ids, o, r, time.Since(start)), err)
}

// encode is the prompt as ids.
func (c *generateCmd) encode(m *opened, prompt string) ([]int32, error) {
	if !m.Chat || c.Raw || prompt == "" {
		return m.TextPrompt(prompt)
	}
	ids, _, err := m.ChatPrompt([]chat.Message{{Role: chat.RoleUser, Content: prompt}}, 1)
	return ids, err
}

// show prints the text as it comes.
func (c *generateCmd) show() func(generate.Piece) bool {
	if c.JSON {
		return nil
	}
	return func(p generate.Piece) bool {
		_, err := os.Stdout.WriteString(p.Text)
		return err == nil
	}
}

func (c *generateCmd) finish(m *opened, prompt []int32, o generate.Options, r *generate.Result, took time.Duration) error {
	if !c.JSON {
		if !strings.HasSuffix(r.Text, "\n") {
			fmt.Println()
		}
		return nil
	}
	e := json.NewEncoder(os.Stdout)
	e.SetEscapeHTML(false)
	return e.Encode(generated{
		Text: r.Text, IDs: append([]int32{}, r.IDs...), Finish: r.Finish, PromptTokens: len(prompt), Tokens: len(r.IDs),
		Seed: o.Sample.Seed, Temperature: o.Sample.Temperature, TopK: o.Sample.TopK, TopP: o.Sample.TopP,
		Kernels: m.backend.Kernels(), Seconds: took.Seconds(),
	})
}
