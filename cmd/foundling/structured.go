package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate/grammar"
	lang "github.com/foundling-lm/foundling/generate/grammar/language"
)

// structuredFlags say what a text must be, of the commands that write text.
type structuredFlags struct {
	JSONSchema   string   `type:"filled" name:"json-schema" group:"structured" help:"Write JSON that satisfies this JSON Schema." placeholder:"FILE"`
	Regex        string   `type:"filled" group:"structured" help:"Write what this regular expression (RE2) matches from end to end." placeholder:"REGEX"`
	Grammar      string   `type:"filled" group:"structured" help:"Write a text of this grammar: .gbnf, .ebnf or .lark." placeholder:"FILE"`
	Choice       []string `group:"structured" help:"Write this text; repeat for more, of which one is written." placeholder:"TEXT" sep:"none"`
	Lenient      bool     `group:"structured" help:"Pass over keywords of the schema that cannot be enforced, and say which."`
	GrammarAfter string   `type:"filled" group:"structured" help:"Let free text come first, up to this marker, which may be a special token." placeholder:"MARKER"`
	Heal         bool     `group:"structured" help:"Write the last tokens of the prompt again, unseen, where a longer token could replace them."`
}

// given says that the text is not free.
func (f *structuredFlags) given() bool {
	return f.JSONSchema != "" || f.Regex != "" || f.Grammar != "" || len(f.Choice) > 0
}

// check says which flag is impossible. It is no Validate, as in stoppingFlags.
func (f *structuredFlags) check() error {
	n := 0
	for _, given := range []bool{f.JSONSchema != "", f.Regex != "", f.Grammar != "", len(f.Choice) > 0} {
		if given {
			n++
		}
	}
	switch {
	case n > 1:
		return errors.New("give one of --json-schema, --regex, --grammar and --choice")
	case slices.Contains(f.Choice, ""):
		return errors.New("--choice is empty: give the text to write")
	case f.Lenient && f.JSONSchema == "":
		return errors.New("--lenient is about keywords of a --json-schema")
	case f.GrammarAfter != "" && n == 0:
		return errors.New("--grammar-after says where --json-schema, --regex, --grammar or --choice begins: give one of them")
	}
	return nil
}

// compile makes the grammar for a model, nil without any, and says on standard error
// what has no effect.
func (f *structuredFlags) compile(ctx context.Context, m *foundling.Model) (*foundling.Grammar, error) {
	if !f.given() {
		return nil, nil
	}
	source := lang.Source{Regex: f.Regex, Name: f.Grammar, Choices: f.Choice, Lenient: f.Lenient}
	flag := "--" + source.Kind() // of what is not read from a file
	for name, path := range map[string]string{"--json-schema": f.JSONSchema, "--grammar": f.Grammar} {
		if path == "" {
			continue
		}
		text, err := readNamed(path)
		if err == nil && len(text) == 0 {
			err = fmt.Errorf("%s is empty", path)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if flag = name; name == "--grammar" {
			source.Grammar = string(text)
		} else {
			source.Schema = text
		}
	}
	g, err := unless(ctx, func() (*foundling.Grammar, error) {
		return m.Grammar(foundling.Format{Source: source, After: f.GrammarAfter})
	})
	if errors.Is(err, context.Canceled) {
		return nil, interrupted("nothing was written")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	for _, n := range g.Notes {
		fmt.Fprintf(os.Stderr, "note: %s\n", n)
	}
	return g, nil
}

// tooFew says which limit leaves too few tokens for a grammar: room is what the
// context has left behind the prompt.
func tooFew(b *grammar.BudgetError, maxTokens, room int) error {
	switch b.Have {
	case maxTokens:
		return fmt.Errorf("--max-tokens: %w", b)
	case room:
		return fmt.Errorf("the grammar needs %d tokens to finish the text, the end token included, and behind the prompt the model's context has %d left", b.Need, b.Have)
	}
	return fmt.Errorf("--budget: %w", b)
}
