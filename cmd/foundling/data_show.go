package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/eval/report"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/posttrain"
)

type dataShowCmd struct {
	Path  string `arg:"" help:"File of records, or a folder of them." placeholder:"PATH"`
	Model string `help:"Show the tokens of this model, in its chat format." placeholder:"MODEL"`
	Mask  bool   `help:"Colour every token that is trained; between ⟦ and ⟧ where there are no colours. Needs --model."`
	IDs   bool   `name:"ids" help:"Write each token's id behind it. Needs --model."`
	First int    `help:"Record to begin with, from 1." default:"1"`
	N     int    `name:"n" help:"Records to show; 0: all." default:"3"`
	HTML  string `name:"html" help:"Write a page instead. Needs --model." placeholder:"FILE"`
	JSON  bool   `name:"json" help:"Print one JSON object a record."`
	recordFlags
	storeFlags
}

// Help is the detail of --help.
func (dataShowCmd) Help() string {
	return `With --mask, demonstrations are shown as sft learns them, in all the assistant's turns
and their end tokens; preferences, thumbs, scores and steps as dpo and reward see them,
with the answer alone marked. Colours need a terminal, and NO_COLOR turns them off.

Examples:

    foundling data show pairs.jsonl
    foundling data show demonstrations.jsonl --model run1 --mask --ids
    foundling data show hh.jsonl.gz --model run1 --mask --first 100 --n 1
    foundling data show sft.parquet --model run1 --html mask.html --n 50`
}

// Validate is called by kong.
func (c *dataShowCmd) Validate() error {
	switch {
	case c.Model == "" && (c.Mask || c.IDs || c.HTML != ""):
		return errors.New("--mask, --ids and --html show tokens: name the model with --model")
	case c.First < 1 || c.N < 0:
		return errors.New("--first counts from 1, --n from 0")
	case c.JSON && c.HTML != "":
		return errors.New("--json and --html cannot be together")
	}
	return nil
}

// shownRecord is a record as it is shown.
type shownRecord struct {
	Source string       `json:"source"`
	Kind   string       `json:"kind"`
	Texts  []maskedText `json:"texts,omitempty"` // with --model
	record dataset.Record
}

// maskedText is a text that a model would read: of a preference there are two.
type maskedText struct {
	Name    string   `json:"name"`
	IDs     []int32  `json:"ids"`
	Train   []bool   `json:"train"`
	Tokens  []string `json:"tokens"` // bytes that are no UTF-8 as \xNN
	Trained int      `json:"trained"`
	Given   int      `json:"given"`
}

// Run shows the records.
func (c *dataShowCmd) Run(ctx context.Context) error {
	var reader *maskReader
	if c.Model != "" {
		path, err := c.modelPath(c.Model)
		if err != nil {
			return fmt.Errorf("--model: %w", err)
		}
		if reader, err = newMaskReader(path); err != nil {
			return err
		}
	}
	out := bufio.NewWriter(os.Stdout)
	page := &report.Page{Title: "Trained tokens", Subtitle: c.Path + " as " + c.Model + " learns it"}
	n, shown := 0, 0
	var failed dataset.Skips
	found, err := c.each(ctx, []string{c.Path}, nil, func(r dataset.Record) (bool, error) {
		if n++; n < c.First {
			return true, nil
		}
		s := shownRecord{Source: r.Source, Kind: string(r.Kind), record: r}
		if reader != nil {
			var err error
			if s.Texts, err = reader.texts(r); err != nil {
				failed.Add(notRendered(r.Source, err))
				return true, nil
			}
		}
		shown++
		if err := c.write(out, page, s); err != nil {
			return false, err
		}
		return c.N == 0 || shown < c.N, nil
	})
	if err != nil {
		return err
	}
	if err := flush(out); err != nil {
		return err
	}
	found.describe()
	if failed.Rows > 0 {
		fmt.Fprintln(os.Stderr, failed.String()+"\n  "+strings.Join(failed.First, "\n  "))
	}
	switch {
	case n == 0:
		return found.nothing([]string{c.Path})
	case shown == 0 && failed.Rows == 0:
		return fmt.Errorf("--first is %d: %s has %d records", c.First, c.Path, n)
	case shown == 0:
		return fmt.Errorf("no record of %s can be written for %s", c.Path, c.Model)
	case c.HTML != "":
		return page.WriteFile(c.HTML)
	}
	return nil
}

// notRendered is the error of a record that the model's format cannot write.
func notRendered(source string, err error) *dataset.RowError {
	at := strings.LastIndexByte(source, ':')
	line, _ := strconv.Atoi(source[at+1:])
	return &dataset.RowError{File: source[:max(at, 0)], Line: line, Reason: dataset.NotRendered, Problem: err.Error()}
}

func (c *dataShowCmd) write(out *bufio.Writer, page *report.Page, s shownRecord) error {
	switch {
	case c.JSON:
		var data []byte
		var err error
		if s.Texts == nil {
			data, err = s.record.AppendRow(nil)
		} else if data, err = json.Marshal(s); err == nil {
			data = append(data, '\n')
		}
		out.Write(data)
		return err
	case c.HTML != "":
		page.Sections = append(page.Sections, s.section())
		return nil
	case s.Texts == nil:
		s.writePlain(out)
		return nil
	}
	_, coloured := os.LookupEnv("NO_COLOR")
	marks := bracketMarks
	if !coloured && term.IsTerminal(int(os.Stdout.Fd())) {
		marks = colourMarks
	}
	if !c.Mask {
		marks = markStyle{}
	}
	fmt.Fprintf(out, "--- %s  %s\n", printable(s.Source), s.Kind)
	for _, t := range s.Texts {
		fmt.Fprintf(out, "%s%d trained, %d given\n", prefix(t.Name), t.Trained, t.Given)
		t.write(out, marks, c.IDs)
		out.WriteString("\n")
	}
	return nil
}

func prefix(name string) string {
	if name == "" {
		return ""
	}
	return name + ": "
}

// writePlain shows a record without a model: roles and texts.
func (s *shownRecord) writePlain(out io.Writer) {
	fmt.Fprintf(out, "--- %s  %s\n", printable(s.Source), s.Kind)
	part := func(name string, t dataset.Text) {
		switch {
		case t.Turns != nil:
			for _, m := range t.Turns {
				fmt.Fprintf(out, "%s%s: %s\n", prefix(name), printable(m.Role), printable(m.Content))
			}
		case t.Plain != "":
			fmt.Fprintf(out, "%s: %s\n", name, printable(t.Plain))
		}
	}
	r := s.record
	part("prompt", r.Prompt)
	part("completion", r.Completion)
	part("chosen", r.Chosen)
	part("rejected", r.Rejected)
	part("", dataset.Text{Turns: r.Messages})
	for _, step := range r.Steps {
		fmt.Fprintf(out, "step (%s): %s\n", map[bool]string{true: "right", false: "wrong"}[step.Right], printable(step.Text))
	}
	if r.Label != nil {
		fmt.Fprintf(out, "thumb: %s\n", map[bool]string{true: "up", false: "down"}[*r.Label])
	}
	if r.Score != nil {
		fmt.Fprintf(out, "score: %g\n", *r.Score)
	}
	if r.Class != "" {
		fmt.Fprintf(out, "class: %s\n", printable(r.Class))
	}
}

// markStyle is how trained tokens are marked: what is written before and after a
// run of them, and before each token, in turn.
type markStyle struct {
	begin, end string
	each       [2]string
}

var (
	bracketMarks = markStyle{begin: "⟦", end: "⟧"}
	colourMarks  = markStyle{end: "\x1b[0m", each: [2]string{"\x1b[0;30;42m", "\x1b[0;30;46m"}}
)

// write shows the tokens. A line end is shown as ⏎ in a marked token, so that the
// mark can be seen.
func (t *maskedText) write(out *bufio.Writer, m markStyle, ids bool) {
	for i, s := range t.Tokens {
		if t.Train[i] {
			if i == 0 || !t.Train[i-1] {
				out.WriteString(m.begin)
			}
			out.WriteString(m.each[i%2])
			if m != (markStyle{}) {
				s = strings.ReplaceAll(s, "\n", "⏎\n")
			}
		}
		out.WriteString(printable(s))
		if ids {
			fmt.Fprintf(out, "(%d)", t.IDs[i])
		}
		if t.Train[i] && (i+1 == len(t.Train) || !t.Train[i+1]) {
			out.WriteString(m.end)
		}
	}
}

func (s *shownRecord) section() report.Section {
	out := report.Section{Title: s.Source, Note: s.Kind}
	for _, t := range s.Texts {
		b := report.Tokens{Title: t.Name, Badges: []report.Badge{
			{Text: fmt.Sprintf("%d trained", t.Trained), Tone: report.Good}, {Text: fmt.Sprintf("%d given", t.Given), Tone: report.Muted}}}
		for i, x := range t.Tokens {
			b.List = append(b.List, report.Token{Text: x, Title: fmt.Sprintf("id %d", t.IDs[i]), Marked: t.Train[i]})
		}
		out.Blocks = append(out.Blocks, b)
	}
	return out
}

// maskReader writes records as methods of post-training do.
type maskReader struct {
	z      *bundle.Bundle // in the format of sft
	writer *posttrain.Writer
	bytes  [][]byte
}

func newMaskReader(path string) (*maskReader, error) {
	z, err := bundle.Open(nil, path)
	if err != nil {
		return nil, fmt.Errorf("--model: %w", err)
	}
	m := &maskReader{bytes: z.TokenBytes()}
	if m.writer, err = posttrain.NewWriter(z); err != nil {
		return nil, err
	}
	own := *z
	m.z = &own
	return m, m.z.Converse()
}

// texts are those of a record with their masks.
func (m *maskReader) texts(r dataset.Record) ([]maskedText, error) {
	switch r.Kind {
	case dataset.Messages, dataset.PromptCompletion:
		e, err := posttrain.ExampleFor(m.z, r.Conversation(r.Completion))
		return []maskedText{m.shown("", e)}, err
	case dataset.Preference:
		chosen, err := m.writer.Answer(r.Prompt, r.Chosen)
		if err != nil {
			return nil, err
		}
		rejected, err := m.writer.Answer(r.Prompt, r.Rejected)
		return []maskedText{m.shown("chosen", chosen), m.shown("rejected", rejected)}, err
	case dataset.Stepwise:
		var steps strings.Builder
		for _, s := range r.Steps {
			steps.WriteString(s.Text + "\n")
		}
		e, err := m.answer(r.Prompt, steps.String())
		return []maskedText{m.shown("steps", e)}, err
	case dataset.Prompts:
		ids, err := m.writer.Prompt(r.Prompt, 1)
		return []maskedText{m.shown("prompt", batch.Example{IDs: ids, Train: make([]bool, len(ids))})}, err
	case dataset.PlainText, dataset.Classified:
		if r.Kind == dataset.Classified {
			ids := m.writer.ClassText(r.Prompt)
			return []maskedText{m.shown("text", batch.Example{IDs: ids, Train: make([]bool, len(ids))})}, nil
		}
		ids := m.z.Tokenizer.Encode(r.Completion.Plain)
		return []maskedText{m.shown("text", batch.Example{IDs: ids, Train: slices.Repeat([]bool{true}, len(ids))})}, nil
	}
	e, err := m.writer.Answer(r.Prompt, r.Completion)
	return []maskedText{m.shown("", e)}, err
}

// answer is the steps of an answer, without an end token.
func (m *maskReader) answer(prompt dataset.Text, steps string) (batch.Example, error) {
	ids, err := m.writer.Prompt(prompt, 1)
	if err != nil {
		return batch.Example{}, err
	}
	n := len(ids)
	ids = m.z.Tokenizer.EncodeAppend(ids, steps)
	e := batch.Example{IDs: ids, Train: make([]bool, len(ids))}
	for i := n; i < len(ids); i++ {
		e.Train[i] = true
	}
	return e, nil
}

func (m *maskReader) shown(name string, e batch.Example) maskedText {
	t := maskedText{Name: name, IDs: e.IDs, Train: e.Train}
	for i, id := range e.IDs {
		t.Tokens = append(t.Tokens, m.token(id))
		if e.Train[i] {
			t.Trained++
		}
	}
	t.Given = len(e.IDs) - t.Trained
	return t
}

// token is the text of an id.
func (m *maskReader) token(id int32) string {
	if s, ok := m.z.Tokenizer.Special(id); ok {
		return s
	}
	if int(id) >= len(m.bytes) {
		return ""
	}
	b := m.bytes[id]
	if utf8.Valid(b) {
		return string(b)
	}
	var s strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&s, `\x%02x`, b[0])
		} else {
			s.Write(b[:n])
		}
		b = b[n:]
	}
	return s.String()
}
