package schema

import (
	"bytes"
	"encoding/json"
	"strings"
)

// metaAddress are the addresses of the schemas of schemas.
var metaAddress = map[Draft]string{
	Draft4:    "http://json-schema.org/draft-04/schema",
	Draft6:    "http://json-schema.org/draft-06/schema",
	Draft7:    "http://json-schema.org/draft-07/schema",
	Draft2019: "https://json-schema.org/draft/2019-09/schema",
	Draft2020: "https://json-schema.org/draft/2020-12/schema",
}

// metaSchema writes the schema of the schemas of a draft from the table of keywords.
// It has the values that the published one has.
func metaSchema(d Draft) []byte {
	address := metaAddress[d]
	self := `{"$ref":"#"}`
	head := []string{`"$schema":"` + address + `"`}
	switch {
	case d == Draft4:
		head = append(head, `"id":"`+address+`#"`)
	case d == Draft2019:
		head, self = append(head, `"$recursiveAnchor":true`), `{"$recursiveRef":"#"}`
	case d == Draft2020:
		head, self = append(head, `"$dynamicAnchor":"meta"`), `{"$dynamicRef":"#meta"}`
	}
	if d != Draft4 {
		head = append(head, `"$id":"`+address+`"`, `"type":["object","boolean"]`)
	} else {
		head = append(head, `"type":"object"`, `"dependencies":{"exclusiveMaximum":["maximum"],"exclusiveMinimum":["minimum"]}`)
	}
	var rows []string
	for i := range keywordTable {
		if k := &keywordTable[i]; d.has(k) {
			rows = append(rows, `"`+k.Name+`":`+metaValue(k, d, self))
		}
	}
	text := `{` + strings.Join(append(head, `"properties":{`+strings.Join(rows, ",")+`}`), ",") + `}`
	var out bytes.Buffer
	if err := json.Compact(&out, []byte(text)); err != nil {
		panic("schema: the schema of schemas: " + err.Error())
	}
	return out.Bytes()
}

// metaValue is the schema of a keyword's value.
func metaValue(k *Keyword, d Draft, self string) string {
	const names = `{"type":"array","items":{"type":"string"},"uniqueItems":true}`
	list := `{"type":"array","minItems":1,"items":` + self + `}`
	switch k.place {
	case oneSchema:
		if d == Draft4 && k.Name != "not" { // additionalItems, additionalProperties
			return `{"anyOf":[{"type":"boolean"},` + self + `]}`
		}
		return self
	case listOfSchemas:
		return list
	case mapOfSchemas:
		if k.Name == "patternProperties" && d != Draft4 {
			return `{"type":"object","additionalProperties":` + self + `,"propertyNames":{"format":"regex"}}`
		}
		return `{"type":"object","additionalProperties":` + self + `}`
	case schemaOrList:
		if d == Draft2020 {
			return self
		}
		return `{"anyOf":[` + self + `,` + list + `]}`
	case mapOfMixed:
		return `{"type":"object","additionalProperties":{"anyOf":[` + self + `,` + names + `]}}`
	}
	return metaScalar(k.Name, d, names)
}

// metaScalar is metaValue for keywords whose values have no schemas; names is a list of
// names.
func metaScalar(keyword string, d Draft, names string) string {
	switch keyword {
	case "maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties", "minContains", "maxContains":
		return `{"type":"integer","minimum":0}`
	case "exclusiveMaximum", "exclusiveMinimum":
		if d == Draft4 {
			return `{"type":"boolean"}`
		}
		return `{"type":"number"}`
	case "maximum", "minimum":
		return `{"type":"number"}`
	case "multipleOf":
		if d == Draft4 {
			return `{"type":"number","minimum":0,"exclusiveMinimum":true}`
		}
		return `{"type":"number","exclusiveMinimum":0}`
	case "uniqueItems", "deprecated", "readOnly", "writeOnly", "$recursiveAnchor":
		return `{"type":"boolean"}`
	case "required":
		if d == Draft4 {
			return `{"type":"array","items":{"type":"string"},"uniqueItems":true,"minItems":1}`
		}
		return names
	case "dependentRequired":
		return `{"type":"object","additionalProperties":` + names + `}`
	case "type":
		one := `{"enum":["array","boolean","integer","null","number","object","string"]}`
		return `{"anyOf":[` + one + `,{"type":"array","items":` + one + `,"minItems":1,"uniqueItems":true}]}`
	case "enum":
		if d == Draft4 {
			return `{"type":"array","minItems":1,"uniqueItems":true}`
		}
		return `{"type":"array"}`
	case "examples":
		return `{"type":"array"}`
	case "const", "default":
		return `{}`
	case "pattern":
		return `{"type":"string","format":"regex"}`
	case "$ref", "$dynamicRef", "$recursiveRef":
		return `{"type":"string","format":"uri-reference"}`
	case "$id":
		if d.since(Draft2019) {
			return `{"type":"string","format":"uri-reference","pattern":"^[^#]*#?$"}`
		}
		return `{"type":"string","format":"uri-reference"}`
	case "$schema":
		if d == Draft4 {
			return `{"type":"string"}`
		}
		return `{"type":"string","format":"uri"}`
	case "$anchor", "$dynamicAnchor":
		if d == Draft2019 {
			return `{"type":"string","pattern":"^[A-Za-z][-A-Za-z0-9.:_]*$"}`
		}
		return `{"type":"string","pattern":"^[A-Za-z_][-A-Za-z0-9._]*$"}`
	case "$vocabulary":
		return `{"type":"object","propertyNames":{"type":"string","format":"uri"},"additionalProperties":{"type":"boolean"}}`
	}
	return `{"type":"string"}`
}
