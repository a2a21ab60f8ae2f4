package repair

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

const person = `{
	"type": "object",
	"properties": {
		"name": {"type": "string"},
		"age": {"type": "integer"},
		"weight": {"type": ["number", "null"]},
		"adult": {"type": "boolean"},
		"tags": {"type": "array", "items": {"type": "string"}},
		"size": {"enum": ["small", "extra large", 3]},
		"unit": {"type": "string", "default": "kg"},
		"boss": {"anyOf": [{"type": "null"}, {"$ref": "#"}]}
	},
	"required": ["name", "unit"],
	"additionalProperties": false
}`

func TestGuide(t *testing.T) {
	var s any
	if err := json.Unmarshal([]byte(person), &s); err != nil {
		t.Fatal(err)
	}
	o := Options{Schema: compile(t, s)}
	for _, c := range []struct{ in, out string }{
		{`{"name": "x", "unit": "g", "age": 1}`, `{"name": "x", "unit": "g", "age": 1}`},
		{`{"name": "x", "unit": "g", "age": "42"}`, `{"name": "x", "unit": "g", "age": 42}`},
		{`{"name": "x", "unit": "g", "age": "042"}`, `{"name": "x", "unit": "g", "age": 42}`},
		{`{name: 'x', unit: 'g', age: '42'`, `{"name": "x", "unit": "g", "age": 42}`},
		{`{"name": 7, "unit": "g", "weight": "7.50"}`, `{"name": "7", "unit": "g", "weight": 7.50}`},
		{`{"name": "x", "unit": "g", "adult": "True"}`, `{"name": "x", "unit": "g", "adult": true}`},
		{`{"NAME": "x", "Unit": "g"}`, `{"name": "x", "unit": "g"}`},
		{`{"name": "x", "unit": "g", "size": "Extra-Large"}`, `{"name": "x", "unit": "g", "size": "extra large"}`},
		{`{"name": "x", "unit": "g", "size": "3"}`, `{"name": "x", "unit": "g", "size": 3}`},
		{`{"name": "x"}`, `{"name": "x","unit":"kg"}`},
		{`{"name": "x", "unit": "g", "tags": "one"}`, `{"name": "x", "unit": "g", "tags": ["one"]}`},
		{`{"name": "x", "unit": "g", "boss": {"name": "y", "age": "3"}}`, `{"name": "x", "unit": "g", "boss": {"name": "y", "age": 3,"unit":"kg"}}`},
		{`{"name": "x", "unit": "g", "tags": "[\"a\"]"}`, `{"name": "x", "unit": "g", "tags": ["a"]}`},
	} {
		r, err := JSON(c.in, o)
		if err != nil || r.Text != c.out {
			t.Errorf("%s became %s (%v), want %s", c.in, r.Text, err, c.out)
			continue
		}
		if got := Apply(c.in, r.Changes); got != r.Text {
			t.Errorf("the changes of %s give %s", c.in, got)
		}
		if again, err := JSON(r.Text, o); err != nil || again.Text != r.Text {
			t.Errorf("a second repair of %s gives %s (%v)", r.Text, again.Text, err)
		}
	}
	for text, why := range map[string]string{
		`{"unit": "g"}`: "missing property 'name'", // no default, nothing is invented
		`{"name": "x", "unit": "g", "age": "many"}`: "'/age': got string, want integer",
		`{"name": "x", "unit": "g", "age": "4.5"}`:  "'/age': got string, want integer", // not whole
		`{"name": true, "unit": "g"}`:               "'/name': got boolean, want string",
		`{"name": "x", "unit": "g", "extra": 1}`:    "'extra' not allowed",
		`{"name": "x", "unit": "g", "size": "big"}`: "'/size': value must be one of",
		`[1]`: "got array, want object",
	} {
		if r, err := JSON(text, o); !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s became %s (%v), want %q", text, r.Text, err, why)
		}
	}
}

func TestCompose(t *testing.T) {
	in := "abcdefgh"
	first := []edit{{start: 1, end: 2, after: "XYZ"}, {start: 4, end: 4, after: "--"}, {start: 6, end: 8, after: ""}}
	mid := apply(in, first)
	for a := range len(mid) + 1 {
		for b := a; b <= len(mid); b++ {
			second := []edit{{start: a, end: b, after: "?"}}
			want := apply(mid, second)
			if got := apply(in, ordered(compose(in, first, second))); got != want {
				t.Errorf("[%d,%d) of %q: %q, want %q", a, b, mid, got, want)
			}
		}
	}
}
