package gosrc

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/text"
	"github.com/foundling-lm/foundling/text/demo"
)

const module = "testdata/module"

// tree streams the Go files below a folder in the order of their paths.
func tree(t testing.TB, root string) text.Stream {
	return func(yield func(text.Document, error) bool) {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			rel = filepath.ToSlash(rel)
			if !yield(text.Document{ID: path, Source: rel, Kind: "go", Text: string(data)}, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func extract(t testing.TB, o Options, docs text.Stream) ([]demo.Demonstration, Stats) {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	var out []demo.Demonstration
	for d, err := range e.Demonstrations(docs) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
	}
	return out, e.Stats
}

func TestModule(t *testing.T) {
	ds, stats := extract(t, Options{Seed: 1}, tree(t, module))
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, d := range ds {
		if err := enc.Encode(d); err != nil {
			t.Fatal(err)
		}
	}
	golden.Check(t, "module.jsonl", b.Bytes())
	want := Stats{Files: 4, Skipped: 3, Ambiguous: 1}
	if stats.Files != want.Files || stats.Skipped != want.Skipped || stats.Ambiguous != want.Ambiguous {
		t.Errorf("got %+v, want files, skipped, ambiguous of %+v", stats, want)
	}
	if got := stats.Tally.Total().N; got != len(ds) {
		t.Errorf("tally has %d, stream gave %d", got, len(ds))
	}
	checkGrounded(t, ds)
}

// checkGrounded checks each response against the file it names.
func checkGrounded(t *testing.T, ds []demo.Demonstration) {
	t.Helper()
	for _, d := range ds {
		data, err := os.ReadFile(filepath.Join(module, d.Provenance.File))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(data), "\n")
		if d.Provenance.Line < 1 || d.Provenance.Line > len(lines) {
			t.Errorf("%s: no such line", d.Provenance)
			continue
		}
		rest := strings.Join(lines[d.Provenance.Line-1:], "")
		switch d.Task {
		case TaskFunction:
			if !strings.HasPrefix(rest, d.Response) {
				t.Errorf("%s: the function is not there: %q", d.Provenance, d.Response)
			}
			if err := Parses(d.Response); err != nil {
				t.Errorf("%s: %v", d.Provenance, err)
			}
		case TaskDoc:
			if !strings.HasPrefix(rest, d.Response+"\nfunc") {
				t.Errorf("%s: the comment is not there: %q", d.Provenance, d.Response)
			}
		case TaskSymbol:
			if want := filepath.ToSlash(filepath.Dir(d.Provenance.File)); d.Response != want {
				t.Errorf("%s: got package %q, want %q", d.Provenance, d.Response, want)
			}
		}
	}
}

func TestOptions(t *testing.T) {
	all, _ := extract(t, Options{Seed: 1}, tree(t, module))
	has := func(ds []demo.Demonstration, what string) bool {
		return slices.ContainsFunc(ds, func(d demo.Demonstration) bool { return strings.Contains(d.Response, what) })
	}
	for _, left := range []string{"func Generated", "func helper", "func Vendored", "func Short", "func Todo", "func Empty"} {
		if has(all, left) {
			t.Errorf("default options let %q through", left)
		}
	}
	tests := []struct {
		name string
		o    Options
		want string
	}{
		{"generated", Options{Generated: true}, "func Generated"},
		{"tests", Options{Tests: true}, "func helper"},
		{"vendored", Options{Vendored: true}, "func Vendored"},
		{"short comments", Options{MinDocWords: 1}, "func Short"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if ds, _ := extract(t, tt.o, tree(t, module)); !has(ds, tt.want) {
				t.Errorf("%q is missing", tt.want)
			}
		})
	}
	t.Run("limits", func(t *testing.T) {
		ds, _ := extract(t, Options{MaxPrompt: 100, MaxResponse: 80}, tree(t, module))
		for _, d := range ds {
			if len(d.Prompt) > 100 || len(d.Response) > 80 {
				t.Errorf("%s: prompt %d, response %d bytes, want at most 100 and 80", d.Provenance, len(d.Prompt), len(d.Response))
			}
		}
		if len(ds) == 0 || len(ds) >= len(all) {
			t.Errorf("got %d of %d demonstrations", len(ds), len(all))
		}
	})
	t.Run("tasks", func(t *testing.T) {
		for _, task := range Tasks() {
			ds, stats := extract(t, Options{Tasks: []string{task}}, tree(t, module))
			if len(ds) == 0 || stats.Tally[task].N != len(ds) {
				t.Errorf("%s: got %d demonstrations, tally %v", task, len(ds), stats.Tally)
			}
		}
	})
	t.Run("seed", func(t *testing.T) {
		again, _ := extract(t, Options{Seed: 1}, tree(t, module))
		other, _ := extract(t, Options{Seed: 2}, tree(t, module))
		if !reflect.DeepEqual(all, again) || reflect.DeepEqual(all, other) {
			t.Error("one seed must give one result, another seed another")
		}
	})
	t.Run("threads", func(t *testing.T) {
		pool := parallel.New(3)
		defer pool.Close()
		if ds, _ := extract(t, Options{Seed: 1, Pool: pool}, tree(t, module)); !reflect.DeepEqual(all, ds) {
			t.Error("three threads give another result than one")
		}
	})
	for _, o := range []Options{{Tasks: []string{"x"}}, {MaxPrompt: -1}, {MinDocWords: -1}} {
		if _, err := New(o); err == nil {
			t.Errorf("options %+v are accepted", o)
		}
	}
}

func TestDuplicatesAndErrors(t *testing.T) {
	src := "package p\n\n// F returns the number of the beast.\nfunc F() int { return 666 }\n"
	broken := errors.New("broken")
	docs := func(yield func(text.Document, error) bool) {
		_ = yield(text.Document{Source: "a/a.go", Kind: "go", Text: src}, nil) &&
			yield(text.Document{Source: "b/b.go", Kind: "go", Text: strings.ReplaceAll(src, "func F() int {", "func  F()  int {")}, nil) &&
			yield(text.Document{Source: "c/c.go", Kind: "go", Text: "package p\nfunc {"}, nil) &&
			yield(text.Document{Source: "d/d.go", Kind: "go", Text: src + "// \xff"}, nil) &&
			yield(text.Document{Source: "e/e.txt", Kind: "text", Text: src}, nil) &&
			yield(text.Document{}, broken)
	}
	e, err := New(Options{Tasks: []string{TaskFunction}})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	var last error
	for _, err := range e.Demonstrations(docs) {
		n++
		last = err
	}
	if n != 2 || last != broken {
		t.Errorf("got %d results, last error %v, want one demonstration and the stream's error", n, last)
	}
	if s := e.Stats; s.Files != 2 || s.Duplicates != 1 || s.Unparsable != 2 {
		t.Errorf("got %+v, want 2 files, 1 duplicate, 2 unparsable", s)
	}
}

func TestHeldOutFilesAreDropped(t *testing.T) {
	var odd text.Document
	for d := range tree(t, module) {
		if strings.HasSuffix(d.Source, "odd.go") {
			odd = d
		}
	}
	held, err := demo.NewHeldOut(func(yield func(text.Document, error) bool) { yield(odd, nil) })
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	dropped := map[string]int{}
	for d, err := range held.Deduplicate(e.Demonstrations(tree(t, module)), dropped) {
		if err != nil || d.Provenance.File == odd.Source {
			t.Errorf("got %v, error %v", d.Provenance, err)
		}
	}
	if dropped["file"] < 3 {
		t.Errorf("got dropped %v, want the demonstrations of the file", dropped)
	}
}

func TestDeclName(t *testing.T) {
	for src, want := range map[string]string{
		"func F() {}": "F", "func (T) F() {}": "T.F", "func (t *T) F() {}": "T.F", "func (t (*(T))) F() {}": "T.F",
		"func (t T[A]) F() {}": "T.F", "func (t *T[A, B]) F() {}": "T.F", "func (t []T) F() {}": "", "func () F() {}": "",
		"func (a T, b T) F() {}": "",
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+src, 0)
		if err != nil && want != "" {
			t.Fatal(err)
		}
		decl, ok := f.Decls[0].(*ast.FuncDecl)
		if !ok {
			t.Fatalf("%q is no function", src)
		}
		if got := declName(decl); got != want {
			t.Errorf("declName(%q): got %q, want %q", src, got, want)
		}
	}
}

func TestPrompts(t *testing.T) {
	all, err := Prompts(tree(t, module), Options{Seed: 3}, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	some, err := Prompts(tree(t, module), Options{Seed: 3}, 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(some) != 4 || len(all) < 8 {
		t.Fatalf("got %d and %d prompts, want 4 of at least 8", len(some), len(all))
	}
	at := -1 // the sample is a part of all, in the same order
	for _, p := range some {
		i := slices.IndexFunc(all, func(q FunctionPrompt) bool { return q == p })
		if i <= at {
			t.Errorf("%s is at %d of all, after %d", p.Name, i, at)
		}
		at = i
	}
	for _, p := range all {
		body, ok := strings.CutPrefix(p.Reference, p.signature+" {")
		if !ok || !strings.Contains(p.Prompt, p.signature) || !strings.HasSuffix(p.Completion, p.signature+" {\n") {
			t.Errorf("%s: prompt, completion or reference lack the signature %q", p.Name, p.signature)
		}
		want := p.signature + " {\n" + body
		if got := p.FromCompletion(body + "\n\n// Next.\nfunc Next() {}\n"); got != want {
			t.Errorf("%s: FromCompletion gives %q, want %q", p.Name, got, want)
		}
		if got := p.FromAnswer("Here it is:\n```go\n" + p.Reference + "\n```\n"); got != p.Reference {
			t.Errorf("%s: FromAnswer gives %q, want %q", p.Name, got, p.Reference)
		}
	}
	none, err := Prompts(tree(t, module), Options{}, 5, func(p FunctionPrompt) bool { return p.Name == "Odd" })
	if err != nil || len(none) != 1 {
		t.Errorf("got %d prompts, error %v, want the one kept", len(none), err)
	}
}

func FuzzFile(f *testing.F) {
	f.Add("package p\n\n// F does one thing after another.\nfunc F() { x() }\n")
	f.Add("// Package p is for the fuzzer alone.\npackage p\n//line x:9\ntype (\n\t// T is exported and so on.\n\tT int\n)\nfunc (T) F() { G() }")
	f.Add("package p\n/* block comment of many words here */ func F() { _ = `a`; // open")
	f.Add("package p;func F(){{")
	f.Fuzz(func(t *testing.T, src string) {
		e, err := New(Options{MinDocWords: 1, Generated: true})
		if err != nil {
			t.Fatal(err)
		}
		doc := text.Document{Source: "p/p.go", Kind: "go", Text: src}
		for _, d := range append(e.File(doc), e.Symbols()...) {
			if d.Prompt == "" || d.Response == "" || d.Provenance.Line < 1 {
				t.Errorf("empty part: %+v", d)
			}
		}
	})
}

func BenchmarkExtract(b *testing.B) {
	root := filepath.Join(goroot(b), "src", "net", "http")
	var docs []text.Document
	for d := range tree(b, root) {
		docs = append(docs, d)
	}
	var size int64
	for b.Loop() {
		_, stats := extract(b, Options{}, func(yield func(text.Document, error) bool) {
			for _, d := range docs {
				if !yield(d, nil) {
					return
				}
			}
		})
		size = stats.Bytes
	}
	b.SetBytes(size)
}
