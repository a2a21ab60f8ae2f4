package gosrc

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// check type-checks decl in the place of old. The package is checked already,
// so decl is checked alone, as a function literal in the scope of the file,
// with the receiver as the first parameter. A function with type parameters
// is checked in the scope of old's signature, where these are declared.
func (f *checkFile) check(fset *token.FileSet, old, decl *ast.FuncDecl) error {
	want := f.signature(old)
	if want == nil {
		return errors.New("function is not declared in its package")
	}
	pos := f.start + old.Pos() - 1 // between declarations: the file's scope
	if generic(want) {
		if got, want := head(decl), head(old); got != want {
			return fmt.Errorf("signature is %s, want %s", got, want)
		}
		pos = f.start + old.Type.Params.Opening
	}
	literal, err := asLiteral(decl)
	if err != nil {
		return err
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	if err := types.CheckExpr(fset, f.pkg, pos, literal, info); err != nil {
		return fmt.Errorf("function does not type-check: %w", err)
	}
	got, _ := info.Types[literal].Type.(*types.Signature)
	if got == nil || !types.Identical(got, flat(want)) {
		return fmt.Errorf("signature is %v, want %v", got, flat(want))
	}
	return nil
}

// signature returns the type of a declared function of the package.
func (f *checkFile) signature(decl *ast.FuncDecl) *types.Signature {
	recv, name, method := strings.Cut(declName(decl), ".")
	obj := f.pkg.Scope().Lookup(recv)
	if method {
		named, _ := types.Unalias(typeOf(obj)).(*types.Named)
		if named == nil {
			return nil
		}
		obj = nil
		for m := range named.Origin().Methods() {
			if m.Name() == name {
				obj = m
			}
		}
	}
	sig, _ := typeOf(obj).(*types.Signature)
	return sig
}

func typeOf(obj types.Object) types.Type {
	if obj == nil {
		return nil
	}
	return obj.Type()
}

func generic(sig *types.Signature) bool {
	return sig.TypeParams().Len() > 0 || sig.RecvTypeParams().Len() > 0
}

// flat returns the signature with the receiver as the first parameter and
// without type parameters.
func flat(sig *types.Signature) *types.Signature {
	var params []*types.Var
	if sig.Recv() != nil {
		params = append(params, sig.Recv())
	}
	for v := range sig.Params().Variables() {
		params = append(params, v)
	}
	return types.NewSignatureType(nil, nil, nil, types.NewTuple(params...), sig.Results(), sig.Variadic())
}

// asLiteral writes a declaration as a function literal, the receiver first.
// Unnamed parameters get the name "_", as a list may not mix.
func asLiteral(decl *ast.FuncDecl) (*ast.FuncLit, error) {
	var list []*ast.Field
	if decl.Recv != nil {
		if len(decl.Recv.List) != 1 || len(decl.Recv.List[0].Names) > 1 {
			return nil, errors.New("method has not exactly one receiver")
		}
		list = append(list, decl.Recv.List[0])
	}
	list = append(list, decl.Type.Params.List...)
	for i, p := range list {
		if len(p.Names) == 0 {
			named := *p
			named.Names = []*ast.Ident{{NamePos: p.Pos(), Name: "_"}}
			list[i] = &named
		}
	}
	params := *decl.Type.Params
	params.List = list
	ftype := *decl.Type
	ftype.Params, ftype.TypeParams = &params, nil
	return &ast.FuncLit{Type: &ftype, Body: decl.Body}, nil
}

// head writes the receiver, type parameters, parameters and results of a
// declaration in one way.
func head(decl *ast.FuncDecl) string {
	var b strings.Builder
	fields := func(open string, l *ast.FieldList, close string) {
		if l == nil {
			return
		}
		b.WriteString(open)
		for _, f := range l.List {
			for _, n := range f.Names {
				b.WriteString(n.Name + ", ")
			}
			b.WriteString(types.ExprString(f.Type) + "; ")
		}
		b.WriteString(close)
	}
	fields("(", decl.Recv, ") ")
	b.WriteString(decl.Name.Name)
	fields("[", decl.Type.TypeParams, "]")
	fields("(", decl.Type.Params, ")")
	fields(" (", decl.Type.Results, ")")
	return b.String()
}
