package gosrc

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/text"
	"github.com/foundling-lm/foundling/text/demo"
)

// source is one parsed Go file.
type source struct {
	file string // as demo.File gives it
	pkg  string // import path: the folder of the file
	name string // package name
	text string
	fset *token.FileSet
	ast  *ast.File
}

var (
	errNotGo   = errors.New("not a go file")
	errSkipped = errors.New("left out by an option")
)

// parse reads a document. Any text gives a source or an error, never a panic.
func parse(doc text.Document, o Options) (*source, error) {
	name := path.Base(doc.Source)
	if doc.Kind != "go" && !strings.HasSuffix(name, ".go") {
		return nil, errNotGo
	}
	dirs := strings.Split(path.Dir(doc.Source), "/")
	switch {
	case !o.Tests && strings.HasSuffix(name, "_test.go"),
		!o.Vendored && (slices.Contains(dirs, "vendor") || slices.Contains(dirs, "testdata")):
		return nil, errSkipped
	case !utf8.ValidString(doc.Text):
		return nil, errors.New("not utf-8")
	}
	s := &source{
		file: demo.File(doc),
		pkg:  path.Dir(doc.Source),
		text: doc.Text,
		fset: token.NewFileSet(),
	}
	var err error
	s.ast, err = parser.ParseFile(s.fset, "", doc.Text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	if !o.Generated && ast.IsGenerated(s.ast) {
		return nil, errSkipped
	}
	s.name = s.ast.Name.Name
	if s.pkg == "." { // a file in the root: its folder has no name here
		s.pkg = s.name
	}
	return s, nil
}

// slice returns the source text of a node or of a range of positions.
func (s *source) slice(from, to token.Pos) string {
	base := s.fset.File(s.ast.FileStart).Base()
	lo, hi := int(from)-base, int(to)-base
	if lo < 0 || hi > len(s.text) || lo > hi { // a node that ends behind the file, after a missing brace
		return ""
	}
	return s.text[lo:hi]
}

// at gives the provenance of a position, which //line comments don't change.
func (s *source) at(pos token.Pos) demo.Provenance {
	return demo.Provenance{File: s.file, Line: s.fset.PositionFor(pos, false).Line, Package: s.pkg}
}

// function is a function with a doc comment and a body.
type function struct {
	name      string // "Name" or "Type.Name"
	doc       string // text of the comment, without markers
	signature string // from "func" to before the brace
	text      string // from "func" to the closing brace
	decl      *ast.FuncDecl
}

// functions returns the functions whose doc comment says something and whose
// body has a statement.
func (s *source) functions(minDocWords int) []function {
	var out []function
	for _, d := range s.ast.Decls {
		decl, ok := d.(*ast.FuncDecl)
		if !ok || decl.Body == nil || len(decl.Body.List) == 0 || decl.Name.Name == "_" {
			continue
		}
		doc := docText(decl.Doc)
		if trivialDoc(doc, minDocWords) {
			continue
		}
		f := function{
			name:      declName(decl),
			doc:       doc,
			signature: strings.TrimSpace(s.slice(decl.Pos(), decl.Body.Lbrace)),
			text:      s.slice(decl.Pos(), decl.End()),
			decl:      decl,
		}
		if f.name == "" || f.signature == "" || f.text == "" {
			continue
		}
		out = append(out, f)
	}
	return out
}

// declName returns "Name", or "Type.Name" for a method, or "" where the
// receiver has no type name.
func declName(decl *ast.FuncDecl) string {
	if decl.Recv == nil {
		return decl.Name.Name
	}
	if len(decl.Recv.List) != 1 {
		return ""
	}
	t := ast.Unparen(decl.Recv.List[0].Type)
	if star, ok := t.(*ast.StarExpr); ok {
		t = ast.Unparen(star.X)
	}
	switch x := t.(type) {
	case *ast.IndexExpr:
		t = x.X
	case *ast.IndexListExpr:
		t = x.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name + "." + decl.Name.Name
	}
	return ""
}

// docText returns the text of a doc comment without markers and directives.
func docText(c *ast.CommentGroup) string {
	return strings.TrimSpace(c.Text())
}

// commented writes text as a line comment, as gofmt does.
func commented(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if l = strings.TrimRight(l, " \t"); l != "" && l[0] != '\t' {
			l = " " + l
		}
		lines[i] = "//" + l
	}
	return strings.Join(lines, "\n")
}

// firstParagraph returns the text before the first blank line, on one line.
func firstParagraph(doc string) string {
	head, _, _ := strings.Cut(doc, "\n\n")
	return strings.Join(strings.Fields(head), " ")
}

// trivialDoc says that a doc comment has too few words or says nothing about
// what the function does.
func trivialDoc(doc string, minWords int) bool {
	if len(strings.Fields(doc)) < minWords {
		return true
	}
	for _, p := range []string{"TODO", "FIXME", "XXX", "BUG", "Deprecated:", "Copyright"} {
		if strings.HasPrefix(doc, p) {
			return true
		}
	}
	return false
}
