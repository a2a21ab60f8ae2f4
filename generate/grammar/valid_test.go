package grammar

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/foundling-lm/foundling/generate/grammar/schema"
	"github.com/foundling-lm/foundling/generate/grammar/shape"
	"github.com/foundling-lm/foundling/internal/rng"
)

// Texts of random choices are JSON and satisfy the schema, as others see it, at limits
// from the minimum on: with the tag slow at each, else at some.
func TestOutputsAreValid(t *testing.T) {
	v := vocabulary(t, 3, 400, `"`, `":`, `", "`, `": "`, `{"`, "{", "}", "[", "]", ",", " ", "\n", "a", "name", "1", "-", "0.5", "e3", "true", "null", "é", "\\u00", `\n`)
	for i, text := range []string{
		`{"type":"object","properties":{"name":{"type":"string","maxLength":5},"age":{"type":"integer","minimum":0,"maximum":130}},"required":["name","age"]}`,
		`{"type":"object","properties":{"a":{"type":"integer"}},"required":["b","c"],"minProperties":4,"additionalProperties":{"type":["null","boolean"]}}`,
		`{"type":"object","patternProperties":{"^a+$":{"const":1}},"additionalProperties":false,"minProperties":2,"maxProperties":3}`,
		`{"type":"array","items":{"oneOf":[{"type":"string","minLength":3},{"type":"number","multipleOf":0.5},{"enum":[null,"x"]}]},"minItems":2,"maxItems":4}`,
		`{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"label":{"type":"string","pattern":"^[a-z]{1,4}$"},"children":{"type":"array","items":{"$ref":"#/$defs/node"}}},"required":["label"],"additionalProperties":false}}}`,
		`{"not":{"type":["string","object","array"]}}`,
		`true`,
	} {
		compiled, err := schema.Compile([]byte(text), schema.Options{})
		if err != nil {
			t.Fatal(err)
		}
		start, err := compiled.Value().Machine(shape.Format{})
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource("s.json", doc); err != nil {
			t.Fatal(err)
		}
		judge, err := c.Compile("s.json")
		if err != nil {
			t.Fatal(err)
		}
		g := newGrammar(t, v, start, Options{})
		step := func(budget int) int {
			if everyBudget || budget < g.Minimum()+2 {
				return 1
			}
			return 1 + rng.Intn(1, uint64(i), uint64(budget), 15)
		}
		for budget := g.Minimum(); budget <= g.Minimum()+40; budget += step(budget) {
			_, out := write(t, g, uint64(1000*i+budget), budget, false)
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
			if err != nil || !json.Valid(out) {
				t.Fatalf("%s: %q is no JSON: %v", text, out, err)
			}
			if err := judge.Validate(value); err != nil {
				t.Fatalf("%s: %q: %v", text, out, err)
			}
		}
	}
}
