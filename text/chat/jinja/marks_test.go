package jinja

import (
	"strings"
	"testing"
)

// TestMarksGoThroughOperations applies each operation to a text of the input, x,
// and shows what comes out with input in brackets.
func TestMarksGoThroughOperations(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"a{{ x }}b", "a[<|End|>]b"},
		{"{{ 'a' + x + 'b' }}", "a[<|End|>]b"},
		{"{{ 'a' ~ x }}", "a[<|End|>]"},
		{"{{ x|trim('<>') }}", "[|End|]"},
		{"{{ ('<' + x)|trim('|>') }}", "<[<|End]"},
		{"{{ x[2:-2] }}{{ x[0] }}{{ x[::-1] }}", "[End<>|dnE|<]"},
		{"{{ x|upper }}{{ x|lower }}{{ x|title }}{{ x.capitalize() }}", "[<|END|><|end|><|end|><|end|>]"},
		{"{{ x|replace('|', '!') }}", "[<]![End]![>]"},
		{"{{ 'a|b'|replace('|', x) }}", "a[<|End|>]b"},
		{"{{ x.split('|')[1] }}", "[End]"},
		{"{{ [x, 'y', x]|join('|') }}", "[<|End|>]|y|[<|End|>]"},
		{"{{ x|tojson }}", `"[<|End|>]"`},
		{"{{ {x: [x]}|tojson }}", `{"[<|End|>]": ["[<|End|>]"]}`},
		{"{{ [x] }}", "['[<|End|>]']"},
		{"{{ '%s.%5.2s' % (x, x) }}", "[<|End|>].   [<|]"},
		{"{{ '{}.{:>9}'.format(x, x) }}", "[<|End|>].  [<|End|>]"},
		{"{{ x.format() }}", "[<|End|>]"},
		{"{{ x * 2 }}", "[<|End|><|End|>]"},
		{"{{ x.center(9, '*') }}", "*[<|End|>]*"},
		{"{{ (x ~ '\n' ~ x)|indent(2) }}", "[<|End|>]\n  [<|End|>]"},
		{"{% set y %}a{{ x }}{% endset %}{{ y }}", "a[<|End|>]"},
		{"{% macro m(v) %}({{ v }}){% endmacro %}{{ m(x) }}", "([<|End|>])"},
		{"{% filter upper %}a{{ x }}{% endfilter %}", "A[<|END|>]"},
		{"{% for c in x %}{{ c }}.{% endfor %}", "[<].[|].[E].[n].[d].[|].[>]."},
		{"{{ x|e }}{{ x|urlencode }}", "[&lt;|End|&gt;%3C%7CEnd%7C%3E]"},
		{"{{ x|truncate(4, true, '', 0) }}{{ x|reverse }}", "[<|En>|dnE|<]"},
		{"{{ x|default('a') }}{{ [x, 'a']|max }}{{ [x]|sort|first }}", "[<|End|>]a[<|End|>]"},
		{"{{ x.splitlines()[0] }}{{ x.partition('|')[2] }}{{ x.removeprefix('<') }}", "[<|End|>End|>|End|>]"},
		{"{{ [x]|map('upper')|first }}{{ [{'k': x}]|map(attribute='k')|join }}", "[<|END|><|End|>]"},
		{"{{ dict(**o)|tojson }}", `{"[k<|]": 1, "[v]": null}`},
		{"{% macro m() %}{{ kwargs }}{% endmacro %}{{ m(a=1, **o) }}", `{'a': 1, '[k<|]': 1, '[v]': None}`},
		{"{{ strftime_now(x) }}", "[<|End|>]"},
		{"{{ ('{:' ~ x[0] ~ '>3}').format(1) }}", "[<<1]"},
		{"{{ ('%' ~ '%' ~ x) % () }}{{ (x[:0] ~ '%d') % 5 }}", "%[<|End|>]5"},
		{"{{ [1, 2]|tojson(separators=(x, ':')) }}{{ [1]|tojson(indent=x) }}", "[[1<|End|>2][\n<|End|>1\n]]"},
		{"{{ o|tojson }}", `{"[k<|]": 1, "[v]": null}`},
		{"{% for k, v in o|items %}{{ k }}{{ v }}{% endfor %}{{ o.keys()|list }}", "[k<|]1[v]None['[k<|]', '[v]']"},
		{"{{ e }}.{{ e|trim }}", "[].[]"},
	} {
		vars := &Dict{}
		vars.Set("x", NewText("<|End|>", 1))
		vars.Set("e", NewText("", 1))
		o, err := FromJSON([]byte(`{"k<|": 1, "v": null}`), 1)
		if err != nil {
			t.Fatal(err)
		}
		vars.Set("o", o)
		if got, err := marked(c.source, vars); err != nil || got != c.want {
			t.Errorf("%s\ngot  %s, %v\nwant %s", c.source, got, err, c.want)
		}
	}
}

// TestGenerationMarks shows what is written inside generation blocks in braces.
func TestGenerationMarks(t *testing.T) {
	vars := &Dict{}
	vars.Set("x", NewText("x", 1))
	for _, c := range []struct{ source, want string }{
		{"a{% generation %}b{{ x }}{% endgeneration %}c", "a{b}{[x]}c"},
		{"{% macro m() %}{% generation %}b{% endgeneration %}c{% endmacro %}{{ m() }}{{ m()|upper }}", "{b}c{B}C"},
		{"{% set y %}{% generation %}b{% endgeneration %}{% endset %}{{ ' ' + y + '.' }}", " {b}."},
	} {
		tmpl, err := Parse(c.source)
		if err != nil || !tmpl.HasGeneration() {
			t.Fatalf("%s: %v, or no generation blocks", c.source, err)
		}
		if got, err := marked(c.source, vars); err != nil || got != c.want {
			t.Errorf("%s\ngot  %s, %v\nwant %s", c.source, got, err, c.want)
		}
	}
}

func marked(source string, vars *Dict) (string, error) {
	tmpl, err := Parse(source)
	if err != nil {
		return "", err
	}
	text, err := tmpl.Render(vars, Options{})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	text.Each(func(s string, m Mark) {
		if m.Origin != 0 {
			s = "[" + s + "]"
		}
		if m.Generated {
			s = "{" + s + "}"
		}
		b.WriteString(s)
	})
	return b.String(), nil
}
