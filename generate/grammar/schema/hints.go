package schema

import (
	"bytes"
	"fmt"
	"math/big"
	"strings"

	"github.com/foundling-lm/foundling/generate/grammar/shape"
)

// typesMeant is what other languages call the types.
var typesMeant = map[string]string{
	"int": "integer", "int32": "integer", "int64": "integer", "long": "integer",
	"float": "number", "float32": "number", "float64": "number", "double": "number", "decimal": "number", "num": "number",
	"str": "string", "text": "string", "char": "string", "date": "string", "datetime": "string",
	"bool": "boolean", "list": "array", "tuple": "array", "dict": "object", "map": "object", "struct": "object",
	"none": "null", "nil": "null", "undefined": "null",
}

// typeMeant is the type that a word probably means, "" for none.
func typeMeant(word string) string {
	word = strings.ToLower(word)
	if typeNames[word] != 0 {
		return word
	}
	return typesMeant[word]
}

// typeRemedy is what to write instead of what is no type.
func typeRemedy(v *value) string {
	const types = "types are null, boolean, number, integer, string, array and object"
	switch meant := typeMeant(v.text); {
	case v.kind != '"':
		return "a type is one string or a list of them: " + types
	case meant != "":
		return fmt.Sprintf("write %q: %s", meant, types)
	case v.text == "json_schema":
		return "this is a response_format: the schema is what stands in json_schema/schema"
	case v.text == "any":
		return "leave type away: without it any value satisfies"
	}
	return types
}

// schemaRemedy is what to write instead of what is no schema.
func schemaRemedy(key string, v *value) string {
	if meant := typeMeant(v.text); v.kind == '"' && meant != "" {
		return fmt.Sprintf("write {\"type\": %q}", meant)
	}
	if v.kind == '[' && key == "items" {
		return "schemas of the first items are prefixItems since 2020-12"
	}
	return "a schema is an object, true or false"
}

// kindRemedy is what to write where a keyword wants a value of another kind.
func kindRemedy(key string, v *value, want kind) string {
	switch {
	case want == '[' && v.kind != 'n':
		return fmt.Sprintf("write it as a list: %q: [...]", key)
	case want == '0' && v.kind == '"':
		if _, ok := new(big.Rat).SetString(v.text); ok {
			return fmt.Sprintf("write %.30s without quotation marks", v.text)
		}
	case want == '{' && key == "properties":
		return `give each name a schema: {"name": {"type": "string"}}`
	}
	return ""
}

// refRemedy says what there is where a reference leads nowhere.
func refRemedy(root *value, fragment string) string {
	if fragment == "" || fragment[0] != '/' {
		return "a schema is named by $anchor in it, or by its place: #/$defs/NAME"
	}
	steps := strings.Split(fragment[1:], "/")
	last := steps[len(steps)-1]
	for _, key := range []string{"$defs", "definitions"} {
		if d := root.get(key); d != nil && d.get(last) != nil {
			return fmt.Sprintf("write #/%s/%s", key, last)
		}
	}
	v, to := root, "#"
	for _, step := range steps {
		w := at(v, "/"+step)
		if w == nil {
			if v.kind == '{' {
				return fmt.Sprintf("%s has %s, no %q", to, someKeys(v.keys), step)
			}
			break
		}
		v, to = w, to+"/"+step
	}
	return "a place is named from the root of the schema: #/$defs/NAME"
}

// someKeys lists the first keys of an object.
func someKeys(keys []string) string {
	const most = 8
	if len(keys) == 0 {
		return "no members"
	}
	var out []string
	for i, k := range keys {
		if i == most {
			out = append(out, "...")
			break
		}
		out = append(out, fmt.Sprintf("%.40q", k))
	}
	return strings.Join(out, ", ")
}

// syntaxRemedy is what to write where the rest of a text is no JSON.
func syntaxRemedy(rest []byte) string {
	if len(rest) == 0 {
		return ""
	}
	switch next := bytes.TrimLeft(rest[1:], " \t\r\n"); {
	case rest[0] == '\'':
		return "names and strings stand in double quotation marks"
	case rest[0] == ',' && len(next) > 0 && (next[0] == '}' || next[0] == ']'):
		return "no comma stands before } and ]"
	case rest[0] == '/' || rest[0] == '#':
		return "JSON has no comments: $comment is a keyword for them"
	}
	return ""
}

// leftRemedy is what to do about a keyword that leaves nothing on its own.
func leftRemedy(key string) string {
	switch key {
	case "allOf":
		return "its schemas exclude each other: take one out"
	case "oneOf":
		return "what satisfies several of its schemas is out: use anyOf, or tell them apart by a property with a constant"
	case "not":
		return "it refuses every value: say what shall be refused"
	}
	return "widen it"
}

// noteNever notes the members of an object that no value satisfies.
func (c *compiler) noteNever(t *term) {
	if len(t.literals) != 1 || t.literals[0].mode != satisfies || c.err != nil {
		return
	}
	l := t.literals[0]
	for _, w := range c.node(l.v).object.schemas {
		if w.kind != '{' || w.get("not") != nil && len(w.keys) == 1 { // as some write false
			continue
		}
		m := c.term(w, c.inside(l.v, l.scope), satisfies)
		if m.none || !c.isEmpty(m) {
			continue
		}
		why := ""
		if c.never++; c.never <= maxNever {
			e := c.contradiction(m, false)
			why = fmt.Sprintf(": #%s %s", shortPointer(e.Location()), strings.TrimPrefix(e.Message, noValue))
		}
		c.notes.add(w, "", "no value can satisfy it, so the member is not written"+why)
	}
}

// maxNever is how many notes of members that are not written say why: it takes work.
const maxNever = 4

// noteOthers notes that a schema bounds objects and takes all other values, or has no
// keyword and takes any value: mostly something is missing.
func (c *compiler) noteOthers(t *term, set *shape.Value) {
	if c.err != nil || set == nil || len(t.literals) != 1 || t.literals[0].v.up != nil {
		return
	}
	v := t.literals[0].v
	if n := c.node(v); n.object.asked && n.types == allTypes && set.Null && len(set.Strings) > 0 {
		for _, key := range []string{"properties", "required", "additionalProperties"} {
			if v.get(key) != nil {
				c.notes.add(v, key, "it bounds objects only, and without \"type\": \"object\" other values satisfy the schema too")
				return
			}
		}
	}
	for _, key := range v.keys {
		if keywordByName[key] != nil || keywordMeant(key) != "" {
			return
		}
	}
	remedy := "members are listed below properties"
	if inner := v.get("schema"); inner != nil && inner.kind == '{' {
		remedy = "give what stands in its member schema"
	}
	c.notes.add(v, "", "no member of it is a keyword, so any value satisfies it; "+remedy)
}

// keywordMeant is the keyword of which a word is a misspelling: another case, or one
// letter too many, missing, wrong or exchanged with the next. "" for none.
func keywordMeant(word string) string {
	if strings.HasPrefix(word, "_") { // switched off by its author
		return ""
	}
	for i := range keywordTable {
		k := &keywordTable[i]
		if k.How == "annotation" || k.How == "structure" || len(k.Name) < 4 || len(word) < 3 {
			continue
		}
		if strings.EqualFold(word, k.Name) || oneSlip(word, k.Name) || oneSlip(k.Name, word) {
			return k.Name
		}
	}
	return ""
}

// oneSlip says that a is b with one letter wrong, exchanged with the next, or left out.
func oneSlip(a, b string) bool {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	a, b = a[i:], b[i:]
	switch {
	case len(a) == len(b) && len(a) > 1 && a[0] == b[1] && a[1] == b[0] && a[2:] == b[2:]:
		return true
	case len(a) == len(b) && a != "":
		return a[1:] == b[1:]
	}
	return len(b) > 0 && a == b[1:]
}
