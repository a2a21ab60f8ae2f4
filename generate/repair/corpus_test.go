package repair

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// otherwise are the cases of the two libraries that this package decides in
// another way, each with the reason. Where the libraries contradict each other
// only one can be followed.
var otherwise = map[string]string{
	`{"key": "value"}, "key2": }`:            "a key without value: null as in the other library, not an empty text",
	`{"key": true, "key2": false, "key3": }`: "a key without value: null as in the other library, not an empty text",
	`Null`:                                   "a literal alone is a document, as in the other library",
	`False`:                                  "a literal alone is a document, as in the other library",
	`'"'`:                                    "a text in single quotes is a text, as in the other library",
	`"\a"`:                                   "an unknown escape keeps its backslash, as in the other library: nothing is lost",
	`[{"key": "value", "key`:                 "half a key says nothing: it goes, and no array takes its place",
	`[{"key":"value"}][{"key":"value_after"}]`:                     "both documents stay: dropping the first would lose data",
	`[\"hello\, \"world\"]`:                                        "what is expected is not JSON",
	`{ "key": ["arrayvalue"], "key3": "value3", ["arrayvalue1"] }`: "an array where a key belongs is no key",
	`[{"lorem": {"ipsum": "sic"}, """" "lorem": {"ipsum": "sic"}]`: "stray quotes go, and open no second object",
}

func TestCases(t *testing.T) {
	f, err := os.Open(golden.Data(t, "structured", "json_repair_cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	equal, n, met := 0, 0, map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var c struct {
			Source, Input, Returns string
			Expected               any
			Options                map[string]any
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		n++
		o := Options{Prefix: c.Options["stream_stable"] == true}
		if s := c.Options["schema"]; s != nil {
			o.Schema = compile(t, s)
		}
		r, err := JSON(c.Input, o)
		if err == nil && !json.Valid([]byte(r.Text)) {
			t.Errorf("%q became %q, which is not JSON", c.Input, r.Text)
		}
		// An empty text stands for "nothing found" in one of the libraries.
		want := c.Expected
		if s, ok := want.(string); ok && c.Returns == "json text" && json.Unmarshal([]byte(s), &want) != nil {
			want = s
		}
		var got any
		if err == nil {
			_ = json.Unmarshal([]byte(r.Text), &got)
		}
		same := err != nil && c.Expected == "" || err == nil && reflect.DeepEqual(got, want)
		if same {
			equal++
		}
		key := strings.TrimSpace(c.Input)
		met[key] = true
		if _, other := otherwise[key]; other == same {
			t.Errorf("%s: %q became %q (%v), expected %v; listed as decided otherwise: %v", c.Source, c.Input, r.Text, err, c.Expected, other)
		}
	}
	t.Logf("%d of %d cases as expected, %d decided otherwise with a reason", equal, n, n-equal)
	for key := range otherwise {
		if !met[key] {
			t.Errorf("%q is not a case", key)
		}
	}
}

func compile(t testing.TB, s any) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", s); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestIdentity: valid JSON comes back byte for byte, with nothing in the log.
func TestIdentity(t *testing.T) {
	b, err := os.ReadFile(golden.Data(t, "structured", "json_valid_identity.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	for _, text := range list {
		unchanged(t, text)
	}
}

func unchanged(t *testing.T, text string) {
	t.Helper()
	r, err := JSON(text, Options{})
	if err != nil || r.Text != text || len(r.Changes) != 0 || r.Confidence != 1 {
		t.Errorf("%q became %+v (%v)", text, r, err)
	}
}

// TestSuite: what must parse is not touched; what must not parse becomes JSON
// or an error, whatever it is.
func TestSuite(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(golden.Data(t, "structured", "JSONTestSuite"), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	repaired, refused := 0, 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(filepath.Base(name), "y_") {
			unchanged(t, string(b))
			continue
		}
		if promises(t, string(b)) {
			repaired++
		} else {
			refused++
		}
	}
	t.Logf("of the texts that are not JSON %d were repaired, %d refused", repaired, refused)
}

// promises checks what every repair promises, and tells whether it is one.
func promises(t testing.TB, text string) bool {
	t.Helper()
	r, err := JSON(text, Options{})
	if err != nil {
		return false
	}
	if !json.Valid([]byte(r.Text)) {
		t.Errorf("%q became %q, which is not JSON", text, r.Text)
	}
	if got := Apply(text, r.Changes); got != r.Text {
		t.Errorf("the changes of %q give %q, not %q", text, got, r.Text)
	}
	if r.Confidence < 0 || r.Confidence > 1 {
		t.Errorf("%q has confidence %v", text, r.Confidence)
	}
	again, err := JSON(r.Text, Options{})
	if err != nil || again.Text != r.Text || len(again.Changes) > 0 {
		t.Errorf("a second repair of %q changes %q again: %+v (%v)", text, r.Text, again, err)
	}
	return true
}
