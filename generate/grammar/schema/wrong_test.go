package schema

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestWrong has schemas as they are often written wrong: the error names the place,
// what is wrong there and what to write.
func TestWrong(t *testing.T) {
	for _, c := range []struct{ schema, want string }{
		{`{"properties":{"a":{"type":"int"}}}`, `#/properties/a/type: "int" is no type; write "integer": types are`},
		{`{"properties":{"a":{"type":["String","null"]}}}`, `#/properties/a/type: "String" is no type; write "string": types are`},
		{`{"type":"any"}`, `#/type: "any" is no type; leave type away`},
		{`{"type":"json_schema","json_schema":{"schema":{}}}`, `#/type: "json_schema" is no type; this is a response_format: the schema is what stands in json_schema/schema`},
		{`{"properties":{"a":"string"}}`, `#/properties/a: "string" where a schema belongs; write {"type": "string"}`},
		{`{"properties":["a"]}`, `#/properties: properties is a list, not an object; give each name a schema: {"name": {"type": "string"}}`},
		{`{"oneOf":[true,3]}`, `#/oneOf/1: 3 where a schema belongs; a schema is an object, true or false`},
		{`{"required":"a"}`, `#/required: required is a string, not a list; write it as a list: "required": [...]`},
		{`{"required":["a",{"b":1}]}`, `#/required: required lists an object, which is no name; names are strings`},
		{`{"minimum":"3"}`, `#/minimum: minimum is a string, not a number; write 3 without quotation marks`},
		{`{"anyOf":{"type":"string"}}`, `#/anyOf: anyOf is an object, not a list; write it as a list`},
		{`{"$schema":"https://json-schema.org/draft/2020-12/schema","items":[{}]}`, `#/items: a list where a schema belongs; schemas of the first items are prefixItems since 2020-12`},
		{`{"$ref":"#/definitions/A","$defs":{"A":{}}}`, `#/$ref: "#/definitions/A" leads nowhere; write #/$defs/A`},
		{`{"items":{"$ref":"#/$defs/B"},"$defs":{"A":{}}}`, `#/items/$ref: "#/$defs/B" leads nowhere; #/$defs has "A", no "B"`},
		{`{"$ref":"#B"}`, `#/$ref: "#B" leads nowhere; a schema is named by $anchor in it, or by its place: #/$defs/NAME`},
		{`{"$ref":"b.json"}`, `#/$ref: the document b.json is not here, and none is fetched; put its schema below $defs`},
		{`{"pattern":"(?<=x)a"}`, `#/pattern: it cannot be enforced: pattern "(?<=x)a", byte 2: look-behind is not supported`},
		{`{"type":"string","pattern":"(?P<n>a)"}`, `byte 3: a group's name stands behind (?<, without P`},

		{`{"type":"object","properties":{"a":{}},"required":["b"],"additionalProperties":false}`,
			`#/required: no value can satisfy the schema: required names "b", which is none of properties, and additionalProperties is false; add it to properties, or take it out of required`},
		{`{"type":"object","properties":{"o":{"type":"array","minItems":1,"items":{"type":"object","additionalProperties":false,"required":["b"]}}},"required":["o"]}`,
			`#/properties/o/items/required: no value can satisfy the schema: required names "b"`},
		{`{"type":"object","properties":{"o":{"$ref":"#/$defs/s"}},"required":["o"],"$defs":{"s":{"type":"string","minLength":3,"maxLength":2}}}`,
			`#/$defs/s/maxLength: no value can satisfy the schema: minLength 3 is above maxLength 2; lower the one or raise the other`},
		{`{"type":"object","properties":{"a":{"enum":[]},"b":{"minimum":2,"maximum":1,"type":"number"},"c":{"enum":[]}},"required":["b","c"]}`,
			`#/properties/b/maximum: no value can satisfy the schema: minimum 2 is above maximum 1`},
		{`{"type":"object","properties":{"a":{"enum":[]}},"required":["a"]}`, `#/properties/a/enum: no value can satisfy the schema: enum is an empty list; list the values that are allowed`},
		{`{"enum":[1,2.5],"type":["string","null"]}`, `#/type: no value can satisfy the schema: no value of enum is of type string or null; leave type away, it follows from enum`},
		{`{"type":"integer","const":1.5}`, `#/const: no value can satisfy the schema: const is 1.5, type is integer; leave type away`},
		{`{"allOf":[{"type":"string"},{"type":"null"}]}`, `#/allOf: no value can satisfy the schema: allOf leaves none; its schemas exclude each other: take one out`},
		{`{"type":"object","properties":{"next":{"$ref":"#"}},"required":["next"]}`,
			`#/properties/next/$ref: no value can satisfy the schema: each value holds another one of its kind, without end; make a member on the way optional`},

		{"{\n  \"type\": \"object\",\n}", `the schema is not JSON: line 2, byte 19: invalid character ',' at start of value; no comma stands before } and ]`},
		{`{'type':'object'}`, `the schema is not JSON: line 1, byte 2: invalid character '\'' at start of value; names and strings stand in double quotation marks`},
		{`{"type":"object"`, `the schema is not JSON: line 1, byte 17: the text ends before the value does`},
	} {
		_, err := Compile([]byte(c.schema), Options{})
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n got %v\nwant %s", c.schema, err, c.want)
		}
	}
}

// TestDoubtful has schemas that mean something else than their authors thought: notes.
func TestDoubtful(t *testing.T) {
	for _, c := range []struct{ schema, want string }{
		{`{"properties":{"a":{}}}`, `[# properties: it bounds objects only, and without "type": "object" other values satisfy the schema too]`},
		{`{"type":"object","requried":["a"],"properties":{"a":{"maxlength":3,"types":"string","x-note":1,"_format":2,"":3}}}`,
			`[# requried: "requried" is no keyword, so it has no effect; is required meant? #/properties/a maxlength: "maxlength" is no keyword, so it has no effect; is maxLength meant? #/properties/a types: "types" is no keyword, so it has no effect; is type meant?]`},
		{`{"name":"x","schema":{"type":"object"}}`, `[#: no member of it is a keyword, so any value satisfies it; give what stands in its member schema]`},
		{`{"city":"string"}`, `[#: no member of it is a keyword, so any value satisfies it; members are listed below properties]`},
		{`{"exclusiveMaximum":true}`, `[# exclusiveMaximum: it is a flag of maximum, which is not here: no effect; since draft 6 it is the bound itself]`},
		{`{"type":"object","properties":{"a":{"type":"string","minLength":3,"maxLength":2},"b":false,"c":{"not":{}}}}`,
			`[#/properties/a: no value can satisfy it, so the member is not written: #/properties/a/maxLength minLength 3 is above maxLength 2]`},
		{`{"type":"object","properties":{"a":{"type":"string"}},"description":"d"}`, `[]`},
		{`{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"b":true}}}}`, `[]`},
	} {
		s, err := Compile([]byte(c.schema), Options{})
		if err != nil {
			t.Errorf("%s: %v", c.schema, err)
		} else if got := fmt.Sprint(s.Notes); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.schema, got, c.want)
		}
	}
}
