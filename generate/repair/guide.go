package repair

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// trials limits how many branches of anyOf and oneOf are tried on one text.
const trials = 1000

// guide finds the edits that make valid JSON fit a schema: types that were
// written as text, keys and enum values in another case, defaults of required
// properties. What does not fit then is ErrSchema.
func guide(text string, s *jsonschema.Schema) ([]edit, error) {
	if fitsSchema(text, s) == nil {
		return nil, nil
	}
	r := reader{in: text}
	g := guided{in: text, left: trials}
	g.value(r.value(), s, 0)
	edits := ordered(g.edits)
	if err := fitsSchema(apply(text, edits), s); err != nil {
		return nil, err
	}
	return edits, nil
}

// fitsSchema validates a text of valid JSON.
func fitsSchema(text string, s *jsonschema.Schema) error {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err == nil {
		err = s.Validate(v)
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrSchema, reasons(err))
}

// reasons is what a validator says, on one line without the first, which names a file
// that is none.
func reasons(err error) string {
	const most = 5
	_, said, more := strings.Cut(err.Error(), "\n")
	if !more {
		return err.Error()
	}
	lines := strings.Split(said, "\n")
	if len(lines) > most {
		lines = append(lines[:most:most], "...")
	}
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimSpace(l), "- ")
	}
	return strings.Join(lines, "; ")
}

// guided walks a value along its schema.
type guided struct {
	in    string
	edits []edit
	left  int // trials
}

func (g *guided) replace(kind Kind, n node, after string) {
	g.edits = append(g.edits, edit{start: n.start, end: n.end, after: after, kind: kind})
}

// value notes the edits of one value. depth counts references, which may form
// a ring.
func (g *guided) value(n node, s *jsonschema.Schema, depth int) {
	if s == nil || depth > 64 {
		return
	}
	g.value(n, s.Ref, depth+1)
	if s.DynamicRef != nil {
		g.value(n, s.DynamicRef.Ref, depth+1)
	}
	for _, sub := range s.AllOf {
		g.value(n, sub, depth+1)
	}
	g.branch(n, s.AnyOf, depth)
	g.branch(n, s.OneOf, depth)
	if s.Types != nil && !typed(n, s.Types.ToStrings()) {
		g.retype(n, s, depth)
		return
	}
	if n.kind == "string" || n.kind == "integer" || n.kind == "number" {
		g.enum(n, s)
	}
	switch n.kind {
	case "object":
		g.object(n, s, depth)
	case "array":
		for i, item := range n.items {
			g.value(item, itemSchema(s, i), depth)
		}
	}
}

// typed tells whether a value is of one of the types.
func typed(n node, types []string) bool {
	return slices.Contains(types, n.kind) || n.kind == "integer" && slices.Contains(types, "number")
}

// branch takes the only branch that the value can be brought to fit.
func (g *guided) branch(n node, branches []*jsonschema.Schema, depth int) {
	var found []edit
	var text string
	for _, s := range branches {
		if g.left--; g.left < 0 {
			return
		}
		trial := guided{in: g.in, left: g.left}
		trial.value(n, s, depth+1)
		g.left = trial.left
		edits := ordered(trial.edits)
		after := part(g.in, n, edits)
		if !json.Valid([]byte(after)) || fitsSchema(after, s) != nil {
			continue
		}
		switch {
		case len(edits) == 0:
			return // it fits as it is
		case found != nil && after != text:
			return // two readings
		}
		found, text = edits, after
	}
	g.edits = append(g.edits, found...)
}

// part is the text of a node after edits.
func part(in string, n node, edits []edit) string {
	moved := slices.Clone(edits)
	for i := range moved {
		moved[i].start -= n.start
		moved[i].end -= n.start
	}
	return apply(in[n.start:n.end], moved)
}

// retype writes a value as the type that the schema asks for, where there is
// one way to do so.
func (g *guided) retype(n node, s *jsonschema.Schema, depth int) {
	raw := g.in[n.start:n.end]
	for _, want := range s.Types.ToStrings() {
		if after, ok := converted(n, raw, want); ok {
			g.replace(Type, n, after)
			return
		}
		switch {
		case want == "array" && n.kind != "array" && n.kind != "null" && itemFits(n, s):
			g.edits = append(g.edits, edit{start: n.start, end: n.start, after: "[", kind: Type})
			g.value(n, itemSchema(s, 0), depth)
			g.edits = append(g.edits, edit{start: n.end, end: n.end, after: "]", kind: Type})
			return
		case n.kind == "array" && len(n.items) == 1 && n.items[0].kind == want:
			g.replace(Type, n, g.in[n.items[0].start:n.items[0].end])
			return
		}
	}
}

// itemFits tells whether a value may stand in an array of the schema.
func itemFits(n node, s *jsonschema.Schema) bool {
	item := itemSchema(s, 0)
	return item != nil && item.Types != nil && typed(n, item.Types.ToStrings())
}

// converted is a value written as another type.
func converted(n node, raw, want string) (string, bool) {
	word := strings.TrimSpace(n.text)
	switch {
	case n.kind == "string" && (want == "integer" || want == "number"):
		if !jsonNumber.MatchString(word) {
			sign := ""
			if strings.HasPrefix(word, "-") {
				sign = "-"
			}
			digits := strings.TrimLeft(strings.TrimLeft(word, "+-"), "0")
			if digits == "" || !isDigit(digits[0]) {
				digits = "0" + digits
			}
			if word == "" || len(word) > 400 || !strings.ContainsAny(word, "0123456789") {
				return "", false
			}
			word = fixNumber(sign+digits, false)
		}
		return word, word != "" && (want == "number" || whole(word))
	case n.kind == "string" && want == "boolean":
		word = strings.ToLower(word)
		return word, word == "true" || word == "false"
	case n.kind == "string" && want == "null":
		return "null", literals[strings.ToLower(word)] == "null"
	case n.kind == "string" && (want == "object" || want == "array"):
		open := map[string]string{"object": "{", "array": "["}[want]
		return word, strings.HasPrefix(word, open) && valid(word)
	case (n.kind == "integer" || n.kind == "number") && want == "string":
		return `"` + raw + `"`, true
	}
	return "", false
}

// enum takes the only value of the enumeration (or the constant) that differs
// by case, spaces, hyphens and underscores only, or by quotes around a number.
func (g *guided) enum(n node, s *jsonschema.Schema) {
	var values []any
	if s.Enum != nil {
		values = s.Enum.Values
	}
	if s.Const != nil {
		values = append(slices.Clone(values), *s.Const)
	}
	raw := g.in[n.start:n.end]
	text := raw
	if n.kind == "string" {
		text = n.text
	}
	match, count := "", 0
	for _, v := range values {
		b, err := json.Marshal(v)
		if err != nil {
			return
		}
		if string(b) == raw {
			return
		}
		name := string(b)
		if str, ok := v.(string); ok {
			if n.kind == "string" && str == text {
				return
			}
			name = str
		}
		if folded(name) == folded(text) {
			match = string(b)
			count++
		}
	}
	if count == 1 {
		g.replace(EnumCase, n, match)
	}
}

// folded leaves out what an enumeration's value may differ by.
func folded(s string) string {
	return strings.NewReplacer(" ", "", "_", "", "-", "").Replace(strings.ToLower(s))
}

// object renames keys, walks the members, and adds required defaults.
func (g *guided) object(n node, s *jsonschema.Schema, depth int) {
	has := map[string]bool{}
	for _, m := range n.members {
		has[m.key] = true
	}
	for _, m := range n.members {
		key := m.key
		if sub := memberSchema(s, key); sub == nil && len(s.Properties) > 0 {
			if name := sameButCase(s, key, has); name != "" {
				b, _ := json.Marshal(name)
				g.edits = append(g.edits, edit{start: m.keyStart, end: m.keyEnd, after: string(b), kind: KeyName})
				has[name] = true
				key = name
			}
		}
		g.value(m.value, memberSchema(s, key), depth)
	}
	comma := ""
	if len(n.members) > 0 {
		comma = ","
	}
	for _, name := range s.Required {
		sub := s.Properties[name]
		if has[name] || sub == nil || sub.Default == nil {
			continue
		}
		k, _ := json.Marshal(name)
		v, err := json.Marshal(*sub.Default)
		if err != nil {
			continue
		}
		at := n.end - 1
		if len(n.members) > 0 {
			at = n.members[len(n.members)-1].value.end
		}
		g.edits = append(g.edits, edit{start: at, end: at, after: comma + string(k) + ":" + string(v), kind: Default})
		has[name] = true
		comma = ","
	}
}

// sameButCase is the only property whose name differs from key by case and
// that the object does not have.
func sameButCase(s *jsonschema.Schema, key string, has map[string]bool) string {
	found := ""
	for name := range s.Properties {
		if strings.EqualFold(name, key) && !has[name] {
			if found != "" {
				return ""
			}
			found = name
		}
	}
	return found
}

// memberSchema is the schema of the property key, nil if it has none.
func memberSchema(s *jsonschema.Schema, key string) *jsonschema.Schema {
	if sub := s.Properties[key]; sub != nil {
		return sub
	}
	for pattern, sub := range s.PatternProperties {
		if pattern.MatchString(key) {
			return sub
		}
	}
	if sub, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		return sub
	}
	return nil
}

// itemSchema is the schema of item i of an array, nil if it has none.
func itemSchema(s *jsonschema.Schema, i int) *jsonschema.Schema {
	if i < len(s.PrefixItems) {
		return s.PrefixItems[i]
	}
	switch items := s.Items.(type) {
	case *jsonschema.Schema:
		return items
	case []*jsonschema.Schema:
		if i < len(items) {
			return items[i]
		}
		more, _ := s.AdditionalItems.(*jsonschema.Schema)
		return more
	}
	return s.Items2020
}
