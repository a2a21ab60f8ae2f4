package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// A Call is the call of a function that is right: the possible values of each
// argument, "" among them where it may be left out (Berkeley Function Calling
// Leaderboard, Patil et al. 2025).
type Call struct {
	Name      string
	Arguments map[string][]any
}

// callFunction is a function as the leaderboard describes it.
type callFunction struct {
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Parameters  map[string]any `json:"parameters"`
}

// callQuestion is a line of a file of questions, callAnswer one of possible answers.
type (
	callQuestion struct {
		ID       string `json:"id"`
		Question [][]struct {
			Role    string `json:"role"`
			Content string `json:"content"`
		} `json:"question"`
		Function []callFunction `json:"function"`
	}
	callAnswer struct {
		ID     string                      `json:"id"`
		Truths []map[string]map[string]any `json:"ground_truth"`
	}
)

// ReadCalls reads questions that one call of a function answers, and the possible
// answers, in the files of the Berkeley Function Calling Leaderboard. The first shots
// of them are solved in the prompt; most 0 takes all others. The answer is the JSON
// of an object with name and arguments; each item has its own schema. Questions of
// several turns or calls are errors.
func ReadCalls(name string, questions, answers io.Reader, shots, most int) (StructuredTask, error) {
	t := StructuredTask{Name: name, Ask: "Answer the question by calling a function. Write the call as JSON.", Label: "Question"}
	truths := map[string]callAnswer{}
	err := eachLine(answers, func(n int, line []byte) error {
		var a callAnswer
		if err := json.Unmarshal(line, &a); err != nil {
			return fmt.Errorf("line %d of the answers: %w", n, err)
		}
		truths[a.ID] = a
		return nil
	})
	if err != nil {
		return t, err
	}
	err = eachLine(questions, func(n int, line []byte) error {
		if most > 0 && len(t.Items) == most {
			return nil
		}
		var q callQuestion
		if err := json.Unmarshal(line, &q); err != nil {
			return fmt.Errorf("line %d of %s: %w", n, name, err)
		}
		item, err := q.item(truths)
		if err != nil {
			return fmt.Errorf("line %d of %s: %w", n, name, err)
		}
		if len(t.Shots) < shots {
			t.Shots = append(t.Shots, item)
		} else {
			t.Items = append(t.Items, item)
		}
		return nil
	})
	if err == nil && len(t.Items) == 0 {
		err = fmt.Errorf("%s has no items beyond the %d that are solved in the prompt", name, shots)
	}
	return t, err
}

// eachLine calls f with the lines that are not empty, counted from 1.
func eachLine(r io.Reader, f func(n int, line []byte) error) error {
	in, err := io.ReadAll(io.LimitReader(r, MaxPoolLine+1))
	if err != nil {
		return err
	}
	if len(in) > MaxPoolLine {
		return fmt.Errorf("a file has more than %d bytes", MaxPoolLine)
	}
	for n, line := range bytes.Split(in, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := f(n+1, line); err != nil {
				return err
			}
		}
	}
	return nil
}

// item is the question with its functions and its answer.
func (q *callQuestion) item(truths map[string]callAnswer) (StructuredItem, error) {
	item := StructuredItem{ID: q.ID}
	truth, ok := truths[q.ID]
	switch {
	case !ok:
		return item, fmt.Errorf("%q has no possible answer", q.ID)
	case len(q.Question) != 1 || len(q.Function) == 0:
		return item, fmt.Errorf("%q has %d turns and %d functions: one turn and at least one function are supported", q.ID, len(q.Question), len(q.Function))
	case len(truth.Truths) != 1 || len(truth.Truths[0]) != 1:
		return item, fmt.Errorf("the answer of %q is not one call, the kind that is supported", q.ID)
	}
	var b strings.Builder
	for _, m := range q.Question[0] {
		b.WriteString(m.Content + "\n")
	}
	b.WriteString("Functions:")
	var calls []any
	for _, f := range q.Function {
		b.WriteString(" " + compact(f))
		calls = append(calls, map[string]any{
			"type": "object", "required": []string{"name", "arguments"}, "additionalProperties": false,
			"properties": map[string]any{"name": map[string]any{"const": f.Name}, "arguments": parameterSchema(f.Parameters)},
		})
	}
	item.Text = b.String()
	schema := any(map[string]any{"anyOf": calls})
	if len(calls) == 1 {
		schema = calls[0]
	}
	item.Schema = json.RawMessage(compact(schema))
	call := &Call{Arguments: map[string][]any{}}
	for function, arguments := range truth.Truths[0] {
		call.Name = function
		for k, v := range arguments {
			possible, ok := v.([]any)
			if !ok || len(possible) == 0 {
				return item, fmt.Errorf("the answer of %q: argument %s is no list of possible values", q.ID, k)
			}
			call.Arguments[k] = possible
		}
	}
	item.Call, item.Gold = call, json.RawMessage(compact(call.example()))
	return item, nil
}

// compact is JSON without escapes for HTML.
func compact(x any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(x); err != nil {
		panic(err) // it came from JSON
	}
	return strings.TrimSpace(b.String())
}

// parameterSchema is the JSON Schema of what the leaderboard writes in the manner of one,
// with Python's names of types. Objects with properties have no others.
func parameterSchema(p map[string]any) map[string]any {
	out := map[string]any{}
	switch kind, _ := p["type"].(string); kind {
	case "dict":
		out["type"] = "object"
	case "float":
		out["type"] = "number"
	case "tuple":
		out["type"] = "array"
	case "any", "":
	default:
		out["type"] = kind
	}
	if properties, ok := p["properties"].(map[string]any); ok {
		inner := map[string]any{}
		for name, x := range properties {
			inner[name] = map[string]any{}
			if x, ok := x.(map[string]any); ok {
				inner[name] = parameterSchema(x)
			}
		}
		out["properties"], out["additionalProperties"] = inner, false
	}
	if items, ok := p["items"].(map[string]any); ok {
		out["items"] = parameterSchema(items)
	}
	for _, k := range []string{"required", "enum", "minimum", "maximum"} {
		if x, ok := p[k]; ok {
			out[k] = x
		}
	}
	return out
}

// example is a right answer: the first value of each argument that has one.
func (c *Call) example() any {
	arguments := map[string]any{}
	for name, possible := range c.Arguments {
		if x, ok := first(possible); ok {
			arguments[name] = x
		}
	}
	return map[string]any{"name": c.Name, "arguments": arguments}
}

// first is the first of some possible values that is there.
func first(possible []any) (any, bool) {
	for _, x := range possible {
		if x != "" {
			return plainValue(x), true
		}
	}
	return nil, false
}

// plainValue is a possible value with the first of each object's possible values.
func plainValue(x any) any {
	switch x := x.(type) {
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = plainValue(x[i])
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, v := range x {
			if list, ok := v.([]any); !ok {
				out[k] = v
			} else if v, ok := first(list); ok {
				out[k] = v
			}
		}
		return out
	}
	return x
}

// agreement counts the function's name and those of the arguments that are right in a
// text, and says whether the call is right: all of them, and no argument that is not
// known.
func (c *Call) agreement(text string) (right, fields int, exact bool) {
	var got struct {
		Name      string         `json:"name"`
		Arguments map[string]any `json:"arguments"`
	}
	fields = 1 + len(c.Arguments)
	if json.Unmarshal([]byte(text), &got) != nil || got.Name != c.Name {
		return 0, fields, false
	}
	right, exact = 1, true
	for _, name := range slices.Sorted(maps.Keys(c.Arguments)) {
		x, there := got.Arguments[name]
		if isPossible(c.Arguments[name], x, there) {
			right++
		} else {
			exact = false
		}
	}
	for name := range got.Arguments {
		exact = exact && c.Arguments[name] != nil
	}
	return right, fields, exact
}

// isPossible says whether a value is among the possible ones, or may be absent.
func isPossible(possible []any, x any, there bool) bool {
	return slices.ContainsFunc(possible, func(p any) bool {
		if !there {
			return p == ""
		}
		return equalPossible(p, x)
	})
}

// equalPossible compares as the leaderboard does: strings without blanks, marks and
// case, objects by the possible values of each of their members.
func equalPossible(p, x any) bool {
	switch p := p.(type) {
	case string:
		s, ok := x.(string)
		return ok && standard(s) == standard(p)
	case []any:
		list, ok := x.([]any)
		return ok && slices.EqualFunc(p, list, equalPossible)
	case map[string]any:
		object, ok := x.(map[string]any)
		if !ok {
			return false
		}
		for k, v := range p {
			list, ok := v.([]any)
			if !ok {
				list = []any{v}
			}
			member, there := object[k]
			if !isPossible(list, member, there) {
				return false
			}
		}
		for k := range object {
			if _, ok := p[k]; !ok {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(p, x)
}

// standard is a text as the leaderboard compares it.
func standard(s string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", ",", "", ".", "", "/", "", "-", "", "_", "", "*", "", "^", "", "'", `"`).Replace(s))
}
