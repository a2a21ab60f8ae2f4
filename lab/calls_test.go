package lab

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate/grammar/calls"
	"github.com/foundling-lm/foundling/generate/grammar/language"
	states "github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/text/chat"
)

const (
	callQuestions = `{"id":"a","question":[[{"role":"user","content":"Area of a triangle?"}]],"function":[{"name":"area","description":"d","parameters":{"type":"dict","properties":{"base":{"type":"integer"},"unit":{"type":"string"},"of":{"type":"dict","properties":{"kind":{"type":"string"}}}},"required":["base"]}}]}
{"id":"b","question":[[{"role":"user","content":"Which?"}]],"function":[{"name":"one","parameters":{"type":"dict","properties":{}}},{"name":"m.two","parameters":{"type":"dict","properties":{"x":{"type":"array","items":{"type":"float"}}}}}]}`
	callAnswers = `{"id":"b","ground_truth":[{"m.two":{"x":[[1,2.5],[3]]}}]}
{"id":"a","ground_truth":[{"area":{"base":[10],"unit":["square units",""],"of":[{"kind":["Red","green"]},""]}}]}`
)

func TestReadCalls(t *testing.T) {
	task, err := ReadCalls("q", strings.NewReader(callQuestions), strings.NewReader(callAnswers), 0, 0)
	if err != nil || len(task.Items) != 2 {
		t.Fatalf("%+v, %v", task, err)
	}
	for i, cases := range []map[string][2]int{{ // right and all fields; right is negative where the call is not
		`{"name":"area","arguments":{"base":10}}`:                              {4, 4},
		`{"name":"area","arguments":{"base":10.0,"unit":"Square_Units"}}`:      {4, 4},
		`{"name":"area","arguments":{"base":10,"of":{"kind":"GREEN"}}}`:        {4, 4},
		`{"name":"area","arguments":{"base":10,"of":{"kind":"blue"}}}`:         {-3, 4},
		`{"name":"area","arguments":{"base":10,"of":{"kind":"red","more":1}}}`: {-3, 4},
		`{"name":"area","arguments":{"unit":"square units"}}`:                  {-3, 4},
		`{"name":"area","arguments":{"base":"10"}}`:                            {-3, 4},
		`{"name":"area","arguments":{"base":10,"height":3}}`:                   {-4, 4},
		`{"name":"volume","arguments":{"base":10}}`:                            {0, 4},
		`area(10)`: {0, 4},
	}, {
		`{"name":"m.two","arguments":{"x":[1,2.5]}}`: {2, 2},
		`{"name":"m.two","arguments":{"x":[3]}}`:     {2, 2},
		`{"name":"m.two","arguments":{"x":[3,1]}}`:   {-1, 2},
		`{"name":"m.two","arguments":{}}`:            {-1, 2},
	}} {
		for text, want := range cases {
			right, fields, exact := task.Items[i].agreement(text)
			if !exact {
				right = -right
			}
			if got := [2]int{right, fields}; got != want {
				t.Errorf("%s: %v, want %v", text, got, want)
			}
		}
	}
	if p := task.Prompt(task.Items[1], 0); !strings.Contains(p, "Question: Which?\nFunctions: {\"name\":\"one\"") || !strings.HasSuffix(p, "\nJSON:") {
		t.Errorf("prompt %s", p)
	}
	for name, bad := range map[string][2]string{
		"no JSON":     {"{", callAnswers},
		"no answer":   {callQuestions, ""},
		"two calls":   {callQuestions, strings.ReplaceAll(callAnswers, `[{"area"`, `[{"f":{}},{"area"`)},
		"two turns":   {strings.ReplaceAll(callQuestions, `"question":[[`, `"question":[[],[`), callAnswers},
		"no function": {`{"id":"a","question":[[]]}`, callAnswers},
		"no list":     {callQuestions, strings.ReplaceAll(callAnswers, `[10]`, `10`)},
		"no items":    {"", callAnswers},
	} {
		if _, err := ReadCalls("q", strings.NewReader(bad[0]), strings.NewReader(bad[1]), 0, 0); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestLeaderboardCalls reads the real files: nearly every right answer fits the schema
// of its functions, agrees with itself, and can be written.
func TestLeaderboardCalls(t *testing.T) {
	for name, want := range map[string]int{"BFCL_v4_simple_python.json.gz": 400, "BFCL_v4_multiple.json.gz": 200} {
		open := func(path ...string) io.Reader {
			f, err := os.Open(golden.Data(t, path...))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			r, err := gzip.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		task, err := ReadCalls(name, open("tools", "bfcl", name), open("tools", "bfcl", "possible_answer", name), 0, 0)
		if err != nil || len(task.Items) != want {
			t.Fatalf("%s: %d items, %v", name, len(task.Items), err)
		}
		misfits := 0
		for _, item := range task.Items {
			validator, err := compileSchema(item.Schema)
			if err != nil {
				t.Fatalf("%s: %v", item.ID, err)
			}
			if err := fits(validator, string(item.Gold)); err != nil {
				t.Logf("%s: %s: %v", item.ID, item.Gold, err)
				misfits++
			} else if !callable(t, item.Schema, item.Gold) {
				t.Errorf("%s: the language of calls lacks %s", item.ID, item.Gold)
			}
			if _, _, exact := item.agreement(string(item.Gold)); !exact {
				t.Errorf("%s does not agree with itself: %s", item.ID, item.Gold)
			}
			source := language.Source{Schema: item.Schema}
			if _, err := source.Compile(); err != nil {
				t.Errorf("%s: %v", item.ID, err)
			}
		}
		if misfits > want/20 {
			t.Errorf("%s: %d of %d answers do not fit their schema", name, misfits, want)
		}
	}
}

// callable says whether a model that is given the functions of a schema may write a call
// as chat templates have it.
func callable(t *testing.T, source, gold []byte) bool {
	t.Helper()
	type function struct {
		Properties struct {
			Name      struct{ Const string }
			Arguments json.RawMessage
		}
	}
	var s struct {
		function
		AnyOf []function
	}
	var call struct {
		Name      string
		Arguments json.RawMessage
	}
	if err := errors.Join(json.Unmarshal(source, &s), json.Unmarshal(gold, &call)); err != nil {
		t.Fatal(err)
	}
	if s.AnyOf == nil {
		s.AnyOf = []function{s.function}
	}
	form, _ := chat.Default().Calls()
	c := calls.Source{Form: calls.Form{Open: form.Open, Middle: form.Middle, Close: form.Close, Between: form.Between, Trigger: form.Trigger}}
	for _, f := range s.AnyOf {
		c.Functions = append(c.Functions, calls.Function{Name: f.Properties.Name.Const, Parameters: f.Properties.Arguments})
	}
	start, _, err := c.Machine()
	if err != nil {
		t.Fatal(err)
	}
	ok, _ := states.Accepts(start, []byte(form.Write([]chat.ToolCall{{Name: call.Name, Arguments: string(call.Arguments)}})))
	return ok
}

// TestShortContexts leaves out what does not fit, and counts as failed what has no
// constrained answer.
func TestShortContexts(t *testing.T) {
	task := Orders(40, 3)
	o := StructuredOptions{
		Write:  scribe(task, 1, 0),
		Fits:   func(prompt string) bool { return strings.Count(prompt, "Text:") == 2 },
		Within: func([]byte) (Writer, error) { return scribe(task, 1, 0), nil },
	}
	r, err := Structured(context.Background(), task, o, nil)
	if err != nil || r.Shortened != 40 || len(r.LeftOut) != 0 || strings.Count(r.Prompt, "Text:") != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	o.Fits = func(string) bool { return false }
	o.Holds = func(prompt, answer string) bool {
		return !strings.Contains(prompt, "red") && strings.HasPrefix(answer, "{")
	}
	n := 0
	o.Within = func([]byte) (Writer, error) {
		if n++; n%2 == 0 {
			return nil, errors.New("not today")
		}
		return func(ctx context.Context, prompt string, stream uint64) (Written, error) {
			if n%3 == 0 {
				return Written{}, ErrNoRoom
			}
			return scribe(task, 1, 0)(ctx, prompt, stream)
		}, nil
	}
	if r, err = Structured(context.Background(), task, o, nil); err != nil {
		t.Fatal(err)
	}
	left := len(r.LeftOut)
	i := slices.IndexFunc(r.Rows, func(w StructuredRow) bool { return w.Layer == LayerConstrained })
	if w := r.Rows[i]; left == 0 || left == 40 || w.Valid.N != 40-left || w.Valid.Value < 0.3 || w.Valid.Value > 0.36 || w.Note == "" || w.Tries != 1 || w.Tokens.Value != 10 {
		t.Errorf("%d left out, %+v", left, w)
	}
	if len(r.Notes()) != 3 {
		t.Errorf("notes %q", r.Notes())
	}
	o.Holds = func(string, string) bool { return false }
	if r, err = Structured(context.Background(), task, o, nil); err != nil || len(r.LeftOut) != 40 || len(r.Rows) != 5 || r.Rows[0].Missing == "" {
		t.Errorf("%+v, %v", r, err)
	}
}
