package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/grammar"
	"github.com/foundling-lm/foundling/generate/partial"
	"github.com/foundling-lm/foundling/text/chat"
)

type generateCmd struct {
	Model         string `help:"Model directory or GGUF file, or the name of a model of the store." required:"" placeholder:"MODEL"`
	Prompt        string `help:"Text to go on from; - reads standard input. Empty: from where a document starts."`
	N             int    `name:"n" help:"Write so many texts in one batch, each with random numbers of its own." default:"1"`
	Budget        int    `help:"New tokens of all texts together, shared out evenly; 0: no bound." placeholder:"N"`
	Raw           bool   `help:"Continue the prompt as text, also where the model answers questions."`
	JSON          bool   `name:"json" help:"Print one JSON object at the end instead of the text as it comes."`
	LogProbs      int    `name:"logprobs" help:"With --json: log-probabilities of so many most probable tokens at each place, prompt included, for the model and after the sampling chain." placeholder:"N"`
	StreamJSON    bool   `name:"stream-json" help:"With --json-schema: print what there is of the value each time that it grows, one JSON text a line."`
	Explain       bool   `help:"Show after the text what each step of the sampling chain did for each token (as inspect probs), the grammar's mask first."`
	decodingFlags `embed:"" set:"maxtokens=256"`
	structuredFlags
	speculateFlags
	openFlags
}

// Help is the detail of --help.
func (generateCmd) Help() string {
	return `A base model continues the prompt; a model fine-tuned on conversations answers it
(--raw: continues it). The text is the same at any number of threads, with or
without speculation (its default mode), and each of --n texts is the same whatever
--n is. With --n above 1, texts are printed when all are done, --json prints one
object a line.

Under --json-schema, --regex, --grammar or --choice the text is complete at any
--max-tokens that is enough for a shortest text; with fewer nothing is written.

Examples:

    foundling generate --model run1 --prompt "What does strings.Cut do?"
    foundling generate --model run1 --raw --prompt "func main() {" --stop "}" --temperature 0
    foundling generate --model run1 --prompt - --json < question.txt
    foundling generate --model run1 --prompt "A person:" --json-schema person.json
    foundling generate --model run1 --prompt "A person:" --json-schema person.json --stream-json
    foundling generate --model run1 --prompt "Is Go compiled?" --choice yes --choice no
    foundling generate --model run1 --prompt "A date:" --regex '[0-9]{4}-[0-9]{2}-[0-9]{2}'
    foundling generate --model run1 --prompt "Think." --json-schema plan.json --grammar-after "</think>"
    foundling generate --model run1 --prompt "A joke:" --n 8 --speculate ngram
    foundling generate --model run1 --prompt "A poem:" --temperature 1.2 --min-p 0.05 --repeat-penalty 1.1
    foundling generate --model run1 --prompt "A poem:" --dry-multiplier 0.8 --xtc-probability 0.5
    foundling generate --model run1 --prompt "A poem:" --mirostat 2 --mirostat-tau 4 --json
    foundling generate --model run1 --prompt "2+2=" --samplers temperature,top_p --top-p 0.9 --logit-bias 13=-1e9
    foundling generate --model run1 --prompt "2+2=" --json --logprobs 5`
}

// generated is what --json prints.
type generated struct {
	Text         string  `json:"text"` // bytes that are not UTF-8 become U+FFFD; ids are exact
	IDs          []int32 `json:"ids"`
	Finish       string  `json:"finish_reason"`            // a generate.Finish constant, or "interrupted"
	Stopped      string  `json:"stopped_before,omitempty"` // of stop_string and stop_regex
	PromptTokens int     `json:"prompt_tokens"`
	Tokens       int     `json:"completion_tokens"`
	Seed         uint64  `json:"seed"`
	Temperature  float64 `json:"temperature"`
	TopK         int     `json:"top_k"`
	TopP         float64 `json:"top_p"`
	Kernels      string  `json:"kernels"`
	Seconds      float64 `json:"seconds"` // of all texts

	Stream     uint64      `json:"stream"`                     // number of the text
	Cached     int         `json:"cached_prompt_tokens"`       // that were not computed again
	Forced     int         `json:"forced_tokens,omitempty"`    // that the grammar left no choice about
	Shifted    int         `json:"forgotten_tokens,omitempty"` // by --context-policy shift
	Sampling   any         `json:"sampling"`                   // all options of the chain, defaults filled in
	Mu         *float64    `json:"mirostat_mu,omitempty"`      // where Mirostat stood at the end
	LogProbs   *logProbs   `json:"logprobs,omitempty"`         // with --logprobs
	Explained  []explained `json:"explained,omitempty"`        // with --explain
	Speculated *speculated `json:"speculation,omitempty"`      // absent without
}

// speculated is what speculation did.
type speculated struct {
	By         string  `json:"by"`
	Mode       string  `json:"mode"`
	Drafted    int     `json:"drafted"`
	Accepted   int     `json:"accepted"`
	Acceptance float64 `json:"acceptance"`
	Steps      int     `json:"steps"`              // of the model
	SpeedUp    float64 `json:"speed_up,omitempty"` // against the steps of this text that had no guess; absent where there was none
}

// Validate is called by kong, before the model is opened.
func (c *generateCmd) Validate() error {
	switch {
	case c.N < 1 || c.N > generate.MaxCandidates:
		return fmt.Errorf("--n is %d: it must be 1 to %d", c.N, generate.MaxCandidates)
	case c.Budget < 0 || c.Budget > 0 && c.Budget < c.N:
		return fmt.Errorf("--budget is %d: it must be at least a token for each of --n %d texts, or 0 for no bound", c.Budget, c.N)
	case c.Explain && c.ContextPolicy == string(generate.ContextShift):
		return errors.New("--explain and --context-policy shift: a text of which the beginning is forgotten cannot be read again, leave one of them out")
	case c.StreamJSON && (c.JSONSchema == "" || c.GrammarAfter != "" || c.JSON || c.N > 1 || c.Explain):
		return errors.New("--stream-json shows one value of a --json-schema as it grows: leave --grammar-after, --json, --n and --explain out")
	case c.LogProbs < 0 || c.LogProbs > 0 && !c.JSON:
		return errors.New("--logprobs wants a number above 0, and --json to print them (inspect probs shows tables)")
	}
	if err := c.structuredFlags.check(); err != nil {
		return err
	}
	return validate(&c.decodingFlags, c.speculateFlags, c.cacheFlags)
}

// Run writes the text to standard output.
func (c *generateCmd) Run(ctx context.Context) error {
	prompt := c.Prompt
	if prompt == "-" {
		var err error
		if prompt, err = readInput(ctx); err != nil {
			return err
		}
	}
	m, err := openSpeculating(c.openFlags, c.speculateFlags, c.Model)
	if err != nil {
		return err
	}
	defer m.Close()
	if m.Bundle.Tokenizer == nil && (!c.JSON || len(c.Stop) > 0) {
		return fmt.Errorf("%s has no tokenizer to write text with (use --json for ids, without --stop): %w", c.Model, m.Bundle.NoTokens)
	}
	if err := c.within(m.Bundle.Model.Dims().Vocab); err != nil {
		return err
	}
	ids, err := c.encode(m, prompt)
	if err != nil {
		return fmt.Errorf("--prompt: %w", err)
	}
	d := c.decoding()
	if d.Grammar, err = c.compile(ctx, m); err != nil {
		return err
	}
	o := m.Options(d)
	o.Budget, o.LogProbs = c.Budget, c.LogProbs
	if m.Bundle.Chat && !c.Raw {
		o.StopIDs = m.Bundle.Stops()
	}
	d.Heal = c.Heal
	if ids, err = m.Begin(ids, d, &o); err != nil {
		return fmt.Errorf("--prompt: %w", err)
	}
	requests, err := generate.Candidates(ids, o, c.N)
	if err != nil {
		return err
	}
	start := time.Now()
	show, stream := c.show(), jsonStream{w: os.Stdout}
	if c.StreamJSON {
		show = stream.piece
	}
	results, err := m.Engine.GenerateAll(ctx, requests, show)
	var budget *grammar.BudgetError
	switch {
	case results == nil && errors.As(err, &budget):
		return tooFew(budget, c.MaxTokens, m.Bundle.Model.Dims().Context-len(ids))
	case results == nil:
		return fmt.Errorf("--prompt: %w", err)
	}
	if ctx.Err() != nil {
		written := 0
		for _, r := range results {
			written += len(r.IDs)
			if r.Finish == "" {
				r.Finish = "interrupted"
			}
		}
		err = interrupted("%s written", count(written, "token"))
	} else if c.StreamJSON && err == nil {
		err = stream.close()
	}
	return errors.Join(c.finish(ctx, m, requests, results, time.Since(start)), err)
}

// encode is the prompt as ids.
func (c *generateCmd) encode(m *foundling.Model, prompt string) ([]int32, error) {
	if !m.Bundle.Chat || c.Raw || prompt == "" {
		return m.Bundle.TextPrompt(prompt)
	}
	ids, _, err := m.Bundle.ChatPrompt([]chat.Message{{Role: chat.RoleUser, Content: prompt}}, 1)
	return ids, err
}

// show prints the text as it comes.
func (c *generateCmd) show() func(int, generate.Piece) bool {
	if c.JSON || c.N > 1 {
		return nil
	}
	return func(_ int, p generate.Piece) bool {
		_, err := os.Stdout.WriteString(p.Text)
		return err == nil
	}
}

// jsonStream prints a value as it grows, a line for each time.
type jsonStream struct {
	w     io.Writer
	text  partial.Decoder
	shown []byte
}

func (j *jsonStream) piece(_ int, p generate.Piece) bool {
	_, err := j.text.Write([]byte(p.Text))
	return err == nil && j.print() == nil
}

// print shows what there is of the value, if that is more than before.
func (j *jsonStream) print() error {
	var line bytes.Buffer
	if s := j.text.Snapshot(); s == nil || json.Compact(&line, s) != nil || bytes.Equal(line.Bytes(), j.shown) {
		return nil
	}
	j.shown = append(j.shown[:0], line.Bytes()...)
	line.WriteByte('\n')
	_, err := j.w.Write(line.Bytes())
	return err
}

// close shows the whole value. The error says what is missing.
func (j *jsonStream) close() error {
	if err := j.text.Close(); err != nil {
		return err
	}
	return j.print()
}

func (c *generateCmd) finish(ctx context.Context, m *foundling.Model, requests []generate.Request, results []*generate.Result, took time.Duration) error {
	e := json.NewEncoder(os.Stdout)
	e.SetEscapeHTML(false)
	for i, r := range results {
		if c.JSON {
			g := c.generated(m, requests[i], r, took)
			if err := c.look(ctx, m, requests[i], r, &g); err != nil {
				return err
			}
			if err := e.Encode(g); err != nil {
				return err
			}
			continue
		}
		if c.N > 1 {
			fmt.Printf("--- %d of %d (%s)\n%s", i+1, c.N, r.Finish, r.Text)
		}
		if !strings.HasSuffix(r.Text, "\n") && !c.StreamJSON {
			fmt.Println()
		}
		context := m.Bundle.Model.Dims().Context
		notes, which := []string{ending(r, context, &requests[i].Options), shifted(r, context)}, ""
		if c.N > 1 { // the end is in the line above the text
			notes, which = notes[1:], fmt.Sprintf("text %d: ", i+1)
		}
		for _, s := range notes {
			if s != "" {
				fmt.Fprintf(os.Stderr, "note: %s%s\n", which, s)
			}
		}
	}
	if c.Explain && !c.JSON {
		for i, r := range results {
			var g generated
			if err := c.look(ctx, m, requests[i], r, &g); err != nil {
				return err
			}
			if c.N > 1 {
				fmt.Printf("\n--- %d of %d\n", i+1, c.N)
			}
			if err := printExplained(os.Stdout, g.Explained); err != nil {
				return err
			}
		}
	}
	if !c.JSON && c.Speculate != "" {
		c.summary(results, took)
	}
	return nil
}

// generated is a text as --json prints it.
func (c *generateCmd) generated(m *foundling.Model, q generate.Request, r *generate.Result, took time.Duration) generated {
	o := q.Sample.Filled()
	g := generated{
		Sampling: o, Text: r.Text, IDs: append([]int32{}, r.IDs...), Finish: r.Finish, Stopped: r.Stopped, PromptTokens: len(q.Prompt), Tokens: len(r.IDs),
		Seed: o.Seed, Temperature: o.Temperature, TopK: o.TopK, TopP: o.TopP,
		Kernels: m.Backend.Kernels(), Seconds: took.Seconds(), Stream: q.Stream, Cached: r.Cached,
		Forced: r.Forced, Shifted: r.Shifted,
	}
	if o.Mirostat == 2 {
		g.Mu = &r.Mu
	}
	if c.Speculate != "" {
		x := &r.Speculated
		g.Speculated = &speculated{c.Speculate, c.SpeculateMode, x.Drafted, x.Accepted, x.Acceptance(), x.Steps, x.SpeedUp()}
	}
	return g
}

// look adds to g what the tokens were chosen from, as far as it is asked for.
func (c *generateCmd) look(ctx context.Context, m *foundling.Model, q generate.Request, r *generate.Result, g *generated) (err error) {
	if c.LogProbs > 0 {
		prompt, err := m.Engine.Details(ctx, q.Prompt, len(q.Prompt), q.Options)
		if err != nil {
			return err
		}
		scores, err := m.Engine.ScoreAll(ctx, [][]int32{q.Prompt}, 0)
		if err != nil {
			return err
		}
		g.LogProbs = &logProbs{newLogProbs(m, r.IDs, r.LogProbs, r.Details), newLogProbs(m, q.Prompt[1:], scores[0].LogProbs, prompt)}
	}
	if c.Explain {
		ids := append(q.Prompt[:len(q.Prompt):len(q.Prompt)], r.IDs...)
		g.Explained, _, err = explain(ctx, m, ids, len(q.Prompt), q.Options, len(q.Prompt), explainTop, false, nil)
	}
	return err
}

// explainTop is how many candidates --explain shows of each token.
const explainTop = 8

// summary says on standard error what speculation did for all texts.
func (c *generateCmd) summary(results []*generate.Result, took time.Duration) {
	var x generate.Speculated
	tokens := 0
	for _, r := range results {
		tokens += len(r.IDs)
		x.Add(&r.Speculated)
	}
	fmt.Fprintf(os.Stderr, "%s in %.2f s; %d of %d guesses right (%.0f %%)", count(tokens, "token"), took.Seconds(), x.Accepted, x.Drafted, 100*x.Acceptance())
	if s := x.SpeedUp(); s > 0 {
		fmt.Fprintf(os.Stderr, ", %.2f times as fast as without", s)
	}
	fmt.Fprintln(os.Stderr)
}
