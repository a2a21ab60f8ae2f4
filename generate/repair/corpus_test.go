package repair

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestCases(t *testing.T) {
	f, err := os.Open(filepath.Join(os.Getenv("FOUNDLING_DATA"), "structured/json_repair_cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	bad, n := 0, 0
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var c struct {
			Source, Input, Returns string
			Expected               any
			Options                map[string]any
		}
		if err := json.Unmarshal(sc.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		n++
		var o Options
		o.Prefix = c.Options["stream_stable"] == true
		if s := c.Options["schema"]; s != nil {
			cc := jsonschema.NewCompiler()
			cc.AddResource("s.json", s)
			o.Schema = cc.MustCompile("s.json")
		}
		r, err := JSON(c.Input, o)
		want := c.Expected
		nothing := false
		if s, ok := c.Expected.(string); ok && c.Returns == "json text" {
			want = nil
			if json.Unmarshal([]byte(s), &want) != nil {
				want, nothing = s, true
			}
		}
		var got any
		if err == nil {
			json.Unmarshal([]byte(r.Text), &got)
		}
		if (nothing && err != nil) || err == nil && reflect.DeepEqual(got, want) {
			continue
		}
		bad++
		t.Logf("%s\n  in   %s\n  got  %s %v\n  want %s", c.Source, strings.TrimSpace(c.Input), r.Text, err, mustJSON(want))
	}
	t.Logf("%d of %d wrong", bad, n)
}

func mustJSON(v any) string { b, _ := json.Marshal(v); return string(b) }
