package foundling

import (
	"errors"
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/grammar"
	"github.com/foundling-lm/foundling/generate/grammar/language"
	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// Format says what a text must be: the JSON of a schema, what a regular expression
// matches, a text of a grammar, one of some choices.
type Format struct {
	language.Source
	// After lets free text come first, up to this marker: reasoning, then an answer.
	// A special token of the model may be named. "": none.
	After string
}

// Grammar is a Format for the vocabulary of a model. Texts that are written within
// it (Decoding.Grammar) belong to the format whatever the model wants, and are
// complete at any limit of tokens from Minimum on. It is made once and used by any
// number of texts at a time.
type Grammar struct {
	// Notes say what of a schema has no effect: with Format.Lenient what was passed
	// over.
	Notes []string

	format  Format
	grammar *grammar.Grammar
	start   *grammar.Session // forked by each text
	minimum int
}

// Grammar compiles a format. The error names what is wrong with it, in a schema by
// its JSON pointer, or says that the model cannot write it.
func (m *Model) Grammar(f Format) (*Grammar, error) {
	l, err := f.Compile()
	if err != nil {
		return nil, err
	}
	g := &Grammar{format: f}
	for _, n := range l.Notes {
		g.Notes = append(g.Notes, fmt.Sprintf("#%s %s: %s", n.Pointer, n.Keyword, n.Message))
	}
	return g, m.bind(g, l.Start, nil)
}

// bind puts a language and the model's vocabulary together; texts begin with prefix.
func (m *Model) bind(g *Grammar, start machine.State, prefix []byte) error {
	v, err := m.vocabulary()
	if err != nil {
		return err
	}
	tok := m.Bundle.Tokenizer
	marker, special := tok.SpecialID(g.format.After)
	if g.format.After != "" && !special {
		start = grammar.After([]byte(g.format.After), start)
	}
	if len(prefix) > 0 {
		start = grammar.Prefix(prefix, start)
	}
	g.grammar, err = grammar.New(v, start, grammar.Options{Encode: func(text []byte) []int32 { return tok.Encode(string(text)) }})
	if err != nil {
		return fmt.Errorf("%s: %w", m.Bundle.Dir, err)
	}
	g.start, g.minimum = g.grammar.Session(), g.grammar.Minimum()
	if g.format.After == "" || !special {
		return nil
	}
	if len(prefix) > 0 {
		return errors.New("the end of the prompt cannot be healed where a special token is the marker of the answer")
	}
	g.minimum++
	if g.start, err = g.grammar.SessionBehind(marker); err != nil {
		return fmt.Errorf("the marker %s of the answer: %w", g.format.After, err)
	}
	return nil
}

// Minimum is the number of tokens of a shortest text, the end token included. With
// fewer nothing is generated.
func (g *Grammar) Minimum() int { return g.minimum }

// vocabulary is the tokens of the model for grammars, laid out at the first call.
func (m *Model) vocabulary() (*grammar.Vocabulary, error) {
	m.once.Do(func() {
		tok := m.Bundle.Tokenizer
		if tok == nil {
			m.vocabErr = fmt.Errorf("%s has no tokenizer, which a grammar needs: %w", m.Bundle.Dir, m.Bundle.NoTokens)
			return
		}
		tokens, special := tok.Tokens()
		tokens, special = slices.Clone(tokens), slices.Clone(special)
		for n := m.Bundle.Model.Dims().Vocab; len(tokens) < n; { // ids without a token
			tokens, special = append(tokens, nil), append(special, true)
		}
		m.vocab, m.vocabErr = grammar.NewVocabulary(tokens, special, m.Bundle.Stops())
		if m.vocabErr != nil {
			m.vocabErr = fmt.Errorf("%s: %w", m.Bundle.Dir, m.vocabErr)
		}
	})
	return m.vocab, m.vocabErr
}

// within makes o write texts of g.
func (g *Grammar) within(o *generate.Options) {
	o.Constraint = generate.Within(g.start)
	o.StopIDs = g.grammar.Vocabulary().End()
}

// Heal takes back the last tokens of a prompt that a longer token could replace, and
// makes o write their text again, unseen: a prompt that ends in the middle of what
// the tokenizer would make one token leads a model astray. A grammar, nil for none,
// holds for the text behind.
func (m *Model) Heal(prompt []int32, g *Grammar, o *generate.Options) (kept []int32, err error) {
	v, err := m.vocabulary()
	if err != nil {
		return nil, err
	}
	kept, prefix := v.Heal(prompt)
	if len(prefix) == 0 {
		return prompt, nil
	}
	healed, start := &Grammar{}, grammar.Anything()
	if g != nil {
		healed.format = g.format
		l, err := g.format.Compile() // states belong to one grammar
		if err != nil {
			return nil, err
		}
		start = l.Start
	}
	if err := m.bind(healed, start, prefix); err != nil {
		return nil, err
	}
	healed.within(o)
	o.SkipBytes = len(prefix)
	return kept, nil
}
