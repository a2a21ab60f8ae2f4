package grammar

import (
	"maps"
	"slices"
	"testing"

	"github.com/foundling-lm/foundling/generate/grammar/language"
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
	`{"type":"string","pattern":"^[a-z0-9-]+(:[a-z]+)?$"}`,
	`{"type":"array","items":{"type":"string","pattern":"^[^/é]*$"}}`,
	`{"type":"string","minLength":2,"maxLength":280}`,
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

// Masks of schemas and patterns are those of their definition, without a budget, with a
// large one and near the end. With the tag slow more texts are written and every mask is
// looked at.
func TestMasksOfSchemas(t *testing.T) {
	v := vocabulary(t, 3, 300, schemaPieces...)
	starts := map[string]func() machine.State{}
	for _, text := range schemaCases {
		starts[text] = func() machine.State { return schemaStart(t, text) }
	}
	for _, text := range []string{`[a-z0-9-]+(:[a-z]+)?`, `(na|x)*[^"a]{2,5}`, `.*name.*`, `"[^"]*"`, `[a-y]{3,300}`} {
		starts[text] = func() machine.State {
			l, err := (&language.Source{Regex: text}).Compile()
			if err != nil {
				t.Fatal(err)
			}
			return l.Start
		}
	}
	seeds, stride := uint64(4), 2
	if everyBudget {
		seeds, stride = 12, 1
	}
	for i, text := range slices.Sorted(maps.Keys(starts)) {
		g := newGrammar(t, v, starts[text](), Options{})
		for seed := range seeds {
			left := []int{0, g.Minimum() + 400, g.Minimum() + 5, g.Minimum() + 14}[seed%4]
			checkMasks(t, g, text, seed, uint64(i), left, stride)
		}
	}
}

// checkMasks writes a text by random choices, in so many tokens, 0: any number, and
// compares every mask of a stride with its definition.
func checkMasks(t *testing.T, g *Grammar, name string, seed, stream uint64, left, stride int) {
	t.Helper()
	s := g.Session()
	var out []byte
	for step := 0; step < 40 && !s.Ended(); step++ {
		mask, err := s.Mask(left)
		if err != nil {
			t.Fatalf("%s: behind %q: %v", name, out, err)
		}
		if (step+int(stream))%stride == 0 {
			want := plainMask(g, s.at, left)
			if s.way != nil {
				set(want, s.way[0])
			}
			if !slices.Equal(mask, want) {
				t.Fatalf("%s: seed %d, %d remain, behind %q: too many\n%.1000s\ntoo few\n%.1000s", name, seed, left, out,
					describe(g, without(mask, want)), describe(g, without(want, mask)))
			}
		}
		allowed := idsOf(mask)
		id := allowed[rng.Intn(seed, stream, uint64(step), len(allowed))]
		if err := s.Accept(id); err != nil {
			t.Fatal(err)
		}
		out = append(out, g.v.Text(id)...)
		if left > 0 {
			left--
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
