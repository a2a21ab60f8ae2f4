package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// drawn are random schemas and values over a few names, so that they meet.
type drawn struct{ t *rapid.T }

func (d drawn) n(most int) int    { return rapid.IntRange(0, most).Draw(d.t, "n") }
func (d drawn) one(of ...any) any { return of[d.n(len(of)-1)] }
func (d drawn) name() string      { return d.one("a", "b", "ab", "c", "").(string) }
func (d drawn) names() (list []any) {
	for _, name := range []string{"a", "b", "ab", "c"} {
		if d.n(3) == 0 {
			list = append(list, name)
		}
	}
	return list
}

// value is a random value.
func (d drawn) value(depth int) any {
	kinds := 9
	if depth == 0 {
		kinds = 6
	}
	switch k := d.n(kinds); k {
	case 0:
		return nil
	case 1:
		return d.one(true, false)
	case 2:
		return d.one(0, 1, 2, 3, 6, -1)
	case 3:
		return d.one(json.Number("1.0"), 0.5, 2.5, json.Number("-2.0"), -0.25)
	case 4, 5, 6:
		return d.one("", "a", "b", "ab", "ba", "é", "aaa", "2020-02-30", "\"", "b\n")
	case 7:
		list := []any{}
		for range d.n(3) {
			list = append(list, d.value(depth-1))
		}
		return list
	}
	object := map[string]any{}
	for range d.n(3) {
		object[d.name()] = d.value(depth - 1)
	}
	return object
}

// schema is a random schema.
func (d drawn) schema(depth int) any {
	if depth == 0 {
		return d.one(true, false, d.typed(), map[string]any{"$ref": "#/$defs/x"}, map[string]any{"const": d.value(1)}, map[string]any{"enum": []any{1, "a", d.value(1)}}, map[string]any{"$ref": "#/$defs/y"})
	}
	s := map[string]any{}
	for range 1 + d.n(2) {
		d.keyword(s, depth-1)
	}
	return s
}

func (d drawn) typed() any {
	return map[string]any{"type": d.one("null", "boolean", "number", "integer", "string", "array", "object", []any{"string", "integer"})}
}

func (d drawn) list(depth int) (list []any) {
	for range 1 + d.n(2) {
		list = append(list, d.schema(depth))
	}
	return list
}

func (d drawn) members(depth int) map[string]any {
	m := map[string]any{}
	for range 1 + d.n(1) {
		m[d.name()] = d.schema(depth)
	}
	return m
}

// keyword adds one keyword, or some that belong together.
func (d drawn) keyword(s map[string]any, depth int) {
	switch d.n(26) {
	case 0:
		s["type"] = d.one("null", "boolean", "number", "integer", "string", "array", "object", []any{"object", "string"})
	case 1:
		s["properties"] = d.members(depth)
	case 2:
		s["required"] = d.names()
	case 3:
		s["additionalProperties"] = d.schema(depth)
	case 4:
		s["patternProperties"] = map[string]any{d.one("^a", "b$", "^.$").(string): d.schema(depth), d.one("^a", "c", "").(string): d.schema(depth)}
	case 5:
		s["propertyNames"] = d.one(map[string]any{"maxLength": 1}, map[string]any{"pattern": "^a"}, map[string]any{"enum": []any{"a", "b"}}, map[string]any{"not": map[string]any{"const": "a"}})
	case 6:
		s["minProperties"], s["maxProperties"] = d.n(2), 1+d.n(2)
	case 7:
		s["dependentRequired"] = map[string]any{d.name(): d.names()}
	case 8:
		s["dependentSchemas"] = map[string]any{d.name(): d.schema(depth)}
	case 9:
		s["prefixItems"] = d.list(depth)
	case 10:
		s["items"] = d.schema(depth)
	case 11:
		s["contains"] = d.schema(depth)
		if d.n(1) == 0 {
			s["minContains"] = d.n(2)
		}
		if d.n(2) == 0 {
			s["maxContains"] = d.n(2)
		}
	case 12:
		s["minItems"], s["maxItems"] = d.n(2), 1+d.n(2)
	case 13:
		s["uniqueItems"] = true
	case 14:
		s["minLength"], s["maxLength"] = d.n(2), d.n(3)
	case 15:
		s["pattern"] = d.one("^a*$", "b", "^[^a]", "a$")
	case 16:
		s["minimum"] = d.one(0, 1, 0.5, -1)
	case 17:
		s["exclusiveMaximum"] = d.one(1, 3, 2.5)
	case 18:
		s["multipleOf"] = d.one(1, 2, 0.5, 3)
	case 19:
		s["allOf"] = d.list(depth)
	case 20:
		s["anyOf"] = d.list(depth)
	case 21:
		s["oneOf"] = d.list(depth)
	case 22:
		s["not"] = d.schema(depth)
	case 23:
		s["if"], s["then"] = d.schema(depth), d.schema(depth)
		if d.n(1) == 0 {
			s["else"] = d.schema(depth)
		}
	case 24:
		s["unevaluatedProperties"] = d.one(false, d.schema(0))
	case 25:
		s["unevaluatedItems"] = d.one(false, d.schema(0))
	case 26:
		s["enum"] = []any{d.value(2), d.value(1), "a", 1}
		for i, v := range s["enum"].([]any) { // validators want them to differ
			for _, w := range s["enum"].([]any)[:i] {
				if same(v, w) {
					delete(s, "enum")
					return
				}
			}
		}
	}
}

func same(v, w any) bool {
	a, _ := json.Marshal(v)
	b, _ := json.Marshal(w)
	return bytes.Equal(a, b) || strings.Trim(string(a), ".0e1") == strings.Trim(string(b), ".0e1")
}

// root is a random schema with definitions, which may refer to each other below
// members and items only.
func (d drawn) root() map[string]any {
	s, ok := d.schema(3).(map[string]any)
	if !ok {
		s = map[string]any{}
	}
	s["$defs"] = map[string]any{
		"x": d.one(d.typed(), map[string]any{"properties": map[string]any{"a": d.schema(0)}, "required": d.names()}, map[string]any{"items": d.schema(0)}),
		"y": d.one(d.typed(), map[string]any{"additionalProperties": d.schema(0)}, map[string]any{"type": "object", "properties": map[string]any{"b": map[string]any{"$ref": "#"}}, "required": []any{"b"}}),
	}
	return s
}

func oracle(t *rapid.T, src []byte) *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(src))
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Skipf("%s: %v", src, err)
	}
	return s
}

func oracleAccepts(s *jsonschema.Schema, text []byte) (bool, error) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return false, err
	}
	return s.Validate(v) == nil, nil
}

// walk writes a random text of the machine: some steps at random, then the shortest way
// to an end.
func walk(d drawn, s machine.State) []byte {
	var text []byte
	const likely = `,:"{}[]ab01 .-e\tfncé`
	for range d.n(30) {
		if s.Accepting() && d.n(2) == 0 {
			return text
		}
		var ways []byte
		for _, b := range []byte(likely) {
			if s.Next(b) != nil {
				ways = append(ways, b)
			}
		}
		if len(ways) == 0 {
			break
		}
		b := ways[d.n(len(ways)-1)]
		text, s = append(text, b), s.Next(b)
	}
	return append(text, s.Shortest()...)
}

// TestOracle compares with an independent validator: what the machine writes is valid,
// and of random values both accept the same.
func TestOracle(t *testing.T) {
	refused, total := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		d := drawn{t}
		src, err := json.Marshal(d.root())
		if err != nil {
			t.Fatal(err)
		}
		want := oracle(t, src)
		j := compileJudge(src, Options{})
		total++
		if j.err != nil {
			var e *Error
			if !errors.As(j.err, &e) {
				t.Fatalf("%s: %v", src, j.err)
			}
			refused++
			return
		}
		for range 10 {
			text, _ := json.Marshal(d.value(2))
			valid, err := oracleAccepts(want, text)
			if err != nil {
				t.Fatal(err)
			}
			if got := j.accepts(text); got != valid {
				t.Fatalf("%s\n%s: accepted is %v, valid is %v", src, text, got, valid)
			}
		}
		if j.empty {
			return
		}
		for range 10 {
			text := walk(d, j.start)
			if ok, err := oracleAccepts(want, text); !ok {
				t.Fatalf("%s\nwrote %s, which is not valid (%v)", src, text, err)
			}
		}
	})
	if total > 20 && refused*2 > total {
		t.Errorf("%d of %d random schemas are refused", refused, total)
	}
	t.Logf("%d of %d random schemas are refused", refused, total)
}
