package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/foundling-lm/foundling/eval"
)

// evalCmd measures models.
type evalCmd struct {
	Perplexity perplexityCmd `cmd:"" help:"How well a model foretells a text: perplexity and bits per byte."`
}

type perplexityCmd struct {
	Model    string `help:"Model directory or GGUF file, or the name of a model of the store." required:"" placeholder:"MODEL"`
	Data     string `help:"File of text; - reads standard input." required:"" placeholder:"FILE"`
	Context  int    `help:"Tokens that the model sees at a time; 0 means its context." placeholder:"N"`
	Stride   int    `help:"Tokens from one window to the next; 0 means half a window. Tokens that two windows hold are scored in the first." placeholder:"N"`
	LlamaCpp bool   `name:"llama-cpp" help:"Count as llama.cpp's perplexity tool does: windows side by side (512 tokens unless --context says), each beginning with the start token, and only their second halves count."`
	JSON     bool   `name:"json" help:"Print one JSON object."`
	openFlags
}

// Help is the detail of --help.
func (perplexityCmd) Help() string {
	return `Perplexity is of tokens: only models with the same tokenizer can be compared by
it. Bits per byte compare any models. The intervals hold 95 % of bootstraps over
windows; one window alone has none.

Examples:

    foundling eval perplexity --model run1 --data notes.txt
    foundling eval perplexity --model run1 --data wiki.test.raw --llama-cpp --json`
}

// perplexityResult is what --json prints.
type perplexityResult struct {
	Perplexity    float64     `json:"perplexity"`
	Interval      *[2]float64 `json:"perplexity_95,omitempty"` // none of one window
	StandardError float64     `json:"standard_error"`          // of independent tokens
	BitsPerByte   float64     `json:"bits_per_byte"`
	BPBInterval   *[2]float64 `json:"bits_per_byte_95,omitempty"`
	NLL           float64     `json:"nats_per_token"`
	Tokens        int         `json:"tokens"`
	Bytes         int         `json:"bytes"`
	Windows       int         `json:"windows"`
	Context       int         `json:"context"`
	LlamaCpp      bool        `json:"llama_cpp"`
	Kernels       string      `json:"kernels"`
}

const llamaCppContext = 512

// Validate is called by kong, before the model is opened.
func (c *perplexityCmd) Validate() error {
	if c.Context < 0 || c.Stride < 0 {
		return errors.New("--context and --stride must be positive, or 0 for the default")
	}
	if c.LlamaCpp && c.Stride != 0 {
		return errors.New("--llama-cpp has no --stride: its windows stand side by side")
	}
	return c.cacheFlags.Validate()
}

// Run measures and prints.
func (c *perplexityCmd) Run(ctx context.Context) error {
	text, err := c.read(ctx)
	if err != nil {
		return err
	}
	m, err := openModel(c.openFlags, c.Model)
	if err != nil {
		return err
	}
	defer m.Close()
	if m.Bundle.Tokenizer == nil {
		return fmt.Errorf("%s has no tokenizer to read text with: %w", c.Model, m.Bundle.NoTokens)
	}
	ids, err := m.Bundle.TextPrompt(text)
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	most := m.Bundle.Model.Dims().Context
	o := eval.PerplexityOptions{Context: c.Context, Stride: c.Stride, Halves: c.LlamaCpp, Start: -1}
	if start := m.Bundle.Start(); len(start) > 0 {
		o.Start = start[0]
	}
	if o.Context == 0 {
		o.Context = most
		if c.LlamaCpp {
			o.Context = min(most, llamaCppContext)
		}
	}
	tokens := m.Bundle.TokenBytes()
	size := func(id int32) int {
		if int(id) >= len(tokens) {
			return 0
		}
		return len(tokens[id])
	}
	if o.Context < 2 || o.Context > most {
		return usageError{fmt.Errorf("--context is %d: the model takes 2 to %d", o.Context, most)}
	}
	if o.Stride > o.Context {
		return usageError{fmt.Errorf("--stride is %d: it must be at most a window, %d tokens", o.Stride, o.Context)}
	}
	p, err := eval.MeasurePerplexity(ctx, m.Engine, ids, most, size, o)
	if errors.Is(err, context.Canceled) {
		return interrupted("nothing is saved")
	} else if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	r := perplexityResult{
		Perplexity: p.PerToken.Value, StandardError: p.StandardError, BitsPerByte: p.BitsPerByte.Value, NLL: p.NLL,
		Tokens: p.Tokens, Bytes: p.Bytes, Windows: p.Windows, Context: o.Context, LlamaCpp: c.LlamaCpp, Kernels: m.Backend.Kernels(),
	}
	if p.Windows > 1 {
		r.Interval = &[2]float64{p.PerToken.Low, p.PerToken.High}
		r.BPBInterval = &[2]float64{p.BitsPerByte.Low, p.BitsPerByte.High}
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	windows := fmt.Sprintf("%d windows", r.Windows)
	if r.Windows == 1 {
		windows = "1 window (too few for an interval)"
	}
	_, err = fmt.Printf("perplexity     %.4f%s\nbits per byte  %.4f%s\n%d tokens, %d bytes, %s of %d tokens\n",
		r.Perplexity, limits(r.Interval), r.BitsPerByte, limits(r.BPBInterval), r.Tokens, r.Bytes, windows, r.Context)
	return err
}

// limits are the ends of an interval behind its estimate.
func limits(ends *[2]float64) string {
	if ends == nil {
		return ""
	}
	return fmt.Sprintf("   95 %%: %.4f to %.4f", ends[0], ends[1])
}

func (c *perplexityCmd) read(ctx context.Context) (string, error) {
	if c.Data == "-" {
		return readInput(ctx)
	}
	text, err := os.ReadFile(c.Data)
	return string(text), err
}
