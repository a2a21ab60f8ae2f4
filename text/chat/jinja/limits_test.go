package jinja

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestHostileTemplates runs templates that would take the machine's time,
// memory or stack. Each must end soon, with an error that names its place.
func TestHostileTemplates(t *testing.T) {
	deep := `{% set ns = namespace(x=[]) %}{% for i in range(5000) %}{% set ns.x = [ns.x] %}{% endfor %}`
	double := `{% set ns = namespace(x=()) %}{% for i in range(300) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}`
	for _, c := range []struct {
		name, source, want string
	}{
		{"endless macro", `{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}`, "nested more than 1000 deep"},
		{"endless recursion of two", `{% macro f(x) %}{{ g(x) }}{% endmacro %}{% macro g(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}`, "nested more"},
		{"recursive loop without end", `{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}`, "nested more"},
		{"nested loops", `{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}`, "steps"},
		{"doubled text", `{% set ns = namespace(s='0123456789') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}`, "longer than"},
		{"doubled list", `{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}`, "bytes of text and lists"},
		{"repeated text", `{{ 'ab' * 9223372036854775807 }}`, "longer than"},
		{"repeated list", `{{ [1, 2] * 9223372036854775807 }}`, "bytes of text and lists"},
		{"long output", `{% for a in range(99999) %}{% for b in range(100) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}{% endfor %}{% endfor %}`, "longer than"},
		{"wide range", `{{ range(10000000000) }}`, "range is too big"},
		{"wide column", `{{ 'a'.center(99999999999) }}`, "longer than"},
		{"wide format", `{{ '%999999999d' % 1 }}`, "more than 10000"},
		{"wide format of str.format", `{{ '{:999999999}'.format(1) }}`, "more than 10000"},
		{"wide indent", `{{ 'a\nb'|indent(99999999999) }}`, "longer than"},
		{"wide json", `{{ [1]|tojson(indent=99999999999) }}`, "indent"},
		{"large power", `{{ 10 ** 1000000000 }}`, "64 bits"},
		{"deep value printed", deep + `{{ ns.x }}`, "nested too deep"},
		{"deep value as json", deep + `{{ ns.x|tojson }}`, "nested too deep"},
		{"deep values compared", deep + `{% set a = ns.x %}` + deep + `{{ a == ns.x }}`, "nested too deep"},
		{"namespace inside itself", `{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}`, "nested too deep"},
		{"tuple of twice itself printed", double + `{{ ns.x }}`, "than"},
		{"tuple of twice itself as key", double + `{{ {ns.x: 1} }}`, "too long for a key"},
		{"tuple of twice itself compared", double + `{% set a = ns.x %}` + double + `{{ a == ns.x }}`, "steps"},
		{"brackets", "{{ " + strings.Repeat("(", 10000) + "1" + strings.Repeat(")", 10000) + " }}", "nested more than 200 deep"},
		{"nots", "{{ " + strings.Repeat("not ", 10000) + "1 }}", "nested more than 200 deep"},
		{"signs", "{{ " + strings.Repeat("- ", 10000) + "1 }}", "nested more than 200 deep"},
		{"blocks", strings.Repeat("{% if 1 %}", 10000), "nested more than 200 deep"},
		{"long sum", "{{ 1" + strings.Repeat(" + 1", 100000) + " }}", "nested more than 1000 deep"},
		{"long chain of attributes", "{{ a" + strings.Repeat(".a", 100000) + " }}", "nested more than 1000 deep"},
		{"long chain of filters", "{{ 1" + strings.Repeat("|string", 100000) + " }}", "nested more than 1000 deep"},
		{"filters by name", `{{ [[[1]]]|map('map', 'map', 'map', 'map')|list }}`, "not iterable"},
		{"too large a source", strings.Repeat(" ", maxSource+1), "bytes, more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			err := limited(c.source)
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(e.Message, c.want) || e.Line < 1 || e.Column < 1 {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// limited renders with limits of a tenth of the defaults, to be quick.
func limited(source string) error {
	tmpl, err := Parse(source)
	if err != nil {
		return err
	}
	_, err = tmpl.Render(&Dict{}, Options{Steps: 2e6, Output: 4 << 20, Memory: 32 << 20})
	return err
}

// TestErrorsNameThePlace checks line and column, of characters, in the source.
func TestErrorsNameThePlace(t *testing.T) {
	for _, c := range []struct {
		source       string
		line, column int
		want         string
	}{
		{"a\n  {{ x.y }}", 2, 7, "'x' is undefined"},
		{"é{{ 1 + 'a' }}", 1, 7, "unsupported operand"},
		{"{% if 1 %}\n{% for x in %}", 2, 13, "an expression is missing"},
		{"\n\n{{ 'open", 3, 4, "' is missing"},
		{"\n{% if 1 %}", 2, 4, "endif"},
		{"{{ raise_exception('no') }}", 1, 19, "no"},
		{"x\r\n{{ a b }}", 2, 6, "want }}"},
		{"{% macro m() %}\n{{ none + 1 }}{% endmacro %}{{ m() }}", 2, 9, "unsupported operand"},
		{"{{ [1]|map('nope')|list }}", 1, 7, "no filter 'nope'"},
	} {
		_, err := render(c.source, &Dict{})
		var e *Error
		if !errors.As(err, &e) || e.Line != c.line || e.Column != c.column || !strings.Contains(e.Message, c.want) {
			t.Errorf("%q: error %v, want line %d, column %d: ...%s...", c.source, err, c.line, c.column, c.want)
		}
	}
}

func TestRaisedErrorIsMarked(t *testing.T) {
	_, err := render("{{ raise_exception('sorry') }}", &Dict{})
	var e *Error
	if !errors.As(err, &e) || !e.Raised || e.Message != "sorry" {
		t.Errorf("error %#v, want a raised one with the template's words", err)
	}
	if _, err = render("{{ 1 + none }}", &Dict{}); !errors.As(err, &e) || e.Raised {
		t.Errorf("error %#v, want one that was not raised", err)
	}
}

// FuzzRender checks that no template makes Parse or Render panic or run away,
// and that the marks of a text always cover it exactly.
func FuzzRender(f *testing.F) {
	eachCase(f, func(_, source string, _ *Dict) { f.Add(source, "content <|end|>") })
	f.Fuzz(func(t *testing.T, source, content string) {
		tmpl, err := Parse(source)
		if err != nil {
			placed(t, err)
			return
		}
		message := &Dict{}
		message.Set("role", NewText("user", 0))
		message.Set("content", NewText(content, 1))
		vars := &Dict{}
		vars.Set("messages", NewList(message))
		for _, name := range []string{"s", "d", "l", "n"} {
			vars.Set(name, map[string]Value{"s": NewText(content, 2), "d": message, "l": NewList(int64(1), NewText(content, 3)), "n": int64(3)}[name])
		}
		text, err := tmpl.Render(vars, Options{Now: time.Unix(0, 0), Steps: 20000, Output: 1 << 16, Memory: 1 << 20})
		if err != nil {
			placed(t, err)
			return
		}
		covered := 0
		text.Each(func(s string, _ Mark) { covered += len(s) })
		if covered != len(text.String()) {
			t.Fatalf("marks cover %d of %d bytes", covered, len(text.String()))
		}
	})
}

func placed(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 {
		t.Fatalf("error %v of type %T has no place", err, err)
	}
}

func ExampleTemplate_Render() {
	tmpl, err := Parse("{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}\n{% endfor %}")
	if err != nil {
		panic(err)
	}
	messages, err := FromJSON([]byte(`[{"role": "user", "content": " hello "}]`), 1)
	if err != nil {
		panic(err)
	}
	vars := &Dict{}
	vars.Set("messages", messages)
	text, err := tmpl.Render(vars, Options{})
	if err != nil {
		panic(err)
	}
	text.Each(func(s string, m Mark) { fmt.Printf("%q from %d\n", s, m.Origin) })
	// Output:
	// "<" from 0
	// "user" from 1
	// ">" from 0
	// "hello" from 1
	// "\n" from 0
}
