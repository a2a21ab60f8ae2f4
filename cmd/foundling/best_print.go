package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate/search"
)

// bestResult is what was drawn and chosen.
type bestResult struct {
	candidates []search.Candidate
	answers    []string // nil without an extractor
	verdicts   []search.Verdict
	selectors  []search.Selector
	choices    []search.Choice // of the selectors
	prompt     int             // tokens
	drawn      time.Duration
}

func choose(ctx context.Context, selectors []search.Selector, o search.Options, candidates []search.Candidate) (*bestResult, error) {
	r := &bestResult{candidates: candidates, selectors: selectors}
	for _, s := range selectors {
		ch, err := s.Select(ctx, candidates)
		if err != nil {
			return nil, fmt.Errorf("selector %s: %w", s.Name, err)
		}
		r.choices = append(r.choices, ch)
	}
	if o.Extract != nil {
		for i := range candidates {
			a, _ := o.Extract(candidates[i].Text)
			r.answers = append(r.answers, a)
		}
	}
	var err error
	r.verdicts, err = verdicts(ctx, o, candidates)
	return r, err
}

// pickCandidate asks the person at the terminal.
func pickCandidate(ctx context.Context, candidates []search.Candidate) (int, error) {
	for i := range candidates {
		fmt.Fprintf(os.Stderr, "--- candidate %d (%s)\n%s\n", i, candidates[i].Finish, strings.TrimRight(candidates[i].Text, "\n"))
	}
	in := bufio.NewReader(interruptible(ctx, os.Stdin))
	for {
		fmt.Fprintf(os.Stderr, "Which one is best? 0 to %d, nothing for none: ", len(candidates)-1)
		line, err := in.ReadString('\n')
		if ctx.Err() != nil {
			return -1, interrupted("nothing was chosen")
		}
		if err != nil && (err != io.EOF || line == "") {
			return -1, fmt.Errorf("standard input: %w", err)
		}
		line = strings.TrimSpace(line)
		if line == "" {
			return -1, nil
		}
		if i, err := strconv.Atoi(line); err == nil && i >= 0 && i < len(candidates) {
			return i, nil
		}
		if err == io.EOF {
			return -1, fmt.Errorf("standard input: %q is no candidate", line)
		}
	}
}

func (c *bestCmd) print(m *foundling.Model, r *bestResult) error {
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetEscapeHTML(false)
		return errors.Join(e.Encode(c.asJSON(m, r)), r.unfit())
	}
	return errors.Join(r.table(os.Stdout), r.unfit())
}

// snippet is the beginning of a text on one line; what cannot be shown is a dot.
func snippet(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, strings.Join(strings.Fields(s), " "))
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

const (
	snippetChars = 48
	answerChars  = 24
)

// table prints candidates, choices and the text of the first choice.
func (r *bestResult) table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "candidate\ttokens\tended")
	for _, s := range r.selectors {
		fmt.Fprint(w, "\t", s.Name)
	}
	if r.answers != nil {
		fmt.Fprint(w, "\tanswer")
	}
	if r.verdicts != nil {
		fmt.Fprint(w, "\tverdict")
	}
	fmt.Fprintln(w, "\ttext")
	for i := range r.candidates {
		c := &r.candidates[i]
		fmt.Fprintf(w, "%d\t%d\t%s", i, len(c.IDs), c.Finish)
		for _, ch := range r.choices {
			mark := ""
			if ch.Index == i {
				mark = "*"
			}
			fmt.Fprintf(w, "\t%s%s", shownScore(ch.Scores[i]), mark)
		}
		if r.answers != nil {
			fmt.Fprint(w, "\t", snippet(r.answers[i], answerChars))
		}
		if r.verdicts != nil {
			said := "passes"
			if v := r.verdicts[i]; !v.Pass {
				said = snippet(v.Why, answerChars)
			}
			fmt.Fprint(w, "\t", said)
		}
		fmt.Fprintln(w, "\t"+snippet(c.Text, snippetChars))
	}
	fmt.Fprintln(w)
	for i, ch := range r.choices {
		at := "none"
		if ch.Index >= 0 {
			at = fmt.Sprint("candidate ", ch.Index)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.selectors[i].Name, at, ch.Why, snippet(ch.Answer, answerChars))
	}
	err := w.Flush()
	for i, ch := range r.choices {
		if ch.Index < 0 {
			continue
		}
		_, e := fmt.Fprintf(out, "\n--- candidate %d, the choice of %s\n%s\n", ch.Index, r.selectors[i].Name, strings.TrimRight(r.candidates[ch.Index].Text, "\n"))
		return errors.Join(err, e)
	}
	return err
}

// errNoneFit says that there is no choice to print.
var errNoneFit = errors.New("no selector found a candidate fit")

// unfit is errNoneFit where no selector chose.
func (r *bestResult) unfit() error {
	for _, ch := range r.choices {
		if ch.Index >= 0 {
			return nil
		}
	}
	return errNoneFit
}

func shownScore(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	return strconv.FormatFloat(x, 'g', 5, 64)
}

// bestJSON is what --json prints.
type bestJSON struct {
	Candidates   []bestCandidate `json:"candidates"`
	Selectors    []bestChoice    `json:"selectors"`
	PromptTokens int             `json:"prompt_tokens"`
	Tokens       int             `json:"completion_tokens"` // of all candidates, end tokens included
	Beam         bool            `json:"beam"`
	Seed         uint64          `json:"seed"`
	Kernels      string          `json:"kernels"`
	Seconds      float64         `json:"seconds"` // of drawing
}

type bestCandidate struct {
	Text     string              `json:"text"`
	IDs      []int32             `json:"ids"`
	Finish   string              `json:"finish_reason"`
	SumLogP  *float64            `json:"sum_logprob"`
	MeanLogP *float64            `json:"mean_logprob"` // null for a text without a token
	Answer   *string             `json:"answer,omitempty"`
	Verdict  *bestVerdict        `json:"verdict,omitempty"`
	Scores   map[string]*float64 `json:"scores"` // null: not fit
}

type bestVerdict struct {
	Pass  bool     `json:"pass"`
	Score *float64 `json:"score"`
	Why   string   `json:"why,omitempty"`
}

type bestChoice struct {
	Name   string `json:"name"`
	Choice *int   `json:"choice"` // null: none is fit
	Answer string `json:"answer,omitempty"`
	Why    string `json:"why"`
}

// finite is x where JSON can hold it, else null.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

func (c *bestCmd) asJSON(m *foundling.Model, r *bestResult) bestJSON {
	out := bestJSON{
		PromptTokens: r.prompt, Tokens: search.Tokens(r.candidates), Beam: c.Beam, Seed: c.Seed,
		Kernels: m.Backend.Kernels(), Seconds: r.drawn.Seconds(),
	}
	for i := range r.candidates {
		x := &r.candidates[i]
		b := bestCandidate{
			Text: x.Text, IDs: append([]int32{}, x.IDs...), Finish: x.Finish, Scores: map[string]*float64{},
			SumLogP: finite(x.Likelihood(search.SumNorm)), MeanLogP: finite(x.Likelihood(search.MeanNorm)),
		}
		if r.answers != nil {
			b.Answer = &r.answers[i]
		}
		if r.verdicts != nil {
			v := r.verdicts[i]
			b.Verdict = &bestVerdict{v.Pass, finite(v.Score), v.Why}
		}
		for j, ch := range r.choices {
			b.Scores[r.selectors[j].Name] = finite(ch.Scores[i])
		}
		out.Candidates = append(out.Candidates, b)
	}
	for i, ch := range r.choices {
		b := bestChoice{Name: r.selectors[i].Name, Answer: ch.Answer, Why: ch.Why}
		if ch.Index >= 0 {
			b.Choice = &r.choices[i].Index
		}
		out.Selectors = append(out.Selectors, b)
	}
	return out
}
