package gosrc

import (
	"cmp"
	"context"
	"go/ast"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/text"
	"github.com/foundling-lm/foundling/text/demo"
)

// FunctionPrompt asks for one function of a held-out file.
type FunctionPrompt struct {
	Name       string          `json:"name"` // "Name" or "Type.Name", as Checker.Check takes it
	Provenance demo.Provenance `json:"provenance"`
	Prompt     string          `json:"prompt"`     // for a chat model, phrased as TaskFunction
	Completion string          `json:"completion"` // for a base model: comment, signature, opening brace
	Reference  string          `json:"reference"`  // the function as it stands in the file
	signature  string
}

// Prompts returns n functions of the Go files among docs (all, where n is
// negative), chosen by the seed and spread over the files like the functions
// themselves, in the order of the documents. The limits of o hold for the
// prompt and the reference. Functions that keep reports false for are passed
// over; keep may be nil.
func Prompts(docs text.Stream, o Options, n int, keep func(FunctionPrompt) bool) ([]FunctionPrompt, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	type candidate struct {
		draw  uint64
		index int
		p     FunctionPrompt
	}
	var all []candidate
	var seen demo.Seen
	for doc, err := range docs {
		if err != nil {
			return nil, err
		}
		s, err := parse(doc, o)
		if err != nil {
			continue
		}
		for _, f := range s.functions(o.MinDocWords) {
			p := s.prompt(f, o)
			if len(p.Prompt) > o.MaxPrompt || len(p.Reference) > o.MaxResponse ||
				f.decl.Name.Name == "init" || !seen.Add("", f.text) {
				continue
			}
			draw := rng.Uint64(o.Seed, rng.Stream("gosrc/prompts"), xxh3.HashString(s.file+"\x00"+f.name))
			all = append(all, candidate{draw, len(all), p})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.draw, b.draw), cmp.Compare(a.index, b.index))
	})
	var kept []candidate
	for _, c := range all {
		if n >= 0 && len(kept) == n {
			break
		}
		if keep == nil || keep(c.p) {
			kept = append(kept, c)
		}
	}
	slices.SortFunc(kept, func(a, b candidate) int { return cmp.Compare(a.index, b.index) })
	prompts := make([]FunctionPrompt, len(kept))
	for i, c := range kept {
		prompts[i] = c.p
	}
	return prompts, nil
}

func (s *source) prompt(f function, o Options) FunctionPrompt {
	head := commented(f.doc) + "\n" + f.signature
	return FunctionPrompt{
		Name:       f.name,
		Provenance: s.at(f.decl.Pos()),
		Prompt:     o.prompt(TaskFunction, f.name, s.pkg, head),
		Completion: head + " {\n",
		Reference:  f.text,
		signature:  f.signature,
	}
}

// FromAnswer finds the function in a chat model's answer to Prompt. An
// unfinished function comes back as it is, so that Verify says what is wrong.
func (p FunctionPrompt) FromAnswer(answer string) string {
	if f, ok := Cut(answer); ok {
		return f
	}
	return answer
}

// Head is how the function begins: signature and opening brace. Written at the
// start of a chat model's answer it leaves the body to be generated, as
// Completion does for a base model.
func (p FunctionPrompt) Head() string { return p.signature + " {\n" }

// FromCompletion finds the function in what a base model writes after
// Completion or Head, which may go on past the function's end.
func (p FunctionPrompt) FromCompletion(continuation string) string {
	return p.FromAnswer(p.Head() + continuation)
}

// Verdict is what Verify finds out about a function.
type Verdict struct {
	Parses     bool `json:"parses"`
	TypeChecks bool `json:"type_checks"`
	// Statements counts the statements of the body, nested ones included: a
	// body of one statement, such as a panic, type-checks nearly anywhere.
	Statements int   `json:"statements"`
	Err        error `json:"-"` // why not
}

// Statements counts the statements of a function's body, nested ones included; 0 if
// it does not parse.
func Statements(function string) int {
	decl, _, err := parseFunction(strings.TrimSpace(function))
	if err != nil {
		return 0
	}
	return statements(decl)
}

func statements(decl *ast.FuncDecl) (n int) {
	ast.Inspect(decl.Body, func(x ast.Node) bool {
		if s, ok := x.(ast.Stmt); ok {
			if _, block := s.(*ast.BlockStmt); !block {
				n++
			}
		}
		return true
	})
	return n
}

// Verify parses and type-checks a model's function. The error is not nil when
// there is no verdict: the original can't be checked, or ctx is done.
func Verify(ctx context.Context, c *Checker, p FunctionPrompt, function string) (Verdict, error) {
	var v Verdict
	decl, _, err := parseFunction(strings.TrimSpace(function))
	if err != nil {
		v.Err = err
		return v, nil
	}
	v.Parses, v.Statements = true, statements(decl)
	v.Err = c.Check(ctx, p.Provenance.File, p.Name, function)
	if noVerdict(v.Err) {
		return v, v.Err
	}
	v.TypeChecks = v.Err == nil
	return v, nil
}
