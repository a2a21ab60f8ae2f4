package foundling

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/grammar"
	"github.com/foundling-lm/foundling/generate/grammar/language"
	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// Format says what a text must be: the JSON of a schema, what a regular expression
// matches, a text of a grammar, one of some choices, calls of functions.
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
	spell   map[int32][]byte // special tokens that are part of the texts
	grammar *grammar.Grammar
	start   *grammar.Session // forked by each text
	minimum int

	once  sync.Once
	blank *Grammar // the same behind a space that may come; nil: it may not
	err   error
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
		g.Notes = append(g.Notes, n.String())
	}
	return g, m.bind(g, l.Start, nil)
}

// bind puts a language and the model's vocabulary together; texts begin with prefix.
func (m *Model) bind(g *Grammar, start machine.State, prefix []byte) error {
	g.spell = m.spelled(&g.format)
	v, err := m.vocabulary(g.spell)
	if err != nil {
		return err
	}
	marker, special := m.Bundle.Tokenizer.SpecialID(g.format.After)
	special = special && g.format.After != ""
	if !special {
		start = machine.Prefix(prefix, machine.After([]byte(g.format.After), start))
	}
	if g.grammar, err = grammar.New(v, start, grammar.Options{Encode: func(text []byte) []int32 { return m.encodeWithin(text, g.spell) }}); err != nil {
		return fmt.Errorf("%s: %w", m.Bundle.Dir, err)
	}
	g.start, g.minimum = g.grammar.Session(), g.grammar.Minimum()
	if special {
		g.minimum++
		g.start, err = g.grammar.SessionBehind(marker, prefix)
	}
	if err != nil {
		return fmt.Errorf("the marker %s of the answer: %w", g.format.After, err)
	}
	return nil
}

// encodeWithin is the ids of a part of a text. A space at its beginning is the one that
// some tokenizers put before every text.
func (m *Model) encodeWithin(text []byte, spell map[int32][]byte) []int32 {
	tok := m.Bundle.Tokenizer
	for id, name := range spell {
		if before, after, ok := bytes.Cut(text, name); ok {
			ids := m.encodeWithin(before, spell)
			return append(append(ids, id), m.encodeWithin(after, spell)...)
		}
	}
	if len(text) > 1 && text[0] == ' ' && tok.BlankAfter(nil) {
		text = text[1:]
	}
	return tok.Encode(string(text))
}

// Minimum is the number of tokens of a shortest text, the end token included. With
// fewer nothing is generated.
func (g *Grammar) Minimum() int { return g.minimum }

// spelled are the special tokens that calls are written with.
func (m *Model) spelled(f *Format) map[int32][]byte {
	if f.Calls == nil || m.Bundle.Tokenizer == nil {
		return nil
	}
	tok, spell := m.Bundle.Tokenizer, map[int32][]byte{}
	form := &f.Calls.Form
	for _, text := range []string{form.Begin, form.Open, form.Middle, form.Close, form.Between, form.Finish} {
		for at := 0; at < len(text); {
			_, to, name, ok := tok.FindSpecial(text, at)
			if !ok {
				break
			}
			if id, ok := tok.SpecialID(name); ok {
				spell[id] = []byte(name)
			}
			at = to
		}
	}
	return spell
}

// vocabulary is the tokens of the model for grammars, laid out at the first call. Those
// of spell count as text.
func (m *Model) vocabulary(spell map[int32][]byte) (*grammar.Vocabulary, error) {
	x, _ := m.vocabs.LoadOrStore(fmt.Sprint(slices.Sorted(maps.Keys(spell))), &laidOut{})
	l := x.(*laidOut)
	l.once.Do(func() { l.vocabulary, l.err = m.layOut(spell) })
	return l.vocabulary, l.err
}

type laidOut struct {
	once       sync.Once
	vocabulary *grammar.Vocabulary
	err        error
}

func (m *Model) layOut(spell map[int32][]byte) (*grammar.Vocabulary, error) {
	tok := m.Bundle.Tokenizer
	if tok == nil {
		return nil, fmt.Errorf("%s has no tokenizer, which a grammar needs: %w", m.Bundle.Dir, m.Bundle.NoTokens)
	}
	tokens, special := tok.Tokens()
	tokens, special = slices.Clone(tokens), slices.Clone(special)
	for n := m.Bundle.Model.Dims().Vocab; len(tokens) < n; { // ids without a token
		tokens, special = append(tokens, nil), append(special, true)
	}
	for id, name := range spell {
		tokens[id], special[id] = name, false
	}
	v, err := grammar.NewVocabulary(tokens, special, m.Bundle.Stops())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Bundle.Dir, err)
	}
	return v, nil
}

// within makes o write texts of g.
func (g *Grammar) within(o *generate.Options) {
	o.Constraint, o.Spell = generate.Within(g.start), g.spell
	o.StopIDs = g.grammar.Vocabulary().End()
}

// Begin makes o fit what is before the text: with d.Heal the last tokens of the prompt
// that a longer token could replace are taken back and written again, unseen, since a
// prompt that ends in the middle of what the tokenizer would make one token leads a
// model astray. Where a text begins, behind a start token alone, the tokenizer's own
// space before it is written if the model wants, and not shown.
func (m *Model) Begin(prompt []int32, d Decoding, o *generate.Options) (kept []int32, err error) {
	if d.Heal {
		if kept, err = m.heal(prompt, d.Grammar, o); err != nil || len(kept) < len(prompt) {
			return kept, err
		}
	}
	if tok := m.Bundle.Tokenizer; tok == nil || !tok.BlankAfter(prompt) {
		return prompt, nil
	}
	if g := d.Grammar; g != nil {
		g.once.Do(func() { g.blank, g.err = m.behindBlank(g) })
		if g.blank == nil || g.err != nil {
			return prompt, g.err
		}
		g.blank.within(o)
	}
	o.SkipBlank = true
	return prompt, nil
}

// behindBlank is the grammar with a space before its texts or none; nil where texts may
// begin with a space of their own.
func (m *Model) behindBlank(g *Grammar) (*Grammar, error) {
	l, err := g.format.Compile() // states belong to one grammar
	if err != nil {
		return nil, err
	}
	start, ok := machine.MaybeBlank(l.Start)
	if !ok || g.format.After != "" {
		return nil, nil
	}
	blank := &Grammar{format: g.format}
	return blank, m.bind(blank, start, nil)
}

// heal takes back the last tokens of a prompt and makes o write their text again. A
// grammar, nil for none, holds for the text behind.
func (m *Model) heal(prompt []int32, g *Grammar, o *generate.Options) (kept []int32, err error) {
	v, err := m.vocabulary(nil)
	if err != nil {
		return nil, err
	}
	kept, prefix := v.Heal(prompt)
	if len(prefix) == 0 {
		return prompt, nil
	}
	healed, start := &Grammar{}, machine.Anything()
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
