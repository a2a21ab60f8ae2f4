package deps

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

const (
	maxFileLines     = 500
	maxFunctionLines = 80
)

// long are files ("a/b.go") and functions ("a/b.go F") over the limits, with
// the reason why they stay so.
var long = map[string]string{
	"serve/errors_test.go TestErrors": "a table of requests",
}

// repository is the root of the module.
func repository(t *testing.T) fs.FS {
	t.Helper()
	if _, err := os.Stat("../../go.mod"); err != nil {
		t.Fatal(err)
	}
	return os.DirFS("../..")
}

// files calls f with every file of the tree that is ours to read: not those of
// version control, of build output and of models that were raised here. Of
// hidden folders only .ci is entered.
func files(t *testing.T, tree fs.FS, f func(name string, text string)) {
	t.Helper()
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") && name != "." && d.Name() != ".ci"
		raised := d.IsDir() && strings.HasPrefix(name, "run")
		if d.IsDir() && (hidden || raised) {
			return fs.SkipDir
		}
		if d.IsDir() || !slices.Contains([]string{".go", ".s", ".py", ".md", ".mod", ""}, path.Ext(name)) {
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > 1<<20 || name == "foundling" {
			return err // nothing of this size was written by hand
		}
		text, err := fs.ReadFile(tree, name)
		if err == nil {
			f(name, string(text))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// goFiles calls f with every Go file that the go command would find, and with
// tests and files of other systems.
func goFiles(t *testing.T, tree fs.FS, f func(name, text string, fset *token.FileSet, file *ast.File)) {
	files(t, tree, func(name, text string) {
		skipped := slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool {
			return part == "testdata" || strings.HasPrefix(part, "_")
		})
		if skipped || path.Ext(name) != ".go" {
			return
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
		if err != nil {
			t.Error(err)
			return
		}
		f(name, text, fset, file)
	})
}

func TestPackageComments(t *testing.T) {
	comments := map[string]int{}
	goFiles(t, repository(t), func(name, _ string, _ *token.FileSet, file *ast.File) {
		dir := path.Dir(name)
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		comments[dir] += 0
		if file.Doc == nil {
			return
		}
		comments[dir]++
		want := "Package " + file.Name.Name + " "
		if file.Name.Name == "main" {
			want = "Command " + path.Base(dir) + " "
		}
		if doc := file.Doc.Text(); !strings.HasPrefix(doc, want) {
			t.Errorf("%s: the package comment begins %.30q, want %q", name, doc, want)
		}
	})
	for dir, n := range comments {
		if n != 1 {
			t.Errorf("package %s has %d package comments, want 1: say what is in it, what not, and the central type", dir, n)
		}
	}
}

// Every exported name is documented: functions, methods of exported types,
// types, and constants and variables alone or as a group. String and Error say
// themselves what they do.
func TestExportedNamesAreDocumented(t *testing.T) {
	goFiles(t, repository(t), func(name, _ string, fset *token.FileSet, file *ast.File) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				plain := d.Name.Name == "String" || d.Name.Name == "Error"
				if d.Doc == nil && d.Name.IsExported() && !plain && exportedReceiver(d) {
					t.Errorf("%s: %s is not documented", fset.Position(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if id := undocumented(d, s); id != nil {
						t.Errorf("%s: %s is not documented", fset.Position(s.Pos()), id.Name)
					}
				}
			}
		}
	})
}

// exportedReceiver tells whether f is a function or a method of an exported type.
func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	x := f.Recv.List[0].Type
	for {
		switch y := x.(type) {
		case *ast.StarExpr:
			x = y.X
		case *ast.IndexExpr:
			x = y.X
		case *ast.IndexListExpr:
			x = y.X
		case *ast.Ident:
			return y.IsExported()
		default:
			return false
		}
	}
}

// undocumented returns the first exported name of a specification that nothing
// is said about.
func undocumented(d *ast.GenDecl, s ast.Spec) *ast.Ident {
	if d.Doc != nil {
		return nil
	}
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && s.Doc == nil && s.Comment == nil {
			return s.Name
		}
	case *ast.ValueSpec:
		if s.Doc == nil && s.Comment == nil && s.Names[0].IsExported() {
			return s.Names[0]
		}
	}
	return nil
}

func TestLengths(t *testing.T) {
	used := map[string]bool{}
	check := func(name string, lines, most int) {
		if lines <= most {
			return
		}
		if long[name] == "" {
			t.Errorf("%s has %d lines, at most %d: divide it, or give the reason in the list of this test", name, lines, most)
		}
		used[name] = true
	}
	goFiles(t, repository(t), func(name, text string, fset *token.FileSet, file *ast.File) {
		check(name, strings.Count(text, "\n"), maxFileLines)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				check(name+" "+f.Name.Name, fset.Position(f.End()).Line-fset.Position(f.Pos()).Line+1, maxFunctionLines)
			}
		}
	})
	for name := range long {
		if !used[name] {
			t.Errorf("%s is short by now: take it off the list", name)
		}
	}
}

// A checkout works wherever it lies: no file names the folder that it was
// written in.
func TestNoPathsOfOneMachine(t *testing.T) {
	bad := []string{"/wo" + "rk/", "/ro" + "ot/", "/home" + "/user"}
	files(t, repository(t), func(name, text string) {
		for i, line := range strings.Split(text, "\n") {
			for _, p := range bad {
				if strings.Contains(line, p) {
					t.Errorf("%s:%d: names %s, a folder of one machine: %s", name, i+1, p, line)
				}
			}
		}
	})
}
