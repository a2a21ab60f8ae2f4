package calls_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/foundling-lm/foundling/generate/grammar"
	"github.com/foundling-lm/foundling/generate/grammar/calls"
	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/internal/rng"
)

// forms are those of text/chat.
var forms = map[string]calls.Form{
	"tags":     {Open: "<tool_call>\n{\"name\": \"", Middle: `", "arguments": `, Close: "}\n</tool_call>", Between: "\n", Trigger: "<tool_call>"},
	"list":     {Begin: "[TOOL_CALLS][", Open: `{"name": "`, Middle: `", "arguments": `, Close: "}", Between: ", ", Finish: "]", Trigger: "[TOOL_CALLS]"},
	"function": {Open: "<function=", Middle: ">", Close: "</function>", Trigger: "<function=", Single: true},
	"object":   {Open: `{"name": "`, Middle: `", "parameters": `, Close: "}", Trigger: `{"name": "`, First: true, Single: true},
}

var schemas = map[string]string{
	"get":   `{"type":"object","properties":{"city":{"type":"string","maxLength":5},"days":{"type":"integer","minimum":1,"maximum":14}},"required":["city"],"additionalProperties":false}`,
	"get_x": `{"properties":{"on":{"type":"boolean"},"of":{"enum":["a","b}"]}},"required":["on"],"additionalProperties":false}`,
	"list":  `{"type":"object","properties":{"all":{"type":"array","items":{"type":"string","pattern":"^[a-z]{1,3}$"},"uniqueItems":true,"minItems":2,"maxItems":3}},"required":["all"]}`,
	"none":  ``,
}

func functions() (all []calls.Function) {
	for _, name := range []string{"get", "get_x", "list", "none"} {
		all = append(all, calls.Function{Name: name, Parameters: []byte(schemas[name])})
	}
	return all
}

// pieces are tokens besides those of one byte; some reach over the ends of parts.
var pieces = []string{
	"<tool", "<tool_call>", "_call>\n", `{"name": "`, `{"`, `": "`, `"}`, "}}", "}}\n", "}\n</tool_call>", "</", `"}}]`, "[TOOL_CALLS]", `[{"`, "]}", `"]}`, `, {"name`,
	"get", "get_", "none", `none", "arg`, "city", `", "arguments": {`, "on", "true", "false}", "false", "<function=", "</function>", ">{", "hello", " ", "é", "\xc3", "ab", "abc", `\u00`, "days", "1", "14",
}

func vocabulary(t testing.TB) *grammar.Vocabulary {
	t.Helper()
	var tokens [][]byte
	for b := range 256 {
		tokens = append(tokens, []byte{byte(b)})
	}
	for _, p := range pieces {
		tokens = append(tokens, []byte(p))
	}
	tokens = append(tokens, nil)
	v, err := grammar.NewVocabulary(tokens, nil, []int32{int32(len(tokens) - 1)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// read takes a text apart with nothing of the package: the calls in it, or an error.
func read(f calls.Form, text string) (free string, all []string, err error) {
	at := strings.Index(text, f.Trigger)
	if f.First {
		if at = -1; strings.HasPrefix(text, f.Trigger[:1]) {
			at = 0
		}
	}
	if at < 0 {
		return text, nil, nil
	}
	free, text = text[:at], text[at:]
	var ok bool
	if text, ok = strings.CutPrefix(text, f.Begin); !ok {
		return free, nil, errors.New("the beginning is missing")
	}
	for {
		if text, ok = strings.CutPrefix(text, f.Open); !ok {
			return free, all, errors.New("a call does not begin")
		}
		name, rest, _ := strings.Cut(text, f.Middle)
		d := json.NewDecoder(strings.NewReader(rest))
		var arguments any
		if err := d.Decode(&arguments); err != nil {
			return free, all, err
		}
		if err := valid(name, arguments); err != nil {
			return free, all, err
		}
		all = append(all, name)
		if text, ok = strings.CutPrefix(rest[d.InputOffset():], f.Close); !ok {
			return free, all, errors.New("a call does not end")
		}
		if text == f.Finish {
			return free, all, nil
		}
		if text, ok = strings.CutPrefix(text, f.Between); !ok || f.Single {
			return free, all, errors.New("text behind the calls")
		}
	}
}

func valid(name string, arguments any) error {
	source, ok := schemas[name]
	if !ok {
		return errors.New("no function " + name)
	}
	if source == "" {
		source = `{"type":"object","maxProperties":0}`
	}
	x, err := jsonschema.UnmarshalJSON(strings.NewReader(source))
	if err != nil {
		return err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("s.json", x); err != nil {
		return err
	}
	if _, object := arguments.(map[string]any); !object {
		return errors.New("the arguments are no object")
	}
	return c.MustCompile("s.json").Validate(arguments)
}

// Whatever a model wants and however few tokens it has, its calls are whole and valid.
func TestRandomTexts(t *testing.T) {
	v := vocabulary(t)
	for name, form := range forms {
		for _, must := range []bool{false, true} {
			s := calls.Source{Functions: functions(), Form: form, Must: must}
			start, _, err := s.Machine()
			if err != nil {
				t.Fatal(err)
			}
			g, err := grammar.New(v, start, grammar.Options{})
			if err != nil {
				t.Fatal(err)
			}
			called := map[string]int{}
			for seed := range uint64(30) {
				budget := g.Minimum() + int(seed)*4
				text := random(t, g, budget, seed, form)
				free, all, err := read(form, text)
				if err != nil {
					t.Fatalf("%s, must %v, budget %d: %q: %v", name, must, budget, text, err)
				}
				if must && (free != "" || len(all) == 0) {
					t.Fatalf("%s: %q has no call alone", name, text)
				}
				for _, c := range all {
					called[c]++
				}
				called["calls"] = max(called["calls"], len(all))
			}
			if len(called) < 3 || !form.Single && called["calls"] < 2 {
				t.Errorf("%s, must %v: calls %v", name, must, called)
			}
		}
	}
}

// random writes a text: now and then it goes for the trigger, or for what is forced.
func random(t *testing.T, g *grammar.Grammar, budget int, seed uint64, form calls.Form) (text string) {
	s := g.Session()
	v := g.Vocabulary()
	for step := 0; ; step++ {
		mask, err := s.Mask(budget - step)
		if err != nil {
			t.Fatalf("behind %q: %v", text, err)
		}
		var ids []int32
		for id := range int32(v.Size()) {
			if mask[id/64]>>(id%64)&1 != 0 {
				ids = append(ids, id)
			}
		}
		id := ids[rng.Intn(seed, 1, uint64(step), len(ids))]
		if rng.Intn(seed, 2, uint64(step), 3) > 0 { // models seldom end, and like long tokens
			for _, other := range ids {
				if len(v.Text(other)) > len(v.Text(id)) && rng.Intn(seed, 3, uint64(step)*1024+uint64(other), 4) > 0 {
					id = other
				}
			}
		}
		if step == 0 && form.First || step == 1 && !form.First && !strings.Contains(text, form.Trigger) {
			for _, other := range ids {
				if strings.HasPrefix(form.Trigger, string(v.Text(other))) && len(v.Text(other)) >= len(v.Text(id)) {
					id = other
				}
			}
		}
		if err := s.Accept(id); err != nil {
			t.Fatalf("behind %q: %v", text, err)
		}
		if s.Ended() {
			return text
		}
		text += string(v.Text(id))
	}
}

// Masks are what the states say, one token after the other.
func TestMasks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		form := forms[rapid.SampledFrom([]string{"tags", "list", "function", "object"}).Draw(t, "form")]
		s := calls.Source{Functions: functions(), Form: form, Must: rapid.Bool().Draw(t, "must"), Single: rapid.Bool().Draw(t, "single")}
		start, _, err := s.Machine()
		if err != nil {
			t.Fatal(err)
		}
		v := vocabularyOf(t)
		g, err := grammar.New(v, start, grammar.Options{})
		if err != nil {
			t.Fatal(err)
		}
		at := g.Session()
		text := ""
		for range rapid.IntRange(0, 12).Draw(t, "tokens") {
			mask, err := at.Mask(0)
			if err != nil {
				t.Fatal(err)
			}
			var ids []int32
			for id := range int32(v.Size() - 1) {
				ok := at.Fork().Accept(id) == nil
				if got := mask[id/64]>>(id%64)&1 != 0; got != ok {
					t.Fatalf("behind %q: %q allowed %v, read %v", text, v.Text(id), got, ok)
				}
				if ok {
					ids = append(ids, id)
				}
			}
			if len(ids) == 0 {
				break
			}
			id := rapid.SampledFrom(ids).Draw(t, "id")
			if forced := at.Forced(nil, 0); len(forced) > 0 && rapid.Bool().Draw(t, "forced") {
				id = forced[0]
			}
			if err := at.Accept(id); err != nil {
				t.Fatal(err)
			}
			text += string(v.Text(id))
		}
	})
}

var shared *grammar.Vocabulary

func vocabularyOf(t *rapid.T) *grammar.Vocabulary {
	if shared == nil {
		var tokens [][]byte
		for b := range 256 {
			tokens = append(tokens, []byte{byte(b)})
		}
		for _, p := range pieces {
			tokens = append(tokens, []byte(p))
		}
		var err error
		if shared, err = grammar.NewVocabulary(append(tokens, nil), nil, []int32{int32(len(tokens))}); err != nil {
			t.Fatal(err)
		}
	}
	return shared
}

func TestLanguage(t *testing.T) {
	s := calls.Source{Functions: functions(), Form: forms["tags"]}
	const call = "<tool_call>\n{\"name\": \"get\", \"arguments\": {\"city\": \"Rom\"}}\n</tool_call>"
	for text, want := range map[string]bool{
		"": true, "no call": true, "<tool_": true, "a <tool_<tool_call": true, "<tool_call>": false, call: true, "look:\n" + call: true,
		call + "\n" + call: true, call + call: false, call + " ": false, strings.Replace(call, "get", "got", 1): false, strings.Replace(call, "city", "town", 1): false,
		strings.Replace(call, "get", "get_x", 1): false, `<tool_call>` + "\n" + `{"name": "none", "arguments": {}}` + "\n</tool_call>": true,
	} {
		start, _, err := s.Machine()
		if err != nil {
			t.Fatal(err)
		}
		if got, at := machine.Accepts(start, []byte(text)); got != want {
			t.Errorf("%q: accepted %v, read to %d", text, got, at)
		}
	}
	s.Answer = []byte(`{"type":"object","properties":{"a":{"type":"boolean"}},"required":["a"],"additionalProperties":false}`)
	for text, want := range map[string]bool{"": false, "no call": false, `{"a": true}`: true, `{"a": 1}`: false, call: true, call + "\n" + call: true, `{"a": true}` + call: false} {
		start, _, err := s.Machine()
		if err != nil {
			t.Fatal(err)
		}
		if got, at := machine.Accepts(start, []byte(text)); got != want {
			t.Errorf("with an answer, %q: accepted %v, read to %d", text, got, at)
		}
	}
}

func TestErrors(t *testing.T) {
	f := func(name, parameters string) calls.Function {
		return calls.Function{Name: name, Parameters: []byte(parameters)}
	}
	for want, s := range map[string]calls.Source{
		"no function":          {Form: forms["tags"]},
		"is there twice":       {Form: forms["tags"], Functions: []calls.Function{f("a", ""), f("a", "")}},
		"must be 1 to 64":      {Form: forms["tags"], Functions: []calls.Function{f(`a"`, "")}},
		"must be \"object\"":   {Form: forms["tags"], Functions: []calls.Function{f("a", `{"type":"string"}`)}},
		"no JSON Schema":       {Form: forms["tags"], Functions: []calls.Function{f("a", `[]`)}},
		"function 1":           {Form: forms["tags"], Functions: []calls.Function{f("a", ""), f("b", `{"properties":5}`)}},
		"no beginning of":      {Form: calls.Form{Open: "a", Middle: "b", Close: "c", Trigger: "x"}, Functions: functions()},
		"nothing around":       {Form: calls.Form{Open: "a", Trigger: "a"}, Functions: functions()},
		"as a call does":       {Form: forms["object"], Functions: functions(), Answer: []byte(`{"type":"object"}`)},
		"the answer: ":         {Form: forms["tags"], Functions: functions(), Answer: []byte(`{"type":"nothing"}`)},
		"cannot be told apart": {Form: calls.Form{Open: "a", Middle: "b", Close: "c", Trigger: "a", Between: "ab", Finish: "abab"}, Functions: functions()},
	} {
		if _, _, err := s.Machine(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
