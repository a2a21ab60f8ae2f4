package gosrc

import (
	"errors"
	"go/ast"
	"go/scanner"
	"strings"
	"unicode"
)

// Named is how far a function keeps what its doc comment says by name: of the
// receiver, parameters and results that the comment of p names (all, where it names
// none), the share that the body uses. It is 1 for a function without any, and 0
// for what does not parse.
func Named(p FunctionPrompt, function string) float64 {
	decl, _, err := parseFunction(strings.TrimSpace(function))
	if err != nil {
		return 0
	}
	var declared []string
	for _, list := range []*ast.FieldList{decl.Recv, decl.Type.Params, decl.Type.Results} {
		if list == nil {
			continue
		}
		for _, f := range list.List {
			for _, n := range f.Names {
				if n.Name != "_" {
					declared = append(declared, n.Name)
				}
			}
		}
	}
	said := map[string]bool{}
	for line := range strings.Lines(p.Completion) {
		if comment, ok := strings.CutPrefix(line, "//"); ok {
			for _, w := range strings.FieldsFunc(comment, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' }) {
				said[w] = true
			}
		}
	}
	var wanted []string
	for _, n := range declared {
		if said[n] {
			wanted = append(wanted, n)
		}
	}
	if wanted == nil {
		wanted = declared
	}
	if wanted == nil {
		return 1
	}
	used := map[string]bool{}
	ast.Inspect(decl.Body, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			used[id.Name] = true
		}
		return true
	})
	k := 0
	for _, n := range wanted {
		if used[n] {
			k++
		}
	}
	return float64(k) / float64(len(wanted))
}

// Reach is the share of a function's text that comes before its first syntax
// error, 1 for one that parses.
func Reach(function string) float64 {
	_, _, err := parseFunction(function)
	var first *scanner.Error
	switch {
	case err == nil:
		return 1
	case !errors.As(err, &first) || len(function) == 0:
		return 0
	}
	before := first.Pos.Offset - len(header)
	return min(1, max(0, float64(before)/float64(len(function))))
}
