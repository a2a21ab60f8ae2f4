// Package schema compiles JSON Schema into sets of JSON values (package shape), which
// become machines that read text byte by byte.
//
// A schema means a set of values. The compiler brings that set into a normal form: a
// union of typed parts, whose members and items are again sets. Keywords become parts;
// allOf, $ref and their neighbours intersect, anyOf unites, not complements. What a set
// of a member is, is a conjunction of schemas (a term) and is worked out once, so
// recursive schemas end.
//
// Nothing is ignored in silence. A keyword is enforced exactly, or it is an annotation
// by the specification, or the schema is refused with the JSON pointer of the keyword,
// the reason and a remedy. Options.Lenient passes over what would be refused and says
// so in the notes. Keywords is the table of what is done with each.
//
// Read are drafts 4, 6, 7, 2019-09 and 2020-12 (json-schema.org), in the dialect that
// $schema names. Documents are never fetched.
package schema

import (
	"errors"
	"slices"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/generate/grammar/shape"
)

// Options say how a schema is read. The zero value is the default.
type Options struct {
	// Draft is for schemas without $schema. The default is 2020-12 with the spellings
	// of drafts 4 to 7: definitions, dependencies, items as a list, exclusiveMinimum
	// as a flag.
	Draft Draft
	// Lenient passes over keywords that cannot be enforced; Schema.Notes has them.
	Lenient bool
	// AnnotateFormats makes format an annotation, as 2020-12 has it by default. Without
	// it, formats are enforced.
	AnnotateFormats bool
	// DraftFormats makes format an annotation where $schema names 2019-09 or 2020-12,
	// as these say themselves: for reading what others wrote.
	DraftFormats bool
	// Written is for texts that are written, not judged: integers have no fraction, no
	// exponent and no -0, so that any program reads them into an integer. Without it
	// 1.0 is an integer, as the drafts from 6 on have it.
	Written bool
	// Documents are other schemas that $ref may name, by their absolute addresses.
	Documents map[string][]byte
}

// A Note says that something has no effect where one might expect it.
type Note struct {
	Pointer string // of the schema, from the root of its document
	Keyword string
	Message string
}

func (n Note) String() string {
	place := "#" + n.Pointer
	if n.Keyword != "" {
		place += " " + n.Keyword
	}
	return place + ": " + n.Message
}

// notes collects notes, each once.
type notes struct {
	list []Note
	seen map[Note]bool
}

func (n *notes) add(v *value, keyword, message string) {
	note := Note{v.pointer(), keyword, message}
	if n.seen == nil {
		n.seen = map[Note]bool{}
	}
	if !n.seen[note] {
		n.seen[note] = true
		n.list = append(n.list, note)
	}
}

// A Schema is a compiled schema. It is not safe for use by several goroutines at a
// time, and neither are its machines: its languages remember what they have read.
type Schema struct {
	// Notes say what has no effect: with Options.Lenient what was passed over; else
	// keywords that the draft does not have.
	Notes []Note
	value *shape.Value
	start machine.State // of the machine in the default format
}

// Value is the set of the values that satisfy the schema.
func (s *Schema) Value() *shape.Value { return s.value }

// Machine reads the JSON texts of the values that satisfy the schema.
func (s *Schema) Machine(f shape.Format) (machine.State, error) {
	if f == (shape.Format{}) {
		return s.start, nil
	}
	m, err := s.value.Machine(f)
	if err != nil {
		return nil, &Error{Message: err.Error()}
	}
	return m, nil
}

// Compile reads a schema. The error is an *Error.
func Compile(src []byte, o Options) (*Schema, error) {
	c := newCompiler(o)
	root, err := c.start(src)
	if err != nil {
		return nil, err
	}
	s := &Schema{value: c.shapeOf(root)}
	c.fill()
	if c.err == nil && s.value != nil {
		if s.start, err = s.value.Machine(shape.Format{}); err == nil {
			c.affordable(root, "the shortest text has %d bytes", shape.ShortestLen(s.start), maxShortest)
		}
	}
	c.noteOthers(root, s.value)
	s.Notes = c.notes.list
	var unsupported *shape.UnsupportedError
	switch {
	case c.err != nil:
		return nil, c.err
	case s.value == nil || errors.As(err, &unsupported) && unsupported.Part == nil:
		return nil, c.contradiction(root, s.value != nil)
	case unsupported != nil:
		return nil, c.unsupported(unsupported)
	case err != nil:
		return nil, &Error{Message: err.Error()}
	}
	return s, nil
}

// unsupported names the schema whose part has no machine.
func (c *compiler) unsupported(e *shape.UnsupportedError) error {
	for _, t := range c.queue {
		if hasPart(t.built, e.Part) {
			return refuse(t.literals[0].v, "", e.Reason+" cannot be enforced", "")
		}
	}
	return &Error{Message: e.Reason + " cannot be enforced"}
}

// hasPart says whether a part is one of a value's own.
func hasPart(v *shape.Value, part any) bool {
	switch p := part.(type) {
	case *shape.Number:
		return slices.Contains(v.Numbers, p)
	case *shape.String:
		return slices.Contains(v.Strings, p)
	case *shape.Array:
		return slices.Contains(v.Arrays, p)
	case *shape.Object:
		return slices.Contains(v.Objects, p)
	}
	return false
}

// start loads the documents and is the term of the root schema.
func (c *compiler) start(src []byte) (*term, error) {
	d, err := load(src, "")
	if err != nil {
		return nil, err
	}
	if k := d.root.kind; k != '{' && k != 't' && k != 'f' {
		return nil, &Error{Message: "the schema is " + kindName(k) + "; schemas are objects, true or false"}
	}
	if err := c.library.add(d); err != nil {
		return nil, err
	}
	return c.term(d.root, nil, satisfies), nil
}
