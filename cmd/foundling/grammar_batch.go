package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/generate/grammar/schema"
)

// acceptsBatch answers questions one a line. It never stops at a bad line: outside
// suites run thousands through one process.
type acceptsBatch struct {
	lenient bool
	timeout time.Duration

	lastKey string // of the language compiled last: lines with the same often follow each other
	last    *language
	lastErr error
}

// question is one line.
type question struct {
	Schema   json.RawMessage `json:"schema"`
	Regex    *string         `json:"regex"`
	Grammar  *string         `json:"grammar"`
	Notation string          `json:"notation"` // of the grammar: gbnf, ebnf or lark; else the text tells
	Choices  []string        `json:"choices"`
	Instance json.RawMessage `json:"instance"`
	Text     *string         `json:"text"`
}

var notations = []string{"gbnf", "ebnf", "lark"}

// maxQuestion bounds a line.
const maxQuestion = 256 << 20

// run answers until the input ends.
func (b *acceptsBatch) run(ctx context.Context, in io.Reader, out io.Writer) error {
	r, w := bufio.NewReaderSize(interruptible(ctx, in), 1<<20), bufio.NewWriter(out)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for n := 1; ; n++ {
		line, readErr := readLine(r)
		if ctx.Err() != nil {
			return interrupted("stopped before line %d", n)
		}
		if readErr != nil && readErr != io.EOF {
			return fmt.Errorf("standard input: %w", readErr)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := e.Encode(b.timed(line)); err != nil {
				return fmt.Errorf("standard output: %w", err)
			}
			if err := w.Flush(); err != nil {
				return fmt.Errorf("standard output: %w", err)
			}
		}
		if readErr == io.EOF {
			return nil
		}
	}
}

// readLine reads a line of up to maxQuestion bytes.
func readLine(r *bufio.Reader) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxQuestion {
			return nil, fmt.Errorf("a line has more than %d MB", maxQuestion>>20)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// timed answers a line, or says that it takes too long. The work that took too long
// is left alone with what it was compiling.
func (b *acceptsBatch) timed(line []byte) acceptsAnswer {
	line = bytes.Clone(line)
	done := make(chan acceptsAnswer, 1)
	worker := *b
	go func() {
		defer func() {
			if p := recover(); p != nil { // the next lines deserve an answer
				done <- acceptsAnswer{Error: fmt.Sprintf("internal error: %v\n%s", p, debug.Stack())}
			}
		}()
		done <- worker.answer(line)
	}()
	timer := time.NewTimer(b.timeout)
	defer timer.Stop()
	select {
	case a := <-done:
		b.lastKey, b.last, b.lastErr = worker.lastKey, worker.last, worker.lastErr
		return a
	case <-timer.C:
		b.last, b.lastKey = nil, ""
		return acceptsAnswer{Error: fmt.Sprintf("no answer within %v", b.timeout)}
	}
}

func (b *acceptsBatch) answer(line []byte) acceptsAnswer {
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		return acceptsAnswer{Error: fmt.Sprintf("not a question: %v", err)}
	}
	l, err := b.language(&q)
	if err != nil { // a schema that no value satisfies accepts nothing
		return acceptsAnswer{Compiled: errors.Is(err, schema.ErrEmpty), Error: err.Error()}
	}
	text := []byte(q.Instance)
	switch {
	case q.Text != nil && len(text) > 0:
		return acceptsAnswer{Compiled: true, Error: "give one of the fields instance and text"}
	case q.Text != nil:
		text = []byte(*q.Text)
	case len(text) == 0:
		return acceptsAnswer{Compiled: true, Error: `field instance is missing: give {"schema":...,"instance":...}`}
	case !l.json:
		var s string
		if err := json.Unmarshal(text, &s); err != nil {
			return acceptsAnswer{Compiled: true, Error: fmt.Sprintf("field instance: the text of a %s is a string: %v", l.kind, err)}
		}
		text = []byte(s)
	}
	return l.answer(text)
}

// language compiles the language of a question, or knows it from the last one.
func (b *acceptsBatch) language(q *question) (*language, error) {
	n := 0
	for _, given := range []bool{q.Schema != nil, q.Regex != nil, q.Grammar != nil, q.Choices != nil} {
		if given {
			n++
		}
	}
	if n != 1 {
		return nil, errors.New("give one of the fields schema, regex, grammar and choices")
	}
	if q.Notation != "" && !slices.Contains(notations, q.Notation) {
		return nil, fmt.Errorf("field notation: %q is none of %s", q.Notation, strings.Join(notations, ", "))
	}
	var key string
	var compile func() (*language, error)
	switch {
	case q.Schema != nil:
		key = "s" + string(q.Schema)
		compile = func() (*language, error) {
			return compileSchema(q.Schema, languageOptions{lenient: b.lenient, loose: true})
		}
	case q.Regex != nil:
		key = "r" + *q.Regex
		compile = func() (*language, error) { return compileRegex(*q.Regex) }
	case q.Grammar != nil:
		name := "grammar"
		if q.Notation != "" {
			name += "." + q.Notation
		}
		key = "g" + name + " " + *q.Grammar
		compile = func() (*language, error) { return compileGrammar(*q.Grammar, name) }
	default:
		return compileChoices(q.Choices)
	}
	if b.lastKey != key || b.last == nil && b.lastErr == nil {
		b.last, b.lastErr = compile()
		b.lastKey = key
	}
	return b.last, b.lastErr
}
