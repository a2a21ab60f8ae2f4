package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/grammar"
	"github.com/foundling-lm/foundling/generate/sample"
)

// constrainedSchemas are what the sequences of the constrained bench are held to.
// Strings leave a choice at every token, records have names and marks that are forced.
// Both are longer than what is measured.
var constrainedSchemas = []struct{ name, schema string }{
	{"strings", `{"type":"array","minItems":30,"items":{"type":"string"}}`},
	{"records", `{"type":"array","minItems":10,"items":{"type":"object","properties":{
		"name":{"type":"string","maxLength":40},"born":{"type":"integer","minimum":1800,"maximum":2100},"score":{"type":"number"},
		"kind":{"enum":["person","place","thing"]},"tags":{"type":"array","items":{"type":"string"},"maxItems":4}},
		"required":["name","born","score","kind","tags"],"additionalProperties":false}}`},
}

// constrainedNames are the rows of one shape: the rate without a constraint, and with
// each schema the rate and the time of a token against that without.
func constrainedNames(prefix string) []string {
	names := []string{prefix + "/sampled32"}
	for _, s := range constrainedSchemas {
		names = append(names, prefix+"/constrained32/"+s.name, prefix+"/constrained32/"+s.name+"/time")
	}
	return names
}

// constrainedRows decode manySequences without and with constraints, step by step in
// turn, so that what else the machine does slows all alike. Each turn has random
// numbers of its own: its masks are those of new texts.
func (c *benchCmd) constrainedRows(ctx context.Context, s *shaped, prefix string) ([]benchRow, error) {
	names := constrainedNames(prefix)
	if !slices.ContainsFunc(names, c.wants) {
		return nil, nil
	}
	limits, err := c.constraints(s.m.Dims().Vocab)
	if err != nil {
		return nil, err
	}
	rates := make([][]float64, len(limits))
	times := make([][]float64, len(limits))
	for began := time.Now(); len(rates[0]) == 0 || time.Since(began) < c.each(20*time.Second); {
		got, err := s.turn(ctx, limits, uint64(len(rates[0])))
		if err != nil {
			return nil, err
		}
		for i, r := range got {
			rates[i], times[i] = append(rates[i], r), append(times[i], got[0]/r)
		}
	}
	rows := []benchRow{summary(names[0], "tokens/s", rates[0])}
	for i := 1; i < len(limits); i++ {
		rows = append(rows, summary(names[2*i-1], "tokens/s", rates[i]), summary(names[2*i], "of free", times[i]))
	}
	return rows, nil
}

// constraints are none and those of the schemas, over the first ids of the vocabulary
// of the grammar bench.
func (c *benchCmd) constraints(size int) ([]*grammar.Grammar, error) {
	tokens, special, encode, err := c.benchTokens()
	if err != nil {
		return nil, err
	}
	if len(tokens) >= size {
		encode = longestFirst(tokens[:size-1])
	}
	for len(tokens) < size {
		tokens, special = append(tokens, nil), append(special, true)
	}
	tokens, special = tokens[:size], special[:size]
	tokens[size-1], special[size-1] = nil, true
	v, err := grammar.NewVocabulary(tokens, special, []int32{int32(size - 1)})
	if err != nil {
		return nil, err
	}
	out := []*grammar.Grammar{nil}
	for _, s := range constrainedSchemas {
		l, err := compileSchema([]byte(s.schema), languageOptions{})
		if err != nil {
			return nil, err
		}
		g, err := grammar.New(v, l.start, grammar.Options{Encode: encode})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		out = append(out, g)
	}
	return out, nil
}

// turn is the rates of manySequences that are held to each of the grammars (nil: to
// none), over manyTokens steps behind the prompt.
func (s *shaped) turn(ctx context.Context, limits []*grammar.Grammar, seed uint64) (rates []float64, err error) {
	next := make([]func() (int, error, bool), len(limits))
	for i, g := range limits {
		e, err := generate.Open(s.b, s.m, nil, benchEngine)
		if err != nil {
			return nil, err
		}
		defer e.Close()
		var stop func()
		next[i], stop = iter.Pull2(s.steps(ctx, e, g, seed))
		defer stop()
	}
	tokens := make([]int, len(limits))
	took := make([]time.Duration, len(limits))
	for call := range manyTokens + 2 {
		for i := range limits {
			at := time.Now()
			n, err, ok := next[i]()
			if err != nil || !ok {
				return nil, errors.Join(err, ctx.Err())
			}
			if call > 0 && call <= manyTokens { // the first reads the prompt, too
				took[i] += time.Since(at)
			}
			if call > 1 {
				tokens[i] += n
			}
		}
	}
	for i := range limits {
		rates = append(rates, float64(tokens[i])/max(took[i].Seconds(), 1e-9))
	}
	return rates, nil
}

// steps decodes manySequences behind one prompt and gives the tokens of each step, when
// the one behind it has been run. With a constraint a step may give several of a
// sequence.
func (s *shaped) steps(ctx context.Context, e *generate.Engine, g *grammar.Grammar, seed uint64) iter.Seq2[int, error] {
	o := generate.Options{Sample: sample.Options{Seed: seed, Temperature: .8, TopK: 40, TopP: .95}}
	if g != nil {
		o.Constraint, o.StopIDs = generate.Within(g.Session()), g.Vocabulary().End()
	}
	return func(yield func(int, error) bool) {
		tokens, before, more := 0, -1, true
		_, err := e.GenerateN(ctx, s.prompt(0, manyPrompt), o, manySequences, func(i int, _ generate.Piece) bool {
			if i < before { // the pieces of a step come in the order of the sequences
				more = more && yield(tokens, nil)
				tokens = 0
			}
			before = i
			tokens++
			return more
		})
		if err != nil && more {
			yield(0, err)
		}
	}
}
