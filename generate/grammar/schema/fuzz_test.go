package schema

import (
	"errors"
	"testing"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// FuzzCompile compiles any text: an *Error or a schema, whose shortest text it accepts.
func FuzzCompile(f *testing.F) {
	for _, src := range []string{
		`true`, `{"type":["integer","null"],"minimum":0.5}`,
		`{"properties":{"a":{"$ref":"#"}},"required":["b"],"additionalProperties":{"pattern":"^x"}}`,
		`{"oneOf":[{"const":{"a":[1]}},{"not":{"enum":["x",null]}}],"if":{"minItems":1},"then":{"contains":{"multipleOf":3}}}`,
		`{"$dynamicAnchor":"t","allOf":[{"properties":{"c":{"$dynamicRef":"#t"}}}],"unevaluatedProperties":false}`,
		`{"patternProperties":{"a":true,"b":{"format":"date"}},"propertyNames":{"maxLength":2},"minProperties":1}`,
		`{"dependencies":{"a":["b"],"c":{"required":["d"]}},"items":[{},false],"uniqueItems":true}`,
		`{"$id":"http://x/y","$defs":{"n":{"$id":"z","$anchor":"q"}},"$ref":"z#q"}`,
	} {
		f.Add([]byte(src), false)
	}
	f.Fuzz(func(t *testing.T, src []byte, lenient bool) {
		s, err := Compile(src, Options{Lenient: lenient, Written: !lenient})
		var e *Error
		if err != nil {
			if !errors.As(err, &e) {
				t.Fatalf("an error that is no *Error: %v", err)
			}
			return
		}
		if ok, at := machine.Accepts(s.start, s.start.Shortest()); !ok {
			t.Fatalf("the shortest text %q is refused at %d", s.start.Shortest(), at)
		}
	})
}
