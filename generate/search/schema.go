package search

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// MaxSchemaBytes bounds a JSON Schema.
const MaxSchemaBytes = 4 << 20

// CompileSchema makes a validator of a JSON Schema that stands alone. Drafts 4 to
// 2020-12 are known by their $schema; without one it is 2020-12. Formats are checked.
// Schemas elsewhere are not fetched.
func CompileSchema(schema []byte) (*jsonschema.Schema, error) {
	if len(schema) > MaxSchemaBytes {
		return nil, fmt.Errorf("a JSON Schema of %d bytes: at most %d are read", len(schema), MaxSchemaBytes)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, fmt.Errorf("JSON Schema: %w", err)
	}
	if err := smallNumbers(doc); err != nil {
		return nil, fmt.Errorf("JSON Schema: %w", err)
	}
	const name = "memory:///schema.json"
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseLoader(offline{})
	if err := c.AddResource(name, doc); err != nil {
		return nil, fmt.Errorf("JSON Schema: %w", err)
	}
	s, err := c.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("JSON Schema: %s", oneLine(err))
	}
	return s, nil
}

// Schema is a verifier that passes texts whose JSON value (FindJSON) is valid under a
// JSON Schema, as CompileSchema reads it.
func Schema(schema []byte) (Verifier, error) {
	s, err := CompileSchema(schema)
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, c *Candidate) (Verdict, error) {
		v, ok := FindJSON(c.Text)
		if !ok {
			return Verdict{Why: "no JSON value"}, nil
		}
		if err := smallNumbers(v); err != nil {
			return Verdict{Why: err.Error()}, nil
		}
		if err := s.Validate(v); err != nil {
			return Verdict{Why: oneLine(err)}, nil
		}
		return verdict(nil), nil
	}, nil
}

// offline refuses schemas that lie elsewhere.
type offline struct{}

// Load is jsonschema.URLLoader.
func (offline) Load(url string) (any, error) {
	return nil, fmt.Errorf("schema %s lies elsewhere: put it into $defs", url)
}

// oneLine drops the first line, which names a file that is none, where there are
// others.
func oneLine(err error) string {
	lines := strings.Split(err.Error(), "\n")
	if len(lines) > 1 {
		lines = lines[1:]
	}
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimSpace(l), "- ")
	}
	return strings.Join(lines, "; ")
}

// smallNumbers refuses numbers like 1e999999999, which would fill the memory as
// exact ones.
func smallNumbers(v any) error {
	switch v := v.(type) {
	case json.Number:
		if _, ok := decimal(strings.TrimPrefix(string(v), "-")); !ok {
			return errors.New("a number is too large to compare exactly: at most 400 digits or an exponent of 400")
		}
	case []any:
		for _, x := range v {
			if err := smallNumbers(x); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, x := range v {
			if err := smallNumbers(x); err != nil {
				return err
			}
		}
	}
	return nil
}
