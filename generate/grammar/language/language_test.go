package language_test

import (
	"testing"

	"github.com/foundling-lm/foundling/generate/grammar/calls"
	"github.com/foundling-lm/foundling/generate/grammar/language"
	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// TestIntegers writes integers as decoders into an integer read them, in every place
// of a schema and in the arguments of a function, and reads them as the drafts have them.
func TestIntegers(t *testing.T) {
	for _, c := range []struct {
		name, schema  string
		before, after string   // of the integer in the text
		yes, no       []string // both belong to the standard's set
	}{
		{"alone", `{"type":"integer"}`, "", "", []string{"0", "1", "-3", "123456789012345678901"}, []string{"1.0", "1.", "-0.0", "-0", "10.00"}},
		{"bounds", `{"type":"integer","minimum":-3,"maximum":12}`, "", "", []string{"0", "1", "-3", "12"}, []string{"1.0", "-0.0", "-0", "12.0"}},
		{"open bounds", `{"type":"integer","exclusiveMinimum":-4,"exclusiveMaximum":2}`, "", "", []string{"0", "1", "-3"}, []string{"1.0", "-0", "-3.0"}},
		{"steps", `{"type":"integer","multipleOf":3}`, "", "", []string{"0", "3", "-3"}, []string{"3.0", "-0.0", "-0"}},
		{"steps of a half", `{"type":"integer","multipleOf":0.5}`, "", "", []string{"0", "1", "-3"}, []string{"1.0", "-0.0"}},
		{"numbers in whole steps", `{"type":"number","multipleOf":1}`, "", "", []string{"0", "1", "-3"}, []string{"1.0", "-0.0"}},
		{"draft 4", `{"$schema":"http://json-schema.org/draft-04/schema#","type":"integer"}`, "", "", []string{"0", "-3"}, []string{"-0"}},
		{"enum", `{"enum":[0,1,-3,"a"]}`, "", "", []string{"0", "1", "-3"}, []string{"1.0", "1e0", "-0", "0.0", "-3.0"}},
		{"const", `{"const":2.0}`, "", "", []string{"2"}, []string{"2.0", "2e0"}},
		{"const of a list", `{"const":[7]}`, "[", "]", []string{"7"}, []string{"7.0", "7e0"}},
		{"property", `{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}`, `{"n": `, `}`, []string{"1", "-3"}, []string{"1.0", "-0.0", "-0"}},
		{"items", `{"type":"array","items":{"type":"integer"}}`, `[5, `, `]`, []string{"1", "-3"}, []string{"1.0", "-0.0", "-0"}},
		{"or null", `{"type":["integer","null"]}`, "", "", []string{"1", "-3", "null"}, []string{"1.0", "-0.0", "-0"}},
		{"anyOf", `{"anyOf":[{"type":"integer"},{"type":"string"}]}`, "", "", []string{"1", "-3", `"a"`}, []string{"1.0", "-0.0", "-0"}},
		{"allOf", `{"allOf":[{"type":"number"},{"type":"integer"},{"minimum":-5}]}`, "", "", []string{"1", "-3"}, []string{"1.0", "-0.0", "-0"}},
		{"not", `{"type":"integer","not":{"const":2}}`, "", "", []string{"1", "-3", "3"}, []string{"1.0", "-0.0", "-0"}},
		{"$ref", `{"$defs":{"i":{"type":"integer"}},"$ref":"#/$defs/i"}`, "", "", []string{"1", "-3"}, []string{"1.0", "-0.0", "-0"}},
		{"numbers stay", `{"type":"number"}`, "", "", []string{"1", "1.0", "1e0", "-0.0", "-0"}, nil},
		{"an integer or a number", `{"anyOf":[{"type":"integer"},{"type":"number"}]}`, "", "", []string{"1", "1.0", "1e0", "-0.0"}, nil},
		{"no integer", `{"type":"number","minimum":0.5,"maximum":0.5}`, "", "", []string{"0.5", "5e-1"}, nil},
	} {
		written := compiled(t, language.Source{Schema: []byte(c.schema)})
		read := compiled(t, language.Source{Schema: []byte(c.schema), Loose: true})
		for _, n := range c.yes {
			expect(t, c.name+", written", written, c.before+n+c.after, true)
			expect(t, c.name+", read", read, c.before+n+c.after, true)
		}
		for _, n := range c.no {
			expect(t, c.name+", written", written, c.before+n+c.after, false)
			expect(t, c.name+", read", read, c.before+n+c.after, n != "1.")
		}
	}
	expect(t, "an exponent", compiled(t, language.Source{Schema: []byte(`{"type":"integer"}`)}), "1e2", false)

	parameters := []byte(`{"properties":{"n":{"type":"integer"}},"required":["n"]}`)
	call := compiled(t, language.Source{Calls: &calls.Source{
		Functions: []calls.Function{{Name: "f", Parameters: parameters}},
		Form:      calls.Form{Open: "<c>", Middle: "|", Close: "</c>", Trigger: "<c>"},
		Answer:    parameters,
	}})
	for n, want := range map[string]bool{"1": true, "-3": true, "1.0": false, "1e0": false, "-0.0": false, "-0": false} {
		expect(t, "call", call, `<c>f|{"n": `+n+`}</c>`, want)
		expect(t, "answer beside calls", call, `{"n": `+n+`}`, want)
	}
}

func compiled(t *testing.T, s language.Source) machine.State {
	t.Helper()
	l, err := s.Compile()
	if err != nil {
		t.Fatalf("%s: %v", s.Schema, err)
	}
	return l.Start
}

func expect(t *testing.T, name string, start machine.State, text string, want bool) {
	t.Helper()
	if got, at := machine.Accepts(start, []byte(text)); got != want {
		t.Errorf("%s: %s: accepted %v, want %v; read to %d", name, text, got, want, at)
	}
}
