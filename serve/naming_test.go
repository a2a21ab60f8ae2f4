package serve

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/foundling-lm/foundling/serve/store"
)

// Errors say where the field lies, what belongs there and what was there.
func TestNames(t *testing.T) {
	const all = ": there are those of OpenAI's interface and of docs/api.md"
	for _, c := range []struct {
		into       any
		body       string
		param, err string
	}{
		{&chatRequest{}, `[]`, "", "an object is needed, not a list"},
		{&chatRequest{}, `{"temperature":"hot"}`, "temperature", "temperature: a number is needed, not a string"},
		{&chatRequest{}, `{"n":1.5}`, "n", "n: a whole number of 64 bits is needed, not 1.5"},
		{&chatRequest{}, `{"seed":1e99}`, "seed", "seed: a whole number of 64 bits is needed, not 1e99"},
		{&chatRequest{}, `{"top_p":1e999}`, "top_p", "top_p: a number of 64 bits is needed, not 1e999"},
		{&chatRequest{}, `{"stream":1}`, "stream", "stream: true or false is needed, not a number"},
		{&chatRequest{}, `{"messages":{}}`, "messages", "messages: a list is needed, not an object"},
		{&chatRequest{}, `{"messages":[[]]}`, "messages[0]", "messages[0]: an object is needed, not a list"},
		{&chatRequest{}, `{"messages":[{"role":true}]}`, "messages[0].role", "messages[0].role: a string is needed, not true"},
		{&chatRequest{}, `{"stop":{}}`, "stop", "stop: a string or a list of strings is needed, not an object"},
		{&chatRequest{}, `{"stop":["a",2]}`, "stop[1]", "stop[1]: a string is needed, not a number"},
		{&chatRequest{}, `{"logit_bias":{"7":"x"}}`, "logit_bias[7]", "logit_bias[7]: a number is needed, not a string"},
		{&chatRequest{}, `{"confidence":"high"}`, "confidence", "confidence: true, false, a list of signals or an object is needed, not a string"},
		{&chatRequest{}, `{"confidence":{"samples":"x"}}`, "confidence.samples", "confidence.samples: a whole number is needed, not a string"},
		{&chatRequest{}, `{"confidence":["agreement",1]}`, "confidence[1]", "confidence[1]: a string is needed, not a number"},
		{&chatRequest{}, `{"policy":{"limits":[{},{"warn":"x"}]}}`, "policy.limits[1].warn", "policy.limits[1].warn: a number is needed, not a string"},
		{&chatRequest{}, `{"policy":7}`, "policy", "policy: a string or an object is needed, not a number"},
		{&chatRequest{}, `{"selectors":["first",{"name":1}]}`, "selectors[1].name", "selectors[1].name: a string is needed, not a number"},
		{&chatRequest{}, `{"selector":{"verify":[1]}}`, "selector.verify[0]", "selector.verify[0]: a string is needed, not a number"},
		{&chatRequest{}, `{"cache":{"ttl":[]}}`, "cache.ttl", "cache.ttl: a number is needed, not a list"},
		{&chatRequest{}, `{"memory":"x"}`, "memory", "memory: true, false or an object is needed, not a string"},
		{&completionRequest{}, `{"prompt":[1,"a"]}`, "prompt[1]", "prompt[1]: a whole number is needed, not a string"},
		{&completionRequest{}, `{"prompt":[[1],[1.5]]}`, "prompt[1][0]", "prompt[1][0]: a whole number of 32 bits is needed, not 1.5"},
		{&completionRequest{}, `{"prompt":{}}`, "prompt", "prompt: a string, a list of strings, of ids or of lists of ids is needed, not an object"},
		{&scoreRequest{}, `{"input":true}`, "input", "input: a text, a list of ids or an object with prompt and completion is needed, not true"},
		{&scoreRequest{}, `{"input":["a",{"prompt":"b"}]}`, "input[1].completion", "input[1].completion: it is missing"},
		{&scoreRequest{}, `{"input":["a",[1,"b"]]}`, "input[1][1]", "input[1][1]: a whole number is needed, not a string"},

		{&chatRequest{}, `{"temperture":1}`, "temperture", "temperture: unknown parameter, perhaps temperature is meant" + all},
		{&chatRequest{}, `{"Top_P":1}`, "Top_P", "Top_P: unknown parameter, perhaps top_p is meant" + all},
		{&chatRequest{}, `{"colour":1}`, "colour", "colour: unknown parameter" + all},
		{&chatRequest{}, `{"stream_options":{"include_usge":true}}`, "stream_options.include_usge",
			"stream_options.include_usge: unknown parameter, perhaps include_usage is meant: there are include_usage, include_obfuscation"},
		{&chatRequest{}, `{"cache":{"mod":"off"}}`, "cache.mod", "cache.mod: unknown parameter, perhaps mode is meant: there are mode, ttl, likeness"},
		{&chatRequest{}, `{"policy":{"limits":[{"signal":"x","stop":1}]}}`, "policy.limits[0].stop", "policy.limits[0].stop: unknown parameter: there are signal, warn, abstain"},
	} {
		err := unmarshal([]byte(c.body), c.into)
		e, ok := err.(*Error)
		if !ok || e.Param != c.param || e.Message != c.err {
			t.Errorf("%s:\ngot  %v\nwant %s", c.body, err, c.err)
		}
	}
}

// An error of a part has the name of the whole, however deep it lies.
func TestUnder(t *testing.T) {
	for _, c := range []struct{ field, of, want string }{
		{"", "", ""}, {"a", "", "a"}, {"", "b", "b"}, {"a", "b", "a.b"}, {"a", "[0]", "a[0]"}, {"a[1]", "b.c", "a[1].b.c"},
	} {
		message := "it is bad"
		if c.want != "" {
			message = c.want + ": " + message
		}
		if e := wrong(c.of, "it is bad").under(c.field); e.Param != c.want || e.Message != message {
			t.Errorf("%q under %q: got %q of %q, want %q of %q", c.of, c.field, e.Message, e.Param, message, c.want)
		}
	}
}

// What is near is found, and nothing that is not.
func TestNearest(t *testing.T) {
	names := []string{"user", "top_k", "top_p", "temperature", "max_tokens"}
	for name, want := range map[string]string{
		"usr": "user", "USER": "user", "users": "user", "tempreature": "temperature", "max_token": "max_tokens", "maxtokens": "max_tokens",
		"top_k1": "top_k", "temper": "", "colour": "", "u": "", "": "",
	} {
		if got := nearest(name, names); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// The number of changes is the same from either side, and 0 for the same alone.
func FuzzDistance(f *testing.F) {
	f.Add("kitten", "sitting")
	f.Add("", "ab")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > 64 || len(b) > 64 {
			t.Skip("long")
		}
		d := distance(a, b)
		if d != distance(b, a) || (d == 0) != (a == b) || d > max(len(a), len(b)) || d < max(len(a), len(b))-min(len(a), len(b)) {
			t.Errorf("%q and %q: %d and %d", a, b, d, distance(b, a))
		}
	})
}

// Words come before and behind what the system says, or are that.
func TestInstruct(t *testing.T) {
	list := func(roles ...string) (out []message) {
		for _, r := range roles {
			out = append(out, said(r, "a "+r))
		}
		return out
	}
	for _, c := range []struct {
		in             []message
		before, behind string
		roles          []string
		first          string
	}{
		{nil, "x", "y", nil, ""},
		{list("user"), "", "", []string{"user"}, "a user"},
		{list("user"), "x", "", []string{"system", "user"}, "x"},
		{list("user"), "", "y", []string{"system", "user"}, "y"},
		{list("user"), "x", "y", []string{"system", "user"}, "x\n\ny"},
		{list("system", "user"), "x", "", []string{"system", "user"}, "x\n\na system"},
		{list("developer", "user"), "", "y", []string{"developer", "user"}, "a developer\n\ny"},
		{list("system", "system"), "x", "y", []string{"system", "system"}, "x\n\na system\n\ny"},
	} {
		before := slices.Clone(c.in)
		out, err := instruct(c.in, c.before, c.behind)
		if err != nil {
			t.Fatal(err)
		}
		var roles []string
		first := ""
		for i, m := range out {
			if roles = append(roles, m.Role); i == 0 {
				json.Unmarshal(m.Content, &first)
			}
		}
		if !slices.Equal(roles, c.roles) || first != c.first {
			t.Errorf("%q, %q around %s: got %v that begin with %q, want %v and %q", c.before, c.behind, marshal(c.in), roles, first, c.roles, c.first)
		}
		for i := range before {
			if string(before[i].Content) != string(c.in[i].Content) {
				t.Error("the request itself is changed")
			}
		}
	}
	if _, err := instruct([]message{{Role: "system"}}, "x", ""); err == nil || err.(*Error).Param != "messages[0].content" {
		t.Errorf("a system message without content: %v", err)
	}
	facts := []store.Fact{{Kind: store.Preference, Text: "short"}, {Kind: store.AboutUser, Text: "one"}, {Kind: store.AboutUser, Text: "two"}}
	if got, want := inWords(facts), "What is known about the user:\n- one\n- two\n\nHow the user likes answers:\n- short"; got != want {
		t.Errorf("facts: got %q, want %q", got, want)
	}
}
