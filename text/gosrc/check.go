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
	"path"
	"path/filepath"
	"sync"
)

// ErrUncheckable marks a function whose original does not type-check here
// either: its file is not built for the chosen system, an import is missing,
// or there is no such function. It says nothing about the new function.
var ErrUncheckable = errors.New("original function can't be checked")

// CheckerOptions says where packages are found.
type CheckerOptions struct {
	// Root is the folder below which the checked files lie. The go.mod there
	// or in a folder above names its packages.
	Root string
	// GOROOT is the Go tree whose src folder holds the standard library; ""
	// takes Root as that src folder.
	GOROOT string
	// GOOS and GOARCH select files; "" means linux and amd64, on every
	// machine, so that results compare.
	GOOS, GOARCH string
}

// Checker type-checks functions in the place of the original. Each package it
// meets, imports included, is read and kept (net/http brings 180 packages and
// takes about a second); a check then looks at the one function only, mostly
// in less than 0.1 ms. It is safe for concurrent
// use, one call at a time.
type Checker struct {
	mu     sync.Mutex
	root   string
	module string // import path of root, "" for GOROOT/src
	loader loader
	files  map[string]*checkFile
}

// checkFile is a file in which functions are replaced.
type checkFile struct {
	pkg   *types.Package
	start token.Pos // of the file in the loader's file set
	funcs map[string]*original
	err   error // the file can't be checked
}

// original is a function as it stands in its file.
type original struct {
	decl  *ast.FuncDecl // positions count from the file's start
	sound func() error  // nil when it type-checks itself; runs once
}

// NewChecker returns a Checker that has read nothing yet.
func NewChecker(o CheckerOptions) (*Checker, error) {
	top, err := filepath.Abs(o.Root)
	if err != nil {
		return nil, err
	}
	std := top
	if o.GOROOT != "" {
		std = filepath.Join(o.GOROOT, "src")
	}
	if _, err := os.Stat(filepath.Join(std, "builtin")); err != nil {
		return nil, fmt.Errorf("gosrc: %s is not the src folder of a go tree (set GOROOT): %w", std, err)
	}
	b := build.Default // for its release tags
	b.CgoEnabled, b.BuildTags, b.ToolTags, b.InstallSuffix = false, nil, nil, ""
	b.Compiler, b.GOOS, b.GOARCH = "gc", "linux", "amd64"
	b.GOROOT, b.GOPATH = "", ""
	if o.GOOS != "" {
		b.GOOS = o.GOOS
	}
	if o.GOARCH != "" {
		b.GOARCH = o.GOARCH
	}
	c := &Checker{
		root:  top,
		files: map[string]*checkFile{},
		loader: loader{
			build:  b,
			fset:   token.NewFileSet(),
			sizes:  types.SizesFor(b.Compiler, b.GOARCH),
			loaded: map[string]*types.Package{},
		},
	}
	module, dir := findModule(top)
	switch module {
	case "": // no go.mod: a name that no import can have
		c.module = "_"
		c.loader.roots = append(c.loader.roots, root{c.module, top})
	case "std":
		c.module = relative(dir, top)
	default:
		c.module = path.Join(module, relative(dir, top))
		c.loader.roots = append(c.loader.roots, root{module, dir}, root{"", filepath.Join(dir, "vendor")})
	}
	c.loader.roots = append(c.loader.roots,
		root{"", std}, root{"", filepath.Join(std, "vendor")}, root{"", filepath.Join(std, "cmd", "vendor")})
	return c, nil
}

// Check reports why newFunc - a whole declaration or a body in braces - can't
// stand in the place of the function name ("Name" or "Type.Name") of file (a
// path below the root, with slashes): it does not parse, has another name or
// signature, or does not type-check. Imports of the file that only the old
// body needed are not reported, and what an import offers that is nowhere to
// be found is taken on trust. An error that wraps ErrUncheckable, or the
// context's, is no verdict. Where name is generic, the type parameters and
// parameters must keep their names.
func (c *Checker) Check(ctx context.Context, file, name, newFunc string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, err := c.open(ctx, file)
	if err != nil {
		return err
	}
	old, ok := f.funcs[name]
	if !ok {
		return fmt.Errorf("%s has no function %s with a body: %w", file, name, ErrUncheckable)
	}
	if err := old.sound(); err != nil {
		return fmt.Errorf("%s: %s: %w: %w", file, name, ErrUncheckable, err)
	}
	decl, fset, err := parseFunction(newFunc)
	if err != nil {
		return err
	}
	if decl.Name.Name == "_" && decl.Recv == nil { // a body
		whole := *old.decl
		whole.Body = decl.Body
		decl = &whole
	}
	if got := declName(decl); got != name {
		return fmt.Errorf("function is named %s, want %s", got, name)
	}
	return f.check(fset, old.decl, decl)
}

// open returns a file ready for checks.
func (c *Checker) open(ctx context.Context, file string) (*checkFile, error) {
	if f, ok := c.files[file]; ok {
		return f, f.err
	}
	c.loader.ctx = ctx
	f, err := c.read(file)
	if ctxErr := ctx.Err(); ctxErr != nil {
		return nil, ctxErr
	}
	if err != nil {
		f = &checkFile{err: fmt.Errorf("%s: %w: %w", file, ErrUncheckable, err)}
	}
	c.files[file] = f
	return f, f.err
}

func (c *Checker) read(file string) (*checkFile, error) {
	if !filepath.IsLocal(filepath.FromSlash(file)) {
		return nil, errors.New("path leaves the root")
	}
	dir := filepath.Join(c.root, filepath.FromSlash(path.Dir(file)))
	if !c.loader.selects(dir, path.Base(file)) {
		return nil, fmt.Errorf("not built for %s/%s", c.loader.build.GOOS, c.loader.build.GOARCH)
	}
	pkg, err := c.loader.Import(path.Join(c.module, path.Dir(file)))
	if err != nil {
		return nil, err
	}
	// The package's own syntax trees are gone; positions agree as both file
	// sets count bytes.
	name := filepath.Join(dir, path.Base(file))
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &checkFile{pkg: pkg, funcs: map[string]*original{}}
	c.loader.fset.Iterate(func(t *token.File) bool {
		if t.Name() == name {
			f.start = token.Pos(t.Base())
		}
		return !f.start.IsValid()
	})
	if !f.start.IsValid() {
		return nil, errors.New("file is not part of its package")
	}
	f.start -= tree.FileStart // now the distance between the two file sets
	for _, d := range tree.Decls {
		decl, ok := d.(*ast.FuncDecl)
		if !ok || decl.Body == nil || decl.Name.Name == "_" || decl.Name.Name == "init" {
			continue
		}
		f.funcs[declName(decl)] = &original{decl: decl, sound: sync.OnceValue(func() error {
			return f.check(fset, decl, decl)
		})}
	}
	return f, nil
}

// Checkable reports whether the original of a prompt type-checks itself, for
// the keep of Prompts.
func (c *Checker) Checkable(ctx context.Context, p FunctionPrompt) bool {
	return c.Check(ctx, p.Provenance.File, p.Name, p.Reference) == nil
}

// noVerdict says that an error of Check is not about the new function.
func noVerdict(err error) bool {
	return errors.Is(err, ErrUncheckable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
