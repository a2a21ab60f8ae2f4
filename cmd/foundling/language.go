package main

import (
	"bytes"
	"context"
	"fmt"
	"os"

	lang "github.com/foundling-lm/foundling/generate/grammar/language"
	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/generate/grammar/schema"
)

// languageFlags choose the language that a text must fit, in one of four ways.
type languageFlags struct {
	Schema  string   `type:"filled" help:"The language is the JSON texts that satisfy this JSON Schema; - reads it from standard input." placeholder:"FILE"`
	Regex   string   `type:"filled" help:"The language is what this regular expression matches from end to end, in RE2's syntax." placeholder:"REGEX"`
	Grammar string   `type:"filled" help:"The language is that of a grammar: .gbnf, .ebnf or .lark." placeholder:"FILE"`
	Choice  []string `help:"The language is this text; repeat for more." placeholder:"TEXT" sep:"none"`
	Lenient bool     `help:"Pass over keywords of the schema that cannot be enforced, and say which."`
}

// language is a compiled language.
type language struct {
	kind  string // schema, regex, grammar or choice
	start machine.State
	json  bool          // texts are JSON: white space around them means nothing
	notes []schema.Note // what has no effect
}

// languageOptions say how a language is compiled.
type languageOptions struct {
	lenient bool
	// loose takes any white space between the parts of JSON: for reading texts of
	// others. What is written has the white space of common serialisers.
	loose bool
}

// check says whether exactly one language is named.
func (f *languageFlags) check() error {
	n := 0
	for _, given := range []bool{f.Schema != "", f.Regex != "", f.Grammar != "", len(f.Choice) > 0} {
		if given {
			n++
		}
	}
	switch {
	case n == 0:
		return usageError{fmt.Errorf("no language is given: give one of --schema FILE, --regex REGEX, --grammar FILE, --choice TEXT")}
	case n > 1:
		return usageError{fmt.Errorf("give one of --schema, --regex, --grammar and --choice, not several")}
	case f.Lenient && f.Schema == "":
		return usageError{fmt.Errorf("--lenient is about keywords of a --schema")}
	}
	return nil
}

// source is the text of the language and its compiler.
func (f *languageFlags) source() (text []byte, compile func(o languageOptions) (*language, error), err error) {
	switch {
	case f.Schema != "":
		if text, err = readNamed(f.Schema); err != nil {
			return nil, nil, usageError{fmt.Errorf("--schema: %w", err)}
		}
		return text, func(o languageOptions) (*language, error) { return compileSchema(text, o) }, nil
	case f.Grammar != "":
		if text, err = readNamed(f.Grammar); err != nil {
			return nil, nil, usageError{fmt.Errorf("--grammar: %w", err)}
		}
		return text, func(languageOptions) (*language, error) { return compileGrammar(string(text), f.Grammar) }, nil
	case f.Regex != "":
		return []byte(f.Regex), func(languageOptions) (*language, error) { return compileRegex(f.Regex) }, nil
	}
	return nil, func(languageOptions) (*language, error) { return compileChoices(f.Choice) }, nil
}

// maxLanguageBytes bounds what is read of a schema or grammar.
const maxLanguageBytes = 64 << 20

// readNamed reads a file, or standard input for -. A byte order mark at its beginning,
// as editors on Windows write it, is no part of it.
func readNamed(name string) ([]byte, error) {
	in := os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := readLimited(in, maxLanguageBytes)
	return bytes.TrimPrefix(text, []byte("\uFEFF")), err
}

// compileSchema makes the language of a JSON Schema.
func compileSchema(text []byte, o languageOptions) (*language, error) {
	return compile(lang.Source{Schema: text, Lenient: o.lenient, Loose: o.loose})
}

// compileRegex makes the language of a regular expression.
func compileRegex(text string) (*language, error) { return compile(lang.Source{Regex: text}) }

// compileChoices makes the language of a few texts.
func compileChoices(texts []string) (*language, error) { return compile(lang.Source{Choices: texts}) }

// compileGrammar makes the language of a grammar. The ending of its name, or else the
// text, says in which notation it is.
func compileGrammar(text, name string) (*language, error) {
	return compile(lang.Source{Grammar: text, Name: name})
}

func compile(s lang.Source) (*language, error) {
	l, err := s.Compile()
	if err != nil {
		return nil, err
	}
	return &language{s.Kind(), l.Start, l.JSON, l.Notes}, nil
}

// unless is what f returns, unless ctx ends first: f, which does not heed it, is left
// alone then.
func unless[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		var none T
		return none, interrupted("nothing was found out")
	}
}
