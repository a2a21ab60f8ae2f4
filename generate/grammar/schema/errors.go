package schema

import (
	"errors"
	"strings"
)

// ErrTooLarge is what errors.Is finds in the error of a schema that goes beyond the
// limits of work that build.go, compiler.go and json.go name.
var ErrTooLarge = errors.New("the schema is too large")

// ErrEmpty is what errors.Is finds in the error of a schema that no value satisfies.
var ErrEmpty = errors.New("no value can satisfy the schema")

// An Error says why a schema was refused.
type Error struct {
	Document string // address of the document, "" for the schema itself
	Pointer  string // JSON pointer of the keyword's schema, from the root of the document
	Keyword  string // the keyword, "" where none is to blame
	Message  string // what is wrong
	Remedy   string // what can be done, "" where the message says it
	Limit    bool   // a limit of work was reached: errors.Is(err, ErrTooLarge)
	Empty    bool   // no value can satisfy the schema: errors.Is(err, ErrEmpty)
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("schema ")
	b.WriteString(e.Document)
	b.WriteByte('#')
	b.WriteString(shortPointer(e.Location()))
	b.WriteString(": ")
	b.WriteString(e.Message)
	if e.Remedy != "" {
		b.WriteString("; ")
		b.WriteString(e.Remedy)
	}
	return b.String()
}

// shortPointer leaves out the middle of a pointer that no one would read.
func shortPointer(p string) string {
	const ends = 150
	if len(p) <= 2*ends {
		return p
	}
	return strings.ToValidUTF8(p[:ends], "") + "..." + strings.ToValidUTF8(p[len(p)-ends:], "")
}

// Location is the JSON pointer of the keyword itself.
func (e *Error) Location() string {
	if e.Keyword == "" {
		return e.Pointer
	}
	return e.Pointer + "/" + escapePointer(e.Keyword)
}

// Is makes errors.Is find ErrTooLarge and ErrEmpty.
func (e *Error) Is(target error) bool {
	return e.Limit && target == ErrTooLarge || e.Empty && target == ErrEmpty
}

// refuse is the error of a keyword of a schema.
func refuse(v *value, keyword, message, remedy string) *Error {
	return &Error{Document: v.doc.name, Pointer: v.pointer(), Keyword: keyword, Message: message, Remedy: remedy}
}
