package foundling_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate/grammar/calls"
	"github.com/foundling-lm/foundling/generate/grammar/language"
	"github.com/foundling-lm/foundling/internal/golden"
)

// A text can be held to a JSON Schema, a regular expression, a grammar or choices.
func ExampleModel_Grammar() {
	m, err := foundling.Open(run1, foundling.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	var f foundling.Format
	f.Choices = []string{"yes", "yes, of course"}
	g, err := m.Grammar(f)
	if err != nil {
		log.Fatal(err)
	}
	for piece, err := range m.Generate(context.Background(), "Is it?", foundling.Decoding{Grammar: g, MaxTokens: g.Minimum()}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(piece.Text)
	}
	// Output: yes
}

// schemas are of many kinds; a model with random weights writes each.
var schemas = []string{
	`{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a"]}`,
	`{"type":"object","properties":{"id":{"type":"string","format":"uuid"},"tags":{"type":"array","items":{"enum":["x","yy","zzz"]},"minItems":2,"uniqueItems":true}},"required":["id","tags"],"additionalProperties":false}`,
	`{"type":"array","items":{"type":"number","minimum":-5,"maximum":7.5},"minItems":1}`,
	`{"oneOf":[{"type":"integer","multipleOf":3},{"type":"integer","multipleOf":5}]}`,
	`{"$defs":{"t":{"type":"object","properties":{"v":{"type":"boolean"},"kids":{"type":"array","items":{"$ref":"#/$defs/t"}}},"required":["v"],"additionalProperties":false}},"$ref":"#/$defs/t"}`,
	`{"type":"object","patternProperties":{"^x-[a-z]+$":{"type":"null"}},"additionalProperties":false,"minProperties":1}`,
	`{"if":{"type":"string"},"then":{"minLength":4},"else":{"type":"boolean"}}`,
	`{"type":"string","pattern":"^[A-Z]{3}\\d+$","maxLength":9}`,
	`{"anyOf":[{"const":{"k":[1,"two",null]}},{"type":"object","dependentRequired":{"a":["b"]},"properties":{"a":{"type":"string"},"b":{"type":"string"}},"additionalProperties":false}]}`,
	`true`,
}

func validator(t *testing.T, source string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("s.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("s.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStructuredAtAnyLimit writes JSON of every schema at limits from the minimum on
// and lets another program's library judge; below the minimum nothing is written.
func TestStructuredAtAnyLimit(t *testing.T) {
	m := wide(t)
	for i, source := range schemas {
		t.Run(fmt.Sprint(i), func(t *testing.T) { anyLimit(t, m, source) })
	}
}

func anyLimit(t *testing.T, m *foundling.Model, source string) {
	hot := 1.5
	g, err := m.Grammar(foundling.Format{Source: language.Source{Schema: []byte(source)}})
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	judge := validator(t, source)
	least := g.Minimum()
	limits := []int{least - 1}
	for n := least; n < 300; n += 2 + (n - least) {
		limits = append(limits, n)
	}
	for i, limit := range append(limits, 0) {
		if limit == 0 && i < len(limits) {
			continue // a minimum of one token
		}
		d := foundling.Decoding{Grammar: g, MaxTokens: limit, Seed: uint64(i), Temperature: &hot}
		var text strings.Builder
		for p, e := range m.Generate(context.Background(), "JSON: ", d) {
			if e != nil {
				err = e
			}
			text.WriteString(p.Text)
		}
		if limit == least-1 {
			if err == nil || text.Len() > 0 || !strings.Contains(err.Error(), fmt.Sprintf("needs %d tokens", least)) {
				t.Errorf("%s: %d tokens of %d: %q, %v", source, limit, least, text.String(), err)
			}
			err = nil
			continue
		}
		if err != nil {
			t.Fatalf("%s at %d tokens: %v", source, limit, err)
		}
		x, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(text.String())))
		if err != nil {
			t.Fatalf("%s at %d tokens: %q is no JSON: %v", source, limit, text.String(), err)
		}
		if err := judge.Validate(x); err != nil {
			t.Fatalf("%s at %d tokens: %q: %v", source, limit, text.String(), err)
		}
	}
}

func TestFormats(t *testing.T) {
	m := wide(t)
	for want, f := range map[string]foundling.Format{
		`^[a-f]{3}(-[0-9]{2})?$`: {Source: language.Source{Regex: `[a-f]{3}(-[0-9]{2})?`}},
		`^(ab,)*ab$`:             {Source: language.Source{Grammar: `root ::= "ab" ("," "ab")*`, Name: "list.gbnf"}},
		`^(yes|no)$`:             {Source: language.Source{Choices: []string{"yes", "no"}}},
		`(?s)^.*##no$`:           {Source: language.Source{Choices: []string{"no"}}, After: "##"},
		`^<c>f\|{\s*}</c>$`: {Source: language.Source{Calls: &calls.Source{
			Functions: []calls.Function{{Name: "f"}}, Form: calls.Form{Open: "<c>", Middle: "|", Close: "</c>", Trigger: "<c>"}, Must: true}}},
	} {
		g, err := m.Grammar(f)
		if err != nil {
			t.Fatalf("%+v: %v", f, err)
		}
		for _, heal := range []bool{false, true} {
			var text strings.Builder
			for p, err := range m.Generate(context.Background(), "Go", foundling.Decoding{Grammar: g, MaxTokens: 40, Heal: heal}) {
				if err != nil {
					t.Fatalf("%+v: %v", f, err)
				}
				text.WriteString(p.Text)
			}
			if !regexp.MustCompile(want).MatchString(text.String()) {
				t.Errorf("%q does not match %s", text.String(), want)
			}
		}
	}
	for want, f := range map[string]foundling.Format{
		"no language is given": {},
		"more than one":        {Source: language.Source{Regex: "a", Choices: []string{"b"}}},
		"schema #/type":        {Source: language.Source{Schema: []byte(`{"type":5}`)}},
		"no text fits":         {Source: language.Source{Regex: `[^\x00-\x{10FFFF}]`}},
		"lenient":              {Source: language.Source{Regex: "a", Lenient: true}},
	} {
		if _, err := m.Grammar(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", f, err, want)
		}
	}
}

// TestBorder begins texts of a real model where its tokenizer puts a space before every
// text, and heals a prompt before a marker that is a special token.
func TestBorder(t *testing.T) {
	m := open(t, golden.Data(t, "models", "stories260K", "hf"), foundling.Options{})
	zero := 0.0
	write := func(prompt string, d foundling.Decoding) (text string, ids []int32) {
		t.Helper()
		d.Temperature = &zero
		text, ids, err := collect(t, m.Generate(context.Background(), prompt, d))
		if err != nil {
			t.Fatal(err)
		}
		return text, ids
	}
	grammarOf := func(f foundling.Format) *foundling.Grammar {
		g, err := m.Grammar(f)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	text, ids := write("", foundling.Decoding{MaxTokens: 8})
	if want := m.Bundle.Tokenizer.Encode(text); !strings.HasPrefix(text, "Once upon") || !slices.Equal(ids, want) {
		t.Errorf("%q in %v, which is %v for the tokenizer", text, ids, want)
	}
	choices := grammarOf(foundling.Format{Source: language.Source{Choices: []string{"Once upon", "Never"}}})
	if text, ids := write("", foundling.Decoding{Grammar: choices}); text != "Once upon" || !slices.Equal(ids, m.Bundle.Tokenizer.Encode(text)) {
		t.Errorf("the choice is %q in %v", text, ids)
	}
	if text, _ := write("", foundling.Decoding{Grammar: choices, MaxTokens: choices.Minimum()}); text != "Never" && text != "Once upon" {
		t.Errorf("with %d tokens: %q", choices.Minimum(), text)
	}
	if text, _ := write("She said:", foundling.Decoding{Grammar: choices}); text != "Once upon" && text != "Never" {
		t.Errorf("behind a prompt: %q", text)
	}
	own := grammarOf(foundling.Format{Source: language.Source{Regex: " [a-c]+"}})
	if text, _ := write("", foundling.Decoding{Grammar: own, MaxTokens: 5}); !strings.HasPrefix(text, " ") {
		t.Errorf("a space of the language's own is lost: %q", text)
	}
	behind := grammarOf(foundling.Format{Source: language.Source{Choices: []string{"XY"}}, After: "<unk>"})
	text, ids = write("Once upon a ti", foundling.Decoding{Grammar: behind, Heal: true, MaxTokens: 20})
	if !strings.HasPrefix(text, "me") || !strings.HasSuffix(text, "XY") || !slices.Contains(ids, 0) {
		t.Errorf("healed, with a marker: %q", text)
	}
}
