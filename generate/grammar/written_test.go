package grammar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/foundling-lm/foundling/generate/grammar/language"
	"github.com/foundling-lm/foundling/internal/rng"
)

// A written language is one of which random texts are sampled, and how others judge
// them.
type written struct {
	source string
	language.Source
	judge func(text []byte) error
}

// FuzzWritten samples texts under random schemas, expressions and grammars, with
// random vocabularies and budgets: all are complete, and accepted by a judge that has
// nothing of this package.
func FuzzWritten(f *testing.F) {
	for seed := range uint64(12) {
		data := make([]byte, 4096)
		for i := range data {
			data[i] = byte(rng.Uint64(seed, 11, uint64(i)))
		}
		f.Add(data)
	}
	f.Fuzz(rapid.MakeFuzz(sampleWritten))
}

func TestWritten(t *testing.T) { rapid.Check(t, sampleWritten) }

func sampleWritten(t *rapid.T) {
	var w written
	var pieces []string
	switch kind := rapid.IntRange(0, 2).Draw(t, "kind"); kind {
	case 0:
		w, pieces = writtenSchema(t), []string{`"`, `":`, `", "`, `": "`, `{"`, "{", "}", "[", "]", ",", " ", "\n", "a", "b", "ab", "1", "-", "0.5", "e3", "true", "null", "é", `\u00`}
	case 1:
		w, pieces = writtenRegex(t), []string{"a", "b", "ab", "c", "é", "\xc3", "x", "1", " "}
	default:
		w, pieces = writtenGrammar(t), []string{"a", "b", "ab", "c", "é", "\xc3", "d"}
	}
	compiled, err := w.Compile()
	if err != nil {
		t.Skipf("%s: %v", w.source, err) // refused, or without any text
	}
	tokens, special, end := vocabularyParts(rapid.Uint64Range(0, 50).Draw(t, "vocabulary"), 60, pieces...)
	v, err := NewVocabulary(tokens, special, end)
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(v, compiled.Start, Options{})
	if err != nil {
		t.Fatalf("%s: %v", w.source, err)
	}
	for range 3 {
		text := sampleText(t, g, g.Minimum()+rapid.IntRange(0, 25).Draw(t, "more"))
		if err := w.judge(text); err != nil {
			t.Fatalf("%s: wrote %q: %v", w.source, text, err)
		}
	}
}

// sampleText writes a text of at most budget tokens, its end included, by random
// choices, which now and then take what is forced at once.
func sampleText(t *rapid.T, g *Grammar, budget int) (text []byte) {
	s := g.Session()
	accept := func(id int32) {
		if err := s.Accept(id); err != nil {
			t.Fatalf("behind %q: %v", text, err)
		}
		text = append(text, g.v.Text(id)...)
		budget--
	}
	for !s.Ended() {
		if budget == 0 {
			t.Fatalf("%q is not complete when its tokens are used up", text)
		}
		mask, err := s.Mask(budget)
		if err != nil {
			t.Fatalf("behind %q: %v", text, err)
		}
		allowed := idsOf(mask)
		if forced := s.Forced(nil, budget); len(forced) > 0 && rapid.Bool().Draw(t, "forced") {
			for _, id := range forced {
				accept(id)
			}
			continue
		}
		accept(allowed[rapid.IntRange(0, len(allowed)-1).Draw(t, "id")])
	}
	return text
}

// randomly draws parts of languages.
type randomly struct{ *rapid.T }

func (r randomly) n(most int) int { return rapid.IntRange(0, most).Draw(r.T, "n") }

func pick[E any](r randomly, of ...E) E { return of[r.n(len(of)-1)] }

func writtenSchema(t *rapid.T) written {
	r := randomly{t}
	root := r.schema(3)
	root["$defs"] = map[string]any{"x": r.schema(1)}
	src, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(src))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("s.json", doc); err != nil {
		t.Fatal(err)
	}
	judge, err := c.Compile("s.json")
	if err != nil {
		t.Skipf("%s: %v", src, err)
	}
	return written{string(src), language.Source{Schema: src}, func(text []byte) error {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err == nil {
			err = judge.Validate(value)
		}
		return err
	}}
}

// schema is a schema of one type, a combination of some, or a reference.
func (r randomly) schema(depth int) map[string]any {
	kinds := 10
	if depth == 0 {
		kinds = 4
	}
	s := map[string]any{}
	switch r.n(kinds) {
	case 0:
		s["type"] = pick[any](r, "null", "boolean", []any{"string", "null"})
	case 1:
		s["enum"] = []any{1, "a", nil, "é\n", 2.5}[r.n(3):]
	case 2:
		s["type"], s["minimum"], s["multipleOf"] = pick(r, "number", "integer"), pick[any](r, 0, -3, 12.5), pick(r, 1, 0.5, 3)
	case 3:
		s["type"], s["minLength"], s["maxLength"] = "string", r.n(2), 2+r.n(3)
	case 4:
		s["type"], s["pattern"] = "string", pick(r, "^a*$", "^(ab|c)+$", "é", "^[a-c]{2}")
	case 5, 6:
		s["type"], s["items"], s["minItems"], s["maxItems"] = "array", r.schema(depth-1), r.n(2), 2+r.n(1)
		s["uniqueItems"] = r.n(2) == 0
	case 7, 8:
		r.object(s, depth-1)
	case 9:
		s[pick(r, "anyOf", "oneOf", "allOf")] = []any{r.schema(depth - 1), r.schema(depth - 1)}
	default:
		s["$ref"] = "#/$defs/x"
	}
	return s
}

func (r randomly) object(s map[string]any, depth int) {
	s["type"], s["properties"] = "object", map[string]any{pick(r, "a", "ab"): r.schema(depth), pick(r, "b", "c"): r.schema(depth)}
	if r.n(1) == 0 {
		s["required"] = []any{pick(r, "a", "b", "d")}
	}
	switch r.n(4) {
	case 0:
		s["additionalProperties"] = false
	case 1:
		s["additionalProperties"] = r.schema(depth)
	case 2:
		s["patternProperties"] = map[string]any{pick(r, "^a", "b$"): r.schema(depth)}
	case 3:
		s["minProperties"], s["maxProperties"] = r.n(2), 2+r.n(1)
	}
}

func writtenRegex(t *rapid.T) written {
	p := randomly{t}.regex(3)
	judge, err := regexp.Compile(`\A(?:` + p + `)\z`)
	if err != nil {
		t.Fatal(err)
	}
	return written{p, language.Source{Regex: p}, func(text []byte) error {
		if !judge.Match(text) {
			return fmt.Errorf("no match")
		}
		return nil
	}}
}

func (r randomly) regex(depth int) string {
	if depth == 0 {
		return pick(r, "a", "b", "é", ".", "[a-c]", "[^ab]", `\d`, `\w`, "(?i:x)")
	}
	a := r.regex(depth - 1)
	switch r.n(3) {
	case 0:
		return a + r.regex(depth-1)
	case 1:
		return "(?:" + a + "|" + r.regex(depth-1) + ")"
	case 2:
		return "(" + a + ")" + pick(r, "*", "+", "?", "{2}", "{1,3}")
	}
	return a
}

// writtenGrammar is a grammar in Chomsky's normal form, of two to four rules, which
// the algorithm of Cocke, Younger and Kasami judges.
func writtenGrammar(t *rapid.T) written {
	r := randomly{t}
	n := 2 + r.n(2)
	var pairs [][3]int // rule, left, right
	letters := map[string][]int{}
	var src strings.Builder
	src.WriteString("root ::= r0\n")
	for i := range n {
		var ways []string
		for range 1 + r.n(2) {
			a, b := r.n(n-1), r.n(n-1)
			pairs = append(pairs, [3]int{i, a, b})
			ways = append(ways, fmt.Sprintf("r%d r%d", a, b))
		}
		if i > 0 || r.n(1) == 0 {
			c := pick(r, "a", "b", "c", "é")
			letters[c] = append(letters[c], i)
			ways = append(ways, `"`+c+`"`)
		}
		fmt.Fprintf(&src, "r%d ::= %s\n", i, strings.Join(ways, " | "))
	}
	return written{src.String(), language.Source{Grammar: src.String(), Name: "g.gbnf"}, func(text []byte) error {
		if !derives(pairs, letters, []rune(string(text))) {
			return fmt.Errorf("no derivation")
		}
		return nil
	}}
}

// derives says whether rule 0 makes a text.
func derives(pairs [][3]int, letters map[string][]int, text []rune) bool {
	type span struct{ rule, from, to int }
	made := map[span]bool{}
	for size := 1; size <= len(text); size++ {
		for from := 0; from+size <= len(text); from++ {
			to := from + size
			if size == 1 {
				for _, rule := range letters[string(text[from])] {
					made[span{rule, from, to}] = true
				}
			}
			for _, p := range pairs {
				for mid := from + 1; mid < to; mid++ {
					if made[span{p[1], from, mid}] && made[span{p[2], mid, to}] {
						made[span{p[0], from, to}] = true
					}
				}
			}
		}
	}
	return made[span{0, 0, len(text)}]
}
