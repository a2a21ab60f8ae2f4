// Package language turns what people write down of a language into the start state
// of its machine: a JSON Schema, a regular expression, a grammar, a list of choices,
// functions to call. It only chooses among generate/grammar/schema, regular, cfg and
// calls.
package language

import (
	"errors"
	"fmt"

	"github.com/foundling-lm/foundling/generate/grammar/calls"
	"github.com/foundling-lm/foundling/generate/grammar/cfg"
	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/generate/grammar/regular"
	"github.com/foundling-lm/foundling/generate/grammar/schema"
	"github.com/foundling-lm/foundling/generate/grammar/shape"
)

// A Source says what the texts are, in one of five ways.
type Source struct {
	Schema  []byte        // a JSON Schema: texts are the JSON of the values that satisfy it
	Regex   string        // a regular expression in RE2's syntax that matches from end to end
	Grammar string        // a grammar
	Name    string        // of the grammar's file: it ends in .gbnf, .ebnf or .lark, which is the notation
	Choices []string      // these texts
	Calls   *calls.Source // free text and calls of functions

	// Lenient passes over keywords of a schema that cannot be enforced, and notes
	// them. Without it they are errors.
	Lenient bool
	// Loose takes any white space between the parts of JSON, formats as annotations
	// where the draft that $schema names says so, and 1.0 as an integer, to read texts
	// of others. What is written has the white space of common serialisers, and its
	// integers have neither fraction nor exponent.
	Loose bool
}

// Language is a compiled source. Its states are for one grammar.Grammar.
type Language struct {
	Start machine.State
	JSON  bool          // texts are JSON
	Notes []schema.Note // what of a schema has no effect
}

// Kind is the way in which the language is given: "schema", "regex", "grammar",
// "choice", "calls", or "" for none.
func (s *Source) Kind() string {
	switch {
	case s.Schema != nil:
		return "schema"
	case s.Regex != "":
		return "regex"
	case s.Grammar != "":
		return "grammar"
	case len(s.Choices) > 0:
		return "choice"
	case s.Calls != nil:
		return "calls"
	}
	return ""
}

// Check says whether exactly one language is given.
func (s *Source) Check() error {
	n := 0
	for _, given := range []bool{s.Schema != nil, s.Regex != "", s.Grammar != "", len(s.Choices) > 0, s.Calls != nil} {
		if given {
			n++
		}
	}
	switch {
	case n == 0:
		return errors.New("no language is given: give a schema, a regex, a grammar or choices")
	case n > 1:
		return errors.New("more than one language is given: give one of schema, regex, grammar, choices and calls")
	case s.Lenient && s.Schema == nil:
		return errors.New("lenient is about keywords of a schema, and none is given")
	}
	return nil
}

// Compile makes the language. The error is a *schema.Error where a schema is to
// blame.
func (s *Source) Compile() (*Language, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	switch s.Kind() {
	case "schema":
		return s.schema()
	case "grammar":
		g, err := cfg.Parse(s.Name, s.Grammar)
		if err != nil {
			return nil, err
		}
		l, err := started(g)
		if err != nil {
			return nil, fmt.Errorf("%s:%w", s.Name, err)
		}
		return l, nil
	case "calls":
		start, notes, err := s.Calls.Machine()
		if err != nil {
			return nil, err
		}
		return &Language{Start: start, Notes: notes}, nil
	case "regex":
		l, err := regular.Parse(s.Regex, regular.RE2)
		if err != nil {
			return nil, err
		}
		empty, err := l.Empty()
		if err == nil && empty {
			err = fmt.Errorf("pattern %q: no text fits it", s.Regex)
		}
		if err != nil {
			return nil, err
		}
		return &Language{Start: l.Machine()}, nil
	}
	g, err := cfg.Choice(s.Choices...)
	if err != nil {
		return nil, err
	}
	return started(g)
}

func started(g *cfg.Grammar) (*Language, error) {
	start, err := g.Machine()
	if err != nil {
		return nil, err
	}
	return &Language{Start: start}, nil
}

func (s *Source) schema() (*Language, error) {
	x, err := schema.Compile(s.Schema, schema.Options{Lenient: s.Lenient, DraftFormats: s.Loose, Written: !s.Loose})
	if err != nil {
		return nil, err
	}
	var format shape.Format
	if s.Loose {
		format.Space = shape.Loose
	}
	start, err := x.Machine(format)
	if err != nil {
		return nil, err
	}
	return &Language{start, true, x.Notes}, nil
}
