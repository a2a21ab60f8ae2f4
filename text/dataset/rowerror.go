package dataset

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// RowError is a row that cannot be used. Reading goes on after it.
type RowError struct {
	File    string // as it was named
	Line    int    // or row of a Parquet file, from 1
	Field   string // "" where no single one is at fault
	Reason  Reason
	Problem string // what is wrong, and the remedy
}

// Reason is the class of a RowError, to count by.
type Reason string

// The reasons.
const (
	Malformed    Reason = "malformed"     // no JSON, or no object
	WrongColumns Reason = "wrong columns" // none of the shapes, or another than the file's
	WrongType    Reason = "wrong type"    // a column holds a value of another type
	Empty        Reason = "empty"         // no text where one is needed
	Identical    Reason = "identical"     // chosen is rejected
	NoVerdict    Reason = "no verdict"    // a draw, or nobody decided
	NoAnswer     Reason = "no answer"     // the assistant says nothing, or another speaks where it should
	NotANumber   Reason = "not a number"  // a score or margin that is NaN or infinite
	TooLong      Reason = "too long"      // a row of more bytes than Options.MaxRowBytes
	NotRendered  Reason = "not rendered"  // the chat template refuses it
)

// Error is one line: file, line, field, problem.
func (e *RowError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
	}
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Field, e.Problem)
}

// Skips counts rows that were left out.
type Skips struct {
	Rows    int            `json:"rows"`
	Reasons map[Reason]int `json:"reasons,omitempty"`
	First   []string       `json:"first,omitempty"` // the first error of each reason
}

// Add counts err if it is a RowError, and tells whether it is.
func (s *Skips) Add(err error) bool {
	var row *RowError
	if !errors.As(err, &row) {
		return false
	}
	if s.Reasons == nil {
		s.Reasons = map[Reason]int{}
	}
	if s.Reasons[row.Reason] == 0 {
		s.First = append(s.First, row.Error())
	}
	s.Rows++
	s.Reasons[row.Reason]++
	return true
}

// String is one line: the rows left out, by reason; "" where there are none.
func (s *Skips) String() string {
	if s.Rows == 0 {
		return ""
	}
	var parts []string
	for _, r := range slices.Sorted(maps.Keys(s.Reasons)) {
		parts = append(parts, fmt.Sprintf("%d %s", s.Reasons[r], r))
	}
	return fmt.Sprintf("%d rows left out: %s", s.Rows, strings.Join(parts, ", "))
}
