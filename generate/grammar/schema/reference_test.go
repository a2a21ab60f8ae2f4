package schema

import (
	"bytes"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestReferences compares how references are followed with an independent validator.
func TestReferences(t *testing.T) {
	for _, c := range []struct {
		schema string
		values []string
	}{
		{`{"$id":"urn:uuid:deadbeef-1234-0000-0000-4321feebdaed","$defs":{"b":{"type":"string"}},"properties":{"a":{"$ref":"urn:uuid:deadbeef-1234-0000-0000-4321feebdaed#/$defs/b"}}}`, []string{`{"a": "x"}`, `{"a": 1}`}},
		{`{"$id":"urn:example:weather?=op=map&lat=39.56","properties":{"a":{"$ref":"#/$defs/b"}},"$defs":{"b":{"type":"string"}}}`, []string{`{"a": "x"}`, `{"a": 1}`}},
		{`{"$id":"file:///folder/file.json","$defs":{"foo":{"type":"number"}},"$ref":"#/$defs/foo"}`, []string{`1`, `"x"`}},
		{`{"$id":"file:///c:/folder/file.json","$defs":{"foo":{"type":"number"}},"$ref":"#/$defs/foo"}`, []string{`1`, `"x"`}},
		{`{"$id":"http://example.com/ref/absref.json","$defs":{"a":{"$id":"http://example.com/ref/absref/foobar.json","type":"number"},"b":{"$id":"http://example.com/absref/foobar.json","type":"string"}},"$ref":"/absref/foobar.json"}`, []string{`"x"`, `1`}},
		{`{"$defs":{"":{"$defs":{"":{"type":"number"}}}},"allOf":[{"$ref":"#/$defs//$defs/"}]}`, []string{`1`, `"x"`}},
		{`{"$id":"http://example.com/base/","$ref":"int.json","$defs":{"big":{"$id":"/base/int.json","maximum":10},"x":{"$id":"x","type":"null"}}}`, []string{`5`, `11`}},
		{`{"$id":"http://localhost:1234/tree","type":"object","properties":{"nodes":{"type":"array","items":{"$ref":"node"}}},"required":["nodes"],"$defs":{"node":{"$id":"http://localhost:1234/node","type":"object","properties":{"value":{"type":"number"},"subtree":{"$ref":"tree"}},"required":["value"]}}}`,
			[]string{`{"nodes": [{"value": 1, "subtree": {"nodes": [{"value": 1.1}]}}]}`, `{"nodes": [{"value": 1, "subtree": {"nodes": [{"value": "x"}]}}]}`}},
		{`{"properties":{"foo\"bar":{"$ref":"#/$defs/foo%22bar"}},"$defs":{"foo\"bar":{"type":"number"}}}`, []string{`{"foo\"bar": 1}`, `{"foo\"bar": "1"}`}},
		{`{"$defs":{"tilde~field":{"type":"integer"},"slash/field":{"type":"string"},"percent%field":{"type":"null"}},"properties":{"t":{"$ref":"#/$defs/tilde~0field"},"s":{"$ref":"#/$defs/slash~1field"},"p":{"$ref":"#/$defs/percent%25field"}}}`,
			[]string{`{"t": 1, "s": "x", "p": null}`, `{"t": "x"}`, `{"s": 1}`, `{"p": 1}`}},
		{`{"properties":{"$ref":{"$ref":"#/$defs/is-string"}},"$defs":{"is-string":{"type":"string"}}}`, []string{`{"$ref": "a"}`, `{"$ref": 2}`}},
		{`{"$defs":{"a":{"$anchor":"here","type":"integer"}},"$ref":"#here"}`, []string{`1`, `"x"`}},
		{`{"$id":"http://example.com/schema-relative-uri-defs1.json","properties":{"foo":{"$id":"schema-relative-uri-defs2.json","$defs":{"inner":{"properties":{"bar":{"type":"string"}}}},"$ref":"#/$defs/inner"}},"$ref":"schema-relative-uri-defs2.json"}`,
			[]string{`{"foo": {"bar": 1}, "bar": "a"}`, `{"foo": {"bar": "a"}, "bar": 1}`, `{"foo": {"bar": "a"}, "bar": "a"}`}},
		{`{"$defs":{"id_in_unknown":{"not":{"array_of_schemas":[{"$id":"http://localhost:1234/unknown.json","type":"null"}]}},"real":{"$id":"http://localhost:1234/unknown.json","type":"string"}},"anyOf":[{"$ref":"#/$defs/id_in_unknown"},{"$ref":"http://localhost:1234/unknown.json"}]}`,
			[]string{`"a"`, `null`, `1`}},
		{`{"$defs":{"a":{"enum":[{"$id":"http://localhost:1234/id.json","type":"null"}]},"b":{"$id":"http://localhost:1234/id.json","type":"string"}},"anyOf":[{"$ref":"#/$defs/a"},{"$ref":"http://localhost:1234/id.json"}]}`,
			[]string{`{"$id": "http://localhost:1234/id.json", "type": "null"}`, `"x"`, `1`}},
		{`{"$ref":"http://example.com/if","if":{"$id":"http://example.com/if","type":"integer"}}`, []string{`1`, `"x"`}},
		{`{"$ref":"https://json-schema.org/draft/2020-12/schema"}`, []string{`{"$defs": {"a": {"type": "integer"}}}`, `{"$defs": {"a": {"type": 1}}}`, `{"minLength": -1}`, `{"required": ["a", "a"]}`, `true`, `[]`}},
		{`{"$ref":"http://json-schema.org/draft-07/schema#"}`, []string{`{"definitions": {"a": {"if": true}}}`, `{"items": [{"type": "nul"}]}`, `{"items": [{"type": ["null"]}]}`, `{"exclusiveMinimum": true}`}},
		{`{"$ref":"http://json-schema.org/draft-04/schema#"}`, []string{`{"exclusiveMinimum": true}`, `{"exclusiveMinimum": true, "minimum": 2}`, `{"enum": []}`, `{"properties": {"a": {"not": {}}}}`}},
		{`{"$id":"https://example.com/dyn","$ref":"list","$defs":{"foo":{"$dynamicAnchor":"items","type":"string"},"list":{"$id":"list","type":"array","items":{"$dynamicRef":"#items"},"$defs":{"items":{"$dynamicAnchor":"items"}}}}}`,
			[]string{`["a"]`, `[1]`}},
	} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(c.schema)))
		if err != nil {
			t.Fatal(err)
		}
		compiler := jsonschema.NewCompiler()
		if err := compiler.AddResource("http://somewhere/s.json", doc); err != nil {
			t.Fatalf("%s: %v", c.schema, err)
		}
		want, err := compiler.Compile("http://somewhere/s.json")
		if err != nil {
			t.Errorf("%s: the other validator: %v", c.schema, err)
			continue
		}
		j := compileJudge([]byte(c.schema), Options{})
		if j.err != nil {
			t.Errorf("%s: %v", c.schema, j.err)
			continue
		}
		for _, v := range c.values {
			valid, err := oracleAccepts(want, []byte(v))
			if err != nil {
				t.Fatal(err)
			}
			if got := j.accepts([]byte(v)); got != valid {
				t.Errorf("%s accepts %s: %v, want %v", c.schema, v, got, valid)
			}
		}
	}
}
