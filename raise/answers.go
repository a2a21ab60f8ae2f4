package raise

import (
	"context"
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
	"github.com/foundling-lm/foundling/train/posttrain"
)

// Functions is how well a model writes the bodies of held-out functions.
type Functions struct {
	Name       string        `json:"name"`
	Parses     eval.Interval `json:"parses"`
	TypeChecks eval.Interval `json:"type_checks"`
	Reward     eval.Interval `json:"reward"`     // the verifier's, mean
	Statements float64       `json:"statements"` // of a body that parses, on average
	// Against the stage before: differences pair by pair, the share of functions of
	// which this model's body has the larger reward (ties count half), and the
	// divergence in nats a body.
	More *Gain `json:"gain,omitempty"`
}

// Gain compares two stages on the same functions and seeds.
type Gain struct {
	Parses, TypeChecks, Reward, WinRate, KL eval.Interval
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

// stageNames are the models of a run, first to last.
const (
	baseName   = "base model"
	tunedName  = "after fine-tuning"
	preferName = "after preference tuning"
)

// models are those of the stages that a run has.
func (r *Run) models() (names []string, zs []*bundle.Bundle, err error) {
	for _, m := range []struct{ name, dir string }{{baseName, r.path(BaseDir)}, {tunedName, r.path(TunedDir)}, {preferName, r.o.Out}} {
		if m.name == tunedName && !posttrain.Done(m.dir) || m.name == preferName && r.preferences.Skipped != "" {
			continue
		}
		z, err := bundle.Open(r.b, m.dir)
		if err != nil {
			return nil, nil, err
		}
		names, zs = append(names, m.name), append(zs, z)
	}
	return names, zs, nil
}

// functions asks the models for the bodies of held-out functions, given doc
// comment, signature and opening brace, and checks what they write with the
// parser and the type checker.
func (r *Run) functions(ctx context.Context, e *Evaluation, names []string, zs []*bundle.Bundle) error {
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
	var before [][]written
	for i, z := range zs {
		all, err := r.write(ctx, z, checker, prompts, drawing{"functions, " + names[i], 1, functionTemperature, 0.95})
		if err != nil {
			return err
		}
		f := functionsOf(names[i], all)
		if before != nil {
			f.More = gain(before, all)
			if zs[i-1].Chat == z.Chat { // else their prompts differ
				if f.More.KL, err = r.divergence(ctx, z, zs[i-1], checker, prompts); err != nil {
					return err
				}
			}
		}
		e.Functions, before = append(e.Functions, f), all
	}
	if names[len(names)-1] != preferName {
		return nil
	}
	return r.bestOfN(ctx, e, zs[len(zs)-1], checker, prompts[:min(len(prompts), r.Plan.Eval.BestOf)])
}

// functionsOf sums up the bodies of one model.
func functionsOf(name string, all [][]written) Functions {
	f := Functions{Name: name}
	var parses, checks, statements int
	rewards, zero := column(all, Grade.Reward), make([]float64, len(all))
	for _, w := range all {
		if g := w[0].grade; g.Parses {
			parses++
			statements += g.Statements
			if g.TypeChecks {
				checks++
			}
		}
	}
	f.Parses, f.TypeChecks = eval.Wilson(parses, len(all), eval.Z95), eval.Wilson(checks, len(all), eval.Z95)
	f.Reward = eval.Paired(rewards, zero)
	f.Statements = float64(statements) / float64(max(1, parses))
	return f
}

// column is a figure of the first body of each function.
func column(all [][]written, f func(Grade) float64) []float64 {
	out := make([]float64, len(all))
	for i, w := range all {
		out[i] = f(w[0].grade)
	}
	return out
}

func asNumber(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// gain compares the first bodies of two models.
func gain(before, after [][]written) *Gain {
	figure := func(f func(Grade) float64) eval.Interval { return eval.Paired(column(after, f), column(before, f)) }
	a, b := column(after, Grade.Reward), column(before, Grade.Reward)
	wins, half := make([]float64, len(a)), make([]float64, len(a))
	for i := range a {
		switch {
		case a[i] > b[i]:
			wins[i] = 1
		case a[i] == b[i]:
			wins[i] = 0.5
		}
	}
	return &Gain{
		Parses:     figure(func(g Grade) float64 { return asNumber(g.Parses) }),
		TypeChecks: figure(func(g Grade) float64 { return asNumber(g.TypeChecks) }),
		Reward:     figure(Grade.Reward), WinRate: eval.Paired(wins, half),
	}
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
