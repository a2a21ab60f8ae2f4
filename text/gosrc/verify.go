package gosrc

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"strings"
)

// MaxFunction is the length in bytes above which a function is refused
// unread, so that a check takes a bounded time.
const MaxFunction = 64 << 10

// Parses reports why a text is not exactly one Go function: a whole
// declaration, or a body in braces.
func Parses(function string) error {
	_, _, err := parseFunction(function)
	return err
}

// header makes a file of a function.
const header = "package p\n"

// parseFunction parses a declaration, or a body as a function named "_".
func parseFunction(function string) (*ast.FuncDecl, *token.FileSet, error) {
	if len(function) > MaxFunction {
		return nil, nil, fmt.Errorf("function has %d bytes, limit %d", len(function), MaxFunction)
	}
	body := strings.HasPrefix(strings.TrimSpace(function), "{")
	text := header + function
	if body {
		text = header + "func _() " + strings.TrimSpace(function)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", text, parser.SkipObjectResolution)
	if err != nil {
		var list scanner.ErrorList
		if errors.As(err, &list) {
			first := *list[0]
			first.Pos.Line--
			return nil, nil, fmt.Errorf("function does not parse: %w", &first)
		}
		return nil, nil, fmt.Errorf("function does not parse: %w", err)
	}
	if len(file.Decls) != 1 {
		return nil, nil, fmt.Errorf("text holds %d declarations, want one function", len(file.Decls))
	}
	decl, ok := file.Decls[0].(*ast.FuncDecl)
	if !ok || decl.Body == nil {
		return nil, nil, errors.New("text is not a function with a body")
	}
	return decl, fset, nil
}

// Cut returns the first whole function of a text that a model wrote - from
// the first line that starts with "func" to the brace that closes its body -
// and what comes before and after it falls away. It returns "", false when the
// text ends before the function does.
func Cut(answer string) (function string, ok bool) {
	start := 0
	if !strings.HasPrefix(answer, "func") {
		if start = strings.Index(answer, "\nfunc") + 1; start == 0 {
			return "", false
		}
	}
	answer = answer[start:]
	fset := token.NewFileSet()
	file := fset.AddFile("", -1, len(answer))
	var s scanner.Scanner
	s.Init(file, []byte(answer), func(token.Position, string) {}, 0)
	depth, inBody := 0, false
	for last := token.ILLEGAL; ; {
		pos, tok, _ := s.Scan()
		switch tok {
		case token.EOF:
			return "", false
		case token.LPAREN, token.LBRACK:
			depth++
		case token.RPAREN, token.RBRACK:
			depth--
		case token.LBRACE:
			// Not a body: interface{ and struct{ in the signature.
			if depth == 0 && last != token.INTERFACE && last != token.STRUCT {
				inBody = true
			}
			depth++
		case token.RBRACE:
			if depth--; depth == 0 && inBody {
				return answer[:file.Offset(pos)+1], true
			}
		}
		if depth < 0 {
			return "", false
		}
		last = tok
	}
}
