package gosrc

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// loader type-checks packages from source, without the bodies of functions,
// and keeps them. It replaces go/importer's "source" importer, which asks the
// environment and, outside GOROOT, runs the go command.
type loader struct {
	build  build.Context
	fset   *token.FileSet
	roots  []root
	sizes  types.Sizes
	loaded map[string]*types.Package // nil while being loaded
	ctx    context.Context           // of the call being served
}

// root maps import paths with a prefix to a folder.
type root struct{ prefix, dir string }

// folder returns the folder of an import path and the path by which the
// package is known: vendored packages have their folder's.
func (l *loader) folder(path string) (dir string, err error) {
	for _, r := range l.roots {
		rest, ok := strings.CutPrefix(path, r.prefix)
		if !ok || r.prefix != "" && rest != "" && rest[0] != '/' {
			continue
		}
		dir := filepath.Join(r.dir, filepath.FromSlash(rest))
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir, nil
		}
	}
	return "", fmt.Errorf("package %s is in none of the source trees", path)
}

// Import makes loader a types.Importer.
func (l *loader) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	if err := l.ctx.Err(); err != nil {
		return nil, err
	}
	if pkg, ok := l.loaded[path]; ok {
		if pkg == nil {
			return nil, fmt.Errorf("import cycle through %s", path)
		}
		return pkg, nil
	}
	dir, err := l.folder(path)
	if err != nil {
		return nil, err
	}
	return l.load(path, dir)
}

// load type-checks the declarations of the package in dir. Errors in it don't
// matter here: what they touch is found when the original function of a file
// is checked.
func (l *loader) load(path, dir string) (*types.Package, error) {
	files, err := l.parseDir(dir)
	if err != nil {
		return nil, err
	}
	l.loaded[path] = nil
	conf := types.Config{
		IgnoreFuncBodies: true,
		FakeImportC:      true,
		Importer:         l,
		Sizes:            l.sizes,
		Error:            func(error) {},
	}
	pkg, _ := conf.Check(path, l.fset, files, nil)
	if err := l.ctx.Err(); err != nil { // pkg may lack imports
		delete(l.loaded, path)
		return nil, err
	}
	l.loaded[path] = pkg
	return pkg, nil
}

// parseDir parses the files of a folder that the build context selects.
func (l *loader) parseDir(dir string) ([]*ast.File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, e := range entries {
		if e.IsDir() || !l.selects(dir, e.Name()) {
			continue
		}
		if err := l.ctx.Err(); err != nil {
			return nil, err
		}
		f, err := parser.ParseFile(l.fset, filepath.Join(dir, e.Name()), nil, parser.SkipObjectResolution)
		if err != nil {
			continue // its declarations will be missing, see load
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		return nil, errors.New(dir + " holds no go files for " + l.build.GOOS + "/" + l.build.GOARCH)
	}
	// Files of a second package in the folder would spoil the first.
	return slices.DeleteFunc(files, func(f *ast.File) bool { return f.Name.Name != files[0].Name.Name }), nil
}

func (l *loader) selects(dir, name string) bool {
	if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
		return false
	}
	ok, err := l.build.MatchFile(dir, name)
	return ok && err == nil
}

// findModule returns the module path in the nearest go.mod in dir, an absolute
// path, or above it, and the folder of that go.mod, or "".
func findModule(dir string) (module, moduleDir string) {
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil {
			for line := range strings.Lines(string(data)) {
				if f := strings.Fields(line); len(f) >= 2 && f[0] == "module" {
					return strings.Trim(f[1], `"`), dir
				}
			}
			return "", ""
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", ""
		}
		dir = parent
	}
}

// relative returns the slash path from base to dir, "" where they are equal.
func relative(base, dir string) string {
	rel, err := filepath.Rel(base, dir)
	if err != nil || rel == "." {
		return ""
	}
	return filepath.ToSlash(rel)
}
