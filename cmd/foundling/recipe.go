package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// recipePath is the --recipe flag: a YAML file whose keys are the names of the
// command's flags. Flags on the command line win.
type recipePath string

// BeforeReset reads the file before other sources of values are asked: the last of them
// wins.
func (recipePath) BeforeReset(k *kong.Context, trace *kong.Path) error {
	path := string(k.FlagValue(trace.Flag).(recipePath))
	r, err := readRecipe(path, k)
	if err != nil {
		return err
	}
	k.AddResolver(r)
	return nil
}

// recipe is the options of one file.
type recipe struct {
	path   string
	values map[string]ast.Node // by flag name
}

// readRecipe checks that every key is a flag of the command that k runs.
func readRecipe(path string, k *kong.Context) (*recipe, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	r := &recipe{path: path, values: map[string]ast.Node{}}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, r.wrong(err)
	}
	names := optionNames(k.Selected())
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.NullType {
			continue
		}
		if len(file.Docs) > 1 {
			return nil, r.at(doc.Body.GetToken(), "a recipe is one document, without ---")
		}
		m, ok := doc.Body.(ast.MapNode)
		if !ok {
			return nil, r.at(doc.Body.GetToken(), "a recipe is a list of lines like \"seed: 1\"")
		}
		for at := m.MapRange(); at.Next(); {
			name := at.Key().GetToken().Value
			if !slices.Contains(names, name) {
				return nil, r.at(at.Key().GetToken(), fmt.Sprintf("%s has no option %q: it has %s",
					k.Command(), name, strings.Join(names, ", ")))
			}
			if r.values[name] != nil {
				return nil, r.at(at.Key().GetToken(), fmt.Sprintf("option %q is given twice", name))
			}
			r.values[name] = at.Value()
		}
	}
	return r, nil
}

// optionNames lists the flags that a recipe of the command may set.
func optionNames(n *kong.Node) []string {
	var names []string
	for ; n != nil; n = n.Parent {
		for _, f := range n.Flags {
			if f.Name != "help" && f.Name != "recipe" {
				names = append(names, f.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// Validate is asked by kong; all was checked when the file was read.
func (r *recipe) Validate(*kong.Application) error { return nil }

// Resolve gives a flag the value of its key. The value is tried out first, so
// that an error can name the line.
func (r *recipe) Resolve(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	n, ok := r.values[f.Name]
	if !ok {
		return nil, nil
	}
	v, err := optionValue(n, f.Target.Type())
	if err != nil {
		return nil, r.at(n.GetToken(), err.Error())
	}
	scratch := reflect.New(f.Target.Type()).Elem()
	if err := f.Parse(kong.Scan().PushTyped(v, kong.FlagValueToken), scratch); err != nil {
		return nil, r.at(n.GetToken(), err.Error())
	}
	return v, nil
}

// optionValue is a YAML value in the form in which kong takes it: scalars as
// their text, lists as lists.
func optionValue(n ast.Node, t reflect.Type) (any, error) {
	switch n := n.(type) {
	case *ast.SequenceNode:
		if t.Kind() != reflect.Slice {
			return nil, errors.New("one value is wanted here, not a list")
		}
		list := make([]any, len(n.Values))
		for i, e := range n.Values {
			s, ok := e.(ast.ScalarNode)
			if !ok {
				return nil, errors.New("the list may hold plain values only")
			}
			if list[i] = s.GetValue(); t.Elem().Kind() == reflect.String {
				list[i] = scalarText(s)
			}
		}
		return list, nil
	case ast.MapNode:
		if t.Kind() != reflect.Map {
			return nil, errors.New("a value or a list is wanted here")
		}
		var pairs []string // as the flag takes them
		for at := n.MapRange(); at.Next(); {
			s, ok := at.Value().(ast.ScalarNode)
			if !ok {
				return nil, fmt.Errorf("the value of %s is no plain one", at.Key().GetToken().Value)
			}
			pairs = append(pairs, at.Key().GetToken().Value+"="+scalarText(s))
		}
		return strings.Join(pairs, ","), nil
	case *ast.NullNode:
		return nil, errors.New("the value is missing: leave the line out to take the default")
	case ast.ScalarNode:
		if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String {
			return []any{scalarText(n)}, nil // not cut at commas
		}
		return scalarText(n), nil
	}
	return nil, errors.New("a value or a list is wanted here")
}

// scalarText is a value as it is written, without quotes.
func scalarText(n ast.ScalarNode) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	return n.GetToken().Value
}

// at is an error that shows the line of the file.
func (r *recipe) at(t *token.Token, message string) error {
	return r.wrong(&yaml.SyntaxError{Message: message, Token: t})
}

func (r *recipe) wrong(err error) error {
	return fmt.Errorf("recipe %s: %s", r.path, yaml.FormatError(err, false, true))
}
