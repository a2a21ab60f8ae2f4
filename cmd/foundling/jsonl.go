package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// eachLine answers every line of JSON in with one on out, in order. An answer is
// written out as soon as no further line waits, so that a program can ask one
// line at a time. Errors name the line; answers before it are written.
func eachLine(ctx context.Context, in io.Reader, out io.Writer, answer func(line []byte) (any, error)) error {
	return eachBatch(ctx, in, out, 1, func(line []byte) ([]byte, error) { return line, nil }, func(lines [][]byte) ([]any, error) {
		v, err := answer(lines[0])
		return []any{v}, err
	})
}

// eachBatch is eachLine with up to most lines answered together, those that have
// already come.
func eachBatch[T any](ctx context.Context, in io.Reader, out io.Writer, most int, parse func(line []byte) (T, error), answer func([]T) ([]any, error)) (err error) {
	r, w := bufio.NewReaderSize(interruptible(ctx, in), 1<<16), bufio.NewWriterSize(out, 1<<16)
	defer func() {
		if e := w.Flush(); err == nil && e != nil {
			err = fmt.Errorf("standard output: %w", e)
		}
	}()
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	var batch []T
	var first, last int // lines of the batch
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		answers, err := answer(batch)
		switch {
		case err != nil && len(batch) > 1:
			return fmt.Errorf("lines %d to %d of standard input: %w", first, last, err)
		case err != nil:
			return fmt.Errorf("line %d of standard input: %w", first, err)
		}
		for i, v := range answers {
			if err := e.Encode(v); err != nil {
				return fmt.Errorf("answer %d to lines %d to %d of standard input: %w", i, first, last, err)
			}
		}
		batch = batch[:0]
		return nil
	}
	for n := 1; ; n++ {
		line, readErr := r.ReadBytes('\n')
		if ctx.Err() != nil {
			return interrupted("stopped before line %d", n)
		}
		if readErr != nil && readErr != io.EOF {
			return fmt.Errorf("standard input: %w", readErr)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			v, err := parse(line)
			if err != nil {
				return errors.Join(flush(), fmt.Errorf("line %d of standard input: %w", n, err))
			}
			if len(batch) == 0 {
				first = n
			}
			batch, last = append(batch, v), n
		}
		if len(batch) == most || readErr == io.EOF || r.Buffered() == 0 {
			if err := flush(); err != nil {
				if ctx.Err() != nil {
					return interrupted("stopped before line %d", n)
				}
				return err
			}
		}
		if readErr == io.EOF {
			return nil
		}
		if r.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return fmt.Errorf("standard output: %w", err)
			}
		}
	}
}

// record is a line of text or of ids. Bytes (base64 in JSON) stand for text that
// is not UTF-8, which a JSON string cannot hold.
type record struct {
	Text  *string  `json:"text,omitempty"`
	Bytes []byte   `json:"bytes,omitempty"`
	IDs   *[]int32 `json:"ids,omitempty"`
}

func parseRecord(line []byte) (record, error) {
	var r record
	if !utf8.Valid(line) {
		return r, errors.New(`not UTF-8: give such text as {"bytes":"<base64>"}`)
	}
	if err := json.Unmarshal(line, &r); err != nil {
		var field *json.UnmarshalTypeError
		if errors.As(err, &field) && field.Field != "" {
			return r, fmt.Errorf("field %s is a %s: it must be %s", field.Field, field.Value, field.Type)
		}
		return r, fmt.Errorf("not a JSON object: %w", err)
	}
	return r, nil
}

// text is the record's text, if it has any.
func (r record) text() (string, bool) {
	switch {
	case r.Text != nil:
		return *r.Text, true
	case r.Bytes != nil:
		return string(r.Bytes), true
	}
	return "", false
}

// interruptedError reports work that a signal ended.
type interruptedError struct{ message string }

func interrupted(format string, args ...any) error {
	return interruptedError{"interrupted: " + fmt.Sprintf(format, args...)}
}

func (e interruptedError) Error() string { return e.message }

// Unwrap makes it one of the errors that exit with exitInterrupted.
func (e interruptedError) Unwrap() error { return context.Canceled }
