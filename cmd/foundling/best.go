package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/grammar"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/text/chat"
)

// bestCmd makes several candidates and chooses.
type bestCmd struct {
	Model      string  `help:"Model directory or GGUF file, or the name of a model of the store." required:"" placeholder:"MODEL"`
	Prompt     string  `help:"Text to go on from; - reads standard input. Empty: from where a document starts."`
	N          int     `name:"n" help:"Candidates, or with --beam the width of the beam." default:"16"`
	Raw        bool    `help:"Continue the prompt as text, also where the model answers questions."`
	Beam       bool    `help:"Take the texts that beam search finds instead of sampling."`
	Groups     int     `help:"With --beam: groups of hypotheses that are kept apart (diverse beam search)." placeholder:"N"`
	Diversity  float64 `help:"With --groups: what a token costs, in nats, for every group before that takes it in the same step." placeholder:"NATS"`
	StopEarly  string  `help:"Draw no more candidates when the vote is decided: certain (no vote can change it) or beta (with --confidence). Needs --extract." enum:",certain,beta" default:"" placeholder:"certain|beta"`
	Confidence float64 `help:"Of --stop-early beta." default:"0.95"`
	Round      int     `help:"With --stop-early: candidates that are drawn at a time." default:"4"`
	JSON       bool    `name:"json" help:"Print one JSON object."`
	selectFlags
	decodingFlags `embed:"" set:"maxtokens=256"`
	structuredFlags
	openFlags
}

// Help is the detail of --help.
func (bestCmd) Help() string {
	return `Draws candidates in one batch that reads the prompt once, and prints each selector's
choice; the text at the end is the choice of the first selector. Candidate i is the same
text for any --n, any number of threads and any batch. Where candidates are equal the
lowest number wins. Where the first selector finds none fit, the next one's choice is
printed; exit code 1 where no selector chose.

  sumlogp, meanlogp, gnmt   log-probability of the text: whole, per token, over the length penalty
  majority, weighted        the answer that most candidates give; weighted by probability per token
                            (by --reward-cmd where it is given)
  verifier, verified-vote   the first candidate that passes; a vote of those that pass
  reward, heuristic         the highest reward; the fewest broken rules
  first, pick               what one sample gives; your own choice, asked for

Examples:

    foundling best --model run1 --prompt "What does strings.Cut do?" --n 8
    foundling best --model m --prompt "Q: 17 * 3? A:" --extract number --select majority,meanlogp
    foundling best --model m --prompt "func Max(" --raw --verify-cmd "gofmt -e"
    foundling best --model m --prompt - --schema person.json --json < question.txt
    foundling best --model m --prompt "2+2=" --n 64 --extract number --stop-early beta
    foundling best --model m --prompt "A date:" --regex '[0-9]{4}-[0-9]{2}' --beam --n 4
    foundling best --model m --prompt "Once" --beam --n 6 --groups 3 --diversity 1`
}

// Validate is called by kong, before the model is opened.
func (c *bestCmd) Validate() error {
	switch {
	case !c.Beam && (c.Groups != 0 || c.Diversity != 0):
		return errors.New("--groups and --diversity are of --beam")
	case c.Groups > 1 && c.Diversity == 0:
		return errors.New("--groups needs --diversity above 0: without it all groups find the same texts")
	case c.Beam && c.samples():
		return errors.New("--beam does not sample: it has no flags of sampling, of fewest tokens, of texts to end before, of time, and no --stop-early")
	case c.Beam && c.Heal:
		return errors.New("--heal is of sampling, not of --beam")
	case c.StopEarly != "" && c.Extract == "":
		return errors.New("--stop-early needs --extract: it looks at the votes for an answer")
	case !(c.Confidence > 0.5 && c.Confidence < 1):
		return errors.New("--confidence must be between 0.5 and 1")
	case c.Round < 1:
		return errors.New("--round must be 1 or more")
	case slices.Contains(c.Select, "pick") && c.Prompt == "-":
		return errors.New("--select pick asks on standard input, which --prompt - reads")
	}
	if err := search.CheckCount(c.N); err != nil {
		return fmt.Errorf("--n: %w", err)
	}
	if c.Beam {
		if err := c.beam(1).Validate(); err != nil {
			return fmt.Errorf("--beam: %w", err)
		}
	}
	if err := c.structuredFlags.check(); err != nil {
		return err
	}
	return validate(&c.selectFlags, &c.decodingFlags, c.cacheFlags)
}

// samples says whether a flag was given that beam search does not know.
func (c *bestCmd) samples() bool {
	s := &c.stoppingFlags
	return c.Temperature != nil || c.TopK != nil || c.TopP != nil || c.MinP != nil || c.TypicalP != nil || c.RepeatPenalty != nil || !reflect.DeepEqual(c.chain(), sample.Options{}) ||
		s.MinTokens != 0 || len(s.Stop) > 0 || s.StopRegex != "" || s.TimeLimit != 0 || s.ContextPolicy == string(foundling.ContextShift) || c.StopEarly != ""
}

func (c *bestCmd) beam(tokens int) search.BeamOptions {
	return search.BeamOptions{Width: c.N, Groups: c.Groups, Diversity: c.Diversity, MaxTokens: tokens}
}

// Run draws, chooses and prints.
func (c *bestCmd) Run(ctx context.Context) error {
	prompt := c.Prompt
	if prompt == "-" {
		var err error
		if prompt, err = readInput(ctx); err != nil {
			return err
		}
	}
	o, err := c.options(prompt)
	if err != nil {
		return err
	}
	o.Ask = pickCandidate
	selectors, err := c.selectors(o)
	if err != nil {
		return err
	}
	m, err := openModel(c.openFlags, c.Model)
	if err != nil {
		return err
	}
	defer m.Close()
	if m.Bundle.Tokenizer == nil {
		return fmt.Errorf("%s has no tokenizer to write text with: %w", c.Model, m.Bundle.NoTokens)
	}
	ids, err := c.encode(m, prompt)
	if err != nil {
		return fmt.Errorf("--prompt: %w", err)
	}
	start := time.Now()
	candidates, err := c.candidates(ctx, m, ids, o)
	var budget *grammar.BudgetError
	if errors.As(err, &budget) {
		return tooFew(budget, c.MaxTokens, m.Bundle.Model.Dims().Context-len(ids))
	}
	drawn := time.Since(start)
	stopped := ctx.Err() != nil
	if err != nil && !stopped {
		return err
	}
	if stopped && len(candidates) == 0 {
		return interrupted("no candidate was complete")
	}
	if stopped { // choose among those that are complete
		ctx = context.WithoutCancel(ctx)
	}
	r, err := choose(ctx, selectors, o, candidates)
	if err != nil {
		return err
	}
	r.prompt, r.drawn = len(ids), drawn
	if stopped {
		err = interrupted("the choice is among the %d candidates that were complete", len(candidates))
	}
	return errors.Join(c.print(m, r), err)
}

func (c *bestCmd) encode(m *foundling.Model, prompt string) ([]int32, error) {
	if !c.chats(m) || prompt == "" {
		return m.Bundle.TextPrompt(prompt)
	}
	ids, _, err := m.Bundle.ChatPrompt([]chat.Message{{Role: chat.RoleUser, Content: prompt}}, 1)
	return ids, err
}

func (c *bestCmd) chats(m *foundling.Model) bool { return m.Bundle.Chat && !c.Raw }

// candidates draws or searches.
func (c *bestCmd) candidates(ctx context.Context, m *foundling.Model, ids []int32, so search.Options) ([]search.Candidate, error) {
	d := c.decoding()
	var err error
	if d.Grammar, err = c.compile(ctx, m); err != nil {
		return nil, err
	}
	o := m.Options(d)
	if c.chats(m) {
		o.StopIDs = m.Bundle.Stops()
	}
	d.Heal = c.Heal
	if ids, err = m.Begin(ids, d, &o); err != nil {
		return nil, fmt.Errorf("--prompt: %w", err)
	}
	if c.Beam {
		return c.search(ctx, m, ids, o)
	}
	p := newProgress("sampling")
	defer p.Close()
	tokens, total := 0, c.N*c.MaxTokens
	draw := func(ctx context.Context, first, n int) ([]search.Candidate, error) {
		return search.Draw(ctx, m.Engine, ids, o, first, n, func(int, generate.Piece) {
			tokens++
			p.Set("sampling", int64(tokens), int64(total))
		})
	}
	switch c.StopEarly {
	case "certain":
		return search.Adaptive(ctx, c.N, c.Round, so.Extract, search.CannotBeOvertaken, draw)
	case "beta":
		return search.Adaptive(ctx, c.N, c.Round, so.Extract, search.BetaStop(c.Confidence), draw)
	}
	return draw(ctx, 0, c.N)
}

// shownText is the text of ids as it is shown where o generates them.
func shownText(m *foundling.Model, ids []int32, o generate.Options) string {
	var text []byte
	for _, id := range ids {
		text = m.Bundle.Tokenizer.AppendToken(text, id)
	}
	text = text[min(o.SkipBytes, len(text)):]
	if o.SkipBlank {
		text = bytes.TrimPrefix(text, []byte(" "))
	}
	return string(text)
}

// search is the candidates of a beam.
func (c *bestCmd) search(ctx context.Context, m *foundling.Model, ids []int32, g generate.Options) ([]search.Candidate, error) {
	set, err := search.OnEngine(ctx, m.Engine, ids, c.MaxTokens, m.Bundle.Model.Dims().Context)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	o := c.beam(set.Room())
	o.StopIDs, o.Constraint, o.Text = g.StopIDs, g.Constraint, func(ids []int32) string { return shownText(m, ids, g) }
	found, err := search.Beam(ctx, set, o)
	out := make([]search.Candidate, len(found))
	for i, h := range found {
		out[i] = h.Candidate
	}
	return out, err
}
