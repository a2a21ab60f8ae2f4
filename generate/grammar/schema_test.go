package grammar

import (
	"slices"
	"testing"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/generate/grammar/schema"
	"github.com/foundling-lm/foundling/generate/grammar/shape"
	"github.com/foundling-lm/foundling/internal/rng"
)

// schemaPieces are what tokens of JSON texts are made of.
var schemaPieces = []string{`"`, `":`, `",`, `, "`, `": "`, `{"`, `"}`, `},`, `],`, `["`, `"]`, "{", "}", "[", "]", ",", ":", " ", "\n",
	"a", "ab", "b", "x", "name", "na", "id", "1", "12", "-", "0.5", "e3", "true", "null", "é", "\xc3", "\xa9", "日", "\xe6\x97", `\u00`, "e9", `\n`, `\"`}

// schemaCases are schemas whose states remember or count.
var schemaCases = []string{
	`{"type":"object","properties":{"name":{"type":"string"},"namely":{"type":"integer"},"é":{"type":"boolean"}},"required":["name"]}`,
	`{"type":"object","properties":{"a":{"type":"string","maxLength":3},"ab":{"type":"string","minLength":2,"maxLength":300}},"additionalProperties":{"type":"string","pattern":"^[a-z]*x?$"}}`,
	`{"type":"object","properties":{"id":{"type":"integer"}},"required":["b","name"],"minProperties":4,"additionalProperties":{"type":["null","boolean"]}}`,
	`{"type":"object","properties":{"a":{},"b":{},"x":{"type":"null"}},"dependentRequired":{"a":["b","x"]},"maxProperties":4}`,
	`{"type":"object","patternProperties":{"^a":{"const":1},"^na":{"type":"string"}},"additionalProperties":{"type":"array","items":{"type":"string","pattern":"ab"}}}`,
	`{"type":"object","patternProperties":{"^[ab]{1,2}$":{"const":1}},"additionalProperties":false,"minProperties":2,"maxProperties":3}`,
	`{"type":"array","uniqueItems":true,"items":{"type":"string"}}`,
	`{"type":"array","uniqueItems":true,"minItems":2,"items":{"enum":["a","ab","b","x"]}}`,
	`{"type":"array","uniqueItems":true,"items":{"type":"string","maxLength":2}}`,
	`{"type":"object","properties":{"a":{"type":"array","uniqueItems":true,"items":{"type":"object","properties":{"id":{"type":"integer"},"name":{"type":"string"}},"required":["id"]}}}}`,
	`{"type":"array","uniqueItems":true,"items":{"type":"object","properties":{"id":{"enum":[1,12]}},"additionalProperties":false}}`,
	`{"type":"array","items":{"oneOf":[{"type":"string","minLength":3},{"type":"number","multipleOf":0.5},{"enum":[null,"x"]}]},"minItems":2,"maxItems":4}`,
	`{"anyOf":[{"type":"object","properties":{"name":{"const":"a"},"x":{"type":"integer"}},"required":["name","x"]},{"type":"object","properties":{"name":{"const":"ab"},"b":{"type":"string"}},"required":["name"]}]}`,
	`{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"name":{"type":"string","pattern":"^[a-z]{1,4}$"},"b":{"type":"array","items":{"$ref":"#/$defs/node"}}},"required":["name"],"additionalProperties":false}}}`,
	`true`,
}

func schemaStart(t testing.TB, text string) machine.State {
	t.Helper()
	compiled, err := schema.Compile([]byte(text), schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	start, err := compiled.Value().Machine(shape.Format{})
	if err != nil {
		t.Fatal(err)
	}
	return start
}

// Masks of schemas are those of their definition, at every budget: without one, with a
// large one and near the end. With the tag slow more texts are written and every mask
// is looked at.
func TestMasksOfSchemas(t *testing.T) {
	v := vocabulary(t, 3, 700, schemaPieces...)
	for i, text := range schemaCases {
		g := newGrammar(t, v, schemaStart(t, text), Options{})
		seeds, stride := uint64(3), 3
		if everyBudget {
			seeds, stride = 6, 1
		}
		for seed := range seeds {
			s := g.Session()
			left := 0
			switch seed % 3 {
			case 1:
				left = g.Minimum() + 400
			case 2:
				left = g.Minimum() + int(seed)*4
			}
			var out []byte
			for step := 0; step < 60 && !s.Ended(); step++ {
				mask, err := s.Mask(left)
				if err != nil {
					t.Fatalf("%s: behind %q: %v", text, out, err)
				}
				if (step+i)%stride == 0 {
					want := plainMask(g, s.at, left)
					if s.way != nil {
						set(want, s.way[0])
					}
					if !slices.Equal(mask, want) {
						t.Fatalf("%s: seed %d, %d remain, behind %q: too many\n%.1000s\ntoo few\n%.1000s", text, seed, left, out,
							describe(g, without(mask, want)), describe(g, without(want, mask)))
					}
				}
				allowed := idsOf(mask)
				id := allowed[rng.Intn(seed, uint64(i), uint64(step), len(allowed))]
				if err := s.Accept(id); err != nil {
					t.Fatal(err)
				}
				out = append(out, v.Text(id)...)
				if left > 0 {
					left--
				}
			}
		}
	}
}

// without is the ids of a that b does not have.
func without(a, b []uint64) []uint64 {
	out := slices.Clone(a)
	for i := range out {
		out[i] &^= b[i]
	}
	return out
}
