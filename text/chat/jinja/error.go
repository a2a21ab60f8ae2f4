package jinja

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is a template that cannot be read, that asks for something impossible
// or that refuses its input.
type Error struct {
	Line, Column int // from 1; the column counts characters
	Message      string
	Raised       bool // the template itself called raise_exception
}

// Error names the place.
func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// failure is an Error whose place is still a byte of the source; at < 0 is a
// place that the caller fills in.
type failure struct {
	at      int
	message string
	raised  bool
}

func (f *failure) Error() string { return f.message }

// failf is a failure at a place that evaluation fills in.
func failf(format string, args ...any) error {
	return &failure{at: -1, message: fmt.Sprintf(format, args...)}
}

// located makes the error of a failure.
func located(source string, err error) error {
	f, ok := err.(*failure)
	if !ok {
		return err
	}
	at := min(max(f.at, 0), len(source))
	line := strings.Count(source[:at], "\n") + 1
	start := strings.LastIndexByte(source[:at], '\n') + 1
	return &Error{Line: line, Column: utf8.RuneCountInString(source[start:at]) + 1, Message: f.message, Raised: f.raised}
}

// at gives a failure without a place the one where it arose.
func at(pos int, err error) error {
	if f, ok := err.(*failure); ok && f.at < 0 {
		f.at = pos
	}
	return err
}
