package schema

import (
	"fmt"
	"math/big"
	"slices"
)

// Types of JSON values, as bits.
const (
	tNull = 1 << iota
	tBoolean
	tNumber
	tString
	tArray
	tObject
	tInteger
	allTypes = tNull | tBoolean | tNumber | tString | tArray | tObject
)

var typeNames = map[string]int{
	"null": tNull, "boolean": tBoolean, "number": tNumber, "string": tString, "array": tArray, "object": tObject, "integer": tInteger,
}

// A node is a schema with its keywords read and checked.
type node struct {
	v      *value
	draft  Draft
	types  int
	enum   []*value // const and enum; nil: none
	number *number
	text   *text
	refs   []reference
	all    []*value
	any    []*value
	one    []*value
	not    *value
	test   [3]*value // if, then, else
	object members
	array  items

	unevaluatedProperties, unevaluatedItems *value
}

type reference struct{ keyword, to string }

// members are the keywords for objects.
type members struct {
	asked             bool // there is one of them
	names             []string
	schemas           []*value
	patterns          []string
	patternSchemas    []*value
	rest              *value
	propertyNames     *value
	required          []string
	min, max          int
	needs             [][2]string
	dependents        []string
	dependentsSchemas []*value
}

// items are the keywords for arrays.
type items struct {
	asked            bool
	prefix           []*value
	rest             *value
	contains         *value
	minCount         int
	maxCount         int
	min, max         int
	unique           bool
	tuple, additions *value // items as a list, additionalItems: before 2020-12
}

// node reads a schema once.
func (c *compiler) node(v *value) *node {
	if n := c.nodes[v]; n != nil {
		return n
	}
	n := &node{v: v, types: allTypes, draft: c.library.resourceOf(v).draft}
	n.object.max, n.array.max, n.array.minCount, n.array.maxCount = -1, -1, 1, -1
	c.nodes[v] = n
	if ref := v.get("$ref"); ref != nil && n.draft != DraftDefault && n.draft <= Draft7 {
		c.keyword(n, "$ref", ref)
		return n
	}
	for i, key := range v.keys {
		if k := keywordByName[key]; k != nil && n.draft.has(k) {
			c.keyword(n, key, v.vals[i])
		} else {
			c.stranger(n, key, k)
		}
	}
	c.finishItems(n)
	return n
}

// stranger notes what is no keyword here but looks like one.
func (c *compiler) stranger(n *node, key string, k *Keyword) {
	switch {
	case k != nil && k.How != "annotation" && k.How != "structure" && n.v.get(key) != nil:
		c.notes.add(n.v, key, fmt.Sprintf("%s is no keyword of %s: an annotation", key, n.draft))
	case key == "nullable" && n.v.get(key).kind == 't':
		c.notes.add(n.v, key, "nullable is no keyword of JSON Schema: an annotation; say type: [..., \"null\"]")
	case k == nil && keywordMeant(key) != "":
		c.notes.add(n.v, key, fmt.Sprintf("%.60q is no keyword, so it has no effect; is %s meant?", key, keywordMeant(key)))
	}
}

// keyword reads one keyword. A value that the draft does not allow is an error.
func (c *compiler) keyword(n *node, key string, v *value) {
	switch key {
	case "$ref", "$dynamicRef", "$recursiveRef":
		if c.want(n, key, v, '"') {
			n.refs = append(n.refs, reference{key, v.text})
		}
	case "type":
		n.types = c.readTypes(n, v)
	case "enum":
		if c.want(n, key, v, '[') {
			n.enum = c.meet(n.enum, v.vals)
		}
	case "const":
		n.enum = c.meet(n.enum, []*value{v})
	case "allOf":
		n.all = c.list(n, key, v)
	case "anyOf":
		n.any = c.list(n, key, v)
	case "oneOf":
		n.one = c.list(n, key, v)
	case "not":
		n.not = c.schema(n, key, v)
	case "if":
		n.test[0] = c.schema(n, key, v)
	case "then":
		n.test[1] = c.schema(n, key, v)
	case "else":
		n.test[2] = c.schema(n, key, v)
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
		c.numberKeyword(n, key, v)
	case "minLength", "maxLength", "pattern", "format":
		c.textKeyword(n, key, v)
	default:
		if !c.objectKeyword(n, key, v) {
			c.arrayKeyword(n, key, v)
		}
	}
}

// meet is what two lists of values have in common; nil is no list.
func (c *compiler) meet(have, more []*value) []*value {
	out := make([]*value, 0, len(more))
	for _, v := range more {
		if have == nil || slices.ContainsFunc(have, func(w *value) bool { return equal(v, w) }) {
			out = append(out, v)
		}
	}
	return out
}

func (c *compiler) readTypes(n *node, v *value) int {
	list := []*value{v}
	if v.kind == '[' {
		list = v.vals
	}
	types := 0
	for _, w := range list {
		t := 0
		if w.kind == '"' {
			t = typeNames[w.text]
		}
		if t == 0 {
			c.refuse(n.v, "type", fmt.Sprintf("%s is no type", w.brief()), typeRemedy(w))
		}
		types |= t
	}
	if types&tNumber != 0 {
		types &^= tInteger
	}
	if types&tInteger != 0 {
		types |= tNumber
	}
	return types
}

func (c *compiler) numberKeyword(n *node, key string, v *value) {
	if n.number == nil {
		n.number = &number{}
	}
	if (v.kind == 't' || v.kind == 'f') && n.draft.until(Draft4) && (key == "exclusiveMinimum" || key == "exclusiveMaximum") {
		// Draft 4: a flag of minimum and maximum, in whichever order they come.
		if bound := n.v.get("m" + key[len("exclusiveM"):]); bound != nil && bound.kind == '0' && v.kind == 't' {
			if key == "exclusiveMinimum" {
				n.number.raise(bound.rat(), true)
			} else {
				n.number.lower(bound.rat(), true)
			}
		} else if v.kind == 't' {
			c.notes.add(n.v, key, "it is a flag of m"+key[len("exclusiveM"):]+", which is not here: no effect; since draft 6 it is the bound itself")
		}
		return
	}
	if !c.want(n, key, v, '0') {
		return
	}
	x := v.rat()
	switch key {
	case "minimum":
		n.number.raise(x, false)
	case "maximum":
		n.number.lower(x, false)
	case "exclusiveMinimum":
		n.number.raise(x, true)
	case "exclusiveMaximum":
		n.number.lower(x, true)
	case "multipleOf":
		if x.Sign() <= 0 {
			c.refuse(n.v, key, fmt.Sprintf("%s is not above 0", v.text), "write the step, as 0.01 for two decimal places")
			return
		}
		n.number.step = x
	}
}

func (c *compiler) textKeyword(n *node, key string, v *value) {
	if n.text == nil {
		n.text = &text{max: -1}
	}
	switch key {
	case "minLength":
		n.text.min = c.count(n, key, v)
	case "maxLength":
		n.text.max = c.count(n, key, v)
	case "pattern":
		if c.want(n, key, v, '"') {
			n.text.lang = c.lang.and(n.text.lang, c.pattern(n.v, key, v.text))
		}
	case "format":
		if c.want(n, key, v, '"') {
			n.text.lang = c.lang.and(n.text.lang, c.format(n.v, v.text))
		}
	}
}

// objectKeyword reads a keyword for objects and says whether it is one.
func (c *compiler) objectKeyword(n *node, key string, v *value) bool {
	o := &n.object
	switch key {
	case "properties":
		if c.want(n, key, v, '{') {
			o.names, o.schemas = v.keys, c.schemas(n, key, v)
		}
	case "patternProperties":
		if c.want(n, key, v, '{') {
			o.patterns, o.patternSchemas = v.keys, c.schemas(n, key, v)
		}
	case "additionalProperties":
		o.rest = c.schema(n, key, v)
	case "propertyNames":
		o.propertyNames = c.schema(n, key, v)
	case "required":
		if v.kind == 't' || v.kind == 'f' {
			c.refuse(n.v, key, "required is not a list of names", "list the names in required of the object (draft 3 put a flag into each property)")
		}
		o.required = c.names(n, key, v)
	case "minProperties":
		o.min = c.count(n, key, v)
	case "maxProperties":
		o.max = c.count(n, key, v)
	case "dependentRequired", "dependentSchemas", "dependencies":
		if !c.want(n, key, v, '{') {
			return true
		}
		for i, name := range v.keys {
			w := v.vals[i]
			if key == "dependentRequired" || key == "dependencies" && (w.kind == '[' || w.kind == '"') {
				if w.kind == '"' { // draft 3's spelling of one name
					w = &value{kind: '[', vals: []*value{w}, up: v, doc: v.doc}
				}
				for _, then := range c.names(n, key, w) {
					if then != name {
						o.needs = append(o.needs, [2]string{name, then})
					}
				}
			} else if s := c.schema(n, key, w); s != nil {
				o.dependents, o.dependentsSchemas = append(o.dependents, name), append(o.dependentsSchemas, s)
			}
		}
	case "unevaluatedProperties":
		n.unevaluatedProperties = c.schema(n, key, v)
		return true
	default:
		return false
	}
	o.asked = true
	return true
}

func (c *compiler) arrayKeyword(n *node, key string, v *value) {
	a := &n.array
	switch key {
	case "prefixItems":
		a.prefix = c.list(n, key, v)
	case "items":
		if v.kind == '[' && n.draft.until(Draft2019) {
			a.tuple = v
		} else {
			a.rest = c.schema(n, key, v)
		}
	case "additionalItems":
		a.additions = c.schema(n, key, v)
	case "contains":
		a.contains = c.schema(n, key, v)
	case "minContains":
		a.minCount = c.count(n, key, v)
	case "maxContains":
		a.maxCount = c.count(n, key, v)
	case "minItems":
		a.min = c.count(n, key, v)
	case "maxItems":
		a.max = c.count(n, key, v)
	case "uniqueItems":
		if v.kind != 't' && v.kind != 'f' {
			c.refuse(n.v, key, fmt.Sprintf("uniqueItems is %s, not true or false", v.brief()), "write true, without quotation marks")
		}
		a.unique = v.kind == 't'
	case "unevaluatedItems":
		n.unevaluatedItems = c.schema(n, key, v)
		return
	default:
		return
	}
	a.asked = true
}

// finishItems reads items as a list, with additionalItems behind it.
func (c *compiler) finishItems(n *node) {
	a := &n.array
	if a.tuple != nil {
		a.prefix = slices.Concat(a.prefix, c.schemas(n, "items", a.tuple))
		a.rest = a.additions
	}
}

// want checks the kind of a keyword's value.
func (c *compiler) want(n *node, key string, v *value, k kind) bool {
	if v.kind == k {
		return true
	}
	c.refuse(n.v, key, fmt.Sprintf("%s is %s, not %s", key, kindName(v.kind), kindName(k)), kindRemedy(key, v, k))
	return false
}

// schema checks that a keyword's value is a schema; nil if it is none.
func (c *compiler) schema(n *node, key string, v *value) *value {
	if v.kind == '{' || v.kind == 't' || v.kind == 'f' {
		return v
	}
	message, remedy := v.brief()+" where a schema belongs", schemaRemedy(key, v)
	if v.up == n.v {
		c.refuse(n.v, key, message, remedy)
	} else {
		c.refuse(v, "", message, remedy)
	}
	return nil
}

// schemas checks all values of a list or map of schemas. Where one that is none is
// passed over, it counts as true.
func (c *compiler) schemas(n *node, key string, v *value) []*value {
	out := v.vals
	for i, w := range v.vals {
		if c.schema(n, key, w) == nil {
			out = slices.Clone(out)
			out[i] = &value{kind: 't', up: v, doc: v.doc}
		}
	}
	return out
}

func (c *compiler) list(n *node, key string, v *value) []*value {
	if !c.want(n, key, v, '[') {
		return nil
	}
	if len(v.vals) == 0 {
		c.refuse(n.v, key, key+" is an empty list", "list a schema or more, or leave "+key+" away")
		return nil
	}
	return c.schemas(n, key, v)
}

// names reads a list of names.
func (c *compiler) names(n *node, key string, v *value) []string {
	if !c.want(n, key, v, '[') {
		return nil
	}
	var out []string
	for _, w := range v.vals {
		if w.kind != '"' {
			c.refuse(n.v, key, fmt.Sprintf("%s lists %s, which is no name", key, w.brief()), "names are strings")
			return nil
		}
		if !slices.Contains(out, w.text) {
			out = append(out, w.text)
		}
	}
	return out
}

// unbounded stands for counts that no text reaches.
const unbounded = 1 << 40

// count reads a whole number of 0 or more.
func (c *compiler) count(n *node, key string, v *value) int {
	if !c.want(n, key, v, '0') {
		return 0
	}
	x := v.rat()
	if !x.IsInt() || x.Sign() < 0 {
		c.refuse(n.v, key, fmt.Sprintf("%s is no whole number of 0 or more", v.text), "it counts characters, items or members")
		return 0
	}
	if x.Cmp(big.NewRat(unbounded, 1)) > 0 {
		return unbounded
	}
	return int(x.Num().Int64())
}

var kindNames = map[kind]string{'n': "null", 't': "true", 'f': "false", '0': "a number", '"': "a string", '[': "a list", '{': "an object"}

func kindName(k kind) string { return kindNames[k] }

// brief is a value in a few characters, for errors.
func (v *value) brief() string {
	switch v.kind {
	case '"':
		return fmt.Sprintf("%.60q", v.text)
	case '0':
		return fmt.Sprintf("%.30s", v.text)
	}
	return kindName(v.kind)
}
