package raise

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/corpus"
	"github.com/foundling-lm/foundling/text/demo"
	"github.com/foundling-lm/foundling/text/gosrc"
)

// Functions is how well a model writes the bodies of held-out functions.
type Functions struct {
	Name       string        `json:"name"`
	Parses     eval.Interval `json:"parses"`
	TypeChecks eval.Interval `json:"type_checks"`
	Statements float64       `json:"statements"` // of a body that parses, on average
}

// Sample is a prompt and what a model wrote.
type Sample struct {
	Task   string `json:"task"`
	Prompt string `json:"prompt"`
	Text   string `json:"text"`
	Finish string `json:"finish"`
}

// How answers are drawn.
const (
	functionTemperature = 0.4
	sampleTemperature   = 0.6
)

// functions asks both models for the bodies of held-out functions, given doc
// comment, signature and opening brace, and checks what they write with the
// parser and the type checker.
func (r *Run) functions(ctx context.Context, e *Evaluation, base, final *bundle.Bundle) error {
	if ok, err := r.isGo(); !ok || err != nil {
		return err
	}
	checker, err := r.checker()
	if checker == nil || err != nil {
		return err
	}
	a := r.Plan.Answers
	prompts, err := gosrc.Prompts(r.data.Sides.Documents(corpus.Validation), gosrc.Options{Seed: r.Plan.Seed, MaxPrompt: a.MaxPrompt, MaxResponse: a.MaxResponse},
		r.Plan.Eval.Functions, func(p gosrc.FunctionPrompt) bool { return checker.Checkable(ctx, p) })
	if err != nil || len(prompts) == 0 {
		return err
	}
	for _, z := range []*bundle.Bundle{base, final} {
		if z == final && !final.Chat {
			continue
		}
		f := Functions{Name: "base model"}
		if z.Chat {
			f.Name = "after fine-tuning"
		}
		if err := r.write(ctx, &f, z, checker, prompts); err != nil {
			return err
		}
		e.Functions = append(e.Functions, f)
	}
	return nil
}

// checker type-checks in the place of the text's functions; nil where there is no
// Go tree to find the standard library in.
func (r *Run) checker() (*gosrc.Checker, error) {
	if r.o.GoRoot == "" {
		return nil, nil
	}
	o := gosrc.CheckerOptions{Root: r.Plan.Data[0], GOROOT: r.o.GoRoot}
	if filepath.Clean(o.Root) == filepath.Join(r.o.GoRoot, "src") {
		o.GOROOT = ""
	}
	return gosrc.NewChecker(o)
}

// write asks one model for all functions.
func (r *Run) write(ctx context.Context, f *Functions, z *bundle.Bundle, checker *gosrc.Checker, prompts []gosrc.FunctionPrompt) error {
	g := generate.New(r.b, z.Model, z.TokenBytes())
	defer g.Close()
	var parses, checks, statements int
	for i, p := range prompts {
		o := generate.Options{MaxTokens: r.Plan.Eval.AnswerTokens, StopIDs: z.Generation.EOS, Stream: uint64(i),
			Sample: sample.Options{Temperature: functionTemperature, TopP: 0.95, Seed: r.Plan.Seed}}
		ids, err := r.prompt(z, p.Prompt, p.Completion)
		if err != nil {
			return err
		}
		if z.Chat {
			ids = z.Tokenizer.EncodeAppend(ids, p.Head())
		}
		out, err := g.Generate(ctx, ids, o, nil)
		if err != nil {
			return err
		}
		v, err := gosrc.Verify(ctx, checker, p, p.FromCompletion(out.Text))
		if err != nil && !errors.Is(err, gosrc.ErrUncheckable) {
			return err
		}
		if v.Parses {
			parses++
			statements += v.Statements
		}
		if v.TypeChecks {
			checks++
		}
		r.w.Bytes("functions, "+f.Name, int64(i+1), int64(len(prompts)))
	}
	f.Parses, f.TypeChecks = eval.Wilson(parses, len(prompts), eval.Z95), eval.Wilson(checks, len(prompts), eval.Z95)
	f.Statements = float64(statements) / float64(max(1, parses))
	return nil
}

// prompt is the ids of a question for a chat model, or of the text to continue
// for a base model, cut on the left to leave room for an answer.
func (r *Run) prompt(z *bundle.Bundle, question, completion string) ([]int32, error) {
	var ids []int32
	if z.Chat {
		c := chat.Conversation{Messages: []chat.Message{{Role: chat.RoleUser, Content: question}}, AddGenerationPrompt: true}
		segments, err := chat.Default().Render(c, nil)
		if err != nil {
			return nil, err
		}
		if ids, _, err = chat.Tokenize(z.Tokenizer, segments); err != nil {
			return nil, err
		}
	} else {
		ids = z.Tokenizer.EncodeAppend([]int32{r.end()}, completion)
	}
	if most := z.Model.Dims().Context * 3 / 4; len(ids) > most {
		ids = ids[len(ids)-most:]
	}
	return ids, nil
}

// sampleTexts is how many prompts are shown at the end of a raise.
const sampleTexts = 3

// samples shows held-out prompts of different tasks with the model's answers,
// or, for a base model, the beginnings of held-out documents.
func (r *Run) samples(ctx context.Context, e *Evaluation, z *bundle.Bundle) error {
	questions, err := r.questions(z)
	if err != nil {
		return err
	}
	g := generate.New(r.b, z.Model, z.TokenBytes())
	defer g.Close()
	for i, q := range questions {
		ids, err := r.prompt(z, q.Prompt, q.Prompt)
		if err != nil {
			return err
		}
		out, err := g.Generate(ctx, ids, generate.Options{
			MaxTokens: r.Plan.Eval.AnswerTokens, StopIDs: z.Generation.EOS, Stream: uint64(i),
			Sample: sample.Options{Temperature: sampleTemperature, TopP: 0.95, Seed: r.Plan.Seed},
		}, nil)
		if err != nil {
			return err
		}
		e.Samples = append(e.Samples, Sample{q.Task, q.Prompt, out.Text, out.Finish})
	}
	return nil
}

// questions draws one held-out prompt of each of three tasks.
func (r *Run) questions(z *bundle.Bundle) ([]demo.Demonstration, error) {
	if !z.Chat {
		held, err := r.heldOut()
		if err != nil {
			return nil, err
		}
		var out []demo.Demonstration
		for _, d := range held[:min(sampleTexts, len(held))] {
			head := d.Text[:min(len(d.Text), 200)]
			if i := strings.LastIndexAny(head, " \n"); i > 0 {
				head = head[:i]
			}
			out = append(out, demo.Demonstration{Task: "continue", Prompt: strings.ToValidUTF8(head, "")})
		}
		return out, nil
	}
	stream, err := r.demonstrations(r.data.Sides.Documents(corpus.Validation))
	if err != nil {
		return nil, err
	}
	var all []demo.Demonstration
	for d, err := range stream {
		if err != nil {
			return nil, err
		}
		if len(d.Prompt) < 400 {
			all = append(all, d)
		}
	}
	draw(all, r.Plan.Seed)
	var out, rest []demo.Demonstration
	seen := map[string]bool{}
	for _, d := range all {
		if seen[d.Task] {
			rest = append(rest, d)
			continue
		}
		seen[d.Task] = true
		out = append(out, d)
	}
	out = append(out, rest...)
	out = out[:min(len(out), sampleTexts)]
	if len(out) == 0 {
		return nil, fmt.Errorf("the held-out text has no prompts")
	}
	return out, nil
}
