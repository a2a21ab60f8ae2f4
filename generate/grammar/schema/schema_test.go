package schema

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/generate/grammar/shape"
)

// TestRefused checks that what cannot be enforced is refused at its place, and that
// a lenient reading passes over it and says so.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ schema, location, message string }{
		{`{"properties":{"a~/b":{"format":"idn-hostname"}}}`, "/properties/a~0~1b/format", "idn-hostname"},
		{`{"pattern":"(a)\\1"}`, "/pattern", "pattern"},
		{`{"items":{"type":"strin"}}`, "/items/type", `"strin" is no type`},
		{`{"properties":{"a":{"$ref":"other.json#/x"}}}`, "/properties/a/$ref", "other.json"},
		{`{"$ref":"#/nowhere"}`, "/$ref", "leads nowhere"},
		{`{"$ref":"#/x","x":3}`, "/$ref", "not a schema"},
		{`{"allOf":[{"not":{"uniqueItems":true}}]}`, "/allOf/0/not/uniqueItems", "equal items"},
		{`{"not":{"additionalProperties":false}}`, "/not", "member of an unknown name"},
		{`{"not":{"unevaluatedProperties":false}}`, "/not/unevaluatedProperties", "cannot be written"},
		{`{"required":true}`, "/required", "not a list"},
		{`{"minLength":-1}`, "/minLength", "whole number"},
		{`{"multipleOf":0}`, "/multipleOf", "not above 0"},
		{`{"anyOf":[]}`, "/anyOf", "empty list"},
		{`{"properties":{"a":3}}`, "/properties/a", "where a schema belongs"},
		{`{"$schema":"http://json-schema.org/draft-03/schema#"}`, "/$schema", "not known"},
	} {
		_, err := Compile([]byte(c.schema), Options{})
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: error %v, want an *Error", c.schema, err)
			continue
		}
		if e.Location() != c.location || !strings.Contains(e.Error(), c.message) {
			t.Errorf("%s: %v at %q, want %q at %q", c.schema, e, e.Location(), c.message, c.location)
		}
		s, err := Compile([]byte(c.schema), Options{Lenient: true})
		if err != nil {
			t.Errorf("%s, lenient: %v", c.schema, err)
		} else if len(s.Notes) == 0 {
			t.Errorf("%s, lenient: nothing is said about what was passed over", c.schema)
		}
	}
}

// TestText checks schemas that are none: errors without panic.
func TestText(t *testing.T) {
	for _, src := range []string{``, `{`, `[]`, `3`, `"x"`, `null`, `{"a":1}{}`, `{"a":1,"a":2}`, "\xff", `{"const":1e9999999}`, `{"$id":"%zz","$ref":"a"}`,
		strings.Repeat(`{"not":`, 2000), `{"a":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`} {
		if s, err := Compile([]byte(src), Options{}); err == nil {
			t.Errorf("%.40q: compiled to %v", src, s)
		}
	}
}

// TestEmpty checks that contradictions are found, and what is said about them.
func TestEmpty(t *testing.T) {
	for _, c := range []struct{ schema, message string }{
		{`false`, "it is false"},
		{`{"not":{}}`, "not leaves none"},
		{`{"type":"string","minLength":3,"maxLength":2}`, "maxLength"},
		{`{"type":"integer","minimum":1,"maximum":0}`, "minimum 1 is above maximum 0"},
		{`{"type":"integer","exclusiveMinimum":1,"exclusiveMaximum":2}`, "exclusiveMaximum"},
		{`{"type":"object","required":["a"],"properties":{"a":false}}`, "properties"},
		{`{"allOf":[{"type":"string"},{"type":"number"}]}`, "allOf"},
		{`{"enum":["a","b"],"pattern":"c"}`, "pattern leaves nothing of what enum"},
		{`{"type":"string","pattern":"^a+$","not":{"pattern":"a"}}`, "not leaves nothing"},
		{`{"type":"object","required":["a"],"properties":{"a":{"$ref":"#"}}}`, "without end"},
		{`{"type":"array","minItems":2,"items":{"$ref":"#"}}`, "without end"},
		{`{"oneOf":[{"type":"object"},{"type":"object"}]}`, "oneOf"},
	} {
		_, err := Compile([]byte(c.schema), Options{})
		if !errors.Is(err, ErrEmpty) {
			t.Errorf("%s: %v, want ErrEmpty", c.schema, err)
		} else if !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: %v does not say %q", c.schema, err, c.message)
		}
	}
}

// TestCircles checks schemas that lead back to themselves: refused where nothing of the
// value is read on the way, compiled where something is.
func TestCircles(t *testing.T) {
	for _, src := range []string{
		`{"$ref":"#"}`,
		`{"allOf":[{"$ref":"#"}]}`,
		`{"anyOf":[{"type":"null"},{"$ref":"#"}]}`,
		`{"not":{"$ref":"#"}}`,
		`{"if":{"$ref":"#"},"then":false}`,
		`{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"}`,
		`{"$defs":{"a":{"oneOf":[{"$ref":"#/$defs/b"},true]},"b":{"allOf":[{"type":"null"},{"$ref":"#/$defs/a"}]}},"$ref":"#/$defs/a"}`,
	} {
		if _, err := Compile([]byte(src), Options{}); err == nil || !strings.Contains(err.Error(), "leads back to itself") {
			t.Errorf("%s: %v, want a circle", src, err)
		}
	}
	for _, c := range []struct{ schema, good, bad string }{
		{`{"properties":{"a":{"$ref":"#"}},"additionalProperties":false}`, `{"a": {"a": {}}}`, `{"a": {"b": 1}}`},
		{`{"$defs":{"n":{"type":"integer"}},"allOf":[{"$ref":"#/$defs/n"}],"anyOf":[{"$ref":"#/$defs/n"},{"type":"string"}]}`, `1`, `"a"`},
		{`{"oneOf":[{"type":"null"},{"type":"object","required":["next","v"],"properties":{"next":{"$ref":"#"},"v":{"type":"integer"}}}]}`,
			`{"next": {"next": null, "v": 2}, "v": 1}`, `{"next": {"next": 3, "v": 2}, "v": 1}`},
		{`{"type":"array","items":{"oneOf":[{"$ref":"#"},{"type":"array","contains":{"type":"integer"}}]}}`, `[[], [[]], [1]]`, `[1]`},
	} {
		j := compileJudge([]byte(c.schema), Options{})
		if j.err != nil {
			t.Errorf("%s: %v", c.schema, j.err)
			continue
		}
		if !j.accepts([]byte(c.good)) {
			t.Errorf("%s refuses %s", c.schema, c.good)
		}
		if j.accepts([]byte(c.bad)) {
			t.Errorf("%s accepts %s", c.schema, c.bad)
		}
	}
}

// bounded runs a compilation that has to end soon.
func bounded(t *testing.T, name, src string) error {
	start := time.Now()
	_, err := Compile([]byte(src), Options{})
	if d := time.Since(start); d > 20*time.Second { // a second on an idle machine
		t.Errorf("%s: compiling took %v", name, d)
	}
	return err
}

// TestLimits checks that schemas which multiply end in ErrTooLarge, and soon.
func TestLimits(t *testing.T) {
	branch := func(i int) string {
		return fmt.Sprintf(`{"anyOf":[{"required":["a%d"]},{"required":["b%d"]},{"required":["c%d"]}]}`, i, i, i)
	}
	var all, one []string
	for i := range 20 {
		all = append(all, branch(i))
		one = append(one, fmt.Sprintf(`{"properties":{"a%d":{"type":"string"},"b%d":{"type":"string"},"c":{"minimum":%d}}}`, i, i, i))
	}
	var patterns []string
	for i := range 12 {
		patterns = append(patterns, fmt.Sprintf(`{"anyOf":[{"pattern":"a%d"},{"pattern":"b%d"}]}`, i, i))
	}
	doubling := `"d0":{"type":"object"}`
	for i := 1; i < 40; i++ {
		doubling += fmt.Sprintf(`,"d%d":{"anyOf":[{"properties":{"a%d":{"$ref":"#/$defs/d%d"}},"required":["x%d"]},{"properties":{"b%d":{"$ref":"#/$defs/d%d"}},"required":["y%d"]}],"allOf":[{"$ref":"#/$defs/d%d"}]}`, i, i, i-1, i, i, i-1, i, i-1)
	}
	for name, src := range map[string]string{
		"products":   `{"type":"object","allOf":[` + strings.Join(all, ",") + `]}`,
		"oneOf":      `{"type":"object","oneOf":[` + strings.Join(one, ",") + `]}`,
		"doubling":   `{"$ref":"#/$defs/d39","$defs":{` + doubling + `}}`,
		"patterns":   `{"type":"string","allOf":[` + strings.Join(patterns, ",") + `]}`,
		"deep const": `{"const":` + strings.Repeat(`[`, 999) + strings.Repeat(`]`, 999) + `}`,
	} {
		err := bounded(t, name, src)
		if name != "deep const" && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v, want ErrTooLarge", name, err)
		}
	}
	if _, err := Compile(make([]byte, maxSource+1), Options{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a schema beyond the limit: %v", err)
	}
	var names []string
	for i := range maxMembers + 1 {
		names = append(names, fmt.Sprintf(`"n%d"`, i))
	}
	for _, c := range []struct{ schema, message string }{
		{`{"properties":{"a":{"type":"string","minLength":200000}}}`, "schema #/properties/a: a string has at least 200000 characters: the limit is 131072"},
		{`{"type":"string","pattern":"^(c{1000}){1000}$"}`, "the shortest string has 1000000 bytes"},
		{`{"type":"array","minItems":1000000}`, "an array has at least 1000000 items"},
		{`{"type":"array","minItems":1000,"items":{"type":"array","minItems":1000}}`, "the shortest text has"},
		{`{"type":"object","minProperties":5000}`, "an object has at least 5000 members"},
		{`{"type":"object","required":[` + strings.Join(names, ",") + `]}`, "an object has at least 2001 members"},
	} {
		if err := bounded(t, c.message, c.schema); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%.60s: %v, want %q", c.schema, err, c.message)
		}
	}
	// A list of words too long for one language is neither a contradiction nor, below
	// not, a list of no words.
	var words []string
	for i := range 60_000 {
		words = append(words, fmt.Sprintf(`"word %d"`, i))
	}
	list := `{"enum":[` + strings.Join(words, ",") + `]}`
	for _, src := range []string{list, `{"anyOf":[{"type":"null"},` + list + `]}`, `{"properties":{"a":{"type":"string","not":` + list + `}}}`} {
		var e *Error
		if err := bounded(t, "words", src); !errors.As(err, &e) || !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "a list of 60000 words: too many states") {
			t.Errorf("%.60s: %v, want ErrTooLarge", src, err)
		}
	}
}

// TestLarge checks that large bounds and lists are no trouble.
func TestLarge(t *testing.T) {
	var words, kinds []string
	for i := range 500 {
		words = append(words, fmt.Sprintf(`"word %d"`, i))
		kinds = append(kinds, fmt.Sprintf(`{"type":"object","properties":{"name":{"const":"tool%d"},"x%d":{"type":"integer"}},"required":["name"],"additionalProperties":false}`, i, i))
	}
	for _, c := range []struct{ schema, good, bad string }{
		{`{"type":"string","maxLength":65536}`, `"` + strings.Repeat("x", 65536) + `"`, `"` + strings.Repeat("x", 65537) + `"`},
		{`{"enum":[` + strings.Join(words, ",") + `]}`, `"word 499"`, `"word 500"`},
		{`{"oneOf":[` + strings.Join(kinds[:60], ",") + `]}`, `{"x7": 3, "name": "tool7"}`, `{"x8": 3, "name": "tool7"}`},
		{`{"anyOf":[` + strings.Join(kinds, ",") + `]}`, `{"x7": 3, "name": "tool7"}`, `{"x8": 3, "name": "tool7"}`},
		{`{"type":"array","maxItems":100000,"items":{"type":"integer","maximum":1e30}}`, `[` + strings.Repeat("1, ", 5000) + `1]`, `[1e31]`},
		{`{"type":"array","maxItems":1e18}`, `[]`, `{}`},
	} {
		j := compileJudge([]byte(c.schema), Options{})
		if j.err != nil {
			t.Errorf("%.60s: %v", c.schema, j.err)
			continue
		}
		if !j.accepts([]byte(c.good)) {
			t.Errorf("%.60s refuses %.60s", c.schema, c.good)
		}
		if j.accepts([]byte(c.bad)) {
			t.Errorf("%.60s accepts %.60s", c.schema, c.bad)
		}
	}
}

// TestDrafts checks what the drafts disagree on.
func TestDrafts(t *testing.T) {
	const siblings = `{"definitions":{"a":{"type":"integer"}},"properties":{"x":{"$ref":"#/definitions/a","maximum":3}}}`
	for _, c := range []struct {
		schema string
		draft  Draft
		text   string
		want   bool
	}{
		{siblings, DraftDefault, `{"x": 4}`, false},
		{siblings, Draft7, `{"x": 4}`, true},
		{`{"minimum":3,"exclusiveMinimum":true}`, Draft4, `3`, false},
		{`{"minimum":3,"exclusiveMinimum":true}`, DraftDefault, `3`, false},
		{`{"exclusiveMinimum":3}`, Draft6, `3`, false},
		{`{"items":[{"type":"null"}],"additionalItems":false}`, Draft7, `[null, 1]`, false},
		{`{"items":[{"type":"null"}],"additionalItems":false}`, DraftDefault, `[null, 1]`, false},
		{`{"dependencies":{"a":["b"]}}`, DraftDefault, `{"a": 1}`, false},
		{`{"type":"integer"}`, Draft4, `1.0`, false},
		{`{"type":"integer"}`, Draft6, `1.0`, true},
		{`{"const":1}`, Draft4, `2`, true},
		{`{"if":{"type":"null"},"then":false}`, Draft6, `null`, true},
		{`{"if":{"type":"null"},"then":false}`, Draft7, `null`, false},
		{`{"$id":"http://x/","$recursiveAnchor":true,"properties":{"a":{"$recursiveRef":"#"}},"additionalProperties":false}`, Draft2019, `{"a": {"b": 1}}`, false},
		{`{"contains":{"type":"null"},"minContains":0}`, DraftDefault, `[]`, true},
		{`{"id":"http://x/","definitions":{"a":{"id":"b","type":"null"}},"allOf":[{"$ref":"b"}]}`, Draft4, `null`, true},
	} {
		j := compileJudge([]byte(c.schema), Options{Draft: c.draft})
		if j.err != nil {
			t.Errorf("%s in %v: %v", c.schema, c.draft, j.err)
		} else if got := j.accepts([]byte(c.text)); got != c.want {
			t.Errorf("%s in %v accepts %s: %v, want %v", c.schema, c.draft, c.text, got, c.want)
		}
	}
}

func TestNotes(t *testing.T) {
	s, err := Compile([]byte(`{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","properties":{"a":{"const":1,"nullable":true,"x-note":1},"b":{"format":"colour"}}}`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Notes) != 3 || s.Notes[0].Pointer != "/properties/a" || s.Notes[0].Keyword != "const" || s.Notes[1].Keyword != "nullable" || s.Notes[2].Pointer != "/properties/b" || s.Notes[2].Keyword != "format" {
		t.Errorf("notes %v, want const and nullable of /properties/a, format of /properties/b", s.Notes)
	}
}

func TestKeywords(t *testing.T) {
	for i, k := range Keywords() {
		if i > 0 && k.Name <= Keywords()[i-1].Name {
			t.Errorf("%s is out of order", k.Name)
		}
		if k.Since > k.Until || k.How == "" {
			t.Errorf("%+v", k)
		}
	}
}

func ExampleCompile() {
	s, err := Compile([]byte(`{"type":"object","properties":{"n":{"type":"integer","minimum":7}},"required":["n"]}`), Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := s.Machine(shape.Format{})
	fmt.Println(string(m.Shortest()), err)
	_, err = Compile([]byte(`{"properties":{"host":{"format":"idn-hostname"}}}`), Options{})
	fmt.Println(err)
	// Output:
	// {"n":7} <nil>
	// schema #/properties/host/format: the strings of format idn-hostname cannot be told one character at a time; use hostname, or a pattern
}
