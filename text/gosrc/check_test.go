package gosrc

import (
	"context"
	"errors"
	"go/build"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/foundling-lm/foundling/text"
	"github.com/foundling-lm/foundling/text/demo"
)

// goroot is the Go tree that runs the test.
func goroot(t testing.TB) string {
	t.Helper()
	if build.Default.GOROOT == "" {
		t.Skip("the go tree is not known")
	}
	return build.Default.GOROOT
}

func TestParses(t *testing.T) {
	tests := []struct {
		name, function string
		want           string // part of the error; "" means none
	}{
		{"function", "func F(a int) (b int) { return a }", ""},
		{"method", "func (t *T) F() {}", ""},
		{"generic", "func F[T any](a T) T {\n\treturn a\n}\n", ""},
		{"body", " { return 1 }\n", ""},
		{"with a comment", "// F is.\nfunc F() {}", ""},
		{"no body", "func F()", "not a function with a body"},
		{"two", "func F() {}\nfunc G() {}", "2 declarations"},
		{"type", "type T int", "not a function"},
		{"prose", "This function adds.", "does not parse: 1:1"},
		{"open brace", "func F() {", "does not parse: 1:"},
		{"error on line two", "func F() {\n\tx = = y\n}", "does not parse: 2:6"},
		{"empty", "", "0 declarations"},
		{"nul", "func F() { \x00 }", "does not parse"},
		{"huge", "func F() {" + strings.Repeat(" ", MaxFunction) + "}", "limit"},
		{"import", "import \"os\"\nfunc F() {}", "2 declarations"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkError(t, Parses(tt.function), tt.want) })
	}
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want %q", err, want)
	}
}

func TestCut(t *testing.T) {
	tests := []struct{ name, answer, want string }{
		{"whole", "func F() { g() }", "func F() { g() }"},
		{"text after it", "func F() {\n}\n\nfunc G() {}", "func F() {\n}"},
		{"text before it", "Sure:\n```go\nfunc F() {\n}\n```", "func F() {\n}"},
		{"types with braces in the signature", "func F(a interface{ M() }, b struct{}) struct{} { return b } }", "func F(a interface{ M() }, b struct{}) struct{} { return b }"},
		{"braces in strings and comments", "func F() { a := \"}\" /* } */; b := `}`; c := '}' // }\n} x", "func F() { a := \"}\" /* } */; b := `}`; c := '}' // }\n}"},
		{"array size", "func F() [len([2]int{1, 2})]int { return x }y", "func F() [len([2]int{1, 2})]int { return x }"},
		{"generic", "func F[T interface{ ~int }](t T) { _ = t }{", "func F[T interface{ ~int }](t T) { _ = t }"},
		{"no function", "hello", ""},
		{"open", "func F() { if x { }", ""},
		{"closed too often", "func F()) {}", ""},
		{"broken inside", "func F() { = }", "func F() { = }"},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := Cut(tt.answer); got != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q %v, want %q", got, ok, tt.want)
			}
		})
	}
}

// moduleChecker is shared by the tests, as reading fmt and what it imports
// takes a while.
var moduleChecker = sync.OnceValues(func() (*Checker, error) {
	return NewChecker(CheckerOptions{Root: module, GOROOT: build.Default.GOROOT})
})

func TestCheck(t *testing.T) {
	goroot(t)
	c, err := moduleChecker()
	if err != nil {
		t.Fatal(err)
	}
	const shape = "shape/shape.go"
	tests := []struct {
		name, file, function, text string
		want                       string
	}{
		{"body", shape, "Names", "{ return names[0] }", ""},
		{"whole function", shape, "Names", "func Names(n ...string) string { return strings.ToUpper(n[0]) }", ""},
		{"recursion", shape, "square", "func square(y float64) float64 { return square(y) / 2 }", ""},
		{"other declarations of the package", shape, "square", "{ _ = Windowless{}; return 0 }", "undefined: Windowless"},
		{"constant of the package", shape, "square", "{ return Sides * x }", ""},
		{"method", shape, "Circle.Area", "func (x *Circle) Area() float64 { return x.R + (&Circle{}).Area() }", ""},
		{"method, receiver not named", shape, "Circle.Area", "func (*Circle) Area() float64 { return 1 }", ""},
		{"import of the module", shape, "Odd", "{ return !odd.Is(n + 1) }", ""},
		{"unknown field of an import", shape, "Odd", "{ return odd.Isnt(n) }", "undefined: odd.Isnt"},
		{"import that is not there is taken on trust", shape, "Elsewhere", "{ return missing.Anything(1, 2) }", ""},
		{"import of the file that the body no longer needs", shape, "Names", "{ return \"\" }", ""},
		{"package not imported", shape, "Names", "{ return os.Args[0] }", "undefined: os"},
		{"wrong type", shape, "square", "{ return \"x\" }", "does not type-check"},
		{"no result", shape, "square", "{ x++ }", "missing return"},
		{"unused variable", shape, "square", "{ y := x; return x }", "declared and not used"},
		{"unused label", shape, "square", "{ l: return x }", "label l"},
		{"wrong arguments", shape, "Circle.Area", "{ return math.Sqrt(1, 2) }", "too many arguments"},
		{"old parameter name in a new signature", shape, "square", "func square(y float64) float64 { return x }", "undefined: x"},
		{"other name", shape, "square", "func cube(x float64) float64 { return x }", "named cube, want square"},
		{"other receiver", shape, "Circle.Area", "func (c Circle) Area() float64 { return 1 }", "signature is"},
		{"receiver missing", shape, "Circle.Area", "func Area() float64 { return 1 }", "named Area"},
		{"other parameters", shape, "square", "func square(x int) float64 { return 1 }", "signature is"},
		{"other results", shape, "square", "func square(x float64) (float64, error) { return 1, nil }", "signature is"},
		{"not variadic", shape, "Names", "func Names(names []string) string { return \"\" }", "signature is"},
		{"generic", shape, "Largest", "{ return max(a, b) }", ""},
		{"generic, whole", shape, "Largest", "func Largest[T float64 | int](a, b T) T { var c T; _ = c; return a * b }", ""},
		{"generic, wrong", shape, "Largest", "{ return string(a) }", "does not type-check"},
		{"generic, other names", shape, "Largest", "func Largest[U float64 | int](a, b U) U { return a }", "signature is"},
		{"generic receiver", shape, "Pair.Swap", "func (p *Pair[T]) Swap() { var t T = p.first; p.second = t }", ""},
		{"generic receiver, wrong", shape, "Pair.Swap", "func (p *Pair[T]) Swap() { p.first = 1 }", "does not type-check"},
		{"does not parse", shape, "square", "{ return", "does not parse"},
		{"file in the root", "main.go", "main", "func main() { println(shape.Sides) }", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := c.Check(t.Context(), tt.file, tt.function, tt.text)
			checkError(t, err, tt.want)
			if noVerdict(err) {
				t.Errorf("%v is no verdict", err)
			}
		})
	}
}

func TestUncheckable(t *testing.T) {
	goroot(t)
	c, err := moduleChecker()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, file, function, want string }{
		{"other system", "shape/shape_windows.go", "Windows", "not built for linux/amd64"},
		{"test file", "shape/shape_test.go", "helper", "not built for"},
		{"no such function", "shape/shape.go", "Nothing", "no function Nothing"},
		{"no such file", "shape/none.go", "F", "not built for"},
		{"no such folder", "none/none.go", "F", "not built for"},
		{"outside the root", "../../gosrc.go", "New", "leaves the root"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := c.Check(t.Context(), tt.file, tt.function, "{}")
			checkError(t, err, tt.want)
			if !errors.Is(err, ErrUncheckable) {
				t.Errorf("%v does not wrap ErrUncheckable", err)
			}
		})
	}
	if _, err := NewChecker(CheckerOptions{Root: module}); err == nil {
		t.Error("a root without a go tree is accepted")
	}
	windows, err := NewChecker(CheckerOptions{Root: module, GOROOT: goroot(t), GOOS: "windows"})
	if err != nil {
		t.Fatal(err)
	}
	if err := windows.Check(t.Context(), "internal/odd/odd.go", "Is", "{ return true }"); err != nil {
		t.Error(err)
	}
}

func TestCheckStopsWithContext(t *testing.T) {
	c, err := NewChecker(CheckerOptions{Root: filepath.Join(goroot(t), "src")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Check(ctx, "errors/errors.go", "New", "{ return nil }"); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want the context's", err)
	}
	if err := c.Check(t.Context(), "errors/errors.go", "New", "{ return nil }"); err != nil {
		t.Errorf("after a cancelled call: %v", err)
	}
}

// TestStandardLibrary checks every function of some packages against itself
// and against a body that must not pass.
func TestStandardLibrary(t *testing.T) {
	src := filepath.Join(goroot(t), "src")
	c, err := NewChecker(CheckerOptions{Root: src})
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range []string{"strings", "slices", "sync/atomic", "container/list", "net/url", "cmp"} {
		docs := func(yield func(text.Document, error) bool) {
			for d := range tree(t, filepath.Join(src, pkg)) {
				if strings.Contains(d.Text, "//go:build ignore") {
					continue
				}
				if d.Source = pkg + "/" + d.Source; !yield(d, nil) {
					return
				}
			}
		}
		prompts, err := Prompts(docs, Options{MaxPrompt: 1 << 16, MaxResponse: 1 << 16}, -1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(prompts) == 0 {
			t.Errorf("%s: no prompts", pkg)
		}
		for _, p := range prompts {
			v, err := Verify(t.Context(), c, p, p.Reference)
			if err != nil || !v.Parses || !v.TypeChecks || v.Statements == 0 || !c.Checkable(t.Context(), p) {
				t.Errorf("%s %s: got %+v, error %v", p.Provenance, p.Name, v, err)
			}
			v, err = Verify(t.Context(), c, p, "{ return undeclared }")
			if err != nil || !v.Parses || v.TypeChecks || v.Err == nil || v.Statements != 1 {
				t.Errorf("%s %s: a wrong body gets %+v, error %v", p.Provenance, p.Name, v, err)
			}
			if v, err = Verify(t.Context(), c, p, "no function"); err != nil || v.Parses || v.TypeChecks || v.Err == nil {
				t.Errorf("%s %s: prose gets %+v, error %v", p.Provenance, p.Name, v, err)
			}
		}
	}
	gone := FunctionPrompt{Name: "Gone", Provenance: provenance("strings/strings.go")}
	if _, err := Verify(t.Context(), c, gone, "{}"); !errors.Is(err, ErrUncheckable) {
		t.Errorf("got error %v, want ErrUncheckable", err)
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		"{ return names[0] }", "func Names(names ...string) (s string) { defer func() { s = \"\" }(); return }",
		"{ type T[P any] struct{ p P }; var t T[int]; goto l; l: for range t.p { continue l } }",
		"func (Names) Names(..., string) { return }", "func Names[T any](a, int, b T) { }",
		"{ const c = 1 << 9999 / 0; var a [c]int; switch x := any(a).(type) { case T: } }", "func Names",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, function string) {
		goroot(t)
		c, err := moduleChecker()
		if err != nil {
			t.Fatal(err)
		}
		_ = Parses(function)
		if cut, ok := Cut(function); ok != (cut != "") || !strings.Contains(function, cut) {
			t.Errorf("Cut(%q) gives %q, %v", function, cut, ok)
		}
		for _, name := range []string{"Names", "Circle.Area", "Largest", "Pair.Swap"} {
			if err := c.Check(t.Context(), "shape/shape.go", name, function); noVerdict(err) {
				t.Errorf("%v", err)
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	c, err := NewChecker(CheckerOptions{Root: filepath.Join(goroot(b), "src")})
	if err != nil {
		b.Fatal(err)
	}
	check := func() {
		if err := c.Check(b.Context(), "net/url/url.go", "URL.String", "func (u *URL) String() string { return u.Scheme + \"://\" + strings.ToLower(u.Host) }"); err != nil {
			b.Fatal(err)
		}
	}
	check()
	for b.Loop() {
		check()
	}
}

func provenance(file string) demo.Provenance { return demo.Provenance{File: file} }
