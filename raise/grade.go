package raise

import (
	"context"
	"errors"
	"slices"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/text/gosrc"
)

// Grade is what the verifier finds in a function that a model wrote.
type Grade struct {
	Parses     bool    `json:"parses"`
	TypeChecks bool    `json:"type_checks"`
	Named      float64 `json:"named"`     // share of what the doc comment names that the body uses
	Substance  float64 `json:"substance"` // statements of the body as a share of those of the original (of four, at most), 0 for one that repeats itself
	Statements int     `json:"statements"`
	Reach      float64 `json:"reach"` // share of the text before the first syntax error, less for a text that repeats itself
}

// Reward is the verifier's reward in [0, 1]: two tenths for a function that parses,
// and if it does, two for what the doc comment names, three for substance and three
// for one that type-checks, as far as it has substance: a body of one statement
// type-checks nearly anywhere. If it does not parse, up to one for how far it does.
func (g Grade) Reward() float64 {
	if !g.Parses {
		return 0.1 * g.Reach
	}
	x := 0.2 + 0.2*g.Named + 0.3*g.Substance
	if g.TypeChecks {
		x += 0.3 * g.Substance
	}
	return x
}

// wholeBody is how many statements are substance enough for any function.
const wholeBody = 4

// maxRepetition is the share of repeated phrases of a text that goes round.
const maxRepetition = 0.5

// grade verifies what a model wrote after the function's head.
func grade(ctx context.Context, c *gosrc.Checker, p gosrc.FunctionPrompt, out *generate.Result) (Grade, error) {
	function := p.FromCompletion(out.Text)
	v, err := gosrc.Verify(ctx, c, p, function)
	if err != nil && !errors.Is(err, gosrc.ErrUncheckable) {
		return Grade{}, err
	}
	repetition := search.Repetition(out.Text)
	substance := 0.0
	if repetition < maxRepetition {
		substance = min(1, float64(v.Statements)/float64(max(1, min(wholeBody, gosrc.Statements(p.Reference)))))
	}
	return Grade{
		Reach:  gosrc.Reach(function) * (1 - repetition),
		Parses: v.Parses, TypeChecks: v.TypeChecks, Statements: v.Statements, Named: gosrc.Named(p, function),
		Substance: substance,
	}, nil
}

// written is a body with its grade.
type written struct {
	prompt []int32 // up to the function's opening brace
	out    *generate.Result
	grade  Grade
}

// answer is the ids that the model wrote, with the end token where it wrote one.
func (w *written) answer() []int32 {
	ids := slices.Clip(w.out.IDs)
	if w.out.StopID >= 0 {
		ids = append(ids, w.out.StopID)
	}
	return ids
}

// drawing is how bodies are drawn: so many of each function.
type drawing struct {
	what        string // for the progress
	n           int
	temperature float64
	topP        float64
}

// write asks a model for bodies of functions and grades them. Body k of prompt i has
// a stream of its own, so the first ones do not depend on how many there are.
func (r *Run) write(ctx context.Context, z *bundle.Bundle, checker *gosrc.Checker, prompts []gosrc.FunctionPrompt, d drawing) ([][]written, error) {
	n := d.n
	g := generate.New(r.b, z.Model, z.TokenBytes())
	defer g.Close()
	all := make([][]written, len(prompts))
	const group = 16 // prompts at a time
	for from := 0; from < len(prompts); from += group {
		part := prompts[from:min(from+group, len(prompts))]
		var requests []generate.Request
		for i, p := range part {
			ids, err := r.prompt(z, p.Prompt, p.Completion)
			if err != nil {
				return nil, err
			}
			if z.Chat {
				ids = z.Tokenizer.EncodeAppend(ids, p.Head())
			}
			for k := range n {
				requests = append(requests, generate.Request{Prompt: ids, Options: generate.Options{
					MaxTokens: r.Plan.Eval.AnswerTokens, StopIDs: z.Generation.EOS, Stream: uint64((from+i)*bestOf + k),
					Sample: sample.Options{Temperature: d.temperature, TopP: d.topP, Seed: r.Plan.Seed},
				}})
			}
		}
		results, err := g.GenerateAll(ctx, requests, nil)
		if err != nil {
			return nil, err
		}
		for i, p := range part {
			for k := range n {
				out := results[i*n+k]
				grade, err := grade(ctx, checker, p, out)
				if err != nil {
					return nil, err
				}
				all[from+i] = append(all[from+i], written{requests[i*n+k].Prompt, out, grade})
			}
		}
		r.w.Bytes(d.what, int64(from+len(part)), int64(len(prompts)))
	}
	return all, nil
}
